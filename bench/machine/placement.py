"""Which CPUs client, daemon and runner work on, and how deep idle CPUs may sleep meanwhile.

Placement decides the result of a FUSE benchmark: one stat of two requests took 13 us with client
and daemon on one CPU, 157-196 us on two whose idle CPUs halt, 19 us on two kept awake.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.model import Placement

CPU_DMA_LATENCY = Path("/dev/cpu_dma_latency")
_SYS_CPU = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Cpus:
    """CPUs by role, ascending. Empty means not pinned. ``note`` is for the reader of a table."""

    mode: Placement
    client: tuple[int, ...]
    daemon: tuple[int, ...]
    runner: tuple[int, ...]
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """``placement`` of run.json."""
        return {
            "mode": self.mode.value,
            "client": list(self.client),
            "daemon": list(self.daemon),
            "runner": list(self.runner),
            "note": self.note,
        }


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """``0-3,8`` as the kernel writes it in /sys. Raises ValueError."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus += range(int(first), int(last or first) + 1)
    return tuple(cpus)


def online_cpus() -> tuple[int, ...]:
    """Every CPU that is online, whether or not this process may use it."""
    try:
        return parse_cpu_list((_SYS_CPU / "online").read_text())
    except OSError:
        return tuple(range(os.cpu_count() or 1))


def usable_cpus() -> tuple[int, ...]:
    """The CPUs this process may use (cpuset, taskset)."""
    return tuple(sorted(os.sched_getaffinity(0)))


def smt_siblings(cpus: Collection[int]) -> dict[int, frozenset[int]]:
    """For each CPU the hardware threads of its core, itself included."""
    siblings = {}
    for cpu in cpus:
        path = _SYS_CPU / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        try:
            siblings[cpu] = frozenset(parse_cpu_list(path.read_text()))
        except OSError:
            siblings[cpu] = frozenset((cpu,))
    return siblings


def choose(
    mode: Placement,
    online_cpus: Collection[int],
    threads: int = 1,
    siblings: Mapping[int, Collection[int]] | None = None,
    *,
    servers: int = 1,
) -> Cpus:
    """Roles on the given CPUs for a client of ``threads`` threads.

    ``same`` gives client and daemon as many CPUs together as the client has threads, so that a
    storm of two threads tells what a second CPU brings. ``split`` gives each its own: the client as
    many as it has threads, the daemon up to ``servers``, as far as the client leaves them.

    The measured pair takes the highest CPUs, because CPU 0 gets most interrupts. ``siblings``
    (see smt_siblings) lets split avoid two hardware threads of one core. Raises ValueError for
    no CPUs or less than one thread.
    """
    cpus = tuple(sorted(set(online_cpus)))
    if not cpus or threads < 1:
        raise ValueError(f"cannot place {threads} threads on CPUs {list(cpus)}")
    if mode is Placement.FREE:
        return Cpus(mode, (), (), (), "nothing is pinned: expect a bimodal result")
    if len(cpus) == 1:
        note = "one CPU: client, daemon and runner share it"
        if mode is Placement.SPLIT:
            note += "; split is not possible"
        return Cpus(Placement.SAME, cpus, cpus, cpus, note)
    if mode is Placement.SAME:
        return _same(cpus, threads)
    return _split(cpus, threads, servers, siblings or {})


def _same(cpus: tuple[int, ...], threads: int) -> Cpus:
    shared = cpus[-threads:]
    notes = _crowded(threads, shared)
    runner = cpus[: -len(shared)]
    if not runner:
        runner = cpus[:1]
        notes.append("the runner shares a CPU with them (it sleeps during a window)")
    return Cpus(Placement.SAME, shared, shared, runner, "; ".join(notes))


def _crowded(threads: int, cpus: Collection[int]) -> list[str]:
    return [f"{threads} client threads on {len(cpus)} CPUs"] if len(cpus) < threads else []


def _split(
    cpus: tuple[int, ...], threads: int, servers: int, siblings: Mapping[int, Collection[int]]
) -> Cpus:
    # The client comes first: a daemon's thread without a CPU of its own waits for one.
    daemon = cpus[-max(1, min(servers, len(cpus) - threads)) :]
    others = cpus[: -len(daemon)]
    taken = {sibling for cpu in daemon for sibling in siblings.get(cpu, ())}
    own_core = [cpu for cpu in others if cpu not in taken]
    notes = []
    if not own_core:
        notes.append("client and daemon are hardware threads of one core")
    # Highest first: CPU 0 is the last to be taken.
    candidates = (own_core or list(others))[::-1]
    client = tuple(sorted(candidates[:threads]))
    notes += _crowded(threads, client)
    runner = tuple(cpu for cpu in others if cpu not in client)
    if not runner:
        runner = client
        notes.append("the runner shares the client's CPU (it sleeps during a window)")
    return Cpus(Placement.SPLIT, client, daemon, runner, "; ".join(notes))


def pin(pid: int, cpus: Collection[int]) -> None:
    """Let a process (0: the caller) and what it starts run on ``cpus`` only; empty: leave it.

    Every thread of the process is pinned, since a daemon may have started some already. Raises
    OSError: ESRCH the process is gone, EINVAL no such CPU.
    """
    if not cpus:
        return
    if pid == 0:
        os.sched_setaffinity(0, cpus)
        return
    os.sched_setaffinity(pid, cpus)
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            os.sched_setaffinity(int(task.name), cpus)
        except ProcessLookupError:  # a thread that ended meanwhile
            continue


@contextmanager
def pinned(cpus: Collection[int]) -> Iterator[None]:
    """The caller on ``cpus`` while the context is open, then where it was; empty: leave it."""
    before = os.sched_getaffinity(0)
    pin(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def hold_cpu_dma_latency() -> Iterator[str]:
    """Keep idle CPUs awake while the context is open; yields what to record.

    Writing a 32-bit 0 to /dev/cpu_dma_latency asks for 0 us of wake-up latency, in force until
    the descriptor is closed (Documentation/power/pm_qos_interface.rst) — by a kill as well. Needs
    root; without it the text says why, and nothing is raised.
    """
    try:
        fd = os.open(CPU_DMA_LATENCY, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        yield f"not held: {CPU_DMA_LATENCY}: {error.strerror}"
        return
    try:
        try:
            os.write(fd, struct.pack("=i", 0))
        except OSError as error:
            text = f"not held: {CPU_DMA_LATENCY}: {error.strerror}"
        else:
            text = "held at 0 us"
        yield text
    finally:
        os.close(fd)
