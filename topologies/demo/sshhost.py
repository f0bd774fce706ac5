# SPDX-License-Identifier: Apache-2.0
"""One host of the demo is reached by ssh: a real client, a real sshd, and no open port.

The client's ProxyCommand starts an sshd for each connection (sshd -i, as inetd would) inside the
host's namespace and talks to it over a pipe, so nothing listens and no daemon runs. Keys, host key
and known_hosts are made for the run and live in the lab's folder; ~/.ssh and the machine's own sshd
are neither read nor changed: that sshd sees a /run and an /etc/shadow of its own."""
import os
import shlex
import shutil
import subprocess

TOOLS = ("ssh", "ssh-keygen", "sshd")

CLIENT = """Host {name}
  User root
  ProxyCommand {command}
  HostKeyAlias {name}
  StrictHostKeyChecking yes
  UserKnownHostsFile "{folder}/known_hosts"
  GlobalKnownHostsFile none
  UpdateHostKeys no
  IdentityFile "{folder}/user_key"
  IdentitiesOnly yes
  IdentityAgent none
  PreferredAuthentications publickey
"""
SERVER = """HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/authorized_keys"
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
# The lab's folder is root's alone, but /tmp above it is everybody's.
StrictModes no
AllowTcpForwarding no
X11Forwarding no
PermitUserRC no
UseDNS no
PidFile none
LogLevel ERROR
# Where a probe is put while it starts: logins often have such a folder.
SetEnv "XDG_RUNTIME_DIR={folder}/run"
"""
# ip netns exec gives it a mount namespace of its own, so these mounts end with it. sshd wants
# /run/sshd, and an account whose password is not locked.
DOOR = """#!/bin/sh
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd
mount --bind {folder}/shadow /etc/shadow
exec {sshd} -i -e -f {folder}/sshd_config
"""


def _which(tool):
    return shutil.which(tool, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


def missing():
    """Why no host can be reached by ssh, or None."""
    lost = [tool for tool in TOOLS if not _which(tool)]
    return f"{', '.join(lost)} not installed (apt-get install openssh-server)" if lost else None


def prepare(lab, name):
    """Keys and configurations for the host of that name. Returns the client's configuration."""
    folder = os.path.join(lab.dir, "ssh")
    for path in (folder, os.path.join(folder, "run")):
        os.mkdir(path, 0o700)

    def write(file, text, mode=0o600):
        path = os.path.join(folder, file)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w",
                  encoding="utf-8") as out:
            out.write(text)
        return path

    public = {}
    for key in ("host_key", "user_key"):
        path = os.path.join(folder, key)
        subprocess.run([_which("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "demo",
                        "-f", path], check=True, stdin=subprocess.DEVNULL)
        with open(path + ".pub", encoding="ascii") as file:
            public[key] = file.read()
    write("known_hosts", f"{name} {public['host_key']}")
    write("authorized_keys", public["user_key"])
    write("shadow", "root:*:19000:0:99999:7:::\n")
    write("sshd_config", SERVER.format(folder=folder))
    door = write("door", DOOR.format(folder=shlex.quote(folder), sshd=_which("sshd")), 0o700)
    command = shlex.join([_which("ip"), "netns", "exec", lab.ns(name), door]).replace("%", "%%")
    return write("config", CLIENT.format(name=name, folder=folder, command=command))
