#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a picture (SVG) of terminal output, for the documents.

    ansi_svg.py --columns 100 -o demo.svg -- segproof verify topology.yaml
    ansi_svg.py --lines 1-20,34-50 -o demo.svg <captured.ansi

With a command, runs it on a terminal of that width (so that colours are on and lines are as wide as
they are for people) and takes what it prints; else reads captured text from standard input. --lines
keeps some lines, counted from 1; what is left out in between shows as a dim ellipsis. Understood are
text, line feeds, carriage returns, "erase to the end of the line" and colours (SGR); every other
sequence is left out. The text in the picture stays text: it can be searched and read aloud."""
import argparse
import fcntl
import html
import os
import pty
import re
import struct
import sys
import termios

CELL_W, CELL_H, PAD = 8.4, 19, 16  # of a character at 14 px, and around the text
BACK, FRONT, DIM, EDGE = "#16181d", "#d7dae0", "#8b919d", "#2b2f38"
COLORS = {30: "#5c6370", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff",
          36: "#76e3ea", 37: FRONT}
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][0-9A-B]|\x1b\][^\x07]*\x07|\x1b.")
PLAIN = (None, False, False)  # colour, bold, dim


def record(argv, columns, rows=50):
    """What a command prints on a terminal; returns (text, exit status)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.environ.pop("NO_COLOR", None)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        try:
            os.execvp(argv[0], argv)
        except OSError as err:
            sys.stderr.write(f"{argv[0]}: {err.strerror}\n")
            os._exit(127)
    taken = bytearray()
    while True:
        try:
            some = os.read(fd, 65536)
        except OSError:  # the far end of a terminal that closed
            break
        if not some:
            break
        taken += some
    os.close(fd)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return taken.decode("utf-8", "replace"), status


def style_after(style, numbers):
    """The style that an SGR sequence leaves behind."""
    for number in numbers or [0]:
        color, bold, dim = style
        if number == 0:
            style = PLAIN
        elif number in (1, 2, 22):
            style = (color, number == 1, number == 2)
        elif number in COLORS or number == 39:
            style = (COLORS.get(number), bold, dim)
        elif number - 60 in COLORS:
            style = (COLORS[number - 60], bold, dim)
    return style


def screen(text):
    """Lines of (character, style) cells, as a terminal would show them."""
    lines, at, style, place = [[]], 0, PLAIN, 0
    while place < len(text):
        found = SEQUENCE.match(text, place)
        char = text[place]
        if found:
            place = found.end()
            if found.group(2) == "m":
                style = style_after(style, [int(n or 0) for n in found.group(1).split(";")])
            elif found.group(2) == "K" and found.group(1) in ("", "0"):
                del lines[-1][at:]
            continue
        place += 1
        if char == "\n":
            lines.append([])
            at = 0
        elif char == "\r":
            at = 0
        elif char >= " ":
            lines[-1].extend([(" ", PLAIN)] * (at - len(lines[-1])))
            lines[-1][at:at + 1] = [(char, style)]
            at += 1
    while lines and not lines[-1]:
        lines.pop()
    return lines


def choose(lines, spec):
    """Keeps the lines that "1-20,34-50" names; one of ellipsis where some are left out."""
    kept, last = [], 0
    for part in spec.split(","):
        first, _, end = part.partition("-")
        first, end = int(first), int(end or first)
        if first <= last or end < first:
            raise ValueError(f"--lines {spec}: ranges must go upwards")
        if first > last + 1:
            kept.append([("…", (None, False, True))])
        kept += lines[first - 1:end]
        last = end
    return kept + ([[("…", (None, False, True))]] if last < len(lines) else [])


def runs(line):
    """(column, text, style) of neighbours in one style, without the blanks around them."""
    start = 0
    for end in range(1, len(line) + 1):
        if end == len(line) or line[end][1] != line[start][1]:
            text = "".join(char for char, _ in line[start:end])
            if text.strip():
                blanks = len(text) - len(text.lstrip())
                yield start + blanks, text.strip(), line[start][1]
            start = end


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


def svg(lines, columns, title):
    width, height = columns * CELL_W + 2 * PAD, len(lines) * CELL_H + 2 * PAD
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
           f'width="{number(width)}" height="{number(height)}" role="img">',
           f"<title>{html.escape(title)}</title>",
           f'<rect x=".5" y=".5" width="{number(width - 1)}" height="{number(height - 1)}" rx="8" '
           f'fill="{BACK}" stroke="{EDGE}"/>',
           '<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,\'DejaVu Sans Mono\',monospace" '
           f'font-size="14" fill="{FRONT}" xml:space="preserve">']
    for row, line in enumerate(lines):
        y = PAD + row * CELL_H + 14
        for column, text, (color, bold, dim) in runs(line):
            fill = color or (DIM if dim else None)
            look = (f' fill="{fill}"' if fill else "") + (' font-weight="bold"' if bold else "")
            # The length is given, so that columns stay in line whatever font there is.
            out.append(f'<text x="{number(PAD + column * CELL_W)}" y="{y}" '
                       f'textLength="{number(len(text) * CELL_W)}"{look}>{html.escape(text)}</text>')
    return "\n".join([*out, "</g>", "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=100, metavar="N", help="default 100")
    parser.add_argument("--lines", metavar="RANGES", help="such as 1-20,34-50")
    parser.add_argument("--prompt", metavar="TEXT", help="a first line: the command that was typed")
    parser.add_argument("--title", default="", help="read aloud in place of the picture")
    parser.add_argument("-o", "--output", default="-", metavar="FILE")
    parser.add_argument("command", nargs="*", help="run on a terminal; else standard input is read")
    args = parser.parse_args()
    if args.command:
        text, status = record(args.command, args.columns)
        if status:
            print(f"ansi_svg: {args.command[0]} ended with {status}", file=sys.stderr)
    else:
        text = sys.stdin.buffer.read().decode("utf-8", "replace")  # carriage returns as they are
    lines = screen(text)
    try:
        lines = choose(lines, args.lines) if args.lines else lines
    except ValueError as err:
        parser.error(str(err))
    if not lines:
        parser.error("there is nothing to show")
    if args.prompt:
        lines.insert(0, [(char, (None, False, True)) for char in f"$ {args.prompt}"])
    picture = svg(lines, args.columns, args.title)
    if args.output == "-":
        sys.stdout.write(picture)
    else:
        with open(args.output, "w", encoding="utf-8") as file:
            file.write(picture)


if __name__ == "__main__":
    main()
