# SPDX-License-Identifier: Apache-2.0
"""The signed evidence of a real run: as it was written it passes, and nothing of it can be changed,
removed, added or moved without `report --check-evidence` saying what. Verdicts are held against what
was seen, even where chain and signature are right.

Run: python3 tests/netns/test_evidence_check.py (root; says skipped where the machine cannot do it)."""
import hashlib
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FW, SEGPROOF, Case, World  # noqa: E402

POLICIES = [
    "name: ok, from: a, to: b, allow: [tcp/80, udp/80]",
    "name: shut, from: a, to: b, deny: [tcp/2001, udp/2001]",
    "name: closed, from: a, to: b, allow: [tcp/3010]",
    "name: kept, from: a, to: b, deny: [tcp/2002], action: reject",
    "name: maybe, from: a, to: b, permit: [tcp/3020]",
]
RULES = """table inet evid {
 chain through {
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
  meta l4proto { tcp, udp } th dport { 80, 2001 } accept
  tcp dport 2002 reject with tcp reset
 }
}
"""
MANIFEST, SIG, PUB, COPY = "manifest.jsonl", "manifest.sig", "manifest.pub", "topology.yaml"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def openssl(*argv, data=b""):
    return subprocess.run(["openssl", *argv], input=data, capture_output=True, check=True).stdout


class EvidenceCheck(Case):
    @classmethod
    def build(cls):
        return World("sign", {"left": ["a"], "right": ["b"]})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not shutil.which("openssl"):
            raise unittest.SkipTest("no openssl")
        world = cls.world
        world.lab.nft(FW, RULES)
        cls.topology = world.topology(POLICIES)
        cls.whole = os.path.join(world.lab.dir, "evidence")
        cls.dir = os.path.join(world.lab.dir, "copy")
        cls.state = os.path.join(world.lab.dir, "home")
        cls.key = os.path.join(cls.state, "segproof", "evidence.key")
        cls.run_ = world.verify(cls.topology, "--from", "a", "--evidence", cls.whole)
        cls.random = random.Random(1)

    def setUp(self):
        self.assertEqual(self.run_.code, 1, self.run_.err)
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.copytree(self.whole, self.dir)

    # ---- tools ----

    def inspect(self, *options, folder=None, state=None):
        return subprocess.run(
            [SEGPROOF, "report", "--check-evidence", folder or self.dir, *options],
            capture_output=True, text=True, check=False,
            env={**os.environ, "XDG_STATE_HOME": state or self.state})

    def differs(self, *options, **how):
        """What differs; something must."""
        done = self.inspect("--json", *options, **how)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        data = json.loads(done.stdout)
        self.assertEqual(data["verdict"], "differs")
        self.assertTrue(data["differences"], done.stdout)
        return data["differences"]

    def says(self, pattern, *options, file=None, field=None, line=None):
        """One of the differences says this, there."""
        found = self.differs(*options)
        self.assertTrue(
            [d for d in found if re.search(pattern, d["text"]) and file in (None, d["file"])
             and field in (None, d["field"]) and line in (None, d.get("line"))], found)

    def read(self, name):
        with open(os.path.join(self.dir, name), "rb") as file:
            return file.read()

    def write(self, name, data):
        with open(os.path.join(self.dir, name), "wb") as file:
            file.write(data)

    def lines(self):
        return self.read(MANIFEST).decode().splitlines()

    def put(self, lines):
        self.write(MANIFEST, ("\n".join(lines) + "\n").encode())

    def chained(self, entries):
        """Entries as lines whose numbers and hashes are right."""
        lines, prev = [], "0" * 64
        for number, entry in enumerate(entries, 1):
            entry = {**entry, "n": number, "prev": prev}
            lines.append(json.dumps(entry, separators=(",", ":"), ensure_ascii=False))
            prev = digest(lines[-1].encode())
        return lines

    def sign(self, lines):
        """Signs as verify does, with the installation's own key."""
        old = self.read(SIG).decode().splitlines()
        text = "\n".join(old[:3] + [f"lines {len(lines)}", f"header {digest(lines[0].encode())}",
                                    f"chain {digest(lines[-1].encode())}"]) + "\n"
        path = os.path.join(self.world.lab.dir, "to-sign")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", path)
        self.write(SIG, f"{text}signature {signature.hex()}\n".encode())

    def entries(self):
        return [json.loads(line) for line in self.lines()]

    def forge(self, change, sign=True):
        """change(entries) -> entries; with a right chain, and signed unless told otherwise."""
        entries = self.entries()
        lines = self.chained(change(entries) or entries)
        self.put(lines)
        if sign:
            self.sign(lines)

    @staticmethod
    def judged(entries, verdict):
        return [e for e in entries if e["type"] == "test" and e["verdict"] == verdict]

    # ---- as it was written ----

    def test_it_is_as_it_was_written(self):
        done = self.inspect()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for words in ("the evidence is as it was written", self.run_.data["run"]["id"],
                      "the key of this installation", "judged anew", "held against the topology"):
            self.assertIn(words, done.stdout)
        self.assertEqual(self.inspect("-q").stdout, "")
        data = json.loads(self.inspect("--json").stdout)
        self.assertEqual((data["verdict"], data["differences"], data["key"]["vouched_by"]),
                         ("matches", [], "own"))
        self.assertEqual(data["run"]["verdict"], self.run_.data["summary"]["verdict"])
        self.assertEqual(data["checked"]["lines"], len(self.lines()))
        self.assertGreater(data["checked"]["packets"], 0)

    def test_the_manifest_says_what_the_report_says(self):
        entries = self.entries()
        self.assertEqual(entries[0]["type"], "run")
        self.assertEqual(entries[0]["topology_sha256"], digest(self.topology.encode()))
        self.assertEqual(self.read(COPY).decode(), self.topology)
        end, summary = entries[-1], self.run_.data["summary"]
        self.assertEqual(end["verdict"], summary["verdict"])
        for key, name in (("checks", "checks"), ("holds", "holds"),
                          ("inconclusive", "inconclusive")):
            self.assertEqual(end["counts"][key], summary[name])
        told = {f["finding"]: f for f in entries if f["type"] == "finding"}
        self.assertEqual(len(told), summary["findings"])
        self.assertEqual([told[i + 1]["id"] for i in range(len(told))],
                         [f["id"] for f in self.run_.data["findings"]])
        self.assertEqual({e["host"] for e in entries if e["type"] == "host"}, {"a", "b"})
        self.assertTrue(all(e["interfaces"] for e in entries if e["type"] == "host"))
        batches = [e for e in entries if e["type"] == "batch"]
        self.assertTrue([b for b in batches if b["controls"] and b["controls_arrived"]])
        self.assertTrue({"leak", "blocked", "holds"} <= {e["verdict"] for e in entries
                                                         if e["type"] == "test"})

    def test_anybody_can_check_chain_and_signature_without_segproof(self):
        lines = self.lines()
        prev = "0" * 64
        for line in lines:
            self.assertEqual(json.loads(line)["prev"], prev)
            prev = digest(line.encode())
        text, _, signature = self.read(SIG).decode().partition("signature ")
        self.assertIn(f"chain {prev}\n", text)
        paths = [os.path.join(self.world.lab.dir, name) for name in ("text", "raw")]
        for path, data in zip(paths, (text.encode(), bytes.fromhex(signature.strip()))):
            with open(path, "wb") as file:
                file.write(data)
        said = openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey",
                       os.path.join(self.dir, PUB), "-sigfile", paths[1], "-in", paths[0])
        self.assertIn(b"Verified Successfully", said)
        der = openssl("pkey", "-pubin", "-in", os.path.join(self.dir, PUB), "-outform", "DER")
        self.assertIn(f"key SHA256:{digest(der)}\n", text)
        self.assertIn(f"SHA256:{digest(der)}", self.run_.err)

    def test_the_key_is_made_once_and_for_its_owner_alone(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.key).st_mode), 0o600)
        before = self.read(PUB)
        again = os.path.join(self.world.lab.dir, "again")
        run = self.world.verify(self.topology, "--from", "a", "--only", "udp", "--evidence", again)
        self.assertEqual(run.code, 1, run.err)
        with open(os.path.join(again, PUB), "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(self.inspect(folder=again).returncode, 0)

    # ---- keys ----

    def test_a_key_that_nobody_vouches_for_is_no_pass(self):
        elsewhere = os.path.join(self.world.lab.dir, "elsewhere")
        done = self.inspect(state=elsewhere)
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("nothing vouches for the key", done.stdout)
        self.assertFalse(os.path.exists(elsewhere), "checking makes no key")
        fingerprint = self.read(SIG).decode().splitlines()[2].split()[1]
        for key in (os.path.join(self.whole, PUB), fingerprint):
            done = self.inspect("--key", key, state=elsewhere)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("the key that was given", done.stdout)

    def test_another_key_is_said(self):
        other = os.path.join(self.world.lab.dir, "other.key")
        with open(other, "wb") as file:
            file.write(openssl("genpkey", "-algorithm", "ed25519"))
        os.chmod(other, 0o600)
        public = os.path.join(self.world.lab.dir, "other.pub")
        with open(public, "wb") as file:
            file.write(openssl("pkey", "-in", other, "-pubout"))
        self.says("signed by SHA256:[0-9a-f]{64}, not by the key given", "--key", public, file=SIG)
        self.says("not by the key given", "--key", "SHA256:" + "0" * 64, file=SIG)
        shutil.copy(public, os.path.join(self.dir, PUB))
        self.says("is not the key that signed", file=PUB)
        folder = os.path.join(self.world.lab.dir, "other")
        run = self.world.verify(self.topology, "--from", "a", "--only", "udp", "--evidence", folder,
                                "--sign-key", other)
        self.assertEqual(run.code, 1, run.err)
        self.assertEqual(self.inspect(folder=folder).returncode, 3)
        self.assertEqual(self.inspect("--key", public, folder=folder).returncode, 0)
        self.assertEqual(self.inspect("--key", os.path.join(self.whole, PUB),
                                    folder=folder).returncode, 1)

    def test_bad_keys_are_refused_before_anything_is_sent(self):
        lab = self.world.lab.dir
        made = {
            "open.key": (openssl("genpkey", "-algorithm", "ed25519"), 0o644, "others may read"),
            "ec.key": (openssl("genpkey", "-algorithm", "x25519"), 0o600, "another kind"),
            "junk.key": (b"not a key\n", 0o600, "holds no private key"),
            "locked.key": (openssl("genpkey", "-algorithm", "ed25519", "-aes256", "-pass",
                                   "pass:x"), 0o600, "is encrypted"),
            "public.key": (self.read(PUB), 0o600, "holds no private key"),
        }
        for name, (data, mode, why) in made.items():
            path = os.path.join(lab, name)
            with open(path, "wb") as file:
                file.write(data)
            os.chmod(path, mode)
            run = self.world.verify(self.topology, "--evidence", os.path.join(lab, "new"),
                                    "--sign-key", path)
            self.assertEqual(run.code, 2, name)
            self.assertRegex(run.err, f"--sign-key: .*{why}", name)
            self.assertNotIn("starting", run.err)
        run = self.world.verify(self.topology, "--sign-key", self.key)
        self.assertEqual(run.code, 2)
        self.assertIn("give --evidence, too", run.err)

    def test_what_cannot_be_checked_is_an_error_of_its_own(self):
        empty = os.path.join(self.world.lab.dir, "empty")
        os.makedirs(empty, exist_ok=True)
        for folder, options, why in (
                (empty, (), "holds no evidence"), (self.dir + "-no", (), "No such file"),
                (os.path.join(self.dir, COPY), (), "Not a directory"),
                (self.dir, ("--key", "SHA256:12"), "64 hexadecimal digits"),
                (self.dir, ("--key", os.path.join(empty, "x")), "cannot read the key"),
                (self.dir, ("--key", self.key), "holds no public key")):
            done = self.inspect(*options, folder=folder)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertRegex(done.stderr, why)
        done = subprocess.run([SEGPROOF, "report"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--check-evidence DIR", done.stderr)

    # ---- changed, removed, added, moved ----

    def flip(self, name, data, at):
        changed = bytearray(data)
        changed[at] ^= 1 << self.random.randrange(8)
        self.write(name, bytes(changed))

    def test_a_flipped_bit_in_any_line(self):
        data = self.read(MANIFEST)
        at = 0
        for number, line in enumerate(self.lines(), 1):
            for place in (at + self.random.randrange(len(line.encode())), at + len(line.encode())):
                self.flip(MANIFEST, data, place)
                found = [d for d in self.differs() if d["file"] == MANIFEST]
                self.assertTrue([d for d in found
                                 if abs(d.get("line", 0) - number) <= 1], (number, found))
            at += len(line.encode()) + 1
        self.assertEqual(at, len(data))

    def test_a_flipped_bit_at_any_place_of_signature_and_key(self):
        for name in (SIG, PUB):
            data = self.read(name)
            for at in range(len(data)):
                self.flip(name, data, at)
                self.assertTrue([d for d in self.differs() if d["file"] in (SIG, PUB)],
                                (name, at))
            self.write(name, data)

    def test_a_flipped_bit_in_any_other_file(self):
        for name in os.listdir(self.dir):
            if name in (MANIFEST, SIG, PUB):
                continue
            data = self.read(name)
            for _ in range(8):
                self.flip(name, data, self.random.randrange(len(data)))
                self.says("was changed: its SHA-256 or size", file=name)
            self.write(name, data + b"\0")
            self.says("was changed", file=name)
            self.write(name, data[:-1])
            self.says("was changed", file=name)
            self.write(name, data)
        self.assertEqual(self.inspect().returncode, 0)

    def test_a_line_removed(self):
        lines = self.lines()
        for i in range(len(lines)):
            self.put(lines[:i] + lines[i + 1:])
            self.says("lines were removed, added or moved|cut off|was signed|were signed",
                      file=MANIFEST)
            if 0 < i < len(lines) - 1:
                self.says("lines were removed", line=i + 1, field="n")

    def test_lines_swapped_and_doubled(self):
        lines = self.lines()
        for i in range(len(lines) - 1):
            self.put(lines[:i] + [lines[i + 1], lines[i]] + lines[i + 2:])
            self.says("lines were removed, added or moved", file=MANIFEST, line=i + 1)
            self.put(lines[:i] + [lines[i]] + lines[i:])
            self.says("lines were removed, added or moved", file=MANIFEST, line=i + 2)

    def test_cut_off(self):
        data = self.read(MANIFEST)
        for at in [0, 1, len(data) - 1, *(self.random.randrange(len(data)) for _ in range(40))]:
            self.write(MANIFEST, data[:at])
            self.says("cut off", file=MANIFEST)
        self.put(self.lines() + ["{}"])
        self.differs()

    def test_files_added_missing_and_in_disguise(self):
        self.write("notes.txt", b"x")
        self.says("is not part of this evidence", file="notes.txt")
        os.unlink(os.path.join(self.dir, "notes.txt"))
        self.write(".hidden", b"")
        self.says("is not part of this evidence", file=".hidden")
        os.unlink(os.path.join(self.dir, ".hidden"))
        for name in os.listdir(self.dir):
            path = os.path.join(self.dir, name)
            os.rename(path, path + ".away")
            self.says("is missing", file=name)
            os.symlink(os.path.join(self.whole, name), path)
            self.says("symbolic link", file=name)
            os.unlink(path)
            os.mkdir(path)
            self.says("no regular file", file=name)
            os.rmdir(path)
            os.rename(path + ".away", path)
        self.assertEqual(self.inspect().returncode, 0)

    def test_packets_of_another_run_do_not_pass(self):
        packets = [n for n in os.listdir(self.dir) if n.endswith(".pcapng")]
        first, second = sorted(packets)[:2]
        a, b = self.read(first), self.read(second)
        self.write(first, b)
        self.write(second, a)
        self.says("was changed", file=first)

        def swap(entries):
            for e in entries:
                if e["type"] == "file" and e["name"] in (first, second):
                    data = b if e["name"] == first else a
                    e["bytes"], e["sha256"] = len(data), digest(data)
        self.forge(swap)
        self.says("belongs to another finding", file=first)

    # ---- forged with a right chain ----

    @staticmethod
    def hold(entries):
        test = EvidenceCheck.judged(entries, "leak")[0]
        test.update(verdict="holds", row=7, by="path")
        for key in ("noted", "finding"):
            test.pop(key, None)

    def test_a_verdict_forged_without_the_key(self):
        self.forge(self.hold, sign=False)
        self.says("its last line is not the one that was signed", file=MANIFEST)
        lines = self.lines()
        text = self.read(SIG).decode().splitlines()
        text[3:6] = [f"lines {len(lines)}", f"header {digest(lines[0].encode())}",
                     f"chain {digest(lines[-1].encode())}"]
        self.write(SIG, ("\n".join(text) + "\n").encode())
        self.says("the signature does not fit", file=SIG)

    def test_the_same_lines_signed_anew_are_right(self):
        self.forge(lambda entries: entries)
        done = self.inspect()
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_verdict_forged_with_the_key(self):
        self.forge(self.hold)
        number = next(i for i, e in enumerate(self.entries(), 1)
                      if e["type"] == "test" and e["verdict"] == "holds" and e["seen"]["nic"])
        self.says("says holds, but by what was seen it is leak", file=MANIFEST, field="verdict",
                  line=number)

    def test_every_forged_verdict_is_found(self):
        whole = self.entries()
        for i, entry in enumerate(whole):
            if entry["type"] != "test":
                continue
            for verdict in ("holds", "leak", "inconclusive", "not_tested", "blocked"):
                if verdict != entry["verdict"]:
                    self.forge(lambda _, i=i, v=verdict: [
                        {**e, "verdict": v} if k == i else e for k, e in enumerate(whole)])
                    self.says(f"says {verdict}, but by what was seen it is {entry['verdict']}",
                              field="verdict", line=i + 1)
            self.put(self.chained(whole))

    def test_an_expectation_forged_with_the_key(self):
        def expect(entries):
            test = self.judged(entries, "leak")[0]
            test.update(expect="permit", verdict="holds", row=14)
            for key in ("noted", "finding", "by"):
                test.pop(key, None)
        self.forge(expect)
        self.says("says permit, but by topology.yaml it is deny", field="expect")

        def policy(entries):
            self.judged(entries, "leak")[0]["policy"] = "ok"
        self.write(MANIFEST, "".join(line + "\n" for line in self.chained(self.original())).encode())
        self.forge(policy)
        self.says("but by topology.yaml it is shut", field="policy")

    def original(self):
        with open(os.path.join(self.whole, MANIFEST), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_what_else_does_not_fit_together(self):
        leak = next(e["evidence"] for e in self.original()
                    if e["type"] == "finding" and e["verdict"] == "leak")

        def end(**what):
            return lambda es: es[-1].update(**what)

        def drop(kind, **keys):
            return lambda es: [e for e in es if not (
                e["type"] == kind and all(e.get(k) == v for k, v in keys.items()))]

        def first(kind, **what):
            return lambda es: next(e for e in es if e["type"] == kind).update(**what)
        for change, pattern, field in (
                (end(verdict="holds"), "says holds, but by the lines before it is fails", "verdict"),
                (end(exit_code=0), "is 0, but by the lines before it is 1", "exit_code"),
                (end(packets_sent=1), "by the lines before", "packets_sent"),
                (end(counts={**self.original()[-1]["counts"], "failed": 0}),
                 "says 0, but by the lines before", "counts.failed"),
                (drop("file", name=leak), "is listed by no line of type file", "evidence"),
                (drop("test", test=1), "a test was removed", "test"),
                (drop("finding", finding=1), "a finding was removed", "finding"),
                (drop("host", host="b"), "by the lines before", "lines.host"),
                (first("finding", checks=9), "its tests stand for", "checks"),
                (first("finding", to="a"), "another flow, rule or verdict", ""),
                (first("host", host="z"), "no host 'z'", "host"),
                (first("test", smuggled=1), "nobody knows this field", "smuggled"),
                (first("test", port="80"), "must be a number", "port"),
                (first("test", src="10.0.0.300"), "is no address", "src"),
                (first("run", format="x/9"), "check it with the segproof that wrote it", "format"),
                (first("batch", controls_arrived=99999), "more left or arrived", "controls"),
                (first("file", name="../../etc/passwd"), "no name of a file", "name")):
            shutil.copy(os.path.join(self.whole, MANIFEST), self.dir)
            self.forge(change)
            self.says(pattern, file=MANIFEST, field=field)

    def test_a_left_out_test_that_was_seen_is_found(self):
        def leave_out(entries):
            test = self.judged(entries, "leak")[0]
            test.update(verdict="not_tested", not_tested="not asked for")
            for key in ("row", "by", "noted", "finding"):
                test.pop(key, None)
        self.forge(leave_out)
        self.says("packets say otherwise", field="not_tested")


if __name__ == "__main__":
    unittest.main()
