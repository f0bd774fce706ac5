# SPDX-License-Identifier: Apache-2.0
"""The evidence of real findings: every file is read by tshark and tcpdump without complaint, and
holds exactly the packets of both ends that the finding speaks of.

Run: python3 tests/netns/test_evidence.py (root; says skipped where the machine cannot do it)."""
import collections
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, PROBE, SEGPROOF, Case, World, has_port  # noqa: E402
from test_rows import PROXY, start_proxy  # noqa: E402

SIGNED = ["manifest.jsonl", "manifest.pub", "manifest.sig", "topology.yaml"]
FIELDS = ("frame.comment", "frame.interface_name", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst",
          "tcp.srcport", "udp.srcport", "tcp.dstport", "udp.dstport", "tcp.seq_raw", "udp.payload",
          "frame.time_epoch", "frame.packet_flags_direction", "tcp.flags", "ip.proto",
          "ipv6.nxt", "_ws.malformed")
Packet = collections.namedtuple("Packet", "words iface src dst sport dport tag time out flags proto")
RECORD, WANT, BATCH, KEEP_AT = 96, 21, 7, 68  # of the wire protocol

POLICIES = [
    "name: ok, from: a, to: b, allow: [tcp/80, udp/80]",
    "name: shut, from: a, to: b, deny: [tcp/2001, udp/2001]",
    "name: proxy, from: a, to: b, deny: [tcp/2005]",
    "name: astray, from: a, to: b, deny: [tcp/2002]",
    *[f"name: a{port}, from: a, to: b, allow: [tcp/{port}, udp/{port}]"
      for port in (3008, 3010, 3011, 3013, 3112)],
    "name: ok-c, from: a, to: c, allow: [tcp/80, udp/80]",
    "name: refused, from: a, to: b, allow: [tcp/3210]",
]


# A probe that keeps a copy of what it is told.
TEE = """#!{python}
import os, select, subprocess, sys
probe = subprocess.Popen([{probe!r}, *sys.argv[1:]], stdin=subprocess.PIPE, bufsize=0)
with open(f"{folder}/{{os.getpid()}}", "wb", buffering=0) as copy:
    while select.select([0], [], []) and (data := os.read(0, 65536)):
        copy.write(data)
        probe.stdin.write(data)
probe.stdin.close()
sys.exit(probe.wait())
"""


def both(ports):
    return f"meta l4proto {{ tcp, udp }} th dport {{ {ports} }}"


def read_file(case, path):
    """The packets of a file as tshark sees them; fails on any complaint of tshark or tcpdump."""
    # Our payload means nothing to the protocols that usually live on a port.
    argv = ["tshark", "-n", "-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data", "-r",
            path, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f"]
    for field in FIELDS:
        argv += ["-e", field]
    shown = subprocess.run(argv, capture_output=True, text=True, check=False)
    dumped = subprocess.run(["tcpdump", "-nn", "-r", path], capture_output=True, text=True,
                            check=False)
    for done in (shown, dumped):
        case.assertEqual(done.returncode, 0, f"{path}: {done.stderr}")
        case.assertNotRegex((done.stdout + done.stderr).lower(),
                            r"malformed|cut short|truncated|damaged|corrupt|unknown block|bad option",
                            path)
    packets = []
    for line in shown.stdout.splitlines():
        at = dict(zip(FIELDS, line.split("\t")))
        case.assertEqual(at["_ws.malformed"], "", line)
        words = dict(word.partition("=")[::2] for word in shlex.split(at["frame.comment"]))
        packets.append(Packet(
            words, at["frame.interface_name"], at["ip.src"] or at["ipv6.src"],
            at["ip.dst"] or at["ipv6.dst"], at["tcp.srcport"] or at["udp.srcport"],
            at["tcp.dstport"] or at["udp.dstport"], at["tcp.seq_raw"] or at["udp.payload"],
            float(at["frame.time_epoch"]), at["frame.packet_flags_direction"], at["tcp.flags"],
            int(at["ip.proto"] or at["ipv6.nxt"])))
    lines = [line for line in dumped.stdout.splitlines() if re.match(r"\d\d:\d\d:\d\d", line)]
    case.assertEqual(len(lines), len(packets), f"{path}: tcpdump sees another number of packets")
    return packets


class Evidence(Case):
    """One run with a finding of every kind."""

    @classmethod
    def build(cls):
        return World("evid", {"left": ["a"], "right": ["b", "c"]})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not shutil.which("tshark") or not shutil.which("tcpdump"):
            raise unittest.SkipTest("no tshark or no tcpdump")
        world = cls.world
        nat = "\n".join(
            f"  {kind} daddr {world.address('b', family)} {both('2002, 3008')} "
            f"dnat {kind} to {world.address('c', family)}"
            for family, kind in (("ipv4", "ip"), ("ipv6", "ip6")))
        world.lab.nft(FW, f"""table inet evid {{
 chain pre {{
  type nat hook prerouting priority dstnat; policy accept;
{nat}
  tcp dport 2005 redirect to :{PROXY}
 }}
 chain through {{
  type filter hook forward priority 0; policy drop;
  meta l4proto {{ tcp, udp }} th sport 3112 drop
  ct state established,related accept
  {both("80, 2001, 2002, 3008, 3011, 3112, 3210")} accept
  ip version 4 {both(3013)} numgen inc mod 3 != 0 accept
  meta nfproto ipv6 {both(3013)} numgen inc mod 3 != 0 accept
 }}
}}
""")
        world.lab.nft("a", "table inet own {\n chain out {\n  type filter hook output priority 0;\n"
                           f"  {both(3210)} drop\n }}\n}}\n")
        world.lab.nft("b", "table inet own {\n chain in {\n  type filter hook input priority 0;\n"
                           f"  {both(3011)} drop\n }}\n}}\n")
        start_proxy(world)
        cls.topology = world.topology(POLICIES)
        cls.dir = os.path.join(world.lab.dir, "evidence")
        cls.run_ = world.verify(cls.topology, "--from", "a", "--evidence", cls.dir)
        cls.files = {}

    def setUp(self):
        self.assertEqual(self.run_.code, 1, self.run_.err)

    def finding(self, port, proto="tcp", family="ipv4"):
        found = [f for f in self.run_.data["findings"]
                 if f["protocol"] == proto and f["family"] == family and has_port(f["ports"], port)]
        self.assertEqual(len(found), 1, (port, proto, family, self.run_.out))
        return found[0]

    def packets(self, finding):
        """The packets of a finding's file: each must say what it is, and be it."""
        name = finding["evidence"]
        self.assertRegex(name or "", rf"^{finding['verdict']}-[0-9]+\.pcapng$")
        if name not in self.files:
            self.files[name] = read_file(self, os.path.join(self.dir, name))
        packets = self.files[name]
        self.assertTrue(packets, name)
        self.assertEqual([p.time for p in packets], sorted(p.time for p in packets), name)
        run = self.run_.data["run"]
        for p in packets:
            told = f"{name}: {p}"
            words = p.words
            self.assertEqual(words["check"], finding["id"], told)
            self.assertEqual(words["run"], run["id"], told)
            self.assertEqual(words["verdict"], finding["verdict"], told)
            self.assertEqual(words["expected"], finding["expected"], told)
            self.assertEqual(words["rule"], finding["policy"], told)
            self.assertEqual((words["from"], words["to"]), (finding["from"], finding["to"]), told)
            self.assertEqual(p.iface, words["host"] + ":eth0", told)
            role = words["control"] if words["role"] == "control" else words["role"]
            ours = self.world.address(words["host"], finding["family"])
            leaving = role in ("sent", "reply")
            self.assertEqual(p.src if leaving else p.dst, ours, told)
            self.assertEqual(p.out, "0x00000002" if leaving else "0x00000001", told)
            port = words["flow"].split("/")[1]
            if words["role"] != "control" and words["role"] not in ("answer", "reply", "stray"):
                self.assertEqual(p.dport, port, told)
            if (words["role"] in ("sent", "seen-at", "stray") and finding["protocol"] == "tcp"
                    and finding["verdict"] != "proxied"):  # there it is a whole conversation
                self.assertEqual(int(p.flags, 16) & 0x12, 0x02, told)  # SYN, no ACK
            if words["role"] == "control":
                self.assertIn(p.dport if role in ("sent", "seen-at") else p.sport, ("80", p.sport),
                              told)
        return packets

    @staticmethod
    def of(packets, role):
        return [p for p in packets if p.words["role"] == role]

    def crossed(self, packets, role="seen-at"):
        """Every packet that came is one that left, tag and all. Returns how many came."""
        sent = {(p.words["batch"], p.words["attempt"], p.words["flow"]): p.tag
                for p in self.of(packets, "sent")}
        came = self.of(packets, role)
        for p in came:
            key = (p.words["batch"], p.words["attempt"], p.words["flow"])
            self.assertEqual(sent.get(key), p.tag, p)
        self.assertEqual(len({p.tag for p in came}), len(came), "a packet is told twice")
        return len(came)

    @staticmethod
    def each():
        for proto in ("tcp", "udp"):
            for family in FAMILIES:
                yield proto, family

    def test_a_leak_shows_the_same_packet_at_both_ends(self):
        for proto, family in self.each():
            packets = self.packets(self.finding(2001, proto, family))
            self.assertGreaterEqual(self.crossed(packets), 1)
            self.assertEqual(self.of(packets, "control"), [], "arrival is its own proof")
            self.assertEqual({p.words["host"] for p in packets}, {"a", "b"})

    def test_a_leak_of_tcp_shows_the_answer_at_both_ends(self):
        packets = self.packets(self.finding(2001))
        self.assertTrue(self.of(packets, "reply"))
        self.assertEqual(sorted(p.tag for p in self.of(packets, "answer")),
                         sorted(p.tag for p in self.of(packets, "reply")))

    def test_a_blocked_flow_shows_what_left_and_the_controls_that_arrived(self):
        for proto, family in self.each():
            packets = self.packets(self.finding(3010, proto, family))
            self.assertTrue(self.of(packets, "sent"))
            self.assertEqual(self.of(packets, "seen-at"), [])
            controls = self.of(packets, "control")
            came = [p.tag for p in controls if p.words["control"] == "seen-at"]
            left = [p.tag for p in controls if p.words["control"] == "sent"]
            self.assertEqual(sorted(came), sorted(left))
            self.assertGreaterEqual(len(came), 2, "one before and one behind")
            times = [p.time for p in self.of(packets, "sent")]
            around = [p.time for p in controls if p.words["control"] == "sent"]
            self.assertTrue(min(around) < min(times) and max(around) > min(times))

    def test_a_blocked_way_back_shows_the_answer_leaving_and_not_coming(self):
        for proto, family in self.each():
            finding = self.finding(3112, proto, family)
            self.assertEqual(finding["verdict"], "return_blocked")
            packets = self.packets(finding)
            self.assertGreaterEqual(self.crossed(packets), 1)
            number = {"tcp": 6, "udp": 17}[proto]
            self.assertIn(number, {p.proto for p in self.of(packets, "reply")})
            # an ICMP error passes the firewall as related, and is no reply
            self.assertNotIn(number, {p.proto for p in self.of(packets, "answer")})

    def test_host_filtered_shows_the_packet_at_the_interface(self):
        for proto, family in self.each():
            finding = self.finding(3011, proto, family)
            self.assertEqual(finding["verdict"], "host_filtered")
            self.assertGreaterEqual(self.crossed(self.packets(finding)), 1)

    def test_misdelivered_shows_the_packet_at_the_wrong_host(self):
        for proto, family in self.each():
            finding = self.finding(3008, proto, family)
            self.assertEqual(finding["verdict"], "misdelivered")
            packets = self.packets(finding)
            self.assertGreaterEqual(self.crossed(packets, "stray"), 1)
            self.assertEqual({p.words["host"] for p in self.of(packets, "stray")}, {"c"})
            self.assertEqual(self.of(packets, "seen-at"), [])

    def test_who_answers_for_the_host_is_shown(self):
        for family in FAMILIES:
            finding = self.finding(2005, "tcp", family)
            self.assertEqual(finding["verdict"], "proxied")
            packets = self.packets(finding)
            self.assertEqual(self.of(packets, "seen-at"), [])
            kinds = {(p.words["role"], int(p.flags, 16) & 0x12) for p in packets}
            self.assertLessEqual({("sent", 0x02), ("answer", 0x12)}, kinds)
            self.assertTrue([p for p in self.of(packets, "control")
                             if p.words["control"] == "seen-at"])

    def test_a_leak_to_another_host_shows_it_there(self):
        for family in FAMILIES:
            finding = self.finding(2002, "tcp", family)
            self.assertEqual((finding["verdict"], finding["where"]), ("leak", "c"))
            self.assertGreaterEqual(self.crossed(self.packets(finding), "stray"), 1)

    def test_partial_shows_lost_attempts_and_one_that_came(self):
        for proto, family in self.each():
            finding = self.finding(3013, proto, family)
            self.assertEqual(finding["verdict"], "partial")
            packets = self.packets(finding)
            came = self.crossed(packets)
            self.assertGreaterEqual(came, 1)
            self.assertGreater(len(self.of(packets, "sent")), came)

    def test_without_a_packet_there_is_no_file_and_a_reason(self):
        for family in FAMILIES:
            finding = self.finding(3210, "tcp", family)
            self.assertEqual(finding["verdict"], "blocked")
            self.assertIsNone(finding["evidence"])
        self.assertRegex(self.run_.out, r"evidence +none: the sender's own firewall")

    def test_every_named_file_is_there_and_no_other(self):
        named = [f["evidence"] for f in self.run_.data["findings"] if f["evidence"]]
        self.assertEqual(len(named), len(set(named)))
        self.assertEqual(sorted(named + SIGNED), sorted(os.listdir(self.dir)))
        for name in named:
            self.assertIn(name, self.run_.out)

    def test_the_section_says_where_it_comes_from(self):
        name = self.finding(2001)["evidence"]
        shown = subprocess.run(["capinfos", os.path.join(self.dir, name)], capture_output=True,
                               text=True, check=True).stdout
        for word in (self.run_.data["run"]["topology_sha256"], self.run_.data["run"]["id"],
                     "segproof", "Raw IP", "nanoseconds", "a:eth0", "b:eth0"):
            self.assertIn(word, shown)

    def test_a_folder_with_evidence_is_refused_before_anything_is_sent(self):
        before = {name: os.stat(os.path.join(self.dir, name)).st_mtime_ns
                  for name in os.listdir(self.dir)}
        run = self.world.verify(self.topology, "--evidence", self.dir)
        self.assertEqual(run.code, 2)
        self.assertRegex(run.err, r"--evidence: .*holds the evidence of a run already")
        self.assertNotIn("starting", run.err)
        self.assertEqual(before, {name: os.stat(os.path.join(self.dir, name)).st_mtime_ns
                                  for name in os.listdir(self.dir)})

    def test_bad_folders_are_refused(self):
        path = os.path.join(self.world.lab.dir, "file")
        with open(path, "w", encoding="utf-8") as file:
            file.write("x")
        for where, why in ((path, "is a file"), (os.path.join(path, "x"), "Not a directory"),
                           (os.path.join(self.world.lab.dir, "no", "where"), "make it first"),
                           ("", "name a folder"), ("/proc/evidence", r"cannot be written"),
                           ("x" * 5000, "too long")):
            run = self.world.verify(self.topology, "--evidence", where)
            self.assertEqual(run.code, 2, where[:40] + run.err)
            self.assertRegex(run.err, why)
            self.assertNotIn("starting", run.err)

    def test_other_files_in_the_folder_are_left_alone(self):
        folder = os.path.join(self.world.lab.dir, "shared")
        os.mkdir(folder)
        for name in ("notes.txt", "leak-1.pcapng.bak", "other.pcapng"):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(name)
        run = self.world.verify(self.topology, "--from", "a", "--to", "b", "--only", "udp",
                                "--evidence", folder)
        self.assertEqual(run.code, 1, run.err)
        for name in ("notes.txt", "leak-1.pcapng.bak", "other.pcapng"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                self.assertEqual(file.read(), name)
        self.assertIn("leak-1.pcapng", os.listdir(folder))

    def test_a_full_disk_is_said_and_leaves_no_half_file(self):
        folder = os.path.join(self.world.lab.dir, "full")
        os.mkdir(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", folder], check=True)
        try:
            run = self.world.verify(self.topology, "--from", "a", "--evidence", folder)
            self.assertEqual(run.code, 2)
            self.assertRegex(run.err, r"evidence could not be written: .*No space left")
            left = os.listdir(folder)
            named = [f["evidence"] for f in run.data["findings"] if f["evidence"]]
            self.assertEqual(sorted(left), sorted(named), "and nothing says that it is whole")
            for name in left:
                read_file(self, os.path.join(folder, name))
        finally:
            subprocess.run(["umount", folder], check=True)

    def test_an_interrupted_run_writes_what_it_found(self):
        folder = os.path.join(self.world.lab.dir, "interrupted")
        running = self.world.start(self.topology, "--from", "a", "--evidence", folder)
        running.wait_for("allowed flows")
        running.child.send_signal(signal.SIGINT)
        run = running.finish()
        self.assertEqual(run.code, 130, run.err)
        named = [f["evidence"] for f in run.data["findings"] if f["evidence"]]
        self.assertTrue([n for n in named if n.startswith("leak-")], run.out)
        self.assertEqual(sorted(named + SIGNED), sorted(os.listdir(folder)))
        for name in named:
            read_file(self, os.path.join(folder, name))

    def records(self, *options):
        """What the controller said to the probes in a run: record types, and the memory that each
        batch asked them for."""
        folder = os.path.join(self.world.lab.dir, "records")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        wrapper = os.path.join(self.world.lab.dir, "probe")
        with open(wrapper, "w", encoding="utf-8") as file:
            file.write(TEE.format(python=sys.executable, probe=PROBE, folder=folder))
        os.chmod(wrapper, 0o755)
        path = self.world.write(self.topology, "records.yaml")
        key, _, value = self.world.mark.partition("=")
        done = subprocess.run([SEGPROOF, "verify", path, "--probe", wrapper, "--state",
                               os.path.join(self.world.lab.dir, "state"), "--depth", "quick",
                               "--from", "a", "--to", "b", "--only", "udp", *options],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, key: value})
        self.assertEqual(done.returncode, 1, done.stderr + done.stdout)
        types, keeps = collections.Counter(), set()
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            for at in range(0, len(data) - RECORD + 1, RECORD):
                types[data[at]] += 1
                if data[at] == BATCH:
                    keeps.add(int.from_bytes(data[at + KEEP_AT:at + KEEP_AT + 4], "big"))
        return types, keeps

    def test_a_run_without_evidence_asks_for_nothing(self):
        types, keeps = self.records()
        self.assertGreater(types[BATCH], 0)
        self.assertEqual((types[WANT], keeps), (0, {0}))
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(os.path.join(self.world.lab.dir, "asked"))
        types, keeps = self.records("--evidence", os.path.join(self.world.lab.dir, "asked"))
        self.assertGreater(types[WANT], 0)
        self.assertNotIn(0, keeps)

    def test_the_report_without_evidence_names_no_file(self):
        run = self.world.verify(self.topology, "--from", "a", "--to", "b", "--only", "udp")
        self.assertEqual({f["evidence"] for f in run.data["findings"]}, {None})
        self.assertNotRegex(run.out, r"(?m)^ +evidence ")
        json.dumps(run.data)


if __name__ == "__main__":
    unittest.main()
