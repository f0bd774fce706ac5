# SPDX-License-Identifier: Apache-2.0
"""The faults that the demo can plant: where (chosen by a seed), how, and what must be found.

A fault is one class with one registered name. choose() picks hosts and a port; plant() changes
Rules (firewall.py); expected lists the findings, as they must stand in the report. No two faults of
a seed touch the same two hosts, in either direction, so that nothing hides or breaks anything else,
and the flow that a fault breaks is never the pair's only one of its protocol: controls must have
another.

Why each one causes its finding and nothing else, with a stateful firewall: the reply of an open
flow is let through by its state, not by a rule, so an opened port opens one direction only; ICMP
errors of a flow are `related`; a dropped first packet leaves no state behind; a reply that is
dropped belongs to one source port, which no test sends from. The balancer has two listeners, and at
most one of them is broken in each family: the other one vouches for the address."""
import collections
import random

from company import HOST_LAYER, NAT, RISK_PORTS
from firewall import FAMILIES, match

Finding = collections.namedtuple("Finding", "verdict source target family protocol ports")
FAULTS = {}


class NoPlace(Exception):
    """This seed has no two hosts left for the fault."""


def _register(cls):
    FAULTS[cls.name] = cls
    return cls


class Picker:
    """The seed's choices, and the pairs of hosts that are taken."""

    def __init__(self, company, seed):
        self.company = company
        self.rng = random.Random(f"faults:{seed}")
        self.taken = set()

    def families(self):
        return self.rng.choice([(4, 6), (4, 6), (4,), (6,)])

    def flows(self, protos, is_range=False, host_layer=False):
        """(source, target, flow) of allowed flows that may break: another one of the protocol is
        left to the pair."""
        found = []
        for source, target in self.company.pairs():
            if (source.segment, target.segment) in HOST_LAYER and not host_layer:
                continue
            flows = [flow for flow in self.company.allowed(source.name, target.name)
                     if not flow.is_permit]
            for flow in flows:
                others = [other for other in flows if other.proto == flow.proto and other != flow]
                if flow.proto in protos and others and (flow.lo != flow.hi) == is_range:
                    found.append((source, target, flow))
        return found

    def take(self, candidates, hosts_of=None):
        """One candidate at random whose pairs of hosts are free; they are taken from now on."""
        hosts_of = hosts_of or (lambda item: [(item[0].name, item[1].name)])
        free = [item for item in candidates
                if not any(frozenset(pair) in self.taken for pair in hosts_of(item))]
        if not free:
            raise NoPlace
        item = self.rng.choice(free)
        self.taken.update(frozenset(pair) for pair in hosts_of(item))
        return item


class Fault:
    """One planted fault: source and target are hosts, families those it is in."""
    name, title, verdict = "", "", ""
    source = target = flow = None
    families = FAMILIES
    proto, port = "tcp", 0

    def choose(self, picker):
        raise NotImplementedError

    def plant(self, rules):
        raise NotImplementedError

    def pairs(self):
        return [(self.source, self.target)]

    @property
    def expected(self):
        return [Finding(self.verdict, source.name, target.name, f"ipv{family}", self.proto,
                        str(self.port))
                for source, target in self.pairs() for family in self.families]

    def where(self):
        families = "".join(f" IPv{family}" for family in self.families)
        source = ", ".join(source.name for source, _ in self.pairs())
        return f"{source} -> {self.target.name}, {self.proto}/{self.port},{families}"

    # What plant() is made of.
    def _break(self, picker, protos=("tcp",), **options):
        self.source, self.target, self.flow = picker.take(picker.flows(protos, **options))
        self.proto, self.port = self.flow.proto, self.flow.lo

    def _keys(self):
        return [(self.source.name, self.target.name, family) for family in self.families]

    def _open(self, rules):
        for key in self._keys():
            rules.network[key].append((self.proto, self.port, self.port))

    def _flow(self, family):
        return f"{match(self.source, self.target, family)} {self.proto} dport {self.port}"


@_register
class MissingAllow(Fault):
    name, verdict = "missing-allow", "blocked"
    title = "a declared flow has no rule in the firewall"

    def choose(self, picker):
        self._break(picker, ("tcp", "udp"))
        self.families = picker.families()

    def plant(self, rules):
        for key in self._keys():
            rules.network[key].remove((self.proto, self.port, self.port))


@_register
class RangeEdge(Fault):
    name = "range-edge"
    title = "a port range is off by one: one too many or one too few"

    def choose(self, picker):
        self._break(picker, ("tcp", "udp"), is_range=True)
        self.is_wide = picker.rng.random() < 0.5
        self.verdict = "leak" if self.is_wide else "blocked"
        self.port = self.flow.hi + (1 if self.is_wide else 0)

    def plant(self, rules):
        old = (self.proto, self.flow.lo, self.flow.hi)
        for key in self._keys():
            flows = rules.network[key]
            flows[flows.index(old)] = (self.proto, self.flow.lo,
                                       self.flow.hi + (1 if self.is_wide else -1))


@_register
class OpenIPv6(Fault):
    name, verdict = "ipv6-open", "leak"
    title = "a port is open over IPv6 where IPv4 is closed"
    families = (6,)

    def choose(self, picker):
        self.source, self.target = picker.take([
            (a, b) for a, b in picker.company.pairs()
            if not picker.company.is_isolated(a, b) and (a.segment, b.segment) not in HOST_LAYER])
        self.port = picker.rng.choice(RISK_PORTS)

    def plant(self, rules):
        self._open(rules)


@_register
class RangeHole(Fault):
    name, verdict = "range-hole", "leak"
    title = "one port of an explicitly denied range is open"

    def choose(self, picker):
        company = picker.company
        deny = next(policy for policy in company.policies if policy.name == "no-data")
        sources, targets = company.select(deny.source), company.select(deny.target)
        self.source, self.target = picker.take([
            (company.hosts[a], company.hosts[b]) for a in sources for b in targets])
        self.port = picker.rng.choice(RISK_PORTS)
        self.families = picker.families()

    def plant(self, rules):
        self._open(rules)


@_register
class SshFromEdge(Fault):
    name, verdict = "ssh-from-edge", "leak"
    title = "SSH is open from the internet"
    port = 22

    def choose(self, picker):
        self.source, self.target = picker.take([
            (a, b) for a, b in picker.company.pairs() if a.segment == "internet"])
        self.families = picker.families()

    def plant(self, rules):
        self._open(rules)


@_register
class ReturnPath(Fault):
    name, verdict = "return-path", "return_blocked"
    title = "requests arrive, the firewall drops the replies"

    def choose(self, picker):
        self._break(picker)
        self.families = picker.families()

    def plant(self, rules):
        for family in self.families:
            rules.first.append(f"{match(self.target, self.source, family)} tcp sport {self.port} "
                               "ct direction reply drop")


@_register
class HostFirewall(Fault):
    name, verdict = "host-firewall", "host_filtered"
    title = "the network lets it through, the receiver's own firewall does not"

    def choose(self, picker):
        company, doors = picker.company, {}
        for source, target, flow in picker.flows(("tcp", "udp"), host_layer=True):
            doors.setdefault((target.name, flow.proto, flow.lo), []).append(source)
        # Whoever may use the port is hit, so all of them must be free to break: few, then.
        whole = [(target, proto, port, sources) for (target, proto, port), sources in doors.items()
                 if len(sources) <= 3 and len(sources) == sum(
                     company.is_allowed(name, target, proto, port) for name in company.hosts)]
        target, self.proto, self.port, self.sources = picker.take(
            whole, lambda item: [(source.name, item[0]) for source in item[3]])
        self.target = company.hosts[target]
        self.families = picker.families()

    def pairs(self):
        return [(source, self.target) for source in self.sources]

    def plant(self, rules):
        for family in self.families:
            rules.host_first.setdefault(self.target.name, []).append(
                f"meta nfproto ipv{family} {self.proto} dport {self.port} drop")


@_register
class Reject(Fault):
    name, verdict = "reject", "blocked"
    title = "the firewall refuses a declared flow out loud"

    def choose(self, picker):
        self._break(picker)
        self.families = picker.families()
        self.how = picker.rng.choice(["icmpx admin-prohibited", "tcp reset"])

    def plant(self, rules):
        some = rules.refuse.setdefault((self.source.segment, self.target.segment), [])
        some += [f"{self._flow(family)} reject with {self.how}" for family in self.families]


@_register
class LossyPath(Fault):
    name, verdict = "lossy-path", "partial"
    title = "a declared flow loses a third of its packets"

    def choose(self, picker):
        self._break(picker)
        self.families = picker.families()

    def plant(self, rules):
        for family in self.families:
            rules.first.append(f"{self._flow(family)} numgen random mod 3 == 0 drop")


class BalancerFault(Fault):
    """A listener of the balancer is broken, in one family."""

    def _listener(self, picker):
        """Takes a client, a listener and a family; no other fault of that kind gets the family."""
        company = picker.company
        self.target = company.balancer
        self.source, self.listener, family = picker.take(
            [(client, one, family) for client in company.clients() for one in self.target.listeners
             for family in FAMILIES],
            lambda item: [(item[0].name, f"{self.target.name}/ipv{item[2]}")])
        self.families = (family,)
        self.port = self.listener.port

    def _pool(self, rules):
        return rules.pools[self.source.name, self.port, self.families[0]].hosts


@_register
class DeadBackend(BalancerFault):
    name, verdict = "dead-backend", "partial"
    title = "one backend of the balancer gets nothing: not in the pool, or behind a closed port"

    def choose(self, picker):
        self._listener(picker)
        self.dead = picker.company.hosts[picker.rng.choice(self.listener.backends)]
        self.is_closed = picker.rng.random() < 0.5

    def plant(self, rules):
        if self.is_closed:
            rules.first.append(f"{match(self.source, self.dead, self.families[0])} "
                               f"meta l4proto tcp ct original proto-dst {self.port} "
                               "ct status dnat drop")
        else:
            self._pool(rules).remove(self.dead)


@_register
class ForeignBackend(BalancerFault):
    name, verdict = "foreign-backend", "misdelivered"
    title = "the balancer also sends to a host that is none of its backends"

    def choose(self, picker):
        self._listener(picker)
        self.stranger = picker.rng.choice([host for host in picker.company.hosts.values()
                                           if host.segment == "app"])

    def plant(self, rules):
        self._pool(rules).append(self.stranger)


@_register
class AroundBalancer(Fault):
    name, verdict = "around-balancer", "leak"
    title = "the port of a backend is open to clients, past the balancer"

    def choose(self, picker):
        company = picker.company
        self.source, self.target, one = picker.take([
            (client, company.hosts[name], one) for client in company.clients()
            for one in company.balancer.listeners for name in one.backends])
        self.port = one.backend_port
        self.families = picker.families()

    def plant(self, rules):
        self._open(rules)


@_register
class OpenBalancer(Fault):
    name, verdict = "open-balancer", "leak"
    title = "the balancer serves a host that must not use it, or on one port more"

    def choose(self, picker):
        company = picker.company
        self.target, clients = company.balancer, company.clients()
        self.listener = picker.rng.choice(self.target.listeners)
        backends = {company.hosts[name].segment for name in self.listener.backends}
        strangers = [host for host in company.hosts.values()  # beside the backends: no way back
                     if host not in clients and host.segment not in backends]
        self.source, self.port = picker.take(
            [(host, self.listener.port) for host in strangers]
            + [(host, port) for host in clients for port in RISK_PORTS],
            lambda item: [(item[0].name, self.target.name)])
        self.families = picker.families()

    def plant(self, rules):
        for family in self.families:
            rules.pools[self.source.name, self.port, family] = rules.pool_of(self.listener)


@_register
class HiddenNat(Fault):
    name, verdict = "hidden-nat", "misdelivered"
    title = "the firewall rewrites the source of one service, and nobody declared it"

    def choose(self, picker):
        self.source, self.target, self.flow = picker.take(
            [item for item in picker.flows(("tcp",))
             if item[0].segment != NAT.source and item[1].segment == NAT.target])
        self.port = self.flow.lo
        self.families = picker.families()

    def plant(self, rules):
        rules.masquerade += [self._flow(family) for family in self.families]


@_register
class OneWayHole(Fault):
    name, verdict = "one-way-hole", "leak"
    title = "a port is open between isolated VPCs, one way"

    def choose(self, picker):
        self.source, self.target = picker.take([
            (a, b) for a, b in picker.company.pairs() if picker.company.is_isolated(a, b)])
        self.port = picker.rng.choice(RISK_PORTS)
        self.families = picker.families()

    def plant(self, rules):
        self._open(rules)


def plan(company, seed):
    """Every fault, once, at the seed's places. The same for a seed whichever of them is planted."""
    # Those with the fewest places first; the dictionary's order is the one people read.
    hungry = ["around-balancer", "hidden-nat", "host-firewall", "range-edge", "range-hole",
              "reject", "return-path", "lossy-path", "missing-allow"]
    order = hungry + [name for name in FAULTS if name not in hungry]
    for attempt in range(100):
        picker = Picker(company, f"{seed}:{attempt}")
        chosen = {}
        try:
            for name in order:
                chosen[name] = FAULTS[name]()
                chosen[name].choose(picker)
        except NoPlace:
            continue
        return [chosen[name] for name in FAULTS]
    raise NoPlace(f"no place for the faults of seed {seed}")
