#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints C files as "file:line:text" with comments and the inside of strings blanked out, so that a
lint can look for words that stand in code."""
import re
import sys

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)


def blank(match):
    text = match.group(0)
    inside = "".join("\n" if c == "\n" else " " for c in text[1:-1])
    return text[0].replace("/", " ") + inside + text[-1].replace("/", " ")


for name in sys.argv[1:]:
    with open(name, encoding="utf-8", errors="replace") as source:
        code = TOKEN.sub(blank, source.read())
    for number, line in enumerate(code.split("\n"), 1):
        if line.strip():
            print(f"{name}:{number}:{line}")
