# SPDX-License-Identifier: Apache-2.0
"""IP protocols without ports on real packets: GRE, ESP, AH, tunnels, OSPF, 253 ... through a real
firewall that is open, strict, or wrong in one way. The broken worlds are those that a test of TCP,
UDP and echo calls good.

Run: python3 tests/netns/test_protocols.py (root; says skipped where the machine cannot do it)."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World  # noqa: E402
import sweeping  # noqa: E402

NUMBERS = (4, 41, 47, 50, 51, 89, 103, 112, 253)  # the risk list


def through(rules, policy="drop", table="fw"):
    """A forward chain. Echo may always pass, so that the hosts are alive."""
    return (f"table inet {table} {{\n chain through {{\n  type filter hook forward priority 0; "
            f"policy {policy};\n  ct state established,related accept\n"
            f"  meta l4proto {{ icmp, ipv6-icmp }} accept\n{rules}\n }}\n}}\n")


class Base(Case):

    @classmethod
    def build(cls):
        return World("proto", {"left": ["a"], "right": ["b"]})

    def rules(self, rules, **how):
        """A firewall that remembers nothing of the test before."""
        self.world.lab.nft(FW, "flush ruleset\n" + through(rules, **how))
        sweeping.empty_state(self.world.lab, FW)

    def run_(self, policies=(), ends=("--from", "a", "--to", "b"), more=""):
        topology = self.world.topology(
            ["name: ping, from: any, to: any, permit: [icmp/echo, icmp6/echo]", *policies],
            limits="max_rate: 2000, hazard: B", more=more)
        return self.world.verify(topology, *ends, "--only", "ip_proto", depth="standard")

    def verify(self, rules, policies=(), more="", **how):
        self.rules(rules, **how)
        return self.run_(policies, more=more)

    def each(self, run, numbers, verdict, row=None, **how):
        for family in FAMILIES:
            for number in numbers:
                with self.subTest(family=family, number=number):
                    self.check(run, ("a", "b", family, "ip", number), verdict, row, **how)


class Firewalls(Base):
    """One flow of every protocol of the risk list, denied by default."""

    def test_a_firewall_that_names_tcp_and_udp_only_leaks_all_others(self):
        run = self.verify("  meta l4proto { tcp, udp } drop", policy="accept")
        self.assertEqual(run.code, 1, run.err + run.out)
        self.each(run, NUMBERS, "leak", 1)

    def test_a_strict_firewall_holds(self):
        run = self.verify("")
        self.assertEqual(run.code, 0, run.err + run.out)
        self.each(run, NUMBERS, "holds", 7, control="self")

    def test_a_forgotten_gre_rule_leaks_gre_alone(self):
        run = self.verify("  meta l4proto gre accept")
        self.assertEqual(run.code, 1, run.err + run.out)
        self.each(run, (47,), "leak", 1)
        self.each(run, [n for n in NUMBERS if n != 47], "holds", 7)

    def test_an_unknown_protocol_may_be_refused(self):
        run = self.verify("  reject with icmpx no-route")
        self.assertEqual(run.code, 0, run.err + run.out)
        self.each(run, NUMBERS, "holds", 6)

    def test_allowed_protocols_work_and_a_blocked_one_is_found(self):
        allow = "name: vpn, from: a, to: b, allow: [esp, gre, ip/253]"
        run = self.verify("  meta l4proto { gre, 253 } accept", [allow])
        self.assertEqual(run.code, 1, run.err + run.out)
        self.each(run, (47, 253), "holds", 14)
        self.each(run, (50,), "blocked", 10, by="path")
        self.each(run, [n for n in NUMBERS if n not in (47, 50, 253)], "holds", 7, control="pair")

    def test_at_the_hosts_own_layer_its_firewall_decides(self):
        self.world.lab.nft("b", "table inet own {\n chain in {\n type filter hook input priority 0;\n"
                           " meta l4proto { gre, esp } drop\n }\n}\n")
        try:
            layer = "enforcement: { own: { between: [left, right], layer: host } }\n"
            allow = "name: ok, from: a, to: b, allow: ip/253"
            run = self.verify("", [allow], layer, policy="accept")
            self.each(run, (47, 50), "holds", 7, by="receiver", control="pair")
            self.each(run, (4, 41, 51, 89, 103, 112), "leak", 1)
            allow = "name: ok, from: a, to: b, allow: [ip/253, gre]"
            run = self.verify("", [allow], policy="accept")
            self.each(run, (47,), "host_filtered", 11)
        finally:
            self.world.lab.nft("b", "flush ruleset")


class Directions(Base):
    """A firewall remembers such a protocol by addresses alone: what it lets through one way it lets
    through the other way for ten minutes, whatever the rules say."""

    RULES = "  ip saddr 10.60.1.0/24 meta l4proto gre accept\n" \
            "  ip6 saddr fd00:60:1::/64 meta l4proto gre accept"
    ALLOW = "name: vpn, from: a, to: b, allow: gre"

    def forget(self):
        """What segproof knows of earlier runs."""
        os.unlink(os.path.join(self.world.lab.dir, "state"))

    def test_one_run_asks_one_direction(self):
        self.rules(self.RULES)
        run = self.run_([self.ALLOW], ends=())
        self.assertEqual(run.code, 0, run.err + run.out)
        asked = {end: set() for end in ("ab", "ba")}
        for family in FAMILIES:
            self.check(run, ("a", "b", family, "ip", 47), "holds", 14)
            for number in NUMBERS:
                found = [run.fact(*ends, family, "ip", number).verdict
                         for ends in (("a", "b"), ("b", "a"))]
                self.assertEqual(sorted(found), ["absent", "holds"], (family, number))
                asked["ab" if found[0] == "holds" else "ba"].add(number)
        self.assertTrue(asked["ab"] and asked["ba"])  # neither is left out as a whole
        self.assertIn("the other direction is tested", " ".join(run.untested()))

    def test_the_next_run_knows_what_was_sent(self):
        self.rules(self.RULES)
        self.run_([self.ALLOW])
        back = ("--from", "b", "--to", "a")
        run = self.run_([self.ALLOW], ends=back)
        self.assertNotEqual(run.code, 1, run.err + run.out)
        for family in FAMILIES:
            told = run.fact("b", "a", family, "ip", 47).verdict
            self.assertIn(told, ("absent", "not_observable"))
        self.assertIn("an earlier run sent this protocol", " ".join(run.untested()))
        self.forget()  # and this is what it would have found: a leak that it made itself
        run = self.run_([self.ALLOW], ends=back)
        self.each_back(run, (47,), "leak")
        sweeping.empty_state(self.world.lab, FW)
        self.forget()
        run = self.run_([self.ALLOW], ends=back)
        self.each_back(run, (47,), "holds")

    def each_back(self, run, numbers, verdict):
        for family in FAMILIES:
            for number in numbers:
                self.check(run, ("b", "a", family, "ip", number), verdict)


class Types(Base):
    """ICMP and ICMPv6 of other types than echo. Errors quote a datagram that was never sent, so a
    firewall that passes them passes whatever somebody makes up."""

    TYPES = {"ipv4": ("icmp", ("echo-reply", "3.4", "4.0", "9.0", "10.0", "time-exceeded", "12.0",
                               "timestamp", "15.0", "17.0", "42.0")),
             "ipv6": ("icmp6", ("unreachable", "too-big", "time-exceeded", "4.1", "echo-reply",
                                "138.0", "139.0", "160.0"))}

    def run_types(self, rules, policies=(), policy="drop"):
        self.world.lab.nft(FW, "flush ruleset\ntable inet fw {\n chain through {\n  type filter hook "
                           f"forward priority 0; policy {policy};\n  ct state established accept\n"
                           "  icmp type echo-request accept\n  icmpv6 type echo-request accept\n"
                           f"{rules}\n }}\n}}\n")
        sweeping.empty_state(self.world.lab, FW)
        topology = self.world.topology(
            ["name: ping, from: a, to: b, allow: [icmp/echo, icmp6/echo]", *policies],
            limits="max_rate: 2000, hazard: B")
        return self.world.verify(topology, "--from", "a", "--to", "b", "--only", "icmp_type",
                                 "--only", "icmp_echo", depth="standard")

    def all_types(self, run, verdict, row, but=(), **how):
        for family, (proto, types) in self.TYPES.items():
            for name in types:
                if (proto, name) not in but:
                    with self.subTest(proto=proto, type=name):
                        self.check(run, ("a", "b", family, proto, name), verdict, row, **how)

    def some(self, run, pairs, verdict, row, **how):
        for proto, name in pairs:
            family = "ipv4" if proto == "icmp" else "ipv6"
            with self.subTest(proto=proto, type=name):
                self.check(run, ("a", "b", family, proto, name), verdict, row, **how)

    def test_a_firewall_that_passes_all_icmp_leaks_every_type(self):
        run = self.run_types("  meta l4proto { icmp, ipv6-icmp } accept")
        self.assertEqual(run.code, 1, run.err + run.out)
        self.all_types(run, "leak", 1)
        self.some(run, [("icmp", "echo"), ("icmp6", "echo")], "holds", 14)

    def test_a_strict_firewall_holds(self):
        run = self.run_types("")
        self.assertEqual(run.code, 0, run.err + run.out)
        self.all_types(run, "holds", 7, control="pair")

    def test_errors_by_type_instead_of_by_relation_leak(self):
        run = self.run_types("  icmp type { destination-unreachable, time-exceeded } accept\n"
                             "  icmpv6 type { destination-unreachable, packet-too-big, "
                             "time-exceeded } accept")
        self.assertEqual(run.code, 1, run.err + run.out)
        leaks = [("icmp", "3.4"), ("icmp", "time-exceeded"), ("icmp6", "unreachable"),
                 ("icmp6", "too-big"), ("icmp6", "time-exceeded")]
        self.some(run, leaks, "leak", 1)
        self.all_types(run, "holds", 7, but=leaks)

    def test_errors_by_relation_hold(self):
        run = self.run_types("  ct state related accept")
        self.assertEqual(run.code, 0, run.err + run.out)
        self.all_types(run, "holds", 7)

    def test_allowed_types_are_judged_by_their_arrival(self):
        allow = "name: clock, from: a, to: b, allow: [icmp/timestamp, icmp/17, icmp/3.4, " \
                "icmp6/139, icmp6/160, icmp6/too-big]"
        run = self.run_types("  icmp type { timestamp-request, destination-unreachable } accept\n"
                             "  icmpv6 type { 139, packet-too-big } accept", [allow])
        self.assertEqual(run.code, 1, run.err + run.out)
        good = [("icmp", "timestamp"), ("icmp", "3.4"), ("icmp6", "139.0"), ("icmp6", "too-big")]
        bad = [("icmp", "17.0"), ("icmp6", "160.0")]
        self.some(run, good, "holds", 14)
        self.some(run, bad, "blocked", 10, by="path")
        self.all_types(run, "holds", 7, but=good + bad)


class Associations(Base):
    """SCTP, which hosts here have none of: the receiver's probe answers where a flow must work."""

    PORTS = (1, 2905, 3868, 36412, 65535)  # both edges and the risk list

    def run_sctp(self, rules, policies=(), policy="drop"):
        self.rules(rules, policy=policy)
        topology = self.world.topology(
            ["name: ping, from: any, to: any, permit: [icmp/echo, icmp6/echo]", *policies],
            limits="max_rate: 2000, hazard: B")
        return self.world.verify(topology, "--from", "a", "--to", "b", "--only", "sctp_init",
                                 "--only", "sctp_cookie", depth="standard")

    def ports(self, run, ports, verdict, row, **how):
        for family in FAMILIES:
            for port in ports:
                with self.subTest(family=family, port=port):
                    self.check(run, ("a", "b", family, "sctp", port), verdict, row, **how)

    def findings(self, run, technique):
        return {(f["family"], f["verdict"]) for f in run.data["findings"]
                if f["technique"] == technique}

    def test_a_firewall_that_names_tcp_and_udp_only_leaks(self):
        run = self.run_sctp("  meta l4proto { tcp, udp } drop", policy="accept")
        self.assertEqual(run.code, 1, run.err + run.out)
        self.ports(run, self.PORTS, "leak", 1)

    def test_a_strict_firewall_holds(self):
        run = self.run_sctp("")
        self.assertEqual(run.code, 0, run.err + run.out)
        self.ports(run, self.PORTS, "holds", 7)

    def test_an_allowed_port_works_and_a_blocked_one_is_found(self):
        allow = "name: s1, from: a, to: b, allow: [sctp/36412, sctp/3868]"
        run = self.run_sctp("  sctp dport 36412 accept", [allow])
        self.assertEqual(run.code, 1, run.err + run.out)
        self.ports(run, (36412,), "holds", 14)
        self.ports(run, (3868,), "blocked", 10)
        self.ports(run, (1, 2905, 65535), "holds", 7, control="pair")

    def test_a_filter_of_init_alone_passes_the_cookie(self):
        run = self.run_sctp("  sctp dport 36412 accept\n  sctp chunk init exists drop",
                            ["name: s1, from: a, to: b, allow: sctp/36412"], policy="accept")
        self.assertEqual(run.code, 1, run.err + run.out)
        both = {(family, "leak") for family in FAMILIES}
        self.assertEqual(self.findings(run, "sctp_cookie"), both, run.out)
        self.assertEqual(self.findings(run, "sctp_init"), set(), run.out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
