# SPDX-License-Identifier: Apache-2.0
"""The check list of a run with real packets: a line passes while the network is as it must be, fails
when one port is opened in a real firewall, and is unknown when nobody asked.

Run: python3 tests/netns/test_checklist.py (root; says skipped where the machine cannot do it)."""
import re
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FW, Case, World  # noqa: E402

LOCAL = ("tcp/10249", "tcp/10255", "tcp/10257", "tcp/10259")
ETCD = ("tcp/2379", "tcp/2380")
CIS, SSH, ALL, REPORT = 10, 11, 3, 39
POLICIES = [
    "name: bastion, from: jump, to: node, allow: tcp/22",
    "name: web, from: dev, to: node, allow: tcp/80",
    "name: no-ssh, from: dev, to: node, deny: tcp/22",
    f"name: local, from: any, to: node, deny: [{', '.join(LOCAL + ETCD)}]",
]
ROLES = {"jump": "bastion", "node": "node"}


class CheckList(Case):
    @classmethod
    def build(cls):
        return World("list", {"ops": ["jump"], "east": ["node"], "lab": ["dev"]})

    def tearDown(self):
        super().tearDown()
        self.world.lab.run(FW, ["nft", "flush", "ruleset"], check=True)

    def filter(self, *opened):
        """The firewall, with what must not be there. No service has to listen: the node answers."""
        world = self.world
        more = "\n".join(f"  {rule} accept" for rule in opened)
        allowed = "\n".join(
            f"  {family} saddr {world.address(source, name)} "
            f"{family} daddr {world.address('node', name)} tcp dport {port} accept"
            for name, family in (("ipv4", "ip"), ("ipv6", "ip6"))
            for source, port in (("jump", 22), ("dev", 80)))
        world.lab.nft(FW, f"""table inet checks {{
 chain through {{
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
{allowed}
{more}
 }}
}}
""")

    def verify(self, *options, policies=None):
        text = self.world.topology(policies or POLICIES)
        for host, role in ROLES.items():
            text = text.replace(f"  {host}: {{ network", f"  {host}: {{ role: {role}, network")
        run = self.world.verify(text, "--only", "tcp_syn", "--report", "checklist", *options,
                                depth="standard")
        self.assertIsNotNone(run.data, run.err)
        self.lines = {line["id"]: line for line in run.data["checklist"]}
        self.assertEqual(sorted(self.lines), list(range(1, 40)))
        self.assertIn("of 39 lines pass", run.out)
        return run

    def expect(self, run, line, state, words=".*"):
        got = self.lines[line]
        told = f"line {line}: {got}\n{run.err}"
        self.assertEqual(got["state"], state, told)
        self.assertRegex(" ".join(part["example"] or "" for part in got["evidence"]), words, told)
        shown = {"pass": "pass", "fail": "FAIL", "unknown": "UNKNOWN"}[state]
        self.assertRegex(run.out, rf"(?m)^ ?{line} \S+ {shown}  ")

    def test_closed_and_opened(self):
        self.filter()
        run = self.verify()
        self.expect(run, CIS, "pass")
        self.expect(run, SSH, "pass")
        self.expect(run, ALL, "unknown")  # nothing is declared of disks, balancers, keys
        counts = re.match(r"CHECKLIST +(\d+) of 39 lines pass, (\d+) fail, (\d+) unknown, "
                          r"(\d+) not observable", run.out)
        self.assertEqual(sum(int(n) for n in counts.groups()), 39, run.out)
        self.assertEqual(int(counts[2]), 0, run.out)

    def test_a_port_of_the_kubelet_is_open(self):
        self.filter("ip saddr 10.60.3.0/24 ip daddr 10.60.2.0/24 tcp dport 10255")
        run = self.verify()
        self.expect(run, CIS, "fail", r"dev -> node tcp/10255 ipv4: leak")
        self.expect(run, SSH, "pass")
        self.expect(run, ALL, "fail")
        self.assertEqual(run.code, 1)

    def test_ssh_is_open_to_who_is_no_bastion(self):
        self.filter("meta nfproto ipv6 tcp dport 22")
        run = self.verify("--evidence", self.world.lab.dir + "/evidence")
        self.expect(run, CIS, "pass")
        self.expect(run, SSH, "fail", r"dev -> node tcp/22 ipv6: leak")
        self.expect(run, REPORT, "pass")

    def test_nobody_asked(self):
        self.filter()
        run = self.verify("--from", "jump", "--to", "node")
        self.expect(run, SSH, "unknown", r"2 of 4 ways between hosts were not asked")
        self.expect(run, CIS, "unknown")

    def test_declared_open_is_no_excuse(self):
        self.filter("tcp dport 22")
        policies = [p.replace("name: no-ssh, from: dev, to: node, deny",
                              "name: handy, from: dev, to: node, allow") for p in POLICIES]
        run = self.verify(policies=policies)
        self.expect(run, SSH, "fail", r"dev -> node tcp/22 ipv4: declared open by handy")


if __name__ == "__main__":
    unittest.main()
