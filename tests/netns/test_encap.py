# SPDX-License-Identifier: Apache-2.0
"""Denied flows inside tunnels, on real packets: a strict firewall, one that lets everything pass,
and ones with a tunnel's end that nobody thought of, which takes the outer header off and passes the
rest on. VXLAN ends in a device of the kernel, the others in a small program behind a tun device
(tests/support/tunnels.py). Each hole is first shown by packets made in Python, and a plain SYN is
stopped by every firewall but the open one.

Run: python3 tests/netns/test_encap.py (root; says skipped where it cannot be done)."""
import ipaddress
import os
import struct
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FAMILIES, FW, ROOT, Case, World  # noqa: E402
import packets  # noqa: E402

KINDS = ("6in4", "geneve", "gre", "ipip", "vxlan")
ONLY = {"6in4": ("ipv6",), "ipip": ("ipv4",)}
VNI, MAC = 77, "02:00:5e:10:00:07"
SENDING = "02:00:5e:10:00:99"
PROGRAM = os.path.join(ROOT, "tests", "support", "tunnels.py")
STRICT = """flush ruleset
table inet fw {{
 chain through {{
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
  iifname left tcp dport 443 accept
{more}
 }}
}}
"""
# Past the filter for the sake of the tunnel, by kind.
OUTER = {"6in4": "  ip protocol 41 accept", "ipip": "  ip protocol 4 accept",
         "gre": "  meta l4proto gre accept", "geneve": "  udp dport 6081 accept",
         "vxlan": "  udp dport 4789 accept"}


def families(kind):
    return ONLY.get(kind, FAMILIES)


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_header(src, dst, proto, body):
    """An outer IP packet."""
    src, dst = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), proto, 64) + src + dst + body
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 7, 0, 64, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def wrapped(kind, src, dst, inner):
    """A packet of the tunnel kind around the inner one: the attacker's hand."""
    ethertype = 0x86DD if inner[0] >> 4 == 6 else 0x0800
    frame = mac_bytes(MAC) + mac_bytes(SENDING) + struct.pack("!H", ethertype) + inner
    if kind in ("ipip", "6in4"):
        return ip_header(src, dst, 4 if kind == "ipip" else 41, inner)
    if kind == "gre":
        return ip_header(src, dst, 47, struct.pack("!HH", 0, ethertype) + inner)
    if kind == "vxlan":
        return packets.udp(src, dst, 50000, 4789, struct.pack("!II", 8 << 24, VNI << 8) + frame)
    return packets.udp(src, dst, 50000, 6081, struct.pack("!HHI", 0, 0x6558, VNI << 8) + frame)


class Encap(Case):
    """a -- fw -- b; the router r is the firewall itself, by its address on a's side."""

    @classmethod
    def setUpClass(cls):
        if not os.path.exists("/dev/net/tun"):
            raise unittest.SkipTest("there is no /dev/net/tun here")
        super().setUpClass()

    @classmethod
    def build(cls):
        return World("encap", {"left": ["a", "r"], "right": ["b"]})

    def setUp(self):
        self.ends = []
        self.devices = []

    def tearDown(self):
        for end in self.ends:
            end.stdin.close()
            end.wait(timeout=10)
            end.stdout.close()
        for ns, dev in self.devices:
            self.world.lab.run(ns, ["ip", "link", "del", dev])
        self.world.lab.nft(FW, "flush ruleset")
        self.world.lab.nft("b", "flush ruleset")
        super().tearDown()

    def end(self, kind, ns):
        """A tunnel's end in a namespace; returns its device by family, which is up."""
        lab, dev = self.world.lab, "tnl" + kind
        if kind == "vxlan":  # the kernel's listen to one family each
            for family, local in zip(FAMILIES, ("0.0.0.0", "::")):
                lab.ip(ns, f"link add {dev}{family[3]} address {MAC} type vxlan id {VNI} "
                       f"local {local} dstport 4789", f"link set dev {dev}{family[3]} up")
                self.devices.append((ns, dev + family[3]))
            lab.commit()
            return {family: dev + family[3] for family in FAMILIES}
        child = lab.popen(ns, [sys.executable, "-B", PROGRAM, kind, dev, "120"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ends.append(child)
        self.assertEqual(child.stdout.readline().strip(), "ready")
        lab.run(ns, ["ip", "link", "set", dev, "up"], check=True)
        return dict.fromkeys(FAMILIES, dev)

    def load(self, *more):
        self.world.lab.nft(FW, STRICT.format(more="\n".join(more)))

    def topology(self, tunnel=None, mac=True, hazard="C", role="router", layer=None):
        more = ("enforcement:\n  fw-1: { between: [left, right], layer: host }\n"
                if layer == "host" else "")
        text = self.world.topology(["name: ok, from: a, to: b, allow: [tcp/443]"],
                                   limits=f"max_rate: 500, hazard: {hazard}", more=more)
        left = self.world.net4["left"], self.world.net6["left"]
        text = text.replace(self.world.addresses["r"], f'[{left[0]}.1, "{left[1]}::1"]')
        text = text.replace(self.world.probes["r"], "none")
        text = text.replace("  r: { ", f"  r: {{ role: {role}, ")
        if tunnel:
            own = f', mac: "{MAC}"' if mac else ""
            text = text.replace(f"  {tunnel}: {{ ", f"  {tunnel}: {{ tunnel: {{ vni: {VNI}{own} }}, ")
        return text

    def verify(self, *kinds, tunnel=None, ends=("--from", "a", "--to", "b"), more=(), **how):
        only = [word for name in ("tcp_syn", *(f"encap_{k}" for k in kinds))
                for word in ("--only", name)]
        return self.world.verify(self.topology(tunnel, **how), *ends, "--seed", "7", *only, *more,
                                 depth="standard")

    def found(self, run):
        self.assertIsNotNone(run.data, run.err)
        return sorted((f["technique"], f["family"]) for f in run.data["findings"])

    def expect(self, run, *kinds):
        """These leak, in all their families, and the plain SYN nowhere."""
        want = sorted((f"encap_{k}", family) for k in kinds for family in families(k))
        self.assertEqual(self.found(run), want, run.out + run.err)
        self.assertEqual(run.data["inconclusive"], [], run.out)
        for finding in run.data["findings"]:
            self.assertEqual((finding["verdict"], finding["severity"]), ("leak", "high"), finding)
            self.assertEqual(finding["observed"]["receiver"], "intact")
            self.assertIn("a tunnel carries denied flows", finding["cause"])
            self.assertEqual(finding["control"], "pair")

    def prove(self, kind, family, end, dev):
        """By packets of our own: b gets a SYN to port 22 through the tunnel, and no plain one."""
        w = self.world
        a, b = w.address("a", family), w.address("b", family)
        outer = "ipv4" if kind == "6in4" else family
        left = (w.net4 if outer == "ipv4" else w.net6)["left"]
        to = w.address("b", outer) if end == "b" else left + (".1" if outer == "ipv4" else "::1")
        with packets.Capture(w.lab, ["b"], dev) as capture:
            packets.send(w.lab, "a", [
                packets.tcp(a, b, 41000, 22),
                wrapped(kind, w.address("a", outer), to, packets.tcp(a, b, 41001, 22))])
            seen = {p.sport for p in capture.read(0.3) if p.dst == b and p.flags == packets.SYN}
        self.assertEqual(seen, {41001}, f"{kind} over {family} to {end}")

    # ---- no tunnel ----
    def test_strict(self):
        """Nothing takes a header off, and nothing of it passes."""
        self.load()
        run = self.verify(*KINDS)
        self.assertIsNotNone(run.data, run.err)
        self.assertEqual((run.code, run.data["findings"], run.data["inconclusive"]), (0, [], []),
                         run.out + run.err)
        asked = {(row["technique"], row["family"]) for row in run.data["bypass_techniques"]
                 if row["tests"] and row["holds"] == row["tests"]}
        self.assertEqual(asked, {(f"encap_{k}", f) for k in KINDS for f in families(k)})

    def test_open_firewall_and_no_tunnel(self):
        """The outer packets come to the receiver, closed: the flow itself has not, so this is no
        leak of theirs; the plain SYN is one."""
        self.world.lab.nft(FW, "flush ruleset")
        run = self.verify("vxlan")
        self.assertEqual({t for t, _ in self.found(run)}, {"tcp_syn"}, run.out)
        rows = [r for r in run.data["bypass_techniques"] if r["tests"]]
        self.assertTrue(rows and all(r["holds"] == r["tests"] for r in rows), rows)

    # ---- a tunnel that ends at the router ----
    def test_router_passes_on_what_it_unwraps(self):
        self.load('  iifname "tnl*" accept')
        for kind in KINDS:
            self.end(kind, FW)
            for family in families(kind):
                self.prove(kind, family, FW, "eth0")
        self.expect(self.verify(*KINDS, tunnel="r"), *KINDS)
        # nobody says that it is a router: it is not asked
        self.expect(self.verify("gre", tunnel="r", role="edge"))

    def test_router_filters_again(self):
        """The same tunnels where the filter sees what comes out of them."""
        kinds = ("geneve",)
        for kind in kinds:
            self.end(kind, FW)
        self.load()
        run = self.verify(*kinds, tunnel="r")
        self.assertIsNotNone(run.data, run.err)
        self.assertEqual((run.code, run.data["findings"]), (0, []), run.out + run.err)

    def test_bridge_floods_what_it_unwraps(self):
        """A device in the bridge of the receiver's segment: a frame for everybody gets there past
        every rule, to a receiver whose address inside nobody knows."""
        for dev in self.end("vxlan", FW).values():
            # a bridge takes the lowest address among its ports for its own
            self.world.lab.ip(FW, f"link set dev {dev} address fe:ff:ff:ff:ff:07",
                              f"link set dev {dev} master right")
        self.world.lab.commit()
        self.load()
        self.expect(self.verify("vxlan", tunnel="r", mac=False, more=("--inject", "link")), "vxlan")

    # ---- a tunnel that ends at the receiver ----
    def test_receiver_unwraps(self):
        """The firewall lets the tunnel's own packets pass, and cannot see what is inside."""
        self.load(*OUTER.values())
        for kind in KINDS:
            dev = self.end(kind, "b")
            for family in families(kind):
                self.prove(kind, family, "b", dev[family])
        self.expect(self.verify(*KINDS, tunnel="b"), *KINDS)

    def test_receiver_filters_what_it_unwraps(self):
        """Where the host's own firewall is judged, one that stops the inner packets holds."""
        self.end("vxlan", "b")
        self.load(OUTER["vxlan"])
        own = STRICT.replace("forward", "input").replace("iifname left ", "").format(
            more="  meta l4proto { icmp, ipv6-icmp } accept\n  udp dport 4789 accept\n{more}")
        self.world.lab.nft("b", own.replace("{more}", ""))
        run = self.verify("vxlan", tunnel="b", layer="host")
        self.assertEqual((run.code, self.found(run)), (0, []), run.out + run.err)
        self.world.lab.nft("b", own.replace("{more}", '  iifname "tnl*" accept'))
        self.expect(self.verify("vxlan", tunnel="b", layer="host"), "vxlan")

    # ---- what must not make a verdict ----
    def test_one_direction_of_a_protocol(self):
        """A firewall that passed GRE one way passes it back: no run asks both, nor the next run the
        other. UDP has ports."""
        self.load()
        why = "this run sends the outer protocol in the other direction"
        run = self.verify("gre", "vxlan", ends=())
        self.assertEqual(self.found(run), [], run.out)
        asked = {(r["technique"], r["family"]): r for r in run.data["bypass_techniques"]}
        for family in FAMILIES:
            row = asked[("encap_gre", family)]
            self.assertEqual((row["tests"], row["not_tested"] > 0, row["holds"] > 0),
                             (row["not_tested"] + row["holds"], True, True), row)
            self.assertEqual(asked[("encap_vxlan", family)]["not_tested"], 0)
        self.assertTrue(any(why in text for text in run.untested()), run.out)

    def test_own_kernel_refuses(self):
        """What cannot be sent is no proof, even if only one of two outer packets cannot."""
        self.load()
        left = self.world.net4["left"]
        self.world.lab.nft("a", "flush ruleset\ntable ip own {\n chain out {\n  type filter hook "
                           f"output priority 0;\n  ip daddr {left}.1 ip protocol gre drop\n }}\n}}\n")
        run = self.verify("gre")
        self.world.lab.nft("a", "flush ruleset")
        rows = {r["family"]: r for r in run.data["bypass_techniques"] if r["tests"]}
        self.assertEqual((rows["ipv4"]["holds"], rows["ipv6"]["inconclusive"]), (0, 0), run.out)
        self.assertEqual(rows["ipv4"]["inconclusive"], rows["ipv4"]["tests"])
        self.assertEqual(run.code, 3, run.out + run.err)

    def test_consent(self):
        run = self.verify("gre", hazard="B")
        self.assertEqual([r for r in run.data["bypass_techniques"] if r["tests"]], [], run.out)
        self.assertIn("bypass techniques whose hazard class is not allowed in both networks",
                      run.untested())


if __name__ == "__main__":
    unittest.main(verbosity=2)
