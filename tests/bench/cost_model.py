#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an exhaustive sweep costs, on paper: time, packets, entries in state tables and bytes of
orders and results, for fleets that do not fit on one machine. cost_sim.py plays the same schedule
event by event, and cost_check.py holds both against runs with real packets.

    cost_model.py [--rate PPS] [--capacity PPS] [--lanes N] [--simulate]    a table; sends nothing

The schedule (controller/sweep/): N hosts that all meet take N - 1 rounds, each one batch, in which
every host sends one bundle, all lanes to its receiver, and hears one other. A bundle is sent pass by
pass in volleys; beats of control flows go with them; the passes of a port are a second apart. So

    S       = ports of a bundle * (1 + overhead of beats) / speed of a sender
    sending = S + (passes - 1) * max(S, 1 s)
    round   = fixed + N * per_host + sending + drain
    run     = start + (N - 1) * round

A sender's speed is its max_rate, or its share of what the path takes when all send at once. Figures
of Costs are properties of the program; the times among them were measured on one machine with two
slow cores (cost_check.py prints them anew) and are small beside the sending of anything large."""
import argparse
import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Costs:
    """Constants of the program (probe/sweep.h, controller/sweep/), and measured overheads."""
    record: int = 96  # bytes on the stream
    chunk: int = 512  # ports in a record
    volley: int = 4096
    volley_s: float = 0.25  # a volley is no longer than this
    edge: int = 3  # beats that begin and end a volley
    guard_packets: int = 256
    guard_most: int = 2048
    guard_soon_s: float = 0.005
    guard_late_s: float = 0.25
    guards: int = 2  # control flows of a lane that beat with it: a fresh and a steady one
    gap_s: float = 1.0  # between two attempts at a port
    drain_s: float = 0.2
    heard_s: float = 0.005  # how often beats are told
    health_s: float = 0.05
    pilot: int = 64  # ports of a lane that go through the sender's own policy
    # measured
    start_s: float = 0.3  # until the first probe is up, scouts included
    start_host_s: float = 0.01  # each further probe
    batch_s: float = 0.05  # orders, arming, collecting, judging of a round
    host_s: float = 0.005  # for each host in it
    lane_s: float = 0.002  # for each lane in it


@dataclasses.dataclass(frozen=True)
class Fleet:
    """hosts that all meet each other, under one policy."""
    hosts: int
    rate: float = 20_000  # packets a second that a host may send
    capacity: float = math.inf  # packets a second that all of them may together: the path
    families: int = 2
    protocols: int = 2
    denied: int = 65_431  # ports of a lane
    allowed: int = 104
    open: int = 0  # denied ports that are open all the same
    chunks: int = 128  # chunks of 512 ports in which these lie; 128 = all
    passes: int = 2
    repeats: float = 0.0  # share of volleys that is sent again
    entry_s: float = 30.0  # how long a firewall keeps an entry that nobody uses
    rolling: int = 1  # one run asks one part of so many of the denied ports
    one_way: bool = False  # one host sends to one other, and that is all

    @property
    def lanes(self):
        return self.families * self.protocols

    @property
    def ports(self):
        """That a bundle asks in one pass."""
        return self.lanes * (math.ceil(self.denied / self.rolling) + self.allowed)

    @property
    def rounds(self):
        return max(self.hosts - 1, 1)

    @property
    def senders(self):
        """That send at once."""
        return 1 if self.one_way else self.hosts

    @property
    def speed(self):
        return min(self.rate, self.capacity / self.senders)


@dataclasses.dataclass(frozen=True)
class Price:
    seconds: float  # the whole run
    round_s: float
    packets: float  # of sweeps, all attempts, without controls
    beats: float  # control packets beside them
    entries: float  # of state tables that the run makes, in all
    alive: float  # of these at once, where one firewall sees all
    bytes: float  # orders and results, between controller and probes


def beats_of_volley(count, pps, costs=Costs()):
    """Beats that go with a volley of so many packets."""
    apart = max(costs.guard_packets, pps * costs.guard_soon_s)
    apart = max(1.0, min(apart, costs.guard_most, pps * costs.guard_late_s))
    return 2 * costs.edge + max(math.ceil(count / apart) - 1, 0)


def ports_of_volley(pps, costs=Costs()):
    """How many ports go into one: whole chunks, no more than a quarter of a second."""
    fit = min(pps * costs.volley_s, costs.volley)
    return max(int(fit // costs.chunk), 1) * costs.chunk


def bundle(fleet, costs=Costs()):
    """(volleys of a pass, beats of a pass, seconds to send a pass) of one bundle."""
    size = min(ports_of_volley(fleet.speed, costs), max(fleet.ports, 1))
    volleys = math.ceil(fleet.ports / size) * (1 + fleet.repeats)
    beats = volleys * beats_of_volley(size, fleet.speed, costs)
    packets = fleet.ports * (1 + fleet.repeats) + beats * costs.guards * fleet.lanes
    return volleys, beats, packets / fleet.speed


def sending_s(fleet, costs=Costs()):
    one = bundle(fleet, costs)[2]
    return one + (fleet.passes - 1) * max(one, costs.gap_s)


def chunks_hit(ports, chunks):
    """How many of so many chunks hold one of some ports, when these lie anywhere."""
    return chunks * (1 - (1 - 1 / chunks) ** ports) if chunks else 0


def records_of_sets(fleet, costs=Costs()):
    """Sets of ports of a lane, told and heard: 128 records (12 KiB) each at most."""
    arrived = fleet.allowed + fleet.open
    few = min(chunks_hit(arrived, fleet.chunks), math.ceil(arrived / 50)) if arrived else 0
    masks = fleet.chunks + min(chunks_hit(costs.pilot, fleet.chunks) + few, fleet.chunks) + few
    return masks + few * (2 * fleet.passes + 2)  # NIC and HOST of each pass, EGRESS, ANSWER


def bytes_of_bundle(fleet, costs=Costs()):
    """Orders and results of one bundle."""
    volleys, beats, _ = bundle(fleet, costs)
    seconds = sending_s(fleet, costs)
    told = min(beats * fleet.passes, seconds / costs.heard_s) * 3 * costs.guards * fleet.lanes
    records = (fleet.lanes * (2 + records_of_sets(fleet, costs) + 4 * costs.guards) + 2 * volleys * fleet.passes
               + told + seconds / costs.health_s)
    return records * costs.record


def predict(fleet, costs=Costs()):
    """The price of a whole run."""
    _, beats, _ = bundle(fleet, costs)
    bundles = fleet.rounds * fleet.senders
    round_s = (costs.batch_s + fleet.senders * (costs.host_s + fleet.lanes * costs.lane_s)
               + sending_s(fleet, costs) + costs.drain_s)
    entries = fleet.passes * (fleet.lanes * (fleet.allowed + fleet.open)
                              + beats * fleet.lanes) + fleet.lanes
    each_s = entries * fleet.senders / round_s
    return Price(
        seconds=costs.start_s + fleet.hosts * costs.start_host_s + fleet.rounds * round_s,
        round_s=round_s,
        packets=bundles * fleet.ports * fleet.passes * (1 + fleet.repeats),
        beats=bundles * fleet.passes * beats * costs.guards * fleet.lanes,
        entries=bundles * entries,
        alive=min(bundles * entries, each_s * fleet.entry_s),
        bytes=bundles * bytes_of_bundle(fleet, costs))


def duration(seconds):
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6000:
        return f"{seconds / 60:.1f} min"
    if seconds < 72 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"


def amount(n):
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.3g} "


def sweeping_s(fleet, costs=Costs()):
    """The sweep alone, without the start of probes."""
    return fleet.rounds * predict(fleet, costs).round_s


def rows(fleets, costs=Costs()):
    """Lines of a table."""
    out = [f"  {'hosts':>7}{'pairs':>14}{'time':>12}{'packets':>12}{'controls':>12}"
           f"{'entries at once':>18}{'bytes':>12}"]
    for fleet in fleets:
        price = predict(fleet, costs)
        pairs = fleet.hosts * (fleet.hosts - 1)
        out.append(f"  {fleet.hosts:>7,}{pairs:>14,}{duration(price.seconds):>12}"
                   f"{amount(price.packets):>12}{amount(price.beats):>12}"
                   f"{amount(price.alive):>18}{amount(price.bytes) + 'B':>12}")
    return out


def main():
    parser = argparse.ArgumentParser(description="what an exhaustive sweep costs, on paper")
    parser.add_argument("--rate", type=float, default=20_000, help="packets a second of a host")
    parser.add_argument("--capacity", type=float, default=math.inf, help="of all hosts together")
    parser.add_argument("--lanes", type=int, default=4, choices=(1, 2, 4),
                        help="sweeps of a pair: families times protocols")
    parser.add_argument("--simulate", action="store_true", help="play it, too (small fleets)")
    options = parser.parse_args()
    families, protocols = {1: (1, 1), 2: (1, 2), 4: (2, 2)}[options.lanes]
    sizes = (10, 100, 1_000, 10_000)
    for rolling in (1, 64):
        print("Every port of every pair in one run" if rolling == 1 else
              f"One run of {rolling} that together ask every port (rolling)")
        fleets = [Fleet(n, options.rate, options.capacity, families, protocols, rolling=rolling)
                  for n in sizes]
        print("\n".join(rows(fleets)))
        if options.simulate:
            import cost_sim  # it imports this
            for fleet in fleets[:2]:
                played = cost_sim.play(fleet, rounds=3)
                print(f"  {fleet.hosts:>7,} played: {duration(played.seconds)}, "
                      f"{amount(played.packets)}packets")


if __name__ == "__main__":
    main()
