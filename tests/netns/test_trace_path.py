# SPDX-License-Identifier: Apache-2.0
"""What `segproof trace` says of a path beyond its hops: parallel paths, first packets that are lost,
rate limits, state that is forgotten in silence. Each fault is real, and without it nothing is said.

Run: python3 tests/netns/test_trace_path.py (root; says skipped where the machine cannot do it)."""
import contextlib
import sys
import unittest

sys.dont_write_bytecode = True
from test_trace import TraceCase, chain  # noqa: E402
from tracing import Routers, v4, v6  # noqa: E402

WILLING = "max_rate: 2000, hazard: B"
SECOND = "10.61.8", "fd00:61:8:"  # the other way's link


class Parallel(Routers):
    """A third router beside the second, and r1 chooses between the two by addresses and ports. The
    way back is always through r2."""

    def __init__(self):
        super().__init__("tp")
        lab = self.lab
        lab.add_ns("r3", router=True)
        lab.veth("r1", "mid2", "r3", "mid2")
        for router, number in (("r1", 1), ("r3", 2)):
            lab.addr(router, "mid2", f"{SECOND[0]}.{number}/24", f"{SECOND[1]}:{number}/64")
        lab.veth("r3", "right", "r2", "r3")
        lab.run("r2", ["ip", "link", "set", "r3", "master", "right"], check=True)
        lab.addr("r3", "right", f"{v4('right', 3)}/24", f"{v6('right', 3)}/64")
        lab.route("r3", f"{v4('left', 0)}/24 via {SECOND[0]}.1",
                  f"{v6('left', 0)}/64 via {SECOND[1]}:1")
        lab.sysctl("r1", **{"net.ipv4.fib_multipath_hash_policy": 1,
                            "net.ipv6.fib_multipath_hash_policy": 1})
        lab.sysctl("r2", **{"net.bridge.bridge-nf-call-iptables": 0,  # what it bridges it must
                            "net.bridge.bridge-nf-call-ip6tables": 0})  # not filter

    def spread(self, second=2):
        """Routes over both; what is `second` on the other link need not be there."""
        there = (("-4", v4("right", 0) + "/24", v4("mid", 2), f"{SECOND[0]}.{second}"),
                 ("-6", v6("right", 0) + "/64", v6("mid", 2), f"{SECOND[1]}:{second:x}"))
        for family, net, near, far in there:
            self.lab.run("r1", ["ip", family, "route", "replace", net, "nexthop", "via", near,
                                "dev", "mid", "nexthop", "via", far, "dev", "mid2"], check=True)

    def gather(self):
        for family, net, near in (("-4", v4("right", 0) + "/24", v4("mid", 2)),
                                  ("-6", v6("right", 0) + "/64", v6("mid", 2))):
            self.lab.run("r1", ["ip", family, "route", "replace", net, "via", near, "dev", "mid"])


class PathCase(TraceCase):
    @classmethod
    def build(cls):
        return Parallel()

    def spread(self, **how):
        self.addCleanup(self.world.gather)
        self.world.spread(**how)


class Parts(PathCase):
    """Parallel paths that are not alike."""

    def test_dead_next_hop(self):
        """Nobody has the address of the second next hop."""
        self.spread(second=9)
        near, far = v6("left", 1), v6("mid", 2)
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv6")
        trace = self.check_cause(run, "ipv6", "parallel",
                                 ["16 flows are lost, and always the same ones",
                                  f"behind {near} (r1), where the others go on to {far} (r2)"],
                                 hop=1, after=f"{near} (r1)")
        flows = trace["flows"]
        self.assertEqual(flows["always"] + flows["never"], 16, run)
        self.assertEqual((flows["last"], flows["others"]), (near, far), run)

    def test_one_router_of_two_drops(self):
        """The parallel router itself is named. What the topology does not allow is not sent."""
        self.spread()
        self.fault("r3", chain("forward", ["tcp dport 5432 drop"]))
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4", "--rates", "--idle", "1s")
        trace = self.check_cause(run, "ipv4", "parallel",
                                 [f"by or behind {SECOND[0]}.2", f"go through {v4('mid', 2)}"],
                                 hop=2)
        self.assertTrue(trace["flows"]["last_is_parallel"], run)
        for what in ("rates", "silence"):  # the flow itself may be one of the lost ones
            self.assertRegex(trace[what]["not_measured"], "hazard class B|it does not arrive", run)
        self.assertEqual(trace["rates"]["trains"], [], run)

    def test_denied_on_one_path_only(self):
        """A denied flow that one of two paths lets through is found, whatever few packets showed."""
        self.spread()
        self.fault("r2", chain("forward", ["tcp dport 22 drop"]))
        run = self.trace("a", "b", "tcp/22", "--family", "ipv4")
        self.check_cause(run, "ipv4", "parallel", ["flows pass, though it is denied"])


class Flows(PathCase):
    """All of them alike: whole, or each loses its first packet."""

    def test_parallel_and_whole(self):
        """Nothing is wrong: two ways of equal worth, no limit, nothing forgotten."""
        self.spread()
        run = self.trace("a", "b", "tcp/5432", "--rates", "--idle", "2s",
                         topology=self.world.topology(limits=WILLING))
        for family, both in (("ipv4", {v4("mid", 2), f"{SECOND[0]}.2"}),
                             ("ipv6", {v6("mid", 2), f"{SECOND[1]}:2"})):
            trace = self.check_cause(run, family, "works", code=0, verdict="holds")
            flows, hops = trace["flows"], trace["hops"]
            self.assertEqual((flows["of"], flows["always"], flows["never"]), (16, 16, 0), run)
            self.assertEqual(set(hops[1]["answerers"]), both, run)
            self.assertEqual(len(hops[0]["answerers"]), 1, run)
            self.assertGreaterEqual(hops[1]["flows"], 6, run)
            first = trace["first_packets"]
            self.assertEqual((first["took_one"], first["took_two"]), (16, 0), run)
            self.assertGreater(trace["rates"]["without_loss"], 1000, run)
            self.assertNotIn("with_loss", trace["rates"], run)
            self.assertEqual(trace["silence"]["survived_ms"], 2000, run)
            self.assertNotIn("cut_ms", trace["silence"], run)

    def test_first_packet_lost(self):
        """The first packet of every flow is dropped and noted; the next one passes."""
        sets = ""
        for family, kind in (("ip", "ipv4_addr"), ("ip6", "ipv6_addr")):
            sets += (f" set seen_{family} {{ type {kind} . inet_service; size 65535; "
                     "flags dynamic,timeout; timeout 1m; }\n")
        rules = "\n".join(
            f"  {family} saddr . tcp sport != @seen_{family} tcp dport 5432 "
            f"add @seen_{family} {{ {family} saddr . tcp sport }} drop" for family in ("ip", "ip6"))
        self.fault("r2", "table inet trace\ndelete table inet trace\ntable inet trace {\n" + sets +
                   " chain c {\n  type filter hook forward priority 0;\n" + rules + "\n }\n}\n")
        run = self.trace()
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            trace = self.check_cause(run, family, "first_lost",
                                     ["the first SYN of every flow is dropped",
                                      f"between {near} (r2) and b", "passes a second later"],
                                     hop=2, verdict="blocked")
            self.assertEqual(trace["first_packets"], {"of": 16, "took_one": 0, "took_two": 16},
                             run)


class Ways(PathCase):
    """Back by another way than there."""

    def turn(self):
        """b answers by a link of its own to r1, which delivers to a by another one."""
        lab = self.world.lab
        for host, net, number in (("a", "10.61.7", 11), ("b", "10.61.6", 12)):
            lab.veth(host, "eth1", "r1", host + "2")
            lab.addr(host, "eth1", f"{net}.{number}/24")
            lab.addr("r1", host + "2", f"{net}.1/24")
        lab.commit()
        for ns, ifaces in (("a", ("eth1",)), ("b", ("eth0",)), ("r1", ("b2",))):
            for iface in ("all", *ifaces):
                lab.sysctl(ns, **{f"net.ipv4.conf.{iface}.rp_filter": 0})
        lab.run("b", ["ip", "route", "add", f"{v4('left', 0)}/24", "via", "10.61.6.1"], check=True)
        lab.run("r1", ["ip", "route", "add", f"{v4('left', 11)}/32", "via", "10.61.7.11"],
                check=True)

    def test_asymmetric(self):
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4")
        trace = self.check_cause(run, "ipv4", "works", code=0)
        self.assertEqual(trace["interfaces"], {"left": "eth0", "answered": "eth0",
                                               "arrived": "eth0", "replied": "eth0",
                                               "asymmetric": False}, run)
        self.turn()
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4")
        trace = self.check_cause(run, "ipv4", "works", code=0)
        self.assertEqual(trace["interfaces"], {"left": "eth0", "answered": "eth1",
                                               "arrived": "eth0", "replied": "eth1",
                                               "asymmetric": True}, run)
        self.fault("r1", chain("forward", ['iifname "b2" tcp sport 5432 drop']))
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4")
        self.check_cause(run, "ipv4", "way_back", ["by eth0, and the answer leaves by eth1",
                                                   "the ways differ"], verdict="return_blocked")


class Limits(PathCase):
    """How fast, and how long in silence."""

    def test_policer(self):
        """Enough for the ordinary test, and not for more than 200 packets a second."""
        self.fault("r1", chain("forward", [
            "tcp dport 5432 limit rate 200/second burst 60 packets accept",
            "tcp dport 5432 drop"]))
        run = self.trace("a", "b", "tcp/5432", "--rates", "--family", "ipv4",
                         topology=self.world.topology(limits=WILLING))
        trace = self.check_cause(run, "ipv4", "policed", ["something limits its rate"], code=0,
                                 verdict="holds")
        rates = trace["rates"]
        self.assertIn(rates["with_loss"] // 200, (1, 2), run)  # a train of 250 or 500 a second
        self.assertLess(rates["without_loss"], rates["with_loss"])
        self.assertTrue(150 <= rates["come_through"] <= 350, run)

    def test_forgotten(self):
        """State lives for two seconds; IPv4 is cut silently, IPv6 with a RST."""
        self.world.lab.run("r2", ["true"])
        self.fault("r2", chain("forward", [
            "meta nfproto ipv6 ct state invalid reject with tcp reset", "ct state invalid drop"]))
        keys = {"net.netfilter.nf_conntrack_tcp_timeout_established": (2, 432000),
                "net.netfilter.nf_conntrack_tcp_loose": (0, 1)}
        for key, (bad, good) in keys.items():
            self.world.lab.sysctl("r2", **{key: bad})
            self.addCleanup(self.world.lab.sysctl, "r2", **{key: good})
        run = self.trace("a", "b", "tcp/5432", "--idle", "4s",
                         topology=self.world.topology(limits=WILLING))
        for family, cut, words in (("ipv4", "silent", "nobody says so"),
                                   ("ipv6", "reset", "a RST says so")):
            trace = self.check_cause(run, family, "idle_cut", ["forgets silent", words], code=0,
                                     verdict="holds")
            silence = trace["silence"]
            self.assertEqual(silence["cut"], cut, run)
            self.assertTrue(1000 <= silence["survived_ms"] <= 2000, run)
            self.assertTrue(silence["survived_ms"] < silence["cut_ms"] <= 3200, run)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        unittest.main()
