# SPDX-License-Identifier: Apache-2.0
"""Port scanners as they come, run from one namespace of a lab against another, each with a time
limit: nmap and masscan. They know a port by what answers, so the target needs listeners on what is
to be found (sweep_lab.listeners).

A result is a Scan: wall seconds, packets that left the scanner's interface, the ports it called
open, and whether it ended by itself. found and false say how that compares with the truth."""
import collections
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import sweeping

LIMIT = 400  # seconds for one run
ALL = "1-65535"


class Scan(collections.namedtuple("Scan", "seconds packets open unsure ended")):
    """unsure: ports it could not tell ("open|filtered")."""

    def found(self, truth):
        return len(self.open & truth)

    def false(self, truth):
        """Ports it calls open that are not, and open ones that it says nothing of or calls closed:
        what a reader of its report would get wrong."""
        return len(self.open - truth) + len(truth - self.open)


def have(tool):
    return shutil.which(tool) is not None


def _timed(lab, source, argv, limit):
    """(wall, packets, standard output, ended)."""
    before = sweeping.interface(lab, source)["tx"]
    began = time.monotonic()
    try:
        done = lab.run(source, argv, timeout=limit, stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL)
        text, ended = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as err:
        text, ended = (err.stdout or b"").decode(errors="replace"), False
    seconds = time.monotonic() - began
    return seconds, sweeping.interface(lab, source)["tx"] - before, text, ended


def nmap_ports(text):
    """(open, unsure) of nmap's XML; it may be cut short."""
    found, unsure = set(), set()
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return found, unsure
    for port in tree.iter("port"):
        state = port.find("state").get("state")
        if state == "open":
            found.add(int(port.get("portid")))
        elif "|" in state:
            unsure.add(int(port.get("portid")))
    for extra in tree.iter("extraports"):
        if "|" in extra.get("state"):
            for reason in extra.iter("extrareasons"):
                unsure |= sweeping.numbers(reason.get("ports", ""))
    return found, unsure


def nmap(lab, source, address, *options, ports=ALL, kind="-sS", limit=LIMIT):
    """nmap -n -Pn KIND -p PORTS OPTIONS ADDRESS"""
    argv = ["nmap", "-n", "-Pn", kind, "-p", ports, *options, "-oX", "-", address]
    if ":" in address:
        argv.insert(1, "-6")
    seconds, packets, text, ended = _timed(lab, source, argv, limit)
    return Scan(seconds, packets, *nmap_ports(text), ended)


def masscan_ports(text):
    """Ports of `masscan -oL -`: lines "open tcp 80 10.0.0.1 ...". """
    return {int(line.split()[2]) for line in text.splitlines() if line.startswith("open ")}


def masscan(lab, source, address, gate_mac, rate, limit=60, wait=2, retries=0):
    """masscan at a rate. On a link where nothing moves it often does not end (its receiving thread
    waits for a packet), so a ping goes four times a second beside it: 8 packets a second more."""
    pinger = lab.popen(source, ["ping", "-i", "0.25", "-q", address], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    try:
        # It reads its own address from the interface; the router it would have to ask for.
        argv = ["masscan", "-p", ALL, "--rate", str(rate), "--wait", str(wait), "--interface",
                "eth0", "--router-mac", gate_mac.replace(":", "-"), "--retries", str(retries),
                "-oL", "-", address]
        seconds, packets, text, ended = _timed(lab, source, argv, limit)
    finally:
        pinger.terminate()
        pinger.wait(timeout=5)
    return Scan(seconds, packets, masscan_ports(text), set(), ended)
