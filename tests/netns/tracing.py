# SPDX-License-Identifier: Apache-2.0
"""What the tests of `segproof trace` share: two hosts here, two there, two routers in a row between
them, and running trace on it.

    a --left-- r1 --mid-- r2 --right-- b, c      10.61.N.0/24, fd00:61:N::/64; N: left 1, mid 9, right 2

The routers are declared as hosts of the network in the middle. They have probes only when a topology
says so."""
import contextlib
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import MARK, PROBE, SEGPROOF, Lab, processes  # noqa: E402

NETS = {"left": 1, "mid": 9, "right": 2}
HOSTS = {"a": ("left", 11), "b": ("right", 12), "c": ("right", 13)}
POLICIES = ("name: db, from: a, to: b, allow: [tcp/5432, udp/5353]",
            "name: ping, from: a, to: b, allow: [icmp/echo, icmp6/echo]",
            "name: no-ssh, from: a, to: b, deny: tcp/22",
            "name: admin, from: a, to: c, allow: [tcp/5432]")


def v4(net, number):
    return f"10.61.{NETS[net]}.{number}"


def v6(net, number):
    return f"fd00:61:{NETS[net]}::{number:x}"


class Traced:
    """What a trace said: exit code, text, the traces of its JSON."""

    def __init__(self, code, out, err, data, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds
        self.traces = data["traces"] if data else []

    def __getitem__(self, family):
        return next(t for t in self.traces if t["family"] == family)

    def __str__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Routers:
    """The network. What a test changes it puts back with restore()."""

    def __init__(self, prefix="tr"):
        self.lab = Lab("sp-" + prefix)
        self.mark = f"{MARK}={self.lab.prefix}"
        lab = self.lab
        quiet = {"net.ipv4.icmp_ratelimit": 1000, "net.ipv6.icmp.ratelimit": 1000}  # as they come
        for name in ("r1", "r2"):
            lab.add_ns(name, router=True)
            lab.sysctl(name, **quiet)
        for host, (net, number) in HOSTS.items():
            router = "r1" if net == "left" else "r2"
            lab.add_ns(host)
            lab.veth(host, "eth0", router, host)
            lab.addr(host, "eth0", f"{v4(net, number)}/24", f"{v6(net, number)}/64")
            lab.route(host, f"default via {v4(net, 1)}", f"default via {v6(net, 1)}")
        lab.bridge("r1", "left", "a")
        lab.bridge("r2", "right", "b", "c")
        lab.veth("r1", "mid", "r2", "mid")
        for router, net, number, far in (("r1", "left", 1, 2), ("r2", "right", 2, 1)):
            lab.addr(router, net, f"{v4(net, 1)}/24", f"{v6(net, 1)}/64")
            lab.addr(router, "mid", f"{v4('mid', number)}/24", f"{v6('mid', number)}/64")
            there = "right" if router == "r1" else "left"
            lab.route(router, f"{v4(there, 0)}/24 via {v4('mid', far)}",
                      f"{v6(there, 0)}/64 via {v6('mid', far)}")

    def processes(self):
        return processes(self.mark)

    def topology(self, watch=False, policies=POLICIES, limits="max_rate: 2000", more=""):
        out = ["segproof: 1", f"name: {self.lab.prefix}", "networks:"]
        out += [f'  {net}: {{ kind: subnet, cidr: [{v4(net, 0)}/24, "{v6(net, 0)}/64"] }}'
                for net in NETS]
        out.append("hosts:")
        out += [f'  {host}: {{ network: {net}, address: [{v4(net, n)}, "{v6(net, n)}"], '
                f"probe: {{ via: netns, name: {self.lab.ns(host)} }} }}"
                for host, (net, n) in HOSTS.items()]
        near = {"r1": (("left", 1), ("mid", 1)), "r2": (("mid", 2), ("right", 1))}
        # A declared address lies in the network of its host: that of the middle, or, of the first
        # router, the one that answers the sender.
        for router, net in (("r1", "left"), ("r2", "mid")):
            number = dict(near[router])[net]
            probe = f"{{ via: netns, name: {self.lab.ns(router)} }}" if watch else "none"
            out.append(f'  {router}: {{ network: {net}, address: [{v4(net, number)}, '
                       f'"{v6(net, number)}"], role: router, probe: {probe} }}')
        out.append("policies:")
        out += [f"  - {{ {line} }}" for line in policies]
        return "\n".join(out) + f"\nlimits: {{ {limits} }}\n{more}"

    def trace(self, *args, topology=None, as_json=True, env=None):
        """Runs `segproof trace TOPOLOGY args`."""
        path = os.path.join(self.lab.dir, "topology.yaml")
        self.lab.commit()
        with open(path, "w", encoding="utf-8") as file:
            file.write(topology or self.topology())
        state = os.path.join(self.lab.dir, "state")
        with contextlib.suppress(OSError):
            os.unlink(state)
        key, _, value = self.mark.partition("=")
        argv = [SEGPROOF, "trace", path, *args, "--probe", PROBE, "--state", state]
        began = time.monotonic()
        done = subprocess.run(argv + (["--json"] if as_json else []), capture_output=True,
                              text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, key: value, **(env or {})})
        data = None
        if as_json and done.stdout:
            data = json.loads(done.stdout)
        return Traced(done.returncode, done.stdout, done.stderr, data, time.monotonic() - began)
