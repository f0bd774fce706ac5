# SPDX-License-Identifier: Apache-2.0
"""The demo: a company in namespaces, planted faults, segproof, and whether it found just them.

Started by `run` beside this file, which installs and builds first. Needs root."""
import argparse
import contextlib
import json
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "support")]

import compare  # noqa: E402 (found through the line above)
import lab as labs  # noqa: E402
import sshhost  # noqa: E402
from company import SSH_HOST, Company  # noqa: E402
from faults import FAULTS, NoPlace, plan  # noqa: E402
from network import Network  # noqa: E402
from selfcheck import SelfCheck  # noqa: E402

PROGRAM = os.environ.get("SEGPROOF") or os.path.join(ROOT, "build", "release", "bin", "segproof")
STATE_DIR = "/run/segproof-demo"  # one file per network that stands, so that --remove can find it

EPILOG = """examples:
  topologies/demo/run                          all faults, at the places of seed 1
  topologies/demo/run --seed 7 --fault reject  one fault alone
  topologies/demo/run --fault ssh-from-edge --repair
  topologies/demo/run --keep                   leave the network standing, to play with
  topologies/demo/run --seeds 1-20             a line per seed
  topologies/demo/run -- --depth quick         what follows -- goes to segproof verify

exit status: 0 the findings are the planted ones; 1 they are not; 2 usage or what is missing here"""


def parse(argv):
    argv, _, extra = ((argv, "", []) if "--" not in argv else
                      (argv[:argv.index("--")], "--", argv[argv.index("--") + 1:]))
    parser = argparse.ArgumentParser(prog="topologies/demo/run", epilog=EPILOG, description=(
        "Builds a company's network in namespaces, plants faults in its firewalls, lets segproof "
        "verify the declared topology and compares what it finds with what was planted."),
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=seed_number, default=1, metavar="N",
                       help="choose other addresses, ports and places for the faults (default 1)")
    seeds.add_argument("--seeds", type=seed_range, metavar="A-B",
                       help="one run per seed, a line each")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--fault", choices=sorted(FAULTS), metavar="NAME",
                      help="plant this fault alone (see --list-faults)")
    what.add_argument("--fixed", action="store_true", help="plant nothing: nothing may be found")
    parser.add_argument("--repair", action="store_true",
                        help="with --fault: verify, repair it in the running network, verify again")
    parser.add_argument("--keep", action="store_true", help="leave the network standing")
    parser.add_argument("--no-verify", action="store_true",
                        help="with --keep: only build the network")
    parser.add_argument("--selftest", action="store_true",
                        help="check the network with plain sockets in place of segproof")
    parser.add_argument("--timeout", type=float, default=1800, metavar="S",
                        help="seconds that one verification may take (default 1800)")
    parser.add_argument("--list-faults", action="store_true", help="list the faults and exit")
    parser.add_argument("--only-parse", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--remove", action="store_true",
                        help="remove the networks that --keep, or a killed run, left; then exit")
    options = parser.parse_args(argv)
    options.extra = extra
    if options.repair and not options.fault:
        parser.error("--repair needs --fault NAME")
    if options.keep and options.seeds:
        parser.error("--keep works with one --seed")
    if options.no_verify and not options.keep:
        parser.error("--no-verify needs --keep: there would be nothing to see")
    if extra and options.selftest:
        parser.error("--selftest does not start segproof: nothing may follow --")
    if any(arg in ("-h", "--help") for arg in extra):
        parser.error("see `segproof verify --help` for what may follow --")
    return options


def seed_number(text):
    if not re.fullmatch(r"\d{1,9}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 999999999")
    return int(text)


def seed_range(text):
    match = re.fullmatch(r"(\d{1,9})-(\d{1,9})", text)
    if not match or int(match[1]) > int(match[2]):
        raise argparse.ArgumentTypeError(f"'{text}' is not a range such as 1-20")
    return range(int(match[1]), int(match[2]) + 1)


# ---- networks that stand ---------------------------------------------------------------------
def state_file(prefix):
    return os.path.join(STATE_DIR, prefix + ".json")


def record(lab, kept=False):
    os.makedirs(STATE_DIR, mode=0o700, exist_ok=True)
    path = state_file(lab.prefix)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump({**lab.state(), "kept": kept}, file)
    os.replace(path + ".new", path)


def forget(prefix):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(state_file(prefix))


def remove_all():
    """Kept networks, and those whose program was killed; never one that is in use."""
    count = 0
    for name in sorted(os.listdir(STATE_DIR)) if os.path.isdir(STATE_DIR) else []:
        if not name.endswith(".json"):
            continue
        with open(os.path.join(STATE_DIR, name), encoding="utf-8") as file:
            state = json.load(file)
        if state["kept"] or not labs.is_alive(state["owner"]):
            labs.remove(state)
            forget(state["prefix"])
            print(f"removed {state['prefix']}")
            count += 1
    if not count:
        print("no network of the demo is left standing")
    return 0


def explain_kept(network, topology):
    lab = network.lab
    verify = f"{os.path.relpath(PROGRAM)} verify {topology} --ssh-config {network.ssh_config}"
    print(f"""
The network stands. Topology: {topology}
  enter a host       ip netns exec {lab.ns('web-1')} bash
  the firewall       ip netns exec {lab.ns('firewall')} nft list ruleset
  log in             ssh -F {network.ssh_config} {SSH_HOST}
  verify again       {verify}
  all namespaces     ip netns list | grep {lab.prefix}-
  remove it          topologies/demo/run --remove""")


# ---- one network -----------------------------------------------------------------------------
class Run:
    """One seed: build, verify, compare, clean up."""

    def __init__(self, options, seed, quiet):
        self.options = options
        self.seed = seed
        self.quiet = quiet
        self.lines = []
        company = Company(seed)
        chosen = plan(company, seed)
        if options.fixed:
            chosen = []
        elif options.fault:
            chosen = [fault for fault in chosen if fault.name == options.fault]
        self.planted = chosen
        self.network = Network(company, chosen, keep=options.keep)
        self.checker = SelfCheck(self.network) if options.selftest else None

    def say(self, *lines):
        self.lines += lines
        if not self.quiet:
            print("\n".join(lines), flush=True)

    def __call__(self):
        network, left = self.network, False
        with network.lab as lab:
            try:
                record(lab)
                began = time.monotonic()
                network.build()
                record(lab)  # now with the listeners
                company = network.company
                self.say(f"seed {self.seed}: {len(company.hosts)} hosts in "
                         f"{len(company.segments)} segments and 2 VPCs, "
                         f"{len(self.planted)} faults planted "
                         f"(built in {time.monotonic() - began:.1f} s)")
                ok = self.options.no_verify or self.verify()
                if ok and self.options.repair:
                    ok = self.repair()
                if self.options.keep:
                    self.leave()
                    left = True
            finally:
                if not left:
                    lab.close()
                    forget(lab.prefix)
        return ok

    def verify(self):
        if self.checker:
            outcome = compare.Outcome(self.checker.run(), [])
        elif self.quiet:
            with open(os.path.join(self.network.lab.dir, "output"), "w+b") as file:
                outcome = self.segproof(file)
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4000))
                self.lines.append(file.read().decode("utf-8", "replace"))  # shown if it failed
        else:
            outcome = self.segproof(None)
        lines, ok = compare.table(self.network.faults, outcome)
        self.say("", "planted, and what was found:" if self.network.faults else
                 "nothing is planted; what was found:", *lines)
        if not lines:
            self.say("  nothing")
        self.say("", "the findings are exactly the planted ones" if ok and self.network.faults else
                 "nothing was found, as it must be" if ok else
                 "the findings are NOT the planted ones")
        return ok

    def segproof(self, quiet):
        return compare.verify(PROGRAM, self.network, self.options.extra, quiet,
                              self.options.timeout)

    def repair(self):
        fault = self.network.faults[0]
        self.network.repair(fault)
        self.say("", f"repaired {fault.name}; verifying again")
        return self.verify()

    def leave(self):
        lab = self.network.lab
        topology = os.path.join(lab.dir, "topology.yaml")
        with open(topology, "w", encoding="utf-8") as file:
            file.write(self.network.topology())
        record(lab, kept=True)
        lab.detach()
        explain_kept(self.network, topology)
        for fault in self.network.faults:
            print(f"  planted: {fault.name}: {fault.where()}")


def run_seeds(options):
    bad = 0
    for seed in options.seeds:
        began = time.monotonic()
        run = Run(options, seed, quiet=True)
        ok = run()
        bad += not ok
        wanted = sum(len(fault.expected) for fault in run.planted)
        print(f"seed {seed}: {len(run.planted)} faults, {wanted} findings: "
              f"{'found exactly these' if ok else 'NOT what was found'} "
              f"({time.monotonic() - began:.1f} s)", flush=True)
        if not ok:
            print("\n".join("    " + line for text in run.lines for line in text.split("\n")),
                  flush=True)
    return 1 if bad else 0


def main(argv):
    options = parse(argv)
    if options.only_parse:  # `run` asks before it builds
        return 0
    if options.list_faults:
        for name, fault in FAULTS.items():
            print(f"{name:<15} {fault.title}")
        return 0
    reason = labs.missing() or (None if options.remove else sshhost.missing())
    if not reason and not (options.selftest or options.no_verify or options.remove):
        if not os.access(PROGRAM, os.X_OK):
            reason = f"{PROGRAM} is not there: start topologies/demo/run, which builds it"
    if reason:
        print(f"demo: {reason}", file=sys.stderr)
        return 2
    if options.remove:
        return remove_all()
    try:
        if options.seeds:
            return run_seeds(options)
        return 0 if Run(options, options.seed, quiet=False)() else 1
    except (labs.LabError, NoPlace) as err:
        print(f"demo: {err}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:  # our reader has left; the network is gone already
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:  # before there was a network
        sys.exit(130)
