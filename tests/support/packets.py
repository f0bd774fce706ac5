# SPDX-License-Identifier: Apache-2.0
"""Packets made, sent and captured in plain Python: a second opinion that shares no code with the
probe. Whole IP packets are built here (so the source may be foreign), sent through raw sockets and
captured with AF_PACKET. No tcpdump, no libpcap.

    send(lab, "a", [tcp("10.0.0.1", "10.0.0.2", 40000, 22)])
    with Capture(lab, ["b"]) as capture: ...; capture.read(0.2)

Limits: no IP options, no extension headers, no fragments; Ethernet links only. Formats: RFC 791,
RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443."""
import collections
import functools
import ipaddress
import selectors
import socket
import struct
import time

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, ACK = 1, 2, 4, 16
ETH_P_ALL = 3
PACKET_HOST, PACKET_OUTGOING = 0, 4
SO_RCVBUFFORCE = 33

# where: short namespace name. way: "in" (addressed to this host), "out" (leaving it), "other".
# For TCP and UDP sport, dport and flags; for ICMP type and code (type 8 or 128 is an echo request)
# and ident in sport. quote: the (src, dst, proto, sport, dport) inside an ICMP error, or None.
Packet = collections.namedtuple(
    "Packet", "where way family src dst proto sport dport flags type code ttl payload quote")


def _checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@functools.lru_cache(maxsize=1024)
def _address(text):
    return ipaddress.ip_address(text)


def _ip(src, dst, proto, body, at, ttl):
    """An IP packet around a transport body whose checksum field, at that offset, is zero."""
    src, dst = _address(src), _address(dst)
    if proto == ICMP:
        covered = body
    elif src.version == 4:
        covered = src.packed + dst.packed + struct.pack("!BBH", 0, proto, len(body)) + body
    else:
        covered = src.packed + dst.packed + struct.pack("!IHBB", len(body), 0, 0, proto) + body
    total = _checksum(covered)
    if proto == UDP and total == 0:
        total = 0xFFFF
    body = body[:at] + struct.pack("!H", total) + body[at + 2:]
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), proto, ttl) + src.packed + dst.packed + body
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0x4000, ttl, proto, 0,
                       src.packed, dst.packed)
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + body


def tcp(src, dst, sport, dport, flags=SYN, seq=1, ack=0, payload=b"", ttl=64):
    body = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 64240, 0, 0) + payload
    return _ip(src, dst, TCP, body, 16, ttl)


def udp(src, dst, sport, dport, payload=b"lab", ttl=64):
    body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return _ip(src, dst, UDP, body, 6, ttl)


def echo(src, dst, ident, sequence=1, payload=b"lab", ttl=64):
    """An echo request of the addresses' family."""
    is_v4 = _address(src).version == 4
    body = struct.pack("!BBHHH", 8 if is_v4 else 128, 0, 0, ident, sequence) + payload
    return _ip(src, dst, ICMP if is_v4 else ICMP6, body, 2, ttl)


def send(lab, ns, packets, gap=0.0):
    """Sends whole IP packets from a namespace, routed by its kernel (its OUTPUT rules count)."""
    lab.commit()
    with lab.inside(ns):
        out = {4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
               6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)}
    with out[4], out[6]:
        for data in packets:
            if data[0] >> 4 == 4:
                out[4].sendto(data, (socket.inet_ntop(socket.AF_INET, data[16:20]), 0))
            else:
                out[6].sendto(data, (socket.inet_ntop(socket.AF_INET6, data[24:40]), 0))
            if gap:
                time.sleep(gap)


def _transport(proto, body):
    """(sport, dport, flags, type, code, payload) of a transport header, or None if cut short."""
    if proto == TCP and len(body) >= 14:
        sport, dport = struct.unpack_from("!HH", body)
        return sport, dport, body[13], 0, 0, body[(body[12] >> 4) * 4:]
    if proto == UDP and len(body) >= 8:
        sport, dport = struct.unpack_from("!HH", body)
        return sport, dport, 0, 0, 0, body[8:]
    if proto in (ICMP, ICMP6) and len(body) >= 8:
        return struct.unpack_from("!H", body, 4)[0], 0, 0, body[0], body[1], body[8:]
    return None


def parse(data):
    """(family, src, dst, proto, ttl, transport body) of an IP packet, or None."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        end = min(len(data), struct.unpack_from("!H", data, 2)[0])
        return (4, socket.inet_ntop(socket.AF_INET, data[12:16]),
                socket.inet_ntop(socket.AF_INET, data[16:20]), data[9], data[8],
                data[(data[0] & 15) * 4:end])
    if len(data) >= 40 and data[0] >> 4 == 6:
        end = 40 + struct.unpack_from("!H", data, 4)[0]
        return (6, socket.inet_ntop(socket.AF_INET6, data[8:24]),
                socket.inet_ntop(socket.AF_INET6, data[24:40]), data[6], data[7], data[40:end])
    return None


def _quote(proto, kind, payload):
    """What an ICMP error is about, or None when it is not an error."""
    is_error = kind in (3, 11, 12) if proto == ICMP else kind < 128
    inner = parse(payload) if is_error else None
    if not inner:
        return None
    # A quote may be cut after 8 bytes of the transport header (RFC 792): pad so that ports parse.
    head = _transport(inner[3], inner[5] + bytes(20))
    return (inner[1], inner[2], inner[3], head[0], head[1]) if head else None


class Capture:
    """Captures on eth0 (or dev) of several namespaces at once, every packet in and out."""

    def __init__(self, lab, names, dev="eth0"):
        lab.commit()
        self.sockets = selectors.DefaultSelector()
        self.all = []
        for name in names:
            with lab.inside(name):
                sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
                sock.bind((dev, ETH_P_ALL))
            sock.setblocking(False)
            self.sockets.register(sock, selectors.EVENT_READ, name)
            self.all.append(sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for sock in self.all:
            sock.close()
        self.sockets.close()

    def drops(self):
        """Packets the kernel could not keep for us since the last call: nonzero voids a silence."""
        total = 0
        for sock in self.all:
            stats = sock.getsockopt(263, 6, 8)  # SOL_PACKET, PACKET_STATISTICS
            total += struct.unpack("=II", stats)[1]
        return total

    def read(self, quiet, limit=10.0):
        """Everything captured until nothing came for `quiet` seconds, at most `limit` long: stray
        retransmissions must not hold it up."""
        seen, deadline = [], time.monotonic() + limit
        while True:
            ready = self.sockets.select(quiet)
            if not ready or time.monotonic() > deadline:
                return seen
            for key, _ in ready:
                self._drain(key.fileobj, key.data, seen)

    @staticmethod
    def _drain(sock, where, seen):
        for _ in range(4096):
            try:
                data, address = sock.recvfrom(2048)
            except BlockingIOError:
                return
            outer = parse(data)
            head = _transport(outer[3], outer[5]) if outer else None
            if not head:
                continue
            family, src, dst, proto, ttl, _ = outer
            way = {PACKET_HOST: "in", PACKET_OUTGOING: "out"}.get(address[2], "other")
            sport, dport, flags, kind, code, payload = head
            quote = _quote(proto, kind, payload) if proto in (ICMP, ICMP6) else None
            seen.append(Packet(where, way, family, src, dst, proto, sport, dport, flags, kind, code,
                               ttl, payload, quote))


class HostWitness:
    """What passes the INPUT rules of several namespaces: raw sockets, as no listener is needed."""

    def __init__(self, lab, names):
        lab.commit()
        self.sockets = selectors.DefaultSelector()
        self.all = []
        for name in names:
            with lab.inside(name):
                for family, protos in ((socket.AF_INET, (TCP, UDP, ICMP)),
                                       (socket.AF_INET6, (TCP, UDP, ICMP6))):
                    for proto in protos:
                        sock = socket.socket(family, socket.SOCK_RAW, proto)
                        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
                        sock.setblocking(False)
                        self.sockets.register(sock, selectors.EVENT_READ, (name, proto))
                        self.all.append(sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for sock in self.all:
            sock.close()
        self.sockets.close()

    def read(self, quiet, limit=10.0):
        """{(where, source address, proto, sport, dport)} of TCP and UDP; for echo requests the
        ports are (ident, 0). Times as in Capture.read()."""
        seen, deadline = set(), time.monotonic() + limit
        while True:
            ready = self.sockets.select(quiet)
            if not ready or time.monotonic() > deadline:
                return seen
            for key, _ in ready:
                self._drain(key.fileobj, *key.data, seen)

    @staticmethod
    def _drain(sock, where, proto, seen):
        for _ in range(4096):
            try:
                data, address = sock.recvfrom(2048)
            except BlockingIOError:
                return
            if sock.family == socket.AF_INET:  # IPv4 raw sockets give the IP header too
                data = data[(data[0] & 15) * 4:]
            head = _transport(proto, data)
            if head and (proto in (TCP, UDP) or head[3] in (8, 128)):
                seen.add((where, address[0].partition("%")[0], proto, head[0], head[1]))
