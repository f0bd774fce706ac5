# SPDX-License-Identifier: Apache-2.0
"""The demo without segproof: its plans, its network, and its judgement of a report.

A stand-in program plays segproof and writes the reports that each case needs, so that the demo's
exit codes, its clean-up and what it gives away are tested apart from the real program.
Run: python3 tests/netns/test_demo.py (root; says skipped where the machine cannot do it)."""
import collections
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEMO = os.path.join(ROOT, "topologies", "demo")
sys.path[:0] = [DEMO, os.path.join(ROOT, "tests", "support")]

import compare  # noqa: E402 (found through the line above)
import lab as labs  # noqa: E402
import sshhost  # noqa: E402
from company import HOST_LAYER, NAT, SSH_HOST, Company, parse_port  # noqa: E402
from faults import FAULTS, Finding, plan  # noqa: E402
from firewall import Rules, match  # noqa: E402
from network import FIREWALL, Network  # noqa: E402
from selfcheck import SelfCheck  # noqa: E402

PROGRAM = os.environ.get("SEGPROOF") or os.path.join(ROOT, "build", "release", "bin", "segproof")
WHY = labs.missing() or sshhost.missing()
STAND_IN = """#!/usr/bin/env python3
import json, os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
with open(here + "/answers.json") as file: answers = json.load(file)
calls = here + "/calls.json"
past = json.load(open(calls)) if os.path.exists(calls) else []
answer = answers[min(len(past), len(answers) - 1)]
topology = sys.argv[2]
past.append({"argv": sys.argv[1:], "pid": os.getpid(), "env": dict(os.environ),
             "topology": open(topology).read(), "folder": os.listdir(os.path.dirname(topology))})
with open(calls + ".new", "w") as file: json.dump(past, file)
os.replace(calls + ".new", calls)
print("the stand-in speaks")
time.sleep(answer.get("sleep", 0))
path = sys.argv[4].partition("=")[2]
if "report" in answer:
    with open(path, "w") as file: file.write(answer["report"])
sys.exit(answer["code"])
"""


def planted(seed, name=None):
    return [fault for fault in plan(Company(seed), seed) if name in (None, fault.name)]


def report(findings, inconclusive=0, checks=100, verdict=None, pairs=()):
    verdict = verdict or ("fails" if findings else "incomplete" if inconclusive else "holds")
    return json.dumps({
        "format": "segproof-report/1", "pairs": list(pairs),
        "summary": {"verdict": verdict, "checks": checks, "inconclusive": inconclusive},
        "findings": [{"verdict": f.verdict, "from": f.source, "to": f.target, "family": f.family,
                      "protocol": f.protocol, "ports": f.ports} for f in findings]})


def expected(seed, name=None):
    return [finding for fault in planted(seed, name) for finding in fault.expected]


class PlanTest(unittest.TestCase):
    """The seed's choices, over many seeds; needs no network."""

    def test_faults_never_meet_and_mean_what_they_say(self):
        places = collections.defaultdict(set)
        for seed in range(150):
            company = Company(seed)
            faults = plan(company, seed)
            self.assertEqual([fault.name for fault in faults], list(FAULTS))
            taken, shop = collections.Counter(), company.balancer.name
            for fault in faults:
                places[fault.name].add((fault.where()))
                taken.update({frozenset((f.source, f.target)) for f in fault.expected
                              if f.target != shop})
                for finding in fault.expected:
                    self.check_finding(company, finding)
            self.assertEqual(max(taken.values()), 1, f"seed {seed}: two faults share two hosts")
            broken = [f.family for fault in faults for f in fault.expected
                      if f.target == shop and f.verdict != "leak"]
            self.assertEqual(sorted(broken), ["ipv4", "ipv6"], "a whole listener is left in each")
        few = {"dead-backend": 3, "foreign-backend": 3, "hidden-nat": 10}
        for name, some in places.items():
            self.assertGreater(len(some), few.get(name, 20), f"{name} hardly moves")

    def check_finding(self, company, finding):
        port = int(finding.ports)
        is_allowed = company.is_allowed(finding.source, finding.target, finding.protocol, port)
        self.assertEqual(is_allowed, finding.verdict != "leak", finding)
        if is_allowed:  # controls of that protocol have another flow to use
            others = [flow for flow in company.allowed(finding.source, finding.target)
                      if flow.proto == finding.protocol and not flow.is_permit
                      and (flow.lo != port or flow.hi != port)]
            self.assertTrue(others, finding)

    def test_every_fault_changes_rules_and_only_its_own(self):
        for seed in range(20):
            company = Company(seed)
            plain = Rules(company)
            for fault in plan(company, seed):
                rules = Rules(company)
                fault.plant(rules)
                self.assertNotEqual((rules.firewall(), rules.host_firewalls()),
                                    (plain.firewall(), plain.host_firewalls()), fault.name)
                changed = [name for name, text in rules.host_firewalls().items()
                           if text != plain.host_firewalls()[name]]
                self.assertEqual(changed, [fault.target.name] if fault.name == "host-firewall"
                                 else [])

    def test_a_seed_is_one_plan_and_the_topology_is_blind_to_it(self):
        text = Company(5).topology(str)
        self.assertEqual(text, Company(5).topology(str))
        self.assertNotEqual(text, Company(6).topology(str))

    def test_communicating_pairs_have_flows_for_controls(self):
        for seed in range(20):
            company = Company(seed)
            for source, target in company.pairs():
                flows = [f for f in company.allowed(source.name, target.name) if not f.is_permit]
                if flows:
                    protos = {flow.proto for flow in flows}
                    self.assertLessEqual({"tcp", "udp"}, protos, (source.name, target.name))
            used = {tuple(sorted((s.segment, t.segment))) for s, t in company.pairs()
                    if company.allowed(s.name, t.name)}
            self.assertGreater(len(used), 6)
            self.assertTrue(HOST_LAYER)

    def test_parse_port(self):
        self.assertEqual(parse_port("tcp/80-90"), ("tcp", 80, 90))
        self.assertEqual(parse_port("udp/53"), ("udp", 53, 53))
        self.assertEqual(parse_port("icmp6/echo"), ("icmp6", 0, 0))


class CompareTest(unittest.TestCase):
    def outcome(self, findings, code=1, **options):
        read = json.loads(report(findings, **options))
        return compare.judge_report(read, code, expected(1))

    def judge(self, findings, **options):
        return compare.table(planted(1), self.outcome(findings, **options))

    def test_exactly_the_planted_findings(self):
        lines, ok = self.judge(expected(1))
        self.assertTrue(ok, lines)
        self.assertEqual(sum("found " in line for line in lines), len(expected(1)))

    def test_ports_are_compared_as_sets(self):
        self.assertEqual(compare.port_set("22,8000-8002,echo"),
                         {"22", "8000", "8001", "8002", "echo"})
        self.assertEqual(compare.port_text({"22", "8000", "8001", "8002", "echo"}),
                         "22,8000-8002,echo")
        one = Finding("leak", "a", "b", "ipv4", "tcp", "1-2")
        self.assertEqual(compare.merge([one]), compare.merge([one._replace(ports="2"),
                                                              one._replace(ports="1")]))

    def test_each_deviation_is_seen(self):
        good = expected(1)
        for index, finding in enumerate(good):
            self.assertFalse(self.judge(good[:index] + good[index + 1:])[1], "one is missing")
            for change in ({"verdict": "holds"}, {"source": "x"}, {"target": "x"},
                           {"family": "ipv5"}, {"protocol": "sctp"}, {"ports": "7"},
                           {"ports": finding.ports + ",7"}):
                changed = good[:index] + [finding._replace(**change)] + good[index + 1:]
                self.assertFalse(self.judge(changed)[1], change)
        self.assertFalse(self.judge(good + [good[0]._replace(source="other")])[1], "one too many")

    def test_an_unclean_run_is_not_ok(self):
        good = expected(1)
        self.assertFalse(self.judge(good, inconclusive=1)[1])
        self.assertFalse(self.judge(good, checks=0)[1])
        self.assertFalse(self.judge(good, verdict="holds")[1])
        for code in (0, 2, 3, 130):
            self.assertFalse(self.judge(good, code=code)[1])
        lines, _ = self.judge(good, inconclusive=1, pairs=[
            {"from": "a", "to": "b", "family": "ipv4", "protocol": "udp",
             "verdict": "inconclusive"}])
        self.assertTrue(any("a -> b, ipv4, udp" in line for line in lines), lines)

    def test_broken_reports_are_told(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.json")
            with self.assertRaises(compare.ReportError):
                compare.read_report(path)
            for text in ("", "[]", "{", '{"format":"segproof-report/2"}',
                         '{"format":"segproof-report/1"}',
                         '{"format":"segproof-report/1","summary":{"checks":1,"inconclusive":0,'
                         '"verdict":"fails"},"pairs":[],"findings":[{"verdict":"leak"}]}'):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                with self.assertRaises(compare.ReportError, msg=text):
                    compare.read_report(path)


@unittest.skipIf(WHY, WHY)
class NetworkTest(unittest.TestCase):
    """Real namespaces and rules, judged by plain raw sockets."""

    def test_all_faults_are_there_and_nothing_else_and_repair_removes_each(self):
        for seed in (1, 2):
            network = Network(Company(seed), planted(seed))
            with network.lab:
                began = time.monotonic()
                network.build()
                self.assertLess(time.monotonic() - began, 20)
                check = SelfCheck(network)
                self.assertEqual(check.run(), network.expected(), f"seed {seed}")
                self.assertEqual(len(network.faults), len(FAULTS))
                for fault in list(network.faults):
                    network.repair(fault)
                self.assertEqual(check.run(), set(), f"seed {seed}, repaired")

    def test_each_fault_alone_and_the_check_sees_what_nobody_planted(self):
        network = Network(Company(4), [])
        with network.lab as lab:
            network.build()
            check = SelfCheck(network)
            for fault in planted(4):
                network.faults = [fault]
                network.load()
                ends = {host.name for pair in fault.pairs() for host in pair}
                self.assertEqual(check.run(ends), set(fault.expected), fault.name)
            network.faults = []
            network.load()
            hosts = network.company.hosts
            lab.nft(FIREWALL, f"insert rule inet company forward ip saddr {hosts['jump-1'].v4} "
                              f"ip daddr {hosts['edge-1'].v4} udp dport 69 accept\n")
            self.assertEqual(check.run(),
                             {Finding("leak", "jump-1", "edge-1", "ipv4", "udp", "69")})

    def test_a_host_behind_ssh(self):
        """A real client and a real sshd, nothing of it outside the lab's folder."""
        def outside():
            folder = os.path.expanduser("~/.ssh")
            with open("/proc/mounts", encoding="utf-8") as mounts:
                return (os.path.isdir(folder) and os.listdir(folder), os.path.exists("/run/sshd"),
                        [line for line in mounts if "netns" not in line])

        def log_in(command):
            return subprocess.run(["ssh", "-F", network.ssh_config, "-o", "BatchMode=yes",
                                   SSH_HOST, command], capture_output=True, text=True, timeout=20,
                                  check=False)
        before = outside()
        network = Network(Company(2), [])
        with network.lab as lab:
            network.build()
            edge = network.company.hosts[SSH_HOST]
            done = log_in("ip -br addr show dev eth0")
            self.assertIn(f" {edge.v4}/24", done.stdout, done.stderr)
            self.assertEqual(done.stderr, "")
            self.assertEqual(lab.run(SSH_HOST, ["ss", "-Hlnt"]).stdout.count("LISTEN"),
                             len(network.company.listeners[SSH_HOST]), "sshd listens nowhere")
            folder = os.path.dirname(network.ssh_config)
            os.replace(os.path.join(folder, "user_key.pub"), os.path.join(folder, "known_hosts"))
            self.assertIn("Host key verification failed", log_in("true").stderr)
            self.assertEqual(labs._pids_in([lab.ns(SSH_HOST)]), [], "nothing runs there any more")
        self.assertEqual(outside(), before)
        self.assertFalse(os.path.exists(folder))

    @unittest.skipUnless(os.access(PROGRAM, os.X_OK), f"there is no {PROGRAM}")
    def test_nothing_is_left_however_it_ends(self):
        """With segproof itself: what runs in the network, and the ssh that reaches it, ends."""
        for how in ("alone", signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(how=how):
                network = Network(Company(3), [])
                with network.lab as lab:
                    network.build()
                    ours = self.processes(lab)
                    topology = os.path.join(lab.dir, "topology.yaml")
                    with open(topology, "w", encoding="utf-8") as file:
                        file.write(network.topology())
                    child = subprocess.Popen(
                        [PROGRAM, "verify", topology, "--ssh-config", network.ssh_config,
                         "--depth", "quick"], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
                    deadline, seen = time.monotonic() + 30, set()
                    while time.monotonic() < deadline and child.poll() is None:
                        seen |= self.processes(lab) - ours
                        over_ssh = any("--remove-self" in text for _, text in seen)
                        if how != "alone" and over_ssh:
                            child.send_signal(how)
                            how = "alone"  # that is done
                            break
                        time.sleep(0.05)
                    child.wait(timeout=30)
                    self.assertEqual(how, "alone", "it ended before the signal")
                    for word in ("ssh -F", "sshd: ", "segproof-probe", "--remove-self"):
                        self.assertTrue(any(word in text for _, text in seen), word)
                    deadline = time.monotonic() + 10
                    while self.processes(lab) - ours and time.monotonic() < deadline:
                        time.sleep(0.05)
                    self.assertEqual(self.processes(lab) - ours, set())
                    folder = os.path.join(os.path.dirname(network.ssh_config), "run")
                    self.assertEqual(os.listdir(folder), [], "the probe's copy is left")

    @unittest.skipUnless(os.access(PROGRAM, os.X_OK), f"there is no {PROGRAM}")
    def test_a_port_of_the_balancer_that_leads_to_one_backend_only(self):
        """With segproof itself: four flows of five go to a backend behind a closed port."""
        company = Company(2)
        client, (dead, alive) = company.hosts["edge-1"], (company.hosts[name]
                                                          for name in ("web-1", "web-2"))
        rules = Rules(company)
        pool = rules.pool_of(company.balancer.listeners[0])
        rules.pools[client.name, 9200, 4] = pool._replace(hosts=[dead] * 4 + [alive])
        rules.first.append(f"{match(client, dead, 4)} meta l4proto tcp "
                           "ct original proto-dst 9200 ct status dnat drop")
        network = Network(company, [])
        with network.lab as lab:
            network.build()
            lab.nft(FIREWALL, rules.firewall().replace("numgen random", "numgen inc"))
            outcome = compare.verify(PROGRAM, network, ["--from", client.name, "--to", "shop"],
                                     subprocess.DEVNULL, 60)
            self.assertEqual(outcome.found, {
                Finding("leak", client.name, "shop", "ipv4", "tcp", "9200")}, outcome.problems)

    @staticmethod
    def processes(lab):
        """{(pid, command line)} of what runs in a lab's namespaces, or was given its files."""
        inside, found = labs._pids_in([lab.ns(name) for name in lab.namespaces]), set()
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    text = file.read().replace(b"\0", b" ").decode(errors="replace")
                if (pid in inside or lab.prefix in text) and labs.is_alive(labs.identity(pid)):
                    found.add((pid, text))
        return found

    def test_services_gateways_and_people_see_the_declared_network(self):
        network = Network(Company(2), [])
        with network.lab as lab:
            network.build()
            hosts, company = network.company.hosts, network.company
            for name, host in hosts.items():
                net = company.segments[host.segment]
                for own, other in ((f"{net.v4}.1", "10.10.4.1"), (f"{net.v6}::1", "fd00:10:4::1")):
                    self.assertEqual(lab.run(name, ["ping", "-c1", "-W1", own]).returncode, 0)
                    if host.segment not in ("mgmt",):
                        self.assertNotEqual(
                            lab.run(name, ["ping", "-c1", "-W0.2", other]).returncode, 0)
            for address in (hosts["web-1"].v4, hosts["web-1"].v6):
                done = lab.run("edge-1", [sys.executable, "-c", (
                    "import socket\n"
                    f"print(socket.create_connection(({address!r}, 443), 3).recv(9))")])
                self.assertIn("hello", done.stdout, done.stderr)
            # Translated: the receiver sees the firewall's address.
            with lab.socket("edge-1", socket.AF_INET6, socket.SOCK_STREAM) as server:
                server.bind(("::", 853))
                server.listen()
                server.settimeout(3)
                for family, mine in ((socket.AF_INET, f"::ffff:{NAT.v4}"),
                                     (socket.AF_INET6, NAT.v6)):
                    edge = hosts["edge-1"]
                    with lab.socket("build-1", family, socket.SOCK_STREAM) as client:
                        client.settimeout(3)
                        client.connect((edge.v4 if family == socket.AF_INET else edge.v6, 853))
                        peer, address = server.accept()
                        peer.close()
                        self.assertEqual(address[0], mine)


@unittest.skipIf(WHY, WHY)
class CommandTest(unittest.TestCase):
    """topologies/demo/run as people start it, with the stand-in as segproof."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.program = os.path.join(self.folder.name, "segproof")
        with open(self.program, "w", encoding="utf-8") as file:
            file.write(STAND_IN)
        os.chmod(self.program, 0o755)
        self.env = {**os.environ, "SEGPROOF": self.program}

    def answers(self, *answers):
        with open(os.path.join(self.folder.name, "answers.json"), "w", encoding="utf-8") as file:
            json.dump(answers, file)

    def calls(self):
        try:
            with open(os.path.join(self.folder.name, "calls.json"), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return []

    def start(self, *args):
        return subprocess.Popen([os.path.join(DEMO, "run"), *args], env=self.env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def demo(self, *args, code=0):
        child = self.start(*args)
        output, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, code, output)
        self.assert_gone(child.pid)
        return output

    def assert_gone(self, pid):
        left = [name for name in os.listdir(labs.NETNS_DIR) if name.startswith(f"sp-demo-{pid}-")]
        self.assertEqual(left, [])
        self.assertFalse(os.path.exists(f"/run/segproof-demo/sp-demo-{pid}.json"))
        for call in self.calls():
            self.assertFalse(os.path.exists(call["argv"][1]), "the temporary folder is left")

    def test_found_exactly(self):
        self.answers({"code": 1, "report": report(expected(1))})
        output = self.demo()
        self.assertIn("the stand-in speaks", output)
        self.assertIn("exactly the planted ones", output)

    def test_nothing_about_the_plan_reaches_segproof(self):
        self.answers({"code": 1, "report": report(expected(3))}, {"code": 0, "report": report([])})
        self.demo("--seed", "3", "--", "--depth", "quick")
        self.demo("--seed", "3", "--fixed")
        faulty, fixed = self.calls()
        self.assertEqual(faulty["argv"][0], "verify")
        self.assertEqual(faulty["argv"][2], "--report")
        self.assertEqual(faulty["argv"][4], "--ssh-config")
        self.assertEqual(faulty["argv"][6:], ["--depth", "quick"])
        self.assertEqual(sorted(faulty["folder"]), ["ssh", "topology.yaml"])
        plain = [re.sub(r"sp-demo-\d+", "sp-demo", call["topology"]) for call in (faulty, fixed)]
        self.assertEqual(plain[0], plain[1])
        own = {"PWD", "OLDPWD", "_", "SHLVL"}  # what a shell adds
        self.assertEqual(set(faulty["env"]) - set(self.env) - own, set())

    def test_not_found_or_too_much_or_unsure(self):
        good = expected(1)
        for answer in ({"code": 1, "report": report(good[1:])},
                       {"code": 1, "report": report(good + [good[0]._replace(ports="7")])},
                       {"code": 1, "report": report(good, inconclusive=2)},
                       {"code": 3, "report": report(good)},
                       {"code": 1},
                       {"code": 2, "report": "{"}):
            self.answers(answer)
            self.assertIn("NOT the planted ones", self.demo(code=1))

    def test_fixed(self):
        self.answers({"code": 0, "report": report([])})
        self.assertIn("nothing was found, as it must be", self.demo("--fixed"))
        self.answers({"code": 1, "report": report(expected(1)[:1])})
        self.assertIn("found, but not planted", self.demo("--fixed", code=1))

    def test_one_fault_and_its_repair(self):
        hit = {"code": 1, "report": report(expected(2, "reject"))}
        self.answers(hit, {"code": 0, "report": report([])})
        self.assertIn("repaired reject", self.demo("--seed", "2", "--fault", "reject", "--repair"))
        self.assertEqual(len(self.calls()), 2)
        self.answers({}, {}, hit, hit)  # still there after the repair
        self.demo("--seed", "2", "--fault", "reject", "--repair", code=1)

    def test_seeds_are_one_line_each(self):
        self.answers({"code": 1, "report": report(expected(1))},
                     {"code": 1, "report": report(expected(2))})
        lines = self.demo("--seeds", "1-2").strip().split("\n")
        self.assertEqual(len(lines), 2, lines)
        self.assertTrue(lines[0].startswith("seed 1: 15 faults"), lines)

    def test_seeds_fail_when_one_does(self):
        self.answers({"code": 1, "report": report(expected(1))})
        output = self.demo("--seeds", "1-2", code=1)
        self.assertIn("seed 2: 15 faults", output)
        self.assertIn("NOT what was found", output)
        self.assertEqual(output.count("the stand-in speaks"), 1, "of the bad seed only")

    def test_timeout(self):
        self.answers({"code": 1, "report": report(expected(1)), "sleep": 60})
        self.assertIn("within 1 seconds", self.demo("--timeout", "1", code=1))

    def test_signals_clean_up(self):
        self.answers({"code": 1, "sleep": 60})
        for number in (signal.SIGINT, signal.SIGTERM):
            before = len(self.calls())
            child = self.start()
            deadline = time.monotonic() + 20
            while len(self.calls()) == before and time.monotonic() < deadline:
                time.sleep(0.05)
            program = labs.identity(self.calls()[-1]["pid"])
            child.send_signal(number)
            output, _ = child.communicate(timeout=20)
            self.assertEqual(child.returncode, 128 + number, output)
            self.assertFalse(labs.is_alive(program), "segproof outlived the demo")
            self.assert_gone(child.pid)

    def test_keep_and_remove(self):
        child = self.start("--keep", "--no-verify", "--seed", "8")
        output, _ = child.communicate(timeout=60)
        try:
            self.assertEqual(child.returncode, 0, output)
            prefix = f"sp-demo-{child.pid}-"
            kept = [n for n in os.listdir(labs.NETNS_DIR) if n.startswith(prefix)]
            self.assertEqual(len(kept), 12)
            topology = re.search(r"Topology: (\S+)", output)[1]
            with open(topology, encoding="utf-8") as file:
                self.assertIn(prefix + "web-1", file.read())
            listening = subprocess.run(["ip", "netns", "exec", prefix + "web-1", "cat",
                                        "/proc/net/tcp6"], capture_output=True, text=True,
                                       check=True)
            self.assertIn(":01BB ", listening.stdout)
        finally:
            removed = subprocess.run([os.path.join(DEMO, "run"), "--remove"], env=self.env,
                                     capture_output=True, text=True, check=False)
        self.assertIn(f"removed sp-demo-{child.pid}", removed.stdout)
        self.assert_gone(child.pid)
        self.assertFalse(os.path.exists(topology))

    def test_usage(self):
        for args in (["--nonsense"], ["--seed", "x"], ["--seeds", "3-1"], ["--fault", "none"],
                     ["--repair"], ["--fixed", "--fault", "reject"], ["--keep", "--seeds", "1-2"],
                     ["--no-verify"], ["--selftest", "--", "-q"], ["stray"]):
            self.demo(*args, code=2)
        self.assertEqual(self.calls(), [])
        self.assertIn("exit status", self.demo("--help"))
        self.assertEqual(len(self.demo("--list-faults").strip().split("\n")), len(FAULTS))

    def test_without_the_program(self):
        self.env["SEGPROOF"] = "/nonexistent"
        self.assertIn("/nonexistent is not there", self.demo(code=2))


if __name__ == "__main__":
    unittest.main(verbosity=2)
