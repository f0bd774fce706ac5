# SPDX-License-Identifier: Apache-2.0
"""What the tests of known failures share: a firewall that is told what to pass, runs of verify, and
the question whether a report names a failure in its own words.

Each test rebuilds one failure of FAILURES.md, must find its name in a cause of the report, and must
find nothing in a run of the same topology without it. The runs of healthy networks are kept: tests
with the same topology and options share one."""
import sys

sys.dont_write_bytecode = True
from harness import FW, Case  # noqa: E402

OPEN = "flush ruleset\n"


def forward(*rules, policy="drop"):
    """A firewall that follows flows; rules come behind."""
    lines = "\n".join(f"  {rule}" for rule in rules)
    return (f"{OPEN}table inet fw {{\n chain through {{\n"
            f"  type filter hook forward priority 0; policy {policy};\n"
            f"  ct state established,related accept\n{lines}\n }}\n}}\n")


class Naming:
    """What a test of a known failure asks of a report."""

    def told(self, run):
        return f"exit {run.code}\n{run.out}\n{run.err}"

    def clean(self, run):
        """No alarm of any kind."""
        self.assertEqual((run.code, run.data["findings"], run.data["causes"],
                          run.data["inconclusive"]), (0, [], [], []), self.told(run))
        self.assertGreater(run.summary["holds"], 0, self.told(run))

    def names(self, run, *words, verdict=None, flows=None, count=1):
        """Exactly so many causes, and one of them says all of these words; its flows are those
        (from, to) and no others. Returns it."""
        self.assertEqual(run.code, 1, self.told(run))
        causes = [cause for cause in run.data["causes"]
                  if all(word in cause["cause"] for word in words)]
        self.assertEqual(len(causes), 1, f"{words} in: {self.told(run)}")
        self.assertEqual(len(run.data["causes"]), count, self.told(run))
        cause = causes[0]
        if verdict:
            self.assertEqual(cause["verdict"], verdict, self.told(run))
        if flows is not None:
            self.assertEqual({(f["from"], f["to"]) for f in cause["flows"]}, set(flows),
                             self.told(run))
        # People read it as well: in the text, without the breaks of its lines.
        self.assertIn(" ".join(words[0].split()), " ".join(run.out.split()), self.told(run))
        return cause


class FailureCase(Naming, Case):
    """One network. HEALTHY is what its firewall passes when nothing is wrong."""

    HEALTHY = ()
    POLICIES = ()
    MORE = ""
    LIMITS = "max_rate: 2000"

    def setUp(self):
        self.lab = self.world.lab
        self.lab.nft(FW, forward(*self.HEALTHY))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.good = {}

    def topology(self, policies=None, more=None, **how):
        how.setdefault("limits", self.LIMITS)
        return self.world.topology(self.POLICIES if policies is None else policies,
                                   more=self.MORE if more is None else more, **how)

    def verify(self, *options, topology=None, **how):
        run = self.world.verify(topology or self.topology(), *options, **how)
        self.assertIsNotNone(run.data, self.told(run))
        return run

    def break_(self, ns, rules):
        """nftables of one host, whole again afterwards."""
        self.lab.nft(ns, rules)
        self.addCleanup(self.lab.nft, ns, OPEN)

    def change(self, ns, *commands, undo):
        """ip commands, taken back afterwards."""
        for line in reversed(undo):
            self.addCleanup(self.lab.run, ns, ["ip", *line.split()])
        for line in commands:
            self.lab.run(ns, ["ip", *line.split()], check=True)

    def healthy(self, *options, topology=None, **how):
        """The twin without the fault raises no alarm; whoever asked before is answered again."""
        text = topology or self.topology()
        key = (text, options)
        if key not in self.good:
            self.good[key] = self.verify(*options, topology=text, **how)
        self.clean(self.good[key])
