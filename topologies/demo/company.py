# SPDX-License-Identifier: Apache-2.0
"""The demo's company: networks, hosts, policies, and the topology file that declares them.

One object holds what the company wants; topology.yaml (for segproof) and the firewalls
(firewall.py) are both made from it. A seed chooses addresses and ports. allowed() is a small
reading of the policy rules of its own: segproof's compiler is not asked what segproof should
find."""
import collections
import random

# Networks from the outside in: name, VPC, kind, IPv4 prefix, IPv6 prefix (without host part).
Segment = collections.namedtuple("Segment", "name vpc zone v4 v6")
SEGMENTS = [
    Segment("web", "prod", "eu-1a", "10.10.1", "fd00:10:1"),
    Segment("app", "prod", "eu-1a", "10.10.2", "fd00:10:2"),
    Segment("data", "prod", "eu-1b", "10.10.3", "fd00:10:3"),
    Segment("mgmt", "prod", "eu-1b", "10.10.4", "fd00:10:4"),
    Segment("build", "dev", None, "10.20.1", "fd00:20:1"),
    Segment("lab", "dev", None, "10.20.2", "fd00:20:2"),
    Segment("internet", None, None, "198.51.100", "2001:db8:51"),
]
VPCS = {"prod": ("10.10.0.0/16", "fd00:10::/32"), "dev": ("10.20.0.0/16", "fd00:20::/32")}
HOSTS = [  # name, segment, labels
    ("web-1", "web", {"tier": "web"}), ("web-2", "web", {"tier": "web"}),
    ("app-1", "app", {"tier": "app"}), ("app-2", "app", {"tier": "app"}),
    ("db-1", "data", {"tier": "data"}), ("cache-1", "data", {"tier": "data"}),
    ("jump-1", "mgmt", {"role": "bastion"}), ("mon-1", "mgmt", {"role": "monitoring"}),
    ("build-1", "build", {}), ("lab-1", "lab", {}), ("edge-1", "internet", {}),
]
# Hosts that also filter for themselves. Between build and lab nothing else does (layer: host).
SELF_GUARDED = ["app-1", "db-1", "build-1", "lab-1"]
HOST_LAYER = {("build", "lab"), ("lab", "build")}
REJECTING = ("app", "internet")  # denied traffic this way is refused, not dropped
# Where stand-in listeners may open ports: the balancer's clients and its backends.
STANDINS = ("web", "internet")
SSH_HOST = "edge-1"  # its probe is started over ssh, as on a host that is not this machine
# Ports that a standard plan always tries on a denied interval. No policy here ever allows one.
RISK_PORTS = [2379, 3306, 5985, 6379, 9200, 27017]

Host = collections.namedtuple("Host", "name segment labels v4 v6")
Policy = collections.namedtuple("Policy", "name source target verb ports why")
# What one policy lets one host do to another. is_permit: may work, need not.
Flow = collections.namedtuple("Flow", "proto lo hi policy is_permit")
# A load balancer's address has a name and addresses, as a host has; its clients are a segment.
Balancer = collections.namedtuple("Balancer", "name clients v4 v6 listeners")
Listener = collections.namedtuple("Listener", "port backends backend_port")
# What `source` sends to `target` (segments) arrives there from these addresses.
Nat = collections.namedtuple("Nat", "source target v4 v6")
NAT = Nat("build", "internet", "198.51.100.2", "2001:db8:51::2")
ECHO = ("icmp/echo", "icmp6/echo")


def parse_port(text):
    """"tcp/80-90" -> ("tcp", 80, 90); "icmp/echo" -> ("icmp", 0, 0)."""
    proto, _, ports = text.partition("/")
    if ports == "echo":
        return proto, 0, 0
    low, _, high = ports.partition("-")
    return proto, int(low), int(high or low)


class Company:
    def __init__(self, seed):
        self.seed = seed
        rng = random.Random(f"company:{seed}")
        self.segments = {segment.name: segment for segment in SEGMENTS}
        self.hosts = {}
        for name, segment, labels in HOSTS:
            number = rng.choice([n for n in range(10, 250) if not any(
                host.segment == segment and host.v4.endswith(f".{n}")
                for host in self.hosts.values())])
            net = self.segments[segment]
            self.hosts[name] = Host(name, segment, labels, f"{net.v4}.{number}",
                                    f"{net.v6}::{number:x}")
        self.groups = {"databases": ["db-1", "cache-1"]}
        self.services = {"https": "tcp/443", "ssh": "tcp/22", "syslog": "udp/514"}
        self.policies = self._policies(rng)
        self.balancer = self._balancer(rng)
        self.listeners = self._listeners()
        self._allowed = self._compile()

    @staticmethod
    def _range(rng, low, high):
        first = rng.randrange(low, high)
        return f"{first}-{first + rng.randrange(10, 150)}"

    def _policies(self, rng):
        pick, span = rng.choice, self._range
        api, db, batch = span(rng, 8000, 8800), span(rng, 7000, 7800), span(rng, 30000, 30500)
        mosh, jmx, pull = span(rng, 20000, 20900), span(rng, 9500, 9800), span(rng, 5000, 5300)
        return [
            Policy("media", "internet", "label:tier=web", "allow",
                   ["https", f"tcp/{pick([80, 81, 8008])}", "udp/443"], "pictures"),
            Policy("api", "web", "app", "allow",
                   [f"tcp/{api}", f"tcp/{pick([4443, 6443, 7443])}",
                    f"udp/{pick([8125, 8126, 4729])}", f"udp/{span(rng, 12000, 12500)}", *ECHO],
                   "orders"),
            Policy("store", "app", "databases", "allow",
                   [f"tcp/{pick([5432, 5433, 1521])}", f"tcp/{pick([11211, 11311])}", f"tcp/{db}",
                    f"udp/{pick([11211, 1900, 4000])}", *ECHO], "orders and sessions"),
            Policy("admin", "label:role=bastion", "web, app, data", "allow",
                   ["ssh", f"tcp/{pick([2222, 3022, 8022])}", f"udp/{mosh}", *ECHO],
                   "the only way in for people"),
            Policy("metrics", "mon-1", "web, app, data", "allow",
                   [f"tcp/{pick([9100, 9101, 9182])}", f"tcp/{jmx}", "udp/161",
                    f"udp/{pick([6343, 2055, 9995])}", *ECHO], "monitoring"),
            Policy("logs", "web, app, data", "mon-1", "allow",
                   [f"tcp/{pick([6514, 1514])}", f"tcp/{pick([5044, 5170])}", "syslog",
                    f"udp/{pick([12201, 24224])}"], "log collection"),
            Policy("partners", "app", "internet", "allow",
                   ["https", f"tcp/{pick([8443, 9443])}", "udp/123"], "payment, time"),
            Policy("updates", "build", "internet", "allow",
                   ["https", "tcp/853", "udp/53"], "packages"),
            Policy("artifacts", "build", "lab", "allow",
                   ["ssh", f"tcp/{batch}", f"udp/{pick([4789, 8472, 6081])}", *ECHO],
                   "test images"),
            Policy("results", "lab", "build", "allow",
                   [f"tcp/{pull}", f"tcp/{pick([8081, 8082])}", f"udp/{pick([6000, 6001])}", *ECHO],
                   "test results"),
            Policy("clock", "web", "internet", "permit", ["udp/123"], "time, as a fallback"),
            Policy("no-ssh", "internet", "any", "deny", ["ssh"], "never from outside"),
            Policy("no-data", "internet, web", "data", "deny", ["tcp/1024-29999"],
                   "data is reached through app only"),
        ]

    @staticmethod
    def _balancer(rng):
        backends = ["web-1", "web-2"]
        return Balancer("shop", "internet", "10.10.9.10", "fd00:10:9::10", [
            Listener(443, backends, rng.choice([8443, 9443, 10443])),
            Listener(80, backends, rng.choice([8080, 8088, 9080]))])

    def _listeners(self):
        """A few real services, so that some allowed flows answer SYN/ACK and others RST."""
        def first(policy, index):
            item = next(p for p in self.policies if p.name == policy).ports[index]
            _, low, _ = parse_port(self.services.get(item, item))
            return f"tcp/{low}"
        return {"web-1": [first("media", 0)], "web-2": [first("media", 1), first("admin", 0)],
                "app-1": [first("api", 0)], "db-1": [first("store", 0)],
                "mon-1": [first("logs", 0)], "lab-1": [first("artifacts", 1)],
                "edge-1": [first("partners", 0)]}

    # ---- meaning ------------------------------------------------------------------------------
    def select(self, selector):
        """The hosts behind "web, label:tier=app"."""
        found = []
        for part in selector.split(", "):
            if part == "any":
                some = list(self.hosts)
            elif part.startswith("label:"):
                key, _, value = part[6:].partition("=")
                some = [h.name for h in self.hosts.values() if h.labels.get(key) == value]
            elif part in self.groups:
                some = self.groups[part]
            elif part in self.hosts:
                some = [part]
            else:
                some = [h.name for h in self.hosts.values()
                        if part in (h.segment, self.segments[h.segment].vpc)]
            if not some:
                raise ValueError(f"selector {part} matches no host")
            found += some
        return found

    def pairs(self):
        """Ordered pairs of hosts in different segments: the others are not tested."""
        return [(a, b) for a in self.hosts.values() for b in self.hosts.values()
                if a.segment != b.segment]

    def is_isolated(self, a, b):
        return {self.segments[a.segment].vpc, self.segments[b.segment].vpc} == {"prod", "dev"}

    def seen_as(self, source, target, family):
        """The address that target sees of source (hosts), by declaration."""
        is_translated = (source.segment, target.segment) == (NAT.source, NAT.target)
        one = NAT if is_translated else source
        return one.v4 if family == 4 else one.v6

    def clients(self):
        """The hosts that may use the balancer."""
        return [host for host in self.hosts.values() if host.segment == self.balancer.clients]

    def _compile(self):
        table = {}
        for policy in self.policies:
            for source in self.select(policy.source):
                for target in self.select(policy.target):
                    for item in policy.ports:
                        proto, low, high = parse_port(self.services.get(item, item))
                        if policy.verb != "deny":
                            table.setdefault((source, target), []).append(
                                Flow(proto, low, high, policy.name, policy.verb == "permit"))
        for policy in self.policies:
            if policy.verb == "deny":  # beats every allow; the demo's policies never need splitting
                self._check_deny(policy, table)
        for source, target in table:
            if self.is_isolated(self.hosts[source], self.hosts[target]):
                raise ValueError(f"{source} -> {target} is allowed inside an isolation")
        for client in self.clients():
            table[client.name, self.balancer.name] = [
                Flow("tcp", one.port, one.port, self.balancer.name, False)
                for one in self.balancer.listeners]
        return table

    def _check_deny(self, policy, table):
        for item in policy.ports:
            proto, low, high = parse_port(self.services.get(item, item))
            for source in self.select(policy.source):
                for target in self.select(policy.target):
                    for flow in table.get((source, target), []):
                        if flow.proto == proto and flow.lo <= high and low <= flow.hi:
                            raise ValueError(f"{policy.name} denies what {flow.policy} allows")

    def allowed(self, source, target):
        """The flows that policies let `source` send to `target` (names)."""
        return self._allowed.get((source, target), [])

    def is_allowed(self, source, target, proto, port):
        return any(flow.proto == proto and flow.lo <= port <= flow.hi
                   for flow in self.allowed(source, target))

    # ---- the file ------------------------------------------------------------------------------
    def topology(self, namespace_of):
        """topology.yaml; namespace_of(host name) names the namespace its probe runs in. The one
        that is reached by ssh is known to ssh's configuration by its own name (sshhost.py)."""
        out = ["segproof: 1", "name: demo", "networks:"]
        for vpc, (v4, v6) in VPCS.items():
            out.append(f'  {vpc}: {{ kind: vpc, cidr: [{v4}, "{v6}"], owner: platform }}')
        for net in SEGMENTS:
            head = f"in: {net.vpc}, kind: subnet" if net.vpc else "kind: external"
            zone = f", zone: {net.zone}" if net.zone else ""
            hazard = ", hazard: B" if net.name in STANDINS else ""
            out.append(f'  {net.name}: {{ {head}, cidr: [{net.v4}.0/24, "{net.v6}::/64"]'
                       f'{zone}{hazard} }}')
        out.append("hosts:")
        for host in self.hosts.values():
            labels = ", ".join(f"{key}: {value}" for key, value in host.labels.items())
            labels = f", labels: {{ {labels} }}" if labels else ""
            role = "node" if self.segments[host.segment].vpc else "edge"
            probe = (f"via: ssh, target: {host.name}" if host.name == SSH_HOST else
                     f"via: netns, name: {namespace_of(host.name)}")
            out.append(f'  {host.name}: {{ network: {host.segment}, address: [{host.v4}, '
                       f'"{host.v6}"], role: {role}{labels}, '
                       f'probe: {{ {probe} }} }}')
        out.append("groups:")
        out += [f"  {name}: [{', '.join(members)}]" for name, members in self.groups.items()]
        out.append("services:")
        out += [f"  {name}: {port}" for name, port in self.services.items()]
        out.append("policies:")
        for policy in self.policies:
            out.append(f"  - {{ name: {policy.name}, from: {self._selector(policy.source)}, "
                       f"to: {self._selector(policy.target)}, "
                       f"{policy.verb}: [{', '.join(policy.ports)}], why: \"{policy.why}\" }}")
        egress = ", ".join(REJECTING)
        shop = self.balancer
        out += ["load_balancers:",
                f'  {shop.name}: {{ address: [{shop.v4}, "{shop.v6}"], from: {shop.clients}, '
                "listeners: ["]
        out += [f"    {{ port: tcp/{one.port}, backends: [{', '.join(one.backends)}], "
                f"backend_port: {one.backend_port}, mode: l4, source: preserved }},"
                for one in shop.listeners]
        out += ["  ] }", "nat:"]
        out += [f'  - {{ from: {NAT.source}, to: {NAT.target}, snat: "{addr}" }}'
                for addr in (NAT.v4, NAT.v6)]
        out += ["isolation: [ [prod, dev] ]",
                "limits: { max_rate: 5000, hazard: A }",
                "enforcement:",
                "  core: { between: [web, app, data, mgmt], layer: network, "
                "state_capacity: 65536 }",
                f"  egress: {{ between: [{egress}], layer: network, action: reject }}",
                "  dev-hosts: { between: [build, lab], layer: host }"]
        return "\n".join(out) + "\n"

    @staticmethod
    def _selector(text):
        parts = [f'"{part}"' if ":" in part else part for part in text.split(", ")]
        return parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
