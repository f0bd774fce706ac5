# SPDX-License-Identifier: Apache-2.0
"""The comparison behind man.sh: man.py FOLDER-OF-PROGRAMS, in the root of the tree. Prints
"page:line: what is wrong"."""
import json
import re
import subprocess
import sys

COMMANDS, PROBE, TOPOLOGY = ("controller/segproof.1", "probe/segproof-probe.8",
                             "topologies/segproof-topology.5")


def plain(line):
    """A line of a page as a reader sees it."""
    line = re.sub(r"^\.[A-Z]+ ", "", line).replace('"', "")
    line = re.sub(r"\\f.", "", line).replace("\\-", "-").replace("\\&", "")
    return " ".join(line.split())


class Page:
    """terms[section] = {what a .TP defines: line number}; sections are (.SH, .SS) pairs."""

    def __init__(self, path):
        self.path, self.terms, self.header = path, {}, ""
        section, wanted = ("", ""), False
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                line = line.rstrip("\n")
                if line.startswith(".TH "):
                    self.header = line
                elif line.startswith((".SH ", ".SS ")):
                    section = ((plain(line), "") if line.startswith(".SH ")
                               else (section[0], plain(line)))
                    self.terms.setdefault(section, {})
                elif wanted:
                    self.terms.setdefault(section, {})[plain(line)] = number
                wanted = line == ".TP"

    def options(self, *section):
        found = {}
        for term, number in self.terms.get(section, {}).items():
            for option in re.findall(r"(?:^|[ ,])(--?[a-z][a-z-]*)", term):
                found[option] = number
        return found


def told(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def options_of(argv):
    """The options that a program tells with --help."""
    found = set()
    for short, name in re.findall(r"^ {2}(?:(-\w), | {4})(--[a-z-]+)", told([*argv, "--help"]),
                                  re.MULTILINE):
        found |= {short, name} - {""}
    return found


def compare(page, have, want, what):
    """have: {name: line} of the page; want: names that the program knows."""
    for name in sorted(want - have.keys()):
        yield f"{page.path}:1: {what}{name} is missing"
    for name in sorted(have.keys() - want):
        yield f"{page.path}:{have[name]}: {what}{name} does not exist"


def check_commands(bin_dir):
    page = Page(COMMANDS)
    names = re.findall(r"^ {2}([a-z]+) ", told([f"{bin_dir}/segproof", "--help"]), re.MULTILINE)
    sections = {sub: 1 for head, sub in page.terms if head == "COMMANDS" and sub}
    sections.pop("Common options", None)
    yield from compare(page, sections, set(names), "the command ")
    common = page.options("COMMANDS", "Common options")
    for name in names:
        want = options_of([f"{bin_dir}/segproof", name])
        have = page.options("COMMANDS", name)
        yield from compare(page, {**common, **have}, want, f"{name} ")


def check_probe(bin_dir):
    page = Page(PROBE)
    yield from compare(page, page.options("OPTIONS", ""), options_of([f"{bin_dir}/segproof-probe"]),
                       "")


def objects(schema, root, path=()):
    """(path, keys, required keys) of every object in the schema."""
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        yield path, schema["properties"].keys(), set(schema.get("required", []))
        for key, value in schema["properties"].items():
            yield from objects(value, root, (*path, key))
    if "$ref" in schema:
        target = root
        for step in schema["$ref"].lstrip("#/").split("/"):
            target = target[step]
        yield from objects(target, root, path)
    for key in ("items", "additionalProperties"):
        yield from objects(schema.get(key), root, path)
    for key in ("anyOf", "oneOf"):
        for value in schema.get(key, []):
            yield from objects(value, root, path)
    for value in schema.get("patternProperties", {}).values():
        yield from objects(value, root, path)


def check_topology(bin_dir):
    page = Page(TOPOLOGY)
    schema = json.loads(told([f"{bin_dir}/segproof", "check", "--schema"]))
    sections = {sub for head, sub in page.terms if head == "KEYS" and sub}
    for path, keys, required in objects(schema, schema):
        section = ": ".join(path) or "Top level"
        sections.discard(section)
        terms = page.terms.get(("KEYS", section), {})
        have = {term.removesuffix(" (required)"): number for term, number in terms.items()}
        yield from compare(page, have, set(keys), f"{section}: ")
        for term, number in terms.items():
            name = term.removesuffix(" (required)")
            if name in keys and (name in required) != term.endswith(" (required)"):
                yield f"{page.path}:{number}: {section}: {name}: is it required or not?"
    for section in sorted(sections):
        yield f"{page.path}:1: the schema has no object '{section}'"


def check_versions(bin_dir):
    version = told([f"{bin_dir}/segproof", "version"]).split()[1]
    for path in (COMMANDS, PROBE, TOPOLOGY):
        if f'"segproof {version}"' not in Page(path).header:
            yield f"{path}:1: .TH does not name this version, {version}"


def main():
    wrong = False
    for check in (check_commands, check_probe, check_topology, check_versions):
        for finding in check(sys.argv[1]):
            print(finding)
            wrong = True
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
