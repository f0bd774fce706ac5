# SPDX-License-Identifier: Apache-2.0
"""The sender of sweeps by itself, over real sockets: every port of a volley leaves exactly once, by
the way it was told, however the queues behind it stand; what the kernel refuses is counted and named;
beats leave where a capture sees them. The receiver here is nftables, which counts by itself.

Run: python3 tests/netns/test_sweep_send.py (root; says skipped where the machine cannot do it)."""
import json
import sys
import time
import unittest

sys.dont_write_bytecode = True
from harness import Case, World, wait_until  # noqa: E402
from probes import LINK, SENDER, Probe  # noqa: E402

SEND, RAW = 0, 1
STEADY = 512
SINK = """table inet sink {
    set four { type inet_proto . inet_service; flags dynamic; size 140000; }
    set six { type inet_proto . inet_service; flags dynamic; size 140000; }
    counter sweep { }
    counter guard { }
    counter missed { }
    counter bad { }
    chain in {
        type filter hook prerouting priority -310; policy accept;
        meta l4proto { tcp, udp } th sport 40900-40999 counter name guard drop
        meta l4proto { tcp, udp } th sport 40100-40199 counter name sweep
        ip version 4 th sport 40100-40199 add @four { meta l4proto . th dport } drop
        ip6 version 6 th sport 40100-40199 add @six { meta l4proto . th dport } drop
        meta l4proto { tcp, udp } th sport 40100-40199 counter name missed drop
        meta l4proto { tcp, udp } th sport 40000-40899 counter name bad drop
    }
}
"""


def mask(ports, chunk):
    bits = bytearray(64)
    for port in ports:
        if port // 512 == chunk:
            bits[port % 512 // 8] |= 1 << port % 8
    return bytes(bits)


class Sending(Case):
    @classmethod
    def build(cls):
        return World("ss", {"left": ["a", "b"]})

    def setUp(self):
        self.world.lab.commit()
        self.world.lab.nft("b", "table inet sink\ndelete table inet sink\n" + SINK)

    def tearDown(self):
        self.world.lab.run("a", ["nft", "flush", "ruleset"], check=True)
        super().tearDown()

    def seen(self):
        """Packets by counter, and the ports that came by ("ipv4", "tcp")."""
        out = json.loads(self.world.lab.run("b", ["nft", "-j", "list", "ruleset"], check=True).stdout)
        counts, ports = {}, {(f, p): set() for f in ("ipv4", "ipv6") for p in ("tcp", "udp")}
        for thing in out["nftables"]:
            if "counter" in thing:
                counts[thing["counter"]["name"]] = thing["counter"]["packets"]
            if "set" in thing:
                family = "ipv4" if thing["set"]["name"] == "four" else "ipv6"
                for element in thing["set"].get("elem", []):
                    proto, port = element["concat"]
                    ports[family, proto].add(port)
        return counts, ports

    def sweep(self, probe, block, technique, family, ports, flags=0, raw=(), passes=2):
        probe.order("sweep", batch=1, block=block, passes=passes, flags=SENDER | flags,
                    technique=technique, src=self.world.address("a", family),
                    dst=self.world.address("b", family), sport=40100)
        for kind, wanted in ((SEND, ports), (RAW, raw)):
            for chunk in {port // 512 for port in wanted}:
                probe.order("mask", batch=1, block=block, kind=kind, chunk=chunk,
                            bits=mask(wanted, chunk))

    def guard(self, probe, block=900, technique="tcp_syn", flags=LINK, every_us=0):
        probe.order("guard", batch=1, block=block, flags=SENDER | flags, technique=technique,
                    src=self.world.v4["a"], dst=self.world.v4["b"], port=22, sport_lo=40900,
                    sport_hi=40999, every_us=every_us)

    def volley(self, probe, count, first=0, number=0, pps=0, serial=1):
        probe.order("volley", batch=1, serial=serial, first=first, count=count, pps=pps, order=7,
                    **{"pass": number})

    def left(self, probe, block=900):
        """The beats that were seen leaving."""
        return {r.chunk * 512 + bit for r in probe.told
                if r.type == "heard" and r.block == block and r.kind == 0
                for bit in range(512) if r.bits[bit // 8] >> bit % 8 & 1}

    def check_ports(self, wanted):
        """Every packet came, of these ports, none twice; returns the packets by counter. A set of
        nftables that is growing refuses one now and then, which `missed` tells, and is not listed
        as a whole before it has grown."""
        total = sum(len(ports) for ports in wanted.values())

        def is_whole():
            counts, seen = self.seen()
            return sum(len(ports) for ports in seen.values()) + counts["missed"] == total

        wait_until(is_whole, 5)
        counts, seen = self.seen()
        self.assertEqual((counts["sweep"], counts["bad"]), (total, 0))
        self.assertEqual(sum(len(ports) for ports in seen.values()) + counts["missed"], total)
        self.assertLess(counts["missed"], total / 4)
        for flow, ports in seen.items():
            self.assertLessEqual(ports, wanted.get(flow, set()))
        return counts

    def run_volleys(self, probe, total, pps=0, number=0):
        """All ports, a volley after the other, as a controller orders them."""
        told = []
        for at in range(0, total, 4096):
            self.volley(probe, min(4096, total - at), at, number, pps, serial=at)
            told.append(probe.wait("volleyed"))
        self.assertEqual([r.sent + r.refused + r.failed for r in told],
                         [min(4096, total - at) for at in range(0, total, 4096)])
        return told

    def test_every_port_once(self):
        with Probe(self.world, "a", max_pps=10000000) as a:
            a.batch(max_pps=10000000, budget=1000000)
            ports = set(range(65536))
            some = set(range(1, 65536, 7))
            self.sweep(a, 10, "tcp_syn", "ipv4", ports, LINK, raw={22, 80, 443})
            self.sweep(a, 20, "udp", "ipv4", some, LINK)
            self.sweep(a, 30, "tcp_syn", "ipv6", some)
            self.sweep(a, 40, "udp", "ipv6", some, LINK, raw=set(range(2000)))
            self.guard(a)
            self.assertEqual(a.arm(), [])
            a.fire()
            total = len(ports) + 3 * len(some)
            told = self.run_volleys(a, total)
            self.assertEqual([(r.refused, r.failed, r.err) for r in told], [(0, 0, 0)] * len(told))
            self.assertEqual(sum(r.tx_drops for r in told), 0)
            counts = self.check_ports({("ipv4", "tcp"): ports, ("ipv4", "udp"): some,
                                       ("ipv6", "tcp"): some, ("ipv6", "udp"): some})
            self.assertEqual(counts["guard"], told[-1].last_beat + 1)
            self.assertGreaterEqual(told[-1].last_beat + 1, 6 * len(told))
            self.assertEqual([r.first_beat for r in told[1:]], [r.last_beat + 1 for r in told[:-1]])
            # The sender's own capture saw each beat leave, and next to nothing of the bulk.
            deadline = time.monotonic() + 3
            while len(self.left(a)) <= told[-1].last_beat and time.monotonic() < deadline:
                a.wait("heard")
            self.assertEqual(self.left(a), set(range(told[-1].last_beat + 1)))
            raw = 3 + len(some) + len([p for p in some if p < 2000])
            self.assertLess(a.collect().captured, raw + len(self.left(a)) + 1000)

    def test_own_output_policy(self):
        """What goes raw meets it, port by port; what goes by link does not; nothing else is lost."""
        self.world.lab.nft("a", """table inet own {
            chain out { type filter hook output priority 0; policy accept;
                tcp dport { 22, 1000-1099 } drop
                udp dport 53 drop
            }
        }""")
        with Probe(self.world, "a", max_pps=10000000) as a:
            a.batch(max_pps=10000000, budget=1000000)
            ports, others = set(range(1, 3000)), {22, 23, 1099, *range(5000, 6000)}
            self.sweep(a, 10, "tcp_syn", "ipv4", ports)
            self.sweep(a, 20, "tcp_syn", "ipv6", others, LINK, raw={22, 23})
            self.sweep(a, 30, "udp", "ipv6", ports)
            self.assertEqual(a.arm(), [])
            a.fire()
            told = self.run_volleys(a, 2 * len(ports) + len(others))
            self.assertEqual(sum(r.refused for r in told), 101 + 1 + 1)
            self.assertEqual([(r.failed, r.err) for r in told], [(0, 0)] * len(told))
            self.check_ports({("ipv4", "tcp"): ports - {22, *range(1000, 1100)},
                              ("ipv6", "tcp"): others - {22}, ("ipv6", "udp"): ports - {53}})
            a.collect()

    def test_pace(self):
        """200,000 is for tests/bench: a machine under load cannot promise it."""
        for pps, count in ((50, 100), (2000, 4000)):
            with Probe(self.world, "a", max_pps=10000000) as a:
                a.batch(max_pps=10000000, budget=1000000)
                self.sweep(a, 10, "tcp_syn", "ipv4", set(range(1, count + 1)), LINK)
                a.arm()
                a.fire()
                self.volley(a, count, pps=pps)
                told = a.wait("volleyed")
                seconds = (told.end_us - told.start_us) / 1e6
                # A stall of this machine is not made up for: never faster, rarely slower.
                self.assertGreaterEqual(seconds, (count - 1) / pps * 0.99)
                self.assertLess(seconds, (count - 1) / pps * 1.5)
                self.assertLessEqual(told.longest_burst, 2)
                a.collect()

    def test_a_slow_interface(self):
        """The queue behind the raw sockets stays full; what a token bucket there still drops is told
        as the kernel tells it, and sent again: nothing is lost."""
        self.world.lab.run("a", ["tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "4mbit",
                                 "burst", "2000", "limit", "6000"], check=True)
        try:
            with Probe(self.world, "a", max_pps=10000000) as a:
                a.batch(max_pps=10000000, budget=1000000)
                ports = set(range(1, 4001))
                self.sweep(a, 10, "tcp_syn", "ipv4", ports)
                self.sweep(a, 20, "udp", "ipv6", ports)
                a.arm()
                a.fire()
                told = self.run_volleys(a, 8000)
                self.assertEqual([(r.refused, r.failed) for r in told], [(0, 0)] * len(told))
                self.check_ports({("ipv4", "tcp"): ports, ("ipv6", "udp"): ports})
                a.collect()
        finally:
            self.world.lab.run("a", ["tc", "qdisc", "del", "dev", "eth0", "root"], check=True)


if __name__ == "__main__":
    unittest.main()
