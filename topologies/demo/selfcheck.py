# SPDX-License-Identifier: Apache-2.0
"""Checks the demo's network without segproof: plain raw sockets say what every flow does.

Every ordered pair of hosts in different segments, both families: each allowed flow (both ends of a
range and the middle) ROUNDS times, each denied port of interest (range ends +-1, risk ports, SSH, a
few more) once, and echo requests. What arrived, passed the host's firewall and was answered gives a
verdict, by rules written here anew. The set of all that is not "holds" must be what the faults
promise, so this tests the demo itself: that each fault is there, and nothing else."""
import collections

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

Test = collections.namedtuple("Test", "source target family proto port allowed")


class SelfCheck:
    """One network's checker; run() may be called again after a repair."""

    def __init__(self, network):
        self.network = network
        self.company = network.company
        self.lab = network.lab
        self.runs = 0
        self.packets = 0

    def tests(self, hosts):
        for source, target in self.company.pairs():
            if hosts and not {source.name, target.name} & hosts:
                continue
            for family in FAMILIES:
                yield from self._tests_of(source, target, family)

    def _tests_of(self, source, target, family):
        flows = self.company.allowed(source.name, target.name)
        for proto in ("tcp", "udp"):
            ports = set(ALWAYS[proto])
            for flow in flows:
                if flow.proto == proto:
                    ports |= {flow.lo - 1, flow.lo, (flow.lo + flow.hi) // 2, flow.hi, flow.hi + 1}
            permits = {flow.lo for flow in flows if flow.proto == proto and flow.is_permit}
            for port in sorted(ports - permits):
                yield Test(source.name, target.name, family, proto, port,
                           self.company.is_allowed(source.name, target.name, proto, port))
        proto = "icmp" if family == 4 else "icmp6"
        yield Test(source.name, target.name, family, proto, 0,
                   self.company.is_allowed(source.name, target.name, proto, 0))

    def run(self, hosts=None):
        """The set of findings this network has; with hosts, those from or to one of them."""
        names = list(self.company.hosts)
        base = FIRST_SPORT + ROUNDS * self.runs  # states of an earlier run must not answer for it
        self.runs += 1
        with Capture(self.lab, names) as capture, HostWitness(self.lab, names) as witness:
            self._warm_up()
            capture.read(0.1)
            tests = list(self.tests(hosts))
            log = Log(self.company)
            queue = collections.defaultdict(list)
            waiting = 0
            for test in tests:
                for number in range(ROUNDS if test.allowed else 1):
                    queue[test.source].append(self._packet(test, base + number))
                    waiting += 1
                if waiting >= BATCH:
                    waiting = self._flush(queue, capture, witness, log, 0.02)
            self._flush(queue, capture, witness, log, 0.25)
            if capture.drops():
                raise RuntimeError("the self check's captures lost packets: it proves nothing")
            return {Finding(verdict, test.source, test.target, f"ipv{test.family}", test.proto,
                            str(test.port))
                    for test in tests if (verdict := log.judge(test, base)) != "holds"}

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

    def _packet(self, test, sport):
        hosts = self.company.hosts
        src = address(hosts[test.source], test.family)
        dst = address(hosts[test.target], test.family)
        if test.proto == "tcp":
            return tcp(src, dst, sport, test.port)
        if test.proto == "udp":
            return udp(src, dst, sport, test.port)
        return echo(src, dst, sport)


class Log:
    """What was seen, keyed by the flow: (source, target, protocol number, source port, port)."""

    def __init__(self, company):
        self.company = company
        self.names = {address(host, family): host.name
                      for host in company.hosts.values() for family in FAMILIES}
        self.sent, self.arrived, self.passed = set(), set(), set()
        self.answer_left, self.answered, self.refused = set(), set(), set()

    def add(self, packets, passed):
        for packet in packets:
            source, target = self.names.get(packet.src), self.names.get(packet.dst)
            if packet.quote:
                self._error(packet)
            elif source and target:
                self._own(packet, source, target)
        for where, src, proto, sport, dport in passed:
            if src in self.names:
                self.passed.add((self.names[src], where, src, proto, sport, dport))

    def _own(self, packet, source, target):
        is_echo_reply = packet.type in (0, 129) and packet.proto in (ICMP, ICMP6)
        if packet.sport < FIRST_SPORT and not is_echo_reply or packet.sport == 65535:
            # An answer: what left the target towards the source's port.
            key = (target, source, packet.dst, packet.proto, packet.dport, packet.sport)
            is_answer = packet.proto != TCP or packet.flags & (RST | ACK)
        elif is_echo_reply:
            key = (target, source, packet.dst, packet.proto, packet.sport, 0)
            is_answer = True
        else:
            key = (source, target, packet.src, packet.proto, packet.sport, packet.dport)
            if packet.proto == TCP and packet.flags != 2:
                return  # the sender's kernel resets what a listener accepted
            if packet.where == source and packet.way == "out":
                self.sent.add(key)
            elif packet.where == target and packet.way == "in":
                self.arrived.add(key)
            return
        if is_answer and packet.where == source and packet.way == "out":
            self.answer_left.add(key)
        elif is_answer and packet.where == target and packet.way == "in":
            self.answered.add(key)

    def _error(self, packet):
        src, dst, proto, sport, dport = packet.quote
        if src in self.names and dst in self.names:
            key = (self.names[src], self.names[dst], src, proto, sport, dport)
            if packet.way == "in" and packet.where == self.names[src]:
                if packet.src == dst:
                    self.answered.add(key)
                else:
                    self.refused.add(key)
            elif packet.way == "out" and packet.where == self.names[dst]:
                self.answer_left.add(key)

    def judge(self, test, base):
        hosts = self.company.hosts
        src = address(hosts[test.source], test.family)
        keys = {(test.source, test.target, src, NUMBERS[test.proto], base + number, test.port)
                for number in range(ROUNDS if test.allowed else 1)}
        if keys - self.sent:
            raise RuntimeError(f"{test}: not every packet left its sender")
        arrived, passed = keys & self.arrived, keys & self.passed
        segments = hosts[test.source].segment, hosts[test.target].segment
        if not test.allowed:
            return "leak" if (passed if segments in HOST_LAYER else arrived) else "holds"
        if not arrived:
            return "blocked"
        if not passed:
            return "host_filtered"
        # UDP answers from closed ports are rate-limited by the kernel: one is enough everywhere.
        if keys & self.answer_left and not keys & self.answered:
            return "return_blocked"
        return "holds" if len(passed) == ROUNDS else "partial"
