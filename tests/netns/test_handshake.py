# SPDX-License-Identifier: Apache-2.0
"""Whole conversations with real packets: no RST of the sender's own stack, stand-ins on low and
high ports, a SYN proxy, full proxies. Probes are driven by hand.

Run: python3 tests/netns/test_handshake.py (root; says skipped where the machine cannot do it)."""
import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import FAMILIES, Case, World, wait_until  # noqa: E402
from packets import ACK, RST, SYN, Capture  # noqa: E402 (found by harness)
from probes import ANSWER, ANSWERS, DATA_ACKED, EGRESS, HOST, HTTP, LEFT, LINK, NIC  # noqa: E402
from probes import RECEIVER, SENDER, SENT, STRAY, TTL_CHANGED, UNTAGGED  # noqa: E402
from probes import WINDOW_ZERO, Probe, run_batch  # noqa: E402

SPORT = 40001


def tcp_of(seen, where, way, peer_port):
    """Segments of a conversation as one end saw them: (flags, payload, ttl)."""
    return [p for p in seen if p.where == where and p.way == way and p.proto == 6
            and peer_port in (p.sport, p.dport)]


class Talk(Case):
    @classmethod
    def build(cls):
        return World("talk", {"left": ["a"], "right": ["b"]})

    def setUp(self):
        self.stack = contextlib.ExitStack()

    def tearDown(self):
        self.stack.close()
        super().tearDown()

    def probe(self, host, **how):
        return self.stack.enter_context(Probe(self.world, host, **how))

    def talk(self, a, b, family, port, flags=0, standin=True, sport=SPORT, number=1):
        """One conversation from a to b; what b could not stand in for."""
        src, dst = self.world.address("a", family), self.world.address("b", family)
        a.batch(number)
        b.batch(number)
        a.block(5, SENDER | flags, src, dst)
        b.block(5, RECEIVER | flags, src, dst)
        if standin:
            b.standin(dst, port)
        refused = b.arm() + a.arm()
        a.shot(5, port, sport)
        run_batch([b, a], a)
        return refused

    def listening(self, host="b"):
        """Ports with a listener in a namespace, as the kernel says."""
        out = subprocess.run(["ip", "netns", "exec", self.world.lab.ns(host), "ss", "-Hltn"],
                             capture_output=True, text=True, check=True).stdout
        return sorted({int(line.split()[3].rpartition(":")[2]) for line in out.splitlines()})

    def test_a_standin_answers_and_no_other_rst_leaves(self):
        a, b = self.probe("a"), self.probe("b", hazard="B")
        number = 0
        for family in FAMILIES:
            for port, flags in ((443, 0), (8443, 0), (80, HTTP), (8080, HTTP), (445, LINK)):
                number += 1
                with self.subTest(family=family, port=port):
                    with Capture(self.world.lab, ["a", "b"]) as capture:
                        refused = self.talk(a, b, family, port, flags, sport=SPORT + number,
                                            number=number)
                        seen = capture.read(0.1)
                    self.assertEqual(refused, [])
                    answer = a.seen(ANSWER, 5)[0]
                    self.assertEqual(ANSWERS[answer.answer], "data", a.told)
                    self.assertEqual(answer.code, DATA_ACKED)
                    self.assertEqual(answer.ttl, 63)
                    self.assertTrue(a.seen(LEFT, 5))
                    self.assertTrue(b.seen(NIC, 5) and b.seen(HOST, 5))
                    self.assertEqual(ANSWERS[b.seen(EGRESS, 5)[0].answer], "data")
                    for probe in (a, b):
                        self.assertFalse(probe.seen(STRAY) + probe.seen(UNTAGGED), probe.told)
                    out = tcp_of(seen, "a", "out", port)
                    self.assertEqual([p.flags & (SYN | ACK | RST) for p in out if p.flags & RST],
                                     [RST])  # ours alone; the stack's would carry no ACK after data
                    self.assertEqual(out[0].flags, SYN)
                    self.assertEqual((out[1].flags, out[1].payload), (ACK, b""))
                    self.assertEqual(out[-1].flags, RST)
                    self.assertEqual(self.listening(), [])

    def test_without_the_hold_the_stack_would_reset(self):
        """The world that the hold is for: a plain SYN from a port that nobody holds."""
        a, b = self.probe("a"), self.probe("b", hazard="B")
        src, dst = self.world.v4["a"], self.world.v4["b"]
        for probe, flags in ((a, SENDER), (b, RECEIVER)):
            probe.batch()
            probe.block(5, flags, src, dst, technique="tcp_syn")
        b.standin(dst, 443)
        b.arm()
        a.arm()
        a.shot(5, 443, SPORT)
        with Capture(self.world.lab, ["a"]) as capture:
            run_batch([b, a], a)
            seen = capture.read(0.1)
        self.assertTrue([p for p in tcp_of(seen, "a", "out", 443) if p.flags & RST])

    def test_nobody_there(self):
        a, b = self.probe("a"), self.probe("b")
        for number, family in enumerate(FAMILIES, 1):
            self.talk(a, b, family, 9, standin=False, number=number, sport=SPORT + number)
            self.assertEqual(ANSWERS[a.seen(ANSWER, 5)[0].answer], "rst")
            self.assertEqual(ANSWERS[b.seen(EGRESS, 5)[0].answer], "rst")
            self.assertTrue(b.seen(HOST, 5))

    def test_a_taken_source_port_is_told(self):
        a, b = self.probe("a"), self.probe("b", hazard="B")
        with self.world.lab.socket("a", socket.AF_INET, socket.SOCK_STREAM) as taken:
            taken.bind((self.world.v4["a"], SPORT))
            taken.listen(1)
            self.talk(a, b, "ipv4", 443)
        self.assertEqual(a.seen(SENT, 5)[0].err, errno.EADDRINUSE)
        self.assertFalse(a.seen(ANSWER) + b.seen(NIC))

    def test_standins_take_no_used_port_and_need_consent(self):
        a, b = self.probe("a"), self.probe("b", hazard="B")
        with self.world.lab.socket("b", socket.AF_INET, socket.SOCK_STREAM) as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("0.0.0.0", 443))
            taken.listen(1)
            refused = self.talk(a, b, "ipv4", 443)
        self.assertEqual([(r.port, r.err) for r in refused], [(443, errno.EADDRINUSE)])
        b.batch(2)
        b.standin("10.60.9.9", 443)
        b.standin(self.world.v4["b"], 53, proto=1)
        b.standin(self.world.v4["b"], 0)
        self.assertEqual(sorted(r.err for r in b.arm()),
                         sorted([errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.EINVAL]))
        b.collect()
        with Probe(self.world, "a", hazard="A") as tame:
            tame.batch(1)
            tame.standin(self.world.v4["a"], 443)
            self.assertEqual([r.err for r in tame.arm()], [errno.EPERM])
            self.assertEqual(self.listening("a"), [])
            tame.collect()

    def test_strangers_get_nothing(self):
        b = self.probe("b", hazard="B")
        b.batch()
        b.block(5, RECEIVER, self.world.v4["a"], self.world.v4["b"])
        b.standin(self.world.v4["b"], 443)
        self.assertEqual(b.arm(), [])
        b.fire()
        reader = threading.Thread(target=b.wait, args=("collected",))
        reader.start()
        try:
            for words, most in ((b"GET / HTTP/1.1\r\n\r\n", 1), (b"\x16\x03\x01", 3),
                                (b"\x16\x02\x01", 1), (b"SGpf", 3), (b"SGpf" + bytes(24), 1),
                                (b"", 3), (b"PROXY nonsense", 3)):
                with self.world.lab.socket("a", socket.AF_INET, socket.SOCK_STREAM) as client:
                    client.settimeout(5)
                    client.connect((self.world.v4["b"], 443))
                    began = time.monotonic()
                    client.sendall(words)
                    got = b""
                    with contextlib.suppress(ConnectionResetError):
                        got = client.recv(100)
                    self.assertEqual(got, b"", words)
                    self.assertLess(time.monotonic() - began, most, words)
            with contextlib.ExitStack() as many:  # more than it keeps: none hangs for ever
                clients = [many.enter_context(self.world.lab.socket("a", socket.AF_INET,
                                                                    socket.SOCK_STREAM))
                           for _ in range(100)]
                connected = []
                for client in clients:
                    client.settimeout(5)
                    with contextlib.suppress(ConnectionResetError):
                        client.connect((self.world.v4["b"], 443))
                        connected.append(client)
                for client in connected:
                    with contextlib.suppress(ConnectionError):
                        self.assertEqual(client.recv(100), b"")
            self.assertEqual(self.listening(), [443])
        finally:
            b.order("collect", batch=1)
            reader.join()
        self.assertEqual(self.listening(), [])

    def test_nothing_listens_afterwards(self):
        for port in (443, 8443):
            for end in ("collect", "expiry", "sensor", "link", "stop", "parent"):
                with self.subTest(port=port, end=end):
                    b = Probe(self.world, "b", hazard="B")
                    b.batch(lifetime_ms=700 if end == "expiry" else 30000)
                    b.standin(self.world.v4["b"], port)
                    self.assertEqual(b.arm(), [])
                    self.assertEqual(self.listening(), [port])
                    if end == "collect":
                        b.collect()
                    elif end == "stop":
                        b.order("stop", reason=0)
                    elif end in ("sensor", "link", "parent"):
                        for pid in self.world.probe_pids("b", end):
                            os.kill(pid, signal.SIGKILL)
                    self.assertTrue(wait_until(lambda: self.listening() == [], 3), end)
                    with contextlib.suppress(BrokenPipeError):
                        b.__exit__()

    def test_many_at_once(self):
        a, b = self.probe("a"), self.probe("b", hazard="B")
        src, dst = self.world.v4["a"], self.world.v4["b"]
        a.batch(max_pps=5000)
        b.batch()
        a.block(5, SENDER, src, dst, attempts=300)
        b.block(5, RECEIVER, src, dst, attempts=300)
        b.standin(dst, 443)
        self.assertEqual(b.arm() + a.arm(), [])
        for i in range(300):
            a.shot(5 + i, 443, 40100 + i, i * 1000)
        run_batch([b, a], a)
        answers = [ANSWERS[r.answer] for r in a.seen(ANSWER)]
        self.assertEqual(len(b.seen(HOST)), 300)
        self.assertGreaterEqual(answers.count("data"), 290, answers)

    # ---- proxies ------------------------------------------------------------------------------

    def check_sums(self):
        """Has the firewall check TCP sums on reception, as hardware does (ethtool: gro on, at the
        other end tso off). nft's synproxy sums IPv6 packets that nobody checked yet as if they
        were IPv4 (seen on Linux 6.18) and drops them; a raw socket's packet over veth is one."""
        for ns, dev, command, on in (("a", "eth0", 0x1f, 0), ("fw", "a", 0x2c, 1)):
            value = ctypes.create_string_buffer(struct.pack("II", command, on))
            request = struct.pack("16sPxxxxxxxx", dev.encode(), ctypes.addressof(value))
            with self.world.lab.socket(ns, socket.AF_INET, socket.SOCK_DGRAM) as sock:
                fcntl.ioctl(sock, 0x8946, request)  # SIOCETHTOOL

    def synproxy(self):
        lab = self.world.lab
        self.check_sums()
        lab.sysctl("fw", **{"net.netfilter.nf_conntrack_tcp_loose": 0,
                            "net.ipv4.tcp_timestamps": 1})
        lab.nft("fw", """
            table inet proxy {
                chain before {
                    type filter hook prerouting priority raw; policy accept
                    iifname left tcp dport 443 tcp flags syn notrack
                }
                chain across {
                    type filter hook forward priority filter; policy accept
                    iifname left tcp dport 443 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
                    ct state invalid drop
                }
            }""")
        self.addCleanup(lab.nft, "fw", "delete table inet proxy")

    def test_a_syn_proxy_is_seen_through(self):
        self.synproxy()
        a, b = self.probe("a"), self.probe("b", hazard="B")
        for number, family in enumerate(FAMILIES, 1):
            with self.subTest(family=family):
                with Capture(self.world.lab, ["a", "b"]) as capture:
                    self.talk(a, b, family, 443, number=number, sport=SPORT + number)
                    seen = capture.read(0.1)
                order = [(p.where, p.way, p.flags & (SYN | ACK | RST), bool(p.payload))
                         for p in seen if 443 in (p.sport, p.dport)]
                self.assertIn(("a", "out", ACK, False), order)
                ack = order.index(("a", "out", ACK, False))
                self.assertIn(("a", "in", SYN | ACK, False), order[:ack])
                self.assertNotIn(("b", "in", SYN, False), order[:ack])
                self.assertIn(("b", "in", SYN, False), order[ack:])
                self.assertIn(("b", "in", ACK, True), order[ack:])
                answer = a.seen(ANSWER, 5)[0]
                self.assertEqual(ANSWERS[answer.answer], "data", order)
                self.assertTrue(answer.code & WINDOW_ZERO)
                self.assertTrue(answer.code & TTL_CHANGED)
                self.assertTrue(b.seen(NIC, 5) and b.seen(HOST, 5))
                self.assertEqual(ANSWERS[b.seen(EGRESS, 5)[0].answer], "data")
                self.assertFalse(b.seen(STRAY) + b.seen(UNTAGGED))

    def test_a_syn_proxy_alone_is_no_arrival(self):
        self.synproxy()
        self.world.lab.nft("fw", """
            table inet wall {
                chain leaving {
                    type filter hook output priority 10
                    oifname right tcp dport 443 drop
                }
            }""")
        self.addCleanup(self.world.lab.nft, "fw", "delete table inet wall")
        a, b = self.probe("a"), self.probe("b", hazard="B")
        self.talk(a, b, "ipv4", 443)
        answer = a.seen(ANSWER, 5)[0]
        self.assertEqual(ANSWERS[answer.answer], "syn_ack")
        self.assertTrue(answer.code & WINDOW_ZERO)
        self.assertFalse(b.seen(NIC) + b.seen(HOST))

    # ---- full proxies: only the data is ours ----------------------------------------------------

    def through(self, flags=0, number=1, standin=True):
        """A conversation from a to the firewall's own address, where a proxy hands it to b."""
        a, b = self.probe("a"), self.probe("b", hazard="B")
        src, front, back = self.world.v4["a"], "10.60.1.1", self.world.v4["b"]
        a.batch(number)
        b.batch(number)
        a.block(5, SENDER | flags, src, front)
        b.block(5, RECEIVER | flags, src, back)
        if standin:
            b.standin(back, 8443)
        self.assertEqual(b.arm() + a.arm(), [])
        a.shot(5, 443, SPORT)
        run_batch([b, a], a)
        answer = a.seen(ANSWER, 5)[0]
        self.assertEqual(ANSWERS[answer.answer], "data", a.told)
        self.assertEqual(answer.code & DATA_ACKED, DATA_ACKED)
        nic, host = b.seen(NIC, 5), b.seen(HOST, 5)
        self.assertEqual([(r.src, r.dst, r.dport, r.count) for r in nic + host],
                         [("10.60.2.1", back, 8443, 1)] * 2, b.told)
        self.assertEqual(ANSWERS[b.seen(EGRESS, 5)[0].answer], "data")
        self.assertFalse(b.seen(STRAY) + b.seen(UNTAGGED), b.told)

    def haproxy(self, mode, server="", more=""):
        path = os.path.join(self.world.lab.dir, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""
defaults
    mode {mode}
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend f
    bind 10.60.1.1:443
    default_backend b
backend b
    {more}
    server s {self.world.v4["b"]}:8443 {server}
""")
        self.serve(["haproxy", "-db", "-f", path])

    def serve(self, argv):
        if not shutil.which(argv[0]):
            self.skipTest(f"{argv[0]} is not installed")
        child = self.world.lab.popen("fw", argv, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
        self.stack.callback(child.wait)
        self.stack.callback(child.terminate)
        self.assertTrue(wait_until(lambda: 443 in self.listening("fw"), 5), argv)

    def test_through_haproxy(self):
        self.haproxy("tcp")
        self.through()

    def test_through_haproxy_with_proxy_headers(self):
        for version in ("send-proxy", "send-proxy-v2"):
            with self.subTest(version):
                self.haproxy("tcp", version)
                self.through()
                self.stack.close()

    def test_through_haproxy_in_http(self):
        self.haproxy("http", "", "option forwardfor")
        self.through(HTTP)

    def test_through_haproxy_in_http_with_proxy_header(self):
        self.haproxy("http", "send-proxy", "option forwardfor")
        self.through(HTTP)

    def test_through_nginx_in_http(self):
        """It puts its own headers in front: the tag is no more among the first bytes."""
        path = os.path.join(self.world.lab.dir, "nginx.conf")
        names = "".join(f"proxy_set_header X-In-Front-{i} {'v' * 30};\n" for i in range(5))
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""
daemon off; error_log stderr; pid {path}.pid; user root;
events {{ }}
http {{ access_log off;
    client_body_temp_path {path}.1; proxy_temp_path {path}.2; fastcgi_temp_path {path}.3;
    uwsgi_temp_path {path}.4; scgi_temp_path {path}.5;
    server {{ listen 10.60.1.1:443; location / {{ {names} proxy_pass http://{self.world.v4["b"]}:8443; }} }}
}}
""")
        self.serve(["nginx", "-c", path, "-p", self.world.lab.dir])
        self.through(HTTP)


if __name__ == "__main__":
    unittest.main()
