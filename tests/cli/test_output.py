# SPDX-License-Identifier: Apache-2.0
"""What commands write where, and what they answer to a wrong command line: help, colours, width,
pipes that close, disks that are full. Nothing here sends a packet."""
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import unittest

from terminal import SEGPROOF, Terminal, environment

SHOP = os.path.abspath("topologies/examples/shop.yaml")
COLOUR = "\x1b["


def run(*words, env=None, **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([SEGPROOF, *words], capture_output=True, text=True, timeout=60,
                          env=env or environment(), check=False, **more)


def run_shell(command, **env):
    """With the pipes and redirections of bash; the status of the first of a pipe."""
    return subprocess.run(["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True,
                          text=True, timeout=60, env=environment(**env), check=False)


TOLD = json.loads(run("help", "--json").stdout)
COMMANDS = [command["name"] for command in TOLD["commands"]]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="segproof-cli-")
        self.addCleanup(shutil.rmtree, self.folder)

    def wrong(self, words, *parts, **more):
        """A usage error: status 2, nothing on standard output, all parts in the message."""
        done = run(*words, **more)
        self.assertEqual((done.returncode, done.stdout), (2, ""), words)
        for part in parts:
            self.assertIn(part, done.stderr, words)
        return done.stderr


class Help(Case):
    def test_every_command(self):
        for name in COMMANDS:
            told = run(name, "--help")
            self.assertEqual((told.returncode, told.stderr), (0, ""), name)
            for part in (f"Usage: segproof {name} ", "\nOptions:\n", "\nExamples:\n"):
                self.assertIn(part, told.stdout)
            self.assertNotIn(COLOUR, told.stdout)
            self.assertLessEqual(max(map(len, told.stdout.splitlines())), 80, name)
            for words in (("help", name), (name, "-h"), ("--help", name)):
                self.assertEqual(run(*words).stdout, told.stdout, words)

    def test_overview(self):
        told = run("--help")
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        for name in COMMANDS:
            self.assertRegex(told.stdout, rf"(?m)^  {name} +\w")
        self.assertEqual(run("help").stdout, told.stdout)
        self.assertEqual(run("-h").stdout, told.stdout)
        self.assertEqual(run("--version").stdout, run("version").stdout)

    def test_no_pager_on_a_terminal(self):
        terminal = Terminal([SEGPROOF, "verify", "--help"], env=environment(PAGER="false",
                                                                            LESS="-+F"))
        text = terminal.read()
        terminal.close()
        self.assertEqual(terminal.process.returncode, 0)
        self.assertEqual(text.replace("\r\n", "\n"), run("verify", "--help").stdout)

    def test_quiet_verbose_json(self):
        self.assertEqual(run("help", "-q").stdout.split(), COMMANDS)
        self.assertEqual(run("help", "-q", "plan").stdout, "segproof plan TOPOLOGY [OPTION]...\n")
        everything = run("help", "-v").stdout
        for name in COMMANDS:
            self.assertIn(run(name, "--help").stdout, everything)
        self.assertEqual(json.loads(run("help", "plan", "--json").stdout)["name"], "plan")
        self.wrong(("help", "plam"), "no command 'plam'", "'plan'")

    def test_examples_work(self):
        """Those that send nothing, and need no file that is not there, are run as they stand."""
        shutil.copy(SHOP, os.path.join(self.folder, "shop.yaml"))
        ran = 0
        for command in TOLD["commands"]:
            for line in command["examples"].splitlines():
                if command["name"] in ("trace", "verify", "completion", "report"):
                    continue
                done = subprocess.run(["bash", "-c", line], cwd=self.folder, capture_output=True,
                                      text=True, timeout=60, env=environment(), check=False)
                self.assertEqual(done.returncode, 0, (line, done.stderr))
                ran += 1
        self.assertGreater(ran, 10)


class Wrong(Case):
    def test_commands(self):
        self.wrong(("verfy", "x.yaml"), "no command 'verfy'", "'verify'")
        self.wrong(("",), "no command ''")
        self.wrong((), "name a command", "--help")
        self.wrong(("--json", "check"), "'--json' stands before the command")

    def test_options(self):
        self.wrong(("verify", SHOP, "--dpeth", "quick"), "--dpeth", "'--depth'")
        self.wrong(("verify", SHOP, "-x"), "'-x'")
        self.wrong(("verify", SHOP, "--depth"), "--depth needs a value")
        self.wrong(("verify", SHOP, "--depth", "--json"), "--depth needs a value")
        self.wrong(("verify", SHOP, "--depth", "qick"), "'qick'", "'quick'")
        self.wrong(("verify", SHOP, "--depth", "x"), "quick, standard")
        self.wrong(("verify", SHOP, "--json=1"), "--json takes no value")
        self.wrong(("verify", SHOP, "--capture-buffer", "many"), "'many' is not a whole number")
        self.wrong(("verify", SHOP, "--capture-buffer", "-1"), "--capture-buffer needs a value")
        self.wrong(("verify", SHOP, "--capture-buffer=-1"), "not a whole number")
        self.wrong(("verify", SHOP, "--capture-buffer", "1"), "65536 to 1073741824")
        self.wrong(("verify", SHOP, "--timeout", "soon"), "'soon' is not a duration")
        self.wrong(("verify", SHOP, "--seed", "99999999999999999999"), "too large")
        self.wrong(("verify", SHOP, "--only", "tcp_sin"), "no technique 'tcp_sin'", "tcp_syn")
        self.wrong(("verify", SHOP, "--report", "pdf=x"), "pdf=x", "json")
        self.wrong(("plan", SHOP, "--from", "webb"), "--from", "'web'")

    def test_arguments(self):
        self.wrong(("plan",), "TOPOLOGY is missing", "usage")
        self.wrong(("check",), "name the topology")
        self.wrong(("explain", SHOP, "web-1"), "TO is missing")
        self.wrong(("plan", SHOP, "another"), "one argument too many: 'another'")
        self.wrong(("completion",), "SHELL is missing")
        self.wrong(("report",), "say what to do: --check-evidence DIR")
        self.wrong(("report", "--check-evidence"), "--check-evidence")
        self.wrong(("completion", "fish"), "'fish'", "bash or zsh")

    def test_contradictions(self):
        for name in COMMANDS:
            least = {"explain": [SHOP, "web-1", "db-1", "any"], "completion": ["bash"], "help": [],
                     "trace": [SHOP, "web-1", "db-1", "tcp/1"], "report": [], "version": []}.get(name, [SHOP])
            self.wrong((name, *least, "-q", "-v"), "--quiet and --verbose contradict")
        self.wrong(("check", SHOP, "--schema"), "--schema looks at no topology")
        self.wrong(("completion", "bash", "--json"), "--json")
        self.wrong(("verify", SHOP, "--json", "--report", "text=-"), "two reports")
        self.wrong(("verify", SHOP, "--report", "json=-", "--report", "text=-"), "two reports")

    def test_plan_of_a_sweep(self):
        plan = json.loads(run("plan", SHOP, "--depth", "exhaustive", "--json").stdout)
        sweeps = plan["sweeps"]
        self.assertGreater(sweeps["lanes"], 0)
        self.assertGreater(sweeps["denied_ports"], 65535)
        self.assertGreater(plan["tests"], sweeps["denied_ports"])
        self.assertNotIn("slice", sweeps)
        units = {item["unit"] for item in plan["not_tested"]}
        self.assertEqual(units, {"pairs", "intervals", "ports", "tests"})
        standard = json.loads(run("plan", SHOP, "--json").stdout)
        self.assertEqual(standard["sweeps"]["lanes"], 0)
        self.assertLess(standard["coverage"]["denied_ports_swept"], 0.01)
        self.assertGreater(standard["bypass_tests"], 0)
        self.assertGreater(plan["bypass_tests"], 0)
        skipped = [word for name in ("tcp_sport", "udp_sport") for word in ("--skip", name)]
        fewer = json.loads(run("plan", SHOP, "--json", *skipped).stdout)
        self.assertLess(fewer["bypass_tests"], standard["bypass_tests"])
        quick = json.loads(run("plan", SHOP, "--depth", "quick", "--json").stdout)
        self.assertEqual(quick["bypass_tests"], 0)
        self.assertGreater(plan["coverage"]["denied_ports_swept"], 0.5)

    def test_twice_is_once(self):
        self.assertEqual(run("help", "-q", "-q").stdout, run("help", "-q").stdout)
        self.assertEqual(run("check", SHOP, "-vv").stdout, run("check", SHOP, "-v").stdout)
        self.assertEqual(run("plan", SHOP, "--seed", "1", "--seed", "2", "--json").stdout,
                         run("plan", SHOP, "--seed", "2", "--json").stdout)

    def test_topologies_that_cannot_be_read(self):
        locked = os.path.join(self.folder, "locked.yaml")
        shutil.copy(SHOP, locked)
        os.chmod(locked, 0)
        rest = {"explain": ["web-1", "db-1", "any"]}
        for name in ("check", "explain", "plan", "verify"):
            more = rest.get(name, [])
            self.wrong((name, "/nonexistent.yaml", *more), "/nonexistent.yaml", "No such file")
            self.wrong((name, self.folder, *more), self.folder, "Is a directory")
            self.wrong((name, "", *more), "No such file")
            if os.geteuid() != 0:
                self.wrong((name, locked, *more), "Permission denied")

    def test_standard_input_is_a_topology(self):
        with open(SHOP, encoding="utf-8") as file:
            text = file.read()
        for words in (("check", "-"), ("plan", "-", "--seed", "1"),
                      ("explain", "-", "web-1", "db-1", "tcp/22")):
            done = run(*words, stdin=None, input=text)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotEqual(done.stdout, "")
        self.wrong(("check", "-"), "-:", "empty")


class Amount(Case):
    """--json, -q and -v of the commands that send nothing."""

    def test_check(self):
        self.assertEqual(run("check", SHOP, "-q").stdout, "")
        self.assertEqual(run("check", SHOP, "-q").stderr, "")
        self.assertIn("warning", run("check", SHOP).stderr)
        detail = run("check", SHOP, "-v").stdout
        for part in ("web, in prod: 2 hosts", "web-1, in web: 10.10.1.11", "web-to-db (line 20): allow"):
            self.assertIn(part, detail)
        told = run("check", SHOP, "--json")
        answer = json.loads(told.stdout)
        self.assertEqual((told.returncode, told.stderr, answer["good"]), (0, "", True))
        self.assertEqual((answer["hosts"], answer["networks"]), (7, 5))
        self.assertEqual({one["severity"] for one in answer["problems"]}, {"warning"})

    def test_check_of_what_is_wrong(self):
        path = os.path.join(self.folder, "bad.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("segproof: 1\nname: x\nhosts:\n  a: { network: nowhere, address: 10.0.0.1 }\n")
        told = run("check", path, "--json")
        answer = json.loads(told.stdout)
        self.assertEqual((told.returncode, answer["good"]), (2, False))
        wrong = [one for one in answer["problems"] if "nowhere" in one["text"]]
        self.assertEqual([(one["severity"], one["line"], one["pointer"]) for one in wrong],
                         [("error", 4, "/hosts/a/network")])
        told = run("check", "/nonexistent", "--json")
        self.assertEqual((told.returncode, json.loads(told.stdout)["good"]), (2, False))
        self.assertIn("No such file", json.loads(told.stdout)["problems"][0]["text"])
        self.assertIn("nowhere", run("check", path, "-q").stderr)  # quiet is not silent about errors

    def test_plan(self):
        self.assertRegex(run("plan", SHOP, "-q", "--seed", "1").stdout,
                         r"\A\d+ tests, \d+ packets, \d+ s\n\Z")
        self.assertEqual(run("plan", SHOP, "-q").stderr, "")
        short, long = (run("plan", SHOP, "--seed", "1", *more).stdout for more in ((), ("-v",)))
        self.assertIn("  web-1 -> db-1  ", long)
        self.assertNotIn("  web-1 -> db-1  ", short)
        plan = json.loads(run("plan", SHOP, "--seed", "1", "--json").stdout)
        self.assertEqual((plan["depth"], plan["seed"]), ("standard", "1"))
        self.assertGreater(plan["tests"], 0)
        self.assertGreater(plan["coverage"]["pairs"]["of"], 0)

    def test_explain(self):
        ask = ("explain", SHOP, "web", "data", "tcp/22")
        self.assertEqual(run(*ask, "-q").stdout.splitlines()[0],
                         "web-1 -> db-1 and 1 more  tcp/22  deny  default deny")
        self.assertEqual(run("explain", SHOP, "out-1", "shop", "tcp/443", "-q").stdout,
                         "out-1 -> shop  tcp/443  allow  balancer:shop\n")
        self.assertIn("  web-1 -> db-1\n", run(*ask, "-v").stdout)
        answers = json.loads(run(*ask, "--json").stdout)["answers"]
        self.assertEqual(sum(len(one["pairs"]) for one in answers), 4)

    def test_version(self):
        plain = run("version").stdout
        self.assertEqual(plain.count("\n"), 1)
        self.assertEqual(run("version", "-q").stdout.strip(), plain.split()[1])
        self.assertIn("tcp_syn", run("version", "-v").stdout)
        self.assertIn("tcp_syn", json.loads(run("version", "--json").stdout)["techniques"])


class Colour(Case):
    """`check` of a wrong topology paints its errors, on standard error."""

    def setUp(self):
        super().setUp()
        self.bad = os.path.join(self.folder, "bad.yaml")
        with open(self.bad, "w", encoding="utf-8") as file:
            file.write("segproof: 2\n")

    def on_terminal(self, *more, **env):
        terminal = Terminal([SEGPROOF, "check", self.bad, *more], env=environment(**env))
        text = terminal.read()
        terminal.close()
        self.assertIn("bad.yaml", text)
        return COLOUR in text

    def in_pipe(self, *more, **env):
        text = run("check", self.bad, *more, env=environment(**env)).stderr
        self.assertIn("bad.yaml", text)
        return COLOUR in text

    def test_terminal(self):
        self.assertTrue(self.on_terminal())
        self.assertTrue(self.on_terminal(NO_COLOR=""))
        self.assertTrue(self.on_terminal(CI="false"))
        for env in ({"NO_COLOR": "1"}, {"NO_COLOR": "0"}, {"TERM": "dumb"}, {"CI": "true"},
                    {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}):
            self.assertFalse(self.on_terminal(**env), env)
        self.assertFalse(self.on_terminal("--color", "never"))
        self.assertFalse(self.on_terminal("--color", "never", CLICOLOR_FORCE="1"))
        self.assertTrue(self.on_terminal("--color=always", NO_COLOR="1", TERM="dumb", CI="true"))

    def test_pipe(self):
        self.assertFalse(self.in_pipe())
        self.assertFalse(self.in_pipe(CLICOLOR_FORCE="0"))
        self.assertFalse(self.in_pipe(CLICOLOR_FORCE=""))
        self.assertFalse(self.in_pipe(CLICOLOR_FORCE="1", NO_COLOR="1"))
        self.assertTrue(self.in_pipe(CLICOLOR_FORCE="1"))
        self.assertTrue(self.in_pipe("--color=always"))
        self.assertTrue(self.in_pipe("--color", "always", NO_COLOR="1"))
        self.assertTrue(self.in_pipe("--color", "auto", CLICOLOR_FORCE="1"))


class Streams(Case):
    def commands(self):
        """One line for each command that writes a good deal."""
        shop = shlex.quote(SHOP)
        yield f"segproof plan {shop} -v"
        yield f"segproof plan {shop} --json"
        yield f"segproof explain {shop} any any any"
        yield f"segproof explain {shop} any any any --json"
        yield f"segproof check {shop} -v"
        yield f"segproof check {shop} --json"
        yield "segproof check --schema"
        yield "segproof help --json"
        yield "segproof help -v"
        yield "segproof verify --help"
        yield "segproof version"
        yield "segproof completion bash"
        yield "segproof completion zsh"

    def test_a_reader_that_has_seen_enough(self):
        for line in self.commands():
            for reader in ("head -n 1", "true"):
                done = run_shell(f"{line} 2>{self.folder}/err | {reader}")
                with open(f"{self.folder}/err", encoding="utf-8") as file:
                    told = [text for text in file if "warning" not in text and " | " not in text]
                self.assertEqual((done.returncode, told), (0, []), (line, reader))

    def test_a_full_disk(self):
        for line in self.commands():
            done = run_shell(f"{line} >/dev/full")
            self.assertEqual(done.returncode, 2, line)
            self.assertIn("No space left on device", done.stderr, line)

    def test_a_closed_standard_output(self):
        for line in self.commands():
            done = run_shell(f"{line} >&-")
            self.assertEqual(done.returncode, 2, line)
            self.assertIn("standard output", done.stderr, line)


if __name__ == "__main__":
    unittest.main(verbosity=2)
