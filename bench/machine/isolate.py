"""Keeps what a run mounts and starts inside the run: a private mount namespace and parent-death signals.

A run that is killed with SIGKILL cannot clean up after itself. So nothing it mounts is visible
outside its own mount namespace, which the kernel tears down with the last process in it, and every
process it starts is killed by the kernel when the runner dies (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Protocol

from bench.machine import fusermount, runs, userns
from bench.machine.userns import Mounter, Standing
from bench.model import Exit, UserError

MS_REC = 0x4000  # include/uapi/linux/mount.h
MS_SLAVE = 1 << 19
MNT_DETACH = 2  # umount2(2)
PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
PR_SET_NAME = 15
_shared: list[str] = []
"""The run of this process, where it has no mount namespace of its own."""
RUNTIME = runs.RUNTIME
"""Holds one folder per run; see runtime()."""

_libc = ctypes.CDLL(None, use_errno=True)


def runtime() -> Path:
    """Where this run's mountpoints are: a tmpfs mounted in its own namespace only.

    Each run has its own folder: removing a folder detaches what other namespaces mounted on it.
    """
    return RUNTIME / runs.name()


def enter_private_namespace() -> Standing:
    """Move this process into its own mount namespace with a private tmpfs on runtime(), as far as it may.

    Where it may not, runtime() is a folder of the user's, and fusermount3 has to mount in it. What others
    unmount goes from here, too, if their mounts are shared (mount_namespaces(7)): a FUSE server ends when
    the last copy of its mount does.
    """
    standing = userns.gain()
    runs.hold()
    runtime().mkdir(mode=0o755, exist_ok=True)
    if standing.mounter is Mounter.FUSERMOUNT:
        _shared.append(runs.name())
        return standing
    _mount("none", "/", None, MS_REC | MS_SLAVE)
    _mount("fuse-passthrough-bench", str(runtime()), "tmpfs", 0)
    return standing


def shared() -> bool:
    """Whether others may mount in the namespace of this run."""
    return bool(_shared)


def leave_runtime() -> None:
    """Remove the mountpoint folder of this run (the namespace itself goes with the process)."""
    umount(runtime(), lazy=True)
    with contextlib.suppress(OSError):
        for path in runtime().iterdir():  # on a tmpfs there is nothing left
            path.rmdir()
    with contextlib.suppress(OSError):
        runtime().rmdir()
    runs.release()


def umount(path: Path, *, lazy: bool = False) -> int:
    """Unmount ``path``; returns 0 or the errno (EBUSY, EINVAL: not a mount, ...)."""
    if _libc.umount2(os.fsencode(path), MNT_DETACH if lazy else 0) == 0:
        return 0
    number = ctypes.get_errno()
    return fusermount.unmount(path, lazy=lazy) if number == errno.EPERM else number


def start(
    argv: list[str],
    *,
    cpus: Iterable[int],
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    pass_fds: tuple[int, ...] = (),
    environment: Mapping[str, str] | None = None,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    cwd: str | None = None,
    session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process pinned to ``cpus`` (empty: anywhere) that dies with this one.

    It leads its own process group, so that a Ctrl-C on the terminal reaches the runner alone, which
    then ends it in order. Not a session: each is a scheduling group of its own where autogroups are on
    (sched(7)), and switching between client and server would cost 0.55 us a request (bindfs, 7 %).
    ``session`` for what is not measured and may grope for the terminal. Raises OSError as subprocess does.
    """
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        process_group=None if session else 0,
        start_new_session=session,
        cwd=cwd,
        env={**os.environ, **(environment or {}), **runs.mark()},
        preexec_fn=_child_setup(os.getpid(), frozenset(cpus)),
    )


class Child(Protocol):
    """A process of a run as its parent sees it: a Popen, or a Forked."""

    pid: int

    def poll(self) -> int | None:
        """The child's exit status (negative: the signal that ended it), None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired."""

    def kill(self) -> None:
        """End it at once."""


class Forked:
    """A child that runs a function of this program; see Child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """The child's exit status, None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            time.sleep(0.001)
        return status

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def kill(pid: int) -> None:
    """End a process that may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def fork(
    function: Callable[[], int],
    *,
    cpus: Iterable[int],
    stderr: IO[bytes] | None = None,
    name: str = "bench-child",
) -> Forked:
    """Run ``function`` in a child pinned to ``cpus`` that dies with this process.

    Its output goes to ``stderr``, if it is given. ``name`` is what ps(1) shows, 15 characters of it.
    This process must have one thread.
    """
    setup = _child_setup(os.getpid(), frozenset(cpus))
    pid = os.fork()
    if pid:
        return Forked(pid)
    status = 1
    try:
        setup()
        _as_if_new(name)
        runs.forget()
        os.setpgid(0, 0)
        if stderr is not None:
            for descriptor in (1, 2):
                os.dup2(stderr.fileno(), descriptor)
        status = function()
    finally:
        os._exit(status)


def _as_if_new(name: str) -> None:
    """What this program does on a signal is its own: a child ends by it, as a new program would."""
    _libc.prctl(PR_SET_NAME, os.fsencode(name))
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def dies_with(parent: int) -> Callable[[], None]:
    """For preexec_fn: the child is killed when this process, its ``parent``, has gone."""
    return _child_setup(parent, frozenset())


def _child_setup(parent: int, cpus: frozenset[int]) -> Callable[[], None]:
    def setup() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between fork and prctl
            os.kill(os.getpid(), signal.SIGKILL)
        if cpus:
            os.sched_setaffinity(0, cpus)

    return setup


def _mount(source: str, target: str, fstype: str | None, flags: int) -> None:
    result = _libc.mount(
        source.encode(), os.fsencode(target), fstype.encode() if fstype else None, flags, None
    )
    if result != 0:
        number = ctypes.get_errno()
        raise UserError(f"cannot mount {source} on {target}: {os.strerror(number)}", Exit.NOTHING)
