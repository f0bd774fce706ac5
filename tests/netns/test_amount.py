# SPDX-License-Identifier: Apache-2.0
"""How much `segproof verify` says, and where: -q, -v, --json, colours, width, a reader that stops and
a disk that is full. Two hosts behind a firewall; one policy that is kept and, with a hole, one not.

Run: python3 tests/netns/test_amount.py (root)."""
import json
import re
import unittest

import harness
from harness import FW, Case, World

POLICY = ["name: web, from: a, to: b, allow: tcp/80"]
RULES = """table inet f {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname left oifname right tcp dport 80 accept
        %s
    }
}"""
HOLE = "iifname left oifname right tcp dport 1-79 accept"
ESCAPE = "\x1b"


class Amount(Case):
    @classmethod
    def build(cls):
        return World("amount", {"left": ["a"], "right": ["b"]})

    def verify(self, *options, hole=False, **how):
        self.world.lab.nft(FW, "flush ruleset\n" + RULES % (HOLE if hole else ""))
        return self.world.verify(self.world.topology(POLICY), *options, "--only", "tcp_syn", "--seed",
                                 "7", **how)

    def piped(self, script, *options, **how):
        """"$@" in the script is the command."""
        return self.verify(*options, wrap=["bash", "-c", "set -o pipefail; " + script, "-"], **how)

    def test_quiet_says_nothing_when_all_holds(self):
        run = self.verify("-q")
        self.assertEqual((run.code, run.out, run.err), (0, "", ""))
        self.assertEqual(run.summary["verdict"], "holds")  # the file is written all the same

    def test_quiet_says_the_findings(self):
        run = self.verify("-q", hole=True)
        first, *rest = run.out.splitlines()
        self.assertEqual((run.code, run.err), (1, ""))
        self.assertIn("FAILS", first)
        self.assertEqual(len(rest), 2)  # one for each family
        for line in rest:
            self.assertRegex(line, r"LEAK  a -> b  tcp/\d+")

    def test_quiet_never_hides_that_it_is_incomplete(self):
        run = self.verify("-q", "--probe", "/bin/false")
        self.assertNotEqual(run.code, 0)
        self.assertNotEqual(run.out + run.err, "")

    def test_verbose_says_every_stage_and_pair(self):
        plain, run = self.verify(), self.verify("-v")
        self.assertEqual((plain.code, run.code), (0, 0))
        for stage in ("starting probes: 2 of 2", "scouting controls", "denied flows", "allowed flows"):
            self.assertRegex(run.err, rf"(?m)^segproof: {stage}.*, \d+\.\d\d s$")
        self.assertIn("PAIRS", run.out)
        self.assertNotIn("PAIRS", plain.out)
        self.assertEqual(len(re.findall(r"HOLDS  a -> b  tcp/", run.out)), 2)

    def test_json_is_alone_on_standard_output(self):
        for options in (("--json",), ("--json", "-q"), ("--json", "-v")):
            run = self.verify(*options)
            told = json.loads(run.out)
            self.assertEqual((run.code, told["format"]), (0, "segproof-report/1"))
        self.assertNotEqual(self.verify("--json", "-q").out, "")

    def test_colours(self):
        for env, options, colour in (
                ([], [], False), (["CLICOLOR_FORCE=1"], [], True), ([], ["--color=always"], True),
                (["CLICOLOR_FORCE=1", "NO_COLOR=1"], [], False),
                (["CLICOLOR_FORCE=1"], ["--color=never"], False),
                (["NO_COLOR=1"], ["--color", "always"], True)):
            run = self.verify(*options, wrap=["env", "-u", "NO_COLOR", "-u", "CLICOLOR_FORCE", *env])
            self.assertEqual(ESCAPE in run.out, colour, (env, options))
            self.assertNotIn(ESCAPE, run.err)  # no bar without a terminal

    def test_width(self):
        height = {}
        for columns in ("50", "110", "wide"):
            out = self.verify("-v", hole=True, wrap=["env", f"COLUMNS={columns}"]).out
            line = next(line for line in out.splitlines() if line.startswith("Of what holds"))
            self.assertLessEqual(len(line), {"50": 50, "110": 110, "wide": 100}[columns])
            height[columns] = out.count("\n")
        self.assertGreater(height["50"], height["wide"])
        self.assertGreaterEqual(height["wide"], height["110"])

    def test_a_reader_that_stops_changes_no_verdict(self):
        for hole, code, word in ((False, 0, "HOLDS"), (True, 1, "FAILS")):
            run = self.piped('"$@" | head -n 1', "-v", hole=hole)
            self.assertEqual((run.code, run.out.count("\n")), (code, 1))
            self.assertIn(word, run.out)
            run = self.piped('"$@" | true', "-v", hole=hole)
            self.assertEqual(run.code, code)
            self.assertNotIn("written", run.err)

    def test_a_full_disk_is_an_error(self):
        for options in ((), ("--json",), ("--report", "text=-")):
            run = self.piped('"$@" >/dev/full', *options)
            self.assertEqual(run.code, 2)
            self.assertIn("No space left on device", run.err)
        self.assertEqual(self.piped('"$@" >&-').code, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
