# SPDX-License-Identifier: Apache-2.0
"""Techniques that are unusual at the IP layer, on real packets: each through firewalls that let
everything pass, that are strict, and that make one known mistake. What the probes tell must be what
the firewall does, and each mistake must be one that a plain SYN or datagram does not find.

A namespace whose rules use no connection tracking does not put fragments together; the first rule
with `ct` in it switches that on, for the namespace alone, and taking it away switches it off again
(looked at here: the kernel of these tests does both).

Run: python3 tests/netns/test_bypass_ip.py (root; says skipped where it cannot be done)."""
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World  # noqa: E402
from probes import LEFT, NIC, RECEIVER, SENDER, Probe, run_batch  # noqa: E402

FORGED, VIA = 2048, 4096
WHOLE, TAIL, HEAD = "whole", "tail", "head"
PIECES = (WHOLE, TAIL, HEAD)
FRAGMENTS = ("frag_tiny", "frag_overlap", "frag_tail")
HEADERS = ("eh_dstopts", "eh_frag", "eh_hopopts", "eh_routing")
OPTIONS = ("ip_options", "ip_lsrr", "ip_ssrr")
SPOOFED = ("spoof_own", "spoof_other")
PORT = 22

EMPTY = "flush ruleset\n"


def through(lines, policy="drop"):
    """A firewall without state between the segments."""
    return EMPTY + f"""table inet fw {{
 chain through {{
  type filter hook forward priority 0; policy {policy};
{lines}
 }}
}}
"""


STRICT = through("""  ct state established,related accept
  ct state invalid drop
  tcp dport 443 ct state new accept
  udp dport 443 ct state new accept""")
BACK = "  iifname right accept\n"
LATER = ("  ip frag-off & 0x1fff != 0 accept\n  meta nfproto ipv6 frag frag-off != 0 accept\n"
         "  tcp dport 443 accept\n")


# What each mistake passes, and what it would take to find it without these techniques: all of them
# stop a plain SYN (a plain datagram) to the port.
MISTAKES = {
    # family, rules, what arrives of which technique
    "later fragments pass unseen": (
        ("ipv4", "ipv6"), through(LATER),
        {"frag_tail": TAIL, "frag_tiny": TAIL, "frag_overlap": TAIL}),
    "only SYNs are stopped, by their flags": (
        ("ipv4", "ipv6"), through("  tcp dport 22 tcp flags & (syn | ack) == syn drop", "accept"),
        {"frag_tail": TAIL, "frag_tiny": WHOLE, "frag_overlap": WHOLE}),
    "acknowledgements and later fragments pass": (
        ("ipv4", "ipv6"), through(LATER + "  tcp flags & ack == ack accept"),
        {"frag_tail": TAIL, "frag_tiny": TAIL, "frag_overlap": WHOLE}),
    "RFC 1858, and nothing more": (
        ("ipv4",), through("  ip frag-off & 0x1fff == 1 drop\n  tcp dport 22 drop", "accept"),
        {"frag_tail": TAIL, "frag_tiny": TAIL, "frag_overlap": None}),
    "tiny first fragments pass": (
        ("ipv4",), through("  ip frag-off & 0x3fff == 0x2000 ip length < 40 accept\n"
                           "  tcp dport 443 accept"),
        {"frag_tail": None, "frag_tiny": HEAD, "frag_overlap": None}),
    "the port is looked for behind the fixed header only": (
        ("ipv6",), through("  ip6 nexthdr tcp tcp dport 22 drop", "accept"),
        {name: WHOLE for name in HEADERS}),
    "one kind of extension header is trusted": (
        ("ipv6",), through("  exthdr dst exists accept\n  tcp dport 443 accept"),
        {"eh_dstopts": WHOLE, "eh_hopopts": None, "eh_routing": None, "eh_frag": None}),
    "routing headers are dropped, but for type 2": (
        ("ipv6",), through("  exthdr rt exists rt type 2 accept\n  tcp dport 443 accept"),
        {"eh_dstopts": None, "eh_hopopts": None, "eh_routing": WHOLE, "eh_frag": None}),
    "the port is looked for where it is without options": (
        ("ipv4",), through("  @nh,176,16 22 drop", "accept"),
        {"ip_options": WHOLE, "ip_lsrr": None, "ip_ssrr": None}),
    "a rule trusts the address of a neighbour": (
        ("ipv4", "ipv6"), through("  ip saddr {a2} accept\n  ip6 saddr {a2_6} accept\n"
                                  "  udp dport 443 accept"),
        {"spoof_own": WHOLE, "spoof_other": None}),
    "a rule trusts an address, whichever side it comes from": (
        ("ipv4", "ipv6"), through("  ip saddr {c} accept\n  ip6 saddr {c_6} accept\n"
                                  "  udp dport 443 accept"),
        {"spoof_own": None, "spoof_other": WHOLE}),
}


class Packets(Case):
    """a, a2 -- fw -- b, and c beside them. One batch per firewall and family."""

    @classmethod
    def build(cls):
        return World("bypip", {"left": ["a", "a2"], "right": ["b"], "other": ["c"]})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.serial = 0

    def setUp(self):
        self.lab = self.world.lab
        self.a = Probe(self.world, "a", hazard="C", sources=("10.60.0.0/16", "fd00:60::/32"))
        self.b = Probe(self.world, "b", hazard="C")

    def tearDown(self):
        for probe in (self.a, self.b):
            probe.__exit__()
        super().tearDown()

    def source_routes(self, accepted):
        """For the firewall alone, as routers have it by default."""
        names = ["all", "default", "left", "right", "other"]
        self.lab.sysctl(FW, **{f"net.ipv4.conf.{n}.accept_source_route": int(accepted)
                               for n in names})
        self.lab.commit()

    def reverse_path(self, mode):
        self.lab.sysctl(FW, **{f"net.ipv4.conf.{n}.rp_filter": mode
                               for n in ("all", "left", "right", "other")})
        self.lab.commit()

    def send(self, family, *techniques, by_router=True):
        """Sends one test of each: {technique: None, or what of it arrived}. All must have left."""
        type(self).serial += 1
        src, dst = (self.world.address(h, family) for h in "ab")
        forged = {"spoof_own": self.world.address("a2", family),
                  "spoof_other": self.world.address("c", family)}
        router = self.world.net4["left"] + ".1"
        others = {**forged, **({"ip_lsrr": router, "ip_ssrr": router} if by_router else {})}
        number = self.serial
        self.a.batch(number)
        self.b.batch(number)
        for i, name in enumerate(techniques):
            for probe, flags in ((self.a, SENDER), (self.b, RECEIVER)):
                flags |= FORGED if name in forged else VIA if name in others else 0
                probe.order("block", batch=number, block=10 + i, attempts=1, flags=flags,
                            technique=name, src=src, dst=dst, other=others.get(name, ""))
        self.assertEqual(self.a.arm(), [])
        self.assertEqual(self.b.arm(), [])
        for i, _ in enumerate(techniques):
            self.a.shot(10 + i, PORT, 40000 + number * 20 + i, i * 20000)
        run_batch((self.a, self.b), self.a)
        found = {}
        for i, name in enumerate(techniques):
            self.assertEqual(len(self.a.seen(LEFT, 10 + i)), 1, f"{name} did not leave")
            came = self.b.seen(NIC, 10 + i)
            found[name] = PIECES[came[0].pieces] if came else None
            if came and name in forged:
                self.assertEqual(came[0].src, forged[name])
        return found

    def check(self, rules, family, want):
        """want: what of each technique arrives, "whole" unless a dictionary says what."""
        self.lab.nft(FW, rules)
        self.assertEqual(self.send(family, *want), want, f"{family}\n{rules}")

    # ---- firewalls that let everything pass, or nothing ----
    def test_nothing_between(self):
        """But source routes, which this kernel does not forward unless it is told to."""
        self.reverse_path(0)
        self.source_routes(False)
        want = {name: WHOLE for name in ("tcp_syn", "udp", "frag_tiny", "frag_overlap", *SPOOFED)}
        want["frag_tail"] = TAIL
        self.check(EMPTY, "ipv4", {**want, "ip_options": WHOLE, "ip_lsrr": None, "ip_ssrr": None})
        self.check(EMPTY, "ipv6", {**want, **{name: WHOLE for name in HEADERS}})
        self.source_routes(True)
        self.check(EMPTY, "ipv4", {name: WHOLE for name in OPTIONS})
        self.source_routes(False)

    def test_a_strict_firewall(self):
        self.reverse_path(1)
        self.check(STRICT, "ipv4", dict.fromkeys((*FRAGMENTS, *OPTIONS, *SPOOFED, "tcp_syn", "udp")))
        self.check(STRICT, "ipv6", dict.fromkeys((*FRAGMENTS, *HEADERS, *SPOOFED, "tcp_syn", "udp")))
        self.reverse_path(0)

    # ---- one mistake each ----
    def test_mistakes(self):
        w = self.world
        names = {f"{h}{end}": w.address(h, family) for h in ("a2", "c")
                 for end, family in (("", "ipv4"), ("_6", "ipv6"))}
        self.reverse_path(0)
        for what, (families, rules, want) in MISTAKES.items():
            for name, address in names.items():
                rules = rules.replace("{" + name + "}", address)
            for family in families:
                with self.subTest(what=what, family=family):
                    plain = {"udp": None} if "spoof_own" in want else {"tcp_syn": None}
                    self.check(rules, family, {**plain, **want})

    def test_a_filter_sees_the_router_and_not_the_receiver(self):
        """Linux filters a source-routed packet before it writes the next hop into it."""
        b = self.world.address("b", "ipv4")
        rules = through(f"  ip daddr {b} tcp dport 22 drop", "accept")
        self.source_routes(True)
        self.check(rules, "ipv4", {"tcp_syn": None, "ip_options": None, "ip_lsrr": WHOLE,
                                   "ip_ssrr": WHOLE})
        self.source_routes(False)
        self.check(rules, "ipv4", {"tcp_syn": None, "ip_lsrr": None, "ip_ssrr": None})

    def test_reverse_path_filters(self):
        """Strict: only the neighbour's address is as good as the sender's own. Loose: any that the
        firewall has a route to."""
        for mode, other in ((0, WHOLE), (1, None), (2, WHOLE)):
            with self.subTest(rp_filter=mode):
                self.reverse_path(mode)
                self.check(EMPTY, "ipv4", {"udp": WHOLE, "spoof_own": WHOLE, "spoof_other": other})
        self.reverse_path(0)

    def test_connection_tracking_puts_fragments_together(self):
        """One rule that looks at it is enough, and what it then sees is the whole SYN."""
        want = {"frag_tail": None, "frag_tiny": None}
        self.check(through("  ct state invalid drop\n  tcp dport 22 drop", "accept"), "ipv4", want)
        self.check(through("  ct state invalid drop\n  tcp dport 22 drop", "accept"), "ipv6", want)
        # the same without: each by itself
        self.check(through("  tcp dport 22 drop", "accept"), "ipv4",
                   {"frag_tail": TAIL, "frag_tiny": TAIL})


class Runs(Case):
    """Whole runs of segproof over the same network: what the report says."""

    POLICIES = ["name: ok, from: [a, a2, c], to: b, allow: [tcp/443, udp/443]"]

    @classmethod
    def build(cls):
        return World("bypiprun", {"left": ["a", "a2", "r"], "right": ["b"], "other": ["c"]})

    def verify(self, rules, *techniques, hazard="C", router=False, seed="7", more=()):
        self.world.lab.nft(FW, rules)
        text = self.world.topology(self.POLICIES, limits=f"max_rate: 500, hazard: {hazard}")
        if router:  # r stands for the firewall's own address there
            text = text.replace("  r: { ", "  r: { role: router, ")
            left = self.world.net4["left"], self.world.net6["left"]
            text = text.replace(self.world.addresses["r"], f'[{left[0]}.1, "{left[1]}::1"]')
        for name in ("r", "a2", "c"):
            text = text.replace(self.world.probes[name], "none")
        only = [word for name in techniques for word in ("--only", name)]
        return self.world.verify(text, "--from", "a", "--to", "b", "--seed", seed, *only, *more,
                                 depth="standard")

    def found(self, run):
        """{(technique, family): finding}"""
        return {(f["technique"], f["family"]): f for f in run.data["findings"]}

    def test_fragments(self):
        run = self.verify(through(BACK + LATER), "tcp_syn", *FRAGMENTS)
        found = self.found(run)
        self.assertEqual(run.code, 1, run.out + run.err)
        self.assertEqual(sorted(found), sorted((t, f) for t in FRAGMENTS for f in FAMILIES),
                         run.out)
        for key, finding in found.items():
            self.assertEqual((finding["verdict"], finding["severity"]), ("leak", "low"), key)
            self.assertEqual(finding["observed"]["receiver"], "later_fragments")
            self.assertIn("without a head", finding["cause"])
            self.assertEqual(finding["control"], "pair")
        self.assertIn("later fragments only", run.out)
        self.assertEqual(run.data["inconclusive"], [], run.out)

    def test_fragments_that_can_be_put_together(self):
        rules = through("  tcp dport != 443 tcp flags & (syn | ack) == syn drop", "accept")
        found = self.found(self.verify(rules, "tcp_syn", "frag_tiny", "frag_overlap"))
        self.assertEqual(sorted(found), [(t, f) for t in ("frag_overlap", "frag_tiny")
                                         for f in FAMILIES])
        for key, finding in found.items():
            self.assertEqual((finding["verdict"], finding["severity"]), ("leak", "high"), key)

    def test_headers_and_options(self):
        rules = through(BACK + "  ip6 nexthdr tcp tcp dport != 443 drop\n"
                        "  ip version 4 @nh,176,16 != 443 @nh,160,16 >= 1024 @nh,160,16 < 65535 "
                        "ip protocol tcp iifname left drop", "accept")
        run = self.verify(rules, "tcp_syn", "ip_options", *HEADERS, hazard="B")
        self.assertEqual(sorted(self.found(run)),
                         sorted([(name, "ipv6") for name in HEADERS] + [("ip_options", "ipv4")]),
                         run.out)
        for finding in run.data["findings"]:
            self.assertEqual(finding["severity"], "high")

    def test_source_routes(self):
        names = ("all", "left", "right", "other")
        lab, b = self.world.lab, self.world.address("b", "ipv4")
        rules = through(BACK + f"  ip daddr {b} tcp dport != 443 drop\n"
                        "  ip6 nexthdr tcp tcp dport != 443 drop", "accept")
        lab.sysctl(FW, **{f"net.ipv4.conf.{n}.accept_source_route": 1 for n in names})
        lab.commit()
        run = self.verify(rules, "tcp_syn", "ip_lsrr", "ip_ssrr", hazard="B", router=True)
        self.assertEqual(sorted(self.found(run)), [("ip_lsrr", "ipv4"), ("ip_ssrr", "ipv4")],
                         run.out)
        lab.sysctl(FW, **{f"net.ipv4.conf.{n}.accept_source_route": 0 for n in names})
        lab.commit()
        run = self.verify(rules, "tcp_syn", "ip_lsrr", "ip_ssrr", hazard="B", router=True)
        self.assertEqual((run.code, run.data["findings"]), (0, []), run.out)
        run = self.verify(rules, "tcp_syn", "ip_lsrr", "ip_ssrr", hazard="B")
        self.assertIn("no host of the sender's network has `role: router` for a source route to "
                      "begin with", run.untested())

    def test_forged_sources(self):
        lines = [f"  {ip} saddr {self.world.address(host, family)} accept"
                 for family, ip in zip(FAMILIES, ("ip", "ip6")) for host in ("a2", "c")]
        rules = through(BACK + "  udp dport 443 accept\n" + "\n".join(lines))
        run = self.verify(rules, "udp", *SPOOFED)
        self.assertEqual(sorted(self.found(run)), sorted((t, f) for t in SPOOFED for f in FAMILIES),
                         run.out)
        for finding in run.data["findings"]:
            self.assertEqual(finding["severity"], "high")
            self.assertEqual(finding["observed"]["receiver"], "intact")

    # ---- a firewall that is right ----
    def test_strict(self):
        run = self.verify(STRICT, "tcp_syn", "udp", *FRAGMENTS, *HEADERS, *SPOOFED, "ip_options",
                          "ip_lsrr")
        self.assertEqual((run.code, run.data["findings"], run.data["inconclusive"]), (0, [], []),
                         run.out + run.err)
        asked = {row["technique"] for row in run.data["bypass_techniques"] if row["tests"]}
        self.assertEqual(asked, {*FRAGMENTS, *HEADERS, *SPOOFED, "ip_options", "ip_lsrr"})

    # ---- consent ----
    def test_without_consent(self):
        """Class C needs it at both ends, and a forged source of whom it belongs to, too."""
        run = self.verify(STRICT, "tcp_syn", "udp", *FRAGMENTS, *SPOOFED, hazard="B")
        self.assertEqual(run.code, 0, run.out)
        self.assertEqual([row for row in run.data["bypass_techniques"] if row["tests"]], [])
        self.assertIn("bypass techniques whose hazard class is not allowed in both networks",
                      run.untested())


if __name__ == "__main__":
    unittest.main()
