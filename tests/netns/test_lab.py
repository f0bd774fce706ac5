# SPDX-License-Identifier: Apache-2.0
"""The lab itself: what it builds, what it refuses, and that nothing of it is left behind.

Run: python3 tests/netns/test_lab.py (root; says skipped where the machine cannot do it)."""
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

import lab as labs  # noqa: E402 (found through the line above)
from lab import Lab, LabError  # noqa: E402
from packets import ICMP, RST, SYN, TCP, UDP, Capture, HostWitness, echo, parse  # noqa: E402
from packets import send, tcp, udp  # noqa: E402

A4, B4, A6, B6 = "10.9.0.1", "10.9.0.2", "fd00:9::1", "fd00:9::2"


def namespaces(prefix):
    if not os.path.isdir(labs.NETNS_DIR):
        return []
    return [name for name in os.listdir(labs.NETNS_DIR) if name.startswith(prefix + "-")]


def two_hosts(lab):
    lab.add_ns("a", "b")
    lab.veth("a", "eth0", "b", "eth0")
    lab.addr("a", "eth0", A4 + "/24", A6 + "/64")
    lab.addr("b", "eth0", B4 + "/24", B6 + "/64")


def start_child(body):
    """A program that builds two hosts, says its prefix and does `body` (one line)."""
    code = (f"import sys, time; sys.path[:0] = {sys.path[:1]!r}; sys.dont_write_bytecode = True\n"
            f"from lab import Lab\nwith Lab('sp-test') as lab:\n"
            f"    lab.add_ns('a', 'b'); lab.veth('a', 'eth0', 'b', 'eth0')\n"
            f"    child = lab.listen({{'b': ['tcp/80']}}); lab.popen('a', ['sleep', '60'])\n"
            f"    print(lab.prefix, child.pid, lab.dir, flush=True)\n    {body}\n")
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    prefix, listener, folder = child.stdout.readline().split()
    return child, prefix, labs.identity(int(listener)), folder


def wait_until(check, seconds=5):
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:
        time.sleep(0.02)
    return check()


@unittest.skipIf(labs.missing(), labs.missing())
class LabTest(unittest.TestCase):
    def test_hosts_reach_each_other_at_once_in_both_families(self):
        with Lab("sp-test") as lab:
            two_hosts(lab)
            for address in (B4, B6):
                done = lab.run("a", ["ping", "-c1", "-W1", address])
                self.assertEqual(done.returncode, 0, done.stdout)
            self.assertTrue(namespaces(lab.prefix))
        self.assertEqual(namespaces(lab.prefix), [])

    def test_router_and_bridge_forward(self):
        with Lab("sp-test") as lab:
            lab.add_ns("r", router=True)
            lab.add_ns("a", "b")
            for name, net in (("a", "10.9.1"), ("b", "10.9.2")):
                lab.veth(name, "eth0", "r", name)
                lab.bridge("r", "br-" + name, name)
                lab.addr("r", "br-" + name, net + ".1/24")
                lab.addr(name, "eth0", net + ".2/24")
                lab.route(name, f"default via {net}.1")
            self.assertEqual(lab.run("a", ["ping", "-c1", "-W1", "10.9.2.2"]).returncode, 0)

    def test_two_labs_of_one_program_do_not_meet(self):
        with Lab("sp-test") as one, Lab("sp-test") as two:
            two_hosts(one)
            two_hosts(two)
            one.commit()
            two.commit()
            self.assertEqual(len(set(namespaces(one.prefix)) & set(namespaces(two.prefix))), 0)
            one.close()
            self.assertEqual(two.run("a", ["ping", "-c1", "-W1", B4]).returncode, 0)

    def test_listeners_answer_on_both_families(self):
        with Lab("sp-test") as lab:
            two_hosts(lab)
            lab.listen({"b": ["tcp/80", "udp/53"], "a": ["tcp/81"]})
            for family, address in ((socket.AF_INET, B4), (socket.AF_INET6, B6)):
                with lab.socket("a", family, socket.SOCK_STREAM) as sock:
                    sock.settimeout(2)
                    sock.connect((address, 80))
                    self.assertEqual(sock.recv(100), b"hello\r\n")
                with lab.socket("a", family, socket.SOCK_STREAM) as sock:
                    sock.settimeout(2)
                    self.assertRaises(ConnectionRefusedError, sock.connect, (address, 81))
                with lab.socket("a", family, socket.SOCK_DGRAM) as sock:
                    sock.settimeout(2)
                    sock.sendto(b"question", (address, 53))
                    self.assertEqual(sock.recv(100), b"question")
            with self.assertRaisesRegex(LabError, "in use"):
                lab.listen({"b": ["tcp/80"]})

    def test_a_capture_and_the_host_witness_stand_before_and_behind_the_input_rules(self):
        with Lab("sp-test") as lab:
            two_hosts(lab)
            lab.nft("b", "table inet t {\n counter dropped { }\n chain i {\n"
                         " type filter hook input priority 0; policy accept;\n"
                         " tcp dport 23 counter name dropped drop\n }\n }\n")
            with Capture(lab, ["a", "b"]) as capture, HostWitness(lab, ["b"]) as witness:
                for src, dst in ((A4, B4), (A6, B6)):
                    send(lab, "a", [tcp(src, dst, 40000, 22), tcp(src, dst, 40000, 23),
                                    udp(src, dst, 40000, 53), echo(src, dst, 77)])
                seen, passed = capture.read(0.5), witness.read(0.2)
                self.assertEqual(capture.drops(), 0)
            for src, dst in ((A4, B4), (A6, B6)):
                came = {(p.proto, p.dport) for p in seen
                        if p.where == "b" and p.way == "in" and p.src == src and not p.quote}
                self.assertLessEqual({(TCP, 22), (TCP, 23), (UDP, 53)}, came)
                resets = [p.sport for p in seen if p.where == "a" and p.way == "in"
                          and p.src == dst and p.proto == TCP and p.flags & RST]
                self.assertEqual(resets, [22])
                errors = [p.quote for p in seen if p.where == "a" and p.way == "in" and p.quote]
                self.assertIn((src, dst, UDP, 40000, 53), errors)
                self.assertIn(("b", src, TCP, 40000, 22), passed)
                self.assertNotIn(("b", src, TCP, 40000, 23), passed)
            self.assertIn(("b", A4, ICMP, 77, 0), passed)
            self.assertEqual(lab.nft_counters("b"), {"dropped": 2})

    def test_foreign_sources_can_be_sent(self):
        with Lab("sp-test") as lab:
            two_hosts(lab)
            with Capture(lab, ["b"]) as capture:
                send(lab, "a", [tcp("192.0.2.7", B4, 1, 2), tcp("2001:db8::7", B6, 1, 2)])
                sources = {p.src for p in capture.read(1) if p.proto == TCP}
            self.assertEqual(sources, {"192.0.2.7", "2001:db8::7"})

    def test_mistakes_are_told(self):
        with Lab("sp-test") as lab:
            two_hosts(lab)
            with self.assertRaisesRegex(LabError, "declared twice"):
                lab.add_ns("a")
            with self.assertRaisesRegex(LabError, "no namespace c"):
                lab.addr("c", "eth0", "10.0.0.1/8")
            with self.assertRaisesRegex(LabError, "longer than 15"):
                lab.veth("a", "a-very-long-name", "b", "eth1")
            with self.assertRaisesRegex(LabError, "nft in a: .*syntax error"):
                lab.nft("a", "nonsense")
            lab.addr("a", "eth7", "10.0.0.1/8")
            with self.assertRaisesRegex(LabError, "eth7"):
                lab.commit()

    def test_an_exception_leaves_nothing(self):
        with self.assertRaises(ZeroDivisionError):
            with Lab("sp-test") as lab:
                two_hosts(lab)
                folder = lab.dir
                child = lab.popen("a", ["sleep", "60"])
                raise ZeroDivisionError
        self.assertEqual(namespaces(lab.prefix), [])
        self.assertFalse(os.path.exists(folder))
        self.assertIsNotNone(child.poll())

    def test_signals_and_exit_leave_nothing(self):
        for body, number in (("time.sleep(60)", signal.SIGINT), ("time.sleep(60)", signal.SIGTERM),
                             ("time.sleep(60)", signal.SIGHUP), ("sys.exit(3)", None)):
            child, prefix, listener, folder = start_child(body)
            if number:
                self.assertEqual(len(namespaces(prefix)), 2)
                child.send_signal(number)
            child.communicate(timeout=10)
            self.assertEqual(child.returncode, 128 + number if number else 3, body)
            self.assertEqual(namespaces(prefix), [], (body, number))
            self.assertFalse(labs.is_alive(listener))
            self.assertFalse(os.path.exists(folder))

    def test_a_killed_lab_takes_its_listeners_along_and_can_be_removed(self):
        child, prefix, listener, folder = start_child("time.sleep(60)")
        state = {"prefix": prefix, "owner": labs.identity(child.pid), "listeners": [listener],
                 "namespaces": namespaces(prefix), "dir": folder}
        child.kill()
        child.wait(timeout=10)
        self.assertFalse(labs.is_alive(state["owner"]))
        self.assertTrue(wait_until(lambda: not labs.is_alive(listener)))
        self.assertEqual(len(namespaces(prefix)), 2)
        labs.remove(state)
        self.assertEqual(namespaces(prefix), [])
        self.assertFalse(os.path.exists(folder))
        # Ends only when the sleep, which holds the other end, was ended too.
        self.assertEqual(child.communicate(timeout=30), ("", ""))

    def test_a_detached_lab_stands_until_it_is_removed(self):
        with Lab("sp-test", keep=True) as lab:
            two_hosts(lab)
            child = lab.listen({"b": ["tcp/80"]})
            state = lab.detach()
        try:
            self.assertEqual(len(namespaces(lab.prefix)), 2)
            self.assertIsNone(child.poll())
        finally:
            labs.remove(state)
        self.assertEqual(namespaces(lab.prefix), [])
        self.assertIsNotNone(child.wait(timeout=5))


class PacketTest(unittest.TestCase):
    """Needs no privilege: the bytes themselves."""

    def test_tcp_syn_bytes(self):
        # IP: 20 + 20 bytes, don't fragment, TTL 64, protocol 6, sum 26ce, the addresses.
        # TCP: ports 40000 and 22, sequence 1, SYN, window 64240, sum 0498 (worked out by hand).
        data = tcp("10.0.0.1", "10.0.0.2", 40000, 22)
        self.assertEqual(data.hex(), "4500002800004000400626ce0a0000010a000002"
                                     "9c40001600000001000000005002faf004980000")

    def test_checksums_verify(self):
        for data in (udp(A4, B4, 1, 2, b"odd"), udp(A6, B6, 1, 2, b"even"), echo(A6, B6, 5)):
            _, src, dst, proto, _, body = parse(data)
            family = socket.AF_INET if "." in src else socket.AF_INET6
            pseudo = (socket.inet_pton(family, src) + socket.inet_pton(family, dst)
                      + len(body).to_bytes(4, "big") + proto.to_bytes(4, "big"))
            words = pseudo + body + b"\0" * (len(body) % 2)
            total = sum(int.from_bytes(words[i:i + 2], "big") for i in range(0, len(words), 2))
            self.assertEqual(total % 0xFFFF, 0)

    def test_garbage_is_not_parsed(self):
        for data in (b"", b"\x45", b"\x45" * 19, b"\x60" * 39, b"\x00" * 60):
            self.assertIsNone(parse(data))
        self.assertEqual(parse(tcp(A4, B4, 1, 2, flags=SYN))[3], TCP)


if __name__ == "__main__":
    unittest.main(verbosity=2)
