# SPDX-License-Identifier: Apache-2.0
"""The company as namespaces: one per host, one for the firewall with a bridge per segment.

    host -- eth0 ==veth== <host name> -- bridge <segment name>, gateway .1 and ::1 -- nftables

The firewall also holds the balancer's address and the one that NAT uses."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "tests", "support"))
from lab import Lab  # noqa: E402 (the library is found through the line above)

import sshhost
from company import NAT, SEGMENTS, SSH_HOST
from firewall import NOTHING, Rules

FIREWALL = "firewall"


class Network:
    """A company's running network inside a Lab. faults: those planted now."""

    def __init__(self, company, faults, keep=False):
        self.company = company
        self.faults = list(faults)
        self._loaded = {}  # {namespace: its ruleset}
        self.lab = Lab("sp-demo", keep=keep)
        self.ssh_config = None  # how ssh reaches SSH_HOST

    def build(self):
        lab, company = self.lab, self.company
        lab.add_ns(FIREWALL, router=True)
        # A bridged frame must not meet the routed rules; strict reverse path for the firewall.
        lab.sysctl(FIREWALL, **{"net.bridge.bridge-nf-call-iptables": 0,
                                "net.bridge.bridge-nf-call-ip6tables": 0,
                                "net.bridge.bridge-nf-call-arptables": 0,
                                "net.ipv4.conf.default.rp_filter": 1})
        lab.add_ns(*company.hosts)
        for host in company.hosts.values():
            net = company.segments[host.segment]
            lab.veth(host.name, "eth0", FIREWALL, host.name)
            lab.addr(host.name, "eth0", f"{host.v4}/24", f"{host.v6}/64")
            lab.route(host.name, f"default via {net.v4}.1", f"default via {net.v6}::1")
        for net in SEGMENTS:
            ports = [host.name for host in company.hosts.values() if host.segment == net.name]
            lab.bridge(FIREWALL, net.name, *ports)
            lab.addr(FIREWALL, net.name, f"{net.v4}.1/24", f"{net.v6}::1/64")
        shop = company.balancer
        lab.addr(FIREWALL, "lo", f"{shop.v4}/32", f"{shop.v6}/128")
        lab.addr(FIREWALL, NAT.target, f"{NAT.v4}/24", f"{NAT.v6}/64")
        lab.commit()
        self.ssh_config = sshhost.prepare(lab, SSH_HOST)
        self.load()
        lab.listen(company.listeners)

    def load(self):
        """Loads the firewalls with the faults planted now, where that changes anything."""
        rules = Rules(self.company)
        for fault in self.faults:
            fault.plant(rules)
        texts = {**rules.host_firewalls(), FIREWALL: rules.firewall()}
        for name, text in texts.items():
            if self._loaded.get(name, NOTHING) != text:
                self.lab.nft(name, text)
                self._loaded[name] = text

    def repair(self, fault):
        self.faults.remove(fault)
        self.load()

    def expected(self):
        """The findings that the faults planted now must cause."""
        return {finding for fault in self.faults for finding in fault.expected}

    def topology(self):
        return self.company.topology(self.lab.ns)
