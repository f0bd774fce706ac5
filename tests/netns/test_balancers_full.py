# SPDX-License-Identifier: Apache-2.0
"""How load balancers behave, beyond the flows to them: shares, headers, TLS, hairpins, affinity,
zones, failover and idle connections, on nftables, haproxy and nginx. Every fault has a healthy twin
without alarm.

Run: python3 tests/netns/test_balancers_full.py (root; says skipped where it cannot be done)."""
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from balancing import HAPROXY, IP, NGINX, NGINX_STREAM, VIP, Balanced, Proxied  # noqa: E402
from harness import FAMILIES, FW  # noqa: E402

LOOK = ("--only", "balancers")
REWRITTEN = "source: rewritten"
MASQUERADE = '  oifname "web" masquerade\n'


class Claims:
    """What a report says of balancers."""

    LIMITS = "max_rate: 8000, hazard: B"

    def look(self, listener, *options, **how):
        """Claims by check: {"skew": {verdict, ...}}; everything else of the topology is usual."""
        balancer = {key: how.pop(key) for key in ("more", "sources", "balancer", "backends")
                    if key in how}
        how.setdefault("limits", self.LIMITS)
        self.run_ = self.verify(self.balanced(listener=listener, **balancer), *LOOK, *options, **how)
        self.assertIsNotNone(self.run_.data, self.told(self.run_))
        self.claims = self.run_.data["claims"]
        got = {}
        for claim in self.claims:
            got.setdefault(claim["check"], set()).add(claim["verdict"])
        return got

    def tell(self):
        return "\n".join(str(claim) for claim in self.claims) + self.told(self.run_)

    def well(self, listener, *checks, **how):
        """All of it holds, and these were looked at on every address."""
        got = self.look(listener, **how)
        for check in (*checks, "address_present"):
            self.assertEqual(got.get(check), {"holds"}, f"{check}: {self.tell()}")
        self.assertEqual({v for verdicts in got.values() for v in verdicts}, {"holds"}, self.tell())
        self.assertEqual(self.run_.code, 0, self.tell())

    def bad(self, listener, check, words="", verdict="fails", beside=(), **how):
        """This check alone has that verdict; words: of what was observed, or of its cause."""
        got = self.look(listener, **how)
        self.assertEqual(got.get(check), {verdict}, f"{check}: {self.tell()}")
        others = {v for name, found in got.items() if name not in (check, *beside) for v in found}
        self.assertLessEqual(others, {"holds"}, self.tell())
        code = {"fails": 1, "unknown": 3, "not_observable": 0}[verdict]
        self.assertEqual(self.run_.code, code, self.tell())
        for claim in self.claims:
            if claim["check"] == check:
                self.assertRegex(f"{claim['observed']} | {claim['cause']}", words, self.tell())
                self.assertTrue(claim["cause"] and claim["remedy"], self.tell())


class Router(Claims, Balanced):
    """nftables: destination translation."""

    prefix = "lbf"

    def weighted(self, first, of):
        """The first `first` of `of` numbers go to w1, the rest to w2."""
        lines = []
        for family in FAMILIES:
            w1, w2 = (self.world.address(host, family) for host in ("w1", "w2"))
            lines.append(
                f'  iifname "users" {IP[family]} daddr {VIP[family]} tcp dport 443 dnat '
                f"{IP[family]} to numgen random mod {of} map {{ 0-{first - 1} : {w1} . 8443, "
                f"{first}-{of - 1} : {w2} . 8443 }}")
        return "\n".join(lines)

    def by_source(self, *fields):
        """jhash over the source address (and more): affinity."""
        lines = []
        for family in FAMILIES:
            w1, w2 = (self.world.address(host, family) for host in ("w1", "w2"))
            over = " . ".join((f"{IP[family]} saddr", *fields))
            lines.append(
                f'  iifname "users" {IP[family]} daddr {VIP[family]} tcp dport 443 dnat '
                f"{IP[family]} to jhash {over} mod 2 map {{ 0 : {w1} . 8443, 1 : {w2} . 8443 }}")
        return "\n".join(lines)

    # ---- shares ----
    def test_weights_as_declared(self):
        self.firewall(pre=self.weighted(2, 3))
        self.well("weights: { w1: 2, w2: 1 }, max_skew: 0.5", "skew", "source", "proxy_protocol")

    def test_weights_other_than_declared(self):
        self.firewall(pre=self.weighted(5, 6))
        self.bad("max_skew: 0.3", "skew", r"w1 \d+, w2 \d+ .*p = .*(significance 0.001)")

    # ---- affinity ----
    def test_affinity_by_source(self):
        self.firewall(pre=self.by_source())
        self.well("affinity: source", "affinity")
        self.bad("affinity: none", "affinity", "one backend")

    def test_affinity_that_hashes_ports_too(self):
        self.firewall(pre=self.by_source("tcp sport"))
        self.bad("affinity: source", "affinity", "several backends")
        self.well("affinity: none", "affinity")

    # ---- the source ----
    def test_source_preserved_and_not(self):
        self.firewall(pre=self.dnat())
        self.well("source: preserved", "source")
        self.firewall(pre=self.dnat(), post=MASQUERADE)
        self.bad("source: preserved", "source", "10.60.3.1|fd00:60:3::1")
        self.well(REWRITTEN, "source")

    # ---- hairpin ----
    def test_hairpin(self):
        place = self.balanced(listener="hairpin: works").replace("from: users", "from: [users, web]")
        pre = "\n".join((self.dnat(), self.dnat(iifname='"web"')))
        for post, verdict in ((MASQUERADE, "holds"), ("", "fails")):
            with self.subTest(post=post):
                self.firewall(pre=pre, post=post, forward='  iifname "web" accept')
                text = place.replace("hairpin", f"{REWRITTEN if post else 'source: preserved'}, "
                                                "hairpin")
                run = self.verify(text, *LOOK, limits=self.LIMITS)
                self.claims, self.run_ = run.data["claims"], run
                found = {c["verdict"] for c in self.claims if c["check"] == "hairpin"}
                self.assertEqual(found, {verdict}, self.tell())

    # ---- zones ----
    def test_zones(self):
        """w1 stands in one zone and w2 in another, and the address in that of w1."""
        nets = "".join(
            f'  z{i}: {{ in: web, kind: subnet, cidr: ["{self.world.v4[h]}/32", '
            f'"{self.world.v6[h]}/128"], zone: {z} }}\n'
            for i, (h, z) in enumerate((("w1", "a"), ("w2", "b"))))
        nets += (f'  vip: {{ kind: subnet, cidr: ["{VIP["ipv4"]}/32", "{VIP["ipv6"]}/128"], '
                 "zone: a }\n")
        for backends, declared, verdict in ((("w1", "w2"), "on", "holds"), (("w1",), "on", "fails"),
                                            (("w1",), "off", "holds"),
                                            (("w1", "w2"), "off", "fails")):
            with self.subTest(backends=backends, declared=declared):
                self.firewall(pre=self.dnat(backends=backends))
                text = self.world.topology(
                    ["name: pings, from: [users, others], to: lb, permit: [icmp/echo, icmp6/echo]"],
                    limits=self.LIMITS, more=self.balanced(listener=f"cross_zone: {declared}"),
                    name="lb")
                text = text.replace("hosts:\n", nets + "hosts:\n", 1)
                for i, host in enumerate(("w1", "w2")):
                    text = text.replace(f"  {host}: {{ network: web", f"  {host}: {{ network: z{i}")
                run = self.world.verify(text, "--from", "c", "--to", "lb", *LOOK)
                self.assertIsNotNone(run.data, self.told(run))
                self.claims, self.run_ = run.data["claims"], run
                found = {c["verdict"] for c in self.claims if c["check"] == "cross_zone"}
                self.assertEqual(found, {verdict}, self.tell())

    # ---- addresses ----
    def test_addresses(self):
        self.firewall(pre=self.dnat())
        self.well("source: preserved", "address_pool",
                  balancer='pool: [10.60.99.0/24, "fd00:60:99::/64"], ')
        self.bad("source: preserved", "address_pool", "10.60.99.10|fd00:60:99::10",
                 balancer='pool: [10.61.0.0/16, "fd00:61::/32"], ')

    def test_an_address_that_is_refused_missing_or_pending(self):
        self.firewall(pre=self.dnat(only=["ipv4"]), opened=f"  ip6 daddr {VIP['ipv6']} drop\n")
        self.look("source: preserved")
        seen = {c["subject"]: (c["verdict"], c["cause"]) for c in self.claims
                if c["check"] == "address_present"}
        self.assertEqual(seen[f"lb {VIP['ipv4']}"][0], "holds", self.tell())
        self.assertEqual(seen[f"lb {VIP['ipv6']}"][0], "fails", self.tell())
        self.assertIn("nobody has the address", seen[f"lb {VIP['ipv6']}"][1])
        self.firewall(pre=self.dnat(only=["ipv4"]))
        self.look("source: preserved")
        seen = {c["subject"]: c["cause"] for c in self.claims if c["verdict"] == "fails"}
        self.assertIn("nothing listens", seen[f"lb {VIP['ipv6']}"], self.tell())

    def test_a_pending_address(self):
        text = self.balanced().replace(f'[{VIP["ipv4"]}, "{VIP["ipv6"]}"]', "pending")
        run = self.verify(text, *LOOK, limits=self.LIMITS)
        self.claims, self.run_ = run.data["claims"], run
        self.assertEqual([(c["check"], c["verdict"], c["observed"]) for c in self.claims],
                         [("address_present", "fails", "pending")], self.tell())
        self.assertEqual(run.code, 1, self.tell())

    # ---- consent ----
    def test_without_consent_nothing_is_said_to_hold(self):
        self.firewall(pre=self.dnat())
        got = self.look("max_skew: 0.3, failover_within: 5s, tls: passthrough, idle_timeout: 5s",
                        limits="max_rate: 2000")
        want = {check: {"not_observable"} for check in
                ("skew", "failover", "tls_mode", "idle_timeout")}
        self.assertEqual(got, {**want, "address_present": {"holds"}}, self.tell())

    # ---- failover: a router looks after nobody ----
    def test_nobody_looks_after_backends(self):
        self.firewall(pre=self.dnat())
        self.bad("failover_within: 500ms", "failover", "went on sending")

    # ---- idle ----
    def test_idle_connections_are_dropped_silently(self):
        closed = '  iifname "users" tcp dport 443 tcp flags & (syn | ack) == ack drop\n'
        self.lab.sysctl(FW, **{"net.netfilter.nf_conntrack_tcp_timeout_established": 1,
                               "net.netfilter.nf_conntrack_tcp_loose": 0})
        self.addCleanup(self.lab.sysctl, FW,
                        **{"net.netfilter.nf_conntrack_tcp_timeout_established": 432000,
                           "net.netfilter.nf_conntrack_tcp_loose": 1})
        self.firewall(pre=self.dnat(), opened=closed)
        self.bad("idle_timeout: 2s", "idle_timeout", "dropped silently")


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class Haproxy(Claims, Proxied):
    prefix = "hapf"

    def setUp(self):
        super().setUp()
        self.firewall()

    def test_proxy_headers(self):
        """Present exactly when declared, in the declared version, in both modes."""
        for mode, server, version in (("tcp", "", "none"), ("tcp", "send-proxy", "v1"),
                                      ("tcp", "send-proxy-v2", "v2"), ("http", "", "none"),
                                      ("http", "send-proxy-v2", "v2")):
            with self.subTest(mode=mode, version=version):
                self.haproxy(mode=mode, server=server)
                layer = ", mode: l7" if mode == "http" else ""
                self.well(f"{REWRITTEN}{layer}, proxy_protocol: {version}", "proxy_protocol")
                self.end_children()

    def test_proxy_headers_other_than_declared(self):
        for server, declared, words in (("send-proxy", "none", "v1 in"),
                                        ("send-proxy-v2", "v1", "v2 in"),
                                        ("", "v2", "none in")):
            with self.subTest(server=server):
                self.haproxy(server=server)
                self.bad(f"{REWRITTEN}, proxy_protocol: {declared}", "proxy_protocol", words)
                self.end_children()

    def test_a_header_that_is_not_declared_at_all(self):
        self.haproxy(server="send-proxy")
        self.bad(REWRITTEN, "proxy_protocol", "v1 in")

    def test_failover(self):
        self.haproxy(server="check inter 100ms fall 2 rise 2")
        self.well(f"{REWRITTEN}, failover_within: 1s", "failover")

    def test_failover_of_one_that_falls_silent(self):
        self.haproxy(server="check inter 100ms fall 2 rise 2", more="", backend="timeout check 200ms")
        self.well(f"{REWRITTEN}, failover_within: 1s, failover: silent", "failover")

    def test_idle(self):
        self.haproxy(idle="2s")
        self.bad(f"{REWRITTEN}, idle_timeout: 4s", "idle_timeout", r"closed after [12]\.\d s")

    def test_idle_as_declared(self):
        self.haproxy(idle="2s")
        self.well(f"{REWRITTEN}, idle_timeout: 2s", "idle_timeout")

    def certificate(self):
        path = os.path.join(self.lab.dir, "cert.pem")
        key = os.path.join(self.lab.dir, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                        "-out", path, "-days", "2", "-subj", "/CN=lb"], check=True,
                       capture_output=True)
        with open(path, "a", encoding="ascii") as out, open(key, encoding="ascii") as more:
            out.write(more.read())
        return path

    def test_tls(self):
        self.haproxy()
        self.well(f"{REWRITTEN}, tls: passthrough", "tls_mode")
        self.bad(f"{REWRITTEN}, tls: terminated", "tls_mode", "passes TLS on")
        self.end_children()
        self.haproxy(bind=f"ssl crt {self.certificate()}")
        got = self.look(f"{REWRITTEN}, tls: terminated")
        self.assertEqual((got["tls_mode"], got["source"], self.run_.code),
                         ({"holds"}, {"not_observable"}, 0), self.tell())
        got = self.look(f"{REWRITTEN}, tls: passthrough")
        self.assertEqual(got["tls_mode"], {"fails"}, self.tell())

    # ---- health ----
    def health(self, declared):
        """The others' segment is that of the balancer's sources."""
        return self.look(f"{REWRITTEN}, health: {{ {declared} }}",
                         sources=[self.world.v4["o"]],
                         more="services: { app: { ports: tcp/8443, data: ok } }\n")

    def test_health_checks(self):
        self.app("w1", "w2")
        self.haproxy()
        found = {}
        opened = '  iifname "others" tcp dport 8443 accept'
        for rules, declared in ((opened, "path: /healthz"), (opened, "path: /healthz, status: 204"),
                                ("", "protocol: tcp")):
            self.firewall(forward=rules)
            self.health(declared)
            found[rules, declared] = {(c["verdict"], (c["cause"] or "").split(":")[0])
                                      for c in self.claims if c["check"] == "health_path"}
        answers = [("holds", "")]
        other = [("fails", "the balancer asks for a path that the service answers in another way")]
        closed = [("fails", "the way of the health check is not open from the segment of the "
                            "balancer's sources")]
        self.assertEqual([sorted(item) for item in found.values()],
                         [answers, other, closed], self.tell())

    def test_weights(self):
        self.haproxy(server="")
        self.well(f"{REWRITTEN}, max_skew: 0.3", "skew")


@unittest.skipUnless(NGINX and os.path.exists(NGINX_STREAM), "nginx with stream is not installed")
class Nginx(Claims, Proxied):
    prefix = "ngxf"

    def setUp(self):
        super().setUp()
        self.firewall()

    def test_proxy_header(self):
        self.nginx(more="proxy_protocol on;")
        self.well(f"{REWRITTEN}, proxy_protocol: v1, max_skew: 0.4", "proxy_protocol", "skew")
        self.bad(f"{REWRITTEN}, proxy_protocol: none", "proxy_protocol", "v1 in")

    def test_failover_by_trying_another(self):
        """Without health checks, but whom a connection is refused is not lost to the client."""
        self.nginx()
        self.well(f"{REWRITTEN}, failover_within: 1s", "failover")

    def test_it_resets_everybody(self):
        self.nginx(servers=["w1"])
        self.lab.nft("w1", "table inet fw {\n chain in {\n  type filter hook input priority 0;\n"
                           "  tcp dport 8443 reject with tcp reset\n }\n}\n")
        got = self.look(f"{REWRITTEN}, max_skew: 0.9, failover_within: 1s, proxy_protocol: none")
        self.assertNotIn("holds", got["skew"] | got["failover"] | got["proxy_protocol"],
                         self.tell())
        self.assertEqual(got["skew"], {"unknown"}, self.tell())


if __name__ == "__main__":
    unittest.main(verbosity=2)
