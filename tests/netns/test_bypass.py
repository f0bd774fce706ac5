# SPDX-License-Identifier: Apache-2.0
"""Bypass techniques against real firewalls, IPv4 and IPv6: what each passes in a filter that lets
everything through, in a strict one, and in some that are nearly right, as they are found in the
wild. In all of these but the first a plain SYN and a plain datagram are stopped: without the
techniques the hole would not be seen. Every cell of the table is asserted.

Run: python3 tests/netns/test_bypass.py (root; says skipped where the machine cannot do it)."""
import socket
import struct
import sys
import threading
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World  # noqa: E402
import packets  # noqa: E402 (harness found it)

TCP = ("tcp_ack", "tcp_badsum", "tcp_fin", "tcp_null", "tcp_rst", "tcp_sport", "tcp_synack",
       "tcp_xmas")
UDP = ("udp_badsum", "udp_sport")
TECHNIQUES = TCP + UDP
SEGMENTS = ("tcp_ack", "tcp_fin", "tcp_null", "tcp_rst", "tcp_synack", "tcp_xmas")
SPORTS = 9  # source ports that *_sport tries, a test each
BOTH = "meta l4proto { tcp, udp } th dport 80 accept\n  meta l4proto { icmp, ipv6-icmp } accept"

# Rules of the forward chain by name, and the techniques that pass them.
FILTERS = {
    # No filter at all.
    "permissive": ("policy accept;", set(TECHNIQUES)),
    # State, and nothing that has none.
    "strict": (f"""policy drop;
  ct state invalid drop
  ct state established,related accept
  tcp flags & (fin | syn | rst | ack) != syn drop
  {BOTH}""", set()),
    # Answers are let back in by their flags.
    "stateless": (f"""policy drop;
  iifname right accept
  {BOTH}
  tcp flags & ack == ack accept
  tcp flags & rst == rst accept""", {"tcp_ack", "tcp_synack", "tcp_rst"}),
    # What Linux calls "new" is stopped, and nobody thought of what is invalid.
    "new only": (f"""policy accept;
  ct state established,related accept
  {BOTH}
  ct state new drop""", {"tcp_badsum", "tcp_fin", "tcp_null", "tcp_rst", "tcp_synack", "tcp_xmas",
                         "udp_badsum"}),
    # "No connection may be begun from outside."
    "syn only": (f"""policy accept;
  {BOTH}
  tcp flags & (syn | ack) == syn drop
  iifname left meta l4proto udp drop""", {"tcp_ack", "tcp_fin", "tcp_null", "tcp_rst", "tcp_synack",
                             "tcp_xmas"}),
    # Every combination that somebody thought of.
    "list of flags": (f"""policy accept;
  iifname right accept
  {BOTH}
  tcp flags {{ syn, ack, fin, rst, syn | ack, fin | ack, rst | ack }} drop
  iifname left meta l4proto udp drop""", {"tcp_null", "tcp_xmas"}),
    # Loose pick-up of connections in their middle: not a SYN, so it belongs to one.
    "loose": (f"""policy drop;
  ct state invalid drop
  iifname right accept
  {BOTH}
  tcp flags & (syn | ack) == ack accept""", {"tcp_ack"}),
    # Answers of name servers and of FTP are let back in by the port that they come from.
    "trusted ports": (f"""policy drop;
  ct state invalid drop
  ct state established,related accept
  {BOTH}
  udp sport 53 accept
  tcp sport 20 tcp flags & (fin | syn | rst | ack) == syn accept""", {"tcp_sport", "udp_sport"}),
}


class Bypass(Case):
    """One path from a to b, and what passes its firewall."""

    @classmethod
    def build(cls):
        return World("bypass", {"left": ["a"], "right": ["b"]})

    def load(self, rules):
        # Removing the last rule that asks for state empties what the kernel remembers here.
        self.world.lab.nft(FW, "flush ruleset")
        self.world.lab.nft(FW, f"""table inet bypass {{
 chain through {{
  type filter hook forward priority 0; {rules}
 }}
}}
""")
        self.world.lab.commit()

    def verify(self, techniques=TECHNIQUES, *more, hazard="B", plain=("tcp_syn", "udp"),
               layer="network", **how):
        text = self.world.topology(
            ["name: ok, from: a, to: b, allow: [tcp/80, udp/80]"],
            limits=f"max_rate: 2000, hazard: {hazard}",
            more=f"enforcement:\n  own: {{ between: [left, right], layer: {layer} }}\n")
        only = [word for name in (*plain, *techniques) for word in ("--only", name)]
        how = {"depth": "standard", **how}
        return self.world.verify(text, "--from", "a", "--to", "b", *only, *more, **how)

    @staticmethod
    def rows(run):
        return {(row["technique"], row["family"]): row for row in run.data["bypass_techniques"]}

    def check_cell(self, run, name, family, leaks):
        told = f"{name} over {family}\n{run.err}{run.out}"
        row = self.rows(run)[(name, family)]
        findings = [f for f in run.data["findings"]
                    if (f["technique"], f["family"]) == (name, family)]
        self.assertEqual(row["inconclusive"] + row["not_tested"], 0, told)
        self.assertGreater(row["tests"], 0, told)
        self.assertEqual(row["holds"] + row["failed"], row["tests"], told)
        self.assertEqual(bool(findings), leaks, told)
        self.assertEqual(row["failed"] > 0, leaks, told)
        for finding in findings:
            self.assertEqual((finding["verdict"], finding["row"], finding["expected"]),
                             ("leak", 1, "deny"), told)
            self.assertEqual(finding["delivered"], finding["attempts"], told)
            self.assertIn(f"--only {name}", finding["repeat"], told)

    def check_plain(self, run, leaks):
        """What a plain SYN and a plain datagram see of the same filter."""
        for name in ("tcp_syn", "udp"):
            found = [f for f in run.data["findings"] if f["technique"] == name]
            self.assertEqual(bool(found), leaks, f"{name}\n{run.out}")


class Filters(Bypass):
    """The table."""

    def table(self, world):
        rules, passing = FILTERS[world]
        self.load(rules)
        run = self.verify()
        self.check_plain(run, world == "permissive")
        for name in TECHNIQUES:
            for family in FAMILIES:
                with self.subTest(world=world, technique=name, family=family):
                    self.check_cell(run, name, family, name in passing)
        self.assertEqual(run.code, 1 if passing else 0, run.err + run.out)
        return run

    def test_0_permissive(self):
        self.table("permissive")

    def test_1_strict(self):
        run = self.table("strict")
        self.assertEqual(run.summary["inconclusive"], 0)
        self.assertEqual(run.data["findings"], [])

    def test_stateless(self):
        self.table("stateless")

    def test_new_only(self):
        self.table("new only")

    def test_syn_only(self):
        self.table("syn only")

    def test_list_of_flags(self):
        self.table("list of flags")

    def test_loose(self):
        self.table("loose")

    def test_trusted_ports(self):
        run = self.table("trusted ports")
        sports = {(f["technique"], f["source_ports"]) for f in run.data["findings"]}
        self.assertEqual(sports, {("tcp_sport", "20"), ("udp_sport", "53")})
        for (name, family), row in self.rows(run).items():
            if name.endswith("_sport"):
                self.assertEqual((row["tests"], row["failed"]), (SPORTS, 1), (name, family))


class Hosts(Bypass):
    """The same filters in the receiver's own firewall, which then is who decides."""

    def table(self, world):
        rules, passing = FILTERS[world]
        self.world.lab.nft(FW, "flush ruleset")
        rules = rules.replace("iifname right", "iifname lo").replace("iifname left", "iifname eth0")
        self.world.lab.nft("b", f"""flush ruleset
table inet own {{
 chain in {{
  type filter hook input priority 0; {rules}
 }}
}}
""")
        run = self.verify(layer="host")
        self.check_plain(run, world == "permissive")
        for name in TECHNIQUES:
            for family in FAMILIES:
                with self.subTest(world=world, technique=name, family=family):
                    self.check_cell(run, name, family, name in passing)
        return run

    def test_strict(self):
        self.assertEqual(self.table("strict").summary["inconclusive"], 0)

    def test_stateless(self):
        self.table("stateless")

    def test_new_only(self):
        self.table("new only")

    def test_syn_only(self):
        self.table("syn only")


class Tricks(Bypass):
    """What could make a technique say that it holds, or a finding that there is none."""

    def setUp(self):
        self.world.lab.nft("a", "flush ruleset")

    def said(self, run, name, family, **want):
        row = self.rows(run)[(name, family)]
        told = f"{name} over {family}: {row}\n{run.err}{run.out}"
        for key, value in want.items():
            if value is None:
                self.assertGreater(row[key], 0, told)
            else:
                self.assertEqual(row[key], value, told)

    def test_numbers_are_normalised(self):
        """The acknowledgement number of what passes is cleared: it arrives all the same."""
        self.load(FILTERS["syn only"][0] + "\n  iifname left tcp ackseq set 0 accept")
        run = self.verify(TCP)
        for name in sorted(FILTERS["syn only"][1]):
            for family in FAMILIES:
                self.check_cell(run, name, family, True)

    def test_timestamps_are_stripped(self):
        """What passes is not surely ours any more: never "holds"."""
        self.load(FILTERS["syn only"][0] + "\n  iifname left reset tcp option timestamp accept")
        run = self.verify(SEGMENTS)
        for name in SEGMENTS:
            for family in FAMILIES:
                self.said(run, name, family, holds=0, failed=0, inconclusive=None)
        self.assertEqual(run.code, 3, run.err + run.out)
        reasons = {item["reason"] for item in run.data["inconclusive"]}
        self.assertEqual(reasons, {"packets without our tag arrived at the tested port"})

    def test_own_kernel_refuses(self):
        """What the sender cannot send says nothing of the network, whoever is to judge it."""
        self.load(FILTERS["syn only"][0])
        for layer in ("network", "host"):
            self.world.lab.nft("a", "table inet own {\n chain out {\n  type filter hook output "
                               "priority 0;\n  tcp dport != 80 drop\n }\n}\n")
            run = self.verify(SEGMENTS, plain=("tcp_syn",), layer=layer)
            for name in SEGMENTS:
                for family in FAMILIES:
                    self.said(run, name, family, holds=0, failed=0, inconclusive=None)
            self.world.lab.nft("a", "flush ruleset")

    def test_dead_path(self):
        """Without the ordinary technique in the plan its allowed flows are the control still."""
        self.load(FILTERS["strict"][0])
        run = self.verify(("tcp_ack",), plain=())
        for family in FAMILIES:
            self.said(run, "tcp_ack", family, inconclusive=0, failed=0, holds=None)
            self.assertEqual(run.pair("a", "b", family, "tcp")["control"], "pair")
        self.load("policy drop; meta l4proto { icmp, ipv6-icmp } accept")
        run = self.verify(("tcp_ack", "udp_sport"), plain=())
        self.assertEqual(run.code, 3, run.err + run.out)
        self.assertEqual(run.summary["holds"], 0, run.out)

    def test_services_of_the_sender(self):
        """Their ports are left alone, and the others are tried."""
        rules = FILTERS["trusted ports"][0]
        self.load(rules)
        services = self.world.lab.listen({"a": ["tcp/443", "tcp/20", "udp/500"]})
        try:
            run = self.verify(("tcp_sport", "udp_sport"))
        finally:
            services.kill()
            services.wait()
        for family in FAMILIES:
            self.said(run, "tcp_sport", family, not_tested=2, failed=0, holds=SPORTS - 2)
            self.said(run, "udp_sport", family, not_tested=1, failed=1, holds=SPORTS - 2)
        self.assertIn("a service of the sender uses the source port that would be tried",
                      run.untested())

    def test_somebody_answers_for_the_receiver(self):
        """A SYN with a wrong checksum that is answered: by somebody who did not look."""
        self.load(FILTERS["strict"][0])
        for flags, key in ((packets.SYN | packets.ACK, "failed"),
                           (packets.RST | packets.ACK, "holds")):
            with Answerer(self.world, flags):
                run = self.verify(("tcp_badsum",), plain=("tcp_syn",))
            for family in FAMILIES:
                self.said(run, "tcp_badsum", family, **{key: None, "inconclusive": 0})
            found = {(f["verdict"], f["row"]) for f in run.data["findings"]
                     if f["technique"] == "tcp_badsum"}
            self.assertEqual(found, {("proxied", 5)} if key == "failed" else set(), run.out)

    def test_consent(self):
        """Class A alone runs none of them, says so, and the run is as good as before."""
        self.load(FILTERS["strict"][0])
        run = self.verify(hazard="A")
        self.assertEqual(run.data["bypass_techniques"], [])
        self.assertEqual(run.code, 0, run.err + run.out)
        self.assertIn("bypass techniques whose hazard class is not allowed in both networks",
                      run.untested())
        run = self.verify(depth="quick")
        self.assertEqual(run.data["bypass_techniques"], [])

    def test_repeated(self):
        """The command of a finding finds it again, and after the repair no more."""
        self.load(FILTERS["loose"][0])
        found = self.verify().data["findings"]
        self.assertEqual({f["technique"] for f in found}, {"tcp_ack"})
        for finding in found:
            self.assertIn(" --only tcp_ack", finding["repeat"])
        seed = ("--seed", found[0]["repeat"].rpartition(" ")[2])
        again = self.verify(("tcp_ack",), *seed, plain=()).data["findings"]
        self.assertEqual({f["id"] for f in again}, {f["id"] for f in found})
        self.assertEqual([f["ports"] for f in again], [f["ports"] for f in found])
        self.load(FILTERS["strict"][0])
        run = self.verify(("tcp_ack",), *seed, plain=())
        self.assertEqual((run.data["findings"], run.code), ([], 0), run.out)


class Answerer(threading.Thread):
    """Answers in the firewall, in b's name, every SYN to it but those to port 80."""

    def __init__(self, world, flags):
        super().__init__(daemon=True)
        self.world, self.flags, self.is_over = world, flags, threading.Event()
        self.sock = world.lab.socket(FW, socket.AF_PACKET, socket.SOCK_DGRAM,
                                     socket.htons(packets.ETH_P_ALL))
        self.sock.bind(("left", packets.ETH_P_ALL))
        self.sock.settimeout(0.02)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.is_over.set()
        self.join()
        self.sock.close()

    def run(self):
        mine = {self.world.v4["b"], self.world.v6["b"]}
        while not self.is_over.is_set():
            try:
                data, where = self.sock.recvfrom(2048)
            except TimeoutError:
                continue
            packet = packets.parse(data)
            if where[2] != packets.PACKET_HOST or not packet or packet[3] != packets.TCP or \
                    packet[2] not in mine or packet[5][13] != packets.SYN:
                continue
            _, src, dst, _, _, body = packet
            sport, dport, seq = struct.unpack_from("!HHI", body)
            if dport != 80:
                packets.send(self.world.lab, FW, [packets.tcp(
                    dst, src, dport, sport, self.flags, 7, seq + 1 & 0xffffffff)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
