# SPDX-License-Identifier: Apache-2.0
"""Translation on the path by a real firewall: source, destination and masquerade, declared and
undeclared, both families, TCP and UDP. What is declared holds; what is not is told with the
addresses and ports that were captured.

Run: python3 tests/netns/test_translation.py (root; says skipped where it cannot be done)."""
import sys
import unittest

sys.dont_write_bytecode = True
from fooling import OPEN  # noqa: E402
from harness import FAMILIES, FW, Case, World  # noqa: E402

PROTOS = ("tcp", "udp")
L4 = "meta l4proto { tcp, udp } th dport"
IP = {"ipv4": "ip", "ipv6": "ip6"}
SEEN_AS = {"ipv4": "10.60.2.254", "ipv6": "fd00:60:2::254"}  # on the segment of the receivers
ALIAS = {"ipv4": "10.60.9.80", "ipv6": "fd00:60:9::80"}  # routed to the firewall, owned by nobody
DROP = (" chain through {\n  type filter hook forward priority 0; policy drop;\n"
        "  ct state established,related accept\n"
        f"  {L4} {{ 80, 81, 8443 }} accept\n  meta l4proto {{ icmp, ipv6-icmp }} accept\n }}\n")
POLICIES = ["name: ok, from: a, to: b, allow: [tcp/80, udp/80, icmp/echo, icmp6/echo]",
            "name: moved, from: a, to: b, allow: [tcp/81, udp/81]",
            "name: closed, from: a, to: b, deny: [tcp/2001, udp/2001]",
            "name: ok-c, from: a, to: c, allow: [tcp/80, udp/80]"]


def nat(chain, lines, forward=""):
    """A ruleset with one nat chain. lines: "... %s ..." is written once per family."""
    head = {"pre": "type nat hook prerouting priority dstnat;",
            "post": "type nat hook postrouting priority srcnat;"}[chain]
    body = "".join(f"  {line}\n" for family in FAMILIES for line in lines(family))
    return OPEN + f"table inet fw {{\n{forward} chain {chain} {{\n  {head}\n{body} }}\n}}\n"


class Translation(Case):
    """a, d -- fw -- b, c."""

    @classmethod
    def build(cls):
        world = World("nat", {"left": ["a", "d"], "right": ["b", "c"]})
        world.lab.addr(FW, "right", f"{SEEN_AS['ipv4']}/24", f"{SEEN_AS['ipv6']}/64")
        return world

    def setUp(self):
        self.lab = self.world.lab
        self.lab.nft(FW, OPEN)

    def start(self, more="", hosts=None, to="b,c"):
        text = self.world.topology(POLICIES, limits="max_rate: 1000", more=more)
        for host, addition in (hosts or {}).items():
            at = f"address: {self.world.addresses[host]}"
            self.assertIn(at, text)
            text = text.replace(at, f"{at}, {addition}")
        return self.world.verify(text, "--from", "a", "--to", to, "-v")

    def captured(self, run, flow):
        """The captured tuple of the finding of this flow."""
        for item in run.data["findings"]:
            ends = (item["from"], item["to"], item["family"], item["protocol"])
            if ends == flow[:4] and str(flow[4]) in item["ports"].split(","):
                self.assertIn("captured", item["observed"], item)
                return item["observed"]["captured"]
        self.fail(f"no finding of {flow}: {run.out}")

    def expect_moved(self, run, flow, verdict, row, **where):
        """A finding whose captured tuple has these fields."""
        fact = self.check(run, flow, verdict, row)
        seen = self.captured(run, flow)
        self.assertEqual(set(seen), {"src", "sport", "dst", "dport"})
        for key, value in where.items():
            self.assertEqual(seen[key], value, f"{flow}: {seen}")
        ends = [f"[{seen[ip]}]" if ":" in seen[ip] else seen[ip] for ip in ("src", "dst")]
        shown = " ".join(run.out.split())
        self.assertIn(f"{ends[0]}:{seen['sport']} -> {ends[1]}:{seen['dport']}", shown)
        return fact

    # ---- undeclared ----
    def test_undeclared_source(self):
        """Of some ports only, so that the controls stay as they are."""
        self.lab.nft(FW, nat("post", lambda family: [
            f"{L4} {{ 81, 2001 }} snat {IP[family]} to {SEEN_AS[family]}"]))
        run = self.start()
        for family in FAMILIES:
            for proto in PROTOS:
                self.check(run, ("a", "b", family, proto, 80), "holds", 14)
                self.expect_moved(run, ("a", "b", family, proto, 81), "misdelivered", 8,
                                  src=SEEN_AS[family], dst=self.world.address("b", family),
                                  dport=81)
                self.expect_moved(run, ("a", "b", family, proto, 2001), "leak", 1,
                                  src=SEEN_AS[family], dport=2001)
        self.assertEqual(run.code, 1)

    def test_undeclared_masquerade_of_everything(self):
        """No control arrives as declared: nothing denied holds, nothing allowed is as declared."""
        for forward, closed in (("", "leak"), (DROP, "inconclusive")):
            self.lab.nft(FW, nat("post", lambda family: [
                f"meta nfproto {family} oifname right masquerade"], forward))
            run = self.start(to="b")
            for family in FAMILIES:
                for proto in PROTOS:
                    flow = ("a", "b", family, proto)
                    self.expect_moved(run, (*flow, 81), "misdelivered", 8,
                                      dst=self.world.address("b", family), dport=81)
                    self.assertNotEqual(self.captured(run, (*flow, 81))["src"],
                                        self.world.address("a", family))
                    self.check(run, (*flow, 2001), closed)
                ping = ("a", "b", family, "icmp" if family == "ipv4" else "icmp6", "echo")
                self.check(run, ping, "misdelivered", 8)
                self.assertEqual(set(self.captured(run, ping)), {"src", "dst"})
            self.assertEqual(run.code, 1)

    def test_undeclared_destination_port(self):
        self.lab.nft(FW, nat("pre", lambda family: [
            f"meta nfproto {family} {L4} {{ 81, 2001 }} dnat {IP[family]} to "
            f"{self.other_port(family)}"]))
        run = self.start()
        for family in FAMILIES:
            for proto in PROTOS:
                to = {"dst": self.world.address("b", family), "dport": 8443,
                      "src": self.world.address("a", family)}
                self.expect_moved(run, ("a", "b", family, proto, 81), "misdelivered", 8, **to)
                self.expect_moved(run, ("a", "b", family, proto, 2001), "leak", 1, **to)

    def other_port(self, family):
        address = self.world.address("b", family)
        return f"{address}:8443" if family == "ipv4" else f"[{address}]:8443"

    def test_undeclared_destination_host(self):
        """To another probe: it is named, and so is what it got."""
        self.lab.nft(FW, nat("pre", lambda family: [
            f"{IP[family]} daddr {self.world.address('b', family)} {L4} {{ 81, 2001 }} "
            f"dnat {IP[family]} to {self.world.address('c', family)}"]))
        run = self.start()
        for family in FAMILIES:
            for proto in PROTOS:
                for port, verdict, row in ((81, "misdelivered", 8), (2001, "leak", 2)):
                    fact = self.expect_moved(run, ("a", "b", family, proto, port), verdict, row,
                                             dst=self.world.address("c", family), dport=port)
                    self.assertEqual(fact.where, "c")
                self.check(run, ("a", "c", family, proto, 80), "holds", 14)

    # ---- declared ----
    def all_as_declared(self, run):
        for family in FAMILIES:
            for proto in PROTOS:
                for port in (80, 81):
                    self.check(run, ("a", "b", family, proto, port), "holds", 14)
                self.check(run, ("a", "b", family, proto, 2001), "holds", 7, control="pair")
            self.check(run, ("a", "b", family, "icmp" if family == "ipv4" else "icmp6", "echo"),
                       "holds", 14)
        self.assertEqual((run.code, run.data["findings"]), (0, []), run.err + run.out)

    def a_hole_leaks(self, run):
        for family in FAMILIES:
            for proto in PROTOS:
                self.check(run, ("a", "b", family, proto, 2001), "leak", 1)
                self.check(run, ("a", "b", family, proto, 81), "holds", 14)

    SNAT = "nat:\n" + "".join(f"  - {{ from: left, to: right, snat: \"{SEEN_AS[family]}\" }}\n"
                              for family in FAMILIES)
    DNAT = "nat:\n" + "".join(f"  - {{ from: a, to: b, dnat: \"{ALIAS[family]}\" }}\n"
                              for family in FAMILIES)

    @staticmethod
    def source(kind, forward):
        return nat("post", lambda family: [
            f"meta nfproto {family} oifname right " + (
                "masquerade" if kind == "masquerade" else
                f"snat {IP[family]} to {SEEN_AS[family]}")], forward)

    def test_declared_source(self):
        seen = {"a": f"seen_as: {{ right: [{SEEN_AS['ipv4']}, \"{SEEN_AS['ipv6']}\"] }}"}
        self.lab.nft(FW, self.source("snat", DROP))
        self.all_as_declared(self.start(self.SNAT, to="b"))
        self.all_as_declared(self.start(hosts=seen, to="b"))
        self.lab.nft(FW, self.source("snat", ""))
        self.a_hole_leaks(self.start(self.SNAT, to="b"))

    def test_declared_masquerade(self):
        """Of a router that has one address there: what it will be is known, and declared."""
        for cidr in (f"{SEEN_AS['ipv4']}/24", f"{SEEN_AS['ipv6']}/64"):
            self.lab.run(FW, ["ip", "addr", "del", cidr, "dev", "right"], check=True)
            self.addCleanup(self.lab.run, FW, ["ip", "addr", "replace", cidr, "dev", "right"])
        more = self.SNAT.replace(SEEN_AS["ipv4"], "10.60.2.1").replace(SEEN_AS["ipv6"],
                                                                       "fd00:60:2::1")
        self.lab.nft(FW, self.source("masquerade", DROP))
        self.all_as_declared(self.start(more, to="b"))
        self.lab.nft(FW, self.source("masquerade", ""))
        self.a_hole_leaks(self.start(more, to="b"))

    def test_declared_source_is_another(self):
        """Declared, but not with the address that the firewall uses."""
        self.lab.nft(FW, self.source("snat", DROP))
        more = self.SNAT.replace(SEEN_AS["ipv4"], "10.60.2.253").replace(SEEN_AS["ipv6"],
                                                                         "fd00:60:2::253")
        run = self.start(more, to="b")
        for family in FAMILIES:
            for proto in PROTOS:
                self.expect_moved(run, ("a", "b", family, proto, 81), "misdelivered", 8,
                                  src=SEEN_AS[family])
                self.check(run, ("a", "b", family, proto, 2001), "inconclusive")

    def destination(self, forward):
        return nat("pre", lambda family: [
            f"{IP[family]} daddr {ALIAS[family]} dnat {IP[family]} to "
            f"{self.world.address('b', family)}"], forward)

    def test_declared_destination(self):
        self.lab.nft(FW, self.destination(DROP))
        self.all_as_declared(self.start(self.DNAT, to="b"))
        self.lab.nft(FW, self.destination(""))
        self.a_hole_leaks(self.start(self.DNAT, to="b"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
