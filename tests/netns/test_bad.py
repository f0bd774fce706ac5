# SPDX-License-Identifier: Apache-2.0
"""Bad input, missing rights, full disks, Ctrl-C and kill -9: a clear word, the right exit code, and
nothing left behind.

Run: python3 tests/netns/test_bad.py (root; says skipped where the machine cannot do it)."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, PROBE, SEGPROOF, Case, World, missing  # noqa: E402
from harness import kill, wait_until  # noqa: E402

GOOD = """segproof: 1
name: good
networks:
  left:  { kind: subnet, cidr: 10.1.0.0/24 }
  right: { kind: subnet, cidr: 10.2.0.0/24 }
hosts:
  a: { network: left, address: 10.1.0.1, probe: { via: netns, name: nowhere-a } }
  b: { network: right, address: 10.2.0.1, probe: { via: netns, name: nowhere-b } }
policies:
  - { name: p, from: a, to: b, allow: tcp/80 }
"""
# what is replaced, by what, where the error must be, what it must say
BROKEN = [
    ("tcp/80", "tcp/0", r":10:39: ", r"'0' is not a port"),
    ("tcp/80", "tcp/65536", r":10:39: ", r"'65536' is not a port"),
    ("tcp/80", "tcp/90-80", r":10:39: ", r"90-80|range"),
    ("tcp/80", "tcpp/80", r":10:39: ", r"tcpp"),
    ("to: b", "to: bb", r":10:29: /policies/0/to: ", r"'bb' is not a network, host"),
    ("network: right", "network: wright", r":8:17: /hosts/b/network: ", r"did you mean 'right'"),
    ("kind: subnet, cidr: 10.2", "knd: subnet, cidr: 10.2", r":5:12: ", r"did you mean 'kind'"),
    ("name: good", "name: good\nname: again", r":3:1: /name: ", r"already given on line 2"),
    ("10.2.0.1,", "10.2.0.256,", r":8:33: /hosts/b/address: ", r"10\.2\.0\.256"),
    ("10.2.0.1,", "10.9.0.1,", r":8:33: ", r"outside its network 'right'"),
    ("10.2.0.0/24 }", "10.2.0.1/24 }", r":5:32: ", r"10\.2\.0\."),
    ("segproof: 1", "segproof: 2", r":1:11: /segproof: ", r"1"),
    ("  left:", "\tleft:", r":4:1: ", r"tab"),
    ("policies:", "policies: [", r":1\d:\d+: ", r"YAML"),
    ("name: p,", "name: 'p,", r":\d+:\d+: ", r"YAML"),
    ("name: good", "name: &x good", r":2:7: ", r"anchors"),
    ("name: good", "name: *x", r":2:7: ", r"aliases"),
    ("name: good", "name: \x01", r":\d+:\d+: ", r"."),
    ("via: netns, name: nowhere-a", "via: [netns]", r":7:\d+: ", r"."),
]
BOMB = "segproof: 1\nk0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"k{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))


class BadFiles(unittest.TestCase):
    """Nothing is started for a topology that is wrong."""

    @classmethod
    def setUpClass(cls):
        if missing():
            raise unittest.SkipTest(missing())
        cls.dir = tempfile.mkdtemp(prefix="sp-bad-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)

    def run_it(self, *arguments, seconds=5.0, **options):
        began = time.monotonic()
        done = subprocess.run([SEGPROOF, *arguments], capture_output=True, text=True, timeout=30,
                              errors="replace", cwd=self.dir, check=False, **options)
        self.assertLess(time.monotonic() - began, seconds, done.stderr)
        self.assertNotIn("Sanitizer", done.stderr)
        return done

    def refuses(self, text, where, what, name="t.yaml"):
        with open(os.path.join(self.dir, name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        done = self.run_it("verify", name, "--report", "json=report.json")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, f"(?m)^{re.escape(name)}(?:{where}).*{what}")
        self.assertRegex(done.stderr, r"(?m)^segproof: .*: \d+ errors?$")
        self.assertEqual(done.stdout, "")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "report.json")))
        return done

    def test_errors_of_a_topology_name_file_line_and_column(self):
        for old, new, where, what in BROKEN:
            with self.subTest(new=new):
                self.assertIn(old, GOOD)
                where = "|".join(part + ".*?" for part in where.split("|"))
                self.refuses(GOOD.replace(old, new, 1), where, what)

    def test_overlapping_segments_of_one_vpc(self):
        text = GOOD.replace("networks:\n", "networks:\n  all: { kind: vpc, cidr: 10.0.0.0/8 }\n")
        text = text.replace("{ kind: subnet", "{ in: all, kind: subnet")
        text = text.replace("10.2.0.0/24", "10.1.0.128/25").replace("10.2.0.1", "10.1.0.129")
        self.refuses(text, ":6:41: /networks/right: ", r"overlaps 10\.1\.0\.0/24 of 'left'")

    def test_all_errors_are_told_at_once_with_the_line_and_a_caret(self):
        text = GOOD.replace("tcp/80", "tcp/0").replace("network: right", "network: wright")
        done = self.refuses(text, ":8:17: ", "wright")
        self.assertIn("t.yaml:10:39: ", done.stderr)
        self.assertRegex(done.stderr, r"(?m)^ +8 \| .*wright.*\n +\| +\^$")

    def test_malformed_json(self):
        self.refuses('{"segproof": 1, "name": "x",\n "networks": {,}}', ":2:15: ", "not JSON")
        self.refuses('{"segproof": 1', r":1:\d+: ", "not JSON", "t.json")
        self.refuses('{"segproof": 1, "segproof": 1}', r":1:17: ", "already given", "t.json")

    def test_bytes_that_are_no_text(self):
        self.refuses(b"\xff\xfe\x00" * 50, r":\d+:\d+: ", ".")
        self.refuses(b"segproof: 1\nname: \xc3\x28\n", r":2:\d+: ", ".")
        self.refuses(b"", ":", ".")
        self.refuses(b"\0", ":", ".")

    def test_deep_nesting(self):
        self.refuses("name: " + "[" * 100000, r":1:\d+: ", ".")
        self.refuses('{"a": ' * 100000, r":1:\d+: ", ".", "t.json")

    def test_an_alias_bomb_is_quick(self):
        self.refuses(BOMB, r":2:5: ", "anchors")

    def test_a_hundred_megabytes_are_quick(self):
        path = os.path.join(self.dir, "t.yaml")
        with open(path, "wb") as file:
            file.truncate(100 << 20)
        done = self.run_it("verify", "t.yaml")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^t\.yaml: error: the file is larger than")

    def test_no_probe_anywhere(self):
        text = re.sub(r"probe: \{.*?\}", "probe: none", GOOD)
        self.refuses(text, ":7:3: /hosts: ", "no host has a probe")

    def test_files_that_cannot_be_read(self):
        for name, what in (("none.yaml", "No such file"), (".", "irectory|regular")):
            done = self.run_it("verify", name)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, f"segproof: .*{re.escape(name)}.*{what}")

    def test_suggestions(self):
        with open(os.path.join(self.dir, "good.yaml"), "w", encoding="utf-8") as file:
            file.write(GOOD)
        for arguments, what in (
                (["verfy", "good.yaml"], "did you mean 'verify'"),
                (["verify", "good.yaml", "--dept", "quick"], "did you mean '--depth'"),
                (["verify", "good.yaml", "--depth", "deep"], "quick, standard"),
                (["verify", "good.yaml", "--only", "tcp_sin"], "no technique 'tcp_sin'.*tcp_syn"),
                (["verify", "good.yaml", "--skip", "dns"], "no technique 'dns'"),
                (["verify", "good.yaml", "--report", "jsn=x"], "jsn=x.*json junit text"),
                (["verify", "good.yaml", "--report", "jsn"], "FORMAT=FILE.*json junit text"),
                (["verify", "good.yaml", "--report", "json="], "FORMAT=FILE"),
                (["verify", "good.yaml", "--from", "aa"], "'aa'.*did you mean 'a'"),
                (["verify", "good.yaml", "--to", "label:x=y"], "label"),
                (["verify", "good.yaml", "--seed", "-1"], "seed"),
                (["verify", "good.yaml", "--timeout", "soon"], "soon"),
                (["verify", "good.yaml", "--capture-buffer", "1"], "capture-buffer"),
                (["verify", "good.yaml", "--inject", "magic"], "raw, link"),
                (["verify"], "TOPOLOGY"),
                (["verify", "good.yaml", "more.yaml"], "more.yaml"),
                (["verify", "good.yaml", "--probe", "/nowhere/probe"], "/nowhere/probe"),
                ([], "segproof")):
            with self.subTest(arguments=arguments):
                done = self.run_it(*arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, what)


class BadPlace(Case):
    """a -- fw -- b, c, everything open; rights, namespaces, disks and other programs fail."""

    @classmethod
    def build(cls):
        return World("bad", {"left": ["a"], "right": ["b", "c"]})

    def setUp(self):
        self.lab = self.world.lab
        self.policies = ["name: ok, from: a, to: [b, c], allow: [tcp/80, udp/80]"]

    def topology(self, **how):
        return self.world.topology(self.policies, **how)

    def verify(self, *options, **how):
        return self.world.verify(self.topology(), "--from", "a", "--only", "tcp_syn", *options,
                                 **how)

    def reason(self, run, host):
        return [node["reason"] or "" for node in run.data["nodes"] if node["host"] == host][0]

    def check_no_holds(self, run):
        self.assertEqual(run.code, 3, run.err + run.out)
        self.assertEqual(run.summary["holds"], 0)
        self.assertEqual(run.summary["findings"], 0)

    def test_without_the_right_to_raw_sockets(self):
        run = self.verify(wrap=["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"])
        self.check_no_holds(run)
        for host in ("a", "b", "c"):
            self.assertRegex(self.reason(run, host), "no CAP_NET_RAW there.*run as root")

    def test_without_any_right(self):
        with tempfile.TemporaryDirectory(prefix="sp-bad-") as folder:
            os.chmod(folder, 0o755)
            path = os.path.join(folder, "t.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.topology())
            for program in (SEGPROOF, PROBE):
                shutil.copy(program, folder)
            done = subprocess.run(
                ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                 os.path.join(folder, os.path.basename(SEGPROOF)), "verify", path, "--depth",
                 "quick", "--json", "--state", "/dev/null"],
                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        for node in json.loads(done.stdout)["nodes"]:
            self.assertRegex(node["reason"], "cannot enter the network namespace.*not permitted")

    def test_a_missing_namespace_names_its_host_and_the_rest_goes_on(self):
        before = self.world.probes["b"]
        self.world.probes["b"] = "{ via: netns, name: nowhere-b }"
        try:
            run = self.verify("--to", "b,c")
        finally:
            self.world.probes["b"] = before
        self.assertEqual(run.code, 1, run.err + run.out)  # everything is open, so c has findings
        self.assertRegex(self.reason(run, "b"), "no network namespace 'nowhere-b'")
        for family in FAMILIES:
            self.assertEqual(run.fact("a", "c", family, "tcp", 80).verdict, "holds")
            self.assertEqual(run.fact("a", "b", family, "tcp", 80).verdict, "inconclusive")
            self.assertEqual(run.pair("a", "b", family, "tcp")["holds"], 0)

    def test_an_unknown_way_to_a_host(self):
        before = self.world.probes["b"]
        self.world.probes["b"] = "{ via: ssh, target: nobody@nowhere.invalid }"
        try:
            run = self.verify("--to", "b", "--timeout", "3s")
        finally:
            self.world.probes["b"] = before
        self.check_no_holds(run)
        self.assertTrue(self.reason(run, "b"))

    def program(self, body):
        path = os.path.join(self.lab.dir, "false-probe")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + body + "\n")
        os.chmod(path, 0o755)
        return path

    def test_other_programs_in_the_place_of_the_probe(self):
        for body, what in (("exit 0", "ended"), ("echo oh no >&2; exit 1", "oh no"),
                           ("exec cat", "."), ("exec yes", "."),
                           ("exec head -c 5000 /dev/urandom", "."),
                           ("kill -9 $$", "ended"), ("exec sleep 60", "not get ready")):
            with self.subTest(body=body):
                run = self.verify("--to", "b", "--timeout", "1s", "--probe", self.program(body))
                self.check_no_holds(run)
                self.assertRegex(self.reason(run, "b"), what)
                self.assertLess(run.seconds, 10)

    def test_a_probe_that_cannot_be_started(self):
        path = self.program("")
        with open(path, "wb") as file:
            file.write(b"\x7fELF broken")
        run = self.verify("--to", "b", "--probe", path)
        self.check_no_holds(run)
        self.assertRegex(self.reason(run, "b"), "cannot start")

    # ---- disks --------------------------------------------------------------------------------
    @contextlib.contextmanager
    def small_disk(self):
        """A folder on a file system without room."""
        path = os.path.join(self.lab.dir, "disk")
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", path], check=True)
        try:
            with open(os.path.join(path, "report.json"), "w", encoding="utf-8") as file:
                file.write("the report of yesterday\n")
            with open(os.path.join(path, "filler"), "wb", buffering=0) as file:
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * 512)
            yield path
        finally:
            subprocess.run(["umount", path], check=True)

    def test_a_full_disk_leaves_no_half_report(self):
        with self.small_disk() as disk:
            path = os.path.join(disk, "other.json")
            running = self.world.start(self.topology(), "--from", "a", "--only", "tcp_syn",
                                       "--report", f"json={os.path.join(disk, 'report.json')}",
                                       report=path)
            run = running.finish()
            self.assertEqual(run.code, 2, run.err + run.out)
            self.assertRegex(run.err, r"json report could not be written: .*No space left")
            self.assertEqual(sorted(os.listdir(disk)), ["filler", "report.json"])
            with open(os.path.join(disk, "report.json"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "the report of yesterday\n")

    def test_reports_that_cannot_be_written(self):
        run = self.verify("--to", "b", "--report", "json=/dev/full")
        self.assertEqual(run.code, 2, run.err)
        self.assertRegex(run.err, "json report could not be written: .*No space left")
        self.assertIsNotNone(run.data, "the other report is written all the same")
        run = self.verify("--to", "b", "--report", "json=/nowhere/x.json")
        self.assertEqual(run.code, 2, run.err)  # known before anything is sent
        self.assertRegex(run.err, "cannot write to '/nowhere': No such file")
        self.assertNotIn("starting probes", run.err)

    def test_standard_output_is_full_or_closed(self):
        for redirect in (">/dev/full", ">&-"):
            with self.subTest(redirect=redirect):
                run = self.verify("--to", "b", wrap=["sh", "-c", f'exec "$@" {redirect}', "sh"])
                self.assertEqual(run.code, 2, run.err)
                self.assertRegex(run.err, "text report could not be written")
                self.assertIsNotNone(run.data)

    def test_a_state_file_that_cannot_be_used(self):
        for state in ("/nowhere/state", self.lab.dir):
            with self.subTest(state=state):
                run = self.verify("--to", "b", "--state", state)
                self.assertEqual(run.code, 1, run.err)
                self.assertRegex(run.err, "warning: " + re.escape(state))

    def test_a_file_of_somebody_else_is_no_state_file(self):
        path = self.world.write("precious: 1\n", "precious.yaml")
        run = self.verify("--to", "b", "--state", path)
        self.assertEqual(run.code, 2, run.err)
        self.assertRegex(run.err, re.escape(path) + ": .*no state file.*name another")
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious: 1\n")

    # ---- the end of a run ------------------------------------------------------------------------
    def in_the_middle(self, *options):
        self.before = {host: self.lab.run(host, ["nft", "list", "ruleset"]).stdout
                       for host in (FW, "a", "b", "c")}
        self.files = sorted(os.listdir(self.lab.dir))
        running = self.world.start(self.topology(limits="max_rate: 60"), "--from", "a", *options)
        running.wait_for("denied flows")
        time.sleep(0.5)
        self.assertGreater(len(self.world.processes()), 6)
        return running

    def nothing_left(self, *more):
        self.assertTrue(wait_until(lambda: not self.world.processes(), 2), self.world.processes())
        for host, text in self.before.items():
            self.assertEqual(self.lab.run(host, ["nft", "list", "ruleset"]).stdout, text)
        known = {*self.files, "topology.yaml", "state", *more}
        self.assertEqual(set(os.listdir(self.lab.dir)) - known, set())

    def test_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number.name):
                running = self.in_the_middle()
                began = time.monotonic()
                os.killpg(running.child.pid, number)
                run = running.finish()
                self.assertLess(time.monotonic() - began, 3)
                self.assertEqual(run.code, 130, run.err + run.out)
                self.nothing_left("report.json")
                self.assertTrue(run.data["run"]["interrupted"])
                for family in FAMILIES:  # everything is open: nothing denied may hold
                    for pair in run.data["pairs"]:
                        allowed = 0 if pair["protocol"].startswith("icmp") else 1
                        self.assertLessEqual(pair["holds"], allowed, pair)
                self.assertIn("run stopped before", json.dumps(run.data["inconclusive"]))

    def test_interrupted_while_starting(self):
        path = self.program("sleep 2; exec " + PROBE + ' "$@"')
        running = self.world.start(self.topology(), "--from", "a", "--probe", path)
        running.wait_for("starting probes")
        time.sleep(0.3)
        began = time.monotonic()
        running.child.send_signal(signal.SIGINT)
        run = running.finish()
        self.assertEqual(run.code, 130, run.err)
        self.assertLess(time.monotonic() - began, 5)

    def test_interrupted_twice_ends_at_once(self):
        running = self.in_the_middle()
        running.child.send_signal(signal.SIGINT)
        running.child.send_signal(signal.SIGINT)
        run = running.finish()
        self.assertIn(run.code, (130, -signal.SIGINT))
        self.assertTrue(wait_until(lambda: not self.world.processes(), 2), self.world.processes())
        self.assertTrue(run.data or not os.path.exists(running.report), "half a report")

    def test_killed(self):
        running = self.in_the_middle()
        running.child.kill()
        running.child.wait(timeout=5)
        self.nothing_left()
        self.assertFalse(os.path.exists(running.report))
        running.finish()

    def test_killed_with_frozen_probes(self):
        running = self.in_the_middle()
        kill(self.world.probe_pids("b", "sensor"), signal.SIGSTOP)
        running.child.kill()
        running.child.wait(timeout=5)
        self.nothing_left()
        running.finish()

    def test_two_runs_at_once_do_not_disturb_each_other(self):
        report = os.path.join(self.lab.dir, "second.json")
        first = self.world.start(self.topology(), "--from", "a", "--only", "tcp_syn")
        second = self.world.start(self.topology(), "--from", "a", "--only", "tcp_syn",
                                  report=report)
        for run in (first.finish(), second.finish()):
            self.assertEqual(run.code, 1, run.err + run.out)
            for family in FAMILIES:
                self.assertEqual(run.fact("a", "b", family, "tcp", 80).verdict, "holds")


if __name__ == "__main__":
    unittest.main(verbosity=2)
