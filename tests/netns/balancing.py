# SPDX-License-Identifier: Apache-2.0
"""What the tests of load balancers share: a router that is or runs the balancer, its rules and
configurations, services behind it, and what a report says of it.

c (segment users), o (segment others) -- fw -- w1, w2, ... (segment web). The balancer's address is
the firewall's own. Of real balancers only this lab's: with its own configuration, in the
foreground, inside the firewall's namespace, ended with the lab; never the machine's services."""
import json
import os
import shutil
import socket
import sys
import time

sys.dont_write_bytecode = True
from fooling import OPEN  # noqa: E402
from harness import FAMILIES, FW, Case, World  # noqa: E402

VIP = {"ipv4": "10.60.99.10", "ipv6": "fd00:60:99::10"}
IP = {"ipv4": "ip", "ipv6": "ip6"}
ANY = {"ipv4": 4, "ipv6": 6}
LIMITS = "max_rate: 2000, hazard: B"
DATA_OK = "services: { app: { ports: tcp/8443, data: ok } }\n"
# The balancer's address is the firewall's, and it answers to pings.
PINGS = "name: pings, from: [users, others], to: lb, permit: [icmp/echo, icmp6/echo]"
FEW = ("--only", "tcp_handshake")  # the listeners alone
TCP = ("--only", "tcp_syn", *FEW)

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"

# Serves "port" on both families: every connection and datagram is answered with "app" (HTTP where
# it is asked for that) once its data has come. argv: port, file for a line per connection.
APP = """
import selectors, socket, sys
port, log = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
ready = selectors.DefaultSelector()
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", port))
    if kind == socket.SOCK_STREAM: sock.listen(128)
    sock.setblocking(False)
    ready.register(sock, selectors.EVENT_READ, kind)
log.write("ready\\n")
def talk(peer):
    data = peer.recv(4096)
    log.write(f"data {len(data)}\\n")
    if not data: ready.unregister(peer), peer.close()
    elif b"HTTP/1." in data:
        peer.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\napp")
    else: peer.send(b"app")
while True:
    for key, _ in ready.select():
        try:
            if key.data == "peer": talk(key.fileobj)
            elif key.data == socket.SOCK_STREAM:
                peer, who = key.fileobj.accept()
                log.write(f"accept {who[0]}\\n")
                peer.setblocking(False)
                ready.register(peer, selectors.EVENT_READ, "peer")
            else:
                data, who = key.fileobj.recvfrom(4096)
                log.write(f"datagram {who[0]}\\n")
                key.fileobj.sendto(b"app", who)
        except OSError:
            if key.data == "peer": ready.unregister(key.fileobj), key.fileobj.close()
"""


def wrapped(family, address):
    return f"[{address}]" if family == "ipv6" else address


class Balanced(Case):
    """One network; every test sets up its balancer, and setUp() takes away the last one's."""

    prefix = "lb"
    BACKENDS = ("w1", "w2")
    MORE_HOSTS = ()  # of the segment web, declared but no backends
    PING = "name: ping, from: users, to: x, allow: [icmp/echo, icmp6/echo]"
    PINGED = "  meta l4proto { icmp, ipv6-icmp } accept"

    @classmethod
    def build(cls):
        world = World(cls.prefix, {"users": ["c"], "others": ["o"],
                                   "web": [*cls.BACKENDS, *cls.MORE_HOSTS]})
        world.lab.addr(FW, "lo", f"{VIP['ipv4']}/32", f"{VIP['ipv6']}/128")
        return world

    def setUp(self):
        self.lab = self.world.lab
        self.children = []
        self.lab.nft(FW, OPEN)
        for host in self.BACKENDS:
            self.lab.nft(host, OPEN)
        self.addCleanup(self.end_children)

    def end_children(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait(timeout=5)
        self.children = []

    # ---- the network ----
    def firewall(self, pre="", post="", forward="", opened=""):
        """Lines of nat prerouting, nat postrouting, the forward chain (default: drop), input."""
        self.lab.nft(FW, OPEN + f"""table inet fw {{
 chain pre {{
  type nat hook prerouting priority dstnat;
{pre}
 }}
 chain post {{
  type nat hook postrouting priority srcnat;
{post}
 }}
 chain through {{
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
{forward}
  ct status dnat accept
 }}
 chain into {{
  type filter hook input priority 0; policy accept;
{opened}
 }}
}}
""")

    def dnat(self, backends=None, port=443, to=8443, proto="tcp", pick="numgen inc", only=FAMILIES,
             iifname='"users"'):
        """Destination translation of one port of the balancer's address to backends in turn."""
        lines = []
        backends = backends or self.BACKENDS
        for family in only:
            places = ", ".join(
                f"{i} : {self.world.address(host, family)} . {to}"
                for i, host in enumerate(backends))
            lines.append(f"  iifname {iifname} {IP[family]} daddr {VIP[family]} {proto} dport "
                         f"{port} dnat {IP[family]} to {pick} mod {len(backends)} "
                         f"map {{ {places} }}")
        return "\n".join(lines)

    # ---- topologies ----
    def balanced(self, backends=None, listener="", more="", sources=(), port="tcp/443", to=8443,
                 balancer=""):
        """The YAML of the balancer `lb`; listener: further keys of it."""
        sources = f"sources: [{', '.join(json.dumps(s) for s in sources)}], " if sources else ""
        names = ", ".join(backends or self.BACKENDS)
        listener = f", {listener}" if listener else ""
        return (f'load_balancers:\n  lb: {{ address: [{VIP["ipv4"]}, "{VIP["ipv6"]}"], '
                f"from: users, {sources}{balancer}listeners: [ {{ port: {port}, backends: [{names}]"
                f", backend_port: {to}{listener} }} ] }}\n" + more)

    def verify(self, topology, *options, source="c", to="lb", limits=LIMITS, policies=(), **how):
        text = self.world.topology([PINGS, *policies], limits=limits, more=topology, name="lb")
        return self.world.verify(text, "--from", source, "--to", to, *options, **how)

    # ---- what runs ----
    def spawn(self, host, argv, **how):
        child = self.lab.popen(host, argv, **how)
        self.children.append(child)
        return child

    def wait_port(self, host, port, address="::1"):
        """Until somebody listens there (a look at the kernel's table, no connection is made)."""
        deadline = time.monotonic() + 5
        while f":{port} " not in self.lab.run(host, ["ss", "-Hlnt"]).stdout:
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody listens on port {port} of {host}")
            time.sleep(0.02)

    def app(self, *hosts, port=8443):
        """Starts a real service on hosts; {host: file that tells what came}."""
        logs = {}
        for host in hosts:
            log = os.path.join(self.lab.dir, f"app-{host}-{port}.log")
            with open(log, "w", encoding="ascii"):
                pass
            self.spawn(host, [sys.executable, "-c", APP, str(port), log])
            logs[host] = log
        for host in hosts:
            self.wait_port(host, port)
        return logs

    @staticmethod
    def heard(log):
        with open(log, encoding="ascii") as file:
            return [line.strip() for line in file if line.strip() != "ready"]

    # ---- what came of it ----
    def facts(self, run):
        """{(from, to, family, protocol, ports): verdict} of the findings."""
        return {(f["from"], f["to"], f["family"], f["protocol"], f["ports"]): f["verdict"]
                for f in run.data["findings"]}

    def told(self, run):
        return f"exit {run.code}\n{run.out}\n{run.err}"

    def good(self, run):
        """Everything holds."""
        self.assertIsNotNone(run.data, self.told(run))
        self.assertEqual((run.data["findings"], run.data["inconclusive"], run.code), ([], [], 0),
                         self.told(run))

    def only(self, run, findings, inconclusive=False):
        """Exactly these findings, and (unless told) nothing left open."""
        self.assertIsNotNone(run.data, self.told(run))
        self.assertEqual(self.facts(run), findings, self.told(run))
        if not inconclusive:
            self.assertEqual(run.data["inconclusive"], [], self.told(run))
        self.assertEqual(run.code, 1 if findings else 3 if inconclusive else 0, self.told(run))

    def listener_at(self, verdict, port="443", proto="tcp", source="c", families=FAMILIES):
        return {(source, "lb", family, proto, port): verdict for family in families}

    def finding(self, run, *flow):
        for item in run.data["findings"]:
            if (item["from"], item["to"], item["family"], item["protocol"]) == flow:
                return item
        self.fail(f"no finding of {flow}: {self.told(run)}")

    def reached(self, run, port="tcp/443", **backends):
        """Which backends got flows, as the report tells."""
        want = {(family, host): there for family in FAMILIES for host, there in backends.items()}
        got = {}
        for listener in run.data["load_balancers"][0]["listeners"]:
            for client in listener["clients"] if listener["port"] == port else []:
                got.update({(client["family"], backend["host"]): backend["flows"] > 0
                            for backend in client["backends"] if client["from"] == "c"})
        self.assertEqual(got, want, run.data["load_balancers"])


class Proxied(Balanced):
    """The balancer is a program on the firewall, which opens connections of its own."""

    def haproxy(self, mode="tcp", servers=None, server="", backend="", more="", cross=False,
                bind="", idle="5s"):
        """Starts haproxy. servers: hosts; server: further words of each, backend: of them all;
        bind: of its listeners; idle: its timeout; cross: IPv6 clients are passed on to IPv4 backends."""
        out = ["global", "  maxconn 500", f"  stats socket {self.haproxy_socket()}", "defaults", f"  mode {mode}", "  timeout connect 200ms",
               f"  timeout client {idle}", f"  timeout server {idle}", "  retries 0"]
        for family in FAMILIES:
            out += [f"frontend f{family}",
                    f"  bind {wrapped(family, VIP[family])}:443 {bind}",
                    f"  default_backend b{family}", f"backend b{family}", "  balance roundrobin",
                    f"  {backend}"]
            towards = "ipv4" if cross else family
            for host in self.BACKENDS if servers is None else servers:
                address = wrapped(towards, self.world.address(host, towards))
                out.append(f"  server {host} {address}:8443 {server}")
        path = os.path.join(self.lab.dir, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(out) + f"\n{more}\n")
        child = self.spawn(FW, [HAPROXY, "-db", "-q", "-f", path])
        self.wait_port(FW, 443)
        return child

    def haproxy_socket(self):
        return os.path.join(self.lab.dir, "haproxy.sock")

    def is_down(self, server):
        """Whether haproxy has marked a server down in every backend."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.haproxy_socket())
            sock.sendall(b"show servers state\n")
            rows = b"".join(iter(lambda: sock.recv(65536), b"")).decode().splitlines()
        states = [row.split()[5] for row in rows if row.split()[3:4] == [server]]
        return bool(states) and set(states) == {"0"}

    def nginx(self, servers=None, server="", more=""):
        """Starts nginx with its stream module."""
        out = [f"load_module {NGINX_STREAM};", "daemon off;", "master_process off;",
               f"pid {self.lab.dir}/nginx.pid;", f"error_log {self.lab.dir}/nginx.log;",
               "worker_rlimit_nofile 1024;",
               "events { worker_connections 500; }", "stream {"]
        for family in FAMILIES:
            out.append(f"  upstream u{family} {{")
            for host in self.BACKENDS if servers is None else servers:
                address = wrapped(family, self.world.address(host, family))
                out.append(f"    server {address}:8443 max_fails=0 {server};")
            out.append(f"  }}\n  server {{\n    listen {wrapped(family, VIP[family])}:443;\n"
                       f"    proxy_pass u{family};\n    proxy_connect_timeout 200ms;\n    {more}\n"
                       "  }")
        path = os.path.join(self.lab.dir, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(out) + "\n}\n")
        child = self.spawn(FW, [NGINX, "-q", "-e", f"{self.lab.dir}/nginx.log", "-c", path])
        self.wait_port(FW, 443)
        return child
