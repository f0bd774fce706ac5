# SPDX-License-Identifier: Apache-2.0
"""Probes driven by hand, record by record, as a controller drives them: for tests of what a probe
does by itself. The fields of the records are read from probe/wire/record.h.

    with Probe(world, "a", hazard="B") as a: a.order("batch", batch=1, ...); a.wait("collected")"""
import os
import re
import socket
import struct
import subprocess
import time
import types

from harness import MARK, PROBE, ROOT  # noqa: F401 (MARK is used by those who import this)

RECORD_BYTES = 96
SENDER, RECEIVER, LINK, HTTP = 1, 2, 16, 64
SENT, LEFT, ANSWER, NIC, HOST, EGRESS, STRAY, UNTAGGED = range(8)
ANSWERS = ("none", "syn_ack", "data", "echo", "crafted", "rst", "unreachable")
WINDOW_ZERO, TTL_CHANGED, DATA_ACKED = 1, 2, 4
KEY = bytes(range(32))
_SIZES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "key32": "32s",
          "raw64": "64s", "addr": "17s"}


def _read_header():
    with open(os.path.join(ROOT, "probe", "wire", "record.h"), encoding="utf-8") as file:
        text = file.read()
    names = re.findall(r"\bSP_REC_([A-Z]+)\b", text.split("enum sp_record_type {")[1].split("}")[0])
    types_ = {name.lower(): number for number, name in enumerate(names, 1)}
    fields = {}
    for line in text.replace("\\\n", " ").splitlines():
        match = re.match(r"#define SP_FIELDS_(\w+)\(F\)(.*)", line)
        if match:
            fields[match[1]] = re.findall(r"F\((\w+), (\w+)\)", match[2])
    return types_, fields


TYPES, FIELDS = _read_header()


def _format(name):
    return "!B3x" + "".join(_SIZES.get(kind) or kind.removeprefix("text") + "s"
                            for kind, _ in FIELDS[name])


def _pack_addr(text):
    if not text:
        return bytes(17)
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    raw = socket.inet_pton(family, text)
    return bytes([6 if len(raw) == 16 else 4]) + raw.ljust(16, b"\0")


def _unpack_addr(raw):
    if raw[0] == 0:
        return None
    return socket.inet_ntop(socket.AF_INET6 if raw[0] == 6 else socket.AF_INET,
                            raw[1:17 if raw[0] == 6 else 5])


def encode(name, **values):
    out = []
    for kind, field in FIELDS[name]:
        value = values.pop(field, b"" if kind.startswith(("text", "key", "raw")) else
                           "" if kind == "addr" else 0)
        if kind == "addr":
            value = _pack_addr(value)
        elif kind.startswith("text"):
            value = value.encode() if isinstance(value, str) else value
        out.append(value)
    assert not values, values
    return struct.pack(_format(name), TYPES[name], *out).ljust(RECORD_BYTES, b"\0")


def decode(data):
    name = next(name for name, number in TYPES.items() if number == data[0])
    form = _format(name)
    values = struct.unpack(form, data[:struct.calcsize(form)])[1:]
    record = types.SimpleNamespace(type=name)
    for (kind, field), value in zip(FIELDS[name], values):
        if kind == "addr":
            value = _unpack_addr(value)
        elif kind.startswith("text"):
            value = value.rstrip(b"\0").decode()
        setattr(record, field, value)
    return record


class Probe:
    """One probe in a namespace of the world. Every record it tells is kept in .told."""

    def __init__(self, world, host, hazard="A", targets=("10.0.0.0/8", "fd00::/8"), wrap=(), max_pps=100000,
                 sources=()):
        self.lab, self.host, self.told = world.lab, host, []
        key, _, value = world.mark.partition("=")
        argv = [*wrap, PROBE, "--stdio", f"--max-pps={max_pps}", f"--hazard={hazard}",
                "--link-injection", *(f"--allow-target={t}" for t in targets),
                *(f"--allow-source={s}" for s in sources)]
        self.lab.commit()
        self.child = subprocess.Popen(["ip", "netns", "exec", self.lab.ns(host), *argv],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      env={**os.environ, key: value})
        self.generation = 0
        self.wait("ready")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.child.stdin.close()
        self.child.wait(timeout=10)
        self.child.stdout.close()

    def order(self, name, **values):
        self.child.stdin.write(encode(name, **values))
        self.child.stdin.flush()

    def read(self):
        data = self.child.stdout.read(RECORD_BYTES)
        if len(data) < RECORD_BYTES:
            return None
        record = decode(data)
        self.told.append(record)
        return record

    def wait(self, name):
        """The next record of a type; an error fails the test."""
        while True:
            record = self.read()
            if record is None:
                raise AssertionError(f"{self.host}: ended before {name}")
            if record.type == name:
                return record
            if record.type == "error":
                raise AssertionError(f"{self.host}: {record.text}")

    def batch(self, number=1, lifetime_ms=30000, max_pps=20000, budget=10000, sports=(40000, 42000)):
        self.told.clear()
        self.number = number
        self.order("batch", batch=number, generation=self.generation, sport_lo=sports[0],
                   sport_hi=sports[1], max_pps=max_pps, budget=budget, lifetime_ms=lifetime_ms,
                   key=KEY)

    def block(self, block, flags, src, dst, technique="tcp_handshake", attempts=1):
        self.order("block", batch=self.number, block=block, attempts=attempts, flags=flags,
                   technique=technique, src=src, dst=dst)

    def standin(self, addr, port, proto=0):
        self.order("standin", batch=self.number, proto=proto, port=port, addr=addr)

    def arm(self):
        self.order("arm", batch=self.number)
        self.wait("armed")
        return [r for r in self.told if r.type in ("refused", "unstood")]

    def shot(self, block, port, sport, at_us=0):
        self.order("shot", batch=self.number, block=block, port=port, sport=sport, at_us=at_us)

    def fire(self):
        self.order("fire", batch=self.number)

    def collect(self):
        self.order("collect", batch=self.number)
        return self.wait("collected")

    def seen(self, kind, block=None):
        return [r for r in self.told if r.type == "seen" and r.kind == kind
                and block in (None, r.block)]


def run_batch(probes, sender, drain=0.3):
    """Fires everywhere, waits until the sender is done and a little more, and collects."""
    for probe in probes:
        probe.fire()
    sender.wait("done")
    time.sleep(drain)
    return [probe.collect() for probe in probes]
