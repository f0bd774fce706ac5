#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The end of a tunnel for kernels that lack the device: takes the outer headers off whatever comes
to this network namespace in one protocol, from anybody, and writes the inner packet into a tun
device, from where the kernel routes it. As careless as the devices that it stands for.

    tunnels.py KIND DEVICE SECONDS     says "ready" and runs so long, or until its input ends

KIND is ipip, 6in4, gre or geneve. VXLAN is not here: kernels have it. The reading is written from
RFC 2003, 4213, 2784 and 8926, and shares no code with the probe."""
import fcntl
import os
import select
import socket
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
PROTOCOLS = {"ipip": 4, "6in4": 41, "gre": 47}
GENEVE = 6081


def open_tun(name):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def open_sockets(kind):
    socks = []
    for family in (socket.AF_INET, socket.AF_INET6):
        if kind == "geneve":
            sock = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("", GENEVE))
        else:
            sock = socket.socket(family, socket.SOCK_RAW, PROTOCOLS[kind])
        socks.append(sock)
    return socks


def behind_type(kind, data):
    """What an EtherType announces, or None."""
    if kind == 0x6558 and len(data) > 14:
        kind, data = struct.unpack_from("!H", data, 12)[0], data[14:]
    return data if kind in (0x0800, 0x86DD) else None


def inner(kind, family, data):
    """The packet inside what a socket gave, or None. IPv4 raw sockets give the IP header too."""
    if kind != "geneve" and family == socket.AF_INET:
        data = data[(data[0] & 15) * 4:]
    if kind == "gre":
        if len(data) < 4:
            return None
        flags, ethertype = struct.unpack_from("!HH", data)
        skip = 4 + 4 * bin(flags & 0xB000).count("1")
        return behind_type(ethertype, data[skip:])
    if kind == "geneve":
        if len(data) < 8 or data[0] >> 6:
            return None
        return behind_type(struct.unpack_from("!H", data, 2)[0], data[8 + 4 * (data[0] & 63):])
    return data


def main(kind, device, seconds):
    deadline = time.monotonic() + float(seconds)
    tun, socks = open_tun(device), open_sockets(kind)
    print("ready", flush=True)
    while True:
        left = deadline - time.monotonic()
        ready, _, _ = select.select([sys.stdin, *socks], [], [], max(left, 0))
        if left <= 0 or sys.stdin in ready:
            return 0
        for sock in ready:
            packet = inner(kind, sock.family, sock.recv(2048))
            if packet:
                try:
                    os.write(tun, packet)
                except OSError:
                    pass  # not an IP packet, or the device is down


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
