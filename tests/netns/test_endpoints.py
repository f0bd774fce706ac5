# SPDX-License-Identifier: Apache-2.0
"""Endpoints: names, connections, TLS, HTTP and what must be closed, with a real name server, real
TLS servers and a real firewall. Every fault stands beside its healthy twin.

Run: python3 tests/netns/test_endpoints.py (root; says skipped where it cannot be done)."""
import json
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from harness import FW, ROOT, Case, World  # noqa: E402

SERVERS = os.path.join(ROOT, "tests", "support", "endpoint_servers.py")
DEAD = ["10.60.2.201", "10.60.2.202"]

CONFIG = """
[ca]
default_ca = own
[own]
database = {dir}/index.txt
new_certs_dir = {dir}
serial = {dir}/serial
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[authority]
basicConstraints = critical,CA:TRUE
[leaf]
basicConstraints = CA:FALSE
"""


class Certificates:
    """Two authorities and what they issue, made with openssl."""

    def __init__(self, folder):
        self.dir = os.path.join(folder, "pki")
        os.mkdir(self.dir)
        self.config = self.write("openssl.cnf", CONFIG.format(dir=self.dir))
        self.write("index.txt", "")
        self.write("serial", "1000\n")
        for name, title in (("ca", "Good CA"), ("proxy", "Inspecting Proxy")):
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                         "-nodes", "-keyout", self.path(name + ".key"), "-out",
                         self.path(name + ".crt"), "-subj", f"/O={title}/CN={title}", "-days", "90",
                         "-extensions", "authority", "-config", self.config)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return self.path(name)

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=30)

    def issue(self, name, names=None, by="ca", until="20991231235959Z", since="20200101000000Z",
              copies=1):
        """One file with key and certificate, made out to names."""
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"), "-subj",
                     f"/CN={name}", "-addext",
                     "subjectAltName=" + ",".join("DNS:" + n for n in names or [name]), "-config",
                     self.config)
        self.openssl("ca", "-batch", "-config", self.config, "-cert", self.path(by + ".crt"),
                     "-keyfile", self.path(by + ".key"), "-in", self.path(name + ".csr"), "-out",
                     self.path(name + ".crt"), "-startdate", since, "-enddate", until,
                     "-extensions", "leaf", "-notext")
        parts = [self.read(name + ".key")] + [self.read(name + ".crt")] * copies
        return self.write(name + ".pem", "".join(parts))

    def read(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()


class Endpoints(Case):
    """All endpoints of a world in one run; each test looks at some of its claims."""

    run_of_all = None

    @classmethod
    def serve(cls, world, zone, servers):
        child = world.lab.popen("s", [sys.executable, SERVERS], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        child.stdin.write(json.dumps({"dns": world.v4["s"], "zone": zone, "servers": servers}))
        child.stdin.close()
        with child.stdout:
            if child.stdout.readline().strip() != "ready":
                raise AssertionError("the servers did not start")

    def look(self):
        """The one run; its claims."""
        cls = type(self)
        if cls.run_of_all is None:
            cls.run_of_all = self.world.verify(cls.topology(self.world), "--only", "endpoints",
                                               *cls.options)
        self.assertIsNotNone(cls.run_of_all.data, cls.run_of_all.err)
        return cls.run_of_all.data["claims"]

    options = ()

    def of(self, subject, check, source=None, host=None):
        found = [c for c in self.look() if c["subject"] == subject and c["check"] == check
                 and source in (None, c["source"]) and host in (None, c["host"])]
        self.assertTrue(found, f"no claim {check} of {subject}: "
                        + "\n".join(map(str, self.look())))
        return found

    def says(self, subject, check, verdict, words=".", source=None, host=None):
        """Every claim of this check; its words are in what was observed or in the cause."""
        for claim in self.of(subject, check, source, host):
            self.assertEqual(claim["verdict"], verdict, claim)
            self.assertRegex(f"{claim['observed']} {claim['cause']}", words, claim)

    def holds(self, subject, *but):
        """Everything that was said of it, except these checks."""
        some = [c for c in self.look() if c["subject"] == subject and c["check"] not in but]
        self.assertTrue(some)
        for claim in some:
            self.assertIn(claim["verdict"], ("holds", "note"), claim)


class Open(Endpoints):
    """Endpoints that must be reached."""

    @classmethod
    def build(cls):
        world = World("epo", {"left": ["a"], "right": ["s"]})
        world.lab.nft(FW, """table inet filter { chain forward {
            type filter hook forward priority 0;
            tcp dport 9001 drop
            tcp dport 9002 reject with icmpx type admin-prohibited
        }
        }""")
        pki = Certificates(world.lab.dir)
        cls.pki = pki
        both = [world.v4["s"], world.v6["s"]]
        v4 = [world.v4["s"]]
        names = ["good", "expired", "proxied", "wrong", "stripped", "clear", "h2c", "polite",
                 "loose", "drip", "mute", "reset", "mail", "huge", "moved", "moved-off", "blobs",
                 "teapot", "soon", "shut", "picky"]
        zone = {name + ".example": v4 for name in names}
        zone.update({"good.example": both, "half.example": v4 + DEAD, "many.example": "many",
                     "quiet.example": "silent", "fail.example": "servfail",
                     "garbage.example": "garbage", "alias.example": "alias:good.example",
                     "turns.example": f"changes:{v4[0]},{DEAD[0]}", "sink.example": ["127.0.0.1"],
                     "open.example": both})
        good = {name: pki.issue(name + ".example") for name in
                ("good", "stripped", "clear", "h2c", "polite", "loose", "moved", "moved-off",
                 "blobs", "teapot", "shut", "picky")}
        cls.serve(world, zone, [
            {"port": 4001, "cert": good["good"], "alpn": ["h2", "http/1.1"], "status": 401},
            {"port": 4002, "cert": pki.issue("expired.example", until="20210101000000Z")},
            {"port": 4003, "cert": pki.issue("proxied.example", by="proxy")},
            {"port": 4004, "cert": pki.issue("wrong.example", names=["other.example"])},
            {"port": 4005, "cert": good["stripped"]},
            {"port": 4006, "cert": good["clear"], "clear": "200"},
            {"port": 4007, "cert": good["h2c"], "clear": "h2"},
            {"port": 4008, "cert": good["polite"], "clear": "400"},
            {"port": 4009, "cert": good["loose"], "clear": "400", "status": 400},
            {"port": 4010, "kind": "drip"}, {"port": 4011, "kind": "mute"},
            {"port": 4012, "kind": "reset"}, {"port": 4013, "kind": "banner"},
            {"port": 4014, "cert": pki.issue("huge.example", copies=200)},
            {"port": 4015, "cert": good["moved"], "status": 302,
             "location": "https://blobs.example:4015/a/b?c=d"},
            {"port": 4016, "cert": good["moved-off"], "status": 307,
             "location": "https://teapot.example/"},
            {"port": 443, "cert": good["blobs"]},
            {"port": 4017, "cert": good["teapot"], "status": 418},
            {"port": 4018, "cert": good["shut"], "clear": "shut"},
            {"port": 80, "kind": "http", "status": 204}])
        return world

    @classmethod
    def topology(cls, world):
        dns = f"dns: {{ server: {world.v4['s']} }}, timeout: 2s"
        tls = "{ ca: pki/ca.crt }"
        lines = [
            "good: { host: GOOD.example., ports: tcp/4001, tls: { ca: pki/ca.crt, issuer: Good CA, "
            "alpn: [h2, http/1.1], min_days: 14 }, http: { path: /v2/, status: [200, 401] }, "
            f"dns: {{ server: {world.v4['s']}, transport: [udp, tcp] }}, timeout: 2s }}"]
        for name, port, what in (
                ("expired", 4002, tls), ("wrong", 4004, tls),
                ("proxied", 4003, "{ ca: pki/ca.crt, issuer: Good CA }"),
                ("stripped", 4005, "{ ca: pki/ca.crt, alpn: h2 }"),
                ("clear", 4006, tls), ("h2c", 4007, tls), ("polite", 4008, tls),
                ("loose", 4009, tls), ("drip", 4010, tls), ("mute", 4011, tls),
                ("reset", 4012, tls), ("mail", 4013, tls), ("huge", 4014, tls),
                ("shut", 4018, tls), ("alias", 4001, "{ ca: pki/ca.crt, sni: good.example }"),
                ("teapot", 4017, tls)):
            http = ", http: { path: / }" if name == "teapot" else ""
            lines.append(f"{name}: {{ host: {name}.example, ports: tcp/{port}, tls: {what}{http}, "
                         f"{dns} }}")
        for name in ("half", "many", "quiet", "fail", "garbage", "absent", "turns", "sink"):
            port = "tcp/80"
            lines.append(f"{name}: {{ host: {name}.example, ports: {port}, {dns} }}")
        for name, leads in (("moved", "blobs.example"), ("moved-off", "blobs.example")):
            port = 4015 if name == "moved" else 4016
            lines.append(f"{name}: {{ host: {name}.example, ports: tcp/{port}, tls: {tls}, "
                         f"http: {{ path: /, status: [302, 307] }}, redirects: {leads}, {dns} }}")
        lines += [
            f"barred: {{ host: open.example, ports: [tcp/9001, tcp/9002, tcp/9003], {dns} }}",
            f"plain: {{ host: {world.v4['s']}, ports: tcp/80, http: {{ path: /, status: 204 }}, "
            "timeout: 2s }",
            f"six: {{ host: \"{world.v6['s']}\", ports: tcp/80, timeout: 2s }}",
            f"system: {{ host: soon.example, ports: tcp/4001, tls: required, {dns} }}",
            f"nofile: {{ host: picky.example, ports: tcp/4001, tls: {{ ca: none.crt }}, {dns} }}"]
        return world.topology(["name: p, from: a, to: s, permit: tcp/80"],
                              more="endpoints:\n" + "".join(
                                  "  " + line.replace("timeout", "from: a, timeout") + "\n"
                                  for line in lines))

    def test_a_good_one(self):
        subject = "good.example:4001"
        for check in ("dns", "dns_tcp", "tcp", "tls", "alpn", "tls_chain", "tls_name", "tls_expiry",
                      "tls_issuer", "http_status", "cleartext"):
            self.says(subject, check, "holds")
        for check in ("tcp", "tls", "tls_chain", "http_status"):
            self.assertEqual({c["source"] for c in self.of(subject, check)},
                             {self.world.v4["s"], self.world.v6["s"]})
        self.says("alias.example:4001", "dns", "holds")
        self.says("alias.example:4001", "tls_name", "holds")
        self.assertEqual(self.run_of_all.code, 1, self.run_of_all.err)

    def test_addresses_without_names(self):
        self.holds(f"{self.world.v4['s']}:80")
        self.holds(f"[{self.world.v6['s']}]:80")

    def test_expired(self):
        self.says("expired.example:4002", "tls_expiry", "fails", "expired")
        self.says("expired.example:4002", "tls_chain", "holds")
        self.holds("expired.example:4002", "tls_expiry")

    def test_interception_names_the_issuer(self):
        self.says("proxied.example:4003", "tls_chain", "fails", "Inspecting Proxy")
        self.says("proxied.example:4003", "tls_issuer", "fails", "Inspecting Proxy")
        self.holds("proxied.example:4003", "tls_chain", "tls_issuer")

    def test_a_chain_that_the_host_does_not_trust(self):
        claim = self.of("soon.example:4001", "tls_chain")[0]
        self.assertIn(claim["verdict"], ("fails", "unknown"), claim)  # unknown: no trust store here

    def test_a_file_of_a_ca_that_is_not_there(self):
        self.says("picky.example:4001", "tls", "unknown", "cannot be opened")

    def test_the_wrong_name(self):
        self.says("wrong.example:4004", "tls_name", "fails", "other.example")
        self.holds("wrong.example:4004", "tls_name")

    def test_alpn_stripped(self):
        self.says("stripped.example:4005", "alpn", "fails", "no protocol")
        self.holds("stripped.example:4005", "alpn")

    def test_clear_text(self):
        self.says("clear.example:4006", "cleartext", "fails", "status 200")
        self.says("h2c.example:4007", "cleartext", "fails", "HTTP/2")
        self.says("polite.example:4008", "cleartext", "holds", "status 400")
        self.says("loose.example:4009", "cleartext", "unknown")
        self.says("shut.example:4018", "cleartext", "holds", "refused")

    def test_servers_that_do_not_answer(self):
        self.says("drip.example:4010", "tls", "fails", "not to the end")
        self.says("mute.example:4011", "tls", "fails", "silence")
        self.says("reset.example:4012", "tls", "fails", "reset|closed")
        self.says("mail.example:4013", "tls", "fails", "no sense")
        self.says("huge.example:4014", "tls", "fails", "no sense: excessive message size")
        for name, port in (("drip", 4010), ("mute", 4011), ("reset", 4012), ("mail", 4013)):
            self.says(f"{name}.example:{port}", "tcp", "holds")
            self.assertNotEqual(self.of(f"{name}.example:{port}", "cleartext")[0]["verdict"],
                                "holds")

    def test_refused_dropped_and_rejected_are_three_answers(self):
        self.says("open.example:9001", "tcp", "fails", "silence")
        self.says("open.example:9002", "tcp", "fails", "ICMP (3/13|1/1) from (10.60.1.1|fd00)")
        self.says("open.example:9003", "tcp", "fails", r"refused \(RST\)")

    def test_half_of_the_addresses_dead(self):
        self.says("half.example:80", "tcp", "holds", source=self.world.v4["s"])
        for dead in DEAD:
            self.says("half.example:80", "tcp", "fails", "silence|ICMP 3/1", source=dead)

    def test_names(self):
        self.says("absent.example:80", "dns", "fails", "NXDOMAIN")
        self.says("absent.example:80", "tcp", "unknown", "no address")
        self.says("quiet.example:80", "dns", "fails", "no answer in time")
        self.says("fail.example:80", "dns", "fails", "SERVFAIL")
        self.says("garbage.example:80", "dns", "fails", "what came was no answer")
        self.says("sink.example:80", "tcp", "fails", "no endpoint can have")

    def test_a_thousand_addresses(self):
        self.says("many.example:80", "dns", "holds", "and 996 more")
        tried = self.of("many.example:80", "tcp")
        self.assertEqual(len([c for c in tried if c["verdict"] == "fails"]), 16)
        rest = [c for c in tried if c["verdict"] == "unknown"]
        self.assertRegex(rest[0]["observed"], "984 more")

    def test_a_name_that_changes(self):
        self.says("turns.example:80", "tcp", "holds", source=self.world.v4["s"])
        self.says("turns.example:80", "tcp", "fails", source=DEAD[0])

    def test_http(self):
        self.says("teapot.example:4017", "http_status", "fails", "418")

    def test_redirects(self):
        self.says("moved.example:4015", "http_status", "holds", "302")
        self.says("moved.example:4015", "redirect", "holds", "blobs.example")
        self.says("moved-off.example:4016", "redirect", "fails", "teapot.example")
        self.says("blobs.example:4015", "tls", "holds")
        self.says("blobs.example:4015", "tls_name", "fails", "moved.example")
        self.says("blobs.example:443", "tls_name", "holds")


class Closed(Endpoints):
    """Endpoints that must not be reached. c may ask the name server, e may reach one endpoint, d
    nobody."""

    @classmethod
    def build(cls):
        world = World("epc", {"right": ["s"], "cage": ["c", "d", "e"]})
        world.lab.nft(FW, f"""table inet filter {{ chain forward {{
            type filter hook forward priority 0; policy accept;
            ip saddr {world.v4['c']} meta l4proto {{ tcp, udp }} th dport 53 accept
            ip saddr {world.v4['c']} tcp dport {{ 4001, 4009 }} accept
            ip saddr {world.v4['e']} tcp dport 4002 accept
            ip saddr {world.v4['c']} tcp dport 4004 reject with icmp type admin-prohibited
            ip saddr {{ {world.v4['c']}, {world.v4['d']}, {world.v4['e']} }} drop
            iifname cage meta nfproto ipv6 drop
        }}
        }}""")
        cls.serve(world, {"out.example": [world.v4["s"]], "sink.example": ["0.0.0.0"],
                          "many.example": "many"},
                  [{"port": port, "kind": "http"} for port in (4001, 4002, 4003, 4004)])
        return world

    @classmethod
    def topology(cls, world):
        server = world.v4["s"]
        dns = f"dns: {{ server: {server} }}, timeout: 2s"
        closed = [("shut", "out.example", 4003, "c"), ("leaky", "out.example", 4001, "c"),
                  ("refused", "out.example", 4009, "c"), ("rejected", "out.example", 4004, "c"),
                  ("nobody", "absent.example", 4003, "c"), ("sunk", "sink.example", 4003, "c"),
                  ("many", "many.example", 4003, "c"), ("blind", "out.example", 4005, "d")]
        lines = [f"{name}: {{ host: {host}, ports: tcp/{port}, from: {who}, expect: closed, {dns} }}"
                 for name, host, port, who in closed]
        lines += [f"lone: {{ host: {server}, ports: tcp/4003, from: [d, e], expect: closed, "
                  "timeout: 2s }",
                  f"known: {{ host: out.example, address: {server}, ports: tcp/4006, from: e, "
                  f"expect: closed, {dns} }}",
                  f"way: {{ host: {server}, ports: tcp/4002, from: e, timeout: 2s }}"]
        return world.topology([], more="endpoints:\n" + "".join(f"  {x}\n" for x in lines)).replace(
            "policies:\n", "")

    def test_closed(self):
        self.says("out.example:4003", "closed", "holds", "silence.*reached the name server")
        self.says("out.example:4004", "closed", "holds", "ICMP 3/13")

    def test_something_lets_it_out(self):
        self.says("out.example:4001", "closed", "fails", "connected")
        self.assertEqual(self.run_of_all.code, 1)

    def test_a_refusal_shows_nothing(self):
        self.says("out.example:4009", "closed", "unknown", "may have been reached")

    def test_a_name_that_leads_nowhere_shows_nothing(self):
        self.says("absent.example:4003", "closed", "unknown", "nothing was tried")
        self.says("sink.example:4003", "closed", "unknown")
        self.says("many.example:4003", "closed", "unknown", "more addresses")
        self.says("out.example:4005", "closed", "unknown", "could not be looked up")

    def test_without_a_control_silence_shows_nothing(self):
        subject = f"{self.world.v4['s']}:4003"
        self.says(subject, "closed", "unknown", "nothing shows", host="d")
        self.says(subject, "closed", "holds", "before and after", host="e")
        self.says("out.example:4006", "closed", "holds", "before and after", host="e")


del Endpoints  # only its classes are tests


if __name__ == "__main__":
    unittest.main()
