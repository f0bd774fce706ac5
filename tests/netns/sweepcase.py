# SPDX-License-Identifier: Apache-2.0
"""What the tests of sweeps share (test_sweep*.py): a network whose firewall drops by default, runs at
exhaustive depth, and reports read as sets of ports per verdict.

Most tests sweep a window of ports only, so that they take seconds: the topology permits all others,
and what may work is not swept. A port that a test calls open is shown to be open by an ordinary
connection first, and a closed one to be closed."""
import collections
import os
import sys
import time

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World, wait_until  # noqa: E402
import sweeping  # noqa: E402 (harness found it)
from sweeping import ALL_PORTS, firewall, ranges  # noqa: E402

PROTOS = ("tcp", "udp")
WINDOW = frozenset(range(2000, 2400))
ALLOWED = frozenset({80})
FAST = "max_rate: 10000000"
VERDICTS = ("holds", "leak", "blocked", "inconclusive", "partial", "host_filtered",
            "return_blocked", "misdelivered", "proxied")
# Counts what the firewall was asked within the window, whatever it does with it.
COUNT = "meta l4proto { tcp, udp } th dport 2000-2399 counter name swept"


def lists(ports):
    return f"{sweeping.entries(ports, 'tcp')}, {sweeping.entries(ports, 'udp')}"


def verdicts(run, flow, among):
    """{verdict: set of ports} of one flow; what was delivered is not told apart."""
    found = sweeping.verdicts(run.data, flow, among)
    found.pop("delivered", None)
    return found


def text(found):
    return "; ".join(f"{verdict}: {ranges(ports)}" for verdict, ports in sorted(found.items()))


class Sweep(Case):
    """a -- fw -- b, and e beside a, d beside b. Every test puts the firewalls back."""

    protos = PROTOS

    @classmethod
    def build(cls):
        return World("sweep", {"left": ["a", "e"], "right": ["b", "d"]})

    def setUp(self):
        self.lab = self.world.lab
        self.closed()
        for host in ("a", "b", "d", "e"):
            self.lab.nft(host, "table inet fw { }\ndelete table inet fw\n")

    # ---- firewalls ------------------------------------------------------------------------------
    def closed(self, first=(), more=(), holes=(), allowed=ALLOWED, **how):
        """The firewall as declared, but for holes, and with further rules. It counts the window."""
        rules = firewall(tcp=allowed | set(holes), udp=allowed | set(holes),
                         first=[COUNT, *first], more=more, **how)
        self.lab.nft(FW, rules.replace("table inet fw {\n chain", "table inet fw {\n counter swept "
                                       "{ }\n chain", 1))

    def swept(self):
        """Packets to the window that the firewall met since its rules were loaded."""
        return self.lab.nft_counters(FW)["swept"]

    def own_rules(self, host, chain, lines):
        """A firewall of the host's own: chain is "input" or "output"."""
        self.lab.nft(host, f"table inet fw {{ }}\ndelete table inet fw\ntable inet fw {{\n chain own "
                           f"{{\n  type filter hook {chain} priority 0;\n  {lines}\n }}\n}}\n")

    def reaches(self, port, proto="tcp", family="ipv4", source="a", target="b", patience=0.3):
        return sweeping.reaches(self.lab, source, self.world.address(target, family), proto, port,
                                patience)

    def prove(self, holes=(), closed=(2399,), protos=PROTOS, families=FAMILIES):
        """To an ordinary program holes are open and closed ports closed. (UDP is asked on an open
        port only: what refuses it is limited to one answer a second on some machines.)"""
        for family in families:
            for proto in protos:
                for port in holes:
                    self.assertTrue(self.reaches(port, proto, family), f"{proto}/{port} is no hole")
                for port in closed:
                    self.assertFalse(self.reaches(port, proto, family, patience=0.15), port)

    # ---- runs -----------------------------------------------------------------------------------
    def topology(self, window=WINDOW, allowed=ALLOWED, more_policies=(), limits=FAST, more="",
                 source="a", target="b"):
        """Sweeps of a window from one host to another; whatever else there is may work."""
        policies = [f"name: ok, from: {source}, to: {target}, allow: [{lists(allowed)}]"]
        rest = ALL_PORTS - window - allowed
        if rest:
            policies.append(f"name: rest, from: {source}, to: {target}, permit: [{lists(rest)}]")
        return self.world.topology([*policies, *more_policies], limits=limits, more=more)

    def start(self, topology=None, *options, source="a", target="b", **how):
        """One way of one pair; a run that is resumed knows its ways by itself."""
        if "--resume" in options:
            return self.world.start(topology or self.topology(), *options, depth=None, **how)
        only = [option for proto in self.protos
                for option in ("--only", {"tcp": "tcp_syn", "udp": "udp"}[proto])]
        return self.world.start(topology or self.topology(), "--depth", "exhaustive", "--from",
                                source, "--to", target, *only, *options, **how)

    def sweep(self, topology=None, *options, seconds=90, **how):
        return self.start(topology, *options, **how).finish(seconds)

    def middle(self, act, *options, packets=300, topology=None, limits="max_rate: 400"):
        """Runs slowly, does something when the firewall has met so many packets to the window, and
        returns the finished run."""
        running = self.start(topology or self.topology(limits=limits), *options)
        before = self.swept()
        self.assertTrue(wait_until(lambda: self.swept() - before >= packets
                                   or running.child.poll() is not None, 60))
        self.assertIsNone(running.child.poll(), "it was over too soon: " + "".join(running.lines))
        act(running)
        return running.finish(200)

    # ---- what must be ---------------------------------------------------------------------------
    def flows(self, source="a", target="b", families=FAMILIES):
        return [(source, target, family, proto) for family in families for proto in self.protos]

    def exactly(self, run, flow, among=WINDOW | ALLOWED, **expected):
        """The verdicts of one flow, port by port: exactly(run, flow, leak={22}, holds=...). What is
        not named must not be there; `holds` may be left out and is then all the rest."""
        found = verdicts(run, flow, among)
        expected = {verdict: set(ports) for verdict, ports in expected.items() if ports}
        expected.setdefault("holds", among - set().union(*expected.values()))
        expected = {verdict: ports for verdict, ports in expected.items() if ports}
        if found != expected:
            self.fail(f"{flow}\nexpected {text(expected)}\nfound    {text(found)}\n"
                      f"{run.err}{run.out}")

    def exactly_all(self, run, among=WINDOW | ALLOWED, source="a", target="b", families=FAMILIES,
                    **expected):
        self.assertIsNotNone(run.data, run.err + run.out)
        for flow in self.flows(source, target, families):
            with self.subTest(flow=flow):
                self.exactly(run, flow, among, **expected)

    def never(self, run, holds=(), blocked=(), leak=(), among=WINDOW | ALLOWED, families=FAMILIES):
        """No port of these may have got that verdict, in any of the flows. Returns how many ports
        got which verdict."""
        self.assertIsNotNone(run.data, run.err + run.out)
        counts = collections.Counter()
        for flow in self.flows(families=families):
            found = verdicts(run, flow, among)
            for verdict, ports in (("holds", holds), ("blocked", blocked), ("leak", leak)):
                wrong = found.get(verdict, set()) & set(ports)
                self.assertFalse(wrong, f"{flow}: {verdict}: {ranges(wrong)}\n{run.err}{run.out}")
            for verdict, ports in found.items():
                counts[verdict] += len(ports)
        return counts

    def probes(self, host, role=None):
        return self.world.probe_pids(host, role)

    def state(self, name="state"):
        return os.path.join(self.lab.dir, name)

    def quiet(self, seconds=1.1):
        """Rate limiters of the kernel's own refusals fill up again."""
        time.sleep(seconds)
