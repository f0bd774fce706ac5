# SPDX-License-Identifier: Apache-2.0
"""What the attempts to fool a run share (test_fooled.py, test_fooled_network.py): a network whose
firewall lets everything through, so that every "holds" of a denied port would be false. Then a port
may leak or stay without a conclusion, and the exit code is not 0."""
import errno
import socket
import sys
import time

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, Case, World, count  # noqa: E402
from lab import inside  # noqa: E402 (harness found it)

OPEN = "table inet fw { }\ndelete table inet fw\n"
PORTS = (2001, 2002, 2003, 2004)
DENIES = [f"name: d{port}, from: a, to: b, deny: [tcp/{port}, udp/{port}]" for port in PORTS]
POLICIES = ["name: ok, from: a, to: b, allow: [tcp/80, udp/80, icmp/echo, icmp6/echo]", *DENIES]
FAST = "max_rate: 1000"
SLOW = "max_rate: 60"  # a batch of denied flows takes two to three seconds
MIDDLE = 0.6  # seconds after the start of that batch


def firewall(lines):
    """A forward chain of the firewall: what is allowed, and these lines before it; else dropped."""
    return OPEN + ("table inet fw {\n chain through {\n  type filter hook forward priority 0; "
                   f"policy drop;\n  ct state established,related accept\n  {lines}\n"
                   "  meta l4proto { tcp, udp } th dport 80 accept\n"
                   "  meta l4proto { icmp, ipv6-icmp } accept\n }\n}\n")


class Fooled(Case):
    """a -- fw -- b, c. Every test puts the firewalls back."""

    @classmethod
    def build(cls):
        return World("fool", {"left": ["a"], "right": ["b", "c"]})

    def setUp(self):
        for host in (FW, "a", "b", "c"):
            self.world.lab.nft(host, OPEN)
        self.lab = self.world.lab

    def topology(self, policies=(), **how):
        return self.world.topology([*POLICIES, *policies], **{"limits": FAST, **how})

    def start(self, *options, **how):
        topology = how.pop("topology", None) or self.topology()
        return self.world.start(topology, "--from", "a", "--to", "b", *options, **how)

    def middle(self, act, *options, **how):
        """Runs, does something in the middle of the denied flows, and returns the finished run."""
        running = self.start(*options, topology=self.topology(limits=SLOW), **how)
        running.wait_for("denied flows")
        time.sleep(MIDDLE)
        act()
        return running.finish()

    def reaches(self, source, target, family, proto, port, patience=0.5):
        """Whether an ordinary program gets through to a port on which nothing listens: the target's
        own kernel refuses the connection, or the datagram. Proves that a hole is real."""
        with inside(self.world.lab.ns(source)):
            sock = socket.socket(socket.AF_INET if family == "ipv4" else socket.AF_INET6,
                                 socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
        with sock:
            sock.settimeout(patience)
            try:
                sock.connect((self.world.address(target, family), port))
                sock.send(b"real")
                sock.recv(1)
            except ConnectionRefusedError:
                return True
            except OSError as err:
                assert isinstance(err, TimeoutError) or err.errno == errno.EHOSTUNREACH, err
        return False

    def never_holds(self, run, may=("leak", "inconclusive"), protos=("tcp", "udp"), ports=PORTS,
                    reason=None):
        """No denied port held, and the run does not look good."""
        self.assertNotEqual(run.code, 0, run.err + run.out)
        self.assertIsNotNone(run.data, run.err + run.out)
        facts = {}
        for family in FAMILIES:
            for proto in protos:
                for port in ports:
                    flow = ("a", "b", family, proto, port)
                    fact = facts[flow] = run.fact(*flow)
                    told = f"{flow}: {fact}\n{run.err}{run.out}"
                    self.assertIn(fact.verdict, may, told)
                    if fact.verdict == "inconclusive" and reason:
                        self.assertRegex(fact.reason, reason, told)
        return facts

    def count_inconclusive(self, facts):
        for (_, _, family, _, _), fact in facts.items():
            if fact.verdict == "inconclusive":
                count(3, family)
