#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Side by side: what nmap (with its evasion options), hping3, nping's echo mode and segproof conclude
of the same firewall faults, in the same namespaces, one after the other.

    tests/bench/bench_peers.py [WORD...]     all faults, or those whose name contains a word

Each fault is one rule too many before a strict firewall (default drop, connection tracking, tcp/80
and icmp echo allowed), and is asked twice: as it is, and with the answers of the target lost on the
way back, which is how one-way holes look. Denied is port 22 (tcp) and 161 (udp). A conclusion is
"hole", "none" (it says that nothing passes), "unsure" (open|filtered and the like) or "-" (the tool
has no such packet). The truth is measured with a capture of the target's interface beside each
tool's own packets: where nothing arrived "none" is right, else "hole". A conclusion that
contradicts what the tool's packets did is marked with "!".

Needs root, nftables, nmap and hping3; a tool that is missing is left out."""
import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, "..", "netns"), os.path.join(HERE, "..", "support")]
from harness import FW, World  # noqa: E402

TCP, UDP = 22, 161
STRICT = """table inet fw {{ }}
delete table inet fw
table inet fw {{
 chain through {{
  type filter hook forward priority 0; policy drop;
  {lost}
  {fault}
  {known}
  tcp dport 80 {new} accept
  icmp type echo-request accept
  icmpv6 type {{ echo-request, nd-neighbor-solicit, nd-neighbor-advert }} accept
 }}
}}
"""
KNOWN = "ct state established,related accept"
# Without connection tracking nothing puts fragments together before the rules see them.
STATELESS = 'iifname "right" tcp sport 80 accept\n  iifname "right" icmp type echo-reply accept'
LOST = 'iifname "right" tcp sport 22 drop\n  iifname "right" icmp type { destination-unreachable, ' \
       'timestamp-reply } drop'


def flags(rule):
    return f'iifname "left" tcp dport {TCP} tcp flags {rule} accept'


# name: (the rule too many, segproof's technique, {tool: arguments}, stateless)
FAULTS = {
    "ACK passes": (flags("& (syn | ack) == ack"), "tcp_ack",
                   {"nmap": ["-sA"], "hping3": ["-A", "-p", "22"], "nping": ["--flags", "ack"]}, False),
    "FIN passes": (flags("== fin"), "tcp_fin",
                   {"nmap": ["-sF"], "hping3": ["-F", "-p", "22"], "nping": ["--flags", "fin"]}, False),
    "no flags pass": (flags("== 0x0"), "tcp_null",
                      {"nmap": ["-sN"], "hping3": ["-p", "22"], "nping": ["--flags", "none"]}, False),
    "XMAS passes": (flags("== fin | psh | urg"), "tcp_xmas",
                    {"nmap": ["-sX"], "hping3": ["-F", "-P", "-U", "-p", "22"],
                     "nping": ["--flags", "fin,psh,urg"]}, False),
    "SYN/ACK passes": (flags("== syn | ack"), "tcp_synack",
                       {"nmap": ["--scanflags", "SYNACK", "-sA"], "hping3": ["-S", "-A", "-p", "22"],
                        "nping": ["--flags", "syn,ack"]}, False),
    "RST passes": (flags("== rst"), "tcp_rst",
                   {"nmap": ["--scanflags", "RST", "-sA"], "hping3": ["-R", "-p", "22"],
                    "nping": ["--flags", "rst"]}, False),
    "source port 20 is trusted": ('iifname "left" tcp sport 20 accept', "tcp_sport",
                                  {"nmap": ["-sS", "-g", "20"],
                                   "hping3": ["-S", "-k", "-s", "20", "-p", "22"],
                                   "nping": ["--flags", "syn", "-g", "20"]}, False),
    "source port 53 is trusted": ('iifname "left" udp sport 53 accept', "udp_sport",
                                  {"nmap": ["-sU", "-g", "53"],
                                   "hping3": ["--udp", "-k", "-s", "53", "-p", "161"],
                                   "nping": ["--udp", "-g", "53"]}, False),
    "later fragments pass": ('iifname "left" ip frag-off & 0x1fff != 0 accept', "frag_tail",
                             {"nmap": ["-sS", "-f"], "hping3": ["-S", "-f", "-p", "22"]}, True),
    "source routed passes": ('iifname "left" ip option lsrr exists accept', "ip_lsrr",
                             {"nmap": ["-sS", "--ip-options", "L 10.60.1.1"],
                              "hping3": ["-S", "--lsrr", "10.60.1.1", "-p", "22"]}, False),
    "GRE passes": ('iifname "left" meta l4proto gre accept', "ip_proto",
                   {"nmap": ["-sO", "-p", "47"], "hping3": ["--rawip", "--ipproto", "47"]}, False),
    "SCTP passes": ('iifname "left" meta l4proto sctp accept', "sctp_init",
                    {"nmap": ["-sY"], "hping3": ["--rawip", "--ipproto", "132"]}, False),
    "ICMP timestamp passes": ('iifname "left" icmp type timestamp-request accept', "icmp_type",
                              {"nmap": ["-sn", "-PP"], "hping3": ["--icmp-ts"],
                               "nping": ["--icmp", "--icmp-type", "13"]}, False),
    "nothing passes": ("", "tcp_ack", {"nmap": ["-sA"], "hping3": ["-A", "-p", "22"],
                                       "nping": ["--flags", "ack"]}, False),
}


class Bench:
    def __init__(self):
        self.world = World("peers", {"left": ["a"], "right": ["b"]})
        self.lab, self.b = self.world.lab, self.world.v4["b"]

    def firewall(self, fault, lost, stateless):
        self.lab.nft(FW, STRICT.format(fault=fault, lost=LOST if lost else "",
                                       known=STATELESS if stateless else KNOWN,
                                       new="" if stateless else "ct state new"))

    def run(self, argv, seconds=40):
        """(what it printed, whether one of its packets to something denied arrived)"""
        watch = self.lab.popen("b", ["tcpdump", "-i", "eth0", "-n", "-p", "-U", "--immediate-mode", "-Z", "root", "-w",
                                     os.path.join(self.lab.dir, "b.pcap"), "src", self.world.v4["a"]],
                               stderr=subprocess.PIPE, text=True)
        watch.stderr.readline()  # "listening on"
        try:
            done = self.lab.run("a", argv, timeout=seconds, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
            text = done.stdout
        except subprocess.TimeoutExpired as err:
            text = (err.stdout or b"").decode(errors="replace")
        time.sleep(0.3)
        watch.terminate()
        watch.communicate(timeout=10)
        return text, self.arrived()

    def arrived(self):
        """What reached the target's interface beside what is allowed: tcp/80, echo, the channel of
        nping's echo mode."""
        some = subprocess.run(
            ["tcpdump", "-n", "-r", os.path.join(self.lab.dir, "b.pcap"),
             "not (ip[6:2] & 0x1fff = 0 and tcp port 80) and not icmp[icmptype] = icmp-echo "
             "and not (ip[6:2] & 0x1fff = 0 and tcp port 9929) and not arp and ip"],
            capture_output=True, text=True, check=False).stdout
        return bool(some.strip())

    # ---- tools: each returns (conclusion, truth) ----------------------------------------------------
    def nmap(self, options):
        asked = ["-p", str(UDP if "-sU" in options else TCP)]
        if "-p" in options or "-sn" in options:
            asked = []
        text, truth = self.run(["nmap", "-n", *(["-Pn"] if "-sn" not in options else
                                                ["--disable-arp-ping"]),
                                "--max-retries", "2", *options, *asked, self.b])
        if "-sn" in options:
            return ("hole" if "Host is up" in text else "none"), truth
        state = re.search(r"^\d+(?:/\w+)?\s+(open\|filtered|\w+)\s", text, re.M)
        state = state.group(1) if state else "none"
        return {"open": "hole", "closed": "hole", "unfiltered": "hole",
                "open|filtered": "unsure"}.get(state, "none"), truth

    def hping3(self, options):
        text, truth = self.run(["hping3", "-n", "-c", "3", "-i", "u300000", *options, self.b])
        got = re.search(r"(\d+) packets received", text)
        silent_by_nature = "--rawip" in options
        if got and int(got.group(1)) > 0 or "ICMP " in text:
            return "hole", truth
        return ("unsure" if silent_by_nature else "none"), truth

    def nping(self, options):
        """Its server beside the target tells what arrived, through a connection of its own."""
        server = self.lab.popen("b", ["nping", "--echo-server", "word", "-e", "eth0", "--no-crypto"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        kind = [] if options[0] in ("--udp", "--icmp") else ["--tcp"]
        port = [] if options[0] == "--icmp" else ["-p", str(UDP if options[0] == "--udp" else TCP)]
        text, truth = self.run(["nping", "--echo-client", "word", "--no-crypto", *kind, *options, *port, "-c", "3",
                                "--delay", "300ms", self.b])
        server.terminate()
        server.wait(timeout=10)
        if "CAPT" in text:
            return "hole", truth
        return ("none" if "SENT" in text else "unsure"), truth

    def segproof(self, technique):
        topology = self.world.topology(
            ["name: ok, from: a, to: b, allow: [tcp/80, icmp/echo, icmp6/echo]"],
            limits="max_rate: 2000, hazard: C")
        # All ports that attackers look for are asked at exhaustive depth only.
        run = self.world.verify(topology, "--only", technique, "--from", "a", "--to", "b",
                                depth="exhaustive" if technique.startswith("tcp_") else "standard")
        if not run.data:
            return "-", False
        found = [f for f in run.data["findings"]
                 if f["technique"] == technique and f["family"] == "ipv4"]
        unsure = [f for f in run.data["inconclusive"] if f.get("technique") == technique]
        return ("hole" if found else "unsure" if unsure else "none"), None


def cell(conclusion, truth):
    wrong = truth is not None and conclusion in ("hole", "none") and (conclusion == "hole") != truth
    return conclusion + ("!" if wrong else "")


def main(words):
    tools = [tool for tool in ("nmap", "hping3", "nping") if shutil.which(tool)]
    bench = Bench()
    print(f"{'fault':<28}{'truth':>7}" + "".join(f"{tool:>10}" for tool in [*tools, "segproof"]))
    wrong = {}
    with bench.lab:
        bench.lab.commit()
        for interface in ("all", "left"):
            bench.lab.run(FW, ["sysctl", "-q", "-w",
                               f"net.ipv4.conf.{interface}.accept_source_route=1"], check=True)
        for name, (rule, technique, options, stateless) in FAULTS.items():
            if words and not any(word in name for word in words):
                continue
            for lost in (False, True):
                # nping's own connection is the one thing more that this firewall lets through.
                bench.firewall(rule, lost, stateless)
                row = []
                for tool in tools:
                    if tool not in options:
                        row.append("-")
                        continue
                    channel = "tcp dport 9929 accept\n  tcp sport 9929 accept\n  "
                    bench.firewall((channel if tool == "nping" else "") + rule, lost, stateless)
                    row.append(cell(*getattr(bench, tool)(options[tool])))
                    if row[-1].endswith("!"):
                        wrong[tool] = wrong.get(tool, 0) + 1
                bench.firewall(rule, lost, stateless)
                said, _ = bench.segproof(technique)
                truth = "hole" if rule else "none"
                row.append(said + ("" if said in (truth, "unsure", "-") else "!"))
                if row[-1].endswith("!"):
                    wrong["segproof"] = wrong.get("segproof", 0) + 1
                print(f"{name + (', answers lost' if lost else ''):<28.28}{truth:>7}"
                      + "".join(f"{text:>10}" for text in row), flush=True)
    print("wrong: " + ", ".join(f"{tool} {wrong.get(tool, 0)}" for tool in [*tools, "segproof"]))
    print(json.dumps({"wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1:])
