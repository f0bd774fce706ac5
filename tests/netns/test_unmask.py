# SPDX-License-Identifier: Apache-2.0
"""Who answers for others: a SYN proxy of the kernel, a transparent relay, a tarpit. Every case is a
port of its own behind one firewall, with a probe at the receiver (UnmaskProbes) and without one
(UnmaskOneSided). Services log every connection and every byte: those that are not marked
`data: ok` must see none of ours.

Run: python3 tests/netns/test_unmask.py (root; says skipped where the machine cannot do it)."""
import array
import collections
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World, has_port  # noqa: E402

SERVICE = """
import json, selectors, socket, sys
ready = selectors.DefaultSelector()
for port in json.loads(sys.argv[1]):
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", port))
    sock.listen(64)
    sock.setblocking(False)
    ready.register(sock, selectors.EVENT_READ, port)
print("ready", flush=True)
peers = {}
while True:
    for key, _ in ready.select():
        if key.fileobj not in peers:
            peer, _ = key.fileobj.accept()
            peers[peer] = True
            ready.register(peer, selectors.EVENT_READ, key.data)
            print(json.dumps([key.data, 0]), flush=True)
            continue
        try:
            data = key.fileobj.recv(4096)
            if data: key.fileobj.send(b"ok")
        except OSError: data = b""
        if data:
            print(json.dumps([key.data, len(data)]), flush=True)
        else:
            ready.unregister(key.fileobj)
            del peers[key.fileobj]
            key.fileobj.close()
"""

# Takes a connection, calls the host behind it, and passes data on both ways.
RELAY = """
import socket, sys, threading
def pump(one, other):
    try:
        while data := one.recv(4096): other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError: pass
def serve(peer, port):
    v6 = not peer.getsockname()[0].startswith("::ffff:")
    try: back = socket.create_connection((sys.argv[2 if v6 else 1], port), 3)
    except OSError:
        peer.close()
        return
    threading.Thread(target=pump, args=(peer, back), daemon=True).start()
    pump(back, peer)
def front(port, at):
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", at))
    sock.listen(64)
    def work():
        while True:
            threading.Thread(target=serve, args=(sock.accept()[0], port), daemon=True).start()
    return threading.Thread(target=work)
fronts = [front(int(port), int(port) + 7000) for port in sys.argv[3:]]
print("ready", flush=True)
for thread in fronts: thread.start()
"""

# Takes every connection and every byte, and never says a word.
TARPIT = """
import socket, threading
sock = socket.socket(socket.AF_INET6)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
sock.bind(("::", 9999))
sock.listen(64)
print("ready", flush=True)
def sink(peer):
    try:
        while peer.recv(4096): pass
    except OSError: pass
while True:
    threading.Thread(target=sink, args=(sock.accept()[0],), daemon=True).start()
"""


def ports(numbers):
    return "{ " + ", ".join(map(str, numbers)) + " }"


def ethtool(lab, ns, dev, command, on):
    """SIOCETHTOOL in a namespace."""
    value = array.array("I", [command, on])
    with lab.socket(ns, socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8946, struct.pack("16sP", dev.encode(), value.buffer_info()[0]))


def synproxy(lab, numbers, closed, more=""):
    """nft's synproxy in front of some ports, of which it cannot open the back side of `closed`.

    It sums IPv6 packets that nobody checked yet as if they were IPv4 (Linux 6.18) and drops them:
    so the firewall checks sums on reception (gro on), which hardware does too."""
    ethtool(lab, "a", "eth0", 0x1f, 0)
    ethtool(lab, FW, "a", 0x2c, 1)
    lab.sysctl(FW, **{"net.netfilter.nf_conntrack_tcp_loose": 0, "net.ipv4.tcp_syncookies": 1,
                      "net.ipv4.tcp_timestamps": 1})
    done = lab.run(FW, ["nft", "-f", "-"], input=f"""table inet proxy {{
 chain before {{
  type filter hook prerouting priority raw; policy accept;
  iifname left tcp dport {ports(numbers)} tcp flags syn / fin,syn,rst,ack notrack
 }}
 chain through {{
  type filter hook forward priority 0; policy drop;
  tcp dport {ports(numbers)} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
  {more}
  ct state established,related accept
  tcp dport {ports(numbers)} ct state new accept
  meta l4proto {{ tcp, udp }} th dport 80 accept
  meta l4proto {{ icmp, ipv6-icmp }} accept
 }}
 chain out {{
  type filter hook output priority 10; policy accept;
  oifname right tcp dport {ports(closed)} drop
 }}
}}
""")
    if done.returncode != 0:
        raise unittest.SkipTest("no synproxy in this kernel: " + done.stderr.strip()[:200])


class Unmask(Case):
    """Starts programs, keeps their log, and counts what services were told."""

    @classmethod
    def program(cls, host, text, *argv):
        child = cls.world.lab.popen(host, [sys.executable, "-c", text, *map(str, argv)],
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        if child.stdout.readline().strip() != b"ready":
            raise AssertionError(f"a program on {host} did not start")
        os.set_blocking(child.stdout.fileno(), False)
        cls.addClassCleanup(child.stdout.close)
        return child

    @classmethod
    def log(cls, child):
        """{port: [connections, bytes]} since the last look; the probes' whole batches are over."""
        time.sleep(0.3)
        told = collections.defaultdict(lambda: [0, 0])
        for line in (child.stdout.read() or b"").splitlines():
            port, size = json.loads(line)
            told[port][0] += size == 0
            told[port][1] += size
        return told

    def each(self, to, port, verdict, row=None, **how):
        for family in FAMILIES:
            with self.subTest(to=to, port=port, family=family):
                fact = self.check(self.run_, ("a", to, family, "tcp", port), verdict, row, **how)
        return fact

    def path(self, to, port):
        """What the JSON says answers on the path, per family: of findings, or of pairs."""
        out = set()
        for family in FAMILIES:
            flow = ("a", to, family, "tcp")
            found = self.run_._flows("findings", flow, port)
            pair = self.run_.pair(*flow)
            out.add(found[0]["observed"]["path"] if found else
                    "syn_proxy" if has_port(pair["syn_proxy"], port) else None)
        return out.pop() if len(out) == 1 else out

    def words(self, to, port):
        found = self.run_._flows("findings", ("a", to, "ipv4", "tcp"), port)
        return found[0]["cause"]


class UnmaskProbes(Unmask):
    """a -- fw -- b, with a probe on both."""

    NOTHING, DATA_OK, REAL, SHUT, ALLOW, ALLOW_MUTE, ALLOW_SHUT, ALLOW_OK, ALLOW_REAL = range(2001,
                                                                                            2010)
    RELAY_NOTHING, RELAY_OK, RELAY_REAL, TARPIT, ALLOW_TARPIT, ALLOW_RELAY = range(2101, 2107)
    DENIED = (NOTHING, DATA_OK, REAL, SHUT, RELAY_NOTHING, RELAY_OK, RELAY_REAL, TARPIT)
    ALLOWED = (ALLOW, ALLOW_MUTE, ALLOW_SHUT, ALLOW_OK, ALLOW_REAL, ALLOW_TARPIT, ALLOW_RELAY)
    SERVED = (DATA_OK, REAL, ALLOW_OK, ALLOW_REAL, RELAY_OK, RELAY_REAL, ALLOW_RELAY)
    OK = (DATA_OK, ALLOW_OK, RELAY_OK, ALLOW_RELAY)

    @classmethod
    def build(cls):
        return World("unmask", {"left": ["a"], "right": ["b"]})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.world.lab
        synproxy(lab, range(2001, 2010), [cls.SHUT, cls.ALLOW_SHUT],
                 f"tcp sport {cls.ALLOW_MUTE} drop")
        relayed = (cls.RELAY_NOTHING, cls.RELAY_OK, cls.RELAY_REAL, cls.ALLOW_RELAY)
        lab.nft(FW, "table inet nat {\n chain pre {\n  type nat hook prerouting priority dstnat;\n"
                + "".join(f"  iifname left tcp dport {p} redirect to :{p + 7000}\n" for p in relayed)
                + f"  iifname left tcp dport {ports((cls.TARPIT, cls.ALLOW_TARPIT))} redirect to "
                ":9999\n }\n}\n")
        cls.program(FW, RELAY, cls.world.v4["b"], cls.world.v6["b"], *relayed)
        cls.program(FW, TARPIT)
        cls.service = cls.program("b", SERVICE, json.dumps(cls.SERVED))
        cls.topology = cls.world.topology(
            ["name: ok, from: a, to: b, allow: [tcp/80, udp/80, icmp/echo, icmp6/echo]",
             *[f"name: d{p}, from: a, to: b, deny: [tcp/{p}]" for p in cls.DENIED],
             *[f"name: a{p}, from: a, to: b, allow: [tcp/{p}]" for p in cls.ALLOWED]],
            more="services:\n  own: { ports: ["
            + ", ".join(f"tcp/{p}" for p in cls.OK) + "], data: ok }\n")
        cls.syn = cls.world.verify(cls.topology, "--from", "a", "--only", "tcp_syn")
        cls.syn_told = cls.log(cls.service)
        cls.run_ = cls.world.verify(cls.topology, "--from", "a")
        cls.told = cls.log(cls.service)

    def test_an_ordinary_client_gets_through(self):
        """The world is as it says: what leaks is open, what is shut is not."""
        for port, serves in ((self.DATA_OK, True), (self.REAL, True), (self.RELAY_OK, True),
                             (self.RELAY_NOTHING, False), (self.SHUT, False), (self.TARPIT, False)):
            with self.subTest(port=port), self.world.lab.inside("a"):
                sock = socket.socket()
            with sock:
                sock.settimeout(2)
                sock.connect((self.world.v4["b"], port))  # somebody always answers
                try:
                    sock.sendall(b"real")
                    got = sock.recv(8)
                except OSError:
                    got = b""
                self.assertEqual(got == b"ok", serves)
        self.log(self.service)

    def test_a_nothing_listens_behind_a_syn_proxy(self):
        fact = self.each("b", self.NOTHING, "leak", 1)
        self.assertGreater(fact.delivered, 0)
        self.assertLessEqual(fact.delivered, fact.attempts)
        self.assertEqual(self.path("b", self.NOTHING), "syn_proxy")
        self.assertIn("SYN proxy answers, and lets the connection through",
                      self.words("b", self.NOTHING))
        self.assertIn("a SYN proxy answers", self.run_.out)

    def test_b_a_service_that_takes_data(self):
        self.each("b", self.DATA_OK, "leak", 1)
        connections, size = self.told[self.DATA_OK]
        self.assertGreaterEqual(connections, 2)
        self.assertGreater(size, 0)

    def test_c_a_real_service_is_left_alone(self):
        for port in (self.REAL, self.RELAY_REAL):
            self.each("b", port, "proxied", 5, by="answerer")
            self.assertEqual(self.told[port][1], 0)
            self.assertEqual(self.told[port][0], 0)

    def test_d_the_back_side_is_closed(self):
        self.each("b", self.SHUT, "proxied", 5, by="answerer")
        self.assertEqual(self.path("b", self.SHUT), "syn_proxy")
        self.assertIn("never lets the connection through", self.words("b", self.SHUT))

    def test_e_allowed_through_a_syn_proxy_holds_and_says_so(self):
        self.each("b", self.ALLOW, "holds", 14)
        self.each("b", self.ALLOW_OK, "holds", 14)
        self.assertGreater(self.told[self.ALLOW_OK][1], 0)
        for port in (self.ALLOW, self.ALLOW_OK):
            self.assertEqual(self.path("b", port), "syn_proxy")
        self.assertIn("a SYN proxy answers on the path", self.run_.out)

    def test_e_allowed_and_the_answers_are_dropped(self):
        """The proxy's SYN/ACK is no way back."""
        self.each("b", self.ALLOW_MUTE, "return_blocked", 12)

    def test_e_allowed_and_the_back_side_is_closed(self):
        self.each("b", self.ALLOW_SHUT, "proxied", 9)

    def test_e_allowed_and_a_real_service_behind(self):
        self.each("b", self.ALLOW_REAL, "proxied", 9)
        self.assertEqual(self.told[self.ALLOW_REAL][1], 0)

    def test_f_a_relay_and_nothing_listens(self):
        self.each("b", self.RELAY_NOTHING, "proxied", 5, by="answerer")

    def test_f_a_relay_to_a_service_that_takes_data(self):
        self.each("b", self.RELAY_OK, "leak", 1)
        self.assertGreater(self.told[self.RELAY_OK][1], 0)

    def test_f_an_allowed_relay_is_no_declared_path(self):
        self.each("b", self.ALLOW_RELAY, "misdelivered", 8)

    def test_g_a_tarpit_takes_everything(self):
        self.each("b", self.TARPIT, "proxied", 5, by="answerer")
        self.each("b", self.ALLOW_TARPIT, "proxied", 9, by="answerer")

    def test_h_syns_alone_unmask_nothing(self):
        for port in self.DENIED:
            for family in FAMILIES:
                self.check(self.syn, ("a", "b", family, "tcp", port), "proxied", 5)
        for port in self.ALLOWED:
            for family in FAMILIES:
                self.check(self.syn, ("a", "b", family, "tcp", port), "proxied", 9)
        self.assertEqual(sum(size for _, size in self.syn_told.values()), 0)

    def test_without_a_proxy_nothing_is_said_of_one(self):
        for family in FAMILIES:
            self.check(self.run_, ("a", "b", family, "tcp", 80), "holds", 14)
        self.assertIsNone(self.path("b", 80))


class UnmaskOneSided(Unmask):
    """r stands behind the firewall and n beside a; neither has a probe."""

    SERVED, SHUT, SILENT, ALLOWED, DATA_OK, TARPIT, REAL = range(2001, 2008)
    ALLOW_TARPIT, ALLOW_SHUT, ALLOW_SILENT, ALLOW_OK, ALLOW_DEAF = range(2008, 2013)
    DENIED = (SERVED, SHUT, SILENT, DATA_OK, TARPIT, REAL)
    PROXIED = (SHUT, REAL, ALLOW_SHUT)

    @classmethod
    def build(cls):
        world = World("oneside", {"left": ["a", "n"], "right": ["b", "r"]})
        world.probes["r"] = world.probes["n"] = "none"
        return world

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.world.lab
        open_ = (cls.SERVED, cls.ALLOWED, cls.DATA_OK, cls.ALLOW_OK, cls.ALLOW_DEAF)
        synproxy(lab, cls.PROXIED, [cls.SHUT, cls.ALLOW_SHUT],
                 f"tcp dport {cls.ALLOW_DEAF} tcp flags psh / psh drop\n  tcp dport {ports(open_)} accept")
        lab.nft(FW, "table inet nat {\n chain pre {\n  type nat hook prerouting priority dstnat;\n"
                f"  iifname left tcp dport {ports((cls.TARPIT, cls.ALLOW_TARPIT))} redirect to "
                ":9999\n }\n}\n")
        cls.program(FW, TARPIT)
        lab.nft("n", "table inet own {\n chain in {\n  type filter hook input priority 0;\n"
                f"  tcp dport {ports((cls.SILENT, cls.ALLOW_SILENT))} drop\n }}\n}}\n")
        served = json.dumps([*open_, cls.REAL])
        cls.services = {host: cls.program(host, SERVICE, served) for host in ("r", "n")}
        policies = ["name: ok, from: a, to: b, allow: [tcp/80, udp/80, icmp/echo, icmp6/echo]",
                    "name: live, from: a, to: [r, n], allow: [icmp/echo, icmp6/echo]"]
        for to, some in (("r", range(2001, 2013)),
                         ("n", (cls.SERVED, cls.SILENT, cls.ALLOWED, cls.DATA_OK, cls.ALLOW_SILENT,
                                cls.ALLOW_OK))):
            policies += [f"name: {to}{p}, from: a, to: {to}, "
                         f"{'deny' if p in cls.DENIED else 'allow'}: [tcp/{p}]" for p in some]
        cls.topology = cls.world.topology(
            policies, more="services:\n  own: { ports: "
            f"[tcp/{cls.DATA_OK}, tcp/{cls.ALLOW_OK}, tcp/{cls.ALLOW_DEAF}], data: ok }}\n")
        cls.syn = cls.world.verify(cls.topology, "--from", "a", "--only", "tcp_syn")
        for service in cls.services.values():
            cls.log(service)
        cls.run_ = cls.world.verify(cls.topology, "--from", "a")
        cls.told = {host: cls.log(service) for host, service in cls.services.items()}

    def test_15_a_denied_service_answers(self):
        """It is asked for a handshake and gets no byte."""
        for to in ("r", "n"):
            self.each(to, self.SERVED, "leak", 15)
            connections, size = self.told[to][self.SERVED]
            self.assertGreaterEqual(connections, 2, to)
            self.assertEqual(size, 0, to)
            self.assertIsNone(self.path(to, self.SERVED))

    def test_15_a_denied_service_that_takes_data(self):
        for to in ("r", "n"):
            self.each(to, self.DATA_OK, "leak", 15)
            self.assertGreater(self.told[to][self.DATA_OK][1], 0, to)

    def test_16_a_syn_proxy_with_nothing_behind(self):
        self.each("r", self.SHUT, "proxied", 16, by="answerer")
        self.assertEqual(self.path("r", self.SHUT), "syn_proxy")
        self.each("r", self.ALLOW_SHUT, "proxied", 16, by="answerer")

    def test_16_a_syn_proxy_with_a_real_service_behind(self):
        """Nobody there tells what arrived: a finding, but which one stays open."""
        self.each("r", self.REAL, "proxied", 16, by="answerer")
        self.assertEqual(self.told["r"][self.REAL][1], 0)

    def test_16_the_first_hop_answers_itself(self):
        """No window of zero; its TTL, which no router touched, gives it away."""
        self.each("r", self.TARPIT, "proxied", 16, by="answerer")
        self.each("r", self.ALLOW_TARPIT, "proxied", 16, by="answerer")

    def test_16_syns_alone_prove_no_leak(self):
        for to in ("r", "n"):
            for family in FAMILIES:
                self.check(self.syn, ("a", to, family, "tcp", self.SERVED), "proxied", 16)

    def test_17_denied_and_silent(self):
        for to in ("r", "n"):
            self.each(to, self.SILENT, "not_observable", 17)

    def test_18_allowed_and_answered(self):
        for to in ("r", "n"):
            self.each(to, self.ALLOWED, "holds", 18)
            self.each(to, self.ALLOW_OK, "holds", 18)
            self.assertEqual(self.told[to][self.ALLOWED][1], 0, to)
            self.assertIsNone(self.path(to, self.ALLOWED))

    def test_allowed_and_nobody_takes_the_data(self):
        """A handshake is not enough where data may be offered."""
        self.each("r", self.ALLOW_DEAF, "inconclusive")
        self.assertEqual(self.told["r"][self.ALLOW_DEAF][1], 0)

    def test_19_allowed_and_silent(self):
        for to in ("r", "n"):
            self.each(to, self.ALLOW_SILENT, "inconclusive", 19, reason="did not answer")


if __name__ == "__main__":
    unittest.main(verbosity=2)
