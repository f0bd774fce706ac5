# SPDX-License-Identifier: Apache-2.0
"""Attempts to fool a run by who answers, by rewritten tags, by a policy that changes while the run
lasts. Every denied port here is a real hole, shown first by an ordinary connection, unless a test
says otherwise. See fooling.py.

Run: python3 tests/netns/test_fooled_second.py (root; says skipped where it cannot be done)."""
import array
import contextlib
import fcntl
import selectors
import socket
import struct
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
from fooling import FAST, OPEN, PORTS, Fooled, firewall  # noqa: E402
from harness import FAMILIES, FW  # noqa: E402
from packets import ACK, ETH_P_ALL, PACKET_HOST, _checksum  # noqa: E402

RANGE = "2001-2004"
L4 = f"meta l4proto {{ tcp, udp }} th dport {RANGE}"

RELAY = """
import selectors, socket, sys, threading
def relay(one, other):
    while True:
        data = one.recv(4096)
        if not data: break
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)
def serve(peer):
    with peer:
        v6 = not peer.getsockname()[0].startswith("::ffff:")
        back = socket.create_connection((sys.argv[2] if v6 else sys.argv[1], int(sys.argv[3])))
        with back:
            relay(back, peer)
sock = socket.socket(socket.AF_INET6)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
sock.bind(("::", 9999))
sock.listen(64)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(sock.accept()[0],), daemon=True).start()
"""


def set_checksum_offload(lab, host, on):
    """ethtool -K eth0 tx on|off (SIOCETHTOOL, ETHTOOL_STXCSUM)."""
    value = array.array("I", [0x17, on])
    with lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8946, struct.pack("16sP", b"eth0", value.buffer_info()[0]))


class FooledAnswerer(Fooled):
    """Something before the host answers SYN/ACK in its name. What is behind it is open."""

    MAY = ("proxied", "leak", "inconclusive")

    def setUp(self):
        super().setUp()
        self.service = self.lab.listen({"b": ["tcp/2001"]})
        self.addCleanup(self.service.wait)
        self.addCleanup(self.service.terminate)

    def serves(self, family, port=2001):
        """Whether an ordinary client gets the banner of the service on b."""
        with self.lab.inside("a"):
            sock = socket.socket(socket.AF_INET if family == "ipv4" else socket.AF_INET6)
        with sock:
            sock.settimeout(3)
            try:
                sock.connect((self.world.address("b", family), port))
                return bool(sock.recv(64))
            except OSError:
                return False

    def never_hides(self):
        real = [family for family in FAMILIES if self.serves(family)]
        self.assertIn("ipv4", real, "there is no hole")
        run = self.start().finish()
        self.assertEqual(run.code, 1, run.err + run.out)
        for family in real:
            fact = run.fact("a", "b", family, "tcp", 2001)
            self.assertIn(fact.verdict, self.MAY, f"{family} {fact}\n{run.err}{run.out}")
        for family in FAMILIES:  # the healthy twin: what is closed beside it
            for proto, port in (("udp", 2001), ("udp", 2002), ("tcp", 2003)):
                self.check(run, ("a", "b", family, proto, port), "holds", 7)
        return run

    def test_syn_proxy_of_the_kernel(self):
        """nftables synproxy. Measured: SYN/ACK at the sender, no arrival, and `proxied`.

        Linux 6.18 checks IPv6 packets there as if they were IPv4, and drops all whose checksum was
        not left to the interface: ours, and with `tx off` those of every program, so that IPv6 is
        no hole here (with `tx on` a program gets through and a raw packet never does)."""
        set_checksum_offload(self.lab, "a", 0)
        self.addCleanup(set_checksum_offload, self.lab, "a", 1)
        for key, value in (("net.netfilter.nf_conntrack_tcp_loose", 0),
                           ("net.ipv4.tcp_syncookies", 1), ("net.ipv4.tcp_timestamps", 1)):
            self.lab.run(FW, ["sysctl", "-qw", f"{key}={value}"])
        done = self.lab.run(FW, ["nft", "-f", "-"], input=OPEN + "table inet fw {\n chain raw {\n"
                            "  type filter hook prerouting priority raw;\n  tcp dport 2001 tcp flags"
                            " syn / fin,syn,rst,ack notrack\n }\n chain through {\n  type filter "
                            "hook forward priority 0; policy drop;\n  tcp dport 2001 ct state "
                            "invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm\n  "
                            "ct state established,related accept\n  tcp dport 2001 ct state new "
                            "accept\n  meta l4proto { tcp, udp } th dport 80 accept\n  meta l4proto "
                            "{ icmp, ipv6-icmp } accept\n }\n}\n")
        if done.returncode != 0:
            self.skipTest("no synproxy in this kernel: " + done.stderr.strip()[:200])
        self.never_hides()

    def test_relay_that_answers_first(self):
        """A transparent relay on the firewall, which calls the host when a client has connected."""
        child = self.lab.popen(FW, [sys.executable, "-c", RELAY, self.world.v4["b"],
                                    self.world.v6["b"], "2001"], stdout=-1, text=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.terminate)
        self.assertEqual(child.stdout.readline().strip(), "ready")
        child.stdout.close()
        self.lab.nft(FW, firewall("").replace("table inet fw {\n chain", "table inet fw {\n chain "
                     "pre {\n  type nat hook prerouting priority dstnat;\n  iifname left tcp dport "
                     "2001 redirect to :9999\n }\n chain", 1))
        self.never_hides()


class Rewriter:
    """A middlebox beside the firewall's own forwarding, which drops what it takes over: TCP to the
    denied ports and back gets other sequence numbers, other timestamps, or both, in both
    directions, as firewalls that randomise initial sequence numbers do. One constant per direction:
    whole connections pass."""

    SHIFT = {"to": 0x3A5F1C77, "back": 0x51E90B13}

    def __init__(self, lab, seq=True, stamps=True):
        self.seq, self.stamps = seq, stamps
        self.stop = threading.Event()
        self.ready = selectors.DefaultSelector()
        self.rewritten = 0
        with lab.inside(FW):
            for dev, way in (("left", "to"), ("right", "back")):
                sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
                sock.bind((dev, ETH_P_ALL))
                self.ready.register(sock, selectors.EVENT_READ, way)
            self.out = {4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
                        6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)}
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.thread.join()
        for key in list(self.ready.get_map().values()):
            key.fileobj.close()
        self.ready.close()
        for sock in self.out.values():
            sock.close()

    def work(self):
        while not self.stop.is_set():
            for key, _ in self.ready.select(0.1):
                data, address = key.fileobj.recvfrom(2048)
                if address[2] == PACKET_HOST:
                    with contextlib.suppress(OSError):
                        self.pass_on(bytearray(data), key.data)

    def pass_on(self, data, way):
        version = data[0] >> 4
        at = 20 if version == 4 else 40
        if len(data) < at + 20 or data[9 if version == 4 else 6] != 6:
            return
        sport, dport, seq, ack = struct.unpack_from("!HHII", data, at)
        if not 2001 <= (dport if way == "to" else sport) <= 2004:
            return
        mine, theirs = self.SHIFT[way], self.SHIFT["back" if way == "to" else "to"]
        if self.seq:
            struct.pack_into("!I", data, at + 4, (seq + mine) & 0xFFFFFFFF)
            if data[at + 13] & ACK:
                struct.pack_into("!I", data, at + 8, (ack - theirs) & 0xFFFFFFFF)
        if self.stamps:
            self.shift_stamps(data, at + 20, at + (data[at + 12] >> 4) * 4, mine, theirs)
        end = struct.unpack_from("!H", data, 2)[0] if version == 4 else len(data)
        head = (data[12:20] + struct.pack("!BBH", 0, 6, end - at) if version == 4 else
                data[8:40] + struct.pack("!IHBB", end - at, 0, 0, 6))
        struct.pack_into("!H", data, at + 16, 0)
        struct.pack_into("!H", data, at + 16, _checksum(bytes(head + data[at:end])))
        name = socket.inet_ntop(socket.AF_INET if version == 4 else socket.AF_INET6,
                                bytes(data[16:20] if version == 4 else data[24:40]))
        self.rewritten += 1
        self.out[version].sendto(data[:end], (name, 0))

    @staticmethod
    def shift_stamps(data, at, end, mine, theirs):
        while at < end and data[at] != 0:
            if data[at] == 1:
                at += 1
                continue
            if data[at] == 8 and at + 10 <= end:
                value, echo = struct.unpack_from("!II", data, at + 2)
                echo = (echo - theirs) & 0xFFFFFFFF if echo else 0
                struct.pack_into("!II", data, at + 2, (value + mine) & 0xFFFFFFFF, echo)
            at += max(2, data[at + 1])


class FooledRewriter(Fooled):
    """Tags are rewritten on the way; the control's are not, so that it stays good."""

    def rewritten(self, **what):
        ends = f"tcp dport {RANGE} drop\n  tcp sport {RANGE} drop"
        self.lab.nft(FW, firewall("").replace("  ct state established", f"  {ends}\n  ct state "
                                                                        "established"))
        with Rewriter(self.lab, **what) as box:
            for family in FAMILIES:
                self.assertTrue(self.reaches("a", "b", family, "tcp", 2001), "there is no hole")
            before = box.rewritten
            run = self.start().finish()
            self.assertGreater(box.rewritten, before)
        facts = self.never_holds(run, protos=("tcp",))
        self.count_inconclusive(facts)
        for family in FAMILIES:  # the healthy twin: UDP, which it leaves alone, is closed
            for port in PORTS:
                self.check(run, ("a", "b", family, "udp", port), "holds", 7)
        return facts

    def test_sequence_and_timestamps(self):
        """Measured: nothing that arrives is known by its tag; `inconclusive`, "without our tag"."""
        for fact in self.rewritten().values():
            self.assertRegex(fact.reason or "leak", "without our tag|leak")

    def test_sequence_alone(self):
        self.rewritten(stamps=False)

    def test_timestamps_alone(self):
        self.rewritten(seq=False)


class FooledChange(Fooled):
    """The policy changes between two attempts."""

    CLOSED = firewall("")
    HOLE = firewall(f"{L4} accept")
    HOST = "enforcement:\n  own: { between: [left, right], layer: host }\n"

    def real(self):
        self.lab.nft(FW, self.HOLE)
        for family in FAMILIES:
            for proto in ("tcp", "udp"):
                self.assertTrue(self.reaches("a", "b", family, proto, 2001), "there is no hole")

    def flipping(self, rules, host=FW, first=0.0, period=None, topology=None):
        """Runs while rules are loaded in turn: the second after `first`, more every `period`."""
        self.lab.nft(host, rules[0])
        running = self.start(topology=topology or self.topology(limits="max_rate: 60"))
        running.wait_for("denied flows")
        time.sleep(first)
        turn = 1
        while running.child.poll() is None and (turn == 1 or period):
            self.lab.nft(host, rules[turn % 2])
            turn += 1
            time.sleep(period or 0)
        return running.finish()

    def beside(self, run):
        """Never holds where something leaked in another attempt."""
        facts = self.never_holds(run)
        self.count_inconclusive(facts)
        self.assertIn("leak", {fact.verdict for fact in facts.values()})

    def test_closed_in_the_middle(self):
        """Open for the first ports alone. Before suspects were retested, 7 of 16 held."""
        self.real()
        self.beside(self.flipping([self.HOLE, self.CLOSED], first=0.5))

    def test_opened_between_the_attempts(self):
        self.real()
        self.beside(self.flipping([self.CLOSED, self.HOLE], first=1.3))

    def test_open_now_and_then(self):
        self.real()
        self.beside(self.flipping([self.CLOSED, self.HOLE], period=0.4))

    def out(self, drop):
        return OPEN + ("table inet fw {\n chain out {\n  type filter hook output priority 0;\n  "
                       + (f"{L4} drop" if drop else "") + "\n }\n}\n")

    def test_senders_policy(self):
        """Layer host, so that the sender's own policy may hold, but not one that was absent for one
        of the attempts."""
        topology = self.topology(limits="max_rate: 60", more=self.HOST)
        self.real()
        for order in ((True, False), (False, True)):
            run = self.flipping([self.out(drop) for drop in order], "a", 1.0, topology=topology)
            for (_, _, family, _, _), fact in self.never_holds(run).items():
                self.assertNotEqual(fact.by, "sender", family)
        self.lab.nft("a", self.out(True))  # the healthy twin
        run = self.start(topology=topology).finish()
        for family in FAMILIES:
            for port in PORTS:
                self.check(run, ("a", "b", family, "tcp", port), "holds", 4)

    def test_first_packet_dropped(self):
        """A firewall that drops the first SYN of every flow and passes its retransmission: an
        ordinary client connects after a second. Before SYNs were sent again, all of them held."""
        sets = "".join(f"  set seen{v} {{ type ipv{v}_addr . inet_service; flags dynamic; "
                       "timeout 20s; }\n" for v in (4, 6))
        late = "".join(f"  {word} saddr . tcp sport @seen{v} accept\n  add @seen{v} "
                       f"{{ {word} saddr . tcp sport }} drop\n" for word, v in (("ip", 4),
                                                                                ("ip6", 6)))
        body = firewall(f"tcp dport {RANGE} tcp flags & (syn | ack) == syn jump late")
        self.lab.nft(FW, body.replace("table inet fw {\n chain", "table inet fw {\n" + sets
                                      + " chain late {\n" + late + " }\n chain", 1))
        for family in FAMILIES:
            self.assertTrue(self.reaches("a", "b", family, "tcp", 2001, patience=3), "no hole")
        run = self.start().finish()
        for family in FAMILIES:
            for port in PORTS:
                self.assertEqual(run.fact("a", "b", family, "tcp", port).verdict, "leak", family)

    def test_the_control_gets_better(self):
        """A lossy control next to lossy holes, then a clean one: what was counted beside the first
        does not stand for the second."""
        policies = ["name: ok-82, from: a, to: b, allow: [tcp/82, udp/82]"]
        self.lab.nft(FW, firewall(
            "meta l4proto { tcp, udp } th dport { 80, 2001-2004 } numgen random mod 10 < 6 drop\n  "
            "meta l4proto { tcp, udp } th dport { 80, 82, 2001-2004 } accept"))
        self.beside(self.start(topology=self.topology(policies)).finish())


if __name__ == "__main__":
    unittest.main(verbosity=2)
