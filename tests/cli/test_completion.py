# SPDX-License-Identifier: Apache-2.0
"""Completion as a user has it: a real bash and a real zsh on a terminal, keys pressed, words read
back. What must be offered stands here by hand where a wrong table would otherwise agree with itself."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from terminal import SEGPROOF, bash, environment, zsh, zsh_from_folder

TOPOLOGY = """segproof: 1
name: shop
networks:
  web:  { cidr: 10.1.0.0/24 }
  data: { cidr: 10.2.0.0/24 }
hosts:
  web-1: { network: web, address: 10.1.0.11, labels: { app: web }, probe: { via: netns } }
  web-2: { network: web, address: 10.1.0.12, labels: { app: web }, probe: { via: netns } }
  db-1:  { network: data, address: 10.2.0.11, labels: { role: db }, probe: { via: netns } }
groups:
  databases: [db-1]
services:
  shop-db: { ports: [tcp/5432] }
policies:
  - { name: orders, from: web, to: data, allow: shop-db }
"""
# A topology of a stranger: names that a shell would run, were they put on a line.
HOSTILE = """segproof: 1
hosts:
  $(touch pwned): { network: web }
  "`touch pwned`": { network: web }
  "; touch pwned": { network: web }
  "a b": { network: web }
  "../x;y": { network: web }
  fine-1: { network: web, labels: { "k;l": v, ok: "$(touch pwned)" } }
"""
NAMES = {"any", "not:", "web", "data", "web-1", "web-2", "db-1", "databases", "label:app=web",
         "label:role=db"}


def segproof(*words, **more):
    return subprocess.run([SEGPROOF, *words], capture_output=True, text=True, timeout=60,
                          env=environment(), check=False, **more)


def options_of(command):
    """The long options that --help shows, which are read from the table by other code."""
    told = segproof(command, "--help").stdout.split("Options:")[1].split("Examples:")[0]
    return {word.rstrip(",") for line in told.splitlines() if line[:8].strip(" ").startswith("-")
            or line.startswith("      --") for word in line.split()[:2] if word.startswith("--")}


class Shells:
    """The same questions to each shell."""
    shell = None
    folder = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="segproof-cli-")
        for name, text in (("shop.yaml", TOPOLOGY), ("hostile.yaml", HOSTILE),
                           ("shop.json", "{}"), ("old.yml", ""), ("notes.txt", ""),
                           ("my shop.yaml", TOPOLOGY), ("broken.yaml", TOPOLOGY + "nonsense: [1]\n"),
                           ("empty.yaml", ""), ("list.yaml", "- 1\n")):
            with open(os.path.join(cls.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        os.mkdir(os.path.join(cls.folder, "deep"))
        os.mkfifo(os.path.join(cls.folder, "pipe.yaml"))
        cls.shell = cls.start()

    @classmethod
    def tearDownClass(cls):
        if cls.shell:
            cls.shell.close()
        shutil.rmtree(cls.folder)

    def offers(self, line, *words):
        self.assertEqual(set(self.shell.offers("segproof " + line)), set(words), line)

    def value_offers(self, line, option, *words):
        """Where the option and its value are one word, the shells differ in what they repeat."""
        found = self.shell.offers("segproof " + line)
        self.assertEqual({word.removeprefix(option) for word in found}, set(words), line)

    def test_commands(self):
        self.offers("", "check", "completion", "explain", "help", "plan", "report", "trace",
                    "verify",
                    "version")
        self.offers("ver", "verify", "version")
        self.offers("help pl", "plan")
        self.offers("completion ", "bash", "zsh")
        self.offers("report --c", "--check-evidence", "--color")
        self.offers("nosuch ")
        self.offers("version ")

    def test_options_of_every_command(self):
        for command in json.loads(segproof("help", "--json").stdout)["commands"]:
            with self.subTest(command["name"]):
                self.offers(command["name"] + " --", *options_of(command["name"]))
        self.offers("verify --in", "--inject")
        self.offers("plan --in")
        self.offers("verify -- --in")

    def test_an_option_is_offered_once_and_a_list_again(self):
        self.offers("verify --seed 3 --s", "--sign-key", "--skip", "--ssh-config", "--state")
        self.offers("verify --skip udp --s", "--seed", "--sign-key", "--skip", "--ssh-config", "--state")
        self.offers("verify -d quick --de")

    def test_choices(self):
        self.offers("verify --depth ", "quick", "standard", "exhaustive")
        self.offers("plan -d ", "quick", "standard", "exhaustive")
        self.value_offers("plan --depth=", "--depth=", "quick", "standard", "exhaustive")
        self.offers("verify --inject ", "auto", "raw", "link")
        self.offers("verify --color ", "always", "auto", "never")
        self.value_offers("check --color=a", "--color=", "always", "auto")

    def test_techniques_and_formats(self):
        able = json.loads(segproof("version", "--json").stdout)
        self.assertLessEqual({"icmp_echo", "tcp_syn", "udp"}, set(able["techniques"]))
        self.assertLessEqual({"json", "junit", "text"}, set(able["formats"]))
        for option in ("--only", "--skip"):
            self.offers(f"verify {option} ", *able["techniques"], "nodes", "endpoints", "balancers")
        self.offers("verify --only tcp_syn --only ic", "icmp_echo", "icmp_type")
        self.offers("verify --report ", *(name + "=" for name in able["formats"]))
        self.offers("verify -r ju", "junit=")

    def test_presets(self):
        told = segproof("check", "--presets", "-q").stdout.split()
        self.assertLessEqual({"kubernetes", "gloo-mesh"}, set(told))
        self.offers("check --preset ", *told)
        self.offers("check --preset istio-m", "istio-multicluster")

    def test_reports_go_to_any_file(self):
        self.value_offers("verify --report junit=no", "junit=", "notes.txt")
        self.value_offers("verify -r json=sh", "json=", "shop.yaml", "shop.json")
        self.value_offers("verify --report=json=no", "--report=json=", "notes.txt")

    def test_files_and_folders(self):
        self.offers("verify --state no", "notes.txt")
        self.offers("verify --probe no", "notes.txt")
        self.assertEqual(self.shell.tab("segproof check deep/../de"), ["check", "deep/../deep/END"])

    def test_topologies(self):
        self.offers("check sho", "shop.yaml", "shop.json")
        self.offers("check o", "old.yml")
        self.offers("check no", *self.when_no_topology)
        self.offers("verify --seed 3 dee", "deep")
        self.offers("explain shop.y", "shop.yaml")
        self.offers("check shop.yaml sho")  # it takes one

    def test_names_of_the_topology(self):
        for option in ("--from", "--to"):
            self.offers(f"verify shop.yaml {option} ", *NAMES)
        self.value_offers("plan shop.yaml --from=web-", "--from=", "web-1", "web-2")
        self.offers("verify shop.yaml --from da", "data", "databases")
        self.offers("explain shop.yaml we", "web", "web-1", "web-2")
        self.offers("explain shop.yaml web-1 d", "data", "databases", "db-1")
        self.offers("verify --from ", "any", "not:")  # no topology, no names

    def test_labels(self):
        self.value_offers("verify shop.yaml --to label:", "label:", "app=web", "role=db")
        self.value_offers("verify shop.yaml --to label:ro", "label:", "role=db")
        self.value_offers("verify shop.yaml --to=label:app=", "--to=label:app=", "web")

    def test_lists_and_not(self):
        self.value_offers("plan shop.yaml --from web-1,da", "web-1,", "data", "databases")
        self.value_offers("plan shop.yaml --from not:db", "not:", "db-1")
        self.value_offers("plan shop.yaml --from web,not:dat", "web,not:", "data", "databases")

    def test_ports(self):
        self.offers("explain shop.yaml web-1 db-1 ", "any", "icmp/echo", "ip/", "sctp/", "tcp/",
                    "udp/", "shop-db")
        self.offers("explain shop.yaml web-1 db-1 s", "sctp/", "shop-db")

    def test_the_topology_may_stand_behind_the_cursor(self):
        left = "\x1b[D" * len(" shop.yaml")
        words = self.shell.tab(f"segproof verify --from databa shop.yaml{left}")
        self.assertEqual(words[:2], ["verify", "--from"])
        self.assertIn(words[2], ("databases", "databasesEND"))

    def test_a_topology_that_is_wrong_still_has_names(self):
        self.offers("verify broken.yaml --from db", "db-1")
        for name in ("empty.yaml", "list.yaml", "missing.yaml", "pipe.yaml", "deep", "/dev/null"):
            self.offers(f"verify {name} --from ", "any", "not:")

    def test_names_that_a_shell_would_run_are_left_out(self):
        self.offers("verify hostile.yaml --from ", "any", "not:", "fine-1")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "pwned")))

    def test_one_key(self):
        tab = self.shell.tab
        self.assertEqual(tab("segproof verif"), ["verify", "END"])  # a space follows a whole word
        self.assertEqual(tab("segproof verify --report jso"), ["verify", "--report", "json=END"])
        self.assertEqual(tab("segproof verify --dep"), ["verify", "--depth", "END"])
        self.assertEqual(tab("segproof check my"), ["check", "my shop.yaml", "END"])
        self.assertEqual(tab("segproof verify my\\ shop.yaml --to databa"),
                         ["verify", "my shop.yaml", "--to", "databases", "END"])
        self.assertEqual(tab("segproof verify 'my shop.yaml' --to databa"),
                         ["verify", "my shop.yaml", "--to", "databases", "END"])
        self.assertEqual(tab("segproof explain shop.yaml web-1 db-1 tc"),
                         ["explain", "shop.yaml", "web-1", "db-1", "tcp/END"])


class Bash(Shells, unittest.TestCase):
    when_no_topology = ()

    @classmethod
    def start(cls):
        return bash(cls.folder)

    def test_called_without_a_terminal(self):
        """As other programs call it: COMP_WORDS and COMP_CWORD, the answer in COMPREPLY."""
        script = ("source <(segproof completion bash); COMP_WORDS=(segproof verify --depth '');"
                  "COMP_CWORD=3 COMP_LINE='segproof verify --depth ' COMP_POINT=24;"
                  "_segproof segproof '' --depth; printf '%s,' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-uc", script], capture_output=True, text=True, timeout=60,
                              env=environment(), check=True)
        self.assertEqual((done.stdout, done.stderr), ("quick,standard,exhaustive,", ""))


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(Shells, unittest.TestCase):
    when_no_topology = ("notes.txt",)  # the custom of zsh: rather any file than none

    @classmethod
    def start(cls):
        return zsh(cls.folder)

    def test_installed_in_a_folder(self):
        functions = os.path.join(self.folder, "deep", "functions")
        os.makedirs(functions)
        with open(os.path.join(functions, "_segproof"), "w", encoding="utf-8") as file:
            file.write(segproof("completion", "zsh").stdout)
        shell = zsh_from_folder(self.folder, functions)
        try:
            for _ in range(2):  # loaded by the first, used by the second
                self.assertEqual(shell.tab("segproof verif"), ["verify", "END"])
        finally:
            shell.close()


class Helper(unittest.TestCase):
    """What the scripts ask; it never complains and never waits."""

    def ask(self, at, *words):
        done = segproof("completion", "--candidates", str(at), "segproof", *words,
                        stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def test_nonsense(self):
        for at in (0, 1, 2, 3, 9):
            for words in ((), ("",), ("verify",), ("verify", "--from"), ("verify", "--from=", "--"),
                          ("nosuch", "-"), ("verify", "'", '"', "\\"), ("completion", "-" * 5000),
                          ("check", "--", "--", "--"), ("explain", "-", "-", "-", "-", "-", "-")):
                if at <= len(words) + 1:
                    self.ask(at, *words)
        for wrong in ((), ("x",), ("-1", "segproof"), ("99999999999999999999", "segproof")):
            done = segproof("completion", "--candidates", *wrong)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (2, "", ""), wrong)

    def test_every_candidate_of_every_option_is_taken(self):
        """What is offered for a value is no mistake: the parser takes it."""
        for command in json.loads(segproof("help", "--json").stdout)["commands"]:
            for option in command["options"]:
                if option["kind"] != "choice":
                    continue
                lines = self.ask(3, command["name"], "--" + option["name"], "").splitlines()
                self.assertEqual(lines[0], "words 0")
                self.assertEqual([line.split("\t")[0] for line in lines[1:]], option["choices"])
                for value in option["choices"]:
                    done = segproof(command["name"], f"--{option['name']}={value}", "/nonexistent")
                    self.assertNotIn(f"--{option['name']}", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
