"""What every thread of a process is doing in the kernel, in words, and whether a process gets on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path


def tasks(pid: int) -> Iterator[Path]:
    """The folder of each thread of a process; none when it is gone."""
    with contextlib.suppress(OSError):
        yield from sorted(Path(f"/proc/{pid}/task").iterdir())


def state(pid: int) -> str:
    """The states of a process's threads, a letter each (proc_pid_stat(5)); "" when it is gone."""
    return "".join(_read(task / "stat").rpartition(")")[2].strip()[:1] for task in tasks(pid))


def describe(who: str, pids: Iterable[int]) -> str:
    """Lines for a log: state, wait channel, system call and kernel stack of every thread."""
    return "".join(_thread(who, task) for pid in pids for task in tasks(pid))


def progress(pids: Iterable[int]) -> int:
    """A number that grows while any thread of these processes is scheduled in."""
    total = 0
    for pid in pids:
        for task in tasks(pid):
            # ns run, ns waited, times scheduled in (Documentation/scheduler/sched-stats.rst)
            fields = _read(task / "schedstat").split()
            if not fields:  # CONFIG_SCHED_INFO is off
                fields = _read(task / "stat").rpartition(")")[2].split()[11:13]
            total += sum(int(field) for field in fields if field.isdigit())
    return total


def _thread(who: str, task: Path) -> str:
    kind = _read(task / "stat").rpartition(")")[2].strip()[:1] or "gone"
    wchan = _read(task / "wchan") or "?"
    lines = [
        f"{who} {task.name} ({_read(task / 'comm')}): state {kind}, waits in {wchan}, "
        f"system call {_read(task / 'syscall') or '?'}"
    ]
    lines += [f"    {line}" for line in _read(task / "stack").split("\n") if line]
    return "\n".join(lines) + "\n"


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_bytes().decode(errors="replace").strip()
    return ""
