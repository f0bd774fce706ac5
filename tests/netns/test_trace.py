# SPDX-License-Identifier: Apache-2.0
"""`segproof trace` on real packets: each test breaks the path in another way first, and the trace
must name the cause and the hop; then the path is whole again, and it must say so.

Run: python3 tests/netns/test_trace.py (root; says skipped where the machine cannot do it)."""
import contextlib
import os
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, SEGPROOF, Case  # noqa: E402
from tracing import Routers, v4, v6  # noqa: E402

FLOW = ("a", "b", "tcp/5432")


def chain(hook, rules, kind="filter", priority=0):
    """One base chain; the table is emptied first."""
    lines = "\n  ".join(rules)
    return (f"table inet trace\ndelete table inet trace\ntable inet trace {{\n chain c {{\n"
            f"  type {kind} hook {hook} priority {priority};\n  {lines}\n }}\n}}\n")


def forward(*rules):
    return chain("forward", ("ct state established,related accept", *rules))


class TraceCase(Case):
    @classmethod
    def build(cls):
        return Routers()

    def fault(self, ns, rules):
        """Breaks it; whatever happens it is whole again afterwards."""
        self.world.lab.nft(ns, rules)
        self.addCleanup(self.world.lab.nft, ns, "table inet trace\ndelete table inet trace\n")

    def ip(self, ns, *lines, undo):
        for line in lines:
            self.world.lab.run(ns, ["ip", *line.split()], check=True)
        for line in reversed(undo):  # what is to be done first is added last
            self.addCleanup(self.world.lab.run, ns, ["ip", *line.split()])

    def trace(self, *args, watch=False, **how):
        how.setdefault("topology", self.world.topology(watch=watch))
        return self.world.trace(*(args or FLOW), **how)

    def check_cause(self, run, family, kind, says=(), code=1, verdict=None, **place):
        """The named cause, words of its sentence, and where: hop=, at=, after=, before=."""
        trace = run[family]
        told = f"{trace['cause']}\n{run}"
        self.assertEqual(run.code, code, told)
        self.assertEqual(trace["cause"]["kind"], kind, told)
        for words in says:
            self.assertIn(words, trace["cause"]["text"], told)
        for key, value in place.items():
            self.assertEqual(trace["cause"].get(key), value, told)
        if verdict:
            self.assertEqual(trace["verdict"], verdict, told)
        return trace

    def check_whole(self, *args, **how):
        """Without the fault nothing of it is said: a trace that always blames is worth nothing."""
        self.doCleanups()
        run = self.trace(*args, **how)
        for family in FAMILIES:
            if not args or family in args:
                self.check_cause(run, family, "works", code=0, verdict="holds")


class Forward(TraceCase):
    """On the way there."""

    def test_healthy(self):
        run = self.trace()
        for family, hops in (("ipv4", [v4("left", 1), v4("mid", 2)]),
                             ("ipv6", [v6("left", 1), v6("mid", 2)])):
            trace = self.check_cause(run, family, "works", code=0, verdict="holds")
            self.assertEqual([hop["address"] for hop in trace["hops"]], hops)
            self.assertEqual([hop["host"] for hop in trace["hops"]], ["r1", "r2"])
            self.assertGreater(trace["receiver"]["interface"], 0)
            self.assertGreater(trace["sender"]["answered"], 0)
            self.assertEqual([size["arrived"] > 0 for size in trace["sizes"]],
                             [True] * len(trace["sizes"]))

    def test_dropped_by_the_first(self):
        self.fault("r1", forward("tcp dport 5432 drop"))
        run = self.trace()
        for family, near, far in (("ipv4", v4("left", 1), v4("mid", 2)),
                                  ("ipv6", v6("left", 1), v6("mid", 2))):
            self.check_cause(run, family, "dropped", [f"between {near} (r1) and {far} (r2)"],
                             verdict="blocked", hop=1, after=f"{near} (r1)",
                             before=f"{far} (r2)")
        self.check_whole()

    def test_dropped_by_the_second(self):
        self.fault("r2", forward("tcp dport 5432 drop"))
        run = self.trace()
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            self.check_cause(run, family, "dropped", [f"between {near} (r2) and b"],
                             verdict="blocked", hop=2, after=f"{near} (r2)", before="b")

    def test_dropped_before_the_first(self):
        """What comes in is dropped before the router looks at the TTL."""
        self.fault("r1", chain("prerouting", ["tcp dport 5432 drop"], priority=-300))
        run = self.trace()
        for family, near in (("ipv4", v4("left", 1)), ("ipv6", v6("left", 1))):
            self.check_cause(run, family, "dropped", [f"between a and {near} (r1)"], hop=0,
                             after="a", before=f"{near} (r1)")

    def test_seen_inside(self):
        """A probe on the router places it exactly: came in, never left."""
        self.fault("r2", forward("tcp dport 5432 drop"))
        run = self.trace(watch=True)
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            trace = self.check_cause(run, family, "dropped_inside",
                                     [f"inside {near} (r2)", "came in on mid and never left"],
                                     hop=2, at=f"{near} (r2)")
            seen = {(p["interface"], p["direction"]) for p in trace["hops"][0]["passed"]
                    if p["what"] == "flow"}
            self.assertEqual(seen, {("left", "in"), ("mid", "out")})
            self.assertTrue(trace["hops"][1]["watched"])
        self.check_whole(watch=True)

    def test_prohibited(self):
        self.fault("r2", forward("tcp dport 5432 reject with icmpx admin-prohibited"))
        run = self.trace()
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            self.check_cause(run, family, "rejected", [f"{near} (r2)", "prohibited"], hop=2,
                             at=f"{near} (r2)", verdict="blocked")

    def test_reset(self):
        """A RST in the receiver's name is placed by its TTL."""
        self.fault("r2", forward("tcp dport 5432 reject with tcp reset"))
        run = self.trace()
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            self.check_cause(run, family, "rejected", [f"{near} (r2)", "in the name of b"], hop=2,
                             at=f"{near} (r2)", verdict="blocked")

    def test_no_route(self):
        self.ip("r1", f"route del {v4('right', 0)}/24", f"-6 route del {v6('right', 0)}/64",
                undo=[f"route add {v4('right', 0)}/24 via {v4('mid', 2)}",
                      f"-6 route add {v6('right', 0)}/64 via {v6('mid', 2)}"])
        run = self.trace()
        for family, near in (("ipv4", v4("left", 1)), ("ipv6", v6("left", 1))):
            self.check_cause(run, family, "no_route", [f"{near} (r1) has no route to b"], hop=1,
                             at=f"{near} (r1)", verdict="blocked")
        self.check_whole()

    def test_blackhole_route(self):
        self.ip("r1", f"route add blackhole {v4('right', 12)}/32",
                f"-6 route add blackhole {v6('right', 12)}/128",
                undo=[f"route del blackhole {v4('right', 12)}/32",
                      f"-6 route del blackhole {v6('right', 12)}/128"])
        run = self.trace()
        self.check_cause(run, "ipv4", "dropped", ["between a and b", "no router on the way"], code=1)

    def test_loop(self):
        self.ip("r2", f"route add {v4('right', 12)}/32 via {v4('mid', 1)}",
                f"-6 route add {v6('right', 12)}/128 via {v6('mid', 1)}",
                undo=[f"route del {v4('right', 12)}/32",
                      f"-6 route del {v6('right', 12)}/128"])
        run = self.trace()
        for family in FAMILIES:
            self.check_cause(run, family, "loop", ["circle", "(r2)"], code=run.code)
        self.assertIn(run.code, (1, 3))

    def test_misdelivered(self):
        self.fault("r2", chain("prerouting", [
            f"ip daddr {v4('right', 12)} tcp dport 5432 dnat ip to {v4('right', 13)}",
            f"ip6 daddr {v6('right', 12)} tcp dport 5432 dnat ip6 to {v6('right', 13)}"],
            kind="nat", priority=-100))
        run = self.trace(watch=True)
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            trace = self.check_cause(run, family, "elsewhere", ["c gets it", f"at {near} (r2)"],
                                     hop=2, at=f"{near} (r2)")
            self.assertEqual(trace["elsewhere"], "c")
        self.check_whole(watch=True)

    def test_source_rewritten(self):
        self.fault("r2", chain("postrouting", ["tcp dport 5432 oifname right masquerade"],
                               kind="nat", priority=100))
        run = self.trace(watch=True)
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            self.check_cause(run, family, "rewritten",
                             [f"{near} (r2) rewrites its source"], hop=2, at=f"{near} (r2)",
                             verdict="misdelivered")


class Ends(TraceCase):
    """At the two hosts, and on the way back."""

    def test_sender_policy(self):
        self.fault("a", chain("output", ["tcp dport 5432 drop"]))
        run = self.trace()
        for family in FAMILIES:
            self.check_cause(run, family, "sender_policy", ["a's own firewall"], at="a",
                             verdict="blocked")
        self.check_whole()

    def test_receiver_policy(self):
        self.fault("b", chain("input", ["tcp dport 5432 drop"]))
        run = self.trace()
        for family in FAMILIES:
            trace = self.check_cause(run, family, "receiver_policy", ["b's own firewall drops it"],
                                     at="b", verdict="host_filtered")
            self.assertGreater(trace["receiver"]["interface"], 0)
            self.assertEqual(trace["receiver"]["host"], 0)

    def test_receiver_answers_nothing(self):
        self.fault("b", chain("output", ["tcp sport 5432 drop"]))
        run = self.trace()
        for family in FAMILIES:
            self.check_cause(run, family, "receiver_out", ["own outbound rules"], at="b",
                             verdict="return_blocked")

    def test_way_back(self):
        self.fault("r2", chain("forward", ["tcp sport 5432 drop"]))
        run = self.trace()
        for family in FAMILIES:
            self.check_cause(run, family, "way_back", ["leaves b", "lost on the way back to a"],
                             verdict="return_blocked")
        seen = self.trace(watch=True)
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            self.check_cause(seen, family, "way_back",
                             [f"dropped inside {near} (r2)", "came in on right"])
        self.check_whole()

    def test_receiver_link_down(self):
        self.ip("b", "link set eth0 down",
                undo=["link set eth0 up", f"route add default via {v4('right', 1)}",
                      f"-6 addr add {v6('right', 12)}/64 dev eth0 nodad",
                      f"-6 route add default via {v6('right', 1)}"])
        run = self.trace()
        for family in FAMILIES:
            self.check_cause(run, family, "receiver_down", ["b cannot get it"], code=3, at="b",
                             verdict="inconclusive")
        self.check_whole()

    def test_sender_link_down(self):
        self.ip("a", "link set eth0 down",
                undo=["link set eth0 up", f"route add default via {v4('left', 1)}",
                      f"-6 addr add {v6('left', 11)}/64 dev eth0 nodad",
                      f"-6 route add default via {v6('left', 1)}"])
        run = self.trace()
        for family in FAMILIES:
            self.check_cause(run, family, "sender_route", ["a cannot send it"], code=3, at="a")

    def test_silent_on_the_link(self):
        """The receiver is up, and in another segment than its router thinks."""
        self.ip("r2", "link set dev b nomaster", undo=["link set dev b master right"])
        for dev in ("right",):
            self.world.lab.run("r2", ["ip", "neigh", "flush", "dev", dev])
        run = self.trace()
        for family, near in (("ipv4", v4("mid", 2)), ("ipv6", v6("mid", 2))):
            self.check_cause(run, family, "no_neighbour", ["gets no answer from b on the link"],
                             code=3, hop=2, at=f"{near} (r2)")
        self.check_whole()


class Amounts(TraceCase):
    """Loss and size."""

    def test_policer(self):
        self.fault("r1", forward("tcp dport 5432 limit rate 2/second burst 5 packets accept",
                                 "tcp dport 5432 drop"))
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4")
        self.check_cause(run, "ipv4", "loss", ["a second apart arrive", "a rate limit"], code=3)

    def test_loss(self):
        """A third of the packets, whenever they come."""
        self.fault("r2", forward("tcp dport 5432 numgen random mod 3 == 0 drop"))
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4")
        self.check_cause(run, "ipv4", "loss", ["the path loses packets"], verdict="partial")

    def test_black_hole(self):
        """The link between the routers is smaller, and nobody may say so."""
        for router in ("r1", "r2"):
            self.ip(router, "link set mid mtu 1300", undo=["link set mid mtu 1500"])
        self.fault("r1", chain("output", ["icmp type destination-unreachable drop",
                                          "icmpv6 type packet-too-big drop"]))
        run = self.trace("a", "b", "udp/5353")
        for family in FAMILIES:
            self.check_cause(run, family, "black_hole", ["1280 bytes arrive", "1400 bytes do not"])

    def test_smaller_link_that_says_so(self):
        for router in ("r1", "r2"):
            self.ip(router, "link set mid mtu 1300", undo=["link set mid mtu 1500"])
        run = self.trace("a", "b", "udp/5353")
        for family in FAMILIES:
            trace = self.check_cause(run, family, "works", code=0)
            told = {size["mtu"] for size in trace["sizes"] if size["mtu"]}
            self.assertEqual(told, {1300}, run)

    def test_mss_clamping(self):
        self.fault("r1", chain("forward", ["tcp flags syn tcp option maxseg size set 1200"]))
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4")
        self.assertEqual(run["ipv4"]["mss"], {"sent": 1460, "arrived": 1200}, run)


class Denied(TraceCase):
    """Flows that must not pass."""

    def test_dropped_as_declared(self):
        self.fault("r1", forward("tcp dport 22 drop"))
        run = self.trace("a", "b", "tcp/22")
        for family, near in (("ipv4", v4("left", 1)), ("ipv6", v6("left", 1))):
            self.check_cause(run, family, "dropped", [f"{near} (r1)", "as declared"], code=0,
                             hop=1, verdict="holds")

    def test_isolated(self):
        """Nothing is allowed between the two: the control is what each has with somebody else."""
        self.fault("r1", forward(f"ip daddr {v4('right', 12)} drop"))
        policies = ("name: there, from: a, to: c, allow: [tcp/80]",
                    "name: beside, from: c, to: b, allow: [tcp/80]")
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4",
                         topology=self.world.topology(policies=policies))
        trace = self.check_cause(run, "ipv4", "dropped", [f"{v4('left', 1)} (r1)", "as declared"],
                                 code=0, hop=1, verdict="holds")
        self.assertEqual(trace["control"], "split")

    def test_passes(self):
        run = self.trace("a", "b", "tcp/22")
        for family in FAMILIES:
            self.check_cause(run, family, "passes", ["though it is denied"], verdict="leak")


class Words(TraceCase):
    """The picture, and what cannot be traced."""

    def test_picture(self):
        self.fault("r1", forward("tcp dport 5432 drop"))
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4", as_json=False,
                         env={"NO_COLOR": "1", "COLUMNS": "80"})
        self.assertEqual(run.code, 1, run)
        for line in ("BLOCKED  a -> b  tcp/5432  ipv4", f"{v4('left', 1)} (r1)", "it comes here",
                     "lost here", "udp/5353 comes here, it does not", "nothing arrived",
                     "cause      dropped between", "change     add the declared rule", "PACKETS"):
            self.assertIn(line, run.out, run)
        self.assertNotIn("\x1b", run.out)
        self.assertLessEqual(max(len(line) for line in run.out.splitlines()), 80, run)

    def test_refused(self):
        for args, words in ((("nobody", "b", "tcp/1"), "nobody"),
                            (("a", "r1", "tcp/1"), "r1 has no probe"),
                            (("right", "b", "tcp/1"), "selects 2 hosts"),
                            (("a", "a", "tcp/1"), "both a"),
                            (("a", "b", "gre"), "not one flow"),
                            (("a", "b", "tcp/1-2"), "not one flow"),
                            (("a", "b", "tcp/70000"), "70000"),
                            (("b", "c", "tcp/1"), "cannot be traced: same subnet")):
            run = self.trace(*args)
            self.assertEqual(run.code, 2, f"{args}: {run}")
            self.assertIn(words, run.err, f"{args}: {run}")
            self.assertEqual(run.out, "")

    def test_evidence(self):
        """Packets, topology and the trace itself, in a signed chain that nobody changes unseen."""
        self.fault("r1", forward("tcp dport 5432 drop"))
        where = os.path.join(self.world.lab.dir, "why")
        home = {"XDG_STATE_HOME": os.path.join(self.world.lab.dir, "home")}
        run = self.trace("a", "b", "tcp/5432", "--family", "ipv4", "--evidence", where, env=home)
        self.assertEqual(run.code, 1, run)
        self.assertIn("the evidence is signed with the key SHA256:", run.err)
        names = sorted(re.sub("-.*", "", name) for name in os.listdir(where))
        self.assertEqual(names, ["blocked", "manifest.jsonl", "manifest.pub", "manifest.sig",
                                 "topology.yaml", "trace.json"], run)
        file = os.path.join(where, "trace.json")
        with open(file, encoding="utf-8") as trace:
            text = trace.read()
        self.assertEqual(text, run.out)
        checked = self.check_evidence(where, home)
        self.assertEqual(checked.returncode, 0, checked)
        with open(file, "w", encoding="utf-8") as trace:
            trace.write(text.replace("dropped", "works", 1))
        checked = self.check_evidence(where, home)
        self.assertEqual(checked.returncode, 1, checked)
        self.assertIn("trace.json: was changed", checked.stdout)
        again = self.trace("a", "b", "tcp/5432", "--evidence", where, env=home)
        self.assertEqual(again.code, 2, again)

    def check_evidence(self, where, home):
        return subprocess.run([SEGPROOF, "report", "--check-evidence", where], text=True,
                              capture_output=True, check=False, env={**os.environ, **home})


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        unittest.main()
