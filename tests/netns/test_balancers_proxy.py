# SPDX-License-Identifier: Apache-2.0
"""Load balancing by real proxies: haproxy in TCP and HTTP mode, with and without PROXY headers, and
the stream module of nginx. A healthy one holds; every broken one gives its verdict and nothing else.

Run: python3 tests/netns/test_balancers_proxy.py (root; says skipped where it cannot be done)."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
from balancing import DATA_OK, FEW, HAPROXY, IP, NGINX, NGINX_STREAM, TCP, VIP  # noqa: E402
from balancing import Proxied  # noqa: E402
from harness import FAMILIES, FW, wait_until  # noqa: E402

OWN = {"ipv4": "10.60.3.1", "ipv6": "fd00:60:3::1"}  # the firewall's on the backends' segment
REWRITTEN = "source: rewritten"
HTTP = "source: rewritten, mode: l7"
AROUND = "name: not-around, from: users, to: web, deny: tcp/8443"


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class Haproxy(Proxied):
    prefix = "hap"

    def setUp(self):
        super().setUp()
        self.firewall()

    def healthy(self, listener, **how):
        self.haproxy(**how)
        run = self.verify(self.balanced(listener=listener), *FEW)
        self.good(run)
        self.reached(run, w1=True, w2=True)

    def test_connections(self):
        """Everything about it, with its source declared."""
        self.haproxy()
        topology = self.balanced(listener=REWRITTEN, sources=OWN.values())
        run = self.verify(topology, *TCP, source="c,o", to="lb,w1,w2", policies=[AROUND])
        self.good(run)
        self.reached(run, w1=True, w2=True)

    def test_connections_with_a_proxy_header(self):
        self.healthy(REWRITTEN + ", proxy_protocol: v1", server="send-proxy")

    def test_connections_with_a_binary_proxy_header(self):
        self.healthy(REWRITTEN + ", proxy_protocol: v2", server="send-proxy-v2")

    def test_requests(self):
        self.healthy(HTTP, mode="http")

    def test_requests_with_a_proxy_header(self):
        self.healthy(HTTP + ", proxy_protocol: v1", mode="http", server="send-proxy")

    def test_requests_with_a_binary_proxy_header(self):
        self.healthy(HTTP + ", proxy_protocol: v2", mode="http", server="send-proxy-v2")

    def test_requests_over_reused_connections(self):
        self.healthy(HTTP, mode="http", backend="http-reuse always")

    def test_clients_of_the_other_family(self):
        """Passed on to IPv4 backends: declared or not, they are the backends' own addresses."""
        self.healthy(REWRITTEN, cross=True)

    def test_rewritten_though_declared_as_preserved(self):
        self.haproxy()
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("misdelivered"))
        for family in FAMILIES:
            seen = self.finding(run, "c", "lb", family, "tcp")["observed"]["captured"]
            self.assertEqual((seen["src"], seen["dport"]), (OWN[family], 8443))

    # ---- backends ----
    def test_a_backend_taken_out_of_the_pool(self):
        self.haproxy(servers=["w2"])
        run = self.verify(self.balanced(listener=REWRITTEN), *FEW)
        self.only(run, self.listener_at("partial"))
        self.reached(run, w1=False, w2=True)

    def shut(self, *hosts):
        for host in hosts:
            self.lab.nft(host, "table inet fw {\n chain in {\n  type filter hook input priority 0;\n"
                               "  tcp dport 8443 drop\n }\n}\n")

    def test_a_dead_backend(self):
        """Its port is closed, and nothing looks after its health."""
        self.shut("w2")
        for mode, listener in (("tcp", REWRITTEN), ("http", HTTP)):
            with self.subTest(mode=mode):
                self.haproxy(mode=mode)
                run = self.verify(self.balanced(listener=listener), *FEW)
                self.only(run, self.listener_at("partial"))
                self.reached(run, w1=True, w2=False)
                self.end_children()

    def test_no_backend_alive(self):
        """It takes every connection and has nobody to pass it on to."""
        self.shut("w1", "w2")
        for mode, listener in (("tcp", REWRITTEN), ("http", HTTP)):
            with self.subTest(mode=mode):
                self.haproxy(mode=mode)
                run = self.verify(self.balanced(listener=listener), *FEW)
                self.only(run, self.listener_at("blocked"))
                self.end_children()

    def test_the_balancer_is_down(self):
        run = self.verify(self.balanced(listener=REWRITTEN), *TCP)
        self.only(run, self.listener_at("blocked"), inconclusive=True)
        for family in FAMILIES:
            self.assertEqual(run.pair("c", "lb", family, "tcp")["holds"], 0, self.told(run))

    # ---- health checks ----
    def test_health_checks_do_not_disturb(self):
        """Of services that may get data; the backends' port is closed to clients, then open."""
        self.app("w1", "w2")
        self.haproxy(server="check inter 100ms")
        for sources in ((), OWN.values()):
            with self.subTest(sources=sources):
                topology = self.balanced(listener=REWRITTEN, sources=sources, more=DATA_OK)
                run = self.verify(topology, *TCP, to="lb,w1,w2", policies=[AROUND])
                self.good(run)
                self.reached(run, w1=True, w2=True)
        self.firewall(forward='  iifname "users" tcp dport 8443 accept')
        run = self.verify(topology, *TCP, to="lb,w1,w2", policies=[AROUND])
        self.only(run, {("c", host, family, "tcp", "8443"): "leak"
                        for host in self.BACKENDS for family in FAMILIES})

    def test_a_backend_that_fails_its_health_check(self):
        self.app("w1")
        self.haproxy(server="check inter 100ms fall 1 rise 1000")
        self.assertTrue(wait_until(lambda: self.is_down("w2"), 10), "haproxy checks nobody")
        run = self.verify(self.balanced(listener=REWRITTEN, more=DATA_OK), *FEW)
        self.only(run, self.listener_at("partial"))
        self.reached(run, w1=True, w2=False)

    # ---- too open ----
    def test_its_own_page_of_numbers(self):
        binds = "\n".join(f"  bind {address}:8404"
                          for address in (VIP["ipv4"], f"[{VIP['ipv6']}]"))
        self.haproxy(more=f"frontend stats\n  mode http\n{binds}\n  stats enable\n  stats uri /\n")
        run = self.verify(self.balanced(listener=REWRITTEN), *TCP,
                          policies=["name: no-stats, from: users, to: lb, deny: tcp/8404"])
        self.only(run, self.listener_at("leak", "8404"))

    def test_another_segment(self):
        self.haproxy()
        run = self.verify(self.balanced(listener=REWRITTEN), *TCP, source="c,o",
                          policies=["name: not-them, from: others, to: lb, deny: tcp/443"])
        self.only(run, self.listener_at("leak", source="o"))
        closed = "".join(f'  iifname "others" {IP[f]} daddr {VIP[f]} drop\n' for f in FAMILIES)
        self.firewall(opened=closed)
        run = self.verify(self.balanced(listener=REWRITTEN), *TCP, source="c,o",
                          policies=["name: not-them, from: others, to: lb, deny: tcp/443"])
        self.good(run)


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class HaproxyStrangers(Proxied):
    """Somebody in the pool who is no declared backend."""

    prefix = "haps"
    MORE_HOSTS = ("x", "y")

    @classmethod
    def build(cls):
        world = super().build()
        world.probes["y"] = "none"
        return world

    def pool(self, stranger, *options, mode="tcp", listener=REWRITTEN, to="lb"):
        self.firewall(forward=self.PINGED)
        self.app(stranger)
        self.haproxy(mode=mode, servers=["w1", "w2", stranger])
        run = self.verify(self.balanced(listener=listener), *FEW, *options, to=to,
                          policies=[self.PING])
        self.only(run, self.listener_at("misdelivered"))
        return run

    def test_one_with_a_probe(self):
        """It takes part in the run, for whatever reason: it may be pinged."""
        run = self.pool("x", "--only", "icmp_echo", to="lb,x")
        self.assertEqual(self.finding(run, "c", "lb", "ipv4", "tcp")["where"], "x")

    def test_one_without_a_probe(self):
        self.pool("y")

    def test_one_without_a_probe_that_gets_requests(self):
        self.pool("y", mode="http", listener=HTTP)


@unittest.skipUnless(NGINX and os.path.exists(NGINX_STREAM), "nginx with stream is not installed")
class Nginx(Proxied):
    prefix = "ngx"

    def setUp(self):
        super().setUp()
        self.firewall()

    def test_streams(self):
        self.nginx()
        run = self.verify(self.balanced(listener=REWRITTEN), *TCP, to="lb,w1,w2",
                          policies=[AROUND])
        self.good(run)
        self.reached(run, w1=True, w2=True)

    def test_streams_with_a_proxy_header(self):
        self.nginx(more="proxy_protocol on;")
        run = self.verify(self.balanced(listener=REWRITTEN + ", proxy_protocol: v1"), *FEW)
        self.good(run)
        self.reached(run, w1=True, w2=True)

    def test_a_backend_taken_out_of_the_pool(self):
        self.nginx(servers=["w1"])
        run = self.verify(self.balanced(listener=REWRITTEN), *FEW)
        self.only(run, self.listener_at("partial"))
        self.reached(run, w1=True, w2=False)

    def test_no_backend_alive(self):
        self.firewall()
        for host in self.BACKENDS:
            self.lab.nft(host, "table inet fw {\n chain in {\n  type filter hook input priority 0;\n"
                               "  tcp dport 8443 reject with tcp reset\n }\n}\n")
        self.nginx()
        run = self.verify(self.balanced(listener=REWRITTEN), *FEW)
        self.only(run, self.listener_at("blocked"))

    def test_rewritten_though_declared_as_preserved(self):
        self.nginx()
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("misdelivered"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
