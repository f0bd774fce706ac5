# SPDX-License-Identifier: Apache-2.0
"""The comparison behind man.sh: man.py FOLDER-OF-PROGRAMS, in the root of the tree. Prints
"page:line: what is wrong". What the program knows comes from its tables (segproof help --json)."""
import json
import pathlib
import re
import subprocess
import sys

README = "README.md"
COMMANDS, PROBE, TOPOLOGY = ("controller/segproof.1", "probe/segproof-probe.8",
                             "topologies/segproof-topology.5")


def plain(line):
    """A line of a page as a reader sees it."""
    line = re.sub(r"^\.[A-Z]+ ", "", line).replace('"', "")
    line = re.sub(r"\\f.", "", line).replace("\\-", "-").replace("\\&", "")
    return " ".join(line.split())


class Page:
    """terms[section] = {what a .TP defines: line number}; sections are (.SH, .SS) pairs. text[section]
    is all of a section, bodies[section][term] what stands under one term."""

    def __init__(self, path):
        self.path, self.terms, self.header = path, {}, ""
        self.text, self.bodies = {}, {}
        section, wanted, term = ("", ""), False, ""
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
                    term = plain(line)
                    self.terms.setdefault(section, {})[term] = number
                elif line != ".TP":
                    bodies = self.bodies.setdefault(section, {})
                    bodies[term] = f"{bodies.get(term, '')} {plain(line)}"
                wanted = line == ".TP"
                term = "" if line.startswith((".SH ", ".SS ")) else term
                self.text[section] = f"{self.text.get(section, '')} {plain(line)}"

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


def default_of(option):
    """What the help of an option says is its default, in words; None when it says nothing."""
    named = re.search(r"(\w+): [^;]*\(default\)", option["help"])
    if named:
        return named[1]
    found = re.search(r"\(default:? ([^)]*)\)", option["help"])
    return found[1] if found else None


def check_entry(page, section, command, option):
    """One option in its section: how it is written, its choices and its default."""
    where, name = f"{page.path}:{{}}: {command} --{option['name']}", f"--{option['name']}"
    for term, number in page.terms.get(section, {}).items():
        if not re.search(rf"(?:^|[ ,]){name}(?:$|[ ,=])", term):
            continue
        if option["value"] and not term.endswith(" " + option["value"]):
            yield f"{where.format(number)}: the page does not call its value {option['value']}"
        body = page.bodies.get(section, {}).get(term, "")
        as_for = re.search(r"As for (\w+)", body)
        if as_for:
            other = page.bodies.get(("COMMANDS", as_for[1]), {})
            body += " ".join(text for key, text in other.items() if name in key)
        default = default_of(option)
        for word in option.get("choices", []):
            if not re.search(rf"\b{word}\b", body):
                yield f"{where.format(number)}: the page does not name {word}"
        if default and "default" not in body.lower():
            yield f"{where.format(number)}: the page does not tell its default, {default}"
        elif default and " " not in default and not re.search(rf"\b{default}\b", body):
            yield f"{where.format(number)}: the default is {default}, which the page does not say"


def check_commands(_bin_dir, told):
    page = Page(COMMANDS)
    sections = {sub: 1 for head, sub in page.terms if head == "COMMANDS" and sub}
    sections.pop("Common options", None)
    yield from compare(page, sections, {one["name"] for one in told["commands"]}, "the command ")
    common = page.options("COMMANDS", "Common options")
    for one in told["commands"]:
        name, words = one["name"], set()
        usage = re.sub(r"([ .])+", " ", f"segproof {name} {one['usage']}".replace("...", ""))
        synopsis = re.sub(r"([ .])+", " ", page.text.get(("SYNOPSIS", ""), "").replace("...", ""))
        if usage.replace(" ", "") not in synopsis.replace(" ", ""):
            yield f"{page.path}:1: SYNOPSIS does not have: segproof {name} {one['usage']}"
        for option in one["options"]:
            words |= {f"--{option['name']}", f"-{option['letter']}"} - {"-"}
            section = ("COMMANDS", "Common options" if option["common"] else name)
            yield from check_entry(page, section, name, option)
        yield from compare(page, {**common, **page.options("COMMANDS", name)}, words, f"{name} ")


def check_facts(_bin_dir, told):
    """Exit codes, environment, files: the program's list against the page and the sources."""
    page = Page(COMMANDS)
    status = dict(page.terms.get(("EXIT STATUS", ""), {}))
    yield from compare(page, status, set(told["exit_status"]), "exit status ")
    have = {name: number for term, number in page.terms.get(("ENVIRONMENT", ""), {}).items()
            for name in term.replace(",", " ").split()}
    yield from compare(page, have, set(told["environment"]), "the variable ")
    read = {}
    for folder in ("controller", "probe", "reports", "topologies"):
        for path in pathlib.Path(folder).rglob("*.c"):
            for name in re.findall(r'\b(?:getenv|env_is|env_is_set)\("([A-Z_]+)"', path.read_text()):
                read[name] = path
    for name in sorted(read.keys() - told["environment"].keys()):
        yield f"{read[name]}:1: reads the variable {name}, which 'segproof help' does not know"
    for name in sorted(told["environment"].keys() - read.keys()):
        yield f"{page.path}:1: 'segproof help' names the variable {name}, which nothing reads"
    for name in told["files"]:
        if name not in page.text.get(("FILES", ""), "").split():
            yield f"{page.path}:1: FILES does not name {name}"


def check_readme(_bin_dir, told):
    """Every command stands in the README, and no command or option that does not exist."""
    options = {one["name"]: {f"--{option['name']}" for option in one["options"]}
               for one in told["commands"]}
    with open(README, encoding="utf-8") as file:
        text = file.read()
    for name in sorted(options.keys() - set(re.findall(r"\bsegproof ([a-z]+)", text))):
        yield f"{README}:1: does not name segproof {name}"
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        is_code ^= line.startswith("```")
        start = r"(?:^|[`(])" if is_code else r"`"
        for name, rest in re.findall(start + r"segproof ([a-z]+)([^`#)]*)", line):
            if name not in options:
                yield f"{README}:{number}: there is no segproof {name}"
                continue
            for option in re.findall(r"(?<=[ \[])--[a-z-]+", rest):
                if option not in options[name]:
                    yield f"{README}:{number}: segproof {name} has no {option}"


def check_probe(bin_dir, _told):
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


def check_topology(bin_dir, _told):
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


def check_versions(bin_dir, _told):
    version = told([f"{bin_dir}/segproof", "version"]).split()[1]
    for path in (COMMANDS, PROBE, TOPOLOGY):
        if f'"segproof {version}"' not in Page(path).header:
            yield f"{path}:1: .TH does not name this version, {version}"


def main():
    wrong = False
    knows = json.loads(told([f"{sys.argv[1]}/segproof", "help", "--json"]))
    for check in (check_commands, check_facts, check_readme, check_probe, check_topology,
                  check_versions):
        for finding in check(sys.argv[1], knows):
            print(finding)
            wrong = True
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
