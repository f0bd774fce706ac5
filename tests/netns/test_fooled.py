# SPDX-License-Identifier: Apache-2.0
"""Attempts to make a flow "hold" that was not shown to hold, by what happens to the probes: they are
killed, frozen, flooded. See fooling.py.

Run: python3 tests/netns/test_fooled.py (root; says skipped where the machine cannot do it)."""
import contextlib
import os
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
from fooling import OPEN, PORTS, SLOW, Fooled, firewall  # noqa: E402
from harness import FAMILIES, FW, PROBE, kill  # noqa: E402
from packets import send, tcp, udp  # noqa: E402


class FooledProbe(Fooled):
    """The receiver's probe, or the sender's, is killed or frozen."""

    def test_parent_killed(self):
        run = self.middle(lambda: kill(self.world.probe_pids("b", "parent")))
        self.count_inconclusive(self.never_holds(run, ("inconclusive",),
                                                 reason="receiver's probe was lost"))
        self.assertEqual(run.code, 3)
        self.assertEqual(run.summary["probes_failed"], 1)

    def test_sensor_killed(self):
        run = self.middle(lambda: kill(self.world.probe_pids("b", "sensor")))
        self.count_inconclusive(self.never_holds(run))

    def test_link_killed(self):
        run = self.middle(lambda: kill(self.world.probe_pids("b", "link")))
        self.count_inconclusive(self.never_holds(run, ("inconclusive",)))

    def test_sensor_killed_again_and_again(self):
        running = self.start(topology=self.topology(limits=SLOW))
        running.wait_for("scouting")
        while running.child.poll() is None:
            kill(self.world.probe_pids("b", "sensor"))
            time.sleep(0.3)
        self.never_holds(running.finish())

    def test_group_frozen(self):
        run = self.middle(lambda: kill(self.world.probe_pids("b"), signal.SIGSTOP))
        self.count_inconclusive(self.never_holds(run, ("inconclusive",),
                                                 reason="receiver's probe was lost"))

    def test_sensor_frozen(self):
        run = self.middle(lambda: kill(self.world.probe_pids("b", "sensor"), signal.SIGSTOP))
        self.count_inconclusive(self.never_holds(run, ("inconclusive",),
                                                 reason="receiver's probe was lost"))

    def test_sender_killed(self):
        run = self.middle(lambda: kill(self.world.probe_pids("a", "parent")))
        self.count_inconclusive(self.never_holds(run, reason="sender's probe was lost"))

    def wrapped(self, body):
        """A probe that does something first in b's namespace."""
        path = os.path.join(self.lab.dir, "wrapped-probe")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\ncase \"$(ip netns identify $$)\" in *-b) "
                       f"{body};; esac\nexec {PROBE} \"$@\"\n")
        os.chmod(path, 0o755)
        return path

    def test_killed_before_it_is_ready(self):
        run = self.start("--probe", self.wrapped("kill -9 $$")).finish()
        self.count_inconclusive(self.never_holds(run, ("inconclusive",)))
        self.assertEqual(run.code, 3)

    def test_not_ready_in_time(self):
        run = self.start("--probe", self.wrapped("sleep 30"), "--timeout", "1s").finish()
        self.never_holds(run, ("inconclusive",))
        self.assertEqual(run.code, 3)
        self.assertIn("ready", [n["reason"] or "" for n in run.data["nodes"]
                                if n["host"] == "b"][0])


class FooledPause(Fooled):
    """Somebody stands still for two seconds in the middle: that alone must change no verdict."""

    def pause(self, pids):
        found = pids()
        self.assertTrue(found)
        kill(found, signal.SIGSTOP)
        time.sleep(2)
        kill(found, signal.SIGCONT)

    def paused(self, pids):
        """The same pause with an open and with a closed firewall."""
        run = self.middle(lambda: self.pause(pids))
        self.never_holds(run)
        self.lab.nft(FW, firewall(""))
        run = self.middle(lambda: self.pause(pids))
        for family in FAMILIES:
            for proto in ("tcp", "udp"):
                for port in (80, *PORTS):
                    self.check(run, ("a", "b", family, proto, port),
                               run.fact("a", "b", family, proto, port).verdict
                               if run.fact("a", "b", family, proto, port).verdict == "inconclusive"
                               else "holds")
        return run

    def test_the_sender(self):
        self.paused(lambda: self.world.probe_pids("a"))

    def test_the_receivers_sensor(self):
        self.paused(lambda: self.world.probe_pids("b", "sensor"))

    def test_the_controller(self):
        self.paused(lambda: [p.pid for p in self.world.processes(role="segproof")])


class FooledFlood(Fooled):
    """Packets that the receiver could not look at."""

    def flood(self, packets, seconds=0.0):
        """From the firewall, once or longer; with breaths, so that the machine's own queue, which
        all tests share, does not overflow."""
        until = time.monotonic() + seconds
        while True:
            for n in range(0, len(packets), 100):
                send(self.lab, FW, packets[n:n + 100])
                time.sleep(0.001)
            if time.monotonic() > until:
                return

    def witness_drops(self, sensor):
        """What the raw sockets of that namespace could not keep: the last column."""
        drops = 0
        for name in ("raw", "raw6"):
            with open(f"/proc/{sensor}/net/{name}", encoding="ascii") as file:
                drops += sum(int(line.split()[-1]) for line in file.readlines()[1:])
        return drops

    def frozen_flood(self, packets, host="b"):
        sensor = self.world.probe_pids(host, "sensor")
        self.assertEqual(len(sensor), 1)
        kill(sensor, signal.SIGSTOP)
        try:
            self.flood(packets, 1.2)
        finally:
            kill(sensor, signal.SIGCONT)

    def foreign(self, make, count, port=9, host="b"):
        """Packets of strangers, to a port that nobody tests, in one family."""
        return [make(f"192.0.2.{1 + n % 250}", self.world.v4[host], 1024 + n, port)
                for n in range(count)]

    def test_the_capture_drops_packets(self):
        flood = self.foreign(udp, 3000)
        run = self.middle(lambda: self.frozen_flood(flood), "--capture-buffer", "65536")
        self.never_holds(run, reason=None)
        self.assertGreater(run.summary["capture_drops"], 0)

    def test_the_capture_drops_packets_in_every_batch(self):
        """So that no round is without drops: nothing may be concluded from silence."""
        self.lab.nft(FW, firewall(""))
        flood = self.foreign(udp, 3000)
        running = self.start("--only", "udp", "--capture-buffer", "65536",
                             topology=self.topology(limits=SLOW))
        running.wait_for("denied flows")
        while running.child.poll() is None:
            if self.world.probe_pids("b", "sensor"):
                with contextlib.suppress(AssertionError):
                    self.frozen_flood(flood)
            time.sleep(0.1)
        run = running.finish()
        facts = self.never_holds(run, ("inconclusive",), protos=("udp",))
        self.assertGreater(run.summary["capture_drops"], 0)
        self.assertIn("the receiver's capture dropped packets",
                      {fact.reason for fact in facts.values()})
        self.count_inconclusive(facts)

    def test_the_host_lets_nothing_in(self):
        """layer: host. Everything reaches the interface, nothing is seen behind the INPUT rules,
        the control neither: whether anybody looks there is not shown."""
        self.lab.nft("b", OPEN + "table inet fw {\n chain in {\n type filter hook input priority 0;"
                     "\n meta l4proto { tcp, udp } drop\n }\n}\n")
        run = self.start("--only", "tcp_syn", topology=self.topology(
            more="enforcement:\n  own: { between: [left, right], layer: host }\n")).finish()
        self.never_holds(run, ("inconclusive",), protos=("tcp",))

    def test_the_host_witness_drops_packets(self):
        """layer: host. SYNs of strangers fill the socket behind the INPUT rules while the capture
        keeps all: what the host let in must not be called dropped by the host."""
        strangers = [tcp("2001:db8:99::1", self.world.v6["b"], 1024 + n, 9) for n in range(16000)]
        strangers += self.foreign(tcp, 16000)
        self.lab.nft("b", OPEN + "table inet fw {\n chain out {\n type filter hook output priority "
                     "0;\n tcp sport 9 drop\n }\n}\n")
        topology = self.topology(more="enforcement:\n  own: { between: [left, right], "
                                 "layer: host }\n", limits=SLOW)
        running = self.start("--only", "tcp_syn", "--capture-buffer", str(64 << 20),
                             topology=topology)
        running.wait_for("denied flows")
        time.sleep(0.15)
        sensor = self.world.probe_pids("b", "sensor")
        kill(sensor, signal.SIGSTOP)
        self.flood(strangers)
        time.sleep(2.5)
        dropped = self.witness_drops(sensor[0])
        kill(sensor, signal.SIGCONT)
        run = running.finish()
        self.assertGreater(dropped, 0)
        self.never_holds(run, protos=("tcp",))
        self.assertGreater(run.summary["capture_drops"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
