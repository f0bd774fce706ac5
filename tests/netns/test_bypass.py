# SPDX-License-Identifier: Apache-2.0
"""Bypass techniques against real firewalls, IPv4 and IPv6: what each passes in a filter that lets
everything through, in a strict one, and in some that are nearly right, as they are found in the
wild. In all of these but the first a plain SYN and a plain datagram are stopped: without the
techniques the hole would not be seen. Every cell of the table is asserted.

Run: python3 tests/netns/test_bypass.py (root; says skipped where the machine cannot do it)."""
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World  # noqa: E402

TCP = ("tcp_ack", "tcp_badsum", "tcp_fin", "tcp_null", "tcp_rst", "tcp_sport", "tcp_synack",
       "tcp_xmas")
UDP = ("udp_badsum", "udp_sport")
TECHNIQUES = TCP + UDP
SPORTS = 9  # source ports that *_sport tries, a test each
BOTH = "meta l4proto { tcp, udp } th dport 80 accept\n  meta l4proto { icmp, ipv6-icmp } accept"

# Rules of the forward chain by name, and the techniques that pass them.
FILTERS = {
    # No filter at all.
    "permissive": ("policy accept;", set(TECHNIQUES)),
    # State, and nothing that has none.
    "strict": (f"""policy drop;
  ct state invalid drop
  ct state established,related accept
  tcp flags & (fin | syn | rst | ack) != syn drop
  {BOTH}""", set()),
    # Answers are let back in by their flags.
    "stateless": (f"""policy drop;
  iifname right accept
  {BOTH}
  tcp flags & ack == ack accept
  tcp flags & rst == rst accept""", {"tcp_ack", "tcp_synack", "tcp_rst"}),
    # What Linux calls "new" is stopped, and nobody thought of what is invalid.
    "new only": (f"""policy accept;
  ct state established,related accept
  {BOTH}
  ct state new drop""", {"tcp_badsum", "tcp_fin", "tcp_null", "tcp_rst", "tcp_synack", "tcp_xmas",
                         "udp_badsum"}),
    # "No connection may be begun from outside."
    "syn only": (f"""policy accept;
  {BOTH}
  tcp flags & (syn | ack) == syn drop
  iifname left meta l4proto udp drop""", {"tcp_ack", "tcp_fin", "tcp_null", "tcp_rst", "tcp_synack",
                             "tcp_xmas"}),
    # Every combination that somebody thought of.
    "list of flags": (f"""policy accept;
  iifname right accept
  {BOTH}
  tcp flags {{ syn, ack, fin, rst, syn | ack, fin | ack, rst | ack }} drop
  iifname left meta l4proto udp drop""", {"tcp_null", "tcp_xmas"}),
    # Loose pick-up of connections in their middle: not a SYN, so it belongs to one.
    "loose": (f"""policy drop;
  ct state invalid drop
  iifname right accept
  {BOTH}
  tcp flags & (syn | ack) == ack accept""", {"tcp_ack"}),
    # Answers of name servers and of FTP are let back in by the port that they come from.
    "trusted ports": (f"""policy drop;
  ct state invalid drop
  ct state established,related accept
  {BOTH}
  udp sport 53 accept
  tcp sport 20 tcp flags & (fin | syn | rst | ack) == syn accept""", {"tcp_sport", "udp_sport"}),
}


class Filters(Case):
    """One path from a to b, and what passes its firewall."""

    @classmethod
    def build(cls):
        return World("bypass", {"left": ["a"], "right": ["b"]})

    def load(self, rules):
        # Removing the last rule that asks for state empties what the kernel remembers here.
        self.world.lab.nft(FW, "flush ruleset")
        self.world.lab.nft(FW, f"""table inet bypass {{
 chain through {{
  type filter hook forward priority 0; {rules}
 }}
}}
""")
        self.world.lab.commit()

    def verify(self, techniques=TECHNIQUES, *more, hazard="B", depth="standard"):
        text = self.world.topology(["name: ok, from: a, to: b, allow: [tcp/80, udp/80]"],
                                   limits=f"max_rate: 2000, hazard: {hazard}")
        only = [word for name in ("tcp_syn", "udp", *techniques) for word in ("--only", name)]
        return self.world.verify(text, "--from", "a", "--to", "b", *only, *more, depth=depth)

    @staticmethod
    def rows(run):
        return {(row["technique"], row["family"]): row for row in run.data["bypass_techniques"]}

    def check_cell(self, run, name, family, leaks):
        told = f"{name} over {family}\n{run.err}{run.out}"
        row = self.rows(run)[(name, family)]
        findings = [f for f in run.data["findings"]
                    if (f["technique"], f["family"]) == (name, family)]
        self.assertEqual(row["inconclusive"] + row["not_tested"], 0, told)
        self.assertGreater(row["tests"], 0, told)
        self.assertEqual(row["holds"] + row["failed"], row["tests"], told)
        self.assertEqual(bool(findings), leaks, told)
        self.assertEqual(row["failed"] > 0, leaks, told)
        for finding in findings:
            self.assertEqual((finding["verdict"], finding["row"], finding["expected"]),
                             ("leak", 1, "deny"), told)
            self.assertEqual(finding["delivered"], finding["attempts"], told)
            self.assertIn(f"--only {name}", finding["repeat"], told)

    def check_plain(self, run, leaks):
        """What a plain SYN and a plain datagram see of the same filter."""
        for name in ("tcp_syn", "udp"):
            found = [f for f in run.data["findings"] if f["technique"] == name]
            self.assertEqual(bool(found), leaks, f"{name}\n{run.out}")

    def table(self, world):
        rules, passing = FILTERS[world]
        self.load(rules)
        run = self.verify()
        self.check_plain(run, world == "permissive")
        for name in TECHNIQUES:
            for family in FAMILIES:
                with self.subTest(world=world, technique=name, family=family):
                    self.check_cell(run, name, family, name in passing)
        self.assertEqual(run.code, 1 if passing else 0, run.err + run.out)
        return run

    def test_0_permissive(self):
        self.table("permissive")

    def test_1_strict(self):
        run = self.table("strict")
        self.assertEqual(run.summary["inconclusive"], 0)
        self.assertEqual(run.data["findings"], [])

    def test_stateless(self):
        self.table("stateless")

    def test_new_only(self):
        self.table("new only")

    def test_syn_only(self):
        self.table("syn only")

    def test_list_of_flags(self):
        self.table("list of flags")

    def test_loose(self):
        self.table("loose")

    def test_trusted_ports(self):
        run = self.table("trusted ports")
        sports = {(f["technique"], f["source_ports"]) for f in run.data["findings"]}
        self.assertEqual(sports, {("tcp_sport", "20"), ("udp_sport", "53")})
        for (name, family), row in self.rows(run).items():
            if name.endswith("_sport"):
                self.assertEqual((row["tests"], row["failed"]), (SPORTS, 1), (name, family))


if __name__ == "__main__":
    unittest.main(verbosity=2)
