# SPDX-License-Identifier: Apache-2.0
"""The company's firewalls as nftables text: the one between the segments, and those on hosts.

Rules holds what the firewalls do, not what they should do: it starts out as the company's policies
say, and a fault (faults.py) changes it. Every load replaces the whole table in one transaction, so
a repair is a load without the fault; the states of flows that run stay."""
import collections

from company import HOST_LAYER, NAT, REJECTING, SEGMENTS, SELF_GUARDED

TABLE = "company"
FAMILIES = (4, 6)

# Where the balancer sends what comes to one of its ports.
Pool = collections.namedtuple("Pool", "hosts port")


def _ports(spans):
    texts = [str(lo) if lo == hi else f"{lo}-{hi}" for lo, hi in sorted(spans)]
    return "{ " + ", ".join(texts) + " }"


def address(host, family):
    return host.v4 if family == 4 else host.v6


def word(family):
    return "ip" if family == 4 else "ip6"


def match(source, target, family):
    ip = word(family)
    return f"{ip} saddr {address(source, family)} {ip} daddr {address(target, family)}"


NOTHING = f"table inet {TABLE}\ndelete table inet {TABLE}\n"  # no firewall, whatever was there


class Rules:
    def __init__(self, company):
        self.company = company
        # What each side lets through: {(source, target, family): [(proto, lo, hi)]}
        self.network = {}
        for source, target in company.pairs():
            for family in FAMILIES:
                skip = "icmp6" if family == 4 else "icmp"
                self.network[source.name, target.name, family] = [
                    (flow.proto, flow.lo, flow.hi)
                    for flow in company.allowed(source.name, target.name) if flow.proto != skip]
        self.host = {key: list(flows) for key, flows in self.network.items()}
        # Who may use the balancer, and where his flows go: {(source, port, family): Pool}
        self.pools = {(source.name, one.port, family): self.pool_of(one)
                      for source in company.clients() for one in company.balancer.listeners
                      for family in FAMILIES}
        self.masquerade = []  # what is sent under the firewall's own address, undeclared
        self.first = []  # rules before the state is looked at
        self.refuse = {}  # {(source segment, target segment): [rules before the accepts]}
        self.host_first = {}  # {host: [rules before all others]}

    def pool_of(self, listener):
        return Pool([self.company.hosts[name] for name in listener.backends],
                    listener.backend_port)

    def accepts(self, flows):
        """The match part of the accept rules for one pair and family."""
        for proto in ("tcp", "udp"):
            spans = {(lo, hi) for kind, lo, hi in flows if kind == proto}
            if spans:
                yield f"{proto} dport {_ports(spans)}"
        kinds = {kind for kind, _, _ in flows}
        if "icmp" in kinds:
            yield "icmp type echo-request"
        if "icmp6" in kinds:
            yield "icmpv6 type echo-request"

    @staticmethod
    def _replace(body):
        return NOTHING + "\n".join([f"table inet {TABLE} {{", *body, "}", ""])

    # ---- the firewall between the segments ------------------------------------------------------
    def firewall(self):
        chains, dispatch = [], []
        for a in SEGMENTS:
            for b in SEGMENTS:
                rules = self._crossing(a.name, b.name) if a != b else []
                if rules:
                    name = f"{a.name}_{b.name}"
                    dispatch.append(f'"{a.name}" . "{b.name}" : jump {name}')
                    chains += [f"  chain {name} {{", *[f"    {rule}" for rule in rules], "  }"]
        gateways = [
            "    iifname . ip daddr { "
            + ", ".join([f'"{net.name}" . {net.v4}.1' for net in SEGMENTS]
                        + [f'"{NAT.target}" . {NAT.v4}'])
            + " } icmp type echo-request accept",
            "    iifname . ip6 daddr { "
            + ", ".join([f'"{net.name}" . {net.v6}::1' for net in SEGMENTS]
                        + [f'"{NAT.target}" . {NAT.v6}'])
            + " } icmpv6 type echo-request accept"]
        return self._replace([
            *chains,
            "  chain forward {",
            "    type filter hook forward priority filter; policy drop;",
            *[f"    {rule}" for rule in self.first],
            "    ct state invalid drop",
            "    ct state established,related accept",
            "    ct state new tcp flags & (fin | syn | rst | ack) != syn drop",
            f"    iifname . oifname vmap {{ {', '.join(dispatch)} }}",
            "  }",
            "  chain input {",
            "    type filter hook input priority filter; policy drop;",
            "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
            "    ct state established,related accept",
            *gateways,
            "  }",
            *self._translation()])

    def _translation(self):
        nets = [(f"{net.v4}.0/24", f"{net.v6}::/64") for name in (NAT.source, NAT.target)
                for net in SEGMENTS if net.name == name]
        return [
            "  chain prerouting {",
            "    type nat hook prerouting priority dstnat;",
            *[f"    {self._balance(*door, pool)}" for door, pool in self.pools.items()],
            "  }",
            "  chain postrouting {",
            "    type nat hook postrouting priority srcnat;",
            *[f"    {what} masquerade" for what in self.masquerade],
            *[f"    {word(family)} saddr {nets[0][family == 6]} {word(family)} daddr "
              f"{nets[1][family == 6]} snat {word(family)} to {address(NAT, family)}"
              for family in FAMILIES],
            "  }"]

    def _balance(self, source, port, family, pool):
        numbered = ", ".join(f"{number} : {address(host, family)}"
                             for number, host in enumerate(pool.hosts))
        return (f"{match(self.company.hosts[source], self.company.balancer, family)} "
                f"tcp dport {port} dnat {word(family)} to numgen random mod {len(pool.hosts)} "
                f"map {{ {numbered} }} : {pool.port}")

    def _crossing(self, a, b):
        rules = list(self.refuse.get((a, b), []))
        if (a, b) in HOST_LAYER:
            return rules + ["accept"]
        hosts = self.company.hosts.values()
        for (name, _, family), pool in self.pools.items():
            source = self.company.hosts[name]
            rules += [f"{match(source, backend, family)} tcp dport {pool.port} "
                      "ct status dnat accept"
                      for backend in pool.hosts if (source.segment, backend.segment) == (a, b)]
        for source in (host for host in hosts if host.segment == a):
            for target in (host for host in hosts if host.segment == b):
                for family in FAMILIES:
                    for what in self.accepts(self.network[source.name, target.name, family]):
                        rules.append(f"{match(source, target, family)} {what} accept")
        if (a, b) == REJECTING:
            rules += ["meta l4proto tcp reject with tcp reset",
                      "reject with icmpx admin-prohibited"]
        return rules

    # ---- host firewalls --------------------------------------------------------------------------
    def host_firewalls(self):
        """{host name: its ruleset} of every host; NOTHING for one without a firewall."""
        return {name: self._host(host) for name, host in self.company.hosts.items()}

    def _host(self, host):
        first = self.host_first.get(host.name, [])
        if not first and host.name not in SELF_GUARDED:
            return NOTHING
        policy = "drop" if host.name in SELF_GUARDED else "accept"
        rules = list(first)
        if policy == "drop":
            rules += ["icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
                      "iif lo accept", "ct state established,related accept"]
            for (source, target, family), flows in self.host.items():
                if target == host.name:
                    peer = address(self.company.hosts[source], family)
                    rules += [f"{word(family)} saddr {peer} {what} accept" for what in self.accepts(flows)]
        return self._replace(["  chain input {",
                              f"    type filter hook input priority filter; policy {policy};",
                              *[f"    {rule}" for rule in rules], "  }"])
