# SPDX-License-Identifier: Apache-2.0
"""The sender of sweeps by itself, over real sockets: every port of a volley leaves exactly once, by
the way it was told, however the queues behind it stand; what the kernel refuses is counted and named;
beats leave where a capture sees them. The receiver here is nftables, which counts by itself.

Run: python3 tests/netns/test_sweep_send.py (root; says skipped where the machine cannot do it)."""
import json
import sys
import unittest

sys.dont_write_bytecode = True
from harness import Case, World  # noqa: E402
from probes import LINK, SENDER, Probe  # noqa: E402

SEND, RAW = 0, 1
STEADY = 512
SINK = """table inet sink {
    set tcp_ports { type inet_proto . inet_service; flags dynamic; size 140000; }
    set six_ports { type inet_proto . inet_service; flags dynamic; size 140000; }
    counter sweep { }
    counter guard { }
    counter bad { }
    counter four_tcp { }
    counter four_udp { }
    counter six_tcp { }
    counter six_udp { }
    chain in {
        type filter hook prerouting priority -310; policy accept;
        meta l4proto { tcp, udp } th sport 40900-40999 counter name guard drop
        ip protocol tcp th sport 40100-40199 counter name four_tcp
        ip protocol udp th sport 40100-40199 counter name four_udp
        ip6 nexthdr tcp th sport 40100-40199 counter name six_tcp
        ip6 nexthdr udp th sport 40100-40199 counter name six_udp
        meta l4proto { tcp, udp } th sport 40100-40199 ip version 4 counter name sweep add @tcp_ports { meta l4proto . th dport } drop
        meta l4proto { tcp, udp } th sport 40100-40199 counter name sweep add @six_ports { meta l4proto . th dport } drop
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

    def seen(self):
        out = json.loads(self.world.lab.run("b", ["nft", "-j", "list", "ruleset"], check=True).stdout)
        counts, ports = {}, {"tcp_ports": set(), "six_ports": set()}
        for thing in out["nftables"]:
            if "counter" in thing:
                counts[thing["counter"]["name"]] = thing["counter"]["packets"]
            if "set" in thing:
                ports[thing["set"]["name"]] = {(e["concat"][0], e["concat"][1])
                                               for e in thing["set"].get("elem", [])}
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
            told, at = [], 0
            while at < total:
                self.volley(a, min(4096, total - at), at, serial=at)
                at += 4096
                told.append(a.wait("volleyed"))
            counts, seen = self.seen()
            self.assertEqual([(r.refused, r.failed, r.err) for r in told], [(0, 0, 0)] * len(told))
            self.assertEqual(sum(r.sent for r in told), total)
            self.assertEqual(counts["sweep"], total)
            self.assertEqual(counts["bad"], 0)
            self.assertEqual({p for proto, p in seen["tcp_ports"] if proto == "tcp"}, ports)
            self.assertEqual({p for proto, p in seen["tcp_ports"] if proto == "udp"}, some)
            self.assertEqual({p for proto, p in seen["six_ports"] if proto == "tcp"}, some)
            self.assertEqual({p for proto, p in seen["six_ports"] if proto == "udp"}, some)
            beats = told[-1].last_beat + 1
            self.assertEqual(counts["guard"], beats)
            self.assertGreaterEqual(beats, 6 * len(told))
            seconds = sum(r.end_us - r.start_us for r in told) / 1e6
            print(f"\n{total} packets in {seconds:.3f} s = {total / seconds:.0f} pps, "
                  f"{beats} beats, longest burst {max(r.longest_burst for r in told)}")
            a.collect()


if __name__ == "__main__":
    unittest.main()
