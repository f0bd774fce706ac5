#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A whole verification beside nmap: nine endpoints behind one firewall, all 72 ordered pairs, six
checks each (one port allowed, four denied TCP ports, one denied UDP port). Both judge the same
checks in the same namespaces, in turns; segproof also says whether each denied flow arrived, nmap
only that nothing answered. Prints a table and never fails on a number.

    bench_fleet.py [FOLDER-OF-PROGRAMS]     as root; default build/release/bin"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import lab as labs  # noqa: E402
from bench_probe import HOSTS, build, row  # noqa: E402

ROUNDS = 5
ALLOWED, DENIED = 443, 22  # declared; what lies around them is denied by default
SERIAL_TIMEOUT = 3.0  # seconds that a serial scanner waits for each denied port
# Two tries each, as segproof has: fast, and as fast as nmap's own presets go.
NMAP = [("nmap -T4, two tries", ["-T4", "--max-retries", "1"]),
        ("nmap -T5, two tries", ["-T5", "--max-retries", "1"])]


def verify(segproof, lab, path):
    report = os.path.join(lab.dir, "report.json")
    argv = [segproof, "verify", path, "--depth", "quick", "--skip", "icmp_echo", "--state",
            os.path.join(lab.dir, "ledger"), "--report", f"json={report}", "-q"]
    began = time.monotonic()
    code = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False, timeout=120).returncode
    seconds = time.monotonic() - began
    with open(report, encoding="utf-8") as file:
        summary = json.load(file)["summary"]
    return seconds, code, summary["checks"]


def scan(lab, options):
    """nmap from every host to all others at once; the time until the last one ends."""
    ports = f"T:1,{DENIED},100,{ALLOWED},9000,U:161"
    children = []
    began = time.monotonic()
    for i in range(1, HOSTS + 1):
        targets = [f"10.9.{k}.2" for k in range(1, HOSTS + 1) if k != i]
        argv = ["nmap", "-n", "-Pn", "-sSU", "-p", ports, *options, *targets]
        children.append(lab.popen(f"h{i}", argv, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL))
    codes = {child.wait(timeout=300) for child in children}
    return time.monotonic() - began, codes


def main():
    folder = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else f"{ROOT}/build/release/bin")
    segproof = os.path.join(folder, "segproof")
    why = labs.missing()
    if why or not os.access(segproof, os.X_OK):
        print(f"the fleet is not measured: {why or segproof + ' is not there'}")
        return
    peers = NMAP if shutil.which("nmap") else []
    ours, theirs, checks, codes = [], {name: [] for name, _ in peers}, 0, set()
    with labs.Lab(prefix="sp-bench") as lab:
        path = os.path.join(lab.dir, "bench.yaml")
        topology = build(lab, f"name: no-ssh, from: any, to: any, deny: tcp/{DENIED}")
        lab.listen({f"h{i}": [f"tcp/{ALLOWED}"] for i in range(1, HOSTS + 1)})
        with open(path, "w", encoding="utf-8") as file:
            file.write(topology)
        for _ in range(ROUNDS):
            seconds, code, checks = verify(segproof, lab, path)
            ours.append(seconds)
            codes.add(code)
            for name, options in peers:
                seconds, nmap_codes = scan(lab, options)
                theirs[name].append(seconds)
                codes |= nmap_codes
    pairs = HOSTS * (HOSTS - 1)
    denied = checks - pairs
    median = statistics.median(ours)
    print(f"A fleet of {HOSTS}: {pairs} ordered pairs, {checks} checks, {denied} of them denied; "
          f"median of {ROUNDS}")
    row("segproof verify, the whole command", f"{median:.2f} s",
        f"goal < 3 s; {min(ours):.2f}-{max(ours):.2f} s")
    serial = denied * SERIAL_TIMEOUT
    row(f"one denied port after the other, {SERIAL_TIMEOUT:.0f} s each", f"{serial:.0f} s",
        f"calculated; {serial / median:.0f} times segproof's time, goal >= 50")
    for name, times in theirs.items():
        peer = statistics.median(times)
        row(f"{name}, from all {HOSTS} at once", f"{peer:.2f} s",
            f"{peer / median:.2f} times segproof's time, goal >= 1; "
            f"{min(times):.2f}-{max(times):.2f} s")
    if not peers:
        print("  nmap is not installed: no comparison (apt-get install nmap)")
    if codes - {0}:
        print(f"  not every run ended well: exit codes {sorted(codes)}")


if __name__ == "__main__":
    main()
