# SPDX-License-Identifier: Apache-2.0
"""The laboratory of the sweep's benchmarks: two hosts, or a fleet, each behind its own cable of one
firewall, both families; what the path takes from a bare blaster (blast.c); runs of segproof with the
times of their stages.

    with Lab("sp-bench") as lab:
        pair = Hosts(lab, ["a", "b"])
        lab.nft(FW, sweeping.firewall())
        print(pair.blast("a", "b", "tcp", 65535))
        run = pair.verify(pair.topology(["a", "b"]), "--from", "a", "--to", "b")

Needs root. Everything ends with the Lab."""
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import lab as labs  # noqa: E402
import sweeping  # noqa: E402
from lab import Lab  # noqa: E402,F401 (for those who import this)
from bench_probe import descendants, memory  # noqa: E402

FW = "fw"
FAMILIES = ("ipv4", "ipv6")
MAX_RATE = 10_000_000  # as fast as possible
STAGE = re.compile(r"^segproof: (.*?), (\d+\.\d\d) s$")


class Run:
    """A finished verify. times: {stage line: when it was said, seconds since the start}; stages:
    {stage: its own seconds, as -v tells them}; report: the JSON, or None; peaks: PSS in KiB."""

    def __init__(self, code, seconds, lines, report, peaks):
        self.code, self.seconds, self.lines, self.report = code, seconds, lines, report
        self.peak_probe, self.peak_controller = peaks
        self.stages = {}
        for _, line in lines:
            found = STAGE.match(line.strip())
            if found:
                self.stages[found.group(1)] = float(found.group(2))

    @property
    def ready(self):
        """Seconds from the start until all probes were up: when the first stage was over."""
        for when, line in self.lines:
            found = STAGE.match(line.strip())
            if found and found.group(1).startswith("starting probes"):
                return when
        return 0.0

    @property
    def since_ready(self):
        return self.seconds - self.ready

    # ---- its report: "sweeps" tells how each sweep went ------------------------------------------
    def sweeps(self, protocol=None):
        return [sweep for sweep in (self.report or {}).get("sweeps", [])
                if protocol in (None, sweep.get("protocol"))]

    def total(self, key, protocol=None):
        return sum(sweep.get(key) or 0 for sweep in self.sweeps(protocol))

    def sending(self, protocol=None):
        """Seconds that were spent sending, all passes together."""
        return self.total("sent_ms", protocol) / 1e3

    def sending_pps(self, protocol=None):
        """Packets a second while it was sending; controls are not counted."""
        return self.total("packets", protocol) / max(self.sending(protocol), 1e-3)

    def passes(self):
        return min([sweep.get("passes") or 0 for sweep in self.sweeps()], default=0)

    def verdicts(self, protocol="tcp", family="ipv4", source="a", target="b"):
        """{verdict: set of ports} of one flow, and "delivered"."""
        return sweeping.verdicts(self.report, (source, target, family, protocol), sweeping.ALL_PORTS)


class Count:
    """What a scanner's report gets right and wrong, beside the truth: open ports, and the ones it
    may use. found: open ports it shows to be open; false: ports it shows wrongly, either way."""

    def __init__(self, run, is_open, **flow):
        told = run.verdicts(**flow)
        self.unsure = len(told.get("inconclusive", ())) + len(told.get("absent", ()))
        shown = told.get("leak", set()) | told.get("delivered", set())
        closed = (told.get("holds", set()) - told.get("delivered", set())) | told.get("blocked", set())
        self.found = len(shown & is_open)
        self.false = len(shown - is_open) + len(closed & is_open)


class Sampler(threading.Thread):
    """The most memory that a verify and each of its probes took, looked at every second:
    (largest probe, controller), KiB of PSS. Looking costs time, so timed runs go without."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peaks, self.over = pid, (0, 0), threading.Event()

    def run(self):
        while not self.over.wait(1.0):
            pids = descendants(self.pid)
            controller = memory(pids[:1])
            probes = [memory(three) for three in map(descendants, pids[1:]) if len(three) == 3]
            self.peaks = (max([self.peaks[0], *[one[0] for one in probes if one]]),
                          max(self.peaks[1], controller[0] if controller else 0))


class Hosts:
    """Hosts around a firewall: host number i is 10.9.i.2 and fd00:9:i::2 behind its cable "port<i>"
    of the firewall."""

    def __init__(self, lab, names, bin_dir=None):
        self.lab, self.names = lab, list(names)
        self.bin = bin_dir or os.path.join(ROOT, "build", "release", "bin")
        self.runs = 0
        lab.add_ns(FW, router=True)
        for i, host in enumerate(self.names, 1):
            lab.add_ns(host)
            lab.veth(host, "eth0", FW, f"port{i}")
            lab.addr(host, "eth0", f"{self.v4(host)}/24", f"{self.v6(host)}/64")
            lab.addr(FW, f"port{i}", f"10.9.{i}.1/24", f"fd00:9:{i}::1/64")
            lab.route(host, f"default via 10.9.{i}.1", f"default via fd00:9:{i}::1")
        lab.commit()

    def number(self, host):
        return self.names.index(host) + 1

    def v4(self, host):
        return f"10.9.{self.number(host)}.2"

    def v6(self, host):
        return f"fd00:9:{self.number(host)}::2"

    def address(self, host, family):
        return (self.v4 if family == "ipv4" else self.v6)(host)

    # ---- topologies -----------------------------------------------------------------------------
    def topology(self, policies=None, families=FAMILIES, limits=f"max_rate: {MAX_RATE}", more=""):
        """Everybody may use the services of everybody, and nothing else, unless policies (lines)
        say otherwise."""
        services = (sweeping.entries(sweeping.TCP_OPEN, "tcp") + ", "
                    + sweeping.entries(sweeping.UDP_OPEN, "udp"))
        policies = policies or [f"name: services, from: any, to: any, allow: [{services}]"]
        out = ["segproof: 1", "name: bench", "networks:"]
        for i, host in enumerate(self.names, 1):
            cidrs = {"ipv4": f"10.9.{i}.0/24", "ipv6": f'"fd00:9:{i}::/64"'}
            out.append(f"  n{i}: {{ cidr: [{', '.join(cidrs[f] for f in families)}] }}")
        out.append("hosts:")
        for i, host in enumerate(self.names, 1):
            at = ", ".join(f'"{self.address(host, family)}"' for family in families)
            out.append(f"  {host}: {{ network: n{i}, address: [{at}], "
                       f"probe: {{ via: netns, name: {self.lab.ns(host)} }} }}")
        return "\n".join([*out, "policies:", *[f"  - {{ {policy} }}" for policy in policies],
                          f"limits: {{ {limits} }}", more, ""])

    @staticmethod
    def enforcement(between, settings):
        """enforcement of what lies between two hosts: `max_rate: 20000`."""
        one, other = between
        return (f"enforcement:\n  fw: {{ between: [n{one}, n{other}], layer: network, "
                f"{settings} }}\n")

    # ---- segproof -------------------------------------------------------------------------------
    def verify(self, topology, *options, sample=False, timeout=600, depth="exhaustive", act=None):
        """One run. act(child, lines): called from a thread of its own once the run has begun."""
        self.runs += 1
        base = os.path.join(self.lab.dir, f"run-{self.runs}")
        with open(base + ".yaml", "w", encoding="utf-8") as file:
            file.write(topology)
        argv = [os.path.join(self.bin, "segproof"), "verify", base + ".yaml", "--depth", depth, "-v",
                "--state", base + ".state", "--report", f"json={base}.json", *options]
        began, lines = time.monotonic(), []
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        sampler = Sampler(child.pid) if sample else None
        if sampler:
            sampler.start()
        if act:
            threading.Thread(target=act, args=(child, lines), daemon=True).start()
        killer = threading.Timer(timeout, child.kill)
        killer.start()
        try:
            for line in child.stderr:
                lines.append((time.monotonic() - began, line))
            code = child.wait()
        finally:
            killer.cancel()
            child.stderr.close()
        seconds = time.monotonic() - began
        peaks = (0, 0)
        if sampler:
            sampler.over.set()
            sampler.join()
            peaks = sampler.peaks
        report = None
        if os.path.exists(base + ".json"):
            with open(base + ".json", encoding="utf-8") as file:
                report = json.load(file)
            os.unlink(base + ".json")
        return Run(code, seconds, lines, report, peaks)

    # ---- the path itself ------------------------------------------------------------------------
    def blast(self, source, target, proto, packets, family="ipv4", ports=(1, 65535), pps=0,
              sport=40000, mixed=False):
        """What the bare blaster gets through: its own {"sent", "seconds", "pps"}, and "arrived": how
        many more packets the target's interface counted. mixed: the ports in no order, as a sweep
        sends them."""
        before = sweeping.interface(self.lab, target)["rx"]
        argv = self.blaster(source, target, proto, packets, family, ports, pps, sport)
        done = self.lab.run(source, argv + ["mixed"] * mixed, check=True, timeout=90)
        result = json.loads(done.stdout)
        time.sleep(0.02)
        result["arrived"] = sweeping.interface(self.lab, target)["rx"] - before
        return result

    def blaster(self, source, target, proto, packets, family, ports=(1, 65535), pps=0,
                sport=40000):
        gate = sweeping.mac(self.lab, FW, f"port{self.number(source)}")
        return [os.path.join(os.path.dirname(self.bin), "tests", "bench_blast"), "eth0",
                self.address(source, family), str(sport), self.address(target, family), gate, proto,
                *map(str, ports), str(packets), str(pps)]

    def fleet_pps(self, packets=200_000):
        """Packets a second that the firewall drops when every host blasts at the next one at once,
        half of them TCP and half of them UDP, half of each IPv4: what this machine can do."""
        children = []
        for i, host in enumerate(self.names):
            argv = self.blaster(host, self.names[(i + 1) % len(self.names)], ("tcp", "udp")[i % 2],
                                packets, FAMILIES[i // 2 % 2])
            children.append((host, argv))
        began = time.monotonic()
        children = [self.lab.popen(host, argv, stdout=subprocess.PIPE, text=True)
                    for host, argv in children]
        sent = sum(json.loads(child.communicate(timeout=90)[0])["sent"] for child in children)
        return sent / (time.monotonic() - began)

    def dropped_pps(self, source, target, proto, family="ipv4", packets=300_000, rounds=5):
        """Packets a second that the path consumes when it drops nearly all: median of rounds."""
        return statistics.median(
            self.blast(source, target, proto, packets, family, sport=40000 + n)["pps"]
            for n in range(rounds))

    def forwarded_pps(self, source, target, proto, family="ipv4", packets=300_000, rounds=5):
        """Packets a second that the path forwards on 101 open ports, the target's stack silent:
        median of rounds."""
        undo = sweeping.mute(self.lab, target)
        try:
            found = []
            for n in range(rounds):
                one = self.blast(source, target, proto, packets, family, (8000, 8100), 0, 50000 + n)
                found.append(one["arrived"] / one["seconds"])
            return statistics.median(found)
        finally:
            undo()


def listeners(lab, host):
    """All 104 TCP services on a host, for tools that know a port by its answer."""
    lab.listen({host: [f"tcp/{port}" for port in sorted(sweeping.TCP_OPEN)]})


def warm(hosts, source, target):
    """Neighbours are resolved, so that no first packet waits."""
    for command in (["ping", "-c1", "-W1", hosts.v4(target)], ["ping", "-6", "-c1", "-W1",
                                                                hosts.v6(target)]):
        hosts.lab.run(source, command)


def missing(bin_dir=None):
    """Why nothing can be measured here, or None."""
    why = labs.missing()
    if why:
        return why
    folder = bin_dir or os.path.join(ROOT, "build", "release", "bin")
    for path in (os.path.join(folder, "segproof"),
                 os.path.join(os.path.dirname(folder), "tests", "bench_blast")):
        if not os.access(path, os.X_OK):
            return f"{path} is not there: build the release preset"
    return None


def table(title, rows):
    """rows: (what, value, remark)."""
    print(title)
    for what, value, remark in rows:
        print(f"  {what:<50}{value:>14}   {remark}".rstrip())
