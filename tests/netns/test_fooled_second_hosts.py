# SPDX-License-Identifier: Apache-2.0
"""Attempts to fool a run by who is meant: two VPCs with the same addresses, and services that must
notice nothing of a run. See fooling.py.

Run: python3 tests/netns/test_fooled_second_hosts.py (root; says skipped where it cannot be done)."""
import json
import socket
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
from fooling import FAST, OPEN, Fooled, firewall  # noqa: E402
from harness import FAMILIES, Case, World  # noqa: E402
from packets import ACK, SYN, TCP, UDP, Capture  # noqa: E402

PROTOS = ("tcp", "udp")
HOLES = {"one": 2001, "two": 2002}
DENIED = (2001, 2002, 2003)


class Overlap(Case):
    """Two VPCs that nothing connects, with the same subnets and the same addresses: in each a and b
    around a firewall of its own, and in each firewall another hole."""

    @classmethod
    def build(cls):
        """The second world's hosts are in the first one's lab: a2, b2, fw2."""
        world = World("twin", {"left": ["a"], "right": ["b"]})
        lab = world.lab
        lab.add_ns("fw2", router=True)
        lab.sysctl("fw2", **{"net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0})
        for n, host in ((1, "a"), (2, "b")):
            twin = host + "2"
            lab.add_ns(twin)
            lab.sysctl(twin, **{"net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0})
            lab.veth(twin, "eth0", "fw2", twin)
            lab.addr(twin, "eth0", f"{world.v4[host]}/24", f"{world.v6[host]}/64")
            lab.addr("fw2", twin, f"10.60.{n}.1/24", f"fd00:60:{n}::1/64")
            lab.route(twin, f"default via 10.60.{n}.1", f"default via fd00:60:{n}::1")
        return world

    def setUp(self):
        self.lab = self.world.lab

    def hole(self, host, port):
        self.lab.nft(host, firewall(f"meta l4proto {{ tcp, udp }} th dport {port} accept"))

    def topology(self):
        w, out = self.world, ["segproof: 1", "name: twins", "networks:"]
        for vpc in HOLES:
            out += [f'  {vpc}: {{ kind: vpc, cidr: [10.60.0.0/16, "fd00:60::/32"] }}']
            out += [f'  {vpc}-{side}: {{ in: {vpc}, kind: subnet, cidr: [10.60.{n}.0/24, '
                    f'"fd00:60:{n}::/64"] }}' for n, side in ((1, "left"), (2, "right"))]
        out.append("hosts:")
        for vpc, suffix in (("one", ""), ("two", "2")):
            out += [f"  {vpc}-{host}: {{ network: {vpc}-{side}, address: {w.addresses[host]}, "
                    f"probe: {{ via: netns, name: {self.lab.ns(host + suffix)} }} }}"
                    for host, side in (("a", "left"), ("b", "right"))]
        out.append("policies:")
        for vpc in HOLES:
            out += [f"  - {{ name: ok-{vpc}, from: {vpc}-a, to: {vpc}-b, allow: [tcp/80, udp/80, "
                    "icmp/echo, icmp6/echo] }",
                    *[f"  - {{ name: d-{vpc}-{port}, from: {vpc}-a, to: {vpc}-b, deny: "
                      f"[tcp/{port}, udp/{port}] }}" for port in DENIED]]
        return "\n".join(out) + "\nisolation: [ [one, two] ]\nlimits: { max_rate: 1000 }\n"

    def forget_neighbours(self):
        """What was learnt through a cable must not outlive it."""
        for ns in ("fw", "fw2", "a", "b", "a2", "b2"):
            for family in ("-4", "-6"):
                self.lab.run(ns, ["ip", family, "neigh", "flush", "nud", "all"], check=True)

    def run_both(self):
        return self.world.verify(self.topology(), "--from", "one-a,two-a", "--to", "one-b,two-b")

    def reaches(self, ns, proto, port):
        return Fooled.reaches(self, ns, "b", "ipv4", proto, port)

    def cross_is_not_tested(self, run):
        for source, target in (("one-a", "two-b"), ("two-a", "one-b")):
            for family in FAMILIES:
                for proto in PROTOS:
                    row = run.pair(source, target, family, proto)
                    self.assertTrue(row is None or row["tests"] == 0, row)
        self.assertIn("ambiguous address", " ".join(run.untested()), run.data["not_tested"])

    def test_each_hole_in_its_own_vpc(self):
        self.hole("fw", HOLES["one"])
        self.hole("fw2", HOLES["two"])
        for ns, open_port, closed in (("a", 2001, 2002), ("a2", 2002, 2001)):
            self.assertTrue(self.reaches(ns, "tcp", open_port), "there is no hole")
            self.assertFalse(self.reaches(ns, "tcp", closed))
        run = self.run_both()
        for vpc, hole in HOLES.items():
            for family in FAMILIES:
                for proto in PROTOS:
                    for port in DENIED:
                        self.check(run, (f"{vpc}-a", f"{vpc}-b", family, proto, port),
                                   "leak" if port == hole else "holds")
        self.cross_is_not_tested(run)
        self.assertEqual(run.code, 1)
        for item in run.data["findings"]:
            self.assertEqual(item["from"][:3], item["to"][:3], item)

    def test_both_closed(self):
        """The healthy twin."""
        self.lab.nft("fw", firewall(""))
        self.lab.nft("fw2", firewall(""))
        run = self.run_both()
        for vpc in HOLES:
            for family in FAMILIES:
                for proto in PROTOS:
                    for port in DENIED:
                        self.check(run, (f"{vpc}-a", f"{vpc}-b", family, proto, port), "holds", 7)
        self.cross_is_not_tested(run)
        self.assertEqual((run.code, run.data["findings"]), (0, []), run.err + run.out)

    def test_a_cable_between_them(self):
        """A bridge joins both right-hand segments: who has the address is a matter of chance. No
        denied port that one of the two b gets may hold."""
        self.lab.nft("fw", OPEN)
        self.lab.nft("fw2", OPEN)
        self.addCleanup(self.forget_neighbours)  # after the cable is gone
        done = self.lab.run("fw", ["ip", "link", "add", "wrong", "type", "veth", "peer", "name",
                                   "wrong", "netns", self.lab.ns("fw2")])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(self.lab.run, "fw", ["ip", "link", "del", "wrong"])
        for ns in ("fw", "fw2"):
            self.lab.run(ns, ["ip", "link", "set", "wrong", "up"], check=True)
        self.lab.run("fw", ["ip", "link", "set", "wrong", "master", "right"], check=True)
        self.lab.run("fw2", ["ip", "addr", "add", "10.60.2.2/24", "dev", "wrong"], check=True)
        for where in (["10.60.2.0/25", "dev", "wrong"],):  # more specific than b2's own cable
            self.lab.run("fw2", ["ip", "route", "add", *where], check=True)
        with Capture(self.lab, ["b"]) as capture:  # its answer goes to a, who has a2's address
            self.assertFalse(self.reaches("a2", "udp", 2001))
            self.assertTrue(any(p.dport == 2001 and p.payload == b"real"
                                for p in capture.read(0.1)), "there is no hole")
        run = self.run_both()
        self.assertEqual(run.code, 1, run.err + run.out)
        for vpc in HOLES:
            for family in FAMILIES:
                for proto in PROTOS:
                    for port in DENIED:
                        fact = run.fact(f"{vpc}-a", f"{vpc}-b", family, proto, port)
                        self.assertIn(fact.verdict, ("leak", "inconclusive"), f"{fact}{run.out}")
                        if vpc == "two" and family == "ipv4" and fact.verdict == "leak":
                            self.assertIn(fact.where, ("one-b", None), run.out)


SERVICE = """
import json, selectors, socket, sys
ready = selectors.DefaultSelector()
for proto, port in json.loads(sys.argv[1]):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    if proto == "tcp": sock.listen(64)
    ready.register(sock, selectors.EVENT_READ, (proto, port))
print("ready", flush=True)
while True:
    for key, _ in ready.select():
        proto, port = key.data
        if proto == "tcp":
            peer, address = key.fileobj.accept()
            peer.settimeout(0.2)
            try: data = peer.recv(2048)
            except OSError: data = b""
            peer.close()
        else:
            data, address = key.fileobj.recvfrom(2048)
        print(json.dumps([proto, port, len(data)]), flush=True)
"""


class FooledService(Fooled):
    """Real services, behind denied ports that are open by mistake and behind allowed ones, log every
    connection and every datagram. A run must leave nothing in their log, unless the owner said
    `data: ok`."""

    SERVED = [["tcp", 2001], ["udp", 2001], ["tcp", 80], ["udp", 81], ["udp", 53]]
    POLICIES = ["name: web, from: a, to: b, allow: [tcp/80, udp/80, udp/81, icmp/echo, icmp6/echo]",
                "name: dns, from: a, to: b, allow: [dns]",
                *[f"name: closed-{port}, from: a, to: b, deny: [tcp/{port}, udp/{port}]"
                  for port in (2001, 2002)]]

    def measure(self, data_ok):
        """(the run, the log, what was captured at b)."""
        child = self.lab.popen("b", [sys.executable, "-c", SERVICE, json.dumps(self.SERVED)],
                               stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.terminate)
        self.assertEqual(child.stdout.readline().strip(), "ready")
        more = f"services:\n  dns: {{ ports: [udp/53], data: {'ok' if data_ok else 'no'} }}\n"
        if not data_ok:
            more = "services:\n  dns: [udp/53]\n"
        with Capture(self.lab, ["b"]) as capture:
            run = self.world.verify(self.world.topology(self.POLICIES, limits=FAST, more=more),
                                    "--from", "a", "--to", "b")
            seen = capture.read(0.2)
            self.assertEqual(capture.drops(), 0)
        time.sleep(0.3)
        self.assertIsNone(child.poll())
        child.terminate()
        log = [json.loads(line) for line in child.stdout.read().splitlines()]
        child.stdout.close()
        return run, log, seen

    def prove_logging(self):
        """The service does log what an ordinary program does."""
        with self.lab.inside("a"):
            with socket.socket() as sock, socket.socket(type=socket.SOCK_DGRAM) as dgram:
                sock.settimeout(2)
                sock.connect((self.world.v4["b"], 2001))
                dgram.sendto(b"real", (self.world.v4["b"], 2001))

    def untouched(self, log, seen, ports):
        self.assertEqual([line for line in log if [*line[:2]] in ports], [])
        for p in seen:
            if p.way != "in" or [("tcp" if p.proto == TCP else "udp"), p.dport] not in ports:
                continue
            self.assertEqual(p.proto, TCP, p)
            self.assertEqual(p.payload, b"", p)
            self.assertFalse(p.flags & ACK and not p.flags & 4, f"a handshake was completed: {p}")
        self.assertTrue(any(p.proto == TCP and p.dport == 2001 and p.flags == SYN for p in seen))

    def test_nothing_but_syns(self):
        """Measured: two SYNs (and the sender's own RSTs) per denied port, none accepted; no
        datagram, because UDP to a service is not tested without leave."""
        self.lab.nft("fw", OPEN)
        run, log, seen = self.measure(False)
        self.untouched(log, seen, self.SERVED)
        for family in FAMILIES:
            self.check(run, ("a", "b", family, "tcp", 2001), "leak", 1)
            for port in (2001, 81, 53):
                fact = run.fact("a", "b", family, "udp", port)
                self.assertIn(fact.verdict, ("absent", "not_tested", "not_observable"), fact)
        self.assertIn("a real service listens there", " ".join(run.untested()))

    def test_closed_and_untouched(self):
        """The healthy twin: behind a closed firewall the denied ports hold, UDP without a word."""
        self.lab.nft("fw", firewall("udp dport { 53, 81 } accept"))
        run, log, seen = self.measure(False)
        self.assertEqual(log, [])
        for family in FAMILIES:
            self.check(run, ("a", "b", family, "tcp", 2001), "holds", 7)
            self.check(run, ("a", "b", family, "udp", 2002), "holds", 7)
            self.check(run, ("a", "b", family, "tcp", 80), "holds", 14)
        self.assertEqual([p for p in seen if p.proto == UDP and p.way == "in"
                          and p.dport in (53, 81, 2001)], [])

    def test_with_the_owners_leave(self):
        """`data: ok`: the datagrams come, to that service and no other."""
        self.lab.nft("fw", OPEN)
        run, log, seen = self.measure(True)
        self.untouched(log, seen, [item for item in self.SERVED if item != ["udp", 53]])
        self.assertEqual({(proto, port) for proto, port, size in log if size > 0}, {("udp", 53)})
        for family in FAMILIES:
            self.assertNotIn(run.fact("a", "b", family, "udp", 53).verdict, ("absent",))

    def test_the_log_is_real(self):
        self.lab.nft("fw", OPEN)
        child = self.lab.popen("b", [sys.executable, "-c", SERVICE, json.dumps(self.SERVED)],
                               stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.terminate)
        self.assertEqual(child.stdout.readline().strip(), "ready")
        self.prove_logging()
        lines = {tuple(json.loads(child.stdout.readline())) for _ in range(2)}
        child.stdout.close()
        self.assertEqual(lines, {("tcp", 2001, 0), ("udp", 2001, 4)})


if __name__ == "__main__":
    unittest.main(verbosity=2)
