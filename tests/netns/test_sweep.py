# SPDX-License-Identifier: Apache-2.0
"""Sweeps find what there is, port by port: one open port among all, ranges with exact edges, allowed
ports that do not work, whoever is in between (refusing firewalls, translation, the hosts' own
firewalls), and pairs that share no allowed flow. Every hole is shown to be one by an ordinary
connection. See sweepcase.py.

Run: python3 tests/netns/test_sweep.py (root; says skipped where the machine cannot do it)."""
import sys
import unittest

sys.dont_write_bytecode = True
from sweepcase import ALLOWED, ALL_PORTS, FAST, PROTOS, WINDOW, Sweep, lists  # noqa: E402
from harness import FAMILIES, FW  # noqa: E402
import sweeping  # noqa: E402
from sweeping import ranges  # noqa: E402

HOLES = frozenset({2000, *range(2100, 2150), 2200, 2300, 2301, 2399})
FEW = frozenset(range(2000, 2040))


class SweepAll(Sweep):
    """All 65,535 ports of both protocols and both families."""

    def whole(self):
        return self.sweep(self.topology(window=ALL_PORTS - ALLOWED))

    def test_nothing_open(self):
        """The healthy twin."""
        self.prove(closed=(31337, 81))
        run = self.whole()
        self.exactly_all(run, among=ALL_PORTS)
        self.assertEqual(run.code, 0, run.err + run.out)
        self.assertEqual(run.data["coverage"]["denied_ports_swept"], 1)
        for flow in self.flows():
            pair = run.pair(*flow)
            self.assertEqual((pair["control"], pair["tested"]), ("pair", "1-65535"))

    def test_one_open_port(self):
        self.closed(holes=(31337,))
        self.prove(holes=(31337,), closed=(31336, 31338))
        run = self.whole()
        self.exactly_all(run, among=ALL_PORTS, leak={31337})
        self.assertEqual(run.code, 1, run.err + run.out)

    def test_first_and_last_port(self):
        self.closed(holes=(1, 65535))
        self.prove(holes=(1, 65535), closed=(2, 65534))
        run = self.whole()
        self.exactly_all(run, among=ALL_PORTS, leak={1, 65535})

    def test_everything_open(self):
        """As many arrivals and answers as there can be; the report stays small. The firewall follows
        no connections, as half a million of them would fill its table."""
        self.lab.nft(FW, "table inet raw {\n chain pre {\n  type filter hook prerouting priority raw;"
                         "\n  notrack\n }\n}\n")
        self.addCleanup(self.lab.nft, FW, "delete table inet raw\n")
        self.closed(holes=ALL_PORTS, otherwise="accept")
        self.prove(holes=(2, 65534), closed=())
        run = self.whole()
        self.exactly_all(run, among=ALL_PORTS, leak=ALL_PORTS - ALLOWED)
        self.assertLess(len(run.data["findings"]), 20)
        for finding in run.data["findings"]:
            self.assertEqual(finding["ports"], "1-79,81-65535")


class SweepPorts(Sweep):
    """A window of 400 ports."""

    def test_ranges_are_exact(self):
        self.closed(holes=HOLES)
        self.prove(holes=(2000, 2100, 2149, 2200, 2399), closed=(2001, 2099, 2150, 2302))
        run = self.sweep()
        self.exactly_all(run, leak=HOLES)
        self.assertEqual(run.code, 1, run.err + run.out)
        # A rule for each range: a finding and a cause for each, the latter over both families.
        told = {}
        for finding in run.data["findings"]:
            told.setdefault((finding["family"], finding["protocol"]), []).append(finding["ports"])
        for ports in told.values():
            self.assertEqual(sorted(ports), sorted(ranges(HOLES).split(",")))
        protocols = {protocol for _, protocol in told}
        self.assertEqual(len(run.data["causes"]), len(protocols) * len(ranges(HOLES).split(",")))
        self.closed()
        run = self.sweep()
        self.exactly_all(run)
        self.assertEqual(run.code, 0, run.err + run.out)

    def test_allowed_ports_that_are_dropped_are_blocked(self):
        """Among 50 allowed ports seven do not work; neither "inconclusive" nor "holds" will do."""
        allowed = ALLOWED | set(range(3000, 3050))
        broken = {3000, 3010, 3011, 3012, 3030, 3048, 3049}
        self.closed(allowed=allowed)
        self.prove(holes=sorted(broken), closed=(), families=("ipv4",), protos=("tcp",))
        clean = self.sweep(self.topology(allowed=allowed))
        self.exactly_all(clean, WINDOW | allowed)
        self.assertEqual(clean.code, 0, clean.err + clean.out)
        self.closed(allowed=allowed - broken)
        sweeping.empty_state(self.lab, FW)  # flows of the first run would still be let through
        self.prove(closed=sorted(broken), protos=("tcp",))
        run = self.sweep(self.topology(allowed=allowed))
        self.exactly_all(run, WINDOW | allowed, blocked=broken)
        self.assertEqual(run.code, 1, run.err + run.out)

    def test_leaks_and_blocks_beside_each_other(self):
        allowed = ALLOWED | {2050, 2051, 2052}
        window = WINDOW - allowed
        self.closed(allowed=ALLOWED | {2051}, holes=(2049, 2053))
        self.prove(holes=(2049, 2051, 2053), closed=(2050, 2052), families=("ipv4",))
        run = self.sweep(self.topology(window=window, allowed=allowed))
        self.exactly_all(run, WINDOW | ALLOWED, leak={2049, 2053}, blocked={2050, 2052})

    def test_a_firewall_that_refuses(self):
        """By RST and by ICMP, from the firewall's own address: it holds, a hole beside it leaks."""
        for otherwise in ("reject with icmpx admin-prohibited", "meta l4proto tcp reject with tcp reset"):
            with self.subTest(otherwise=otherwise):
                self.closed(holes=(2222,), otherwise=otherwise)
                self.assertTrue(self.reaches(2222, "tcp"))
                run = self.sweep()
                for flow in self.flows():
                    self.exactly(run, flow, leak={2222})

    def test_one_port_is_refused_and_its_neighbours_are_dropped(self):
        self.closed(more=["tcp dport 2100-2109 reject with tcp reset",
                          "udp dport 2100-2109 reject with icmpx admin-prohibited"])
        run = self.sweep()
        self.exactly_all(run)
        self.assertEqual(run.code, 0, run.err + run.out)
        for flow in self.flows():
            held = run.pair(*flow)["held_by"]
            self.assertGreaterEqual(held["answerer"], 1, held)
            self.assertGreaterEqual(held["path"], 380, held)

    def test_the_senders_own_firewall_blocks_an_allowed_port(self):
        """What goes past it by link injection must not hide that."""
        self.own_rules("a", "output", "meta l4proto { tcp, udp } th dport 81 drop")
        allowed = ALLOWED | {81}
        self.closed(allowed=allowed)
        self.prove(closed=(81,), protos=("tcp",))
        run = self.sweep(self.topology(allowed=allowed))
        self.exactly_all(run, WINDOW | allowed, blocked={81})

    def test_the_senders_own_firewall_does_not_make_the_network_look_closed(self):
        """It drops what the network would let through: a leak, or no conclusion, never "holds"."""
        self.closed(holes=(2222,))
        self.prove(holes=(2222,))
        self.own_rules("a", "output", "meta l4proto { tcp, udp } th dport 2000-2399 drop")
        self.assertFalse(self.reaches(2222))
        run = self.sweep()
        self.never(run, holes := {2222}, blocked=holes)
        self.assertNotEqual(run.code, 0, run.err + run.out)

    def test_the_receivers_own_firewall(self):
        """layer: network: what reaches the interface has crossed the network. layer: host: it is
        what the host lets in that counts."""
        self.closed(holes=range(2100, 2110))
        self.own_rules("b", "input", "meta l4proto { tcp, udp } th dport 2105-2399 drop")
        self.prove(holes=(2100, 2104), closed=(2105,))
        run = self.sweep()
        self.exactly_all(run, leak=set(range(2100, 2110)))
        layer = "enforcement:\n  own: { between: [left, right], layer: host }\n"
        run = self.sweep(self.topology(more=layer))
        self.exactly_all(run, leak=set(range(2100, 2105)))

    def test_an_allowed_port_that_the_receiver_filters(self):
        allowed = ALLOWED | {81}
        self.closed(allowed=allowed)
        self.own_rules("b", "input", "meta l4proto { tcp, udp } th dport 81 drop")
        self.prove(closed=(81,), protos=("tcp",))
        run = self.sweep(self.topology(allowed=allowed))
        self.exactly_all(run, WINDOW | allowed, host_filtered={81})

    def test_sent_to_another_host(self):
        """A denied port that is translated to d, where a probe listens too, and whose kernel says
        nothing."""
        self.lab.nft(FW, "table ip nat {\n chain pre {\n  type nat hook prerouting priority dstnat;\n"
                         f"  ip daddr {self.world.v4['b']} meta l4proto {{ tcp, udp }} th dport 2222 "
                         f"dnat to {self.world.v4['d']}\n }}\n}}\n")
        self.addCleanup(self.lab.nft, FW, "delete table ip nat\n")
        self.closed(holes=(2222,))
        self.assertTrue(self.reaches(2222))
        self.own_rules("d", "output", "tcp sport 2222 drop\n  meta l4proto icmp drop")
        topology = self.topology(more_policies=[f"name: d, from: a, to: d, permit: [{lists(ALL_PORTS)}]"])
        run = self.start(topology, target="b,d").finish()
        for proto in PROTOS:
            self.exactly(run, ("a", "b", "ipv4", proto), leak={2222})

    def test_a_sender_behind_translation(self):
        """Masqueraded by the firewall: a hole leaks all the same, declared or not. Undeclared, the
        allowed port is misdelivered, and no control vouches for silence; declared, all is well."""
        self.lab.nft(FW, "table inet nat {\n chain post {\n  type nat hook postrouting priority srcnat;"
                         "\n  oifname right meta l4proto { tcp, udp } masquerade\n }\n}\n")
        self.addCleanup(self.lab.nft, FW, "delete table inet nat\n")
        sweeping.empty_state(self.lab, FW)  # flows that go on are not translated
        self.closed(holes=(2222,))
        self.prove(holes=(2222,), protos=("tcp",))
        run = self.sweep()
        self.exactly_all(run, leak={2222}, misdelivered=ALLOWED, inconclusive=WINDOW - {2222})
        snat = "\n".join(f'  - {{ from: left, to: right, snat: "{gate}" }}' for gate in
                         (self.world.net4["right"] + ".1", self.world.net6["right"] + "::1"))
        run = self.sweep(self.topology(more=f"nat:\n{snat}\n"))
        self.exactly_all(run, leak={2222})
        self.closed()
        run = self.sweep(self.topology(more=f"nat:\n{snat}\n"))
        self.exactly_all(run)
        self.assertEqual(run.code, 0, run.err + run.out)


class SweepSplit(Sweep):
    """Isolated segments: no flow between the two is allowed, so each end proves itself elsewhere."""

    ISOLATED = "isolation: [ [left, right] ]\n"

    def isolated(self):
        """a may talk to e and d to b, so that each end of a -> b can show that it is well; nothing
        between left and right may pass. --from a,d --to b,e asks just these and a -> b, d -> e."""
        inside = [f"name: {x}-{y}, from: {x}, to: {y}, {what}" for x, y in (("a", "e"), ("d", "b"))
                  for what in (f"allow: [{lists(ALLOWED)}]", f"permit: [{lists(ALL_PORTS - ALLOWED)}]")]
        inside = [line.replace("name: ", f"name: n{n}-", 1) for n, line in enumerate(inside)]
        return self.world.topology(inside, limits=FAST, more=self.ISOLATED)

    def run_it(self):
        return self.start(self.isolated(), source="a,d", target="b,e").finish()

    def test_closed(self):
        self.closed(allowed=frozenset())
        self.prove(closed=(80, 2222))
        run = self.run_it()
        for source, target in (("a", "b"), ("d", "e")):
            self.exactly_all(run, ALL_PORTS, source, target)
            for flow in self.flows(source, target):
                self.assertEqual(run.pair(*flow)["control"], "split")
        self.assertEqual(run.code, 0, run.err + run.out)

    def test_one_hole(self):
        self.closed(allowed=frozenset({31337}))
        self.prove(holes=(31337,))
        run = self.run_it()
        self.exactly_all(run, ALL_PORTS, leak={31337})
        self.assertEqual(run.code, 1)

    def test_nobody_else_is_there(self):
        """Neither end has a partner: echoes with the next hop are what is left."""
        self.closed(allowed=frozenset({31337}))
        run = self.start(self.isolated()).finish()
        self.exactly_all(run, ALL_PORTS, leak={31337})
        for flow in self.flows():
            self.assertEqual(run.pair(*flow)["control"], "self")

    def test_the_control_of_an_isolated_pair_dies(self):
        """b hears nothing from anybody: no "holds", whatever a can prove."""
        self.closed(allowed=frozenset({31337}))
        self.prove(holes=(31337,), families=("ipv4",), protos=("tcp",))
        self.lab.ip("b", "link set dev eth0 down")
        self.lab.commit()
        try:
            run = self.run_it()
        finally:
            self.lab.ip("b", "link set dev eth0 up", f"route add default via {self.world.net4['right']}.1",
                        f"addr add {self.world.v6['b']}/64 dev eth0 nodad",
                        f"route add default via {self.world.net6['right']}::1")
            self.lab.commit()
        self.never(run, holds=ALL_PORTS, among=ALL_PORTS)
        self.assertNotEqual(run.code, 0, run.err + run.out)


class SweepAttempts(Sweep):
    """A few ports, so that many runs are quick."""

    def few(self, *options, **how):
        return self.sweep(self.topology(window=FEW, **how), *options)

    def test_the_same_seed_gives_the_same_verdicts(self):
        self.closed(holes=(2010, 2011))
        self.prove(holes=(2010,), families=("ipv4",))
        for seed in ("1", "2", "3"):
            self.exactly_all(self.few("--seed", seed), FEW | ALLOWED, leak={2010, 2011})

    def test_both_directions_in_one_run(self):
        """What a sends to b must not open a for b: every denied port holds both ways, behind a
        firewall that lets answers through."""
        policies = [f"name: {x}-{y}, from: {x}, to: {y}, allow: [{lists(ALLOWED)}]"
                    for x, y in (("a", "b"), ("b", "a"))]
        rest = ALL_PORTS - FEW - ALLOWED
        policies += [f"name: rest-{x}, from: {x}, to: {y}, permit: [{lists(rest)}]"
                     for x, y in (("a", "b"), ("b", "a"))]
        topology = self.world.topology(policies, limits=FAST)
        for _ in range(2):  # and again, right after it
            run = self.start(topology, source="a,b", target="a,b").finish()
            for source, target in (("a", "b"), ("b", "a")):
                self.exactly_all(run, FEW | ALLOWED, source, target)
            self.assertEqual(run.code, 0, run.err + run.out)

    def test_only_one_family_has_a_hole(self):
        for number, family in ((4, "ipv4"), (6, "ipv6")):
            self.closed(more=[f"ip{'6' if number == 6 else ''} daddr "
                              f"{self.world.address('b', family)} meta l4proto {{ tcp, udp }} "
                              "th dport 2020 accept"])
            self.prove(holes=(2020,), families=(family,))
            run = self.few()
            for flow in self.flows():
                self.exactly(run, flow, FEW | ALLOWED, leak={2020} if flow[2] == family else ())

    def test_only_one_protocol_has_a_hole(self):
        for open_proto in PROTOS:
            self.closed(more=[f"{open_proto} dport 2020 accept"])
            self.prove(holes=(2020,), protos=(open_proto,))
            run = self.few()
            for flow in self.flows(families=FAMILIES):
                self.exactly(run, flow, FEW | ALLOWED, leak={2020} if flow[3] == open_proto else ())


if __name__ == "__main__":
    unittest.main(verbosity=2)
