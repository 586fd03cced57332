"""Brings one daemon's mount up and takes it down again, noticing what goes wrong on the way."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.machine import child, isolate, lab_switch, mountinfo, procfs, syscalls
from bench.model import Daemon, DaemonOptions
from bench.mounts import server_pid

KEEPER = Path(__file__).with_name("keeper.py")
WORDS_BYTES = 1 << 14
"""How much of a log's end is looked at for a daemon's last words."""
LOG_BYTES = 1 << 20
"""How much is kept of what a daemon prints on one mount."""
READY_TIMEOUT_S = 20.0
UNMOUNT_TIMEOUT_S = 10.0
POLL_S = 0.002
GONE, GONE_WAIT_S = (errno.ENOTCONN, errno.ECONNABORTED), 2.0
"""What a client is told whose server has died, and how long the death may take to be seen."""


class TrialError(Exception):
    """Something that costs one trial, told in one line; the run goes on."""


@dataclass(frozen=True)
class ServerEnd:
    """How a daemon ended: exit status, and what it had used by the time of the unmount."""

    exit: int
    rss_kib: int
    cpu_s: float


def spawn(argv: list[str], cpus: Collection[int], log: IO[bytes]) -> isolate.Child:
    """A daemon as a new process, its output in ``log``."""
    return isolate.start(argv, cpus=cpus, stdout=log, stderr=log)


class Mount:
    """One daemon and its mount.

    ``connection`` is the number the kernel gives the connection, -1 until there is one: for good
    where the mount is not FUSE.
    """

    def __init__(
        self,
        daemon: Daemon,
        backing: Path,
        mountpoint: Path,
        options: DaemonOptions,
    ) -> None:
        self.start: Callable[[list[str], Collection[int], IO[bytes]], isolate.Child] = spawn
        self.patience = 1.0
        self.daemon = daemon
        self.backing = backing
        self.mountpoint = mountpoint
        self.options = options
        self.connection = -1
        self.process: isolate.Child | None = None
        self._log: Path | None = None
        self._before: frozenset[int] = frozenset()
        """Numbers of the mounts there were before this one."""

    @property
    def root(self) -> Path:
        """Where the workload is pointed."""
        return self.backing if self.daemon.argv is None else self.mountpoint

    def up(self, cpus: Collection[int], log: Path, tick: Callable[[], None]) -> None:
        """Start the daemon and wait until the kernel shows its mount; raises TrialError.

        Readiness is read from mountinfo: a stat of the mountpoint would be a request.
        """
        if self.daemon.argv is None:
            return
        self.mountpoint.mkdir(exist_ok=True)
        lab_switch.select(self.options.level)
        self._log = log
        self._before = frozenset(entry.id for entry in mountinfo.table())
        argv = self.daemon.argv(self.backing, self.mountpoint, self.options)
        if not self.daemon.foreground:
            argv = [sys.executable, "-I", "-S", str(KEEPER), *argv]
        with log.open("ab") as stderr:
            try:
                self.process = self.start(argv, cpus, stderr)
            except OSError as error:
                raise TrialError(f"{self.daemon.name} cannot be started: {error}") from None
        entry = self._mounted(tick)
        if entry.is_fuse:
            self.connection = entry.connection
        elif self.daemon.is_fuse:
            raise TrialError(f"{self.daemon.name} mounted {entry.fstype}, not a FUSE file system")

    def _mounted(self, tick: Callable[[], None]) -> mountinfo.MountEntry:
        """Wait for the mount; raises TrialError when the daemon ends first, or takes too long."""
        deadline = time.monotonic() + self.patience * READY_TIMEOUT_S
        while (entry := mountinfo.find(self.mountpoint)) is None:
            self._still_alive("before it had mounted")
            if time.monotonic() > deadline:
                raise TrialError(
                    f"{self.daemon.name} did not mount within {READY_TIMEOUT_S:.0f} s"
                    f"{self._elsewhere()}{self._last_words()}"
                )
            tick()
            time.sleep(POLL_S)
        return entry

    @property
    def server(self) -> int:
        """The process that serves the mount; 0 where there is none."""
        if self.process is None:
            return 0
        if self.daemon.foreground:
            return self.process.pid
        return server_pid.serving(self.process.pid, self.connection)

    def check_alive(self, after: int | None = None) -> None:
        """Raise TrialError when the daemon has died.

        ``after`` is the errno that the client met: that the connection is gone it learns first, and who
        started the server may take a moment to end.
        """
        if self.process is None:
            return
        deadline = time.monotonic() + (GONE_WAIT_S if after in GONE else 0.0)
        self._still_alive("during the trial")
        while time.monotonic() < deadline:
            time.sleep(POLL_S)
            self._still_alive("during the trial")

    def down(self) -> ServerEnd | None:
        """Unmount and wait for the daemon; whatever happens, nothing stays mounted or running.

        Raises TrialError when the unmount stayed busy, or the daemon hung or did not exit with 0.
        """
        if self.process is None:
            return None
        usage = server_usage(self.server)
        trouble = self._unmount()
        status = self._wait()
        self._tidy()
        if trouble:
            raise TrialError(trouble)
        if status is None:
            raise TrialError(
                f"{self.daemon.name} was still running {UNMOUNT_TIMEOUT_S:.0f} s after unmount: killed"
            )
        if status != 0:
            raise TrialError(
                f"{self.daemon.name} {describe_exit(status)} at unmount{self._last_words()}"
            )
        return ServerEnd(status, *usage)

    def destroy(self) -> None:
        """Take everything down at once after a failure, without complaint."""
        try:
            self.silence()
        finally:
            if self.process is not None:
                isolate.umount(self.mountpoint, lazy=True)
                self._tidy()

    def silence(self) -> None:
        """End the daemon and every request that waits for it, so that its clients can be ended."""
        abort_connection(self.connection)
        if self.process is not None and self.process.poll() is None:
            if not self.daemon.foreground:
                server_pid.kill_below(self.process.pid)
            self.process.kill()
            if not child.reap(self.process):
                raise TrialError(f"{self.daemon.name} cannot be ended: it stays in the kernel")

    def _unmount(self) -> str:
        """Take the mount away, in a child: pages that are still to be written make it wait."""
        limit_s = self.patience * UNMOUNT_TIMEOUT_S
        try:
            number = child.ask(
                lambda: _umount_until(self.mountpoint, time.monotonic() + limit_s),
                child.Deadline(limit_s + child.END_S, f"{self.daemon.name}: the unmount"),
            )
        except (TimeoutError, ChildProcessError) as error:
            self.destroy()
            return str(error)
        if number == errno.EBUSY:
            isolate.umount(self.mountpoint, lazy=True)
            return (
                f"{self.daemon.name}: the mount stayed busy for {UNMOUNT_TIMEOUT_S:.0f} s: detached"
            )
        return "" if number in (0, errno.EINVAL) else f"cannot unmount: {os.strerror(number)}"

    def _wait(self) -> int | None:
        assert self.process is not None
        try:
            return self.process.wait(self.patience * UNMOUNT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.silence()
            return None

    def _still_alive(self, when: str) -> None:
        assert self.process is not None
        status = self.process.poll()
        if status is not None:
            raise TrialError(
                f"{self.daemon.name} {describe_exit(status)} {when}{self._elsewhere()}"
                f"{self._last_words()}"
            )

    def _strays(self) -> list[mountinfo.MountEntry]:
        """FUSE mounts made since ours was asked for, elsewhere; in this namespace only we make any.

        In one that is not ours anybody may have made them.
        """
        if isolate.shared():
            return []
        return [
            entry
            for entry in mountinfo.table()
            if entry.is_fuse
            and entry.id not in self._before
            and entry.connection != self.connection
        ]

    def _tidy(self) -> None:
        """What else a daemon may have left: mounts elsewhere, more words than anybody reads."""
        for entry in self._strays():
            isolate.umount(entry.mountpoint, lazy=True)
        if self._log is not None and self._log.stat().st_size > LOG_BYTES:
            os.truncate(self._log, LOG_BYTES)

    def _elsewhere(self) -> str:
        """What it has mounted in the place of what it was told to, in words."""
        return "".join(f", but mounted on {entry.mountpoint}" for entry in self._strays()[:1])

    def _last_words(self) -> str:
        """The last line the daemon logged, for the one line a person sees."""
        if self._log is None:
            return ""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - WORDS_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
        words = [line for line in lines if not line.startswith("{")]
        return f": {printable(words[-1])}" if words else ""


def _umount_until(mountpoint: Path, deadline: float) -> int:
    """Unmount, again and again while it is busy; 0 or the errno."""
    while (number := isolate.umount(mountpoint)) == errno.EBUSY and time.monotonic() < deadline:
        time.sleep(0.02)
    return number


def printable(text: str) -> str:
    """A line of a stranger's output, fit for a terminal: at most 200 characters, none of control."""
    return "".join(one if one.isprintable() else "?" for one in text.strip()[:200])


def describe_exit(status: int) -> str:
    """A Popen return code in words."""
    if status < 0:
        number = -status
        known = number in {one.value for one in signal.Signals}
        return f"was killed by {signal.Signals(number).name if known else f'signal {number}'}"
    return f"exited with {status}"


def abort_connection(connection: int) -> None:
    """Make the kernel fail every request of a hung connection, through fusectl.

    A request its server has read is waited for even by a client that was killed
    (fs/fuse/dev.c, request_wait_answer): without this a SIGKILL does not end the client.
    """
    # Without fusectl: killing the daemon closes its /dev/fuse, which ends the requests too.
    with contextlib.suppress(OSError), _control(connection, "abort", os.O_WRONLY) as descriptor:
        os.write(descriptor, b"1")


def requests_waiting(connection: int) -> int:
    """How many requests of a connection are yet to be answered; -1 where the kernel does not say."""
    with (
        contextlib.suppress(OSError, ValueError),
        _control(connection, "waiting", os.O_RDONLY) as descriptor,
    ):
        return int(os.read(descriptor, 32))
    return -1


@contextlib.contextmanager
def _control(connection: int, name: str, flags: int) -> Iterator[int]:
    """A file of a connection in fusectl; raises OSError if it is gone."""
    if connection < 0:
        raise FileNotFoundError(errno.ENOENT, "no connection")
    control = syscalls.fusectl()
    try:
        descriptor = os.open(f"{connection}/{name}", flags | os.O_CLOEXEC, dir_fd=control)
    finally:
        os.close(control)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def cpu_times(pid: int) -> tuple[float, float]:
    """User and system seconds of all threads of a process, in ticks of its clock (proc_pid_stat(5))."""
    fields = procfs.text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


def server_usage(pid: int) -> tuple[int, float]:
    """Resident KiB and CPU seconds of a process, from /proc; zeros when it is gone."""
    try:
        status = procfs.text(f"/proc/{pid}/status")
        cpu_s = sum(cpu_times(pid))
    except OSError:
        return 0, 0.0
    rss = next(
        (int(line.split()[1]) for line in procfs.lines(status) if line.startswith("VmRSS:")), 0
    )
    return rss, cpu_s
