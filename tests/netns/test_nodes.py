# SPDX-License-Identifier: Apache-2.0
"""What nodes are, read by real probes in namespaces and held against what is declared of them:
floors that hold, that fail, and that nobody can tell; exit codes; drift; results of kube-bench beside
packets.

Run: python3 tests/netns/test_nodes.py (root; says skipped where the machine cannot do it)."""
import json
import os
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FW, Case, World  # noqa: E402

PUBLIC = "11.0.0.7"  # of the wide world, but only inside the namespace of this test
HOLDS = ('kernel: ">=3.2", cpus: 1, memory: 16MiB, sshd: false, forwarding: false, '
         "listeners: [], public_address: false, rp_filter: strict, port_range: 1024-65535")


def bench(**status):
    """What kube-bench writes: {"i4_2_4": "PASS"} as items."""
    results = [{"test_number": name[1:].replace("_", "."), "test_desc": "x", "status": value}
               for name, value in status.items()]
    totals = {f"total_{word}": sum(value == word.upper() for value in status.values())
              for word in ("pass", "fail", "warn", "info")}
    return json.dumps({"Controls": [{"id": "4", "tests": [{"section": "4.2", "results": results}]}],
                       "Totals": totals})


class Nodes(Case):

    @classmethod
    def build(cls):
        world = World("nodes", {"left": ["a"], "right": ["b"]})
        for host in ("a", "b"):
            world.lab.sysctl(host, **{"net.ipv4.conf.all.rp_filter": 1,
                                      "net.ipv4.conf.all.forwarding": 0,
                                      "net.ipv6.conf.all.forwarding": 0})
        return world

    def setUp(self):
        self.world.lab.nft(FW, "flush ruleset\n")

    def topology(self, *nodes, policies=(), extra=""):
        text = self.world.topology(policies, more="nodes:\n" +
                                   "".join(f"  {line}\n" for line in nodes) + extra)
        text = text if policies else text.replace("policies:\n", "")
        return text.replace("  a: { network", "  a: { role: node, network").replace(
            "  b: { network", "  b: { role: node, network")

    def look(self, *nodes, options=(), **how):
        return self.world.verify(self.topology(*nodes, **how), "--only", "nodes", *options)

    def claims(self, run, check=None, subject=None, kind="node"):
        return [claim for claim in run.data["claims"] if claim["kind"] == kind
                and check in (None, claim["check"]) and subject in (None, claim["subject"])]

    def one(self, run, check, subject):
        claims = self.claims(run, check, subject)
        self.assertEqual(len(claims), 1, f"{check} of {subject}: {claims}\n{run.out}{run.err}")
        return claims[0]

    def test_what_holds(self):
        run = self.look(f"node: {{ {HOLDS}, drift: [kernel, os] }}")
        bad = [c for c in run.data["claims"] if c["verdict"] not in ("holds", "note")]
        self.assertEqual((run.code, bad), (0, []), run.out + run.err)
        self.assertEqual(run.summary["claims"]["holds"], 9 * 2 + 2)
        self.assertEqual(run.summary["checks"], 0)  # no flow at all
        self.assertEqual(self.one(run, "kernel", "a")["observed"], os.uname().release)
        # Of what nobody declares there is a note, with its file.
        note = self.one(run, "lsm_label", "a")
        self.assertEqual((note["verdict"], note["expected"]), ("note", None))
        self.assertTrue(note["source"].startswith("/proc/"), note)
        self.assertNotIn("lsm_label", run.out)

    def test_what_fails(self):
        world = self.world
        world.lab.ip("b", "addr add " + PUBLIC + "/32 dev eth0")
        world.lab.sysctl("b", **{"net.ipv4.conf.eth0.forwarding": 1,
                                 "net.ipv4.conf.all.rp_filter": 2,
                                 "net.ipv4.ip_local_port_range": "30000 40000"})
        server = world.lab.listen({"b": ["tcp/22", "tcp/8080", "udp/514"]})
        try:
            run = self.look(
                f"node: {{ {HOLDS}, drift: [forwarding, kernel] }}",
                'b: { kernel: [">=99", "1.2.3-never"], cpus: 60000, memory: 900TiB, '
                "port_range: 32768-60999, listeners: [tcp/8080, udp/500-600] }")
        finally:
            server.terminate()
            server.wait()
            world.lab.ip("b", "addr del " + PUBLIC + "/32 dev eth0")
            world.lab.sysctl("b", **{"net.ipv4.conf.eth0.forwarding": 0,
                                     "net.ipv4.conf.all.rp_filter": 1,
                                     "net.ipv4.ip_local_port_range": "32768 60999"})
            world.lab.commit()
        self.assertEqual(run.code, 1, run.out + run.err)
        seen = {"kernel": os.uname().release, "listeners": "tcp/22", "forwarding": "some",
                "rp_filter": "eth0: loose", "public_address": PUBLIC, "cpus": "", "memory": "MiB",
                "port_range": "30000-40000", "sshd": "listens on tcp/22"}
        for check, words in seen.items():
            with self.subTest(check=check):
                bad = self.one(run, check, "b")
                self.assertEqual(bad["verdict"], "fails", bad)
                self.assertIn(words, bad["observed"])
                self.assertGreater(bad["line"], 0)
                self.assertEqual(self.one(run, check, "a")["verdict"], "holds")
        self.assertNotIn("8080", self.one(run, "listeners", "b")["observed"])
        drift = {c["expected"].split()[0]: c for c in self.claims(run, "drift", "node")}
        self.assertEqual(drift["forwarding"]["verdict"], "fails", drift)
        self.assertRegex(drift["forwarding"]["observed"], "none.* on a; .*some.* on b")
        self.assertEqual(drift["kernel"]["verdict"], "holds")
        self.assertIn("FAILS", run.out)

    def test_what_nobody_can_tell(self):
        run = self.look("node: { cpus: 1, disk_encryption: [/proc, /no/such/path] }")
        self.assertEqual(run.code, 3, run.out + run.err)
        claim = self.one(run, "disk_encryption", "a")
        self.assertEqual(claim["verdict"], "unknown", claim)
        self.assertIn("no device", claim["cause"])
        self.assertEqual(self.one(run, "cpus", "a")["verdict"], "holds")

    def test_what_somebody_else_must_tell(self):
        run = self.look("any: { cpus: 1, disk_encryption: provider }")
        self.assertEqual(run.code, 0, run.out + run.err)
        claim = self.one(run, "disk_encryption", "b")
        self.assertEqual(claim["verdict"], "not_observable", claim)
        self.assertIn("ask the provider", claim["remedy"])
        alone = self.look("any: { disk_encryption: provider }")
        self.assertEqual(alone.code, 3, alone.out)  # nothing was proven at all

    def test_a_host_whose_probe_is_not_there_is_unknown(self):
        text = self.topology("any: { cpus: 1 }").replace(
            f"name: {self.world.lab.ns('b')} ", "name: sp-nodes-nobody ")
        run = self.world.verify(text, "--only", "nodes")
        self.assertEqual(run.code, 3, run.out + run.err)
        self.assertEqual(self.one(run, "cpus", "b")["verdict"], "unknown")
        self.assertEqual(self.one(run, "cpus", "a")["verdict"], "holds")

    def test_selection(self):
        some = self.look("any: { cpus: 1 }", options=("--from", "a", "--to", "a"))
        self.assertEqual(some.code, 0, some.out + some.err)
        self.assertEqual(self.claims(some, "cpus", "b"), [])
        none = self.world.verify(
            self.topology("any: { cpus: 60000 }", policies=["name: p, from: a, to: b, allow: tcp/9"]),
            "--skip", "nodes", "--only", "tcp_syn", "--from", "a")
        self.assertEqual(none.data["claims"], [])
        self.assertGreater(none.summary["checks"], 0)

    def bench(self, text, **how):
        path = os.path.join(self.world.lab.dir, "bench.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return self.look("b: { kube_bench: { file: bench.json, allow: 1.1.1 }, cpus: 1 }", **how)

    def test_kube_bench(self):
        good = self.bench(bench(i1_1_1="FAIL", i4_2_4="PASS", i4_2_9="WARN"))
        self.assertEqual(good.code, 0, good.out + good.err)
        told = {c["verdict"]: c for c in self.claims(good, "kube_bench", "b")}
        self.assertIn("1 passed, 1 failed", told["holds"]["observed"])
        self.assertIn("4.2.9", told["note"]["observed"])
        bad = self.bench(bench(i1_1_1="FAIL", i4_2_6="FAIL"))
        self.assertEqual(bad.code, 1, bad.out)
        self.assertIn("4.2.6", self.one(bad, "kube_bench", "b")["observed"])
        for text in ("", "{", "[]", '{"Controls": 7}', "not JSON at all",
                     bench(i4_2_4="PASS").replace('"total_pass": 1', '"total_pass": 2'),
                     bench(i4_2_4="MAYBE")):
            with self.subTest(text=text):
                odd = self.bench(text)
                self.assertEqual(odd.code, 3, odd.out)
                self.assertTrue(self.one(odd, "kube_bench", "b")["cause"])

    def test_packets_are_better_evidence_than_kube_bench(self):
        path = os.path.join(self.world.lab.dir, "bench.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(bench(i4_2_4="PASS"))
        text = self.topology("b: { kube_bench: bench.json }",
                             policies=["name: ro, from: a, to: b, deny: tcp/10255",
                                       "name: web, from: a, to: b, allow: tcp/80"])
        options = ("--from", "a", "--to", "b", "--only", "tcp_syn", "--only", "nodes")
        server = self.world.lab.listen({"b": ["tcp/10255"]})
        try:
            run = self.world.verify(text, *options)
        finally:
            server.terminate()
            server.wait()
        claim = self.one(run, "kube_bench", "b")
        self.assertEqual(claim["verdict"], "fails", claim)
        self.assertIn("packets found tcp/10255 of b open", claim["cause"])


if __name__ == "__main__":
    unittest.main()
