# SPDX-License-Identifier: Apache-2.0
"""Real sshds for tests: each in a network namespace of a Lab and in a mount namespace of its own,
in which /etc/passwd, /etc/shadow, /etc/group and the sudoers are copies and every folder that
programs may write to is a fresh tmpfs. Nothing of this machine changes, its own sshd is not touched.

    keys = Keys(lab.dir)
    host = Sshd(lab, "b", keys)              # root and admin may log in with keys.user
    host.shell("mount -o remount,noexec /tmp")
    host.left()                              # what of a probe is still there: [] when nothing is

The users are root and admin (uid 2001, bash); admin may use sudo without a password unless sudoers
says otherwise. Its group is not called admin: sudo leaves a file behind for members of that."""
import contextlib
import os
import shutil
import subprocess
import time

import lab as labs

WRITABLE = ("/tmp", "/var/tmp", "/dev/shm", "/srv", "/root")
CONFIG = """Port 22
HostKey /run/sp/host_key
PidFile none
UsePAM no
StrictModes no
UseDNS no
AuthorizedKeysFile /run/sp/keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
Banner /run/sp/banner
LogLevel ERROR
"""
# Runs in the namespaces; $1 is a folder with the files to take.
SETUP = """
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sp /run/sshd
cp -p "$1"/* /run/sp/
for file in passwd shadow group sudoers; do mount --bind /run/sp/$file /etc/$file; done
[ ! -d /etc/sudoers.d ] || mount -t tmpfs -o mode=755 tmpfs /etc/sudoers.d
for folder in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
mount -t tmpfs -o mode=755 tmpfs /srv
mount -t tmpfs -o mode=700 tmpfs /root
mkdir -m 700 /srv/admin
chown 2001:2001 /srv/admin
exec /usr/sbin/sshd -D -e -f /run/sp/config
"""


def missing():
    """Why there can be no sshd, or None."""
    for tool in ("/usr/sbin/sshd", "ssh", "ssh-keygen", "sudo", "unshare", "nsenter", "setcap"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    return None


def _keygen(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path],
                   check=True, stdin=subprocess.DEVNULL)


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Keys:
    """One user's key and one host key, made once."""

    def __init__(self, folder):
        self.user, self.host = os.path.join(folder, "id_test"), os.path.join(folder, "host_test")
        self.stranger = os.path.join(folder, "id_stranger")
        for path in (self.user, self.host, self.stranger):
            _keygen(path)
        self.public = _read(self.user + ".pub")
        self.host_public = " ".join(_read(self.host + ".pub").split()[:2])


class Sshd:
    def __init__(self, lab, name, keys):
        self.lab, self.name = lab, name
        self.folder = os.path.join(lab.dir, "sshd-" + name)
        os.mkdir(self.folder)
        users = [line for line in _read("/etc/passwd").splitlines()
                 if line.split(":")[0] not in ("admin", "root")]
        self._write("passwd", "root:x:0:0:root:/root:/bin/sh\n" + "\n".join(users)
                    + "\nadmin:x:2001:2001::/srv/admin:/bin/bash\n", 0o644)
        shadow = [line for line in _read("/etc/shadow").splitlines()
                  if line.split(":")[0] not in ("admin", "root")]
        self._write("shadow", "\n".join(shadow)
                    + "".join(f"\n{user}:*:19000:0:99999:7:::" for user in ("root", "admin"))
                    + "\n", 0o600)
        self._write("group", _read("/etc/group") + "ops:x:2001:\n", 0o644)
        self._write("sudoers", "Defaults use_pty\nroot ALL=(ALL) ALL\n"
                    "admin ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        self._write("keys", keys.public, 0o644)
        self._write("host_key", _read(keys.host), 0o600)
        self._write("banner", "Only for those who may.\n", 0o644)
        self._write("config", CONFIG, 0o600)
        with open(os.path.join(lab.dir, f"sshd-{name}.log"), "wb") as log:
            self.child = lab.popen(name, ["unshare", "-m", "--propagation", "private", "sh", "-c",
                                          SETUP, "setup", self.folder],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_open()

    def _write(self, name, text, mode):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def _wait_until_open(self):
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), self.lab.socket(self.name) as sock:
                sock.settimeout(2)
                sock.connect(("127.0.0.1", 22))
                if sock.recv(4) == b"SSH-":
                    return
            if time.monotonic() > deadline or self.child.poll() is not None:
                raise labs.LabError(f"sshd in {self.name} did not start")
            time.sleep(0.02)

    # ---- looking in ----

    def shell(self, script, check=True):
        """Runs a script in the host's namespaces; what it prints."""
        done = subprocess.run(["nsenter", "-t", str(self.child.pid), "-m", "-n", "-r", "sh", "-c",
                               script],
                              capture_output=True, text=True, timeout=20, check=False)
        if check and done.returncode != 0:
            raise labs.LabError(f"{self.name}: {script}: {done.stderr}")
        return done.stdout

    def copy(self, source, path):
        """A file of this machine into the host, whose /tmp and /root are its own."""
        shutil.copyfile(source, f"/proc/{self.child.pid}/root{path}")

    def write(self, path, text):
        """A file inside the host."""
        with open(f"/proc/{self.child.pid}/root{path}", "w", encoding="utf-8") as file:
            file.write(text)

    def pids(self):
        """Every process of the host but the listening sshd itself: (pid, command line)."""
        found = []
        for pid in labs._pids_in([self.lab.ns(self.name)]):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
                if pid != self.child.pid and labs.is_alive(labs.identity(pid)):
                    found.append((pid, words))
        return found

    def sessions(self):
        """sshd's processes that serve a connection."""
        return [pid for pid, words in self.pids() if words.startswith("sshd: ")]

    def left(self):
        """Whatever a run may have left there: processes, files, firewall rules."""
        left = [f"process {pid}: {words}" for pid, words in self.pids()]
        files = self.shell("find " + " ".join(WRITABLE) + " /run -mindepth 1 -not -path '/run/sp*' "
                           "-not -path /run/sshd -not -path '/run/sudo*' "
                           "-not -path '/run/mount*' -not -path /srv/admin -not -name .bashrc",
                           check=False)
        left += [f"file {path}" for path in files.splitlines()]
        left += [f"rule {line}" for line in self.shell("nft list ruleset").splitlines()]
        return left
