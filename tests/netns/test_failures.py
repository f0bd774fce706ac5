# SPDX-License-Identifier: Apache-2.0
"""Known failures of clusters, between segments: each is rebuilt, must be named, and a healthy twin
must raise no alarm. The numbers are those of FAILURES.md.

Run: python3 tests/netns/test_failures.py (root; says skipped where the machine cannot do it)."""
import sys
import unittest

sys.dont_write_bytecode = True
from failing import FW, OPEN, FailureCase, forward  # noqa: E402
from harness import SEGPROOF, World  # noqa: E402

NODES = [("api", "n1"), ("api", "n2")]


def input_drops(*rules):
    """What a host's own firewall, or the security group of a node, drops."""
    lines = "\n".join(f"  {rule} drop" for rule in rules)
    return (f"{OPEN}table inet own {{\n chain in {{\n"
            f"  type filter hook input priority 0; policy accept;\n{lines}\n }}\n}}\n")


class ControlPlane(FailureCase):
    """cp, pods, edge -- fw -- nodes: what a managed cluster needs between its control plane, its
    load balancers and its nodes."""

    POLICIES = ("name: api-to-nodes, from: cp, to: nodes, allow: [tcp/443, tcp/10250]",
                "name: istio, from: [cp, pods], to: nodes, allow: [tcp/15012, tcp/15017]",
                "name: gloo, why: validation webhook of Gloo, from: cp, to: nodes, "
                "allow: tcp/8443",
                "name: traffic, from: edge, to: nodes, allow: tcp/30443",
                "name: health, from: edge, to: nodes, allow: tcp/10256",
                "name: mesh, from: pods, to: nodes, allow: [tcp/15008, tcp/8080]")
    API = "tcp dport { 443, 10250 } iifname cp accept"
    ISTIO = "tcp dport { 15012, 15017 } iifname { cp, pods } accept"
    GLOO = "tcp dport 8443 iifname cp accept"
    TRAFFIC = "tcp dport 30443 iifname edge accept"
    HEALTH = "tcp dport 10256 iifname edge accept"
    MESH = "tcp dport { 15008, 8080 } iifname pods accept"
    HEALTHY = (API, ISTIO, GLOO, TRAFFIC, HEALTH, MESH)

    @classmethod
    def build(cls):
        return World("fail", {"cp": ["api"], "nodes": ["n1", "n2"], "pods": ["pod"],
                              "edge": ["prober"]})

    def test_01_webhook_of_the_mesh_is_blocked(self):
        """The provider's rules open 443 and 10250 alone."""
        self.lab.nft(FW, forward(self.API, self.GLOO, self.HEALTH, self.MESH,
                                 "tcp dport 15012 iifname { cp, pods } accept",
                                 "tcp dport 15017 iifname pods accept"))
        run = self.verify("--from", "cp", "--to", "nodes")
        self.names(run, "so cp does not reach tcp/15017 of nodes, istiod's webhook",
                   "creating pods and gateways times out", verdict="blocked", flows=NODES)
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()

    def test_02_webhook_of_the_gateway_is_blocked(self):
        self.lab.nft(FW, forward(self.API, self.ISTIO, self.HEALTH, self.MESH))
        run = self.verify("--from", "cp", "--to", "nodes")
        self.names(run, "so cp does not reach tcp/8443 of nodes, an admission webhook",
                   "times out", verdict="blocked", flows=NODES)
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()

    def test_03_works_from_the_wrong_place(self):
        """A pod reaches the webhook; the API server, which needs it, does not."""
        self.lab.nft(FW, forward(self.API, self.GLOO, self.HEALTH, self.MESH,
                                 "tcp dport { 15012, 15017 } iifname pods accept"))
        run = self.verify("--from", "cp,pods", "--to", "nodes", "--only", "tcp_syn")
        cause = self.names(run, "others reach the same port, and packets from this source are "
                           "dropped", "a test from elsewhere would have passed",
                           "so cp does not reach tcp/15012 of nodes", verdict="blocked",
                           flows=NODES)
        self.assertEqual(cause["where"], "cp -> nodes")
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()

    def test_04_security_group_of_the_nodes(self):
        """The packets come to the nodes, whose own rules do not know the ports."""
        for node in ("n1", "n2"):
            self.break_(node, input_drops("tcp dport { 15012, 15017 }"))
        run = self.verify("--from", "cp", "--to", "nodes")
        for node in ("n1", "n2"):
            cause = next(c for c in run.data["causes"] if c["where"] == node)
            self.assertIn("the receiver's own firewall drops it", cause["cause"], self.told(run))
            for words in ("tcp/15012 of nodes, istiod's xDS", "tcp/15017 of nodes, istiod's "
                          "webhook"):
                self.assertIn(words, cause["cause"], self.told(run))
        self.assertEqual((run.code, len(run.data["causes"])), (1, 2), self.told(run))
        for node in ("n1", "n2"):
            self.lab.nft(node, OPEN)
        self.healthy()

    def test_18_tunnel_of_the_mesh_is_blocked(self):
        """The policy knows the application's port, and not the one that the mesh carries it on."""
        self.lab.nft(FW, forward(self.API, self.ISTIO, self.GLOO, self.HEALTH,
                                 "tcp dport 8080 iifname pods accept"))
        run = self.verify("--from", "pods", "--to", "nodes")
        self.names(run, "so pods does not reach tcp/15008 of nodes, HBONE, the mTLS tunnel",
                   "whatever port the application has", verdict="blocked",
                   flows=[("pod", "n1"), ("pod", "n2")])
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()

    def test_24_health_check_is_blocked(self):
        self.lab.nft(FW, forward(self.API, self.ISTIO, self.GLOO, self.TRAFFIC, self.MESH))
        run = self.verify("--from", "edge", "--to", "nodes")
        self.names(run, "so edge does not reach tcp/10256 of nodes, the health check of kube-proxy",
                   "load balancers take every node out of service", verdict="blocked",
                   flows=[("prober", "n1"), ("prober", "n2")])
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()

    def test_05_proxy_takes_the_calls(self):
        """What should go straight to the webhook is redirected to a proxy on the way."""
        self.lab.listen({FW: ["tcp/3128"]})
        self.lab.nft(FW, forward(*self.HEALTHY) + "table inet nat {\n chain pre {\n  type nat hook "
                     "prerouting priority dstnat;\n  iifname cp tcp dport 15017 redirect to :3128\n "
                     "}\n}\n")
        run = self.verify("--from", "cp", "--to", "nodes")
        self.names(run, "something on the path answers in place of the receiver",
                   "so cp does not reach tcp/15017 of nodes, istiod's webhook", verdict="proxied",
                   flows=NODES)
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()

    def test_15_one_host_of_the_segment_has_no_route(self):
        """A peering that knows a part of the segment's addresses: one works, its neighbour does
        not."""
        rules = [f"rule {{}} iif cp to {self.world.v4['n2']} blackhole",
                 f"-6 rule {{}} iif cp to {self.world.v6['n2']} blackhole"]
        self.change(FW, *[rule.format("add") for rule in rules],
                    undo=[rule.format("del") for rule in rules])
        run = self.verify("--from", "cp,pods", "--to", "nodes", "--only", "tcp_syn")
        self.names(run, "a neighbour in the receiver's segment is reached, and this host is not",
                   "a route or a rule does not cover its address", verdict="blocked",
                   flows=[("api", "n2")])
        self.doCleanups()
        self.healthy()

    def test_17_masquerade_hides_the_sender(self):
        self.lab.nft(FW, forward(*self.HEALTHY) + "table inet nat {\n chain post {\n  type nat hook"
                     " postrouting priority srcnat;\n  iifname pods tcp dport 8080 masquerade\n "
                     "}\n}\n")
        run = self.verify("--from", "pods", "--to", "nodes", "--only", "tcp_syn")
        self.names(run, "something on the path rewrites the source (SNAT, masquerade)",
                   "rules for the real sender do not match",
                   verdict="misdelivered", flows=[("pod", "n1"), ("pod", "n2")])
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()

    def test_19_ipv6_is_not_filtered(self):
        self.lab.nft(FW, forward("meta nfproto ipv6 accept", *self.HEALTHY))
        run = self.verify("--from", "pods", "--to", "nodes", depth="standard")
        cause = self.names(run, "nothing filters IPv6 where IPv4 is filtered", verdict="leak")
        self.assertEqual({f["family"] for f in cause["flows"]}, {"ipv6"})
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()

    def test_20_policy_is_not_enforced(self):
        """The objects are there, and nobody acts on them."""
        self.lab.nft(FW, forward(*self.HEALTHY, policy="accept"))
        run = self.verify("--from", "pods", "--to", "nodes")
        self.names(run, "nothing filters these flows, so the declared rules are not enforced here",
                   verdict="leak", flows=[("pod", "n1"), ("pod", "n2")])
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()


class Metadata(FailureCase):
    """pods -- fw -- link: a host with the address of a cloud's metadata service, and no probe."""

    ADDRESSES = ("169.254.169.254", "fd00:ec2::254")
    POLICIES = ("name: web, from: pods, to: nodes, allow: tcp/80",
                "name: no-metadata, from: [pods, nodes], to: metadata, deny: tcp/80")
    WEB = "tcp dport 80 iifname pods oifname nodes accept"

    @classmethod
    def build(cls):
        world = World("fmeta", {"pods": ["pod"], "nodes": ["n1"], "link": ["metadata"]})
        v4, v6 = cls.ADDRESSES
        world.lab.addr("metadata", "lo", f"{v4}/32", f"{v6}/128")
        world.lab.route(FW, f"{v4} via {world.v4['metadata']}", f"{v6} via {world.v6['metadata']}")
        world.addresses["metadata"], world.probes["metadata"] = f'[{v4}, "{v6}"]', "none"
        return world

    def topology(self):
        link = f'[{self.world.net4["link"]}.0/24, "{self.world.net6["link"]}::/64"]'
        return super().topology().replace(link, '[169.254.0.0/16, "fd00:ec2::/64"]')

    def test_21_metadata_survives_deny_all(self):
        """The policy denies everything, and the way to this address does not pass it."""
        self.lab.listen({"metadata": ["tcp/80"]})
        self.lab.nft(FW, forward(self.WEB, *(f"{ip} daddr {address} accept" for ip, address in
                                             zip(("ip", "ip6"), self.ADDRESSES))))
        run = self.verify("--from", "pods", "--to", "metadata", "--only", "tcp_syn")
        cause = self.names(run, "169.254.169.254 answers, though it is denied",
                           "169.254.169.254 is the metadata service of the cloud: it hands the "
                           "node's credentials to whoever asks", flows=[("pod", "metadata")])
        self.assertEqual(cause["severity"], "high")
        self.assertEqual({f["family"] for f in run.data["findings"]}, {"ipv4", "ipv6"})
        self.lab.nft(FW, forward(self.WEB))
        self.healthy("--from", "pods")


class Amounts(FailureCase):
    """pods -- fw -- resolvers: what works for most flows, and not for all."""

    POLICIES = ("name: dns, from: pods, to: resolvers, allow: [udp/53, tcp/53]",)
    DNS = "meta l4proto { tcp, udp } th dport 53 iifname pods accept"
    HEALTHY = (DNS,)

    @classmethod
    def build(cls):
        return World("famount", {"pods": ["pod"], "resolvers": ["dns"]})

    def test_27_datagrams_of_dns_are_lost(self):
        """Two questions in parallel, and one of them is lost: pauses of 5 s."""
        self.lab.nft(FW, forward("udp dport 53 numgen inc mod 3 == 0 drop", *self.HEALTHY))
        run = self.verify("--from", "pods", "--to", "resolvers")
        self.names(run, "datagrams are lost where TCP of the same port passes",
                   "so pods does not always reach udp/53 of resolvers, DNS", "5 s later",
                   verdict="partial", flows=[("pod", "dns")])
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy()


class Tunnels(FailureCase):
    """left -- fw -- right: IP protocols that carry tunnels."""

    POLICIES = ("name: web, from: left, to: right, allow: tcp/80",
                "name: vpn, from: left, to: right, allow: [udp/500, esp, gre]",)
    WEB = "tcp dport 80 iifname left accept"
    IKE = "udp dport 500 iifname left accept"
    TUNNELS = "meta l4proto { esp, gre } iifname left accept"
    HEALTHY = (WEB, IKE, TUNNELS)
    LIMITS = "max_rate: 2000, hazard: B"

    @classmethod
    def build(cls):
        return World("ftun", {"left": ["a"], "right": ["b"]})

    def test_32_tunnel_protocol_is_dropped(self):
        """Rules for ports do not match ESP: IKE passes, the tunnel carries nothing."""
        self.lab.nft(FW, forward(self.WEB, self.IKE))
        run = self.verify("--from", "left", "--to", "right")
        self.names(run, "the path drops this IP protocol, and passes others between the same two",
                   "so left does not reach ip/47 of right, GRE", "ip/50 of right, ESP, the data of "
                   "IPsec",
                   verdict="blocked", flows=[("a", "b")])
        self.lab.nft(FW, forward(*self.HEALTHY))
        self.healthy("--from", "left", "--to", "right")


class Overlaps(FailureCase):
    """Nothing is sent: the topology alone is wrong."""

    @classmethod
    def build(cls):
        return World("fover", {"left": ["a"], "right": ["b"]})

    def check_text(self, text):
        path = self.world.write(text, "overlap.yaml")
        return self.lab.run(FW, [SEGPROOF, "check", path])

    def test_16_overlapping_ranges(self):
        text = "".join(f"  {line}\n" for line in (
            "peered: { kind: vpc, cidr: 10.70.0.0/16 }",
            "cluster-a: { in: peered, kind: subnet, cidr: 10.70.0.0/20 }",
            "cluster-b: { in: peered, kind: subnet, cidr: 10.70.8.0/21 }"))
        topology = self.topology(["name: web, from: left, to: right, allow: tcp/80"]).replace("networks:\n", "networks:\n" + text)
        done = self.check_text(topology)
        self.assertIn("overlap", done.stdout + done.stderr)
        for name in ("cluster-a", "cluster-b"):
            self.assertIn(name, done.stdout + done.stderr)
        self.assertNotEqual(done.returncode, 0, done)
        good = self.check_text(topology.replace("10.70.8.0/21", "10.70.16.0/21"))
        self.assertEqual(good.returncode, 0, good)


if __name__ == "__main__":
    unittest.main()
