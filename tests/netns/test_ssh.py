# SPDX-License-Identifier: Apache-2.0
"""Probes over ssh: real sshds, each in namespaces of its own, with a firewall between them. After
every case nothing of a probe may be left on any host: no process, no file, no rule.

Run: python3 tests/netns/test_ssh.py (root; says skipped where the machine cannot do it)."""
import os
import shutil
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
from harness import FW, PROBE, Case, World, kill, wait_until  # noqa: E402
import sshd  # noqa: E402 (found through harness)

MGMT = "mgmt"  # where segproof runs: it reaches the hosts over the firewall
RULES = """
flush ruleset
table inet test {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "mgmt" accept
        ip saddr 10.60.1.0/24 ip daddr 10.60.2.0/24 tcp dport 80 accept
        ip6 saddr fd00:60:1::/64 ip6 daddr fd00:60:2::/64 tcp dport 80 accept
        icmp type echo-request accept
        icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept
        %s
    }
}
"""
POLICIES = ["name: web, from: left, to: right, allow: [tcp/80, icmp/echo, icmp6/echo]",
            "name: back, from: right, to: left, allow: [icmp/echo, icmp6/echo]",
            "name: no, from: right, to: left, deny: tcp/2222"]


class SshWorld(World):
    """Hosts with sshd, and a namespace for segproof. via("b", ...) says how a host is reached."""

    user = ()  # what makes segproof run as another user

    def __init__(self, prefix, segments):
        super().__init__(prefix, segments)
        self.hosts = [host for hosts in segments.values() for host in hosts]
        self.lab.add_ns(MGMT)
        self.lab.veth(MGMT, "eth0", FW, "mgmt")
        self.lab.addr(MGMT, "eth0", "10.60.99.2/24")
        self.lab.addr(FW, "mgmt", "10.60.99.1/24")
        self.lab.route(MGMT, "default via 10.60.99.1")
        self.lab.commit()
        self.firewall()
        self.keys = sshd.Keys(self.lab.dir)
        self.sshds = {host: sshd.Sshd(self.lab, host, self.keys) for host in self.hosts}
        for host in self.hosts:
            self.via(host, "root")
        self.known = os.path.join(self.lab.dir, "known_hosts")
        self.write_known()
        self.write_config()

    def firewall(self, more=""):
        self.lab.nft(FW, RULES % more)

    def via(self, host, user, become=""):
        self.probes[host] = f"{{ via: ssh, target: {user}@{host}{become} }}"

    def write_known(self, hosts=None, key=None):
        key = key or self.keys.host_public
        self.write("".join(f"{self.v4[host]} {key}\n"
                           for host in (self.hosts if hosts is None else hosts)), "known_hosts")

    def write_config(self, more="", key=None):
        text = more + "".join(f"Host {host}\n  HostName {self.v4[host]}\n" for host in self.hosts)
        text += (f"Host *\n  IdentityFile {key or self.keys.user}\n  IdentitiesOnly yes\n"
                 f"  IdentityAgent none\n  UserKnownHostsFile {self.known}\n"
                 "  GlobalKnownHostsFile /dev/null\n")
        self.config = self.write(text, "ssh_config")

    def start(self, topology, *options, **how):
        return super().start(topology, "--ssh-config", self.config, *options,
                             wrap=("ip", "netns", "exec", self.lab.ns(MGMT), *self.user), **how)

    def text(self, **how):
        return self.topology(POLICIES, **how)


class SshCase(Case):
    hosts = {"left": ["a"], "right": ["b"]}

    @classmethod
    def setUpClass(cls):
        if sshd.missing():
            raise unittest.SkipTest(sshd.missing())
        super().setUpClass()

    @classmethod
    def build(cls):
        return SshWorld(cls.__name__.lower(), cls.hosts)

    def tearDown(self):
        for name, host in self.world.sshds.items():
            wait_until(lambda h=host: not h.left(), 3)
            left = host.left()
            kill([pid for pid, _ in host.pids()])
            self.assertEqual(left, [], f"left on {name}")
        super().tearDown()

    def node(self, run, host):
        return next(node for node in run.data["nodes"] if node["host"] == host)

    def holds(self, run, **privilege):
        self.assertEqual(run.code, 0, run.err + run.out)
        for family in ("ipv4", "ipv6"):
            self.check(run, ("a", "b", family, "tcp", 80), "holds")
            self.check(run, ("b", "a", family, "tcp", 2222), "holds")
        for host, way in privilege.items():
            self.assertTrue(self.node(run, host)["ok"])
            self.assertEqual(self.node(run, host)["privilege"], way)

    def fails(self, reason, *options, host="b", code=3, **how):
        """verify cannot start a probe on the host, says why, and holds nothing."""
        run = self.world.verify(self.world.text(**how), "--timeout", "5s", *options)
        self.assertEqual(run.code, code, run.err + run.out)
        node = self.node(run, host)
        self.assertFalse(node["ok"])
        self.assertRegex(node["reason"], reason)
        self.assertNotIn("\n", node["reason"])
        self.assertEqual(run.summary["holds"], 0, run.out)
        return run


class Success(SshCase):
    """The ways to get in, and what stands in the way without harm."""

    def test_root_and_sudo(self):
        self.world.via("b", "admin", ", become: sudo")
        run = self.world.verify(self.world.text())
        self.holds(run, a="root login", b="sudo")

    def test_noise_and_noexec(self):
        """A login shell that prints, a banner, a /tmp that runs nothing: no harm."""
        host = self.world.sshds["b"]
        self.world.via("b", "admin", ", become: sudo")
        host.write("/srv/admin/.bashrc", "echo 'Welcome to b'; printf 'no end of line'; "
                   "head -c 5000 /dev/zero; echo; echo segproof-; echo to stderr >&2\n")
        host.shell("mount -o remount,noexec /tmp")
        try:
            self.holds(self.world.verify(self.world.text()), b="sudo")
        finally:
            host.shell("mount -o remount,exec /tmp; rm /srv/admin/.bashrc")

    def test_a_leak_is_a_leak(self):
        """The same run over ssh sees an open port as one."""
        self.world.via("b", "admin", ", become: sudo")
        self.world.firewall("iifname right meta l4proto tcp accept")
        try:
            run = self.world.verify(self.world.text())
        finally:
            self.world.firewall()
        self.assertEqual(run.code, 1, run.err + run.out)
        self.assertTrue(any(f["verdict"] == "leak" and f["from"] == "b"
                            for f in run.data["findings"]))

    def test_file_capability(self):
        """Nobody becomes root: an installed probe that is the very same file has the capability."""
        host, probe = self.world.sshds["b"], "/usr/local/libexec/segproof/segproof-probe"
        self.world.via("b", "admin")
        host.shell("mount -t tmpfs -o mode=755 tmpfs /usr/local; "
                   "mkdir -p /usr/local/libexec/segproof")
        try:
            host.copy(PROBE, probe)
            host.shell(f"chmod 755 {probe}; setcap cap_net_raw+ep {probe}")
            self.holds(self.world.verify(self.world.text()), b="file capability")
            self.assertEqual(host.shell(f"ls {probe}").strip(), probe)  # it is not ours to remove
            host.shell(f"printf x >>{probe}; setcap cap_net_raw+ep {probe}")
            run = self.world.verify(self.world.text())
            self.assertEqual(run.code, 3)
            self.assertRegex(self.node(run, "b")["reason"], "user admin has no CAP_NET_RAW there")
        finally:
            host.shell("umount /usr/local")

    def test_without_root(self):
        """Where every probe is reached by ssh, segproof itself needs no privilege."""
        folder = os.path.join(self.world.lab.dir, "nobody")
        key = os.path.join(folder, "key")
        os.chmod(self.world.lab.dir, 0o711)
        os.mkdir(folder)
        os.chown(folder, 65534, 65534)
        shutil.copy(self.world.keys.user, key)
        os.chown(key, 65534, 65534)
        probe = shutil.copy(PROBE, folder)  # wherever the clone lies, nobody can read this
        os.chmod(self.world.known, 0o644)
        self.world.write_config(key=key)
        self.world.user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        try:
            run = self.world.verify(self.world.text(), "--state", os.path.join(folder, "state"),
                                    "--probe", probe,
                                    report=os.path.join(folder, "report.json"))
        finally:
            self.world.user = ()
            self.world.write_config()
        self.holds(run, a="root login")

    def test_what_is_left_is_seen(self):
        """The look for leftovers sees a process, a file and a rule."""
        host = self.world.sshds["b"]
        child = self.world.lab.popen("b", ["sleep", "60"])
        host.shell("mkdir /var/tmp/segproof.x; nft add table inet left")
        try:
            self.assertTrue(wait_until(lambda: "sleep" in str(host.left()), 5))
            left = "\n".join(host.left())
            self.assertRegex(left, r"process \d+: .*sleep 60")
            self.assertIn("file /var/tmp/segproof.x", left)
            self.assertIn("rule table inet left", left)
        finally:
            child.kill()
            child.wait()
            host.shell("rmdir /var/tmp/segproof.x; nft flush ruleset")


class Jump(SshCase):
    """b is reached over j alone; nobody else may talk to its sshd."""

    hosts = {"left": ["a", "j"], "right": ["b"]}

    def test_jump_host(self):
        self.world.probes["j"] = "none"
        self.world.write_config("Host b\n  ProxyJump root@j\n")
        self.world.firewall()
        rules = f"ip saddr {self.world.v4['j']} ip daddr {self.world.v4['b']} tcp dport 22 accept"
        self.world.lab.nft(FW, (RULES % rules).replace(
            'iifname "mgmt" accept',
            f'iifname "mgmt" ip daddr {self.world.v4["b"]} drop; iifname "mgmt" accept'))
        run = self.world.verify(self.world.text(), "--from", "a,b", "--to", "a,b")
        self.holds(run, a="root login", b="root login")
        with self.subTest("an unknown key of the jump host"):
            self.world.write_known(["a", "b"])
            run = self.world.verify(self.world.text(), "--from", "a,b", "--to", "a,b",
                                    "--timeout", "5s")
            self.world.write_known()
            self.assertEqual(run.code, 3)
            self.assertRegex(self.node(run, "b")["reason"], "jump host.*is not known")


class Failure(SshCase):
    """Every way in which it cannot work, with its own words."""

    def tearDown(self):
        self.world.via("b", "root")
        self.world.write_known()
        self.world.write_config()
        super().tearDown()

    def test_unknown_host_key(self):
        self.world.write_known(["a"])
        self.fails("host key of root@b.* is not known: connect once by hand .*known_hosts")

    def test_changed_host_key(self):
        with open(self.world.keys.stranger + ".pub", encoding="utf-8") as file:
            self.world.write_known(key=" ".join(file.read().split()[:2]))
        self.fails("host key of root@b has changed")

    def test_wrong_user(self):
        self.world.via("b", "nobody-there")
        self.fails("nobody-there@b: permission denied")

    def test_wrong_key(self):
        self.world.write_config(key=self.world.keys.stranger)
        self.fails("root@b: permission denied")

    def test_unknown_name(self):
        self.world.probes["b"] = "{ via: ssh, target: b.invalid }"
        self.fails("the name of b.invalid is not known")

    def test_refused(self):
        self.world.write_config("Host b\n  Port 2222\n")
        self.fails("root@b: connection refused")

    def test_no_answer(self):
        self.world.firewall()
        self.world.lab.nft(FW, (RULES % "").replace(
            'iifname "mgmt" accept',
            f'iifname "mgmt" ip daddr {self.world.v4["b"]} drop; iifname "mgmt" accept'))
        try:
            self.fails("root@b does not answer|no connection to root@b within", "--timeout", "2s")
        finally:
            self.world.firewall()

    def test_no_capability(self):
        self.world.via("b", "admin")
        self.fails("user admin has no CAP_NET_RAW there: add become: sudo")

    def test_sudo(self):
        host = self.world.sshds["b"]
        self.world.via("b", "admin", ", become: sudo")
        for rule, reason in (("admin ALL=(ALL) ALL", "sudo wants a password on admin@b"),
                             ("", "may not use sudo there|sudo wants a password on admin@b")):
            host.shell(f"printf 'root ALL=(ALL) ALL\\n{rule}\\n' >/run/sp/sudoers")
            with self.subTest(rule):
                self.fails(reason)
        host.shell("printf 'admin ALL=(ALL) NOPASSWD: ALL\\n' >/run/sp/sudoers")
        host.shell("chmod 755 /run/sp; mkdir /run/sp/bin; mount --bind /run/sp/bin /usr/local/bin;"
                   "mount --bind /dev/null /usr/bin/sudo")
        try:
            self.fails("sudo is not installed there|sudo: .*ermission denied")
        finally:
            host.shell("umount /usr/bin/sudo /usr/local/bin; rmdir /run/sp/bin")

    def test_full_disk(self):
        host = self.world.sshds["b"]
        everywhere = ("/tmp", "/var/tmp", "/dev/shm", "/root")
        host.shell("".join(f"mount -o remount,size=100k {folder}; " for folder in everywhere))
        try:
            run = self.fails("no folder there in which a program of .* fits")
            reason = self.node(run, "b")["reason"]
            for folder in everywhere:
                self.assertRegex(reason, rf"{folder}: full")
        finally:
            host.shell("".join(f"mount -o remount,size=50% {folder}; " for folder in everywhere))

    def test_noexec_everywhere(self):
        host = self.world.sshds["b"]
        everywhere = ("/tmp", "/var/tmp", "/dev/shm", "/root")
        host.shell("".join(f"mount -o remount,noexec {folder}; " for folder in everywhere))
        try:
            run = self.fails("no folder there in which a program of .* may run")
            for folder in everywhere:
                self.assertIn(f"{folder}: noexec", self.node(run, "b")["reason"])
        finally:
            host.shell("".join(f"mount -o remount,exec {folder}; " for folder in everywhere))

    def test_no_shell(self):
        host = self.world.sshds["b"]
        passwd = host.shell("cat /etc/passwd")
        host.write("/run/sp/passwd", passwd.replace("/srv/admin:/bin/bash",
                                                    "/srv/admin:/usr/sbin/nologin"))
        self.world.via("b", "admin", ", become: sudo")
        try:
            self.fails("its login says: This account is currently not available")
        finally:
            host.write("/run/sp/passwd", passwd)

    def test_wrong_config_file(self):
        self.world.config = os.path.join(self.world.lab.dir, "no-such-file")
        run = self.world.verify(self.world.text())
        self.assertEqual(run.code, 2)
        self.assertRegex(run.err, "--ssh-config: cannot read '.*no-such-file': No such file")
        self.world.config = self.world.write("Nonsense yes\n", "ssh_config")
        self.fails("ad configuration option: nonsense")


class Cut(SshCase):
    """The connection, or segproof, is lost in mid-run: never a pass, nothing left."""

    def lost(self, run, reason):
        self.assertEqual(run.code, 3, run.err + run.out)
        self.assertRegex(self.node(run, "b")["reason"], reason)
        self.assertEqual(run.summary["verdict"], "incomplete")
        self.assertGreater(run.summary["inconclusive"], 0)

    def test_sshd_session_killed(self):
        self.world.via("b", "admin", ", become: sudo")
        running = self.world.start(self.world.text())
        running.wait_for("denied flows")
        kill(self.world.sshds["b"].sessions())
        self.lost(running.finish(), "the connection to admin@b was lost: its ssh server closed it")

    def test_packets_dropped(self):
        """Keepalives notice it here; the probe notices it there."""
        running = self.world.start(self.world.text(), "--timeout", "2s")
        running.wait_for("denied flows")
        self.world.lab.nft(FW, "table inet cut { chain forward { type filter hook forward "
                           f"priority -10; ip saddr {self.world.v4['b']} tcp sport 22 drop; "
                           f"ip daddr {self.world.v4['b']} tcp dport 22 drop; }}; }}")
        try:
            run = running.finish()
            self.assertTrue(self.world.sshds["b"].pids())  # its sshd knows nothing yet
            sshds = self.world.sshds["b"].sessions
            gone = wait_until(lambda: "segproof" not in str(self.world.sshds["b"].pids()), 12)
            self.assertTrue(gone, self.world.sshds["b"].pids())
            kill(sshds())  # it would wait for the end of TCP's patience
        finally:
            self.world.firewall()
        self.lost(run, "the connection to root@b was lost: nothing was heard from it any more")

    def test_ssh_killed(self):
        running = self.world.start(self.world.text())
        running.wait_for("denied flows")
        kill(self.clients())
        run = running.finish()
        self.lost(run, "the connection to root@b was lost: ssh was killed")

    def clients(self):
        """The ssh of this world's run that goes to b."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if self.world.config.encode() in words and b"root@b" in words:
                found.append(int(pid))
        return found

    def test_segproof_killed(self):
        for stage in ("starting probes", "denied flows"):
            with self.subTest(stage):
                running = self.world.start(self.world.text())
                running.wait_for(stage)
                running.child.send_signal(signal.SIGKILL)
                running.finish()
                for host in self.world.sshds.values():
                    self.assertTrue(wait_until(lambda h=host: not h.left(), 5), host.left())
                self.assertTrue(wait_until(lambda: not self.clients(), 5))  # nor here

    def test_interrupted(self):
        running = self.world.start(self.world.text())
        running.wait_for("denied flows")
        began = time.monotonic()
        running.child.send_signal(signal.SIGINT)
        self.assertEqual(running.finish().code, 130)
        self.assertLess(time.monotonic() - began, 10)


class Many(SshCase):
    """Eight hosts at once."""

    hosts = {"left": ["a", "c", "d", "e"], "right": ["b", "f", "g", "h"]}

    def test_eight_hosts(self):
        for host in ("b", "c", "f"):
            self.world.via(host, "admin", ", become: sudo")
        run = self.world.verify(self.world.text(), "--from", "left", "--to", "right")
        self.assertEqual(run.code, 0, run.err + run.out)
        self.assertEqual(sum(node["ok"] for node in run.data["nodes"]), 8)


if __name__ == "__main__":
    unittest.main()
