# SPDX-License-Identifier: Apache-2.0
"""Causes on real packets: as many wrong rules as the firewall has, as many causes does the report have,
each with all of its flows, and its repair repairs it.

Run: python3 tests/netns/test_causes.py (root; says skipped where the machine cannot do it)."""
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World  # noqa: E402

LEFT, RIGHT = ("a1", "a2", "a3"), ("b1", "b2", "b3", "b4")
POLICIES = ["name: web, from: left, to: right, allow: [tcp/80, udp/80]",
            "name: back, from: right, to: left, allow: [tcp/80, udp/80]",
            "name: ping, from: any, to: any, allow: [icmp/echo, icmp6/echo]"]
MORE = "enforcement:\n  fw-1: { between: [left, right], layer: network }\n"


class Causes(Case):
    """Three hosts, four hosts and a firewall between them."""

    @classmethod
    def build(cls):
        return World("causes", {"left": LEFT, "right": RIGHT})

    def firewall(self, *wrong, policy="drop"):
        """Declared rules, and wrong ones behind them."""
        rules = "\n".join(f"  {rule}" for rule in wrong)
        self.world.lab.nft(FW, f"""flush ruleset
table inet fw {{
 chain through {{
  type filter hook forward priority 0; policy {policy};
  ct state established,related accept
  meta l4proto {{ tcp, udp }} th dport 80 accept
  meta l4proto {{ icmp, ipv6-icmp }} accept
{rules}
 }}
}}
""")

    def host_firewall(self, host, text):
        self.world.lab.nft(host, "flush ruleset\n" + text)

    def verify(self, *options, depth="standard", **how):
        run = self.world.verify(self.world.topology(POLICIES, **how), *options, depth=depth)
        self.assertIsNotNone(run.data, run.err)
        self.assertEqual(run.summary["inconclusive"], 0, run.out)
        self.check_partition(run)
        return run

    def check_partition(self, run):
        """Each finding is in exactly one cause."""
        told = [name for cause in run.data["causes"] for name in cause["findings"]]
        self.assertEqual(sorted(told), sorted(f["id"] for f in run.data["findings"]))
        self.assertEqual(len(told), len(set(told)))

    def flows(self, cause):
        return {(f["from"], f["to"], f["family"], f["protocol"], f["ports"])
                for f in cause["flows"]}

    def only(self, run):
        self.assertEqual(len(run.data["causes"]), 1, run.out)
        return run.data["causes"][0]

    def test_one_rule_and_two(self):
        self.firewall()
        self.assertEqual(self.verify(more=MORE).code, 0)

        # One rule that forgot its addresses: both ways, both families, whoever sends.
        self.firewall("tcp dport 22 accept")
        run = self.verify(more=MORE)
        cause = self.only(run)
        expected = {(*flow, family, "tcp", "22") for family in FAMILIES for a in LEFT for b in RIGHT
                    for flow in ((a, b), (b, a))}
        self.assertEqual(self.flows(cause), expected)
        self.assertEqual((cause["flow_count"], cause["where"], cause["enforcement"]),
                         (48, "fw-1", "fw-1"))
        self.assertEqual((cause["severity"], cause["verdict"]), ("high", "leak"))
        first = run.out.partition("CAUSES")[2].splitlines()[1]
        self.assertIn("LEAK tcp/22", first)
        self.assertLess(run.out.index("CAUSES"), run.out.index("FINDINGS"))

        # Two rules, the second one for some hosts.
        self.firewall("tcp dport 22 accept",
                      f"ip saddr {self.world.v4['a1']} tcp dport 6379 accept")
        causes = self.verify(more=MORE).data["causes"]
        self.assertEqual(len(causes), 2)
        self.assertEqual(self.flows(causes[0]), expected)
        self.assertEqual(self.flows(causes[1]),
                         {("a1", b, "ipv4", "tcp", "6379") for b in RIGHT})

    def test_default_deny_is_missing(self):
        self.firewall("tcp dport 22 drop", policy="accept")
        run = self.verify(more=MORE)
        cause = self.only(run)
        self.assertRegex(cause["cause"], "nothing filters")
        self.assertGreaterEqual(len(run.data["findings"]), 48)

    def test_ipv6_is_missing(self):
        self.firewall("meta nfproto ipv6 accept")
        cause = self.only(self.verify(more=MORE))
        self.assertRegex(cause["cause"], "IPv6")
        self.assertEqual({f["family"] for f in cause["flows"]}, {"ipv6"})

    def test_declared_rule_is_missing(self):
        self.firewall(f"ip6 daddr {self.world.v6['b1']} tcp dport 8123 accept",
                      f"ip daddr {self.world.v4['b2']} tcp dport 8123 accept")
        more = "name: api, from: left, to: right, allow: tcp/8123"
        run = self.world.verify(self.world.topology([*POLICIES, more], more=MORE), depth="quick")
        self.check_partition(run)
        cause = self.only(run)
        self.assertEqual((cause["verdict"], cause["policy"], cause["where"]),
                         ("blocked", "api", "fw-1"))
        self.assertEqual(cause["flow_count"], 2 * 3 * 4 - 6)

    def test_host_firewalls_are_two(self):
        """Where hosts guard themselves, each one that does not is a cause of its own."""
        self.firewall(policy="accept")
        guard = """table inet own {
 chain in { type filter hook input priority 0; policy drop;
  ct state established,related accept
  iif lo accept
  meta l4proto { tcp, udp } th dport 80 accept
  meta l4proto { icmp, ipv6-icmp } accept
 }
}
"""
        for host in (*LEFT, *RIGHT):
            self.host_firewall(host, "" if host in ("b1", "b2") else guard)
        try:
            more = MORE.replace("layer: network", "layer: host")
            causes = self.verify(more=more).data["causes"]
            self.assertEqual(sorted(cause["where"] for cause in causes), ["b1", "b2"])
            self.assertEqual({f["to"] for f in causes[0]["flows"]}, {causes[0]["where"]})
        finally:
            for host in (*LEFT, *RIGHT):
                self.host_firewall(host, "")


class Bypass(Case):
    """What passes a filter that stops plain packets: one cause for each mistake, not for each way in."""

    @classmethod
    def build(cls):
        return World("evade", {"left": ["a1", "a2"], "right": ["b1"]})

    def verify(self, *rules, policy="drop"):
        lines = "\n".join(f"  {rule}" for rule in rules)
        self.world.lab.nft(FW, "flush ruleset")
        self.world.lab.nft(FW, f"""table inet fw {{
 chain through {{
  type filter hook forward priority 0; policy {policy};
{lines}
  meta l4proto {{ tcp, udp }} th dport 80 accept
  icmp type echo-request accept
  icmpv6 type echo-request accept
 }}
}}
""")
        self.world.lab.commit()
        text = self.world.topology(
            ["name: web, from: left, to: right, allow: [tcp/80, udp/80]",
             "name: ping, from: any, to: any, allow: [icmp/echo, icmp6/echo]"],
            limits="max_rate: 2000, hazard: B",
            more="enforcement:\n  fw-1: { between: [left, right], layer: network }\n")
        run = self.world.verify(text, "--from", "left", "--to", "right", depth="standard")
        self.assertIsNotNone(run.data, run.err)
        self.assertEqual(run.summary["inconclusive"], 0, run.err + run.out)
        return run

    def test_stateless(self):
        run = self.verify("iifname right accept", "tcp flags & ack == ack accept",
                          "tcp flags & rst == rst accept")
        self.assertEqual(len(run.data["causes"]), 1, run.out)
        cause = run.data["causes"][0]
        self.assertRegex(cause["cause"], "stateless")
        self.assertRegex(cause["remedy"], "ct state invalid drop")
        self.assertEqual({f["technique"] for f in cause["flows"]},
                         {"tcp_ack", "tcp_synack", "tcp_rst"})
        self.assertEqual((cause["flow_count"], cause["where"]), (4, "fw-1"))
        # The plain packet holds there: the bypass is as bad as a leak.
        self.assertEqual(cause["severity"], "high")
        self.assertIn("  by tcp_ack, tcp_rst, tcp_synack", run.out)

    def test_source_ports_and_a_plain_hole(self):
        """Two rules that trust a source port and one that opens a port: three causes. What is asked
        of the open port in other ways belongs to the rule that opens it."""
        run = self.verify("ct state invalid drop", "ct state established,related accept",
                          "udp sport 53 accept",
                          "tcp sport 20 tcp flags & (fin | syn | rst | ack) == syn accept",
                          "tcp dport 22 accept")
        causes = {cause["cause"]: cause for cause in run.data["causes"]}
        self.assertEqual(len(causes), 3, run.out)
        self.assertEqual(len(run.data["causes"]), 3, run.out)
        told = sorted(text for text in causes if "source port" in text)
        self.assertEqual(["20" in told[0], "53" in told[1]], [True, True], told)
        opened = next(cause for text, cause in causes.items() if "source port" not in text)
        self.assertIn("tcp_syn", {f["technique"] for f in opened["flows"]})
        self.assertEqual({f["ports"] for f in opened["flows"]}, {"22"})

    def test_no_filter(self):
        """Nothing is learned from a bypass where a plain packet passes."""
        run = self.verify(policy="accept")
        self.assertEqual(len(run.data["causes"]), 1, run.out)
        self.assertRegex(run.data["causes"][0]["cause"], "nothing filters")


if __name__ == "__main__":
    unittest.main()
