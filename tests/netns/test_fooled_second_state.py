# SPDX-License-Identifier: Apache-2.0
"""Attempts to fool a run by time: state that our own packets left in a firewall, in this run or in
the one before, and probes whose clocks are minutes apart. See fooling.py.

Run: python3 tests/netns/test_fooled_second_state.py (root; says skipped where it cannot be done)."""
import contextlib
import os
import sys
import unittest

sys.dont_write_bytecode = True
from fooling import FAST, OPEN, PORTS, Fooled, firewall  # noqa: E402
from harness import FAMILIES, FW, PROBE  # noqa: E402
from packets import TCP, UDP, Capture  # noqa: E402

PROTOS = ("tcp", "udp")
BACK = ["name: ok-back, from: b, to: a, allow: [tcp/80, udp/80, icmp/echo, icmp6/echo]",
        *[f"name: r{port}, from: b, to: a, deny: [tcp/{port}, udp/{port}]" for port in PORTS]]
WAYS = (("a", "b"), ("b", "a"))


class FooledState(Fooled):
    """Conntrack state of our own. Both directions between a and b are tested in one run."""

    def state(self):
        return os.path.join(self.lab.dir, "own-state")

    def forget(self):
        with contextlib.suppress(OSError):
            os.unlink(self.state())

    def both_ways(self, seed=1):
        topology = self.world.topology(
            ["name: ok, from: a, to: b, allow: [tcp/80, udp/80, icmp/echo, icmp6/echo]",
             *[f"name: d{port}, from: a, to: b, deny: [tcp/{port}, udp/{port}]" for port in PORTS],
             *BACK], limits=FAST)
        return self.world.verify(topology, "--from", "a,b", "--to", "a,b", "--state", self.state(),
                                 "--seed", str(seed))

    def verdicts(self, run):
        return {(*way, family, proto, port): run.fact(*way, family, proto, port).verdict
                for way in WAYS for family in FAMILIES for proto in PROTOS for port in PORTS}

    def test_run_after_run(self):
        """Behind `ct state established accept`, three runs with one seed: fresh, right after it,
        and after the ledger was deleted. Closed ports hold in all of them, the hole leaks in all of
        them, and while the ledger is kept no flow is another one's reverse or comes twice."""
        self.forget()
        self.lab.nft(FW, firewall("meta l4proto { tcp, udp } th dport 2002 accept"))
        for family in FAMILIES:
            self.assertTrue(self.reaches("b", "a", family, "tcp", 2002), "there is no hole")
        expected = {flow: "leak" if flow[4] == 2002 else "holds"
                    for flow in self.verdicts_of_nothing()}
        sent = []
        for nth in range(3):
            if nth == 2:
                self.forget()
            with Capture(self.lab, [FW], "left") as capture:
                run = self.both_ways()
                seen = capture.read(0.1)
            self.assertEqual(self.verdicts(run), expected, run.err + run.out)
            sent.append({(p.src, p.dst, p.proto, p.sport, p.dport) for p in seen
                         if p.proto in (TCP, UDP) and p.dport in (80, *PORTS)})
            self.assertGreater(len(sent[-1]), 100)
        first, second = sent[:2]
        kept = first | second
        self.assertEqual(first & second, set(), "a flow was repeated")
        self.assertEqual({flow for flow in kept
                          if (flow[1], flow[0], flow[2], flow[4], flow[3]) in kept}, set())

    @staticmethod
    def verdicts_of_nothing():
        return [(*way, family, proto, port) for way in WAYS for family in FAMILIES
                for proto in PROTOS for port in PORTS]

    def test_state_that_closes(self):
        """A firewall that lets new flows through and drops what it knows already: a repeated flow
        would look blocked."""
        self.forget()
        self.lab.nft(FW, firewall("meta l4proto { tcp, udp } th dport 2001-2004 accept").replace(
            "  ct state established,related accept",
            "  meta l4proto { tcp, udp } th dport 2001-2004 ct state established drop\n"
            "  ct state established,related accept"))
        self.assertTrue(self.reaches("a", "b", "ipv4", "tcp", 2001), "there is no hole")
        for nth in range(3):
            if nth == 2:
                self.forget()
            run = self.both_ways()
            self.assertEqual(set(self.verdicts(run).values()), {"leak"}, run.err + run.out)

    def test_state_by_host_that_our_control_opens(self):
        """Whoever was called by a host may call it back on any port, for as long as the set
        remembers: a hole, and our control is what a program would do, too."""
        sets = "".join(f" set {name} {{ type {kind} . {kind}; flags dynamic,timeout; timeout 20s; "
                       "}\n" for name, kind in (("s4", "ipv4_addr"), ("s6", "ipv6_addr")))
        lines = "\n".join(
            f"  iifname right {ip} daddr . {ip} saddr @{name} accept\n"
            f"  iifname left meta l4proto {{ tcp, udp }} th dport 80 add @{name} {{ {ip} saddr . "
            f"{ip} daddr }} accept" for name, ip in (("s4", "ip"), ("s6", "ip6")))
        self.lab.nft(FW, firewall(lines.strip()).replace("table inet fw {\n chain",
                                                         "table inet fw {\n" + sets + " chain", 1))
        for family in FAMILIES:
            self.assertFalse(self.reaches("b", "a", family, "tcp", 2001))
            self.assertTrue(self.reaches("a", "b", family, "tcp", 80))
            self.assertTrue(self.reaches("b", "a", family, "tcp", 2001), "there is no hole")
        run = self.both_ways()
        for flow, verdict in self.verdicts(run).items():
            self.assertEqual(verdict, "leak" if flow[0] == "b" else "holds", f"{flow} {run.out}")


class FooledClock(Fooled):
    """The clocks of the probes are minutes apart. A namespace cannot shift the wall clock, which
    probes only write into reports; it shifts the monotonic one, by which they send and listen."""

    def shifted(self):
        """A probe that starts with another clock on each host."""
        if self.lab.run("a", ["unshare", "--time", "--monotonic", "300", "true"]).returncode != 0:
            self.skipTest("no time namespaces here")
        path = os.path.join(self.lab.dir, "shifted-probe")
        other = "exec unshare --time --monotonic {0} --boottime {0} --fork --kill-child"
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\ncase \"$(ip netns identify $$)\" in\n"
                       f"*-a) echo a >>{path}.used; {other.format(420)} {PROBE} \"$@\";;\n"
                       f"*-b) echo b >>{path}.used; {other.format(-180)} {PROBE} \"$@\";;\n"
                       f"esac\nexec {PROBE} \"$@\"\n")
        os.chmod(path, 0o755)
        return path

    def verdicts(self, run):
        return {(family, proto, port): run.fact("a", "b", family, proto, port).verdict
                for family in FAMILIES for proto in PROTOS for port in (80, *PORTS)}

    def test_minutes_apart(self):
        probe = self.shifted()
        for rules, hole in ((OPEN, PORTS), (firewall(""), ()),
                            (firewall("meta l4proto { tcp, udp } th dport 2003 accept"), (2003,))):
            self.lab.nft(FW, rules)
            plain = self.verdicts(self.start("--seed", "5").finish())
            run = self.start("--seed", "5", "--probe", probe).finish()
            self.assertEqual(self.verdicts(run), plain, run.err + run.out)
            for (_, _, port), verdict in plain.items():
                self.assertEqual(verdict, "leak" if port in hole else "holds")
        with open(probe + ".used", encoding="ascii") as file:
            self.assertEqual(set(file.read().split()), {"a", "b"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
