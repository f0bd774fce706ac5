# SPDX-License-Identifier: Apache-2.0
"""Known failures of paths, which connections of a few small packets do not show: each is rebuilt,
must be named by `segproof trace`, and a healthy twin must be said to work. The numbers are those of
FAILURES.md.

Run: python3 tests/netns/test_failures_paths.py (root; says skipped where it cannot be done)."""
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, Case  # noqa: E402
from tracing import Routers  # noqa: E402

UDP = ("a", "b", "udp/5353")
OPEN = "flush ruleset\n"


class Sizes(Case):
    """a -- r1 -- r2 -- b"""

    @classmethod
    def build(cls):
        return Routers("ftr")

    def mtu(self, ns, dev, size):
        for bytes_ in (size, 1500):
            words = ["ip", "link", "set", dev, "mtu", str(bytes_)]
            if bytes_ == size:
                self.world.lab.run(ns, words, check=True)
            else:
                self.addCleanup(self.world.lab.run, ns, words)

    def names(self, run, family, *words):
        self.assertEqual(run.code, 1, run)
        for word in words:
            self.assertIn(word, run[family]["cause"]["text"], run)

    def healthy(self):
        """Without the fault; all tests of the class share one trace of the whole path."""
        self.doCleanups()
        if not hasattr(type(self), "whole"):
            type(self).whole = self.world.trace(*UDP)
        run = self.whole
        self.assertEqual((run.code, {run[f]["cause"]["kind"] for f in FAMILIES}), (0, {"works"}),
                         run)

    def test_12_mtu_of_the_ends_differs(self):
        """Nobody routes at the step where the size changes, so nobody can tell."""
        self.mtu("b", "eth0", 1400)
        run = self.world.trace(*UDP, "--family", "ipv4")
        self.names(run, "ipv4", "the MTUs do not match",
                   "b's link takes 1400 bytes and a's 1500", "large ones vanish")
        self.healthy()

    def test_13_fragmentation_needed_is_filtered(self):
        """A router says that it is too big, and a filter drops what it says."""
        for router in ("r1", "r2"):
            self.mtu(router, "mid", 1300)
        self.world.lab.nft("r1", f"{OPEN}table inet quiet {{\n chain out {{\n  type filter hook "
                           "output priority 0;\n  icmp type destination-unreachable drop\n  icmpv6 "
                           "type packet-too-big drop\n }\n}\n")
        self.addCleanup(self.world.lab.nft, "r1", OPEN)
        run = self.world.trace(*UDP, "--family", "ipv6")
        self.names(run, "ipv6", "small packets pass and large ones vanish",
                   "nobody says that they are too big (a path MTU black hole)")
        self.healthy()


if __name__ == "__main__":
    unittest.main()
