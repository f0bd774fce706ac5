#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts tests: prints "PASSED FAILED SKIPPED" for a JUnit file of ctest.

A cmocka program counts as many tests as it ran; any other program is one test. A program that failed
counts at least one failure, whatever it printed: it may have crashed before its summary."""
import re
import sys
import xml.etree.ElementTree as xml

RAN = re.compile(r"^\[  (PASSED|FAILED)  \] (\d+) test\(s\)", re.MULTILINE)
SKIP = re.compile(r"^\[  SKIPPED \] (\d+) test\(s\)", re.MULTILINE)


def count(case):
    text = case.findtext("system-out") or ""
    status = case.get("status")
    if status in ("notrun", "disabled") and case.find("failure") is None:
        return 0, 0, 1
    said = {"PASSED": 0, "FAILED": 0}
    for word, number in RAN.findall(text):
        said[word] += int(number)
    skipped = sum(int(n) for n in SKIP.findall(text))
    if status == "run":
        return said["PASSED"] or (0 if skipped else 1), 0, skipped
    return said["PASSED"], max(1, said["FAILED"]), skipped


def show(case):
    """The end of what a failed program said, and the lines of cmocka that name the failures."""
    lines = (case.findtext("system-out") or "(no output)").splitlines()
    wanted = [line for line in lines[:-25] if re.match(r"\[  (ERROR|FAILED|LINE)|.*(ERROR: |SUMMARY: )", line)]
    print(f"\n--- {case.get('name')} failed:", *wanted[:25], *lines[-25:], sep="\n", file=sys.stderr)


def main():
    total = [0, 0, 0]
    try:
        cases = xml.parse(sys.argv[1]).getroot().iter("testcase")
        for case in cases:
            counted = count(case)
            total = [a + b for a, b in zip(total, counted)]
            if counted[1]:
                show(case)
    except (OSError, xml.ParseError) as problem:
        print(f"{sys.argv[1]}: {problem}", file=sys.stderr)
        total = [0, 1, 0]
    print(*total)


main()
