#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cost model beside runs with real packets: 2, 4, 12 and 40 hosts around one firewall. Prints
what was predicted, what the simulation says and what was measured; never fails on a number.

    cost_check.py [SIZE...]      as root; sizes 2 4 12 40, default all

Two short runs of two hosts give the model what only the machine can tell: what a round costs besides
sending, and how fast two senders are when nothing holds them. Larger fleets declare a max_rate, six
tenths of what bare blasters get through together, shared evenly; beyond 4 hosts they sweep a part of
the ports, so that they end within a minute."""
import dataclasses
import math
import os
import sys
import time

sys.dont_write_bytecode = True
import cost_model as model  # noqa: E402
import cost_sim as sim  # noqa: E402
import sweep_lab as bench  # noqa: E402
import sweeping  # noqa: E402
from sweep_lab import FW, Hosts, Lab, warm  # noqa: E402

# hosts: (families, protocols, denied ports of a lane)
SIZES = {2: (2, 2, 65_431), 4: (2, 2, 65_431), 12: (2, 2, 4_096), 40: (1, 1, 512)}
PROTOCOLS = {1: ("tcp",), 2: ("tcp", "udp")}
WEB = 80
SHARE = 0.6  # of what blasters get through, for a fleet


class Watch:
    """What a run does to others: bytes between controller and probes, entries in the firewall."""

    def __init__(self, hosts):
        self.hosts, self.bytes, self.entries = hosts, 0, 0

    def __call__(self, child, _lines):
        while child.poll() is None:
            try:
                with open(f"/proc/{child.pid}/io", encoding="ascii") as file:
                    fields = dict(line.split(": ") for line in file)
                self.bytes = int(fields["rchar"]) + int(fields["wchar"])
            except (OSError, ValueError, KeyError):
                pass
            self.entries = max(self.entries, sweeping.states(self.hosts.lab, FW))
            time.sleep(0.3)


def policies_of(fleet, protocols):
    """Port 80 must work, a window of ports must not, the rest is not asked."""
    window = set(range(1024, 1024 + fleet.denied)) if fleet.denied < 60_000 else set()
    allowed = {WEB} if window else (sweeping.TCP_OPEN, sweeping.UDP_OPEN)
    out = []
    for proto in protocols:
        ports = allowed if window else allowed[proto == "udp"]
        out.append(f"name: web-{proto}, from: any, to: any, allow: "
                   f"[{sweeping.entries(ports, proto)}]")
        if window:
            rest = sweeping.ALL_PORTS - window - {WEB}
            out.append(f"name: rest-{proto}, from: any, to: any, permit: "
                       f"[{sweeping.entries(rest, proto)}]")
    return out


def run_fleet(fleet, *options):
    """(blaster's packets a second, max_rate of a host, run, Watch) of a fleet with real packets."""
    protocols = PROTOCOLS[fleet.protocols]
    families = ("ipv4", "ipv6")[:fleet.families]
    with Lab("sp-bench") as lab:
        hosts = Hosts(lab, [f"h{i}" for i in range(1, fleet.hosts + 1)])
        lab.nft(FW, sweeping.firewall())
        for i, host in enumerate(hosts.names):
            warm(hosts, host, hosts.names[(i + 1) % fleet.hosts])
        limit = hosts.fleet_pps(100_000 if fleet.hosts < 20 else 20_000)
        only = [word for proto in protocols
                for word in ("--only", {"tcp": "tcp_syn", "udp": "udp"}[proto])]
        watch = Watch(hosts)
        rate = int(SHARE * limit / fleet.hosts) if fleet.hosts > 2 else bench.MAX_RATE
        topology = hosts.topology(policies_of(fleet, protocols), families, f"max_rate: {rate}")
        run = hosts.verify(topology, *only, *options, act=watch, timeout=400)
    return limit, rate, run, watch


def fleet_of(hosts):
    families, protocols, denied = SIZES[hosts]
    return model.Fleet(hosts, math.inf, families=families, protocols=protocols, denied=denied,
                       allowed=104 if denied > 60_000 else 1,
                       chunks=128 if denied > 60_000 else math.ceil(denied / 512) + 1)


def stage(run, name):
    return sum(seconds for said, seconds in run.stages.items() if said.startswith(name))


def calibrate():
    """(Costs as this machine has them, share of the blaster's rate that a sender reaches)."""
    least = model.Fleet(2, math.inf, families=1, protocols=1, denied=64, allowed=1, chunks=1,
                        one_way=True)
    _, _, short, _ = run_fleet(least, "--from", "h1", "--to", "h2")
    full = dataclasses.replace(least, denied=65_431, allowed=104, chunks=128, one_way=False)
    limit, _, both, _ = run_fleet(full)
    fixed = max(stage(short, "sweeping") - 1.0 - model.Costs.drain_s, 0.02)
    costs = model.Costs(start_s=short.ready + stage(short, "scouting"), start_host_s=0.0,
                        batch_s=fixed / 2, host_s=fixed / 4, lane_s=0.0)
    share = min(2 * both.sending_pps() / max(limit, 1), 1.0)
    print(f"  this machine: {limit / 1e3:.0f} kpps from two blasters at once, two senders of segproof "
          f"reach {share:.2f} of that; a round costs {fixed * 1e3:.0f} ms besides sending and drain")
    return costs, share


def check(hosts, costs, share):
    fleet = fleet_of(hosts)
    limit, rate, run, watch = run_fleet(fleet)
    if not run.report or not run.sweeps():
        print(f"  {hosts} hosts: no report, exit {run.code}")
        return
    capacity = limit * share if hosts == 2 else math.inf
    fleet = dataclasses.replace(fleet, rate=min(rate, limit), capacity=capacity)
    price, played = model.predict(fleet, costs), sim.play(fleet, costs=costs, rounds=3)
    start = costs.start_s + hosts * costs.start_host_s
    print(f"  {hosts} hosts, {hosts * (hosts - 1)} pairs, {fleet.lanes} lanes each of "
          f"{fleet.denied + fleet.allowed:,} ports, {fleet.speed:,.0f} packets a second each; "
          f"exit {run.code}")
    rows = [("seconds of the sweep", price.seconds - start, played.seconds - start,
             stage(run, "sweeping")),
            ("packets of sweeps", price.packets, played.packets, run.total("packets")),
            ("volleys sent again", 0, played.repeats, run.total("repeats")),
            ("entries at once, at most", price.alive, None, watch.entries),
            ("bytes, controller and probes", price.bytes, None, watch.bytes)]
    for what, paper, play, real in rows:
        ratio = f"{paper / real:.2f}" if real else "-"
        played_text = f"{play:,.1f}" if play is not None else "-"
        print(f"    {what:<32}{paper:>16,.1f}{played_text:>16}{real:>16,.1f}{ratio:>8}")


def main(argv):
    why = bench.missing()
    if why:
        print(f"the cost model is not checked: {why}")
        return
    sizes = [int(word) for word in argv] or list(SIZES)
    if set(sizes) - set(SIZES):
        sys.exit(f"cost_check: sizes are {', '.join(map(str, SIZES))}")
    print("The cost model beside real packets")
    costs, share = calibrate()
    print(f"    {'':<32}{'predicted':>16}{'played':>16}{'measured':>16}{'ratio':>8}")
    for hosts in sizes:
        check(hosts, costs, share)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main(sys.argv[1:])
