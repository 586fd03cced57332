"""Two sources of request counts: a filtered perf event for each opcode, and tracefs."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import resource
import select
import struct
import threading
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

from bench.machine import syscalls
from bench.machine.placement import online_cpus
from bench.model import Opcode

EVENT = "events/fuse/fuse_request_send"
INSTANCE_PREFIX = "fuse-bench-"
_BUFFER_KIB = 8192
"""KiB of ring buffer per CPU; about 48 bytes a request, so 170 000 requests before the reader lags."""
# include/uapi/linux/perf_event.h
_PERF_TYPE_TRACEPOINT = 2
_ATTR = struct.Struct("<IIQQQQQIIQ")
"""struct perf_event_attr, first published size (64 bytes): type, size, config, sample_period,
sample_type, read_format, flags, wakeup_events, bp_type, bp_addr."""
_ATTR_DISABLED = 1
_ENABLE, _DISABLE, _RESET, _SET_FILTER = 0x2400, 0x2401, 0x2403, 0x40082406
_OPCODE_IN_TEXT = re.compile(rb"fuse_request_send:.*? opcode (\d+) ")


class NotCounted(Exception):
    """There is no count, or not all of it; the text says why."""


class Source(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def read(self) -> tuple[dict[int, int], int]: ...
    def close(self) -> None: ...


def no_tracepoint() -> NotCounted:
    """What to raise where FUSE's events are not there."""
    return NotCounted(
        "no tracepoint fuse:fuse_request_send: it came with Linux 6.12, and needs the fuse module "
        "loaded"
    )


def tracefs_root() -> int:
    """Descriptor of a tracefs mounted nowhere, to be closed; NotCounted if there is none."""
    try:
        return syscalls.detached_mount("tracefs")
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "error")
        raise NotCounted(f"no tracefs ({name}): needs root and CONFIG_FTRACE") from error


def tracepoint_id() -> int:
    root = tracefs_root()
    try:
        return int(read_at(root, f"{EVENT}/id"))
    except OSError as error:
        raise no_tracepoint() from error
    finally:
        os.close(root)


class PerfSource:
    """One event per CPU and opcode, and one per CPU for all of them, without groups."""

    def __init__(self, tracepoint: int, connection: int, opcodes: Collection[Opcode]) -> None:
        self._events: dict[int, list[int]] = {}
        self._total: list[int] = []
        self._limit: tuple[int, int] | None = None
        attributes = _ATTR.pack(
            _PERF_TYPE_TRACEPOINT, _ATTR.size, tracepoint, 0, 0, 0, _ATTR_DISABLED, 0, 0, 0
        )
        try:
            for cpu in online_cpus():
                self._total.append(self._event(attributes, cpu, f"connection == {connection}"))
                for op in opcodes:
                    # The opcode first: it settles the filter for all events but one.
                    text = f"opcode == {op.value} && connection == {connection}"
                    self._events.setdefault(op, []).append(self._event(attributes, cpu, text))
        except OSError as error:
            self.close()
            raise NotCounted(why_no_perf(error)) from error

    def _event(self, attributes: bytes, cpu: int, text: str) -> int:
        try:
            fd = syscalls.perf_event_open(attributes, -1, cpu)
        except OSError as error:
            if error.errno != errno.EMFILE or not self._raise_limit():
                raise
            fd = syscalls.perf_event_open(attributes, -1, cpu)
        try:
            fcntl.ioctl(fd, _SET_FILTER, text.encode() + b"\0")
        except OSError:
            os.close(fd)
            raise
        return fd

    def _raise_limit(self) -> bool:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == hard:
            return False
        self._limit = (soft, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return True

    def _all(self) -> list[int]:
        return self._total + [fd for fds in self._events.values() for fd in fds]

    def start(self) -> None:
        for fd in self._all():
            fcntl.ioctl(fd, _RESET, 0)
        for fd in self._all():
            fcntl.ioctl(fd, _ENABLE, 0)

    def stop(self) -> None:
        for fd in self._all():
            fcntl.ioctl(fd, _DISABLE, 0)

    def read(self) -> tuple[dict[int, int], int]:
        counts = {op: sum(map(_read_u64, fds)) for op, fds in self._events.items()}
        return counts, sum(map(_read_u64, self._total))

    def close(self) -> None:
        for fd in self._all():
            os.close(fd)
        self._events, self._total = {}, []
        if self._limit is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._limit)
            self._limit = None


def why_no_perf(error: OSError) -> str:
    """What perf_event_open's error means, and what to do."""
    name = errno.errorcode.get(error.errno or 0, "error")
    known = {
        errno.EACCES: "run as root, or kernel.perf_event_paranoid=-1",
        errno.EPERM: "run as root (CAP_PERFMON); a container may filter the system call",
        errno.EMFILE: "too many open files: raise ulimit -n",
        errno.ENOSYS: "the kernel or this architecture has no perf_event_open here",
    }
    return f"perf events refused ({name}): {known.get(error.errno or 0, error.strerror)}"


class TracefsSource:
    """A tracing instance of our own, drained by a thread; slower, for where perf is refused.

    A killed process leaves the instance; ``remove_stale_instances`` removes it later.
    """

    def __init__(self, connection: int) -> None:
        self._root = tracefs_root()
        self._name = f"instances/{INSTANCE_PREFIX}{os.getpid()}-{connection}"
        self._counts: Counter[int] = Counter()
        self._pipe = -1
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        try:
            os.mkdir(self._name, dir_fd=self._root)
            self._set("buffer_size_kb", str(_BUFFER_KIB))
            self._set(f"{EVENT}/filter", f"connection == {connection}")
        except OSError as error:
            self.close()
            raise NotCounted(f"no tracefs instance: {error.strerror}") from error

    def start(self) -> None:
        self._counts.clear()
        self._set("trace", "")
        self._set(f"{EVENT}/enable", "1")
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._pipe = os.open(f"{self._name}/trace_pipe", flags, dir_fd=self._root)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._drain, name="trace_pipe", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is None:
            return
        self._set(f"{EVENT}/enable", "0")
        self._stopping.set()
        self._thread.join()
        self._thread = None
        os.close(self._pipe)
        self._pipe = -1

    def read(self) -> tuple[dict[int, int], int]:
        if self._thread is not None:
            raise NotCounted("the tracefs source can be read only after stop")
        lost = self._lost()
        if lost:
            raise NotCounted(f"the trace buffer overran: {lost} requests lost")
        return dict(self._counts), self._counts.total()

    def close(self) -> None:
        self.stop()
        with suppress(OSError):
            os.rmdir(self._name, dir_fd=self._root)
        os.close(self._root)

    def _drain(self) -> None:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        rest = b""
        while True:
            ending = self._stopping.is_set()
            try:
                block = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                if ending:
                    return
                poll.poll(20)  # milliseconds; bounds how late a stop is noticed
                continue
            if not block and ending:
                return
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            self._counts.update(int(m[1]) for m in map(_OPCODE_IN_TEXT.search, lines) if m)

    def _lost(self) -> int:
        lost = 0
        for cpu in online_cpus():
            stats = read_at(self._root, f"{self._name}/per_cpu/cpu{cpu}/stats")
            for line in stats.splitlines():
                name, _, value = line.partition(":")
                if name in ("overrun", "commit overrun", "dropped events"):
                    lost += int(value)
        return lost

    def _set(self, name: str, value: str) -> None:
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_TRUNC if not value else 0)
        fd = os.open(f"{self._name}/{name}", flags, dir_fd=self._root)
        try:
            os.write(fd, f"{value}\n".encode() if value else b"")
        finally:
            os.close(fd)


def remove_stale_instances() -> list[str]:
    """Remove tracing instances of ours whose process is gone; their names. For ``bench clean``."""
    removed: list[str] = []
    try:
        root = syscalls.detached_mount("tracefs")
    except OSError:
        return removed
    try:
        fd = os.open("instances", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
        try:
            with os.scandir(fd) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(INSTANCE_PREFIX)]
            for name in names:
                pid = name.removeprefix(INSTANCE_PREFIX).partition("-")[0]
                if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):  # noqa: PTH110
                    os.rmdir(name, dir_fd=fd)
                    removed.append(name)
        finally:
            os.close(fd)
    except OSError:
        pass
    finally:
        os.close(root)
    return removed


def read_at(directory: int, path: str) -> str:
    """The first 4 KiB of a small file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(fd, 4096).decode()
    finally:
        os.close(fd)


def _read_u64(fd: int) -> int:
    return int.from_bytes(os.read(fd, 8), "little")
