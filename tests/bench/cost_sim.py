# SPDX-License-Identifier: Apache-2.0
"""The schedule of a sweep, played event by event: rounds, volleys, beats, the search for a rate that
the path takes, policers, loss by chance. It checks the formula of cost_model.py where that has an
answer, and gives one where it has none: how long a path that loses makes a sweep.

The rate is found as controller/sweep/rate.c does: half after a volley that lost a beat (more than
the path loses at any rate), up again while volleys are clean, towards the middle between the highest
rate that was clean and the lowest that was not. The path is a token bucket that all senders share,
loss by chance, and a limit on how fast packets are taken at all, which holds senders up but loses
nothing. Volleys are cut into the stretches between their beats."""
import dataclasses
import heapq
import math
import random

from cost_model import Costs, beats_of_volley

LOWEST = 100
PATIENCE = 12  # clean volleys before it looks above a rate that lost
TRIES = 10  # for one volley in one pass
LATE_S = 0.15  # a beat that has not come so long after its volley is lost
AHEAD_S = 0.1  # what may be under way: what the rate sends in this time, two volleys at least
HEARD_S = 0.02  # until the controller knows of one that came: captures wait 10 ms


@dataclasses.dataclass(frozen=True)
class Path:
    policer: float = math.inf  # packets a second that get through
    burst: float = 2000.0
    loss: float = 0.0  # by chance


@dataclasses.dataclass
class Played:
    seconds: float = 0.0
    packets: int = 0
    beats: int = 0
    volleys: int = 0
    repeats: int = 0
    sending: float = 0.0  # of the busiest sender
    left: int = 0  # volleys without a good end after all tries


class Bucket:
    """A policer: what comes when it is empty is lost."""

    def __init__(self, path):
        self.path, self.tokens, self.when = path, path.burst, 0.0

    def share(self, now, packets):
        """The share that gets through of packets that came evenly since the last call."""
        if math.isinf(self.path.policer):
            return 1.0
        # They came while it filled, so more than the burst may pass.
        room = self.tokens + max(now - self.when, 0) * self.path.policer
        self.when = max(now, self.when)
        passed = min(packets, room)
        self.tokens = min(self.path.burst, room - passed)
        return passed / packets if packets else 1.0


class Rate:
    """controller/sweep/rate.c, without the counts by step: own_loss is what the path loses anyway."""

    def __init__(self, ceiling, own_loss):
        self.ceiling, self.now, self.good, self.bad = ceiling, ceiling, 0.0, 0.0
        self.epoch = self.clean = 0
        self.own_loss = own_loss

    def is_excess(self, sent, lost):
        return lost > 0 and (self.own_loss <= 0 or lost > 2 * self.own_loss * sent + 3)

    def judge(self, pps, epoch, is_clean):
        if epoch != self.epoch:
            return
        if not is_clean:
            self.epoch += 1
            self.clean = 0
            self.bad = min(self.bad or pps, pps)
            self.good = self.good if self.good < self.bad else 0
            self.now = max(pps / 2, min(LOWEST, self.ceiling))
            return
        self.clean += 1
        self.good = max(self.good, pps)
        if self.bad == 0:
            self.now *= 2
        elif self.now < self.good:
            self.now = self.good
        elif self.good * 20 < self.bad * 19:
            self.now = (self.good + self.bad) / 2
        elif self.clean >= PATIENCE:
            self.clean = 0
            self.bad += self.bad / 4
        self.now = min(self.now, self.ceiling)


class Sender:
    """One bundle. Cells are numbered over all passes; a volley is a run of them."""

    def __init__(self, fleet, costs, own_loss):
        self.fleet, self.costs = fleet, costs
        self.cells = math.ceil(fleet.ports / costs.chunk)
        self.next, self.again, self.tries = 0, [], {}
        self.ends = {}  # cell of a pass: when its good volley ended
        self.rate = Rate(fleet.rate, own_loss)
        self.free, self.sending, self.open, self.open_ports = 0.0, 0.0, 0, 0
        self.lane_packets = costs.guards * fleet.lanes

    def cell_ports(self, cell):
        return min(self.costs.chunk, self.fleet.ports - cell % self.cells * self.costs.chunk)

    def take(self, now):
        """(cells of the next volley, when it may begin), or (None, when to look again)."""
        most = max(int(min(self.rate.now * self.costs.volley_s, self.costs.volley)
                       // self.costs.chunk), 1)
        if self.again:
            some = [self.again.pop(0)]
            while self.again and len(some) < most and self.again[0] == some[-1] + 1 \
                    and self.again[0] % self.cells:
                some.append(self.again.pop(0))
            return some, now
        some, begin = [], now
        while len(some) < most and self.next < self.cells * self.fleet.passes:
            if some and self.next % self.cells == 0:
                break
            if self.next >= self.cells:
                last = self.ends.get(self.next - self.cells)
                if last is None:
                    break  # its earlier pass is under way
                if last + self.costs.gap_s > now:
                    if not some:
                        return None, last + self.costs.gap_s
                    break
            some.append(self.next)
            self.next += 1
        return (some, begin) if some else (None, math.inf)

    @property
    def is_over(self):
        return not self.open and not self.again and self.next >= self.cells * self.fleet.passes


def play_round(fleet, path, costs, rng, out):
    """One batch: every sender sends its bundle. Returns its seconds."""
    bucket = Bucket(path)
    senders = [Sender(fleet, costs, path.loss) for _ in range(fleet.senders)]
    events, count = [], 0
    for i in range(len(senders)):
        # They hear FIRE one after the other, and no two volleys end in the same instant.
        heapq.heappush(events, (rng.random() * 0.002, count, "order", i, None))
        count += 1
    end = 0.0
    while events:
        now, _, kind, i, what = heapq.heappop(events)
        sender = senders[i]
        end = max(end, now)
        if kind == "order":
            ahead = sender.rate.now * AHEAD_S
            if (sender.open >= 2 and sender.open_ports >= ahead) or now < sender.free - 1e-9:
                continue
            cells, begin = sender.take(now)
            if cells is None:
                if begin < math.inf:
                    heapq.heappush(events, (begin, count, "order", i, None))
                    count += 1
                continue
            volley = {"cells": cells, "pps": sender.rate.now, "epoch": sender.rate.epoch, "lost": 0,
                      "sent": 0, "edges": [0, 0], "start": now,
                      "count": sum(map(sender.cell_ports, cells))}
            volley["beats"] = beats_of_volley(volley["count"], volley["pps"], costs)
            volley["stretches"] = volley["beats"] - 2 * costs.edge + 1
            volley["done"] = 0
            sender.open += 1
            sender.open_ports += volley["count"]
            out.volleys += 1
            out.repeats += sum(cell in sender.tries for cell in cells) > 0
            for cell in cells:
                sender.tries[cell] = sender.tries.get(cell, 0) + 1
            kind, what = "stretch", volley
            push_stretch(events, count, now, i, sender, volley, senders, fleet, costs)
            count += 1
            continue
        volley = what
        if kind == "stretch":
            hear_stretch(volley, bucket, path, now, costs, sender, rng, out)
            if volley["done"] < volley["stretches"]:
                push_stretch(events, count, now, i, sender, volley, senders, fleet, costs)
            else:
                volley["end"] = now
                wait = LATE_S if volley["lost"] else HEARD_S
                heapq.heappush(events, (now + wait, count, "told", i, volley))
                sender.sending += now - volley["start"]
                sender.free = now
                count += 1
                heapq.heappush(events, (now, count, "order", i, None))
            count += 1
            continue
        settle(sender, volley, costs, out)
        for k in range(2):
            heapq.heappush(events, (now, count + k, "order", i, None))
        count += 2
    out.sending = max([out.sending, *[sender.sending for sender in senders]])
    assert all(sender.is_over for sender in senders), "a sender never ended"
    return end


def push_stretch(events, count, now, i, sender, volley, senders, fleet, costs):
    """The next stretch of a volley ends when its packets and its beat have been sent."""
    edges = volley["done"] in (0, volley["stretches"] - 1)
    beats = (costs.edge if edges else 1) * (2 if volley["stretches"] == 1 else 1)
    packets = volley["count"] / volley["stretches"] + beats * sender.lane_packets
    busy = sum(other.open > 0 for other in senders)
    speed = min(volley["pps"], fleet.capacity / max(busy, 1))
    sender.free = now + packets / speed
    volley["packets"], volley["new_beats"] = packets, beats
    heapq.heappush(events, (sender.free, count, "stretch", i, volley))


def hear_stretch(volley, bucket, path, now, costs, sender, rng, out):
    through = bucket.share(now, volley["packets"]) * (1 - path.loss)
    beats = volley["new_beats"] * sender.lane_packets // costs.guards
    lost = sum(rng.random() >= through for _ in range(beats))
    volley["sent"] += beats
    volley["lost"] += lost
    if volley["done"] == 0:
        volley["edges"][0] = lost >= beats
    volley["done"] += 1
    if volley["done"] == volley["stretches"]:
        volley["edges"][1] = lost >= beats
    out.beats += volley["new_beats"] * sender.lane_packets


def settle(sender, volley, costs, out):
    """What the controller makes of a volley."""
    is_clean = (not sender.rate.is_excess(volley["sent"], volley["lost"])
                and not any(volley["edges"]))
    sender.rate.judge(volley["pps"], volley["epoch"], is_clean)
    sender.open -= 1
    sender.open_ports -= volley["count"]
    out.packets += volley["count"]
    for cell in volley["cells"]:
        if is_clean or sender.tries[cell] >= TRIES:
            sender.ends[cell] = volley["end"]
            out.left += not is_clean
        else:
            sender.again.append(cell)
    sender.again.sort()


def play(fleet, path=Path(), costs=Costs(), seed=1, rounds=None):
    """The whole run; with rounds only so many of them, and the rest in proportion."""
    rng, out = random.Random(seed), Played()
    n = min(rounds or fleet.rounds, fleet.rounds)
    fixed = (costs.batch_s + costs.drain_s
             + fleet.senders * (costs.host_s + fleet.lanes * costs.lane_s))
    seconds = sum(play_round(fleet, path, costs, rng, out) + fixed for _ in range(n))
    scale = fleet.rounds / n
    out.seconds = costs.start_s + fleet.hosts * costs.start_host_s + seconds * scale
    for name in ("packets", "beats", "volleys", "repeats", "left"):
        setattr(out, name, round(getattr(out, name) * scale))
    return out
