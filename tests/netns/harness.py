# SPDX-License-Identifier: Apache-2.0
"""What the tests with real packets share: small networks behind a real firewall, runs of the real
segproof, and reading its report flow by flow.

    class MyTest(Case):
        def build(self): self.world = World("t", {"left": ["a"], "right": ["b"]}) ...

Every case ends with a look for processes: nothing of segproof may be left. SEGPROOF and
SEGPROOF_PROBE name the programs; without them build/release/bin is taken."""
import atexit
import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

import lab as labs  # noqa: E402 (found through the line above)
from lab import Lab  # noqa: E402

BIN = os.path.join(ROOT, "build", "release", "bin")
SEGPROOF = os.environ.get("SEGPROOF") or os.path.join(BIN, "segproof")
PROBE = os.environ.get("SEGPROOF_PROBE") or os.path.join(os.path.dirname(SEGPROOF),
                                                         "segproof-probe")
FAMILIES = ("ipv4", "ipv6")
MARK = "SEGPROOF_TEST_LAB"  # in the environment of every program that a test starts
FW = "fw"

# One tested port as the report tells it. row, by and control are None where it does not.
Fact = collections.namedtuple("Fact", "verdict row by control reason attempts delivered is_note "
                                      "where receiver sender")


def missing():
    """Why these tests cannot run here, or None."""
    if labs.missing():
        return labs.missing()
    for path in (SEGPROOF, PROBE):
        if not os.access(path, os.X_OK):
            return f"{path} is not built"
    return None


# ---- processes ---------------------------------------------------------------------------------

Process = collections.namedtuple("Process", "pid ppid role state netns")


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _is_program(pid, program):
    """By its file; by its name if the file is gone. (A path may read otherwise in a chroot.)"""
    exe = f"/proc/{pid}/exe"
    with contextlib.suppress(OSError):
        if os.path.samefile(exe, program):
            return True
    return os.readlink(exe).removesuffix(" (deleted)") == os.path.realpath(program)


def _look_at(pid, mark):
    """The Process if it is segproof or its probe and carries the mark, else None."""
    exe = next((program for program in (SEGPROOF, PROBE) if _is_program(pid, program)), None)
    if exe is None:
        return None
    if mark.encode() not in _read(f"/proc/{pid}/environ").split(b"\0"):
        return None
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    args = _read(f"/proc/{pid}/cmdline").decode(errors="replace").split("\0")
    role = "segproof" if exe == SEGPROOF else "parent"
    for arg in args:
        role = arg.partition("=")[2] if arg.startswith("--role=") else role
    return Process(int(pid), int(fields[1]), role, fields[0].decode(),
                   os.stat(f"/proc/{pid}/ns/net").st_ino)


def processes(mark):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            process = _look_at(pid, mark)
            if process:
                found.append(process)
    return found


def wait_until(check, seconds):
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# ---- reading a report --------------------------------------------------------------------------

def has_port(text, port):
    """Whether "1-21,443" or "echo" contains a port."""
    for part in (text or "").replace(" ", "").split(","):
        low, _, high = part.partition("-")
        if part == str(port):
            return True
        if low.isdigit() and str(port).isdigit() and int(low) <= int(port) <= int(high or low):
            return True
    return False


class Run:
    """A finished run: exit code, what it said, its report (None when there is none)."""

    def __init__(self, code, out, err, data, seconds):
        self.code, self.out, self.err, self.data, self.seconds = code, out, err, data, seconds

    @property
    def summary(self):
        return self.data["summary"]

    def _flows(self, key, flow, port):
        source, target, family, proto = flow
        return [item for item in self.data[key]
                if (item.get("from"), item.get("to"), item.get("family"),
                    item.get("protocol")) == (source, target, family, proto)
                and (port is None or has_port(item.get("ports"), port))]

    def pair(self, *flow):
        rows = self._flows("pairs", flow, None)
        return rows[0] if rows else None

    def fact(self, source, target, family, proto, port):
        """What the report says of one tested port; verdict "absent" when it says nothing."""
        flow = (source, target, family, proto)
        for key in ("findings", "notes"):
            for item in self._flows(key, flow, port):
                seen = item["observed"]
                return Fact(item["verdict"], item["row"], item["by"], item["control"], None,
                            item["attempts"], item["delivered"], key == "notes", item["where"],
                            seen["receiver"], seen["sender"])
        for item in self._flows("inconclusive", flow, port):
            return Fact("inconclusive", None, None, None, item["reason"], 0, 0, False, None, None,
                        None)
        pair = self.pair(*flow)
        if not pair:
            return Fact("absent", *[None] * 10)
        if has_port(pair["tested"], port):
            return Fact("holds", None, None, pair["control"], None, 0,
                        int(has_port(pair["delivered"], port)), False, None, None, None)
        if not has_port(pair["allowed"] + "," + pair["denied"] + "," + pair["permitted"], port):
            return Fact("absent", *[None] * 10)
        for item in self.data["inconclusive"]:  # told once for the host at fault
            if item.get("host") in (source, target) and pair["inconclusive"]:
                return Fact("inconclusive", None, None, None, item["reason"], 0, 0, False,
                            item["host"], None, None)
        told = pair["holds"] + pair["failed"] + pair["inconclusive"]
        return Fact("not_observable" if pair["tests"] > told else "absent", *[None] * 10)

    def untested(self, host=None):
        return [item["reason"] for item in self.data["not_tested"]
                if host is None or item["host"] == host]


class Running:
    """segproof in the background; its lines on standard error can be waited for."""

    def __init__(self, argv, report, env):
        self.report, self.started = report, time.monotonic()
        self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, env=env,
                                      start_new_session=True)
        self.lines, self.out = [], []
        self.readers = [threading.Thread(target=self._read, args=where, daemon=True)
                        for where in ((self.child.stderr, self.lines),
                                      (self.child.stdout, self.out))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, into):
        with stream:
            for line in stream:
                into.append(line)

    def wait_for(self, stage, seconds=20):
        """Until the run says that it has come to a stage."""
        there = wait_until(lambda: any(stage in line for line in list(self.lines))
                           or self.child.poll() is not None, seconds)
        if not there or self.child.poll() is not None:
            raise AssertionError(f"the run never came to '{stage}': {''.join(self.lines)}")

    def finish(self, seconds=90):
        try:
            code = self.child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise AssertionError(f"still running after {seconds} s: {''.join(self.lines)}")
        for reader in self.readers:
            reader.join(timeout=5)
        data = None
        with contextlib.suppress(OSError):
            with open(self.report, encoding="utf-8") as file:
                data = json.load(file)
        return Run(code, "".join(self.out), "".join(self.lines), data,
                   time.monotonic() - self.started)


# ---- a network and its topology ------------------------------------------------------------------

class World:
    """Segments of hosts around one firewall namespace, which forwards between bridges.

    World("rows", {"left": ["a"], "right": ["b", "c"]}): addresses are 10.60.N.M and fd00:60:N::M
    with N counted over the segments and M over all hosts; the firewall is .1 (.254 of 10.60.N.0/24
    is free). Unless a test says otherwise every host has a probe."""

    def __init__(self, prefix, segments):
        self.lab = Lab("sp-" + prefix)
        self.mark = f"{MARK}={self.lab.prefix}"
        self.segments = segments
        self.v4, self.v6, self.probes, self.addresses = {}, {}, {}, {}
        self.net4, self.net6 = {}, {}
        self.lab.add_ns(FW, router=True)
        self.lab.sysctl(FW, **{"net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0,
                               "net.bridge.bridge-nf-call-iptables": 0,
                               "net.bridge.bridge-nf-call-ip6tables": 0})
        number = 10
        for n, (segment, hosts) in enumerate(segments.items(), 1):
            self.net4[segment], self.net6[segment] = f"10.60.{n}", f"fd00:60:{n}"
            for host in hosts:
                number += 1
                self._add_host(host, segment, number)
            self.lab.bridge(FW, segment, *hosts)
            self.lab.addr(FW, segment, f"{self.net4[segment]}.1/24", f"{self.net6[segment]}::1/64")

    def _add_host(self, host, segment, number):
        v4, v6 = self.net4[segment], self.net6[segment]
        self.v4[host], self.v6[host] = f"{v4}.{number}", f"{v6}::{number:x}"
        self.probes[host] = f"{{ via: netns, name: {self.lab.ns(host)} }}"
        self.addresses[host] = f'[{self.v4[host]}, "{self.v6[host]}"]'
        self.lab.add_ns(host)
        self.lab.sysctl(host, **{"net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0})
        self.lab.veth(host, "eth0", FW, host)
        self.lab.addr(host, "eth0", f"{self.v4[host]}/24", f"{self.v6[host]}/64")
        self.lab.route(host, f"default via {v4}.1", f"default via {v6}::1")

    def address(self, host, family):
        return (self.v4 if family == "ipv4" else self.v6)[host]

    def topology(self, policies, limits="max_rate: 2000", more="", name=None):
        """The YAML text. policies: lines such as `from: a, to: b, allow: tcp/80`."""
        out = ["segproof: 1", f"name: {name or self.lab.prefix}", "networks:"]
        for segment in self.segments:
            out.append(f'  {segment}: {{ kind: subnet, cidr: [{self.net4[segment]}.0/24, '
                       f'"{self.net6[segment]}::/64"] }}')
        out.append("hosts:")
        for segment, hosts in self.segments.items():
            out += [f"  {host}: {{ network: {segment}, address: {self.addresses[host]}, "
                    f"probe: {self.probes[host]} }}" for host in hosts]
        out.append("policies:")
        out += [f"  - {{ {line} }}" for line in policies]
        return "\n".join(out) + f"\nlimits: {{ {limits} }}\n{more}"

    def write(self, text, name="topology.yaml"):
        """Whole at once: a run that was started a moment ago may be reading it."""
        path = os.path.join(self.lab.dir, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)
        return path

    def start(self, topology, *options, wrap=(), report=None, depth="quick"):
        """Starts verify on a topology (its text); quick depth unless an option says otherwise. What
        outlives the run is kept in the lab."""
        path = self.write(topology)
        report = report or os.path.join(self.lab.dir, "report.json")
        with contextlib.suppress(OSError):
            os.unlink(report)
        argv = [*wrap, SEGPROOF, "verify", path, "--report", f"json={report}", "--probe", PROBE,
                "--state", os.path.join(self.lab.dir, "state"),
                *(["--depth", depth] if depth else []), *options]
        key, _, value = self.mark.partition("=")
        self.lab.commit()
        home = os.path.join(self.lab.dir, "home")
        return Running(argv, report, {**os.environ, "XDG_STATE_HOME": home, key: value})

    def verify(self, topology, *options, **how):
        return self.start(topology, *options, **how).finish()

    def processes(self, host=None, role=None):
        """Programs of segproof started from here: (pid, ppid, role, state, network namespace)."""
        inode = os.stat(f"/run/netns/{self.lab.ns(host)}").st_ino if host else None
        return [p for p in processes(self.mark)
                if (host is None or p.netns == inode) and role in (None, p.role)]

    def probe_pids(self, host, role=None):
        return [p.pid for p in self.processes(host, role) if p.role != "segproof"]


def kill(pids, number=signal.SIGKILL):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


# ---- cases ----------------------------------------------------------------------------------------

class Case(unittest.TestCase):
    """One world for all tests of a class. build() makes it; shared state must be put back."""

    world = None

    @classmethod
    def build(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        if missing():
            raise unittest.SkipTest(missing())
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.world = cls.build()
        stack.enter_context(cls.world.lab)
        cls.world.lab.commit()

    def tearDown(self):
        gone = wait_until(lambda: not self.world.processes(), 3)
        left = self.world.processes()
        kill([p.pid for p in left], signal.SIGCONT)
        kill([p.pid for p in left])
        self.assertTrue(gone, f"segproof left processes behind: {left}")

    def check(self, run, flow, verdict, row=None, by=None, control=None, reason=None, note=False):
        """One flow ("a", "b", "ipv4", "tcp", 80) must have got this verdict."""
        fact = run.fact(*flow)
        name = "{} -> {} {} {}/{}".format(*flow)
        told = f"{name}: {fact}\n{run.err}{run.out}"
        self.assertEqual(fact.verdict, verdict, told)
        self.assertEqual(fact.is_note or False, note, told)
        if row is not None and fact.row is not None:
            self.assertEqual(fact.row, row, told)
        if by is not None and fact.by is not None:
            self.assertEqual(fact.by, by, told)
        if control is not None and fact.control is not None:
            self.assertIn(fact.control, (control,) if isinstance(control, str) else control, told)
        if reason is not None:
            self.assertRegex(fact.reason, reason, told)
        if row is not None:
            count(row, flow[2])
        return fact


# ---- the table of rows reached --------------------------------------------------------------------

_rows = collections.Counter()


def count(row, family):
    _rows[(row, family)] += 1


def rows_text(rows):
    """Cases per row of the verdict table and family, one line each."""
    lines = ["row   " + "".join(f"{family:>6}" for family in FAMILIES)]
    for row in sorted({row for row, _ in rows}):
        lines.append(f"{row:>3}   " + "".join(f"{rows[(row, family)]:>6}" for family in FAMILIES))
    return "\n".join(lines)


def _save_rows():
    """For tests/netns/run, which adds up what its workers reached."""
    path = os.environ.get("SEGPROOF_TEST_ROWS")
    if path and _rows:
        with tempfile.NamedTemporaryFile("w", dir=path, suffix=".json", delete=False) as file:
            json.dump([[row, family, n] for (row, family), n in _rows.items()], file)
    elif _rows:
        print(rows_text(_rows))


atexit.register(_save_rows)
