# SPDX-License-Identifier: Apache-2.0
"""Known failures of paths, which connections of a few small packets do not show: each is rebuilt,
must be named by `segproof trace`, and a healthy twin must be said to work. The numbers are those of
FAILURES.md.

Run: python3 tests/netns/test_failures_paths.py (root; says skipped where it cannot be done)."""
import sys
import unittest

sys.dont_write_bytecode = True
from failing import FailureCase, forward  # noqa: E402
from harness import FAMILIES, FW, Case, World  # noqa: E402
from tracing import Routers  # noqa: E402
import sweeping  # noqa: E402 (found through harness)

UDP = ("a", "b", "udp/5353")
OPEN = "flush ruleset\n"


class Sizes(Case):
    """a -- r1 -- r2 -- b"""

    @classmethod
    def build(cls):
        return Routers("ftr")

    def mtu(self, ns, dev, size):
        for bytes_ in (size, 1500):
            words = ["ip", "link", "set", dev, "mtu", str(bytes_)]
            if bytes_ == size:
                self.world.lab.run(ns, words, check=True)
            else:
                self.addCleanup(self.world.lab.run, ns, words)

    def names(self, run, family, *words):
        self.assertEqual(run.code, 1, run)
        for word in words:
            self.assertIn(word, run[family]["cause"]["text"], run)

    def healthy(self):
        """Without the fault; all tests of the class share one trace of the whole path."""
        self.doCleanups()
        if not hasattr(type(self), "whole"):
            type(self).whole = self.world.trace(*UDP)
        run = self.whole
        self.assertEqual((run.code, {run[f]["cause"]["kind"] for f in FAMILIES}), (0, {"works"}),
                         run)

    def test_12_mtu_of_the_ends_differs(self):
        """Nobody routes at the step where the size changes, so nobody can tell."""
        self.mtu("b", "eth0", 1400)
        run = self.world.trace(*UDP, "--family", "ipv4")
        self.names(run, "ipv4", "the MTUs do not match",
                   "b's link takes 1400 bytes and a's 1500", "large ones vanish")
        self.healthy()

    def test_13_fragmentation_needed_is_filtered(self):
        """A router says that it is too big, and a filter drops what it says."""
        for router in ("r1", "r2"):
            self.mtu(router, "mid", 1300)
        self.world.lab.nft("r1", f"{OPEN}table inet quiet {{\n chain out {{\n  type filter hook "
                           "output priority 0;\n  icmp type destination-unreachable drop\n  icmpv6 "
                           "type packet-too-big drop\n }\n}\n")
        self.addCleanup(self.world.lab.nft, "r1", OPEN)
        run = self.world.trace(*UDP, "--family", "ipv6")
        self.names(run, "ipv6", "small packets pass and large ones vanish",
                   "nobody says that they are too big (a path MTU black hole)")
        self.healthy()


class Hosts(FailureCase):
    """left, side -- fw -- right; b has a second interface, in back."""

    POLICIES = ("name: web, from: [left, side], to: right, allow: [tcp/80, tcp/443]",)
    HEALTHY = ("tcp dport { 80, 443 } iifname { left, side } accept",)
    MORE = "nodes:\n  b: { rp_filter: strict }\n"

    @classmethod
    def build(cls):
        world = World("fhost", {"left": ["a"], "side": ["e"], "right": ["b", "d"], "back": ["c"]})
        lab = world.lab
        lab.veth("b", "eth1", FW, "b1")
        lab.ip(FW, "link set b1 master back up")
        lab.addr("b", "eth1", f"{world.net4['back']}.99/24")
        lab.sysctl("b", **{"net.ipv4.conf.all.rp_filter": 1})
        return world

    def test_14_reverse_path_filter_drops(self):
        """Answers would leave by the second interface, so what comes in by the first is dropped."""
        for host in (FW, "e"):  # neighbours know each other, as on a network that was in use
            self.lab.run(host, ["ping", "-c1", "-W2", self.world.address("b", "ipv4")])
        net, back = self.world.net4["left"], self.world.net4["back"]
        self.change("b", f"route add {net}.0/24 via {back}.1 dev eth1",
                    undo=[f"route del {net}.0/24"])
        everybody = ("--from", "a,e", "--to", "b,d", "--only", "tcp_syn", "--only", "nodes")
        run = self.verify(*everybody)
        cause = self.names(run, "its reverse path filter is strict", "asymmetric routes",
                           verdict="host_filtered", flows=[("a", "b")])
        self.assertEqual({f["family"] for f in cause["flows"]}, {"ipv4"}, self.told(run))
        self.doCleanups()
        self.healthy(*everybody)

    def test_25_table_of_connections_is_full(self):
        """Who is new is dropped, and who was there before notices nothing."""
        own = f'[{self.world.net4["left"]}.1, "{self.world.net6["left"]}::1"]'
        text = self.topology((*self.POLICIES, "name: own, from: fw, to: any, permit: any"),
                             more="nodes:\n  router: { conntrack_free: 5% }\n").replace(
            "hosts:\n", f"hosts:\n  fw: {{ network: left, address: {own}, role: router, probe: "
            f"{{ via: netns, name: {self.lab.ns(FW)} }} }}\n")
        options = ("--from", "left", "--to", "b", "--only", "tcp_syn", "--only", "nodes")
        self.addCleanup(sweeping.empty_state, self.lab, FW)
        sweeping.fill_state(self.lab, FW)
        run = self.verify(*options, topology=text)
        self.assertEqual(run.code, 1, self.told(run))
        failed = [c for c in run.data["claims"] if c["verdict"] == "fails"]
        self.assertEqual([(c["check"], c["subject"]) for c in failed], [("conntrack", "fw")],
                         self.told(run))
        self.assertIn("when the table is full, new connections are dropped", failed[0]["cause"])
        self.assertEqual({f["verdict"] for f in run.data["findings"]}, {"blocked"}, self.told(run))
        sweeping.empty_state(self.lab, FW)
        self.healthy(*options, topology=text)


if __name__ == "__main__":
    unittest.main()
