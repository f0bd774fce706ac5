# SPDX-License-Identifier: Apache-2.0
"""Programs on a terminal of their own (pty), for the tests of this folder. Every wait has an end."""
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from fcntl import ioctl

SEGPROOF = os.path.abspath(os.environ.get("SEGPROOF", "build/dev/bin/segproof"))
PATIENCE = 30  # seconds


def environment(**more):
    """What a test runs in: nothing of the caller's terminal."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "CI", "TERM",
                           "XDG_STATE_HOME", "BASH_ENV", "ENV", "ZDOTDIR")}
    env.update({"LC_ALL": "C.UTF-8", "TERM": "xterm",
                "PATH": f"{os.path.dirname(SEGPROOF)}:{env['PATH']}"})
    env.update(more)
    return env


class Terminal:
    """A program with a terminal as its three standard streams, in a group of its own."""

    def __init__(self, argv, cwd=".", env=None, columns=200):
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=cwd,
                                        env=env or environment(), preexec_fn=self._own, close_fds=True)
        os.close(slave)
        self.text = ""

    @staticmethod
    def _own():
        os.setsid()
        ioctl(0, termios.TIOCSCTTY, 0)

    def send(self, text):
        os.write(self.master, text.encode())

    def read(self, until=None):
        """Everything up to a match of the expression, or to the end of the program."""
        end = time.monotonic() + PATIENCE
        while until is None or not re.search(until, self.text):
            if time.monotonic() > end:
                raise AssertionError(f"no {until!r} in {self.text!r}")
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other end is closed
                data = b""
            if not data:
                if until is None:
                    break
                raise AssertionError(f"ended without {until!r}: {self.text!r}")
            self.text += data.decode(errors="replace")
        text, self.text = self.text, ""
        return text

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        os.close(self.master)


class Shell:
    """An interactive shell that completes. offers(line): the words that it would put in place of the
    last one; tab(line): the words of the line after one key."""
    ALL, START, END = "\x1b*", "\x01", "\x05"

    def __init__(self, argv, setup, cwd, **env):
        self.terminal = Terminal(argv, cwd, environment(PS1="", HISTFILE="", **env), columns=4000)
        self.terminal.send(setup + "; echo rea''dy\n")
        self.terminal.read(r"ready\r\n")

    def _ask(self, line, last):
        # The line becomes the arguments of a command that prints them; "END" comes last.
        self.terminal.send(f"{line}{last}{self.START}printf '<%s>' {self.END}; echo\n")
        text = self.terminal.read(r"<[^<>\r\n]*END>(?:<[^<>\r\n]*>)*\r\n")
        words = re.findall("<([^<>]*)>", re.findall(r"(?:<[^<>\r\n\x1b]*>)+", text)[-1])
        return words[1:]

    def offers(self, line):
        """Without what stood on the line; [] when it stayed as it was."""
        words = self._ask(line + self.ALL, " 'E''ND'")[:-1]
        before = line.split()[1:]
        kept = len(before) - (0 if line.endswith(" ") else 1)
        if words[:kept] != before[:kept]:
            raise AssertionError(f"{line!r} became {words}")
        found = words[kept:]
        return [] if found == before[kept:] else found

    def tab(self, line):
        """After one tab and the letters END, which show whether a space was added."""
        return self._ask(line + "\t", "E''ND")

    def close(self):
        self.terminal.close()


def bash(cwd, **env):
    setup = ("PS1=; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; "
             "source <(segproof completion bash)")
    return Shell(["bash", "--norc", "--noprofile", "-i"], setup, cwd, **env)


ZSH_SETUP = (
    "PS1= PS2= RPS1=; unsetopt prompt_sp prompt_cr beep; bindkey -e; "
    "autoload -U compinit && compinit -u -D; zle -C insert-all complete-word _generic; "
    "bindkey '\\e*' insert-all; zstyle ':completion:insert-all:*' insert true; "
    "zstyle ':completion:insert-all::::' completer _all_matches _complete")


def zsh(cwd, **env):
    return Shell(["zsh", "-f", "-i"], ZSH_SETUP + "; source <(segproof completion zsh)", cwd, **env)


def zsh_from_folder(cwd, folder):
    """With the script installed as a file that compinit finds, in place of sourcing it."""
    return Shell(["zsh", "-f", "-i"], f"fpath=({folder} $fpath); " + ZSH_SETUP, cwd)
