# SPDX-License-Identifier: Apache-2.0
"""Sweeps where the path or a probe is no good: policers, random loss, firewalls without room for a
new connection, strangers, frozen and killed probes, Ctrl-C. What is not known must not hold, must
not be called blocked, and what is known must be as exact as on a good path. See sweepcase.py.

Run: python3 tests/netns/test_sweep_hard.py (root; says skipped where the machine cannot do it)."""
import os
import shutil
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
from sweepcase import ALLOWED, ALL_PORTS, WINDOW, Sweep  # noqa: E402
from harness import FW, kill  # noqa: E402
import sweeping  # noqa: E402

HOLES = frozenset({2000, *range(2100, 2120), 2250, 2399})
WIDE = frozenset(range(2000, 6000))  # enough packets to fill any bucket
WIDE_HOLES = frozenset({2000, *range(2100, 2120), 3333, 5998, 5999})
INBOUND = 'iifname "left" meta l4proto { tcp, udp }'  # what a policer or the weather sees


class SweepPolicer(Sweep):
    """All that comes in on the left shares 2,000 packets a second, and nobody declared it."""

    POLICER = sweeping.policed(2000, only=INBOUND)

    def wide(self, *options, **how):
        return self.sweep(self.topology(window=WIDE, **how), *options)

    def policer_bites(self):
        """The policer is real: of a hurried burst most is lost."""
        self.closed(first=[sweeping.policed(2000, 50, INBOUND)], holes=WIDE_HOLES)
        from packets import send, udp
        before = sweeping.interface(self.lab, "b")["rx"]
        send(self.lab, "a", [udp(self.world.v4["a"], self.world.v4["b"], 4000, 2100)] * 2000)
        self.assertLess(sweeping.interface(self.lab, "b")["rx"] - before, 1500)

    def test_undeclared(self):
        self.policer_bites()
        self.closed(holes=WIDE_HOLES)
        self.prove(holes=(2000, 3333, 5999), closed=(2001, 5997), families=("ipv4",))
        free = self.wide()
        self.exactly_all(free, WIDE | ALLOWED, leak=WIDE_HOLES)
        self.closed(holes=WIDE_HOLES, first=[self.POLICER])
        run = self.wide()
        self.exactly_all(run, WIDE | ALLOWED, leak=WIDE_HOLES)
        self.assertEqual(run.code, 1, run.err + run.out)

    def test_declared(self):
        self.closed(holes=WIDE_HOLES, first=[self.POLICER])
        more = "enforcement:\n  fw-1: { between: [left, right], layer: network, max_rate: 1900 }\n"
        run = self.wide(more=more)
        self.exactly_all(run, WIDE | ALLOWED, leak=WIDE_HOLES)

    def test_allowed_ports_behind_a_policer(self):
        """Many allowed ports, some of which do not work: the policer must not add to them."""
        allowed = ALLOWED | set(range(7000, 7150))
        broken = {7000, 7100, 7101, 7149}
        self.closed(allowed=allowed - broken, first=[self.POLICER])
        self.prove(closed=(7100,), families=("ipv4",), protos=("tcp",))
        run = self.sweep(self.topology(allowed=allowed))
        self.exactly_all(run, WINDOW | allowed, blocked=broken)

    def test_one_that_spares_the_control(self):
        """A policer for the window alone, of 5 packets a second: what it eats cannot be told from
        what is closed by one control on another port. Nothing that is open may hold."""
        only = f"{INBOUND} th dport 2000-2399"
        self.closed(holes=WINDOW, first=[sweeping.policed(5, 5, only)])
        self.prove(holes=(2001,), closed=(), families=("ipv4",), protos=("tcp",))
        run = self.sweep(seconds=200)
        counts = self.never(run, holds=WINDOW, blocked=WINDOW)
        self.assertGreater(counts["leak"], 0, run.out)
        self.assertNotEqual(run.code, 0)


class SweepLoss(Sweep):
    """Packets are lost by chance, whatever they are."""

    def lossy(self, percent, holes=HOLES):
        self.closed(holes=holes, first=[sweeping.lossy(percent, INBOUND)])

    def test_one_percent(self):
        self.closed(holes=HOLES)
        self.prove(holes=(2100, 2399), closed=(2099,), families=("ipv4",))
        self.lossy(1)
        run = self.sweep()
        counts = self.never(run, holds=HOLES, blocked=WINDOW | ALLOWED, leak=WINDOW - HOLES)
        self.assertEqual(counts["leak"], 4 * len(HOLES), run.err + run.out)

    def test_thirty_percent(self):
        """No verdict is false: an open port leaks or is not known, a closed one holds or is not
        known, an allowed one is not blocked."""
        self.lossy(30)
        run = self.sweep(seconds=200)
        counts = self.never(run, holds=HOLES, blocked=WINDOW | ALLOWED, leak=WINDOW - HOLES)
        self.assertGreater(counts["leak"], 3 * len(HOLES), run.out)
        self.assertNotEqual(run.code, 0)

    def test_thirty_percent_and_closed(self):
        """The healthy twin of it: nothing leaks."""
        self.lossy(30, holes=())
        run = self.sweep(seconds=200)
        self.never(run, blocked=WINDOW | ALLOWED, leak=WINDOW | ALLOWED)

    def test_everything_is_lost_for_a_while(self):
        """The cable is cut for half a second in the middle; what went then is asked again."""
        self.closed(holes=HOLES)

        def cut(_running):
            self.closed(holes=HOLES, first=[f"{INBOUND} drop"])
            time.sleep(0.5)
            self.closed(holes=HOLES)

        run = self.middle(cut)
        counts = self.never(run, holds=HOLES, blocked=WINDOW | ALLOWED, leak=WINDOW - HOLES)
        self.assertEqual(counts["leak"], 4 * len(HOLES), run.err + run.out)


@unittest.skipUnless(shutil.which("conntrack") and sweeping.state_limit(), "no conntrack here")
class SweepState(Sweep):
    """The firewall has no room for a new connection; all entries are other people's."""

    def tearDown(self):
        sweeping.empty_state(self.lab, FW)
        super().tearDown()

    def fill(self, begin=0.0):
        limit = sweeping.state_limit()
        self.assertGreaterEqual(sweeping.fill_state(self.lab, FW, begin), limit - 10)
        self.assertFalse(self.reaches(80), "there is still room")

    def test_full(self):
        self.closed(holes=HOLES)
        self.prove(holes=(2100,), closed=(2001,), families=("ipv4",))
        self.assertTrue(self.reaches(80))
        self.fill()
        run = self.sweep()
        counts = self.never(run, holds=WINDOW | ALLOWED, blocked=WINDOW | ALLOWED)
        self.assertGreater(counts["inconclusive"], 0, run.err + run.out)
        self.assertEqual(run.code, 3, run.err + run.out)
        sweeping.empty_state(self.lab, FW)
        run = self.sweep()
        self.exactly_all(run, leak=HOLES)

    def test_full_from_the_middle_on(self):
        """The entries of controls that go on are there already: these still get through. Nothing
        new does, so an open port may not hold and an allowed one is not blocked."""
        holes = frozenset(range(2200, 2400))
        self.closed(holes=holes)
        self.prove(holes=(2200,), closed=(2199,), families=("ipv4",), protos=("tcp",))
        sweeping.fill_state(self.lab, FW, 0.0, 0.96)
        run = self.middle(lambda _running: self.fill(0.96), packets=100)
        self.never(run, holds=holes, blocked=WINDOW | ALLOWED, leak=WINDOW - holes)
        self.assertNotEqual(run.code, 0, run.err + run.out)

    def test_nothing_new_gets_through_after_an_earlier_run(self):
        """What an earlier run left in the table still gets through, and nothing else: controls that
        went the same way again would vouch for a silence that is the table's."""
        self.closed(holes=HOLES)
        self.prove(holes=(2100,), closed=(2001,), families=("ipv4",))
        self.exactly_all(self.sweep(), leak=HOLES)
        late = frozenset(range(2200, 2400))
        self.closed(holes=late)
        run = self.middle(lambda _running: self.closed(holes=late, first=["ct state new drop"]),
                          packets=150)
        self.assertFalse(self.reaches(80), "new flows still get through")
        self.never(run, holds=late, blocked=WINDOW)
        self.assertNotEqual(run.code, 0, run.err + run.out)


class SweepStranger(Sweep):
    """Somebody else sends 4 MB a second."""

    def test_to_the_receiver(self):
        self.closed(holes=HOLES | {9})
        self.prove(holes=(2100,), closed=(2001,), families=("ipv4",))
        with sweeping.Stranger(self.lab, "e", self.world.v4["b"], 9):
            before = sweeping.interface(self.lab, "b")["rx"]
            time.sleep(0.5)
            self.assertGreater(sweeping.interface(self.lab, "b")["rx"] - before, 1000)
            run = self.sweep()
        self.exactly_all(run, leak=HOLES)
        self.assertEqual(run.summary["capture_drops"], 0)

    def test_to_the_tested_ports(self):
        """On the sender's own addresses and within the window, without our tag: it is not ours, so
        it makes no leak; but nor may it be overlooked."""
        self.closed(holes={2345})
        with sweeping.Stranger(self.lab, "a", self.world.v4["b"], 2345, 40_000):
            run = self.sweep()
        self.exactly_all(run, leak={2345})


class SweepPause(Sweep):
    """A probe stands still for 200 ms in the middle: that alone must change no verdict."""

    def paused(self, host, role=None):
        def pause(_running):
            pids = self.probes(host, role)
            self.assertTrue(pids)
            with sweeping.stopped(pids):
                time.sleep(0.2)

        self.closed(holes=HOLES)
        run = self.middle(pause)
        self.exactly_all(run, leak=HOLES)
        self.assertEqual(run.code, 1, run.err + run.out)

    def test_the_receiver(self):
        self.paused("b")

    def test_the_receivers_sensor(self):
        self.paused("b", "sensor")

    def test_the_sender(self):
        self.paused("a")

    def test_the_controller(self):
        def pause(running):
            with sweeping.stopped([running.child.pid]):
                time.sleep(0.2)

        self.closed(holes=HOLES)
        self.exactly_all(self.middle(pause), leak=HOLES)

    def test_a_fast_sweep_and_a_frozen_receiver(self):
        """At full speed the receiver's ring has to hold, or the loss to be noticed."""
        window = ALL_PORTS - ALLOWED
        self.closed(holes=WINDOW)
        running = self.start(self.topology(window=window))
        self.assertTrue(sweeping.wait_while(
            lambda: self.swept() < 20 and running.child.poll() is None, 30))
        with sweeping.stopped(self.probes("b", "sensor")):
            time.sleep(0.2)
        run = running.finish()
        self.exactly_all(run, ALL_PORTS, leak=WINDOW)


class SweepKilled(Sweep):
    """kill -9 in the middle: no "holds" of what was not asked, nothing hangs, nothing is left."""

    def killed(self, host, role, reason):
        self.closed(holes=WINDOW)
        self.prove(holes=(2000, 2399), closed=(), families=("ipv4",), protos=("tcp",))
        began = []

        def act(_running):
            began.append(time.monotonic())
            kill(self.probes(host, role))

        run = self.middle(act)
        self.assertLess(time.monotonic() - began[0], 30)
        counts = self.never(run, holds=WINDOW, blocked=WINDOW | ALLOWED)
        if reason:
            self.assertGreater(counts["inconclusive"], 0, run.err + run.out)
            self.assertRegex(run.out + str(run.data["inconclusive"]), reason)
        self.assertIn(run.code, (1, 3), run.err + run.out)

    def test_the_receiver(self):
        self.killed("b", "parent", "receiver's probe was lost|host 'b'|\"b\"|'b'")

    def test_the_sender(self):
        self.killed("a", "parent", "sender's probe was lost|'a'")

    def test_the_receivers_sensor(self):
        """Its parent starts another; what was in flight is asked again or not known."""
        self.killed("b", "sensor", None)

    def test_the_senders_sensor(self):
        self.killed("a", "sensor", None)

    def test_the_receiver_while_all_is_closed(self):
        """The twin: silence behind a dead probe is no proof either."""
        run = self.middle(lambda _running: kill(self.probes("b", "parent")))
        counts = self.never(run, blocked=WINDOW | ALLOWED, leak=WINDOW | ALLOWED)
        self.assertGreater(counts["inconclusive"], 0, run.err + run.out)
        self.assertEqual(run.code, 3, run.err + run.out)


class SweepInterrupted(Sweep):
    """Ctrl-C, and going on after it."""

    SLOW = "max_rate: 400"

    def stop(self, running):
        os.killpg(running.child.pid, signal.SIGINT)

    def test_ctrl_c(self):
        self.closed(holes=WINDOW)
        began = []

        def act(running):
            began.append(time.monotonic())
            self.stop(running)

        run = self.middle(act)
        self.assertLess(time.monotonic() - began[0], 5)
        self.assertEqual(run.code, 130, run.err + run.out)
        self.assertTrue(run.data["run"]["interrupted"])
        counts = self.never(run, holds=WINDOW, blocked=WINDOW | ALLOWED)
        self.assertGreater(counts["inconclusive"] + counts["leak"], 0, run.err + run.out)

    def test_ctrl_c_while_all_is_closed(self):
        """What was not asked twice does not hold."""
        run = self.middle(self.stop)
        self.assertEqual(run.code, 130, run.err + run.out)
        counts = self.never(run, leak=WINDOW | ALLOWED, blocked=WINDOW | ALLOWED)
        self.assertGreater(counts["inconclusive"], 0, run.out)

    def resumed(self, stop, code):
        self.closed(holes=HOLES)
        self.prove(holes=(2100,), closed=(2001,), families=("ipv4",), protos=("tcp",))
        whole = self.sweep(self.topology(limits=self.SLOW))
        self.exactly_all(whole, leak=HOLES)
        first = self.middle(stop, packets=1000)
        self.assertEqual(first.code, code, first.err + first.out)
        name = self.run_id(first)
        before = self.swept()
        rest = self.sweep(self.topology(limits=self.SLOW), "--resume", name)
        self.exactly_all(rest, leak=HOLES)
        self.assertEqual(rest.code, 1, rest.err + rest.out)
        self.assertEqual(rest.data["coverage"]["denied_ports_swept"],
                         whole.data["coverage"]["denied_ports_swept"])
        self.assertGreater(self.swept(), before)

    def run_id(self, run):
        return run.data["run"]["id"]

    def test_resume_after_ctrl_c(self):
        self.resumed(self.stop, 130)

    def test_resume_another_topology(self):
        """A run is not taken up for something else."""
        first = self.middle(self.stop, packets=1000)
        run = self.sweep(self.topology(window=WINDOW - {2000}), "--resume", self.run_id(first))
        self.assertEqual(run.code, 2, run.err + run.out)

    def test_resume_what_never_was(self):
        run = self.sweep(None, "--resume", "0123456789abcdef")
        self.assertEqual(run.code, 2, run.err + run.out)
        self.assertIn("0123456789abcdef", run.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
