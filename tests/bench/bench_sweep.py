#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The exhaustive sweep beside what its path takes and beside port scanners, all in one run and in
turns. Prints tables and never fails on a number.

    bench_sweep.py [TABLE...]      as root; default all of them. BIN=FOLDER names other programs

Tables: pair udp policer state loss pause foreign fleet pacing work (see TABLES below). Two hosts,
a firewall between them that tracks connections, drops by default and lets 104 TCP and 103 UDP ports
through. Scanners see a port by its answer, so all 104 TCP ports listen; segproof needs none.

"found" counts open ports that are shown to be open, "false" ports that are shown wrongly: open ones
as closed or the other way round. "unsure" says so by itself: neither."""
import os
import statistics
import sys

sys.dont_write_bytecode = True
import bench_sweep_fleet as fleets  # noqa: E402
import sweep_lab as bench  # noqa: E402
import sweep_peers as peers  # noqa: E402
import sweeping  # noqa: E402
from sweep_lab import FW, Count, Hosts, Lab, listeners, table, warm  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5"))
NMAP = ("-T4", "--min-rate", "300000")
NMAP_ONCE = ("-T5", "--min-rate", "300000", "--max-retries", "0")
INBOUND = 'iifname "port1" meta l4proto { tcp, udp }'
V4 = ("ipv4",)
OPEN = sweeping.TCP_OPEN
RATE = 20_000  # of the policer


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else 0.0


def spread(values, digits=2):
    return f"{min(values):.{digits}f}-{max(values):.{digits}f}" if values else ""


def pair_lab(lab):
    hosts = Hosts(lab, ["a", "b"])
    lab.nft(FW, sweeping.firewall())
    listeners(lab, "b")
    warm(hosts, "a", "b")
    return hosts


def ours(hosts, only="tcp_syn", topology=None, *options, **how):
    return hosts.verify(topology or hosts.topology(families=V4), "--from", "a", "--to", "b",
                        "--only", only, *options, **how)


def told(run):
    return f"exit {run.code}" + ("" if run.report else ", no report")


# ---- one pair -------------------------------------------------------------------------------------

def pair(protocol="tcp"):
    """65,535 TCP ports of one pair"""
    only, is_tcp = {"tcp": "tcp_syn", "udp": "udp"}[protocol], protocol == "tcp"
    with Lab("sp-bench") as lab:
        hosts = pair_lab(lab)
        runs, blasts, same, forwards, scans = [], [], [], [], {}
        gate = sweeping.mac(lab, FW, "port1")
        for _ in range(ROUNDS):
            blasts.append(hosts.blast("a", "b", protocol, 300_000)["pps"])
            same.append(hosts.blast("a", "b", protocol, 131_070, mixed=True)["pps"])
            forwards.append(hosts.forwarded_pps("a", "b", protocol, rounds=1))
            runs.append(ours(hosts, only))
            if is_tcp and peers.have("nmap"):
                for name, options in (("two", NMAP), ("one", NMAP_ONCE)):
                    scans.setdefault(name, []).append(
                        peers.nmap(lab, "a", hosts.v4("b"), *options))
            if is_tcp and peers.have("masscan"):
                scans.setdefault("masscan", []).append(
                    peers.masscan(lab, "a", hosts.v4("b"), gate, 1_000_000))
        slow = None
        if peers.have("nmap"):
            slow = (peers.nmap(lab, "a", hosts.v4("b"), "-T4") if is_tcp else
                    peers.nmap(lab, "a", hosts.v4("b"), "-T4", ports="1-1000", kind="-sU"))
    print_pair(protocol, runs, (blasts, same, forwards), scans)
    if is_tcp:
        print_scans(scans, slow)
    elif slow:
        print(f"  nmap -sU -T4, ports 1-1000: {slow.seconds:.1f} s, {len(slow.unsure)} of them "
              f"open|filtered; 65,535 ports by extrapolation: {slow.seconds * 65.535:.0f} s = "
              f"{slow.seconds * 65.535 / max(median([r.seconds for r in runs]), 0.01):.0f} times "
              "the whole command of segproof")


def print_pair(protocol, runs, blasts, scans):
    truth = {"tcp": sweeping.TCP_OPEN, "udp": sweeping.UDP_OPEN}[protocol]
    counts = [Count(run, truth, protocol=protocol) for run in runs if run.report]
    (blasts, same, forwards), rate = blasts, median([run.sending_pps() for run in runs])
    blaster = median(blasts)
    nmap = median([scan.seconds for scan in scans.get("two", [])])
    sending, ready = median([r.sending() for r in runs]), median([r.since_ready for r in runs])
    whole = median([run.seconds for run in runs])
    goal = (lambda value: f"{value:.2f} s") if nmap else (lambda value: "")
    table(f"One pair, 65,535 {protocol} ports, both ends judged; median of {len(runs)}", [
        ("bare blaster, this path drops", f"{blaster / 1e3:.0f} kpps", spread([b / 1e3 for b in blasts], 0)),
        ("bare blaster, the packets of the sweep: as many, mixed", f"{median(same) / 1e3:.0f} kpps",
         spread([b / 1e3 for b in same], 0)),
        ("bare blaster, this path forwards (open ports)", f"{median(forwards) / 1e3:.0f} kpps",
         spread([f / 1e3 for f in forwards], 0)),
        ("segproof while sending", f"{rate / 1e3:.0f} kpps",
         spread([run.sending_pps() / 1e3 for run in runs], 0)),
        ("  ratio to what the path forwards", f"{rate / max(median(forwards), 1):.2f}", "goal >= 0.9"),
        ("  ratio to what the path drops", f"{rate / max(blaster, 1):.2f}", ""),
        ("  ratio to the packets of the sweep", f"{rate / max(median(same), 1):.2f}", ""),
        ("passes; packets without controls", f"{min(r.passes() for r in runs)}",
         f"{median([r.total('packets') for r in runs]):,.0f}"),
        ("time spent sending, all passes", f"{sending:.2f} s", f"goal <= nmap, two tries: {goal(nmap)}"),
        ("from probes up to verdicts", f"{ready:.2f} s", f"goal <= {goal(nmap + 1)}"),
        ("the whole command", f"{whole:.2f} s", f"goal <= {goal(nmap + 2)}; "
         f"{spread([run.seconds for run in runs])} s"),
        ("found / false / unsure", "/".join(str(max((getattr(c, k) for c in counts), default="-"))
                                            for k in ("found", "false", "unsure")),
         f"of {len(truth)} open; " + ", ".join(sorted({told(run) for run in runs}))),
    ])
    stages = {}
    for run in runs:
        for stage, seconds in run.stages.items():
            stages.setdefault(stage.split(":")[0], []).append(seconds)
    print("  stages: " + "; ".join(f"{stage} {median(s):.2f} s" for stage, s in stages.items()))


def print_scans(scans, slow):
    rows = []
    for name, key in ((f"nmap {' '.join(NMAP)}", "two"), (f"nmap {' '.join(NMAP_ONCE)}", "one"),
                      ("masscan --rate 1000000 --wait 2", "masscan")):
        some = scans.get(key)
        if some:
            rows.append((name, f"{median([s.seconds for s in some]):.2f} s",
                         f"{median([s.packets for s in some]):,.0f} packets; found "
                         f"{min(s.found(OPEN) for s in some)}, false {max(s.false(OPEN) for s in some)}; "
                         f"{spread([s.seconds for s in some])} s"))
    if slow:
        rows.append(("nmap -T4 (once)", f"{slow.seconds:.1f} s",
                     f"{slow.packets:,} packets; found {slow.found(OPEN)}, false {slow.false(OPEN)}"))
    table("Scanners on the same path, in turns with it", rows or [("none installed", "", "")])


def udp():
    """65,535 UDP ports of one pair"""
    pair("udp")


# ---- paths that are no good -------------------------------------------------------------------------

def hole_topology(hosts, more=""):
    """Only tcp/22 is declared: the other 103 open ports have to be found as leaks."""
    return hosts.topology(["name: ssh, from: a, to: b, allow: tcp/22"], families=V4, more=more)


def compare(name, run, scan_rows, extra=""):
    count = Count(run, OPEN) if run.report else None
    rows = [("segproof" + extra, f"{run.seconds:.2f} s",
             (f"found {count.found}, false {count.false}, unsure {count.unsure}; " if count else "")
             + f"sending {run.sending():.2f} s in {run.passes()} passes, "
             f"{run.total('volleys')} volleys, {run.total('repeats')} repeated; {told(run)}")]
    table(name, rows + scan_rows)


def scan_row(name, scan):
    return (name, f"{scan.seconds:.2f} s", f"found {scan.found(OPEN)}, false {scan.false(OPEN)}; "
            f"{scan.packets:,} packets" + ("" if scan.ended else "; did not end"))


def policer():
    """a policer of 20,000 packets a second, 104 open ports"""
    with Lab("sp-bench") as lab:
        hosts = pair_lab(lab)
        lab.nft(FW, sweeping.firewall(first=[sweeping.policed(RATE, only=INBOUND)]))
        gate, rows, single = sweeping.mac(lab, FW, "port1"), [], 65536 / RATE
        declared = hosts.enforcement((1, 2), f"max_rate: {RATE}")
        results = {"declared": [], "undeclared": []}
        for _ in range(ROUNDS):
            results["declared"].append(ours(hosts, "tcp_syn", hole_topology(hosts, declared)))
            results["undeclared"].append(ours(hosts, "tcp_syn", hole_topology(hosts)))
        for name, limit in (("declared", 1.2), ("undeclared", 2.0)):
            runs = results[name]
            counts = [Count(run, OPEN) for run in runs if run.report]
            each = median([run.sending() / max(run.passes(), 1) for run in runs])
            rows.append((f"segproof, rate {name}, median of {ROUNDS}",
                         f"{median([run.seconds for run in runs]):.2f} s",
                         f"found {min((c.found for c in counts), default='-')}, false "
                         f"{max((c.false for c in counts), default='-')}, unsure "
                         f"{max((c.unsure for c in counts), default='-')}; {each:.2f} s an attempt "
                         f"= {each / single:.2f} x 65536/{RATE}, goal <= {limit}"))
        for rate in (RATE * 9 // 10, RATE, RATE * 2, 300_000):
            if peers.have("masscan"):
                rows.append(scan_row(f"masscan --rate {rate}", peers.masscan(
                    lab, "a", hosts.v4("b"), gate, rate)))
            if peers.have("nmap"):
                rows.append(scan_row(f"nmap -T4 --min-rate {rate}", peers.nmap(
                    lab, "a", hosts.v4("b"), "-T4", "--min-rate", str(rate))))
        if peers.have("nmap"):
            rows.append(scan_row(f"nmap -T4 --min-rate {RATE} --max-rate {RATE}", peers.nmap(
                lab, "a", hosts.v4("b"), "-T4", "--min-rate", str(RATE), "--max-rate", str(RATE))))
    table(f"A policer of {RATE:,} packets a second, 104 open ports", rows)


def state():
    """the firewall's table is full of other people's connections"""
    with Lab("sp-bench") as lab:
        hosts = pair_lab(lab)
        entries = sweeping.fill_state(lab, FW)
        run = ours(hosts, "tcp_syn", hole_topology(hosts))
        rows = []
        if peers.have("nmap"):
            rows.append(scan_row("nmap", peers.nmap(lab, "a", hosts.v4("b"), *NMAP)))
        if peers.have("masscan"):
            rows.append(scan_row("masscan", peers.masscan(
                lab, "a", hosts.v4("b"), sweeping.mac(lab, FW, "port1"), 100_000)))
        still = sweeping.states(lab, FW)
        blocked = len(run.verdicts().get("blocked", ())) if run.report else 0
        reasons = sorted({item["reason"] for item in run.report["inconclusive"]}
                         if run.report else set())
    compare(f"A table full of {entries:,} established connections ({still:,} at the end)", run, rows,
            f" ({blocked} blocked)")
    print(f"  it says: {'; '.join(reasons) or 'nothing'}")


def loss():
    """random loss of 1 and 30 in a hundred"""
    for percent in (1, 30):
        with Lab("sp-bench") as lab:
            hosts = pair_lab(lab)
            lab.nft(FW, sweeping.firewall(first=[sweeping.lossy(percent, INBOUND)]))
            run = ours(hosts, "tcp_syn", hole_topology(hosts))
            rows = []
            if peers.have("nmap"):
                rows.append(scan_row("nmap, two tries", peers.nmap(lab, "a", hosts.v4("b"), *NMAP)))
            if peers.have("masscan"):
                rows.append(scan_row("masscan", peers.masscan(
                    lab, "a", hosts.v4("b"), sweeping.mac(lab, FW, "port1"), 100_000)))
        compare(f"{percent} % of all packets are lost by chance", run, rows)


def pause():
    """the receiver stands still for 200 ms in the middle of the sweep"""
    with Lab("sp-bench") as lab:
        hosts = pair_lab(lab)
        run = ours(hosts, "tcp_syn", hole_topology(hosts),
                   act=fleets.freeze(hosts, "b", "a", 20_000, 0.2))
    compare("The receiver's probe stands still for 200 ms", run, [])
    if run.report:
        print(f"  packets its capture lost: {run.report['summary']['capture_drops']:,}")


def foreign():
    """somebody else sends 4 MB a second to the receiver"""
    with Lab("sp-bench") as lab:
        hosts = pair_lab(lab)
        with sweeping.Stranger(lab, FW, hosts.v4("b"), 9):
            run = ours(hosts, "tcp_syn", hole_topology(hosts))
    compare("4 MB of foreign traffic a second at the receiver", run, [])


TABLES = {"pair": pair, "udp": udp, "policer": policer, "state": state, "loss": loss, "pause": pause,
          "foreign": foreign, "fleet": fleets.fleet, "pacing": fleets.pacing, "work": fleets.work}


def main(argv):
    unknown = [name for name in argv if name not in TABLES]
    if unknown:
        sys.exit(f"bench_sweep: no table '{unknown[0]}': " + ", ".join(
            f"{name} ({run.__doc__})" for name, run in TABLES.items()))
    why = bench.missing()
    if why:
        print(f"the sweep is not measured: {why}")
        return
    for name in argv or TABLES:
        TABLES[name]()
        print(flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
