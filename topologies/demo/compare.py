# SPDX-License-Identifier: Apache-2.0
"""Runs segproof on a topology file and holds its report against what was planted.

segproof is given the file, ssh's configuration and nothing else. Findings are compared by verdict, hosts, family,
protocol and the set of ports; how the report groups ports into findings does not matter."""
import collections
import contextlib
import json
import os
import subprocess

from faults import Finding

FORMAT = "segproof-report/1"

# What a verification said. problems: why it is no clean result, whatever was found.
Outcome = collections.namedtuple("Outcome", "found problems")


class ReportError(Exception):
    """The report is missing or is not what its format promises."""


def port_set(text):
    """"22,8000-8002" -> {"22", "8000", "8001", "8002"}; names (echo) stay as they are."""
    ports = set()
    for part in str(text).split(","):
        low, dash, high = part.strip().partition("-")
        if dash and low.isdigit() and high.isdigit():
            ports |= {str(port) for port in range(int(low), int(high) + 1)}
        elif part.strip():
            ports.add(part.strip())
    return ports


def port_text(ports):
    """The other way round, short enough to read."""
    numbers = sorted(int(port) for port in ports if port.isdigit())
    spans, names = [], sorted(port for port in ports if not port.isdigit())
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join([str(lo) if lo == hi else f"{lo}-{hi}" for lo, hi in spans] + names)


def merge(findings):
    """Findings that differ in ports only become one: {(verdict, ... protocol): ports}."""
    merged = collections.defaultdict(set)
    for finding in findings:
        merged[finding[:5]] |= port_set(finding.ports)
    return dict(merged)


def describe(key, ports):
    verdict, source, target, family, proto = key
    return f"{verdict:<15} {source} -> {target}, {family}, {proto}/{port_text(ports)}"


def run_segproof(argv, quiet, timeout):
    """Its exit code. quiet: a file that takes what it prints, else it prints to our own output."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=quiet, stderr=quiet)
    try:
        return child.wait(timeout=timeout)
    finally:  # a signal or the timeout: segproof stops its probes itself if it is asked to
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=10)
            if child.poll() is None:
                child.kill()
                child.wait()


def read_report(path):
    """The report, with the parts that are used here checked."""
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except (OSError, ValueError) as err:
        raise ReportError(f"no report: {err}") from err
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise ReportError(f"the report is not a {FORMAT}")
    try:
        summary = report["summary"]
        int(summary["checks"]), int(summary["inconclusive"]), str(summary["verdict"])
        for item in report["findings"]:
            str(item["verdict"]), str(item["from"]), str(item["to"])
            str(item["family"]), str(item["protocol"]), str(item["ports"])
        list(report["pairs"])
    except (KeyError, TypeError, ValueError) as err:
        raise ReportError(f"the report lacks something: {err!r}") from err
    return report


def judge_report(report, code, expected):
    """An Outcome. expected is used for the exit code and the overall verdict only."""
    summary = report["summary"]
    problems = []
    if summary["inconclusive"]:
        problems.append(f"{summary['inconclusive']} checks are inconclusive")
        for pair in report["pairs"]:
            if pair.get("verdict") == "inconclusive" and len(problems) < 11:
                problems.append("  inconclusive: {from} -> {to}, {family}, {protocol}".format_map(
                    collections.defaultdict(str, pair)))
    if not summary["checks"]:
        problems.append("nothing was checked")
    want_code, want_verdict = (1, "fails") if expected else (0, "holds")
    if code != want_code:
        problems.append(f"segproof exited with {code}, not {want_code}")
    if summary["verdict"] != want_verdict:
        problems.append(f"the report's verdict is {summary['verdict']}, not {want_verdict}")
    found = {Finding(item["verdict"], item["from"], item["to"], item["family"], item["protocol"],
                     item["ports"]) for item in report["findings"]}
    return Outcome(found, problems)


def verify(program, network, extra, quiet, timeout):
    """One run of segproof on a network."""
    topology = os.path.join(network.lab.dir, "topology.yaml")
    report = os.path.join(network.lab.dir, "report.json")
    with open(topology, "w", encoding="utf-8") as file:
        file.write(network.topology())
    with contextlib.suppress(FileNotFoundError):
        os.unlink(report)
    try:
        code = run_segproof([program, "verify", topology, "--report", f"json={report}",
                             "--ssh-config", network.ssh_config, *extra], quiet, timeout)
        return judge_report(read_report(report), code, network.expected())
    except subprocess.TimeoutExpired:
        return Outcome(set(), [f"segproof did not finish within {timeout:.0f} seconds"])
    except ReportError as err:
        return Outcome(set(), [str(err)])
    except OSError as err:
        return Outcome(set(), [f"{program}: {err.strerror}"])


def table(faults, outcome):
    """(lines, ok): what was planted, whether it was found, and what else was."""
    found = merge(outcome.found)
    lines, wanted, ok = [], {}, not outcome.problems
    for fault in faults:
        lines.append(f"  {fault.name}: {fault.title}")
        for key, ports in merge(fault.expected).items():
            wanted[key] = ports
            if found.get(key) == ports:
                mark, note = "found ", ""
            else:
                mark, ok = "MISSED", False
                note = f" (found: {port_text(found[key])})" if key in found else ""
            lines.append(f"    {mark}  {describe(key, ports)}{note}")
    extra = [describe(key, ports) for key, ports in sorted(found.items()) if key not in wanted]
    if extra:
        ok = False
        lines.append("  found, but not planted:")
        lines += [f"    WRONG   {text}" for text in extra]
    lines += [f"  PROBLEM: {problem}" for problem in outcome.problems]
    return lines, ok
