# SPDX-License-Identifier: Apache-2.0
"""What makes a path hard to sweep, for the tests and for the benchmarks: a firewall that drops by
default, polices, loses at random or has no room left in its table of connections; strangers who
send at the same time; ports that are open to an ordinary program.

Everything lives in the namespaces of a Lab (lab.py) and ends with it. Whole ports lists are sets of
numbers; ranges() and numbers() turn them into the text that topologies and reports use.

Needs nftables; fill_state() needs conntrack-tools (says so)."""
import contextlib
import errno
import os
import shutil
import signal
import socket
import sys
import time

import lab as labs

# What the firewalls here let through unless told otherwise: 104 TCP ports and 103 UDP ports.
TCP_OPEN = frozenset({22, 80, 443, *range(8000, 8101)})
UDP_OPEN = frozenset({53, 123, *range(8000, 8101)})
ALL_PORTS = frozenset(range(1, 65536))
BURST = 2000  # packets that a policer lets through at once


# ---- sets of ports ------------------------------------------------------------------------------

def ranges(ports):
    """{22, 8000, 8001} -> "22,8000-8001"; "" for none."""
    out, run = [], []
    for port in [*sorted(ports), -1]:
        if run and port != run[-1] + 1:
            out.append(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]))
            run = []
        run.append(port)
    return ",".join(out)


def numbers(text):
    """"22,8000-8001" -> {22, 8000, 8001}."""
    found = set()
    for part in filter(None, (text or "").replace(" ", "").split(",")):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return found


def entries(ports, proto):
    """Topology entries of some ports: {22, 80} -> "tcp/22, tcp/80"."""
    return ", ".join(f"{proto}/{part}" for part in ranges(ports).split(",") if part)


def verdicts(report, flow, among):
    """{verdict: set of ports} of one flow (from, to, family, protocol) of a report, within some
    ports. "delivered" are ports that hold because something arrived; a port that the report says
    nothing of is "absent". Verdicts without ports are left out."""
    keys = ("from", "to", "family", "protocol")
    found = {}
    for key in ("findings", "notes", "inconclusive"):
        for item in report[key]:
            if flow == tuple(item.get(k) for k in keys):
                verdict = item.get("verdict", "inconclusive")
                found.setdefault(verdict, set()).update(numbers(item["ports"]) & among)
    told = set().union(*found.values())
    pair = next((p for p in report["pairs"] if flow == tuple(p[k] for k in keys)), None)
    if pair:
        found["holds"] = (numbers(pair["tested"]) & among) - told
        found["delivered"] = numbers(pair["delivered"]) & found["holds"]
    rest = among - told - found.get("holds", set())
    if rest:  # told once, for the host at fault or for all
        at_fault = pair and pair["inconclusive"] and any(
            item.get("host") in (*flow[:2], None) for item in report["inconclusive"]
            if "from" not in item)
        found.setdefault("inconclusive" if at_fault else "absent", set()).update(rest)
    return {verdict: ports for verdict, ports in found.items() if ports}


# ---- firewalls ------------------------------------------------------------------------------------

def policed(rate, burst=BURST, only=""):
    """A rule that lets so many packets a second through. only: an nft match."""
    return f"{only} limit rate over {rate}/second burst {burst} packets drop".strip()


def lossy(percent, only=""):
    """A rule that loses so many packets in a hundred, by chance."""
    return f"{only} numgen random mod 100 < {percent} drop".strip()


def firewall(tcp=TCP_OPEN, udp=UDP_OPEN, first=(), more=(), otherwise="drop"):
    """A firewall that tracks connections and drops what is not listed. It replaces the one before.
    first: rules before everything (policers); more: rules after the lists; otherwise: what becomes
    of the rest, for example "reject with icmpx admin-prohibited"."""
    lists = [f"{proto} dport {{ {ranges(ports)} }} accept"
             for proto, ports in (("tcp", tcp), ("udp", udp)) if ports]
    lines = [*first, "ct state established,related accept", *lists,
             "meta l4proto { icmp, ipv6-icmp } accept", *more,
             *([otherwise] if otherwise != "drop" else [])]
    return ("table inet fw { }\ndelete table inet fw\ntable inet fw {\n chain through {\n"
            "  type filter hook forward priority 0; policy drop;\n  "
            + "\n  ".join(lines) + "\n }\n}\n")


def mute(lab, host, dev="eth0"):
    """The host's stack hears nothing any more, so that it answers nothing; captures still see all
    (an ingress drop). Returns what undoes it."""
    lab.nft(host, f"table netdev mute {{\n chain in {{\n  type filter hook ingress device {dev} "
                  "priority 0; policy drop;\n  meta l4proto { icmp, ipv6-icmp } accept\n"
                  "  ether type arp accept\n }\n}\n")
    return lambda: lab.nft(host, "delete table netdev mute\n")


def state_limit():
    """How many connections this machine's firewalls can follow, or None."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/sys/net/netfilter/nf_conntrack_max", encoding="ascii") as file:
            return int(file.read())
    return None


def fill_state(lab, router, share=1.0):
    """Fills the firewall's table with established connections of other people, which it will not
    give up for new ones; they stay for an hour, or until empty_state(). Returns how many there are
    then. The limit is the machine's (a namespace cannot set its own), so this takes some seconds."""
    limit = state_limit()
    if not shutil.which("conntrack") or not limit:
        raise labs.LabError("conntrack (conntrack-tools) is not installed, or nothing is tracked")
    empty_state(lab, router)  # what is only half open would make room for new ones
    lines = [f"-I -p tcp -s 10.198.{n >> 22}.{n >> 14 & 255} -d 10.199.0.1 "
             f"--sport {1024 + (n & 16383)} --dport 80 --state ESTABLISHED "
             "-u ASSURED,SEEN_REPLY -t 3600" for n in range(int(limit * share))]
    path = os.path.join(lab.dir, "connections")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    lab.run(router, ["conntrack", "-R", path], timeout=120)  # the last ones find no room: fine
    os.unlink(path)
    return states(lab, router)


def states(lab, router):
    """Entries in the firewall's table now."""
    done = lab.run(router, ["conntrack", "-C"])
    return int(done.stdout.strip() or 0)


def empty_state(lab, router):
    lab.run(router, ["conntrack", "-F"])


# ---- traffic --------------------------------------------------------------------------------------

STRANGER = """
import socket, sys, time
address, port, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
data, began, sent = bytes(1200), time.monotonic(), 0
end = began + float(sys.argv[4])
while time.monotonic() < end:
    while sent * len(data) < (time.monotonic() - began) * rate:
        try: sock.sendto(data, (address, port))
        except OSError: pass
        sent += 1
    time.sleep(0.001)
"""


class Stranger:
    """Somebody who sends datagrams of 1200 bytes to a port of a host while the block lasts."""

    def __init__(self, lab, host, address, port, bytes_per_second=4e6, seconds=120):
        self.argv = [sys.executable, "-c", STRANGER, address, str(port), str(bytes_per_second),
                     str(seconds)]
        self.lab, self.host, self.child = lab, host, None

    def __enter__(self):
        self.child = self.lab.popen(self.host, self.argv)
        return self

    def __exit__(self, *exc):
        self.child.terminate()
        self.child.wait(timeout=10)


def reaches(lab, source, address, proto, port, patience=0.5):
    """Whether an ordinary program gets through to a port: the target's own kernel answers, be it by
    a service or by refusing. This is what proves that a hole is real, or that it is not there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    with lab.socket(source, family, kind) as sock:
        sock.settimeout(patience)
        try:
            sock.connect((address, port))
            sock.send(b"real")
            sock.recv(1)
        except ConnectionRefusedError:
            return True
        except OSError as err:
            if isinstance(err, TimeoutError) or err.errno in (errno.EHOSTUNREACH, errno.EACCES,
                                                              errno.EPERM):
                return False
            raise
    return True


@contextlib.contextmanager
def stopped(pids):
    """Processes stand still within the block."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


# ---- measuring ------------------------------------------------------------------------------------

def interface(lab, ns, dev="eth0"):
    """{"rx": packets, "tx": packets} that an interface counted so far."""
    with lab.inside(ns):
        with open("/proc/thread-self/net/dev", encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name.strip() == dev:
                    fields = rest.split()
                    return {"rx": int(fields[1]), "tx": int(fields[9])}
    raise labs.LabError(f"{ns} has no interface {dev}")


def mac(lab, ns, dev="eth0"):
    done = lab.run(ns, ["cat", f"/sys/class/net/{dev}/address"], check=True)
    return done.stdout.strip()


def wait_while(check, seconds, step=0.01):
    """Until check() is false; whether that came in time."""
    deadline = time.monotonic() + seconds
    while check():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True
