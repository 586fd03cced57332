"""Keeps a server whose command may go into the background under the process contract of a daemon.

    python keeper.py COMMAND [ARGUMENT...]

Stays in the foreground as long as anything the command has started is alive, daemons that forked
twice and made a session of their own included, and ends as the command did (or as the first of
what it left behind that ended badly). Told to end (SIGTERM, SIGINT, SIGHUP, or the death of the
process that started it) it kills all of them first.

prctl(2), PR_SET_CHILD_SUBREAPER: orphans become children of the keeper, not of init, so none can
leave. A parent-death signal does not do that: fork clears it. Nor is this a PID namespace, in
which a server would see every client as process 0 (fuse_in_header.pid).

Run as a file, with few modules of the standard library: every trial waits for it to start.
"""

# ruff: noqa: PTH123, PTH208
# Importing pathlib would double the time it takes to start.

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36  # include/uapi/linux/prctl.h
ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
CANNOT_START = 127

_libc = ctypes.CDLL(None)


def main(command: list[str]) -> int:
    """Start the command and outlive everything it starts. Returns the exit code."""
    if not command:
        print("usage: keeper.py COMMAND [ARGUMENT...]", file=sys.stderr)
        return 2
    signal.pthread_sigmask(signal.SIG_BLOCK, {*ENDING, signal.SIGCHLD})
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    # Until here the death of the parent kills, as isolate.start has asked; nothing is lost by it.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    kept = Kept(start(command))
    while kept.reap():
        if signal.sigwait({*ENDING, signal.SIGCHLD}) in ENDING:
            kept.kill()
            return 0
    return kept.end()


def start(command: list[str]) -> int:
    """Fork and execute the command; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*ENDING, signal.SIGCHLD})
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    finally:
        os._exit(CANNOT_START)


class Kept:
    """Everything the command has started: the children of this process, old and adopted."""

    def __init__(self, command: int) -> None:
        self.command = command
        self.status = 0
        """Exit status of the command, or of the first other that did not end well."""

    def reap(self) -> bool:
        """Take in what has ended; False when nothing is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self.command or not self.status:
                self.status = status or self.status

    def kill(self) -> None:
        """Kill children until there are none; theirs become ours as they die."""
        while self.reap():
            for pid in children():
                os.kill(pid, signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, 0.1)

    def end(self) -> int:
        """The exit code; a command that was killed is told from one that exited by dying alike."""
        if os.WIFSIGNALED(self.status):
            number = os.WTERMSIG(self.status)
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
            _libc.prctl(PR_SET_DUMPABLE, 0)  # the core that counts is the command's
            os.kill(os.getpid(), number)
        return os.waitstatus_to_exitcode(self.status)


def children() -> list[int]:
    """Processes whose parent is this one. /proc/PID/task/TID/children is not in every kernel."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            if parent == os.getpid():
                found.append(int(name))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
