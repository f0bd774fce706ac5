# SPDX-License-Identifier: Apache-2.0
"""Every row of the verdict table, reached by a rule of a real firewall: TCP, UDP and echo, IPv4 and
IPv6, raw and link injection. Which mechanism stopped a flow that holds is shown by the counter of
the rule that did it. At the end: how many cases reached each row, per family.

Run: python3 tests/netns/test_rows.py (root; says skipped where the machine cannot do it)."""
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World  # noqa: E402

PROXY, ECHOING = 9999, 9998  # ports of the firewall's own listeners
ANSWER = """
import selectors, socket
ready = selectors.DefaultSelector()
for port in (9998, 9999):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        sock = socket.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", port))
        if kind == socket.SOCK_STREAM: sock.listen(64)
        sock.setblocking(False)
        ready.register(sock, selectors.EVENT_READ, (kind, port))
print("ready", flush=True)
while True:
    for key, _ in ready.select():
        try:
            if key.data[0] == socket.SOCK_STREAM: key.fileobj.accept()[0].close()
            else:
                data, peer = key.fileobj.recvfrom(2048)
                key.fileobj.sendto(data if key.data[1] == 9998 else b"proxy", peer)
        except OSError: pass
"""


def both(ports):
    """"2001, 2003" as nftables matches for TCP and UDP."""
    return f"meta l4proto {{ tcp, udp }} th dport {{ {ports} }}"


def start_proxy(world):
    child = world.lab.popen(FW, [sys.executable, "-c", ANSWER], stdout=-1, text=True)
    if child.stdout.readline().strip() != "ready":
        raise AssertionError("the firewall's listeners did not start")
    child.stdout.close()


class PortRows(Case):
    """TCP and UDP: one host, and one rule per port."""

    inject = "raw"
    POLICIES = [
        "name: ok, from: a, to: b, allow: [tcp/80, udp/80, icmp/echo, icmp6/echo]",
        "name: ok-82, from: a, to: b, allow: [tcp/82, udp/82]",
        *[f"name: d{port}, from: a, to: b, deny: [tcp/{port}, udp/{port}]"
          for port in (2001, 2002, 2003, 2005, 2006, 2007, 2015, 2016)],
        "name: d2017, from: a, to: b, deny: [tcp/2017, udp/2017], action: reject",
        *[f"name: a{port}, from: a, to: b, allow: [tcp/{port}, udp/{port}]"
          for port in (3008, 3009, 3010, 3011, 3012, 3013, 3018, 3028, 3110, 3112, 3210)],
        *[f"name: p{port}, from: a, to: b, permit: [tcp/{port}, udp/{port}]"
          for port in (4001, 4002, 4011)],
        "name: to-c, from: a, to: c, allow: [tcp/80, udp/80]",
        "name: ok-h, from: a, to: h, allow: [tcp/80, udp/80]",
        *[f"name: h{port}, from: a, to: h, deny: [tcp/{port}, udp/{port}]"
          for port in (2001, 2008, 2009, 2010, 2011)],
        "name: ok-d, from: a, to: d, allow: [tcp/5001, tcp/5004, udp/5004]",
        *[f"name: o{port}, from: a, to: d, deny: [tcp/{port}]" for port in (5002, 5003, 5005)],
        "name: o5003u, from: a, to: d, deny: [udp/5003]",
    ]
    MORE = "enforcement:\n  own: { between: [left, own], layer: host }\n"

    @classmethod
    def build(cls):
        world = World("rows", {"left": ["a"], "right": ["b", "c", "d"], "own": ["h"]})
        world.probes["d"] = "none"
        return world

    @classmethod
    def rules(cls):
        world, c, d = cls.world, "c", "d"
        count = "\n".join(f" counter n{name} {{ }}" for name in (2005, 2006, 2007, 2011, 2015,
                                                                 2016, 2017, 3010, 5003))
        nat = "\n".join(
            f"  {family} daddr {world.address('b', name)} {both('2002, 3008')} "
            f"dnat {family} to {world.address(c, name)}\n"
            f"  {family} daddr {world.address('b', name)} meta l4proto {{ tcp, udp }} "
            f"th dport 3028 dnat {family} to {at % world.address('b', name)}:3029"
            for name, family, at in (("ipv4", "ip", "%s"), ("ipv6", "ip6", "[%s]")))
        snat = "\n".join(f"  meta l4proto {{ tcp, udp }} th dport 3018 snat {family} to {at}"
                         for family, at in (("ip", world.net4["right"] + ".1"),
                                            ("ip6", world.net6["right"] + "::1")))
        one = "\n".join(f"  {family} daddr {world.address(d, name)} {rule}" for name, family in
                        (("ipv4", "ip"), ("ipv6", "ip6"))
                        for rule in ("tcp dport 5002 accept", "tcp dport 5001 accept",
                                     "th dport 5003 counter name n5003 drop"))
        return f"""table inet rows {{
{count}
 chain pre {{
  type nat hook prerouting priority dstnat; policy accept;
{nat}
  meta l4proto tcp th dport {{ 2005, 3009, 5005 }} counter name n2005 redirect to :{PROXY}
  meta l4proto udp th dport {{ 2005, 3009 }} counter name n2005 redirect to :{PROXY}
  {both(2015)} counter name n2015 redirect to :{ECHOING}
 }}
 chain post {{
  type nat hook postrouting priority srcnat; policy accept;
{snat}
 }}
 chain out {{
  type filter hook output priority 0; policy accept;
  tcp sport {{ 2016, 2017 }} tcp flags & rst == rst ip ttl set 63
  tcp sport {{ 2016, 2017 }} tcp flags & rst == rst ip6 hoplimit set 63
 }}
 chain through {{
  type filter hook forward priority 0; policy drop;
  meta l4proto {{ tcp, udp }} th sport 3012 drop
  ct state established,related accept
{one}
  meta l4proto {{ icmp, ipv6-icmp }} accept
  {both("80, 82, 2001, 2002, 2003, 2008, 2009, 2010")} accept
  {both("3008, 3011, 3012, 3018, 3029, 3112, 3210, 4002, 4011")} accept
  ip version 4 {both(3013)} numgen inc mod 3 != 0 accept
  meta nfproto ipv6 {both(3013)} numgen inc mod 3 != 0 accept
  tcp dport {{ 2006, 3110 }} counter name n2006 reject with tcp reset
  udp dport {{ 2006, 3110 }} counter name n2006 reject with icmpx admin-prohibited
  tcp dport 2016 counter name n2016 reject with tcp reset
  tcp dport 2017 counter name n2017 reject with tcp reset
  udp dport 2017 counter name n2017 reject with icmpx admin-prohibited
  {both(2007)} counter name n2007 drop
  {both(2011)} counter name n2011 drop
  {both(3010)} counter name n3010 drop
 }}
}}
"""

    HOSTS = {
        "a": "table inet own {\n chain out {\n  type filter hook output priority 0;\n"
             f"  {both('2003, 2009, 3210')} drop\n }}\n}}\n",
        "b": "table inet own {\n counter seen { }\n chain in {\n"
             f"  type filter hook input priority 0;\n  {both('3011, 4011')} drop\n }}\n"
             " chain out {\n  type filter hook output priority 0;\n"
             "  meta l4proto { tcp, udp } th sport 3112 drop\n }\n}\n",
        "h": "table inet own {\n counter n2008 { }\n counter n2010 { }\n chain in {\n"
             f"  type filter hook input priority 0;\n  {both('2008, 2009')} counter name n2008 drop"
             f"\n  {both(2010)} counter name n2010 reject with icmpx admin-prohibited\n }}\n}}\n",
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.world.lab
        lab.nft(FW, cls.rules())
        for host, text in cls.HOSTS.items():
            lab.nft(host, text)
        lab.listen({"b": ["tcp/82"], "d": ["tcp/5001", "tcp/5002"]})
        start_proxy(cls.world)
        topology = cls.world.topology(cls.POLICIES, more=cls.MORE)
        cls.run_ = cls.world.verify(topology, "--from", "a", "--inject", cls.inject)
        cls.counted = lab.nft_counters(FW)
        cls.counted_h = lab.nft_counters("h")

    def each(self, to, port, verdict, row=None, protos=("tcp", "udp"), **how):
        for proto in protos:
            for family in FAMILIES:
                with self.subTest(proto=proto, family=family, port=port):
                    fact = self.check(self.run_, ("a", to, family, proto, port), verdict, row,
                                      **how)
        return fact

    def by_rule(self, *counters, where=None):
        """The rules that were to stop the flow did meet it."""
        for name in counters:
            self.assertGreaterEqual((where or self.counted)[name], 4, name)

    def test_the_run_ends_with_findings(self):
        self.assertEqual(self.run_.code, 1, self.run_.err + self.run_.out)
        self.assertEqual(self.run_.summary["probes_failed"], 0)
        self.assertEqual(self.run_.summary["capture_drops"], 0)

    def test_01_a_denied_port_that_is_open_leaks(self):
        self.each("b", 2001, "leak", 1, control="pair")

    def test_01_a_denied_port_that_the_host_lets_in_leaks_at_the_host_layer(self):
        self.each("h", 2001, "leak", 1, control="pair")

    def test_02_a_denied_port_translated_to_another_host_leaks_there(self):
        for proto in ("tcp", "udp"):
            for family in FAMILIES:
                with self.subTest(proto=proto, family=family):
                    fact = self.check(self.run_, ("a", "b", family, proto, 2002), "leak", 2)
                    self.assertEqual((fact.where, fact.receiver), ("c", "elsewhere"))

    def test_04_the_senders_own_policy(self):
        if self.inject == "link":  # goes past that policy: the network is tested
            self.each("b", 2003, "leak", 1)
            self.each("h", 2009, "holds", 7)
        else:
            self.each("b", 2003, "inconclusive", 4, reason="own firewall")
            self.each("h", 2009, "holds", 4)

    def test_05_a_denied_port_that_the_firewall_answers_itself_is_proxied(self):
        self.each("b", 2005, "proxied", 5, by="answerer")
        self.by_rule("n2005")

    def test_05_a_firewall_that_sends_our_own_bytes_back_is_a_proxy_too(self):
        self.each("b", 2015, "proxied", 5, by="answerer")
        self.by_rule("n2015")

    def test_06_rejected_before_the_destination_holds(self):
        self.each("b", 2006, "holds", 6, control="pair")
        self.by_rule("n2006")

    def test_06_a_rejection_that_nothing_places_is_inconclusive(self):
        self.each("b", 2016, "inconclusive", 6, protos=("tcp",), reason="nothing shows by whom")
        self.by_rule("n2016")

    def test_06_a_declared_rejection_holds(self):
        self.each("b", 2017, "holds", 6, control="pair")
        self.by_rule("n2017")

    def test_07_dropped_in_the_path_holds(self):
        self.each("b", 2007, "holds", 7, control="pair")
        self.each("h", 2011, "holds", 7, control="pair")
        self.by_rule("n2007", "n2011")

    def test_07_dropped_or_rejected_by_the_host_holds_at_the_host_layer(self):
        self.each("h", 2008, "holds", 7, control="pair")
        self.each("h", 2010, "holds", 7, control="pair")
        self.by_rule("n2008", "n2010", where=self.counted_h)

    def test_08_allowed_but_translated_is_misdelivered(self):
        self.each("b", 3008, "misdelivered", 8)
        self.each("b", 3018, "misdelivered", 8)
        self.each("b", 3028, "misdelivered", 8)
        facts = [self.run_.fact("a", "b", "ipv4", "tcp", port) for port in (3008, 3018, 3028)]
        self.assertEqual([fact.receiver for fact in facts],
                         ["elsewhere", "rewritten", "rewritten"])
        self.assertEqual(facts[0].where, "c")

    def test_09_allowed_but_answered_by_the_firewall_is_proxied(self):
        self.each("b", 3009, "proxied", 9, by="answerer")

    def test_10_dropped_rejected_or_refused_by_the_sender_is_blocked(self):
        self.each("b", 3010, "blocked", 10, by="path")
        self.each("b", 3110, "blocked", 10, by="answerer")
        if self.inject == "link":
            self.each("b", 3210, "holds", 14)
        else:
            self.each("b", 3210, "blocked", 10, by="sender")
        self.by_rule("n3010")

    def test_11_dropped_by_the_receivers_input_is_host_filtered(self):
        self.each("b", 3011, "host_filtered", 11, by="receiver")

    def test_12_a_lost_answer_is_return_blocked(self):
        self.each("b", 3012, "return_blocked", 12, by="path")
        self.each("b", 3112, "return_blocked", 12, by="receiver")

    def test_13_a_third_lost_is_partial(self):
        self.each("b", 3013, "partial", 13, by="path")

    def test_14_allowed_and_answered_holds(self):
        self.each("b", 80, "holds", 14)  # closed: RST; UDP: the crafted reply
        self.each("b", 82, "holds", 14)  # TCP: SYN/ACK of a listener
        self.each("h", 80, "holds", 14)
        for family, proto in (("ipv4", "icmp"), ("ipv6", "icmp6")):
            self.check(self.run_, ("a", "b", family, proto, "echo"), "holds", 14)

    def test_a_permit_that_does_not_work_is_a_note(self):
        self.each("b", 4001, "blocked", 10, note=True)
        self.each("b", 4011, "host_filtered", 11, note=True)
        self.each("b", 4002, "holds", 14)

    def test_15_a_denied_service_of_a_target_without_a_probe(self):
        # A conversation without data was held with it, see test_unmask.py.
        self.each("d", 5002, "leak", 15, protos=("tcp",))

    def test_16_a_denied_service_without_a_probe_behind_a_proxy(self):
        self.each("d", 5005, "proxied", 16, protos=("tcp",), by="answerer")

    def test_17_denied_and_silent_is_not_observable(self):
        self.each("d", 5003, "not_observable", 17)
        self.by_rule("n5003")

    def test_18_allowed_and_answered_without_a_probe_holds(self):
        self.each("d", 5001, "holds", 18, protos=("tcp",))

    def test_19_allowed_and_silent_without_a_probe_is_inconclusive(self):
        self.each("d", 5004, "inconclusive", 19, reason="did not answer")


class PortRowsLink(PortRows):
    """The same, past the sender's own OUTPUT policy."""

    inject = "link"


class EchoRows(Case):
    """ICMP and ICMPv6 echo: one rule per receiver."""

    inject = "raw"
    DENIED = {"e1": "open", "e2": "to-e1", "e3": "proxy", "e4": "reject", "e5": "drop",
              "e6": "sender"}
    ALLOWED = {"e7": "open", "e8": "drop", "e9": "input", "e10": "no-reply", "e11": "third",
               "e12": "reject", "e13": "to-e1", "e14": "proxy", "e15": "sender", "e16": "output"}

    @classmethod
    def build(cls):
        return World("echo", {"left": ["a"], "right": [*cls.DENIED, *cls.ALLOWED]})

    @classmethod
    def rules(cls):
        nat, fwd, out = [], [], []
        for host, fate in (*cls.DENIED.items(), *cls.ALLOWED.items()):
            for family, ip, gate in (("ipv4", "ip", cls.world.net4["right"] + ".1"),
                                     ("ipv6", "ip6", cls.world.net6["right"] + "::1")):
                at = f"{ip} daddr {cls.world.address(host, family)}"
                if fate in ("to-e1", "proxy"):
                    where = cls.world.address("e1", family) if fate == "to-e1" else gate
                    kind = ("icmp type echo-request" if ip == "ip" else "icmpv6 type echo-request")
                    nat.append(f"{at} {kind} dnat {ip} to {where}")
                elif fate == "sender":
                    out.append(f"{at} meta l4proto {{ icmp, ipv6-icmp }} drop")
                    fwd.append(f"{at} accept")
                elif fate == "no-reply":
                    fwd.append(at.replace("daddr", "saddr") + " drop")
                    fwd.append(f"{at} accept")
                elif fate in ("open", "input", "output"):
                    fwd.append(f"{at} accept")
                elif fate == "third":
                    fwd.append(f"{at} numgen inc mod 3 != 0 accept")
                elif fate == "reject":
                    fwd.append(f"{at} reject with icmpx admin-prohibited")
                else:
                    fwd.append(f"{at} drop")
        first = [rule for rule in fwd if "saddr" in rule]
        lines = "\n".join
        cls.world.lab.nft(FW, "table inet rows {\n chain pre {\n  type nat hook prerouting "
                          f"priority dstnat;\n{lines(nat)}\n }}\n chain through {{\n  type filter hook "
                          f"forward priority 0; policy drop;\n{lines(first)}\n  "
                          f"ct state established,related accept\n{lines(fwd)}\n }}\n}}\n")
        cls.world.lab.nft("a", "table inet own {\n chain out {\n  type filter hook output "
                          f"priority 0;\n{lines(out)}\n }}\n}}\n")
        cls.world.lab.nft("e9", "table inet own {\n chain in {\n type filter hook input priority 0;"
                          "\n icmp type echo-request drop\n icmpv6 type echo-request drop\n }\n}\n")
        cls.world.lab.nft("e16", "table inet own {\n chain out {\n type filter hook output "
                          "priority 0;\n icmp type echo-reply drop\n icmpv6 type echo-reply drop\n"
                          " }\n}\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rules()
        topology = cls.world.topology(
            [f"name: ok, from: a, to: [{', '.join(cls.ALLOWED)}], allow: [icmp/echo, icmp6/echo]"])
        cls.run_ = cls.world.verify(topology, "--from", "a", "--only", "icmp_echo", "--inject",
                                    cls.inject)

    def both(self, host, verdict, row, **how):
        for family, proto in (("ipv4", "icmp"), ("ipv6", "icmp6")):
            with self.subTest(family=family, host=host):
                self.check(self.run_, ("a", host, family, proto, "echo"), verdict, row, **how)

    def test_denied(self):
        good = ("split", "self")
        self.assertEqual(self.run_.code, 1, self.run_.err + self.run_.out)
        self.both("e1", "leak", 1)
        self.both("e2", "leak", 2)
        self.both("e3", "proxied", 5, by="answerer")
        self.both("e4", "holds", 6, control=good)
        self.both("e5", "holds", 7, control=good)
        if self.inject == "link":
            self.both("e6", "leak", 1)
        else:
            self.both("e6", "inconclusive", 4, reason="own firewall")

    def test_allowed(self):
        self.both("e7", "holds", 14)
        self.both("e8", "blocked", 10, by="path")
        self.both("e9", "host_filtered", 11, by="receiver")
        self.both("e10", "return_blocked", 12, by="path")
        self.both("e11", "partial", 13, by="path")
        self.both("e12", "blocked", 10, by="answerer")
        self.both("e13", "misdelivered", 8)
        self.both("e14", "proxied", 9, by="answerer")
        self.both("e16", "return_blocked", 12, by="receiver")
        if self.inject == "link":
            self.both("e15", "holds", 14)
        else:
            self.both("e15", "blocked", 10, by="sender")


class EchoRowsLink(EchoRows):
    inject = "link"


if __name__ == "__main__":
    unittest.main(verbosity=2)
