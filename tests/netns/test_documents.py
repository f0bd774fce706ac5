# SPDX-License-Identifier: Apache-2.0
"""What the documents print works: the first topology of README.md, command by command, the links of
every document, and the pictures made of terminal output.

The commands run in a mount namespace of their own, with a private /run/netns, so that names such as
"web" meet nobody else's. Run: python3 tests/netns/test_documents.py (root for the commands)."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

import ansi_svg  # noqa: E402 (found through the line above)
import lab as labs  # noqa: E402

SEGPROOF = os.environ.get("SEGPROOF", os.path.join(ROOT, "build", "release", "bin", "segproof"))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def blocks(title):
    """The fenced blocks of one section of README.md."""
    section = read("README.md").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"```(?:sh|yaml)\n(.*?)```", section, re.DOTALL)


class FirstTopology(unittest.TestCase):
    def setUp(self):
        why = labs.missing() or (None if os.access(SEGPROOF, os.X_OK) else f"no {SEGPROOF}")
        if why:
            self.skipTest(why)
        self.dir = tempfile.mkdtemp(prefix="sp-documents-")
        self.addCleanup(shutil.rmtree, self.dir)

    def shell(self, script):
        """Runs it as README.md says, segproof first in PATH; returns (exit status, output)."""
        env = {**os.environ, "PATH": os.path.dirname(SEGPROOF) + ":" + os.environ["PATH"],
               "XDG_STATE_HOME": self.dir, "LC_ALL": "C.UTF-8"}
        private = "mkdir -p /run/netns && mount -t tmpfs none /run/netns && cd \"$1\" && . ./script"
        with open(os.path.join(self.dir, "script"), "w", encoding="utf-8") as file:
            file.write(script)
        done = subprocess.run(["unshare", "--mount", "bash", "-ec", private, "-", self.dir], env=env,
                              capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_first_topology(self):
        network, topology, ask, hole = blocks("A first topology in five minutes")
        ci, _lasting = blocks("Exit status and CI")
        with open(os.path.join(self.dir, "first.yaml"), "w", encoding="utf-8") as file:
            file.write(topology)
        code, said = self.shell(network + ask)
        self.assertEqual(code, 0, said)
        self.assertIn("first.yaml: good", said)
        self.assertIn("allowed: it must work", said)
        self.assertIn("Plan for first", said)
        self.assertRegex(said, r"HOLDS  (\d+) of \1 checks hold")
        code, said = self.shell(network + hole)
        self.assertEqual(code, 1, said)
        self.assertIn("FAILS  1 finding", said)
        self.assertIn("LEAK  db-1 -> web-1  tcp/22", said)
        code, said = self.shell(network + ci)
        self.assertEqual(code, 0, said)
        self.assertTrue({"segproof.xml", "segproof.json"} <= set(os.listdir(self.dir)), said)

    def test_packets_are_recognised(self):
        if not shutil.which("tcpdump"):
            self.skipTest("tcpdump is not installed")
        network, topology = blocks("A first topology in five minutes")[:2]
        tcpdump, = blocks("Safety")
        with open(os.path.join(self.dir, "first.yaml"), "w", encoding="utf-8") as file:
            file.write(topology)
        ready = "until grep -q listening dump; do sleep 0.05; done"
        catch = tcpdump.strip().replace("tcpdump", "timeout 60 ip netns exec fw tcpdump -U -i web", 1)
        code, said = self.shell(f"{network}\n{catch} >dump 2>&1 & pid=$!; {ready}\n"
                                "segproof verify first.yaml; sleep 0.5; kill $pid; wait $pid || true; "
                                "cat dump")
        self.assertEqual(code, 0, said)
        for kind in ("Flags [S]", "UDP", "ICMP echo request"):
            self.assertIn(kind, said)


class Links(unittest.TestCase):
    def test_links(self):
        found = 0
        for folder, folders, files in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in (".git", "build", "node_modules")]
            for name in files:
                if not name.endswith(".md"):
                    continue
                for link in re.findall(r"\]\(([^)#]+)", read(os.path.join(folder, name))):
                    if "://" not in link:
                        found += 1
                        self.assertTrue(os.path.exists(os.path.join(folder, link)),
                                        f"{folder}/{name}: {link}")
        self.assertGreater(found, 5)


class Picture(unittest.TestCase):
    def lines(self, text):
        return ["".join(char for char, _ in line) for line in ansi_svg.screen(text)]

    def test_screen(self):
        self.assertEqual(self.lines("a\r\nb\n\n"), ["a", "b"])
        self.assertEqual(self.lines("50 %\r\x1b[K100 %\r\x1b[Kdone\n"), ["done"])
        self.assertEqual(self.lines("long line\rshort"), ["shortline"])
        self.assertEqual(self.lines("\x1b]0;title\x07\x1b[2Jx"), ["x"])

    def test_styles(self):
        line, = ansi_svg.screen("\x1b[1;31mbad\x1b[0m \x1b[2mdim\x1b[0m")
        self.assertEqual([(at, text, style) for at, text, style in ansi_svg.runs(line)],
                         [(0, "bad", (ansi_svg.COLORS[31], True, False)),
                          (4, "dim", (None, False, True))])

    def test_choose(self):
        lines = ansi_svg.screen("1\n2\n3\n4\n5\n6")
        kept = ["".join(char for char, _ in line) for line in ansi_svg.choose(lines, "2-3,5")]
        self.assertEqual(kept, ["…", "2", "3", "…", "5", "…"])
        self.assertEqual(len(ansi_svg.choose(lines, "1-6")), 6)
        for bad in ("3-2", "2,1", "x"):
            with self.assertRaises(ValueError):
                ansi_svg.choose(lines, bad)

    def test_svg(self):
        root = ElementTree.fromstring(ansi_svg.svg(ansi_svg.screen("<a> & \x1b[32mb"), 20, "<&>"))
        self.assertEqual("".join(root.itertext()).split(), ["<&>", "<a>", "&", "b"])

    def test_record(self):
        said, code = ansi_svg.record([sys.executable, "-c", "import os, sys; "
                                      "print(os.isatty(1), os.get_terminal_size().columns); "
                                      "sys.exit(3)"], 77)
        self.assertEqual((self.lines(said), code), (["True 77"], 3))


if __name__ == "__main__":
    unittest.main(verbosity=2)
