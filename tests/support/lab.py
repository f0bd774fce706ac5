# SPDX-License-Identifier: Apache-2.0
"""Throw-away networks of Linux network namespaces, for tests and for the demo.

A Lab is described first (namespaces, links, addresses, routes: these calls only queue) and made on
the first use, or by commit(), with a handful of `ip -batch` calls: a dozen hosts take well under a
second. It removes everything it made when the `with` block ends, on SIGINT, SIGTERM and SIGHUP, and
at exit: processes inside its namespaces, listeners, namespaces, its temporary folder.

    with Lab("t") as lab:
        lab.add_ns("a", "b")
        lab.veth("a", "eth0", "b", "eth0")
        lab.addr("a", "eth0", "10.0.0.1/24", "fd00::1/64")
        lab.addr("b", "eth0", "10.0.0.2/24", "fd00::2/64")
        lab.nft("b", "table inet t { chain i { type filter hook input priority 0; policy drop; } }")
        lab.run("a", ["ping", "-c1", "10.0.0.2"])

Names given here are short; the namespace behind "a" is lab.ns("a") ("t-<pid>-a"), so labs that run
at the same time never meet. Needs root, iproute2 and, for nft(), nftables. Only the standard
library is used. IPv6 addresses are usable at once (no duplicate address detection) and nothing
sends or accepts router advertisements. Packets are made and read by packets.py beside this file.

A signal ends the lab by SystemExit in the main thread; a lab that is killed outright leaves its
namespaces, and remove() takes them down by what state() said. Processes started with popen() must
be ended, or die, with the lab; close() ends whatever still runs in its namespaces."""
import atexit
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

NETNS_DIR = "/run/netns"
CLONE_NEWNET = 0x40000000
IFNAMSIZ = 15
HOST_SYSCTLS = {
    "net.ipv6.conf.{}.disable_ipv6": 0,
    "net.ipv6.conf.{}.accept_dad": 0,
    "net.ipv6.conf.{}.dad_transmits": 0,
    "net.ipv6.conf.{}.accept_ra": 0,
    "net.ipv6.conf.{}.autoconf": 0,
    "net.ipv6.conf.{}.router_solicitations": 0,
    "net.ipv4.conf.{}.rp_filter": 0,
    "net.ipv4.conf.{}.send_redirects": 0,
}
ROUTER_SYSCTLS = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}

_libc = ctypes.CDLL(None, use_errno=True)
_serial = 0


class LabError(Exception):
    """What could not be made, and what the tool said about it."""


def missing():
    """Why no lab can be built on this machine, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    return None


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        err = ctypes.get_errno()
        raise LabError(f"setns: {os.strerror(err)}")


@contextlib.contextmanager
def inside(full_name):
    """The calling thread is in that namespace within the block; sockets made there stay there."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(os.path.join(NETNS_DIR, full_name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(back)
    finally:
        os.close(back)


def _start_time(pid):
    """When a process started, in clock ticks: with the pid it names one process for ever."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
            return None if fields[0] in "ZX" else int(fields[19])  # a zombie has ended
    except (OSError, ValueError, IndexError):
        return None


def identity(pid):
    """(pid, start time), to be kept in a file and checked with is_alive()."""
    return [pid, _start_time(pid)]


def is_alive(who):
    return who[1] is not None and _start_time(who[0]) == who[1]


def _pids_in(full_names):
    """Every process whose network namespace is one of these."""
    inodes = set()
    for name in full_names:
        with contextlib.suppress(OSError):
            stat = os.stat(os.path.join(NETNS_DIR, name))
            inodes.add((stat.st_dev, stat.st_ino))
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):
                stat = os.stat(f"/proc/{entry}/ns/net")
                if (stat.st_dev, stat.st_ino) in inodes:
                    found.append(int(entry))
    return found


def _end(processes, grace=2.0):
    """SIGTERM, then SIGKILL after the grace; processes is a list of identity()."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for who in processes:
            if is_alive(who):
                with contextlib.suppress(OSError):
                    os.kill(who[0], number)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            if not any(is_alive(who) for who in processes):
                return
            time.sleep(0.01)


def remove(state):
    """Takes down a lab known only by what Lab.state() said of it (see the demo's --keep)."""
    names = [name for name in state["namespaces"]
             if os.path.exists(os.path.join(NETNS_DIR, name))]
    _end([identity(pid) for pid in _pids_in(names)] + state["listeners"])
    if names:
        _ip([], [f"netns del {name}" for name in names], check=False)
    if state["dir"]:
        shutil.rmtree(state["dir"], ignore_errors=True)


def _ip(options, lines, check=True):
    done = subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines) + "\n", text=True,
                          capture_output=True, check=False)
    if check and (done.returncode != 0 or done.stderr.strip()):
        raise LabError(f"ip {' '.join(options)}: {done.stderr.strip() or done.returncode}")


class Lab:
    """One network. keep=True leaves it standing when the program ends (after detach())."""

    def __init__(self, prefix="sp-lab", keep=False):
        global _serial
        _serial += 1
        self.prefix = f"{prefix}-{os.getpid()}" + (f"-{_serial}" if _serial > 1 else "")
        self.keep = keep
        self.namespaces = []  # short names, in order
        self._owner = os.getpid()
        self._dir = None
        self._new_ns, self._links, self._per_ns, self._sysctls = [], [], {}, {}
        self._made = []  # full names that exist
        self._children = []
        self._listeners = []  # identity() of listener processes
        self._closed = False
        self._old_handlers = {}

    # ---- life -------------------------------------------------------------------------------
    def __enter__(self):
        atexit.register(self.close)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ValueError):  # not the main thread: the caller's business
                self._old_handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc):
        self.close()

    @staticmethod
    def _on_signal(number, _frame):
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)  # what unwinds now must not be cut short
        raise SystemExit(128 + number)  # unwinds through every `with` and `finally`

    def detach(self):
        """Leaves the network standing; from now on only remove(state) takes it down."""
        self._closed = True
        self._restore()
        return self.state()

    def state(self):
        return {"prefix": self.prefix, "owner": identity(self._owner), "dir": self._dir,
                "namespaces": [self.ns(name) for name in self.namespaces],
                "listeners": self._listeners}

    def close(self):
        """Removes everything; may be called again. A forked child's copy does nothing."""
        if self._closed or os.getpid() != self._owner:
            return
        self._closed = True
        held = {}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ValueError):  # a Ctrl-C now must not leave half of it
                held[number] = signal.signal(number, signal.SIG_IGN)
        try:
            for child in self._children:
                if child.poll() is None:
                    child.terminate()
            remove(self.state())
            for child in self._children:
                child.wait(timeout=5)
        finally:
            for number, handler in held.items():
                signal.signal(number, handler)
            self._restore()

    def _restore(self):
        atexit.unregister(self.close)
        for number, handler in self._old_handlers.items():
            with contextlib.suppress(ValueError):
                signal.signal(number, handler)
        self._old_handlers = {}

    @property
    def dir(self):
        """A private temporary folder that lives as long as the lab."""
        if self._dir is None:
            self._dir = tempfile.mkdtemp(prefix=self.prefix + "-")
        return self._dir

    def ns(self, name):
        """The namespace's real name, for `ip netns exec` and `probe: {via: netns, name: ...}`."""
        return f"{self.prefix}-{name}"

    # ---- description (queued) -----------------------------------------------------------------
    def add_ns(self, *names, router=False):
        """Namespaces with loopback up. A router forwards both families."""
        for name in names:
            if name in self.namespaces:
                raise LabError(f"namespace {name} is declared twice")
            self.namespaces.append(name)
            self._new_ns.append(name)
            settings = {}
            for key, value in HOST_SYSCTLS.items():
                settings[key.format("all")] = settings[key.format("default")] = value
            if router:
                settings.update(ROUTER_SYSCTLS)
            self._sysctls[name] = settings
            self._per_ns[name] = ["link set dev lo up"]

    def veth(self, ns_a, if_a, ns_b, if_b):
        """A cable between two namespaces, both ends up."""
        for dev in (if_a, if_b):
            if len(dev) > IFNAMSIZ:
                raise LabError(f"interface name {dev} is longer than {IFNAMSIZ}")
        self._links.append(f"link add name {if_a} netns {self.ns(ns_a)} type veth "
                           f"peer name {if_b} netns {self.ns(ns_b)}")
        self.ip(ns_a, f"link set dev {if_a} up")
        self.ip(ns_b, f"link set dev {if_b} up")

    def bridge(self, ns, name, *ports):
        """A switch inside a namespace; its ports are interfaces of that namespace."""
        self.ip(ns, f"link add name {name} type bridge stp_state 0 forward_delay 0 "
                    "mcast_snooping 0",
                *[f"link set dev {port} master {name}" for port in ports],
                f"link set dev {name} up")

    def addr(self, ns, dev, *cidrs):
        self.ip(ns, *[f"addr add {cidr} dev {dev}" + (" nodad" if ":" in cidr else "")
                      for cidr in cidrs])

    def route(self, ns, *routes):
        """Routes as `ip route add` takes them: "default via 10.0.0.1"."""
        self.ip(ns, *["route add " + route for route in routes])

    def ip(self, ns, *lines):
        """Lines for `ip -batch` in that namespace, kept in order."""
        if ns not in self.namespaces:
            raise LabError(f"there is no namespace {ns}")
        self._per_ns.setdefault(ns, []).extend(lines)

    def sysctl(self, ns, **settings):
        """sysctl("fw", **{"net.ipv4.conf.all.rp_filter": 1}); set before that namespace's links."""
        self._sysctls.setdefault(ns, {}).update(settings)

    def commit(self):
        """Makes what is queued. Every method below does this first."""
        new, self._new_ns = self._new_ns, []
        if new:
            _ip([], [f"netns add {self.ns(name)}" for name in new])
        sysctls, self._sysctls = self._sysctls, {}
        for name, settings in sysctls.items():
            with inside(self.ns(name)):
                for key, value in settings.items():
                    self._write_sysctl(key, value)
        links, self._links = self._links, []
        if links:
            _ip([], links)
        per_ns, self._per_ns = self._per_ns, {}
        for name, lines in per_ns.items():
            _ip(["-n", self.ns(name)], lines)

    @staticmethod
    def _write_sysctl(key, value):
        path = "/proc/sys/" + key.replace(".", "/")
        if not os.path.exists(path) and "bridge" in key:
            return  # br_netfilter is not loaded: bridged frames skip the firewall anyway
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(str(value))
        except OSError as err:
            raise LabError(f"sysctl {key}: {err.strerror}") from err

    # ---- use --------------------------------------------------------------------------------
    def inside(self, ns):
        self.commit()
        return inside(self.ns(ns))

    def run(self, ns, argv, check=False, timeout=30, **options):
        """subprocess.run in a namespace; output is captured as text unless told otherwise."""
        self.commit()
        if "stdout" not in options and "stderr" not in options:
            options.setdefault("capture_output", True)
        options.setdefault("text", True)
        return subprocess.run(["ip", "netns", "exec", self.ns(ns), *argv], check=check,
                              timeout=timeout, **options)

    def popen(self, ns, argv, **options):
        """subprocess.Popen in a namespace; ended with the lab."""
        self.commit()
        child = subprocess.Popen(["ip", "netns", "exec", self.ns(ns), *argv], **options)
        self._children.append(child)
        return child

    def nft(self, ns, text):
        """Loads an nftables ruleset (one transaction: all of it or nothing)."""
        done = self.run(ns, ["nft", "-f", "-"], input=text)
        if done.returncode != 0:
            raise LabError(f"nft in {ns}: {done.stderr.strip()}")

    def nft_counters(self, ns):
        """{counter name: packets} of the named counters in a namespace."""
        done = self.run(ns, ["nft", "-j", "list", "counters"], check=True)
        return {item["counter"]["name"]: item["counter"]["packets"]
                for item in json.loads(done.stdout)["nftables"] if "counter" in item}

    def listen(self, specs):
        """Starts services: {"web-1": ["tcp/443", "udp/53"]}, on both families. TCP says a short
        banner and closes; UDP answers with what it got. One process serves them all; returns when
        every port is open."""
        self.commit()
        wanted = [[self.ns(name), *spec.split("/")] for name, some in specs.items()
                  for spec in some]
        child = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "serve", "keep" if self.keep else "die"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True)
        self._children.append(child)
        self._listeners.append(identity(child.pid))
        child.stdin.write(json.dumps(wanted))
        child.stdin.close()
        answer = child.stdout.readline().strip()
        child.stdout.close()
        if answer != "ready":
            raise LabError(f"listeners: {answer or 'the process ended'}")
        return child

    def socket(self, ns, *args):
        """socket.socket(*args) made inside a namespace."""
        with self.inside(ns):
            return socket.socket(*args)


def _serve_open(wanted):
    import selectors
    ready = selectors.DefaultSelector()
    for full_name, proto, port in wanted:
        with inside(full_name):
            kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
            sock = socket.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::", int(port)))
        if proto == "tcp":
            sock.listen(128)
        sock.setblocking(False)
        ready.register(sock, selectors.EVENT_READ, proto)
    return ready


def _serve(mode):
    """The listener process behind Lab.listen()."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the lab ends us, not the terminal
    if mode == "die":
        _libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: never outlive a killed lab
    try:
        ready = _serve_open(json.load(sys.stdin))
    except (OSError, LabError, ValueError) as err:
        print(err, flush=True)
        return 1
    print("ready", flush=True)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    while True:
        for key, _ in ready.select():
            with contextlib.suppress(OSError):
                if key.data == "tcp":
                    peer, _ = key.fileobj.accept()
                    with peer:
                        peer.setblocking(False)
                        peer.send(b"hello\r\n")
                else:
                    data, sender = key.fileobj.recvfrom(65535)
                    key.fileobj.sendto(data, sender)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "serve":
        sys.exit(_serve(sys.argv[2]))
    sys.exit("lab.py is a library; see its first lines")
