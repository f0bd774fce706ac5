# SPDX-License-Identifier: Apache-2.0
"""A preset on real packets: a small Gloo Mesh installation behind a firewall that lets through what
the documents ask for and nothing else. Then one required port is closed and one that must be closed
is opened, and the run finds these two, by the names of their lines.

Run: python3 tests/netns/test_presets.py (root; says skipped where the machine cannot do it)."""
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FW, Case, World  # noqa: E402

# Nodes that are neighbours have no firewall between them, and the presets ask for none.
SEGMENTS = {"mgmt": ["m1", "m2"], "east": ["e1", "e2"], "eapi": ["api"], "edge": ["gw"], "west": ["w1"],
            "office": ["pc"]}
CLUSTERS = {"mgmt": "mgmt", "east": "east", "eapi": "east", "edge": "east", "west": "west"}
ROLES = """
use:
  - preset: gloo-mesh-gateway
    roles:
      mgmt: mgmt
      nodes: [east, west]
      istiod: [e1, w1]
      control-plane: api
      edge: gw
      eastwest: gw
      clients: office
"""
PING = "name: ping, from: any, to: any, allow: [icmp/echo, icmp6/echo]"
# What the lines of the presets open, as an administrator would write it down.
OPEN = (("east", "mgmt", "9900, 4317"), ("west", "mgmt", "9900, 4317"), ("east", "eapi", "6443"),
        ("west", "eapi", "6443"), ("eapi", "east", "10250, 15017"), ("west", "edge", "15443"),
        ("office", "edge", "80, 443"))


class Presets(Case):
    """Two workload clusters, their management and an office."""

    @classmethod
    def build(cls):
        return World("presets", SEGMENTS)

    def firewall(self, *wrong):
        """Wrong rules stand first."""
        rules = [*wrong, *(f'iifname "{a}" oifname "{b}" tcp dport {{ {ports} }} accept'
                           for a, b, ports in OPEN)]
        self.world.lab.nft(FW, """flush ruleset
table inet fw {
 chain through {
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
  meta l4proto { icmp, ipv6-icmp } accept
""" + "\n".join(f"  {rule}" for rule in rules) + "\n }\n}\n")

    def verify(self):
        text = self.world.topology([PING], more=ROLES)
        for segment, cluster in CLUSTERS.items():
            text = text.replace(f"  {segment}: {{ ", f"  {segment}: {{ cluster: {cluster}, ", 1)
        run = self.world.verify(text)
        self.assertIsNotNone(run.data, run.err)
        self.assertEqual(run.summary["inconclusive"], 0, run.out + run.err)
        return run, text

    def test_healthy_then_two_faults(self):
        self.firewall()
        run, _ = self.verify()
        self.assertEqual((run.code, run.data["findings"]), (0, []), run.out)
        self.check(run, ("w1", "m2", "ipv6", "tcp", 9900), "holds")
        self.check(run, ("pc", "m1", "ipv4", "tcp", 6379), "holds")

        v4 = self.world.v4
        self.firewall(f"ip saddr {v4['w1']} ip daddr {v4['m1']} tcp dport 9900 drop",
                      f"ip saddr {v4['pc']} ip daddr {v4['m1']} tcp dport 6379 accept")
        run, text = self.verify()
        self.assertEqual(run.code, 1)
        line = 1 + next(n for n, one in enumerate(text.splitlines()) if "- preset:" in one)
        self.assertEqual(
            sorted((f["verdict"], f["from"], f["to"], f["family"], f["ports"], f["policy"],
                    f["line"].rpartition(":")[2]) for f in run.data["findings"]),
            [("blocked", "w1", "m1", "ipv4", "9900", "preset:gloo-mesh/relay", str(line)),
             ("leak", "pc", "m1", "ipv4", "6379", "preset:gloo-mesh/redis-closed", str(line))])


if __name__ == "__main__":
    unittest.main(verbosity=2)
