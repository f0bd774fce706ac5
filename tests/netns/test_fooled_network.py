# SPDX-License-Identifier: Apache-2.0
"""Attempts to make a flow "hold" that was not shown to hold, by what happens in the network: links,
addresses, policies of the hosts, redirections, foreign and replayed packets, XDP. See fooling.py.

Run: python3 tests/netns/test_fooled_network.py (root; says skipped where it cannot be done)."""
import contextlib
import ctypes
import os
import platform
import socket
import struct
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
from fooling import DENIES, FAST, OPEN, PORTS, Fooled, firewall  # noqa: E402
from harness import FAMILIES, FW  # noqa: E402
from lab import inside  # noqa: E402 (harness found it)
from packets import ICMP, ICMP6, SYN, parse, send, tcp, udp  # noqa: E402


class FooledLink(Fooled):
    """Links, routes, addresses, interfaces."""

    def restore(self, host):
        """Brings eth0 up again with what the kernel took away when it went down."""
        segment = "left" if host == "a" else "right"
        v6 = f"{self.world.v6[host]}/64"
        self.lab.run(host, ["ip", "link", "set", "eth0", "up"], check=True)
        self.lab.run(host, ["ip", "addr", "replace", v6, "dev", "eth0", "nodad"], check=True)
        for family, net in (("-4", self.world.net4[segment] + ".1"),
                            ("-6", self.world.net6[segment] + "::1")):
            self.lab.run(host, ["ip", family, "route", "replace", "default", "via", net],
                         check=True)

    def test_receiver_down_before(self):
        self.addCleanup(self.restore, "b")
        self.lab.run("b", ["ip", "link", "set", "eth0", "down"], check=True)
        run = self.start().finish()
        self.count_inconclusive(self.never_holds(run, ("inconclusive",)))
        self.assertEqual(run.code, 3)

    def test_receiver_down_in_the_middle(self):
        self.addCleanup(self.restore, "b")
        run = self.middle(lambda: self.lab.run("b", ["ip", "link", "set", "eth0", "down"]))
        self.count_inconclusive(self.never_holds(run, ("inconclusive",)))

    def test_receiver_down_and_up_in_the_middle(self):
        self.addCleanup(self.restore, "b")

        def act():
            self.lab.run("b", ["ip", "link", "set", "eth0", "down"])
            time.sleep(0.4)
            self.restore("b")
        self.never_holds(self.middle(act))

    def test_cable_pulled_in_the_middle(self):
        up = ["ip", "link", "set", "b", "up"]
        self.addCleanup(self.lab.run, FW, up)
        run = self.middle(lambda: self.lab.run(FW, ["ip", "link", "set", "b", "down"]))
        self.count_inconclusive(self.never_holds(run))

    def test_sender_down_in_the_middle(self):
        self.addCleanup(self.restore, "a")
        run = self.middle(lambda: self.lab.run("a", ["ip", "link", "set", "eth0", "down"]))
        self.count_inconclusive(self.never_holds(run))

    def test_sender_without_a_route(self):
        self.addCleanup(self.restore, "a")
        for family in ("-4", "-6"):
            self.lab.run("a", ["ip", family, "route", "del", "default"], check=True)
        run = self.start().finish()
        self.count_inconclusive(self.never_holds(run, ("inconclusive",), reason="no route"))
        self.assertEqual(run.code, 3)

    def test_sender_loses_its_route_in_the_middle(self):
        self.addCleanup(self.restore, "a")

        def act():
            for family in ("-4", "-6"):
                self.lab.run("a", ["ip", family, "route", "del", "default"], check=True)
        self.never_holds(self.middle(act))

    def test_address_removed_in_the_middle(self):
        self.addCleanup(self.restore, "b")
        v4, v6 = f"{self.world.v4['b']}/24", f"{self.world.v6['b']}/64"
        self.addCleanup(self.lab.run, "b", ["ip", "addr", "replace", v4, "dev", "eth0"])

        def act():
            for cidr in (v4, v6):
                self.lab.run("b", ["ip", "addr", "del", cidr, "dev", "eth0"], check=True)
        self.never_holds(self.middle(act))

    def declared(self, **addresses):
        """The topology with other addresses for some hosts."""
        before = dict(self.world.addresses)
        try:
            self.world.addresses.update(addresses)
            return self.topology()
        finally:
            self.world.addresses.update(before)

    def test_mistyped_address(self):
        wrong = f'[{self.world.net4["right"]}.199, "{self.world.net6["right"]}::199"]'
        run = self.start(topology=self.declared(b=wrong)).finish()
        self.count_inconclusive(self.never_holds(run, ("inconclusive",),
                                                 reason="receiver's probe refused"))
        self.assertEqual(run.code, 3)

    def test_mistyped_sender_address(self):
        wrong = f'[{self.world.net4["left"]}.199, "{self.world.net6["left"]}::199"]'
        run = self.start(topology=self.declared(a=wrong)).finish()
        self.count_inconclusive(self.never_holds(run, ("inconclusive",),
                                                 reason="sender's probe refused"))

    def test_swapped_addresses(self):
        """b is declared with c's address and c with b's; both have a probe."""
        topology = self.declared(b=self.world.addresses["c"], c=self.world.addresses["b"])
        run = self.world.start(topology, "--from", "a").finish()
        for flow, fact in self.never_holds(run).items():
            self.assertEqual((fact.verdict, fact.row), ("leak", 2), flow)

    def wrong_interface(self, name):
        before = self.world.probes["b"]
        try:
            self.world.probes["b"] = before.replace("}", f", interface: {name} }}")
            return self.start().finish()
        finally:
            self.world.probes["b"] = before

    def test_probe_on_the_wrong_interface(self):
        self.lab.run("b", ["ip", "link", "add", "dummy7", "type", "bridge"])
        self.lab.run("b", ["ip", "link", "set", "dummy7", "up"], check=True)
        self.addCleanup(self.lab.run, "b", ["ip", "link", "del", "dummy7"])
        self.never_holds(self.wrong_interface("dummy7"))
        self.lab.nft("b", OPEN + "table inet fw {\n chain in {\n type filter hook input priority "
                     "0;\n meta l4proto { tcp, udp } th dport 2001-2004 drop\n }\n}\n")
        facts = self.never_holds(self.wrong_interface("dummy7"), ("inconclusive",))
        self.count_inconclusive(facts)

    def test_probe_on_a_second_cable(self):
        self.lab.run(FW, ["ip", "link", "add", "b7", "type", "veth", "peer", "name", "eth7",
                          "netns", self.lab.ns("b")], check=True)
        self.addCleanup(self.lab.run, FW, ["ip", "link", "del", "b7"])
        self.lab.run(FW, ["ip", "link", "set", "b7", "up"], check=True)
        self.lab.run("b", ["ip", "link", "set", "eth7", "up"], check=True)
        self.lab.nft("b", OPEN + "table inet fw {\n chain in {\n type filter hook input priority "
                     "0;\n meta l4proto { tcp, udp } th dport 2001-2004 drop\n }\n}\n")
        self.never_holds(self.wrong_interface("eth7"), ("inconclusive",))

    def test_probe_on_an_interface_that_is_not_there(self):
        self.lab.nft("b", OPEN + "table inet fw {\n chain in {\n type filter hook input priority "
                     "0;\n meta l4proto { tcp, udp } th dport 2001-2004 drop\n }\n}\n")
        self.never_holds(self.wrong_interface("eth9"), ("inconclusive",))


class FooledPolicy(Fooled):
    """Firewalls of the hosts, redirections, packets that somebody else sends."""

    def test_sender_drops_in_its_output(self):
        self.lab.nft("a", OPEN + "table inet fw {\n chain out {\n type filter hook output priority "
                     "0;\n meta l4proto { tcp, udp } th dport 2001-2004 drop\n }\n}\n")
        self.count_inconclusive(self.never_holds(self.start().finish(), ("inconclusive",),
                                                 reason="own firewall"))
        facts = self.never_holds(self.start("--inject", "link").finish(), ("leak",))
        self.assertEqual({fact.row for fact in facts.values()}, {1})

    def test_sender_drops_after_the_kernel_said_it_was_sent(self):
        """In the egress hook of the interface, also with link injection."""
        rules = ("table netdev fw { }\ndelete table netdev fw\ntable netdev fw {\n chain out {\n "
                 "type filter hook egress device eth0 priority 0;\n "
                 "meta l4proto { tcp, udp } th dport 2001-2004 drop\n }\n}\n")
        done = self.lab.run("a", ["nft", "-f", "-"], input=rules)
        if done.returncode != 0:
            self.skipTest("no egress hook: " + done.stderr.strip())
        self.addCleanup(self.lab.nft, "a", "delete table netdev fw\n")
        for how in ("raw", "link"):
            run = self.start("--inject", how).finish()
            self.count_inconclusive(self.never_holds(run, ("inconclusive",),
                                                     reason="not seen leaving|could not send"))

    def test_no_control_works(self):
        """The firewall drops all and answers nothing: no port may be called blocked by it."""
        self.lab.nft(FW, OPEN + "table inet fw {\n chain through {\n type filter hook forward "
                     "priority 0; policy drop;\n }\n chain in {\n type filter hook input priority "
                     "0;\n icmp type echo-request drop\n icmpv6 type echo-request drop\n }\n}\n")
        run = self.start().finish()
        self.count_inconclusive(self.never_holds(run, ("inconclusive",), reason="control"))

    def test_firewall_lets_little_through(self):
        """A rate limit that passes some packets and drops the others, controls too."""
        self.lab.nft(FW, OPEN + "table inet fw {\n chain through {\n type filter hook forward "
                     "priority 0; policy drop;\n limit rate 100/second burst 2 packets accept\n }\n"
                     "}\n")
        self.never_holds(self.start().finish())

    def test_only_the_tested_ports_are_redirected_to_another_host(self):
        nat = "\n".join(f"{ip} daddr {self.world.address('b', family)} meta l4proto {{ tcp, udp }} "
                        f"th dport {{ 2001-2004, 81 }} dnat {ip} to "
                        f"{self.world.address('c', family)}"
                        for family, ip in (("ipv4", "ip"), ("ipv6", "ip6")))
        self.lab.nft(FW, OPEN + "table inet fw {\n chain pre {\n type nat hook prerouting priority "
                     f"dstnat;\n{nat}\n }}\n}}\n")
        self.lab.nft("c", OPEN + "table inet fw {\n chain in {\n type filter hook input priority 0;"
                     " policy drop;\n meta l4proto ipv6-icmp accept\n }\n}\n")
        topology = self.topology(["name: moved, from: a, to: b, allow: [tcp/81, udp/81]",
                                  "name: ok-c, from: a, to: c, allow: [tcp/80, udp/80]"])
        run = self.world.start(topology, "--from", "a").finish()
        for flow, fact in self.never_holds(run, ("leak",)).items():
            self.assertEqual((fact.row, fact.where), (2, "c"), flow)
        for family in FAMILIES:
            for proto in ("tcp", "udp"):
                self.check(run, ("a", "b", family, proto, 81), "misdelivered", 8)

    def test_only_the_tested_ports_are_redirected_to_the_firewall(self):
        """Allowed ports, swallowed or answered by the firewall itself."""
        self.lab.nft(FW, OPEN + "table inet fw {\n chain pre {\n type nat hook prerouting priority "
                     "dstnat;\n meta l4proto { tcp, udp } th dport 81 redirect to :7777\n"
                     " tcp dport 82 redirect to :7778\n }\n chain in {\n type filter hook input "
                     "priority 0;\n meta l4proto { tcp, udp } th dport 7777 drop\n }\n}\n")
        listener = self.lab.listen({FW: ["tcp/7778"]})
        self.addCleanup(listener.terminate)
        topology = self.topology(["name: swallowed, from: a, to: b, allow: [tcp/81, udp/81]",
                                  "name: answered, from: a, to: b, allow: tcp/82"])
        run = self.start(topology=topology).finish()
        for family in FAMILIES:
            for proto in ("tcp", "udp"):
                self.check(run, ("a", "b", family, proto, 81), "blocked", 10)
            self.check(run, ("a", "b", family, "tcp", 82), "proxied", 9)

    def test_a_middlebox_rewrites_the_tag(self):
        """Sequence number and payload are overwritten on the way: what arrives is not ours."""
        self.lab.nft(FW, OPEN + "table inet fw {\n chain through {\n type filter hook forward "
                     "priority 0;\n tcp dport 2001-2004 tcp sequence set 12345\n"
                     " udp dport 2001-2004 @th,64,64 set 1 @th,128,64 set 1\n }\n}\n")
        facts = self.never_holds(self.start().finish(), ("inconclusive",), reason="without our tag")
        self.count_inconclusive(facts)

    @contextlib.contextmanager
    def repeated(self, packets, gap=0.002):
        """The firewall's namespace sends these again and again within the block."""
        stop = threading.Event()

        def work():
            while not stop.is_set():
                send(self.lab, FW, packets, gap)
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def test_a_stranger_imitates_the_flow(self):
        self.lab.nft(FW, firewall(""))
        packets = [make(self.world.address("a", family), self.world.address("b", family), 51000,
                        port) for family in FAMILIES for make in (tcp, udp) for port in (2001, 2002)]
        with self.repeated(packets):
            run = self.start().finish()
        facts = self.never_holds(run, ("inconclusive",), ports=(2001, 2002),
                                 reason="without our tag")
        self.count_inconclusive(facts)
        for family in FAMILIES:  # and only what he imitates is in doubt
            for proto in ("tcp", "udp"):
                self.check(run, ("a", "b", family, proto, 2003), "holds", 7)
        self.assertEqual(run.code, 3)

    def record(self, host, seconds):
        """Collects whole IP packets to the tested ports (and echo requests) that a host gets."""
        packets = []
        with inside(self.lab.ns(host)):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            sock.bind(("eth0", 3))
        sock.settimeout(0.2)
        stop = time.monotonic() + seconds

        def work():
            with sock:
                while time.monotonic() < stop:
                    with contextlib.suppress(TimeoutError):
                        data, address = sock.recvfrom(2048)
                        outer = parse(data) if address[2] == 0 else None
                        if outer and self.is_test(outer[3], outer[5]):
                            packets.append(data)
        thread = threading.Thread(target=work)
        thread.start()
        return thread, packets

    @staticmethod
    def is_test(proto, body):
        if proto in (ICMP, ICMP6):
            return body[0] in (8, 128)
        flags = body[13] if proto == 6 else SYN
        return flags == SYN and struct.unpack_from("!H", body, 2)[0] in PORTS

    def test_a_packet_of_an_earlier_run_is_replayed(self):
        policies = ["name: ok, from: a, to: b, allow: [tcp/80, udp/80]", *DENIES]
        topology = self.world.topology(policies, limits=FAST)
        thread, packets = self.record("b", 4)
        run = self.start(topology=topology).finish()
        thread.join()
        self.never_holds(run, ("leak",))
        kinds = {(data[0] >> 4, parse(data)[3]) for data in packets}
        self.assertEqual(kinds, {(4, 6), (4, 17), (4, 1), (6, 6), (6, 17), (6, 58)})
        self.lab.nft(FW, firewall("").replace("  meta l4proto { icmp, ipv6-icmp } accept\n",
                                              "  icmpv6 type != echo-request accept\n"))
        with self.repeated(packets[:200], 0.001):
            run = self.start(topology=topology).finish()
        facts = self.never_holds(run, ("inconclusive",), reason="without our tag")
        self.count_inconclusive(facts)
        for family, proto in (("ipv4", "icmp"), ("ipv6", "icmp6")):
            fact = run.fact("a", "b", family, proto, "echo")
            self.assertEqual(fact.verdict, "inconclusive", f"{fact}{run.err}{run.out}")
        self.assertEqual(run.code, 3)


def bpf(command, attributes):
    """bpf(2); raises OSError."""
    number = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
    if number is None:
        raise OSError("unknown system call number")
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result = libc.syscall(number, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def xdp_pass():
    """The smallest XDP program, r0 = XDP_PASS; exit. Returns its descriptor (linux/bpf.h)."""
    code = struct.pack("=BBhi", 0xB7, 0, 0, 2) + struct.pack("=BBhi", 0x95, 0, 0, 0)
    text, name = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    return bpf(5, struct.pack("=IIQQ", 6, 2, ctypes.addressof(text), ctypes.addressof(name)))


def set_xdp(full_name, interface, descriptor):
    """Attaches by rtnetlink (RTM_SETLINK, IFLA_XDP) in generic mode; -1 detaches."""
    def attribute(kind, data):
        return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)
    with inside(full_name):
        index = socket.if_nametoindex(interface)
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    nested = attribute(1, struct.pack("=i", descriptor)) + attribute(3, struct.pack("=I", 2))
    body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + attribute(0x8000 | 43, nested)
    with sock:
        sock.send(struct.pack("=IHHII", 16 + len(body), 19, 5, 1, 0) + body)
        error = struct.unpack_from("=i", sock.recv(4096), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))


class FooledXdp(Fooled):
    """An XDP program may take packets before the capture sees them."""

    def attach(self):
        try:
            program = xdp_pass()
            try:
                set_xdp(self.lab.ns("b"), "eth0", program)
            finally:
                os.close(program)
        except OSError as err:
            self.skipTest(f"XDP is not to be had here: {err}")
        self.addCleanup(set_xdp, self.lab.ns("b"), "eth0", -1)

    def test_attached_before(self):
        """Silence proves nothing; what arrives all the same is a leak."""
        self.attach()
        self.never_holds(self.start().finish(), ("leak",), protos=("tcp",))
        self.lab.nft(FW, firewall(""))
        run = self.start().finish()
        self.count_inconclusive(self.never_holds(run, ("inconclusive",), reason="XDP"))

    def test_attached_in_the_middle(self):
        self.lab.nft(FW, firewall(""))
        self.count_inconclusive(self.never_holds(self.middle(self.attach), ("inconclusive",),
                                                 reason="XDP"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
