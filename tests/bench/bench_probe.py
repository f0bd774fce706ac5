#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a probe costs: size of the program, memory idle and during a run, and how soon nine probes in
nine namespaces are ready. Prints a table and never fails on a number.

    bench_probe.py [FOLDER-OF-PROGRAMS]     as root; default build/release/bin

Memory is the proportional set size (PSS, proc(5)) of a probe's three processes together. Where many
probes run on one machine they share their program, which flatters each of them; "alone" counts what
is shared in full, once: what the probe would take on a host of its own."""
import os
import select
import statistics
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import lab as labs  # noqa: E402

HOSTS, ROUNDS = 9, 5
FIREWALL = """table inet filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        tcp dport 443 accept
    }
}
"""


def build(lab, *policies):
    """Nine hosts, each behind its own cable of one firewall, which opens tcp/443 alone; returns the
    topology, with that and further policies."""
    lab.add_ns("fw", router=True)
    networks, hosts = [], []
    for i in range(1, HOSTS + 1):
        host, net = f"h{i}", f"10.9.{i}"
        lab.add_ns(host)
        lab.veth(host, "eth0", "fw", f"port{i}")
        lab.addr(host, "eth0", f"{net}.2/24")
        lab.addr("fw", f"port{i}", f"{net}.1/24")
        lab.route(host, f"default via {net}.1")
        networks.append(f"  n{i}: {{ cidr: {net}.0/24 }}")
        hosts.append(f"  {host}: {{ network: n{i}, address: {net}.2, "
                     f"probe: {{ via: netns, name: {lab.ns(host)} }} }}")
    lab.commit()
    lab.nft("fw", FIREWALL)
    return "\n".join(["segproof: 1", "name: bench", "networks:", *networks, "hosts:", *hosts,
                      "policies:", "  - { name: https, from: any, to: any, allow: tcp/443 }",
                      *[f"  - {{ {policy} }}" for policy in policies], ""])


def descendants(pid):
    """pid and every process below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                    parents[int(entry)] = int(stat.read().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found


def rollup(pid):
    """{field: KiB} of one process."""
    fields = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            name, value = line.split(":")
            fields[name] = int(value.split()[0])
    return fields


def memory(pids):
    """(PSS, alone) in KiB of some processes together; None when one of them has gone."""
    try:
        parts = [rollup(pid) for pid in pids]
    except (OSError, ValueError, IndexError):
        return None
    private = [part["Private_Clean"] + part["Private_Dirty"] for part in parts]
    shared = [part["Rss"] - own for part, own in zip(parts, private)]
    return sum(part["Pss"] for part in parts), sum(private) + max(shared)


def idle(lab, probe):
    """A probe that waits for orders; it is ready when it has told what it is."""
    argv = [probe, "--stdio", "--allow-target=10.9.2.2"]
    child = subprocess.Popen(["nsenter", f"--net=/run/netns/{lab.ns('h1')}", *argv],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
    try:
        if not select.select([child.stdout], [], [], 10)[0]:
            sys.exit("bench_probe: the probe says nothing")
        time.sleep(0.2)  # until it has said everything and sleeps
        pids = descendants(child.pid)
        if len(pids) != 3:
            sys.exit(f"bench_probe: the probe has {len(pids)} processes, not 3")
        return memory(pids)
    finally:
        child.stdin.close()
        child.stdout.close()
        child.wait(timeout=10)


def verify(segproof, lab, path, extra=(), sample=False):
    """One run: (seconds from start to nine probes ready, seconds in all, peak memory, exit)."""
    argv = [segproof, "verify", path, "--seed", "1", "--state", os.path.join(lab.dir, "ledger"),
            "--report", f"json={os.path.join(lab.dir, 'report.json')}", *extra]
    started = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    ready, peak = None, (0, 0)
    os.set_blocking(child.stderr.fileno(), False)
    said = ""
    while child.poll() is None:
        if select.select([child.stderr], [], [], 0.02 if sample else 1)[0]:
            some = child.stderr.read()
            said += some or ""
            if not some:
                time.sleep(0.005)
        # The stage after "starting probes" begins when the last of them is ready.
        if ready is None and "scouting controls" in said:
            ready = time.monotonic() - started
        if sample and ready is not None:
            for probe in descendants(child.pid)[1:]:
                pids = descendants(probe)
                if len(pids) == 3:
                    peak = max(peak, memory(pids) or peak, key=lambda pair: pair[1])
    total = time.monotonic() - started
    child.stderr.close()
    return ready, total, peak, child.returncode


def row(what, value, goal):
    print(f"  {what:<46}{value:>12}   {goal}")


def mb(kib):
    return f"{kib / 1024:.1f} MB"


def main():
    folder = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else f"{ROOT}/build/release/bin")
    segproof, probe = os.path.join(folder, "segproof"), os.path.join(folder, "segproof-probe")
    why = labs.missing()
    if why or not os.access(probe, os.X_OK):
        print(f"the probe is not measured: {why or probe + ' is not there'}")
        return
    with labs.Lab(prefix="sp-bench") as lab:
        path = os.path.join(lab.dir, "bench.yaml")
        topology = build(lab)
        with open(path, "w", encoding="utf-8") as file:
            file.write(topology)
        quiet = idle(lab, probe)
        ready = [verify(segproof, lab, path, ["--depth", "quick"]) for _ in range(ROUNDS)]
        busy = verify(segproof, lab, path, sample=True)
    print(f"A probe, and {HOSTS} of them in {HOSTS} namespaces")
    row("what", "measured", "goal")
    row("size of segproof-probe", mb(os.path.getsize(probe) / 1024), "< 7 MB")
    row("memory idle, PSS of its three processes", mb(quiet[0]), "< 12 MB")
    row("memory idle, alone", mb(quiet[1]), "")
    row("memory at its peak in a run, PSS", mb(busy[2][0]), "< 12 MB")
    row("memory at its peak in a run, alone", mb(busy[2][1]), "")
    starts = [one[0] for one in ready if one[0] is not None]
    if starts:
        row(f"start of verify to {HOSTS} probes ready, median of {len(starts)}",
            f"{statistics.median(starts):.2f} s", "< 0.5 s")
        row("  fastest and slowest", f"{min(starts):.2f}-{max(starts):.2f} s", "")
    row("a whole run, depth quick, median", f"{statistics.median(o[1] for o in ready):.1f} s", "")
    row("a whole run, depth standard (while sampled)", f"{busy[1]:.1f} s", "")
    bad = sorted({one[3] for one in (*ready, busy)} - {0})
    if bad:
        print(f"  not every run held: verify ended with {bad}")


if __name__ == "__main__":
    main()
