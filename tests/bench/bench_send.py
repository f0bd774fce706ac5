#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sender of sweeps by itself: packets a second beside a bare blaster's (blast.c), alternated in
the same run, on a veth whose far end drops what comes; and how exactly it keeps a pace, by the far
end's own count. Prints a table and never fails on a number.

    bench_send.py [FOLDER-OF-PROGRAMS]     as root; default build/release/bin"""
import json
import os
import statistics
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else f"{ROOT}/build/release/bin"
os.environ["SEGPROOF_PROBE"] = f"{BIN}/segproof-probe"
os.environ["SEGPROOF"] = f"{BIN}/segproof"
sys.path[:0] = [f"{ROOT}/tests/support", f"{ROOT}/tests/netns"]
sys.dont_write_bytecode = True
import lab as labs  # noqa: E402
import probes  # noqa: E402

ROUNDS, PASSES, VOLLEY = 5, 5, 4096
ADDR = {"ipv4": ("10.8.0.1", "10.8.0.2"), "ipv6": ("fd00:8::1", "fd00:8::2")}
DROP = """table netdev sink {
    chain in { type filter hook ingress device "eth0" priority 0; policy accept;
        meta l4proto { tcp, udp } drop
    }
}
"""
COUNT = """table netdev sink {
    counter swept { }
    chain in { type filter hook ingress device "eth0" priority 0; policy accept;
        tcp flags syn counter name swept drop
    }
}
"""


class World:
    """What probes.Probe wants of one."""

    def __init__(self, lab):
        self.lab, self.mark = lab, f"{probes.MARK}={lab.prefix}"


def start_sweep(probe, family, technique, link, guards=0, passes=PASSES):
    src, dst = ADDR[family]
    flags = probes.SENDER | (probes.LINK if link else 0)
    probe.batch(max_pps=10_000_000, budget=10_000_000, lifetime_ms=600_000)
    probe.order("sweep", batch=1, block=10, passes=passes, flags=flags, technique=technique,
                src=src, dst=dst, sport=40100)
    for chunk in range(128):
        probe.order("mask", batch=1, block=10, kind=0, chunk=chunk, bits=b"\xff" * 64)
    for number in range(guards):
        probe.order("guard", batch=1, block=900 + number, flags=flags, technique=technique, src=src,
                    dst=dst, port=22, sport_lo=40900, sport_hi=40999)
    refused = probe.arm()
    if refused:
        raise SystemExit(f"bench: refused: {refused}")
    probe.fire()


def volleys(probe, plan):
    """plan: (first, count, pass, pps) each; ordered ahead, as far as a probe takes them."""
    for serial, (first, count, number, pps) in enumerate(plan):
        probe.order("volley", batch=1, serial=serial, first=first, count=count, pps=pps, order=7,
                    **{"pass": number})
    told = [probe.wait("volleyed") for _ in plan]
    if any(r.failed or r.refused or r.tx_drops for r in told):
        print(f"  failed: {[r for r in told if r.failed or r.refused or r.tx_drops][0]}")
    return told


def sweep_pps(world, family, technique, link, guards):
    with probes.Probe(world, "a", max_pps=10_000_000) as probe:
        start_sweep(probe, family, technique, link, guards)
        told = volleys(probe, [(first, VOLLEY, number, 0) for number in range(PASSES)
                               for first in range(0, 65536, VOLLEY)])
        probe.collect()
    return sum(r.sent for r in told) / (told[-1].end_us - told[0].start_us) * 1e6


def blast_pps(world, family, technique):
    src, dst = ADDR[family]
    mac = world.lab.run("b", ["cat", "/sys/class/net/eth0/address"], check=True).stdout.strip()
    out = world.lab.run("a", [os.path.join(os.path.dirname(BIN), "tests", "bench_blast"), "eth0", src,
                              "40000", dst, mac, "tcp" if technique == "tcp_syn" else "udp", "1",
                              "65535", "300000", "0"], check=True)
    return json.loads(out.stdout)["pps"]


def rates(world):
    world.lab.nft("b", "table netdev sink\ndelete table netdev sink\n" + DROP)
    print(f"{'bare send, kpps (medians of ' + str(ROUNDS) + ')':44}{'probe':>8}{'blaster':>9}{'ratio':>7}")
    rows = [("ipv4", "tcp_syn", True, 0), ("ipv4", "tcp_syn", True, 2), ("ipv4", "udp", True, 0),
            ("ipv6", "tcp_syn", True, 0), ("ipv4", "tcp_syn", False, 0)]
    for family, technique, link, guards in rows:
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(sweep_pps(world, family, technique, link, guards))
            bare.append(blast_pps(world, family, technique))
        name = f"{technique}, {family}, {'link' if link else 'raw'}, {guards} guards"
        a, b = statistics.median(ours), statistics.median(bare)
        print(f"  {name:42}{a / 1e3:8.0f}{b / 1e3:9.0f}{a / b:7.2f}", flush=True)


def swept(world):
    out = world.lab.run("b", ["nft", "-j", "list", "counters"], check=True).stdout
    return next(c["counter"]["packets"] for c in json.loads(out)["nftables"] if "counter" in c)


def pacing(world):
    print(f"{'pace':>10}{'packets':>9}{'arrived':>9}{'error %':>9}{'longest burst':>15}")
    for pps, seconds in ((1, 10), (100, 10), (10_000, 4), (200_000, 4)):
        world.lab.nft("b", "table netdev sink\ndelete table netdev sink\n" + COUNT)
        packets = pps * seconds
        with probes.Probe(world, "a", max_pps=10_000_000) as probe:
            start_sweep(probe, "ipv4", "tcp_syn", True, passes=20)
            plan = [(0, min(65536, packets - at), at // 65536, pps)
                    for at in range(0, packets, 65536)]
            told = volleys(probe, plan)
            probe.collect()
        # From the first packet to the last there is one interval less than packets.
        took = (told[-1].end_us - told[0].start_us) / 1e6
        error = ((packets - 1) / took - pps) / pps * 100
        print(f"{pps:10}{packets:9}{swept(world):9}{error:9.2f}"
              f"{max(r.longest_burst for r in told):15}", flush=True)


def main():
    lab = labs.Lab("sp-send")
    with lab:
        lab.add_ns("a", "b")
        lab.veth("a", "eth0", "b", "eth0")
        for n, ns in enumerate("ab", 1):
            lab.addr(ns, "eth0", f"10.8.0.{n}/24", f"fd00:8::{n}/64")
        lab.commit()
        world = World(lab)
        for family, tool in (("ipv4", "-4"), ("ipv6", "-6")):
            lab.run("a", ["ping", tool, "-c1", "-W2", ADDR[family][1]])
        rates(world)
        pacing(world)


main()
