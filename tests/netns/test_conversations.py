# SPDX-License-Identifier: Apache-2.0
"""Whole runs that hold conversations with hosts: allowed TCP flows through a stateful firewall, to
stand-ins on low and high ports. A handshake alone is no conversation, no service is ever given
data, and nothing listens afterwards.

Run: python3 tests/netns/test_conversations.py (root; says skipped where it cannot be done)."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
from balancing import APP  # noqa: E402
from fooling import OPEN  # noqa: E402
from harness import FAMILIES, FW, Case, World, wait_until  # noqa: E402

PORTS = (443, 8443)
POLICIES = ["name: ok, from: a, to: b, allow: [tcp/443, tcp/8443]"]
TALK = ("--only", "tcp_handshake")
DATA = "meta l4proto tcp tcp flags & (syn | rst | fin) == 0"
# A segment with data is longer than its two headers.
LONG = ("ip length > 60", "ip6 length > 40")


class Conversations(Case):
    """a -- fw -- b."""

    @classmethod
    def build(cls):
        return World("talk", {"left": ["a"], "right": ["b"]})

    def setUp(self):
        self.lab = self.world.lab
        self.lab.nft("b", OPEN)
        self.firewall()

    def firewall(self, lines=""):
        self.lab.nft(FW, OPEN + f"""table inet fw {{
 chain through {{
  type filter hook forward priority 0; policy drop;
{lines}
  ct state established,related accept
  tcp dport {{ 443, 8443 }} ct state new accept
 }}
}}
""")

    def verify(self, *options, limits="max_rate: 1000, hazard: B", more="", **how):
        return self.start(*options, limits=limits, more=more, **how).finish()

    def start(self, *options, limits="max_rate: 1000, hazard: B", more="", **how):
        text = self.world.topology(POLICIES, limits=limits, more=more)
        return self.world.start(text, "--from", "a", "--to", "b", *(options or TALK), **how)

    def each(self, run, verdict, row=None, by=None, ports=PORTS, families=FAMILIES):
        for family in families:
            for port in ports:
                with self.subTest(family=family, port=port):
                    self.check(run, ("a", "b", family, "tcp", port), verdict, row, by)

    def listening(self, host="b"):
        return self.lab.run(host, ["ss", "-Hlntu"]).stdout.strip()

    # ---- what works ----
    def test_stand_ins_on_low_and_high_ports(self):
        """With the SYNs beside them; they are gone afterwards, and so are the connections."""
        before = self.listening()
        run = self.verify("--depth", "quick")
        self.assertEqual((run.code, run.data["findings"]), (0, []), run.out + run.err)
        self.each(run, "holds")
        self.assertEqual(self.listening(), before)
        self.assertEqual(self.listening("a"), "")
        self.assertEqual(self.lab.run("b", ["ss", "-Hnt", "state", "established"]).stdout, "")

    def test_a_real_service_that_may_get_data(self):
        log = self.app()
        run = self.verify(more="services: { app: { ports: tcp/443, data: ok } }\n")
        self.assertEqual(run.code, 0, run.out + run.err)
        self.each(run, "holds")
        self.assertIn("data 28", self.heard(log))

    # ---- who is left alone ----
    def app(self, port=443):
        log = os.path.join(self.lab.dir, f"app-{port}.log")
        with open(log, "w", encoding="ascii"):
            pass
        child = self.lab.popen("b", [sys.executable, "-c", APP, str(port), log])
        self.addCleanup(lambda: (child.terminate(), child.wait(timeout=5)))
        self.assertTrue(wait_until(lambda: f":{port} " in self.listening(), 5))
        return log

    @staticmethod
    def heard(log):
        with open(log, encoding="ascii") as file:
            return [line.strip() for line in file if line.strip() != "ready"]

    def test_a_real_service_is_left_alone(self):
        log = self.app()
        run = self.verify()
        self.assertEqual((run.code, run.data["findings"]), (0, []), run.out + run.err)
        self.assertTrue(any("data: ok" in reason for reason in run.untested()), run.untested())
        self.each(run, "holds", ports=(8443,))
        self.assertEqual(self.heard(log), [])

    def test_no_consent(self):
        """SYNs and nothing else."""
        before = self.listening()
        run = self.verify("--only", "tcp_syn", *TALK, limits="max_rate: 1000")
        self.assertEqual((run.code, run.data["findings"]), (0, []), run.out + run.err)
        self.assertEqual(self.listening(), before)

    def test_a_service_that_takes_the_port_in_between(self):
        """After the probe has told who listens, before the stand-in opens: it gets nothing."""
        running = self.start("--only", "tcp_handshake", "--only", "icmp_echo",
                             limits="max_rate: 500, hazard: B")
        logs = []
        running.wait_for("denied flows")
        logs.append(self.app())
        run = running.finish()
        self.assertEqual(self.heard(logs[0]), [])
        self.assertEqual(run.code, 3, run.out + run.err)
        for family in FAMILIES:
            self.check(run, ("a", "b", family, "tcp", 443), "inconclusive", reason="stand-in")
        self.each(run, "holds", ports=(8443,))

    # ---- what a SYN does not show ----
    def test_data_stopped_on_the_way(self):
        """The firewall lets the handshake pass and drops what has a payload."""
        self.firewall("\n".join(f"  {DATA} tcp dport 443 {long} drop" for long in LONG))
        run = self.verify()
        self.each(run, "blocked", 10, "path", ports=(443,))
        self.each(run, "holds", ports=(8443,))
        self.assertEqual(run.code, 1)

    def test_data_stopped_by_the_host(self):
        self.lab.nft("b", OPEN + "table inet fw {\n chain in {\n"
                     "  type filter hook input priority 0;\n"
                     + "\n".join(f"  {DATA} tcp dport 443 {long} drop" for long in LONG)
                     + "\n }\n}\n")
        run = self.verify()
        self.each(run, "host_filtered", 11, "receiver", ports=(443,))
        self.each(run, "holds", ports=(8443,))

    def test_data_stopped_on_the_way_back(self):
        self.firewall("\n".join(f"  {DATA} tcp sport 443 {long} drop" for long in LONG))
        run = self.verify()
        self.each(run, "return_blocked", 12, "path", ports=(443,))
        self.each(run, "holds", ports=(8443,))

    def test_a_third_of_the_data_stopped(self):
        """Every copy of it: by the source port, so that sending again does not help."""
        self.firewall("\n".join(f"  {DATA} tcp dport 443 {long} jhash tcp sport mod 3 == 0 drop"
                                for long in LONG))
        run = self.verify()
        self.each(run, "partial", 13, "path", ports=(443,))
        self.each(run, "holds", ports=(8443,))

    def test_the_port_is_closed(self):
        self.firewall("  tcp dport 443 drop")
        run = self.verify()
        self.each(run, "blocked", 10, "path", ports=(443,))
        self.each(run, "holds", ports=(8443,))


if __name__ == "__main__":
    unittest.main(verbosity=2)
