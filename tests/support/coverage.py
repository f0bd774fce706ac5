#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Line coverage by folder, from "gcovr --json-summary" (on stdin). Ends with 1 if a folder with a
gate is under the minimum, or if nothing was measured at all."""
import json
import sys

MINIMUM = 90.0
GATED = ["probe/base", "probe/wire", "probe/packet", "topologies", "reports"]
SHOWN = GATED + ["probe/techniques", "probe/link", "probe", "controller"]


def folder_of(path):
    """The longest folder of SHOWN that path lies in."""
    inside = [folder for folder in SHOWN if path.startswith(folder + "/")]
    return max(inside, key=len, default=None)


def percent(covered, total):
    return 100.0 * covered / total if total else 100.0


def main():
    lines = {}
    low = []
    for entry in json.load(sys.stdin)["files"]:
        folder = folder_of(entry["filename"])
        if folder is None:
            continue
        covered, total = entry["line_covered"], entry["line_total"]
        before = lines.get(folder, (0, 0))
        lines[folder] = (before[0] + covered, before[1] + total)
        if total and percent(covered, total) < MINIMUM:
            low.append((percent(covered, total), entry["filename"], total - covered))
    wrong = not lines
    for folder in SHOWN:
        if folder not in lines:
            continue
        covered, total = lines[folder]
        gate = folder in GATED
        bad = gate and percent(covered, total) < MINIMUM
        wrong = wrong or bad
        note = f"UNDER {MINIMUM:.0f} %" if bad else ("" if gate else "no gate")
        print(f"{folder:18} {percent(covered, total):5.1f} %  {covered:6} of {total:6} lines  {note}".rstrip())
    for value, name, missing in sorted(low):
        print(f"  {value:5.1f} %  {name} ({missing} lines not run)")
    return 1 if wrong else 0


sys.exit(main())
