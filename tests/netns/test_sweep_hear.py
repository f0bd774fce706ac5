# SPDX-License-Identifier: Apache-2.0
"""The receiver of sweeps over real sockets: everything that arrives becomes a bit, however fast it
comes; what is lost on the way into the probe is counted and told before the beats that follow it;
foreign traffic and a stopped process change neither. The sender is a probe too.

Run: python3 tests/netns/test_sweep_hear.py (root; says skipped where the machine cannot do it)."""
import os
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
from harness import Case, World  # noqa: E402
from probes import LINK, NIC, RECEIVER, SENDER, STRAY, UNTAGGED, Probe  # noqa: E402

SEND, EXPECTED = 0, 2
S_NIC, S_HOST, S_EGRESS, S_REWRITTEN, S_STRAY, S_ANSWER, S_REFUSED = range(7)
H_LEFT, H_NIC, H_HOST = range(3)
REPLY = 8
CLOSED = """table inet closed {
    chain in {
        type filter hook input priority 0; policy drop;
        tcp dport 22 accept
    }
}
"""
OPEN = "table inet closed\ndelete table inet closed\n"
PPS = 300000


def chunks(ports):
    sets = {}
    for port in ports:
        bits = sets.setdefault(port // 512, bytearray(64))
        bits[port % 512 // 8] |= 1 << port % 8
    return {chunk: bytes(bits) for chunk, bits in sets.items()}


def ports_of(records):
    return {r.chunk * 512 + i for r in records for i in range(512) if r.bits[i // 8] >> i % 8 & 1}


def members(pid):
    """A process and all below it."""
    found = [pid]
    for one in found:
        with open(f"/proc/{one}/task/{one}/children", encoding="ascii") as file:
            found += [int(child) for child in file.read().split()]
    return found


def status(pid, field):
    """In KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(file.read().split(field + ":")[1].split()[0])


def cpu_ns(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 10 ** 9 // os.sysconf("SC_CLK_TCK")


class Pair:
    """A sender a and a receiver b of one sweep, with a guard beside it."""

    def __init__(self, world, a, b, technique="tcp_syn", passes=1, ports=range(1, 65536), flags=0,
                 expected=(), family="ipv4"):
        self.a, self.b, self.passes, self.total = a, b, passes, len(ports)
        ends = {"src": world.address("a", family), "dst": world.address("b", family)}
        for probe, role in ((a, SENDER | LINK), (b, RECEIVER)):
            probe.batch(max_pps=10000000, budget=10000000)
            probe.order("sweep", batch=1, block=100, passes=passes, flags=role | flags,
                        technique=technique, sport=40100, alt_sport=40200, alt_lo=40000,
                        alt_hi=49999, **ends)
            for kind, wanted in ((SEND, ports), (EXPECTED, expected)):
                for chunk, bits in chunks(wanted).items():
                    probe.order("mask", batch=1, block=100, kind=kind, chunk=chunk, bits=bits)
            probe.order("guard", batch=1, block=900, flags=role, technique="tcp_syn", port=22,
                        sport_lo=40900, sport_hi=40999, **ends)
        assert b.arm() == [] and a.arm() == []
        b.fire()
        a.fire()
        self.serial = 0

    def volleys(self, number, pps=PPS, size=4096):
        """One pass, volley by volley."""
        told = []
        for first in range(0, self.total, size):
            self.serial += 1
            self.a.order("volley", batch=1, serial=self.serial, first=first,
                         count=min(size, self.total - first), pps=pps, order=7, **{"pass": number})
        for _ in range(0, self.total, size):
            told.append(self.a.wait("volleyed"))
        return told

    def end(self, drain=0.3):
        time.sleep(drain)
        self.a.collect()
        return self.b.collect()

    def swept(self, probe, kind, number=0):
        return ports_of(r for r in probe.told
                        if r.type == "swept" and r.kind == kind and r.block == 100 + number)

    def beats(self, probe, kind):
        last = {(r.kind, r.chunk): r for r in probe.told if r.type == "heard"}
        return ports_of(r for (its, _), r in last.items() if its == kind)

    def health(self):
        return [r for r in self.b.told if r.type == "health"]


class Hearing(Case):
    @classmethod
    def build(cls):
        return World("sh", {"left": ["a", "b"]})

    def setUp(self):
        self.world.lab.commit()
        self.close(True)

    def close(self, closed):
        self.world.lab.nft("b", OPEN + (CLOSED if closed else ""))

    def probes(self):
        return (Probe(self.world, "a", max_pps=10000000), Probe(self.world, "b", max_pps=10000000))

    def sensor(self, probe):
        """The process that reads the packets: the one with a packet socket."""
        for pid in members(probe.child.pid):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"sensor" in file.read():
                    return pid
        raise AssertionError("no sensor")

    def test_everything_that_comes_is_counted(self):
        """2 s of 300,000 packets a second: every port of every pass, and nothing dropped."""
        a, b = self.probes()
        with a, b:
            pair = Pair(self.world, a, b, passes=9)
            told = [r for number in range(9) for r in pair.volleys(number)]
            done = pair.end()
            seconds = (told[-1].end_us - told[0].start_us) / 1e6
            rss = [status(pid, "VmHWM") for pid in members(b.child.pid)]
            cpu = [cpu_ns(self.sensor(probe)) // (9 * 65535) for probe in (a, b)]
            print(f"\n{9 * 65535} packets in {seconds:.2f} s = {9 * 65535 / seconds:.0f} pps, "
                  f"drops {done.capture_drops} + {done.softnet_drops}, longest gap "
                  f"{done.longest_gap_us} us, memory {rss} KiB, CPU of sender and receiver {cpu} ns "
                  "per packet")
            lost = 65535 * 9 - sum(len(pair.swept(b, S_NIC, n)) for n in range(9))
            self.assertEqual(sum(r.sent for r in told), 9 * 65535)
            self.assertLessEqual(lost, done.capture_drops + done.softnet_drops)
            if done.capture_drops + done.softnet_drops == 0:
                self.assertEqual(lost, 0)
                self.assertEqual(pair.beats(b, H_NIC), set(range(told[-1].last_beat + 1)))
                self.assertEqual(pair.beats(a, H_LEFT), pair.beats(b, H_NIC))
                self.assertEqual(pair.health()[-1].arrived, 9 * 65535)
            self.assertEqual(pair.beats(b, H_HOST), pair.beats(b, H_NIC))


    def stopped(self, ms):
        """A pass while the receiver's sensor is stopped for a while: (collected, lost ports)."""
        a, b = self.probes()
        with a, b:
            pair = Pair(self.world, a, b, passes=2)
            sensor = self.sensor(b)
            os.kill(sensor, signal.SIGSTOP)
            try:
                told = pair.volleys(0)
                time.sleep(max(0, ms / 1000 - (told[-1].end_us - told[0].start_us) / 1e6))
            finally:
                os.kill(sensor, signal.SIGCONT)
            done = pair.end()
            lost = 65535 - len(pair.swept(b, S_NIC))
            print(f"\nstopped for {ms} ms or more: {lost} of 65535 lost, told drops "
                  f"{done.capture_drops}, gap {done.longest_gap_us} us, by HEALTH "
                  f"{pair.health()[-1].capture_drops}, {pair.health()[-1].longest_gap_us} us")
            self.assertGreaterEqual(done.longest_gap_us, ms * 900)
            self.assertEqual(pair.health()[-1].longest_gap_us, done.longest_gap_us)
            self.assertEqual(pair.health()[-1].capture_drops, done.capture_drops)
            self.assertGreaterEqual(done.capture_drops + done.softnet_drops, lost)
            return done, lost

    def test_stopped_until_the_ring_is_full(self):
        """More comes than the ring has room for: it is lost, and that is told."""
        done, lost = self.stopped(200)
        self.assertGreater(lost, 0)
        self.assertGreater(done.capture_drops, 0)

    def test_foreign_traffic(self):
        """4 MB of others' datagrams a second to one port of the receiver."""
        flood = ("import socket,sys,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
                 "start=time.time();n=0\n"
                 "while time.time()-start<3:\n"
                 "    if n*1000<(time.time()-start)*4e6: s.sendto(b'x'*1000,(sys.argv[1],514)); n+=1\n"
                 "    else: time.sleep(0.0005)\n"
                 "print(n)")
        self.close(False)
        a, b = self.probes()
        with a, b:
            pair = Pair(self.world, a, b, technique="udp", passes=1, flags=REPLY, expected=[53, 54])
            child = subprocess.Popen(["ip", "netns", "exec", self.world.lab.ns("a"),
                                      sys.executable, "-c", flood, self.world.v4["b"]],
                                     stdout=subprocess.PIPE, text=True)
            told = pair.volleys(0, pps=30000)
            sent = int(child.communicate(timeout=20)[0])
            done = pair.end()
            self.assertEqual(sum(r.sent for r in told), 65535)
            self.assertEqual(done.untagged_overflow, 0)
            self.assertEqual((done.capture_drops, done.softnet_drops), (0, 0))
            self.assertEqual(pair.swept(b, S_NIC), set(range(1, 65536)))
            self.assertEqual(pair.swept(b, S_HOST), set(range(1, 65536)))
            foreign = [r for r in b.told if r.type == "seen" and r.kind == UNTAGGED and r.port == 514]
            print(f"\n{sent} foreign datagrams, counted {[r.count for r in foreign]}")
            self.assertEqual([r.count for r in foreign], [sent])
            answered = [r for r in a.told if r.type == "answerer" and r.answer == 4]
            self.assertEqual(len(answered), 1)  # crafted, of one kind
            crafted = ports_of(r for r in a.told if r.type == "swept" and r.kind == S_ANSWER
                               and r.detail == answered[0].number)
            self.assertEqual(crafted, {53, 54})

    def test_answers(self):
        """An open host: every port answers, the receiver sees it leave and the sender sees it come."""
        self.close(False)
        for family in ("ipv4", "ipv6"):
            a, b = self.probes()
            with a, b:
                pair = Pair(self.world, a, b, passes=1, family=family)
                told = pair.volleys(0, pps=20000)
                done = pair.end()
                self.assertEqual(sum(r.sent for r in told), 65535)
                self.assertEqual((done.capture_drops, done.softnet_drops), (0, 0))
                everything = set(range(1, 65536))
                self.assertEqual(pair.swept(b, S_NIC), everything)
                self.assertEqual(pair.swept(b, S_HOST), everything)
                self.assertEqual(pair.swept(b, S_EGRESS), everything)
                self.assertEqual(pair.swept(a, S_ANSWER), everything)
                self.assertEqual(pair.swept(b, S_REWRITTEN), set())
                self.assertEqual({r.answer for r in a.told if r.type == "answerer"}, {5})


class Elsewhere(Case):
    """A firewall that translates behind everybody's back. c is told nothing of the sweep."""

    @classmethod
    def build(cls):
        return World("se", {"left": ["a"], "right": ["b", "c"]})

    def test_what_is_translated(self):
        b4, c4 = self.world.v4["b"], self.world.v4["c"]
        self.world.lab.commit()
        self.world.lab.nft("fw", f"""table inet bad {{
    chain pre {{
        type nat hook prerouting priority dstnat;
        ip daddr {b4} tcp dport 1000-2999 dnat ip to {c4}
        ip daddr {b4} tcp dport 3000-3009 dnat ip to {b4}:5000
    }}
    chain post {{
        type nat hook postrouting priority srcnat;
        ip daddr {b4} tcp dport 3500-3509 snat ip to {self.world.net4["right"]}.1
    }}
}}
""")
        for host in "bc":
            self.world.lab.nft(host, CLOSED)
        a, b, c = (Probe(self.world, host, max_pps=10000000) for host in "abc")
        with a, b, c:
            c.batch(max_pps=10000000)
            self.assertEqual(c.arm(), [])
            c.fire()
            pair = Pair(self.world, a, b, ports=range(1, 4096))
            pair.volleys(0, pps=5000)
            done = pair.end()
            others = c.collect()
            strays = {r.port for r in c.seen(STRAY, 100)}
            self.assertEqual(len(strays), 1024)  # told one by one up to there
            strays |= pair.swept(c, S_STRAY)
            self.assertEqual(strays, set(range(1000, 3000)))
            self.assertEqual({r.dst for r in c.seen(STRAY)}, {c4})
            self.assertEqual((done.untagged_overflow, others.untagged_overflow), (0, 0))
            self.assertEqual(pair.swept(b, S_NIC), set(range(1, 1000)) | set(range(3000, 4096)))
            self.assertEqual(pair.swept(b, S_REWRITTEN),
                             set(range(3000, 3010)) | set(range(3500, 3510)))
            self.assertEqual({(r.src, r.dport) for r in b.seen(NIC) if r.dport == 5000
                              and r.port >= 3000}, {(self.world.v4["a"], 5000)})


if __name__ == "__main__":
    unittest.main()
