# SPDX-License-Identifier: Apache-2.0
"""Load balancing by a real router: nftables DNAT, in turn and by hash, both families. A healthy
balancer holds; every way in which one can be broken gives its verdict and nothing else.

Run: python3 tests/netns/test_balancers.py (root; says skipped where it cannot be done)."""
import sys
import unittest

sys.dont_write_bytecode = True
from balancing import DATA_OK, FEW, IP, TCP, VIP, Balanced  # noqa: E402
from harness import FAMILIES, FW  # noqa: E402

AROUND = "name: not-around, from: [users, others], to: web, deny: tcp/8443"
MASQUERADE = '  oifname "web" masquerade\n'
OWN = {"ipv4": "10.60.3.1", "ipv6": "fd00:60:3::1"}  # the firewall's on the backends' segment


class Router(Balanced):
    """Healthy ones, and what the router may do wrong."""

    def test_in_turn_with_the_source_preserved(self):
        """Everything about it: the listener, its address, who else may use it, and its backends."""
        self.firewall(pre=self.dnat())
        run = self.verify(self.balanced(), source="c,o", to="lb,w1,w2", policies=[AROUND])
        self.good(run)
        self.reached(run, w1=True, w2=True)
        for source in ("c", "o"):
            for family in FAMILIES:
                self.check(run, (source, "w1", family, "tcp", 8443), "holds")

    def test_by_hash_with_the_source_rewritten(self):
        self.firewall(pre=self.dnat(pick="jhash tcp sport"), post=MASQUERADE)
        sources = list(OWN.values())
        for listener, declared in (("source: rewritten", ()), ("source: rewritten", sources)):
            with self.subTest(sources=declared):
                run = self.verify(self.balanced(listener=listener, sources=declared), *FEW)
                self.good(run)
                self.reached(run, w1=True, w2=True)

    def test_rewritten_though_declared_as_preserved(self):
        self.firewall(pre=self.dnat(), post=MASQUERADE)
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("misdelivered"))
        for family in FAMILIES:
            seen = self.finding(run, "c", "lb", family, "tcp")["observed"]["captured"]
            self.assertEqual((seen["src"], seen["dport"]), (OWN[family], 8443))
            self.assertIn(seen["dst"], [self.world.address(h, family) for h in self.BACKENDS])

    def test_preserved_though_declared_as_rewritten(self):
        self.firewall(pre=self.dnat())
        run = self.verify(self.balanced(listener="source: rewritten"), *FEW)
        self.only(run, self.listener_at("misdelivered"))
        for family in FAMILIES:
            seen = self.finding(run, "c", "lb", family, "tcp")["observed"]["captured"]
            self.assertEqual(seen["src"], self.world.address("c", family))

    def test_rewritten_to_an_address_that_is_not_declared(self):
        self.firewall(pre=self.dnat(), post=MASQUERADE)
        other = ["10.60.3.99", "fd00:60:3::99"]
        run = self.verify(self.balanced(listener="source: rewritten", sources=other), *FEW)
        self.only(run, self.listener_at("misdelivered"))

    def test_the_wrong_port_of_the_backends(self):
        self.firewall(pre=self.dnat(to=8444))
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("misdelivered"))
        seen = self.finding(run, "c", "lb", "ipv4", "tcp")["observed"]["captured"]
        self.assertEqual(seen["dport"], 8444)

    # ---- backends ----
    def test_a_backend_taken_out_of_the_pool(self):
        self.firewall(pre=self.dnat(["w1"]))
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("partial"))
        self.reached(run, w1=True, w2=False)

    def test_a_backend_whose_port_is_closed_behind_the_balancer(self):
        """By the network, then by its own firewall."""
        dead = " ".join(f"{IP[f]} daddr {self.world.address('w2', f)} drop\n" for f in FAMILIES)
        self.firewall(pre=self.dnat(), forward=dead)
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("partial"))
        self.reached(run, w1=True, w2=False)
        self.firewall(pre=self.dnat())
        self.lab.nft("w2", "table inet fw {\n chain in {\n  type filter hook input priority 0;\n"
                           "  tcp dport 8443 drop\n }\n}\n")
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("partial"))
        self.reached(run, w1=True, w2=False)

    def test_a_backend_whose_host_is_down(self):
        self.addCleanup(self.lab.run, FW, ["ip", "link", "set", "w2", "up"])
        self.lab.run(FW, ["ip", "link", "set", "w2", "down"], check=True)
        self.firewall(pre=self.dnat())
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("partial"))
        self.reached(run, w1=True, w2=False)

    def test_all_backends_closed(self):
        self.firewall(pre=self.dnat(), forward='  oifname "web" tcp dport 8443 drop')
        run = self.verify(self.balanced(), *TCP)
        self.only(run, self.listener_at("blocked"), inconclusive=True)
        self.never_holds(run)

    def test_the_balancer_is_down(self):
        """Nothing may be said of its denied ports: there is nothing that shows them closed."""
        self.firewall(opened="".join(f"  {IP[f]} daddr {VIP[f]} drop\n" for f in FAMILIES))
        run = self.verify(self.balanced(), *TCP)
        self.only(run, self.listener_at("blocked"), inconclusive=True)
        self.never_holds(run)

    def never_holds(self, run):
        for family in FAMILIES:
            pair = run.pair("c", "lb", family, "tcp")
            self.assertEqual(pair["holds"], 0, self.told(run))
            self.assertGreater(pair["inconclusive"], 0)

    # ---- too open ----
    def test_around_the_balancer(self):
        """The firewall forgot the backends' own port."""
        self.firewall(pre=self.dnat(), forward='  iifname "users" tcp dport 8443 accept')
        run = self.verify(self.balanced(), *TCP,
                          to="lb,w1,w2", policies=[AROUND])
        self.only(run, {("c", host, family, "tcp", "8443"): "leak"
                        for host in self.BACKENDS for family in FAMILIES})

    def test_another_port_of_the_address(self):
        self.firewall(pre=self.dnat() + "\n" + self.dnat(port=8080, to=8080))
        run = self.verify(self.balanced(), *TCP,
                          policies=["name: no-admin, from: users, to: lb, deny: tcp/8080"])
        self.only(run, self.listener_at("leak", "8080"))

    def test_another_segment(self):
        self.firewall(pre=self.dnat(iifname='{ "users", "others" }'))
        run = self.verify(self.balanced(), *TCP,
                          source="c,o",
                          policies=["name: not-them, from: others, to: lb, deny: tcp/443"])
        self.only(run, self.listener_at("leak", source="o"))

    # ---- datagrams ----
    def test_datagrams(self):
        self.firewall(pre=self.dnat(port=53, to=5353, proto="udp"))
        topology = self.balanced(port="udp/53", to=5353)
        run = self.verify(topology, "--only", "udp")
        self.good(run)
        self.reached(run, port="udp/53", w1=True, w2=True)
        self.firewall(pre=self.dnat(["w2"], port=53, to=5353, proto="udp"))
        run = self.verify(topology, "--only", "udp")
        self.only(run, self.listener_at("partial", "53", "udp"))
        self.reached(run, port="udp/53", w1=False, w2=True)


class Services(Balanced):
    """Who takes the data: stand-ins, real services, nobody."""

    def setUp(self):
        super().setUp()
        self.firewall(pre=self.dnat())

    def test_real_services_that_may_get_data(self):
        logs = self.app("w1", "w2")
        self.good(self.verify(self.balanced(more=DATA_OK), *FEW, limits="max_rate: 2000"))
        for log in logs.values():
            self.assertIn("data 28", self.heard(log))

    def test_real_services_are_left_alone(self):
        logs = self.app("w1")
        run = self.verify(self.balanced(), *FEW)
        self.assertEqual(run.data["findings"], [], self.told(run))
        self.assertTrue(any("data: ok" in reason for reason in run.untested()), run.untested())
        self.assertEqual(self.heard(logs["w1"]), [])

    def test_nobody_there_and_no_consent(self):
        run = self.verify(self.balanced(), *FEW, limits="max_rate: 2000")
        self.assertEqual(run.data["findings"], [], self.told(run))
        self.assertTrue(any("hazard class B" in reason for reason in run.untested()),
                        run.untested())


class Strangers(Balanced):
    """Somebody in the pool who is no declared backend."""

    prefix = "lbx"
    MORE_HOSTS = ("x", "y")

    @classmethod
    def build(cls):
        world = super().build()
        world.probes["y"] = "none"
        return world

    def pool(self, stranger):
        self.firewall(pre=self.dnat([*self.BACKENDS, stranger]))
        return self.verify(self.balanced(), *FEW)

    def test_one_with_a_probe(self):
        """It takes part in the run, for whatever reason: it may be pinged."""
        self.firewall(pre=self.dnat([*self.BACKENDS, "x"]), forward=self.PINGED)
        run = self.verify(self.balanced(), *FEW, "--only", "icmp_echo", to="lb,x",
                          policies=[self.PING])
        self.only(run, self.listener_at("misdelivered"))
        self.assertEqual(self.finding(run, "c", "lb", "ipv4", "tcp")["where"], "x")

    def test_one_without_a_probe(self):
        self.app("y")
        run = self.pool("y")
        self.only(run, self.listener_at("misdelivered"))

    def test_a_declared_backend_without_a_probe(self):
        """Others are passed on to a closed port of it, which no probe sees: that never holds."""
        self.app("y")
        pool = [*self.BACKENDS, "y"]
        self.firewall(pre=self.dnat(pool) + "\n"
                      + self.dnat(["y"], to=8444, iifname='"others"'))
        run = self.verify(self.balanced(backends=pool, more=DATA_OK), *TCP, source="c,o",
                          policies=["name: not-them, from: others, to: lb, deny: tcp/443"])
        self.good(run)
        for family in FAMILIES:
            self.check(run, ("c", "lb", family, "tcp", 443), "holds")
            self.check(run, ("o", "lb", family, "tcp", 443), "not_observable")
            self.assertEqual(run.pair("o", "lb", family, "tcp")["holds"], 0)

    def test_one_without_a_probe_that_is_silent(self):
        """Nobody serves there: like a dead backend that is none."""
        run = self.pool("y")
        self.only(run, self.listener_at("partial"))


class Many(Balanced):
    """Six backends: 21 flows would miss one too often."""

    prefix = "lb6"
    BACKENDS = ("w1", "w2", "w3", "w4", "w5", "w6")

    def test_flows_enough_for_six_backends(self):
        self.firewall(pre=self.dnat(pick="jhash tcp sport"))
        run = self.verify(self.balanced(), *FEW)
        self.good(run)
        self.reached(run, **{host: True for host in self.BACKENDS})
        listener = run.data["load_balancers"][0]["listeners"][0]
        self.assertEqual(listener["flows_needed"], 27)
        for client in listener["clients"]:
            self.assertGreaterEqual(client["flows"], 27)
            self.assertEqual(sum(b["flows"] for b in client["backends"]), client["flows"])
        self.firewall(pre=self.dnat(self.BACKENDS[:5]))
        run = self.verify(self.balanced(), *FEW)
        self.only(run, self.listener_at("partial"))
        self.reached(run, **{host: host != "w6" for host in self.BACKENDS})


if __name__ == "__main__":
    unittest.main(verbosity=2)
