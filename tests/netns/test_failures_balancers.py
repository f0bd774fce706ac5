# SPDX-License-Identifier: Apache-2.0
"""Known failures of load balancers: each is rebuilt on a router or with a real balancer, must be
named, and a healthy twin must raise no alarm. The numbers are those of FAILURES.md.

Run: python3 tests/netns/test_failures_balancers.py (root; says skipped where it cannot be done)."""
import sys
import unittest

sys.dont_write_bytecode = True
from balancing import FEW, HAPROXY, IP, TCP, VIP, Balanced, Proxied  # noqa: E402
from failing import Naming  # noqa: E402
from harness import FAMILIES, FW  # noqa: E402

SECOND = "10.60.99.11"
CLIENT = [("c", "lb")]
THEM = {"source": "c,o",
        "policies": ["name: not-them, from: others, to: lb, deny: tcp/443"]}


class Router(Naming, Balanced):
    """A router that balances: its addresses, who may use it, and what it does not know."""

    prefix = "flb"

    def healthy(self, *options, **how):
        self.doCleanups()
        self.firewall(pre=self.dnat())
        self.clean(self.verify(self.balanced(), *(options or FEW), **how))

    def test_07_answers_go_around_the_balancer(self):
        """A part of the clients waits for answers that come from somebody else's address."""
        self.firewall(pre=self.dnat())
        self.lab.nft(FW, "table inet around {\n chain back {\n  type filter hook prerouting priority "
                     "-300;\n  iifname web tcp sport 8443 jhash tcp dport mod 4 == 0 drop\n }\n}\n")
        self.addCleanup(self.lab.nft, FW, "delete table inet around\n")
        run = self.verify(self.balanced(), *FEW)
        self.names(run, "everything arrives, and some answers are lost on the way back",
                   "past the load balancer", verdict="partial", flows=CLIENT)
        self.healthy()

    def test_08_source_ranges_are_not_enforced(self):
        """The list of clients looks right, and the balancer does not look at it."""
        self.firewall(pre=self.dnat(iifname='{ "users", "others" }'))
        run = self.verify(self.balanced(), *TCP, **THEM)
        self.names(run, "the load balancer serves clients that its `from` does not name",
                   verdict="leak", flows=[("o", "lb")])
        self.healthy(*TCP, **THEM)

    def test_08_source_ranges_of_ipv6_are_open(self):
        """The IPv4 ranges are enforced, and ::/0 may come."""
        v6 = self.dnat(only=["ipv6"], iifname='{ "users", "others" }')
        self.firewall(pre=self.dnat(only=["ipv4"]) + "\n" + v6)
        run = self.verify(self.balanced(), *TCP, **THEM)
        cause = self.names(run, "the load balancer serves clients that its `from` does not name",
                           verdict="leak", flows=[("o", "lb")])
        self.assertEqual({f["family"] for f in cause["flows"]}, {"ipv6"}, self.told(run))

    def test_22_the_balancer_has_no_address(self):
        """It is still pending: the name is declared, and nobody has the address."""
        for family, bits in (("ipv4", 32), ("ipv6", 128)):
            words = ["ip", "addr", "{}", f"{VIP[family]}/{bits}", "dev", "lo"]
            self.addCleanup(self.lab.run, FW, [w.format("add") for w in words])
            self.lab.run(FW, [w.format("del") for w in words], check=True)
        self.firewall()
        run = self.verify(self.balanced(), *FEW)
        self.names(run, "a router answers that nobody has this address, or that it knows no route",
                   verdict="blocked", flows=CLIENT)
        self.healthy()

    def test_23_one_address_of_the_balancer_is_dead(self):
        """One zone of three has no target: a third of the clients times out."""
        self.lab.run(FW, ["ip", "addr", "add", f"{SECOND}/32", "dev", "lo"], check=True)
        self.addCleanup(self.lab.run, FW, ["ip", "addr", "del", f"{SECOND}/32", "dev", "lo"])
        topology = self.balanced().replace(VIP["ipv4"], f"{VIP['ipv4']}, {SECOND}")
        self.firewall(pre=self.dnat(), opened=f"  ip daddr {SECOND} drop")
        run = self.verify(topology, *FEW)
        self.names(run, f"one address of the load balancer, {SECOND}, never answers, and its "
                   "others do", "clients that pick this one time out", verdict="blocked",
                   flows=CLIENT)
        self.firewall(pre=self.dnat() + "\n" + self.dnat().replace(VIP["ipv4"], SECOND))
        self.clean(self.verify(topology, *FEW))

    def test_31_nothing_listens_yet(self):
        """A refusal is no filter: the balancer is there, and has no listener. Silence is."""
        self.firewall()
        run = self.verify(self.balanced(), *FEW)
        self.names(run, "the load balancer's address refuses connections: nothing listens there "
                   "yet", "a filter would be silent", verdict="blocked", flows=CLIENT)
        self.firewall(opened="".join(f"  {IP[f]} daddr {VIP[f]} tcp dport 443 drop\n"
                                     for f in FAMILIES))
        run = self.verify(self.balanced(), *FEW)
        self.names(run, "nothing comes from the load balancer's address", "the path to it is "
                   "closed", verdict="blocked", flows=CLIENT)
        self.healthy()


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class Program(Naming, Proxied):
    """haproxy, which takes connections before it knows whether a backend does."""

    prefix = "fhap"

    def test_30_accepts_and_nothing_is_behind_it(self):
        """`Connected`, then an empty reply."""
        self.firewall()
        self.haproxy(servers=[])
        listener = "source: rewritten"
        run = self.verify(self.balanced(listener=listener), *FEW)
        self.names(run, "the load balancer answers and no backend gets anything: it has nobody to "
                   "pass it on to", verdict="blocked", flows=CLIENT)
        self.end_children()
        self.haproxy()
        self.clean(self.verify(self.balanced(listener=listener), *FEW))


if __name__ == "__main__":
    unittest.main()
