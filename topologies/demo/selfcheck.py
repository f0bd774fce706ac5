# SPDX-License-Identifier: Apache-2.0
"""Checks the demo's network without segproof: plain raw sockets say what every flow does.

Every ordered pair of hosts in different segments, and every host with the balancer, both families:
each allowed flow (both ends of a range and the middle) ROUNDS times, each denied port of interest
(range ends +-1, risk ports, SSH, a few more) once, and echo requests. What arrived, where and under
which address, passed the host's firewall and was answered gives a verdict, by rules written here
anew. The set of all that is not "holds" must be what the faults promise, so this tests the demo
itself: that each fault is there, and nothing else.

Ports and addresses are rewritten on the way, the source port is not: it tells whose packet it is. A
sender has ROUNDS of them for all hosts; each packet to the balancer has one of its own, as several
of its ports may end at the same port of a backend."""
import collections
import itertools

from company import HOST_LAYER, RISK_PORTS
from faults import Finding
from firewall import FAMILIES, address
from packets import ACK, ICMP, ICMP6, RST, TCP, UDP, Capture, HostWitness, echo, send, tcp, udp

NUMBERS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmp6": ICMP6}
ALWAYS = {"tcp": {1, 22, 23, 80, 443, 445, 3389, 5432, 8080, 10250, 65535, *RISK_PORTS},
          "udp": {1, 53, 69, 123, 161, 4789, 65535}}
ROUNDS = 24  # a flow that loses a third passes this unseen once in 17,000 times
BATCH = 2000  # packets between two readings of the captures
FIRST_SPORT = 33000  # above every tested port but 65535

Test = collections.namedtuple("Test", "source target family proto port allowed sports")
# Where a packet was sent to, or was seen: place is a host's name or the balancer's.
Key = collections.namedtuple("Key", "family proto sport place port")


class SelfCheck:
    """One network's checker; run() may be called again after a repair."""

    def __init__(self, network):
        self.network = network
        self.company = network.company
        self.lab = network.lab
        self.sports = itertools.count(FIRST_SPORT)  # never used twice: old states must not answer
        self.packets = 0

    def tests(self, hosts):
        shop = self.company.balancer
        pairs = self.company.pairs() + [(host, shop) for host in self.company.hosts.values()]
        shared = {}
        for source, target in pairs:
            if hosts and not {source.name, target.name} & hosts:
                continue
            if target is not shop and source.name not in shared:
                shared[source.name] = [next(self.sports) for _ in range(ROUNDS)]
            for family in FAMILIES:
                for proto, port in self._ports(source, target, family):
                    allowed = self.company.is_allowed(source.name, target.name, proto, port)
                    count = ROUNDS if allowed else 1
                    sports = ([next(self.sports) for _ in range(count)] if target is shop
                              else shared[source.name][:count])
                    yield Test(source, target, family, proto, port, allowed, sports)

    def _ports(self, source, target, family):
        flows = self.company.allowed(source.name, target.name)
        for proto in ("tcp", "udp"):
            ports = set(ALWAYS[proto])
            for flow in flows:
                if flow.proto == proto:
                    ports |= {flow.lo - 1, flow.lo, (flow.lo + flow.hi) // 2, flow.hi, flow.hi + 1}
            if proto == "tcp":
                ports |= {one.backend_port for one in self.company.balancer.listeners
                          if target.name in one.backends}
            permits = {flow.lo for flow in flows if flow.proto == proto and flow.is_permit}
            for port in sorted(ports - permits):
                yield proto, port
        yield "icmp" if family == 4 else "icmp6", 0

    def run(self, hosts=None):
        """The set of findings this network has; with hosts, those from or to one of them."""
        names = list(self.company.hosts)
        with Capture(self.lab, names) as capture, HostWitness(self.lab, names) as witness:
            self._warm_up()
            capture.read(0.1)
            tests = list(self.tests(hosts))
            log = Log(self.company)
            queue = collections.defaultdict(list)
            waiting = 0
            for test in tests:
                queue[test.source.name] += [self._packet(test, sport) for sport in test.sports]
                waiting += len(test.sports)
                if waiting >= BATCH:
                    waiting = self._flush(queue, capture, witness, log, 0.02)
            self._flush(queue, capture, witness, log, 0.25)
            if capture.drops():
                raise RuntimeError("the self check's captures lost packets: it proves nothing")
            return {Finding(verdict, test.source.name, test.target.name, f"ipv{test.family}",
                            test.proto, str(test.port))
                    for test in tests if (verdict := log.judge(test)) != "holds"}

    def _warm_up(self):
        """Neighbours are resolved before it counts: a burst would overflow their queues."""
        for host in self.company.hosts.values():
            net = self.company.segments[host.segment]
            send(self.lab, host.name, [echo(host.v4, f"{net.v4}.1", 1),
                                       echo(host.v6, f"{net.v6}::1", 1)])

    def _flush(self, queue, capture, witness, log, quiet):
        for name, packets in queue.items():
            send(self.lab, name, packets)
            self.packets += len(packets)
        queue.clear()
        log.add(capture.read(quiet), witness.read(0.02))
        return 0

    @staticmethod
    def _packet(test, sport):
        src, dst = address(test.source, test.family), address(test.target, test.family)
        if test.proto == "tcp":
            return tcp(src, dst, sport, test.port)
        if test.proto == "udp":
            return udp(src, dst, sport, test.port)
        return echo(src, dst, sport)


class Log:
    """What was seen, by Key; what a packet became on its way, by its source port."""

    def __init__(self, company):
        self.company = company
        self.places = {address(one, family): one.name
                       for one in [*company.hosts.values(), company.balancer]
                       for family in FAMILIES}
        self.sent, self.passed = set(), set()
        self.arrived = {}  # {Key: the source address it had}
        self.ends = collections.defaultdict(set)  # {(family, proto, sport): Keys it arrived as}
        self.answer_left, self.answered, self.refused = set(), set(), set()

    def add(self, packets, passed):
        for packet in packets:
            if packet.quote:
                self._error(packet)
            else:
                self._own(packet)
        for where, src, proto, sport, dport in passed:
            self.passed.add(Key(6 if ":" in src else 4, proto, sport, where, dport))

    def _own(self, packet):
        is_echo = packet.proto in (ICMP, ICMP6)
        if packet.type in (0, 129) and is_echo:
            self._answer(packet, packet.sport, 0)
        elif not is_echo and (packet.sport < FIRST_SPORT or packet.sport == 65535):
            if packet.proto != TCP or packet.flags & (RST | ACK):
                self._answer(packet, packet.dport, packet.sport)
        elif packet.proto != TCP or packet.flags == 2:  # else: the sender's kernel resets
            place = self.places.get(packet.dst)
            key = Key(packet.family, packet.proto, packet.sport, place, packet.dport)
            if packet.way == "out":
                self.sent.add(key)
            elif packet.way == "in" and packet.where == place:
                self.arrived.setdefault(key, packet.src)
                self.ends[key[:3]].add(key)

    def _answer(self, packet, sport, port):
        place = packet.where if packet.way == "out" else self.places.get(packet.src)
        key = Key(packet.family, packet.proto, sport, place, port)
        (self.answer_left if packet.way == "out" else self.answered).add(key)

    def _error(self, packet):
        _, dst, proto, sport, dport = packet.quote
        key = Key(packet.family, proto, sport, self.places.get(dst), dport)
        if packet.way == "out":
            self.answer_left.add(key)
        else:
            (self.answered if packet.src == dst else self.refused).add(key)

    def judge(self, test):
        number = NUMBERS[test.proto]
        keys = {Key(test.family, number, sport, test.target.name, test.port)
                for sport in test.sports}
        if keys - self.sent:
            raise RuntimeError(f"{test}: not every packet left its sender")
        if test.target is self.company.balancer:
            return self._judge_balancer(test, keys, number)
        arrived, passed = keys & self.arrived.keys(), keys & self.passed
        if not test.allowed:
            by_host = (test.source.segment, test.target.segment) in HOST_LAYER
            return "leak" if (passed if by_host else arrived) else "holds"
        if not arrived:
            return "blocked"
        seen_as = self.company.seen_as(test.source, test.target, test.family)
        if any(self.arrived[key] != seen_as for key in arrived):
            return "misdelivered"
        if not passed:
            return "host_filtered"
        # UDP answers from closed ports are rate-limited by the kernel: one is enough everywhere.
        if keys & self.answer_left and not keys & self.answered:
            return "return_blocked"
        return "holds" if len(passed) == ROUNDS else "partial"

    def _judge_balancer(self, test, keys, number):
        ends = set().union(*(self.ends[test.family, number, sport] for sport in test.sports))
        if not test.allowed:
            return "leak" if ends or keys & self.answered else "holds"
        if not ends:
            return "blocked"
        listener = next(one for one in self.company.balancer.listeners if one.port == test.port)
        wanted = {(name, listener.backend_port) for name in listener.backends}
        client = address(test.source, test.family)
        if any((key.place, key.port) not in wanted or self.arrived[key] != client for key in ends):
            return "misdelivered"
        if not keys & self.answered:
            return "return_blocked"
        reached = {(key.place, key.port) for key in ends & self.passed}
        return "holds" if reached == wanted and len(ends & self.passed) == ROUNDS else "partial"
