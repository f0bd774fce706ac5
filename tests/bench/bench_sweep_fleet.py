# SPDX-License-Identifier: Apache-2.0
"""Tables of bench_sweep.py that look at more than one sweep, or into one: a fleet with its memory,
how exactly it is paced, and what a packet costs its sender."""
import os
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import sweep_lab as bench
import sweeping
from bench_probe import descendants
from sweep_lab import FW, Hosts, Lab, table, warm

FLEET = int(os.environ.get("FLEET", "12"))
FLEET_SHARE = 0.8  # max_rate of all hosts together, of what bare blasters get through
TICK = os.sysconf("SC_CLK_TCK")


def probe_pids(pid, hosts, host):
    """The processes below a verify that live in the namespace of a host."""
    inode = os.stat(f"/run/netns/{hosts.lab.ns(host)}").st_ino
    found = []
    for child in descendants(pid)[1:]:
        try:
            if os.stat(f"/proc/{child}/ns/net").st_ino == inode:
                found.append(child)
        except OSError:
            continue
    return found


def freeze(hosts, host, sender, packets, seconds):
    """For Hosts.verify(act=): once the sender has sent so many packets, the probe of a host stands
    still for some time."""
    def act(child, _lines):
        before = sweeping.interface(hosts.lab, sender)["tx"]
        sweeping.wait_while(lambda: child.poll() is None and sweeping.interface(
            hosts.lab, sender)["tx"] - before < packets, 60, 0.002)
        pids = probe_pids(child.pid, hosts, host)
        with sweeping.stopped(pids):
            time.sleep(seconds)
    return act


def mb(kib):
    return f"{kib / 1024:.1f} MB"


# ---- a fleet ----------------------------------------------------------------------------------------

def fleet():
    """12 hosts, all ordered pairs, TCP and UDP, both families; memory"""
    with Lab("sp-bench") as lab:
        hosts = Hosts(lab, [f"h{i}" for i in range(1, FLEET + 1)])
        lab.nft(FW, sweeping.firewall())
        for i, host in enumerate(hosts.names):
            warm(hosts, host, hosts.names[(i + 1) % FLEET])
        before = hosts.fleet_pps()
        count = sum(sweeping.interface(lab, host)["tx"] for host in hosts.names)
        rate = int(os.environ.get("FLEET_RATE", str(int(FLEET_SHARE * before / FLEET))))
        run = hosts.verify(hosts.topology(limits=f"max_rate: {rate}"), "--only", "tcp_syn", "--only", "udp", sample=True,
                           timeout=1500)
        count = sum(sweeping.interface(lab, host)["tx"] for host in hosts.names) - count
        after = hosts.fleet_pps()
        pairs = (run.report or {}).get("pairs", [])
        good = sum(pair["verdict"] == "holds" and pair["tested"] == "1-65535" for pair in pairs)
    limit, packets = (before + after) / 2, run.total("packets")
    lanes = FLEET * (FLEET - 1) * 4
    table(f"{FLEET} hosts, all {FLEET * (FLEET - 1)} ordered pairs, TCP and UDP, both families: "
          f"{lanes} sweeps of 65,535 ports; once", [
              ("the whole command", f"{run.seconds:.1f} s",
               f"{run.since_ready:.1f} s from probes up; exit {run.code}"),
              ("max_rate of a host", f"{rate:,} pps", f"{rate * FLEET / 1e3:.0f} kpps in all"),
              ("packets of sweeps", f"{packets:,}", f"{count:,} left the hosts in all"),
              ("packets a second over the whole command", f"{packets / run.seconds / 1e3:.0f} kpps", ""),
              ("all hosts blast at once", f"{limit / 1e3:.0f} kpps",
               f"before {before / 1e3:.0f}, after {after / 1e3:.0f}"),
              ("  ratio of the two", f"{packets / run.seconds / max(limit, 1):.2f}", ""),
              ("sweeps that hold and asked every port", f"{good}", f"of {lanes}"),
              ("memory of the largest probe, PSS", mb(run.peak_probe), "goal < 16 MB"),
              ("memory of the controller, PSS", mb(run.peak_controller), "goal < 64 MB"),
          ])
    return run


# ---- pacing -------------------------------------------------------------------------------------------

def capture_times(path):
    """Seconds of the packets in a pcap file (nanoseconds or microseconds)."""
    with open(path, "rb") as file:
        data = file.read()
    magic = struct.unpack_from("=I", data)[0]
    unit = 1e-9 if magic == 0xA1B23C4D else 1e-6
    at, times = 24, []
    while at + 16 <= len(data):
        seconds, fraction, length = struct.unpack_from("=III", data, at)
        times.append(seconds + fraction * unit)
        at += 16 + length
    return times


def bursts(times, pps):
    """(packets a second within volleys, longest burst). A volley ends where nothing came for 20 ms and
    ten packets' time; the rate is that of its first packet to its last. A burst is by how many packets
    it was ever ahead of an even pace."""
    gap = max(0.02, 10 / pps)
    volleys, current = [], []
    for when in times:
        if current and when - current[-1] > gap:
            volleys.append(current)
            current = []
        current.append(when)
    volleys = [v for v in [*volleys, current] if len(v) > 50]
    spent = sum(volley[-1] - volley[0] for volley in volleys)
    count = sum(len(volley) - 1 for volley in volleys)
    longest = 0.0
    for volley in volleys:
        level, last = 0.0, volley[0]
        for when in volley:
            level = max(0.0, level - (when - last) * pps) + 1
            longest, last = max(longest, level), when
    return (count / spent if spent > 0 else 0.0), longest


def pacing():
    """how exactly the sender keeps to a rate"""
    rows = []
    for pps, window in ((100, 600), (10_000, 40_000), (200_000, 65_455)):
        with Lab("sp-bench") as lab:
            hosts = Hosts(lab, ["a", "b"])
            lab.nft(FW, sweeping.firewall())
            warm(hosts, "a", "b")
            denied = set(range(81, 81 + window))
            rest = sweeping.ALL_PORTS - denied - {80}
            policies = ["name: web, from: a, to: b, allow: tcp/80"]
            if rest:
                policies.append("name: rest, from: a, to: b, permit: "
                                f"[{sweeping.entries(rest, 'tcp')}]")
            path = os.path.join(lab.dir, "paced.pcap")
            # At the firewall's end of the cable; only what goes to the window, controls and all.
            capture = lab.popen(FW, ["tcpdump", "-i", "port1", "-n", "-s", "64", "-B", "65536",
                                     "--nano", "-U", "-Z", "root", "-w", path, "tcp and dst port "
                                     "not 22"], stderr=subprocess.PIPE, text=True)
            capture.stderr.readline()
            run = hosts.verify(hosts.topology(policies, families=("ipv4",),
                                              limits=f"max_rate: {pps}"), "--from", "a", "--to", "b",
                               "--only", "tcp_syn")
            capture.terminate()
            capture.communicate(timeout=30)
            rate, longest = bursts(capture_times(path), pps)
        told = max([sweep.get("longest_burst") or 0 for sweep in run.sweeps()], default=0)
        rows.append((f"{pps:,} packets a second, {window:,} ports", f"{(rate / pps - 1) * 100:+.2f} %",
                     f"{rate:,.1f} pps, longest burst {longest:.0f} packets"
                     + (f" ({told} by its own count)" if told else "") + f"; {run.seconds:.1f} s, "
                     f"exit {run.code}"))
    table("Pacing, as captured behind the sender's cable, goal <= 1 %", rows)


# ---- what a packet costs --------------------------------------------------------------------------------

class Worked:
    """The processor time of a probe's processes, kept until they end: (user, system) seconds."""

    def __init__(self, hosts, host):
        self.hosts, self.host, self.times = hosts, host, {}

    def __call__(self, child, _lines):
        while child.poll() is None:
            for pid in probe_pids(child.pid, self.hosts, self.host):
                try:
                    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                        fields = file.read().rpartition(")")[2].split()
                    self.times[pid] = (int(fields[11]) / TICK, int(fields[12]) / TICK)
                except (OSError, IndexError, ValueError):
                    continue
            time.sleep(0.02)

    @property
    def total(self):
        return (sum(user for user, _ in self.times.values()),
                sum(system for _, system in self.times.values()))


def work():
    """processor time of sender and receiver for each packet"""
    rows = []
    with Lab("sp-bench") as lab:
        hosts = Hosts(lab, ["a", "b"])
        lab.nft(FW, sweeping.firewall())
        warm(hosts, "a", "b")
        for host, name in (("a", "sender"), ("b", "receiver")):
            worked = Worked(hosts, host)
            run = hosts.verify(hosts.topology(families=("ipv4",)), "--from", "a", "--to", "b",
                               "--only", "tcp_syn", act=worked)
            packets = max(run.total("packets"), 1)
            user, system = worked.total
            rows.append((f"{name}, in its own code", f"{user / packets * 1e9:.0f} ns", "a packet sent"))
            rows.append((f"{name}, in the kernel", f"{system / packets * 1e9:.0f} ns",
                         "with all the path does for it on veth" if host == "a" else ""))
    table("Processor time for each packet of a sweep (a tick is 10 ms: read it as a magnitude)", rows)


if __name__ == "__main__":
    sys.exit("run bench_sweep.py" if not bench.missing() else bench.missing())
