# SPDX-License-Identifier: Apache-2.0
"""Servers that endpoints are tested against: a name server and many kinds of TLS servers, the good
ones and the bad ones. Run inside a namespace with a description in JSON on standard input:

    {"zone": {"good.example": ["10.0.0.1", "fd00::1"], ...}, "servers": [{"port": 443, ...}, ...]}

It says "ready" when everything listens. Values of the zone may be words: see Names. Servers: see
Server."""
import ctypes
import ipaddress
import json
import socket
import ssl
import struct
import sys
import threading
import time

A, CNAME, AAAA = 1, 5, 28
LIFE = 60  # seconds that a bad server holds on to a connection


def _encode(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def _question(packet):
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
        at += packet[at] + 1
    return ".".join(labels), struct.unpack("!H", packet[at + 1:at + 3])[0], packet[12:at + 5]


class Names:
    """Values: a list of addresses; "many" (a thousand addresses); "silent"; "servfail"; "garbage";
    "alias:NAME"; "changes:IP,IP" (another one for every question). A name that is not there does not
    exist."""

    def __init__(self, zone):
        self.zone, self.asked = zone, {}

    def addresses(self, name, kind):
        value = self.zone[name]
        if value == "many":
            return [f"10.61.{i // 250}.{i % 250 + 1}" for i in range(1000)] if kind == A else []
        if isinstance(value, str) and value.startswith("changes:"):
            if kind != A:
                return []
            some = value.partition(":")[2].split(",")
            self.asked[name] = self.asked.get(name, 0) + 1
            return [some[(self.asked[name] - 1) % len(some)]]
        return [text for text in value if (":" in text) == (kind == AAAA)]

    def answer(self, packet, over_tcp):
        name, kind, question = _question(packet)
        value = self.zone.get(name)
        if value == "silent":
            return None
        if value == "garbage":
            return packet[:2] + b"\x81\x80\0\1\0\7" + b"\xc0\x0c" * 40
        code = 3 if value is None else 2 if value == "servfail" else 0
        records, owner = [], b"\xc0\x0c"
        if not code:
            target = name
            if isinstance(value, str) and value.startswith("alias:"):
                target = value.partition(":")[2]
                owner = _encode(target)
                records.append(b"\xc0\x0c" + struct.pack("!HHIH", CNAME, 1, 60, len(owner)) + owner)
            for text in self.addresses(target, kind):
                data = ipaddress.ip_address(text).packed
                records.append(owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data)
        is_cut = not over_tcp and sum(map(len, records)) > 480
        records = [] if is_cut else records
        head = packet[:2] + struct.pack("!HHHHH", 0x8180 | code | (0x200 if is_cut else 0), 1,
                                        len(records), 0, 0)
        return head + question + b"".join(records)

    def udp(self, sock):
        while True:
            packet, peer = sock.recvfrom(4096)
            answer = self.answer(packet, False)
            if answer:
                sock.sendto(answer, peer)

    def tcp(self, conn):
        with conn:
            conn.settimeout(5)
            size = struct.unpack("!H", conn.recv(2, socket.MSG_WAITALL))[0]
            answer = self.answer(conn.recv(size, socket.MSG_WAITALL), True)
            if answer:
                conn.sendall(struct.pack("!H", len(answer)) + answer)


class Server:
    """kind: tls (the default), http, drip (a byte of a handshake now and then), mute, reset, banner
    (speaks first, and no TLS).
    Of tls and http: cert (PEM, chain and key), alpn, status, location. Of tls: clear = what a request
    in clear gets: refused (an alert; the default), 400, 200, h2, shut (closed at once)."""

    def __init__(self, what):
        self.what = what
        self.kind = what.get("kind", "tls")
        self.context = None
        if self.kind == "tls":
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(what["cert"])
            if what.get("alpn"):
                self.context.set_alpn_protocols(what["alpn"])

    def reply(self, conn):
        conn.recv(4096)
        status = self.what.get("status", 200)
        location = self.what.get("location")
        more = f"Location: {location}\r\n" if location else ""
        conn.sendall(f"HTTP/1.1 {status} Some\r\n{more}Content-Length: 0\r\n\r\n".encode())

    def clear(self, conn, first):
        how = self.what.get("clear")
        conn.recv(4096)
        if how == "h2" and first.startswith(b"PRI"):
            conn.sendall(b"\0\0\0\4\0\0\0\0\0")
        elif how in ("400", "200"):
            conn.sendall(f"HTTP/1.1 {how} Some\r\nContent-Length: 0\r\n\r\n".encode())

    def talk(self, conn):
        conn.settimeout(LIFE)
        if self.kind == "reset":
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conn.recv(1)
        elif self.kind == "mute":
            time.sleep(LIFE)
        elif self.kind == "banner":
            conn.sendall(b"220 mail.example ready\r\n")
            conn.recv(4096)
        elif self.kind == "drip":
            for byte in b"\x16\x03\x03\x10\x00" + bytes(4000):
                conn.sendall(bytes([byte]))
                time.sleep(0.2)
        elif self.kind == "http":
            self.reply(conn)
        else:
            first = conn.recv(3, socket.MSG_PEEK)
            if self.what.get("clear", "refused") != "refused" and first[:1] != b"\x16":
                self.clear(conn, first)
                return
            with self.context.wrap_socket(conn, server_side=True) as tls:
                self.reply(tls)

    def serve(self, conn):
        try:
            with conn:
                self.talk(conn)
        except (OSError, ssl.SSLError):
            pass


def _accept(sock, handler):
    while True:
        conn, _ = sock.accept()
        threading.Thread(target=handler, args=(conn,), daemon=True).start()


def _listen(port):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", port))
    sock.listen(128)
    return sock


def main():
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG: never outlives a killed test
    what = json.load(sys.stdin)
    names = Names(what["zone"])
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((what["dns"], 53))
    threading.Thread(target=names.udp, args=(udp,), daemon=True).start()
    places = [(_listen(53), names.tcp)] + [(_listen(server["port"]), Server(server).serve)
                                           for server in what["servers"]]
    for place in places[1:]:
        threading.Thread(target=_accept, args=place, daemon=True).start()
    print("ready", flush=True)
    _accept(*places[0])


if __name__ == "__main__":
    main()
