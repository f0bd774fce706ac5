# SPDX-License-Identifier: Apache-2.0
"""The evidence of what sweeps find, and what reports say of it: files that tshark and tcpdump read
without complaint and that hold packets of the finding's own ports, as the probe saw them that was to
see them, or not to.

Run: python3 tests/netns/test_sweep_evidence.py (root; says skipped where the machine cannot do
it)."""
import os
import re
import shutil
import sys
import time
import unittest

sys.dont_write_bytecode = True
from sweepcase import ALL_PORTS, ALLOWED, Sweep, lists  # noqa: E402
from harness import FW, has_port  # noqa: E402
from test_evidence import read_file  # noqa: E402

HOLES = frozenset({2000, *range(2100, 2150)})
SHUT, FILTERED = 90, 91  # allowed: dropped on the way, dropped by the receiver itself
MANY = 64 * 3  # shots of one rule, and what a shot may have: sent, seen, reply
PROBE_MOST = 16 * 1024  # KiB


class SweepEvidence(Sweep):
    def setUp(self):
        super().setUp()
        if not shutil.which("tshark") or not shutil.which("tcpdump"):
            self.skipTest("no tshark or no tcpdump")
        self.dir = os.path.join(self.lab.dir, f"evidence-{self._testMethodName}")

    def evidence(self, run, finding):
        """The packets of a finding's file: each of its own flow, ports and shape."""
        name = finding["evidence"]
        self.assertRegex(name or "", rf"^{finding['verdict']}-[0-9]+\.pcapng$", run.err + run.out)
        packets = read_file(self, os.path.join(self.dir, name))
        self.assertTrue(packets, name)
        for p in packets:
            w = p.words
            self.assertEqual((w["check"], w["verdict"], w["from"], w["to"]),
                             (finding["id"], finding["verdict"], finding["from"], finding["to"]), p)
            self.assertEqual(p.iface, f"{w['host']}:{w['interface']}", p)
            if w["role"] in ("sent", "seen-at"):
                self.assertIn(w["injected"], ("link", "raw"), p)
                self.assertTrue(has_port(finding["ports"], int(p.dport)), (finding["ports"], p))
                self.assertEqual(p.src, self.world.address(finding["from"], finding["family"]), p)
        return packets

    def findings(self, run, verdict, count):
        found = [f for f in run.data["findings"] if f["verdict"] == verdict]
        self.assertEqual(len(found), count, run.err + run.out)
        return found

    def one_per_flow(self, run, verdict, each=1):
        """So many findings of this verdict per family and protocol, with their packets."""
        found = self.findings(run, verdict, 4 * each)
        self.assertEqual(len({(f["family"], f["protocol"]) for f in found}), 4)
        return [(f, self.evidence(run, f)) for f in found]

    # ---- findings that are packets ------------------------------------------------------------
    def test_leaks(self):
        """One port and a range: a packet of each, at the receiver."""
        self.closed(holes=HOLES)
        self.prove(holes=(2000, 2100, 2149))
        run = self.sweep(self.topology(), "--evidence", self.dir)
        self.exactly_all(run, leak=HOLES)
        for finding, packets in self.one_per_flow(run, "leak", each=2):
            seen = {int(p.dport) for p in packets if p.words["role"] == "seen-at"}
            self.assertIn(finding["ports"], ("2000", "2100-2149"))
            self.assertTrue(seen, finding)
            self.assertLessEqual(len(packets), MANY + 32)
            self.assertEqual({p.words["host"] for p in packets if p.words["role"] == "seen-at"},
                             {"b"})
            self.assertEqual(finding["injected"], "link")
            self.assertIn(finding["evidence"], run.out)
        for sweep in run.data["sweeps"]:
            self.assertEqual(sweep["injected"], "link")
            self.assertGreater(sweep["pilot_sent"], 0)
            self.assertEqual(sweep["pilot_refused"], 0)

    def test_raw(self):
        self.closed(holes={2000})
        run = self.sweep(self.topology(), "--evidence", self.dir, "--inject", "raw")
        for finding, packets in self.one_per_flow(run, "leak"):
            self.assertEqual(finding["injected"], "raw")
            self.assertEqual({p.words["injected"] for p in packets if "injected" in p.words},
                             {"raw"})

    def test_everything_open(self):
        """A bounded number of packets, and a probe stays small."""
        self.closed(holes=ALL_PORTS)
        running = self.start(self.topology(window=ALL_PORTS - ALLOWED), "--evidence", self.dir)
        most = 0
        until = time.monotonic() + 90
        while running.child.poll() is None and time.monotonic() < until:
            for host in ("a", "b"):
                for pid in self.probes(host):
                    try:
                        with open(f"/proc/{pid}/status", encoding="ascii") as status:
                            found = re.search(r"VmHWM:\s+(\d+)", status.read())
                    except OSError:
                        continue
                    most = max(most, int(found[1]) if found else 0)
            time.sleep(0.1)
        run = running.finish(90)
        self.exactly_all(run, among=ALL_PORTS, leak=ALL_PORTS - ALLOWED)
        for _, packets in self.one_per_flow(run, "leak"):
            self.assertLessEqual(len(packets), MANY + 32)  # and an answer of each kind
            self.assertGreaterEqual(len(packets), 2)
        print(f"a probe's memory: {most} KiB at most")
        self.assertGreater(most, 0)
        self.assertLess(most, PROBE_MOST)

    def test_stray(self):
        """Packets that come to another probe are shown as that one saw them."""
        self.own_rules("d", "output", "meta l4proto { tcp, udp } th sport 2002 drop\n"
                                      "  icmp type destination-unreachable drop\n"
                                      "  icmpv6 type destination-unreachable drop")
        nat = "\n".join(f"  {kind} daddr {self.world.address('b', family)} meta l4proto "
                        f"{{ tcp, udp }} th dport 2002 dnat {kind} to "
                        f"{self.world.address('d', family)}"
                        for family, kind in (("ipv4", "ip"), ("ipv6", "ip6")))
        self.closed(holes={2002})
        self.lab.nft(FW, f"table inet astray {{\n chain pre {{\n  type nat hook prerouting priority "
                         f"dstnat;\n{nat}\n }}\n}}\n")
        try:
            policy = f"name: d, from: a, to: d, permit: [{lists(ALL_PORTS)}]"
            run = self.sweep(self.topology(more_policies=[policy]), "--evidence", self.dir,
                             target="b,d")
        finally:
            self.lab.nft(FW, "delete table inet astray\n")
        for finding, packets in self.one_per_flow(run, "leak"):
            self.assertEqual(finding["where"], "d")
            strays = [p for p in packets if p.words["role"] == "stray"]
            self.assertTrue(strays, packets)
            for p in strays:
                self.assertEqual((p.words["host"], p.dst, p.dport),
                                 ("d", self.world.address("d", finding["family"]), "2002"))

    # ---- findings that are absences -----------------------------------------------------------
    def test_blocked(self):
        """What left, what came to the interface, and controls before and behind."""
        allowed = ALLOWED | {SHUT, FILTERED}
        self.closed(allowed=ALLOWED | {FILTERED})
        self.own_rules("b", "input", f"meta l4proto {{ tcp, udp }} th dport {FILTERED} drop")
        run = self.sweep(self.topology(allowed=allowed), "--evidence", self.dir)
        for finding, packets in self.one_per_flow(run, "blocked"):
            self.assertEqual((finding["ports"], finding["injected"]), (str(SHUT), "raw"))
            sent = [p for p in packets if p.words["role"] == "sent"]
            self.assertTrue(sent)
            self.assertEqual({p.words["host"] for p in sent}, {"a"})
            self.assertFalse([p for p in packets if p.words["role"] == "seen-at"])
            came = [p.time for p in packets if p.words["role"] == "control" and
                    (p.words["host"], p.words["control"]) == ("b", "seen-at")]
            self.assertTrue(came, packets)
            first = sent[0].time
            self.assertLess(min(came), first + 0.05)
            self.assertGreater(max(came), first)
        for finding, packets in self.one_per_flow(run, "host_filtered"):
            self.assertEqual(finding["ports"], str(FILTERED))
            self.assertEqual({p.words["host"] for p in packets if p.words["role"] == "seen-at"},
                             {"b"})

    # ---- and none ------------------------------------------------------------------------------
    def test_nothing(self):
        run = self.sweep(self.topology(), "--evidence", self.dir)
        self.assertEqual(run.code, 0, run.err + run.out)
        self.assertEqual([n for n in os.listdir(self.dir) if n.endswith(".pcapng")], [])

    def test_not_asked_for(self):
        """Without --evidence no packet is kept and none is named."""
        self.closed(holes={2000})
        run = self.sweep(self.topology())
        self.assertEqual({f["evidence"] for f in self.findings(run, "leak", 4)}, {None})


if __name__ == "__main__":
    unittest.main(verbosity=2)
