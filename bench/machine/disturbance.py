"""Whether something else disturbed a trial: what others did beside it, and where that is too much.

``take`` reads a few files of /proc before and after a trial's windows; ``between`` and ``causes`` are
pure. Only what others do counts: the CPU time of all processes less that of the worker, the server
and the runner, and what the disks moved less what these three read and wrote. The pressure of io
(/proc/pressure/io) does not tell them apart: waiting for an answer to FUSE's own READ counts as io.
CPU time counts in the clock ticks of /proc/stat, 10 ms on most kernels, so a short trial is judged
with that much grace. What the limits find is in results/self/disturbance.txt.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OTHERS = 0.05
"""Share of the time of the trial's CPUs that others may use before it counts as disturbed."""
ELSEWHERE = 0.25
"""Share of one CPU that others may use on the CPUs that are not the trial's: caches, memory and the
clock rate are shared."""
STEAL = 0.02
"""Share that the hypervisor may take."""
STALLED = 0.05
"""Share of the time something may wait for memory (Documentation/accounting/psi.rst)."""
DISK_KIB_S = 4096
"""What others may read from disks and write to them, in KiB a second; a quarter of it once is nothing."""
FREQUENCY = 0.05
"""Relative change of a CPU's frequency from one end of a trial to the other."""
GRACE_TICKS = 2
"""An interval of n ticks is known to one tick at each end (fs/proc/stat.c counts whole ones)."""
WRITEBACK_KIB = 1024
"""Pages under writeback at either end, by which somebody's files are being written."""


@dataclass(frozen=True)
class Reading:
    """The machine at one moment; CPU times in seconds since boot, of the CPUs that were asked for."""

    elapsed_s: float
    busy_s: float
    steal_s: float
    ours_s: float
    """CPU time of the trial's own processes: the worker once it has ended, and the daemon."""
    swapped: int
    """Pages swapped in and out since boot."""
    writeback_kib: int
    stalled_s: Mapping[str, float]
    """``some`` stall of memory since boot; empty without PSI."""
    mhz: float | None
    all_busy_s: float = 0.0
    """CPU time spent on all CPUs, by anybody."""
    runner_s: float = 0.0
    """CPU time of the runner itself, which has a CPU of its own where there are two."""
    disks_kib: int = 0
    """What all disks read and wrote since boot."""
    our_disks_kib: int = 0
    """Moved for worker, server and runner."""


def take(cpus: Collection[int], daemon: int | None) -> Reading:
    """Now, for these CPUs; ``daemon`` is the server's pid."""
    stat = Path("/proc/stat").read_text()
    busy, steal = cpu_seconds(stat, cpus)
    runner = resource.getrusage(resource.RUSAGE_SELF)
    vmstat = _table(Path("/proc/vmstat").read_text())
    meminfo = _table(Path("/proc/meminfo").read_text().replace(":", ""))
    return Reading(
        elapsed_s=float(Path("/proc/uptime").read_text().split()[0]),
        busy_s=busy,
        steal_s=steal,
        ours_s=_children_s() + (_daemon_s(daemon) if daemon else 0.0),
        swapped=vmstat.get("pswpin", 0) + vmstat.get("pswpout", 0),
        writeback_kib=meminfo.get("Writeback", 0),
        stalled_s={name: s for name in ("memory",) if (s := stall_s(name)) is not None},
        mhz=_mhz(cpus),
        all_busy_s=cpu_seconds(stat, ())[0],
        runner_s=runner.ru_utime + runner.ru_stime,
        disks_kib=moved_kib(Path("/proc/diskstats").read_text(), whole_disks()),
        our_disks_kib=_own_kib(daemon),
    )


def cpu_seconds(stat: str, cpus: Collection[int]) -> tuple[float, float]:
    """(busy, stolen) seconds of these CPUs in a /proc/stat; all of them for an empty collection.

    Columns: user nice system idle iowait irq softirq steal (proc_stat(5)); guest time is in user.
    """
    tick = os.sysconf("SC_CLK_TCK")
    names = {f"cpu{number}" for number in cpus} or {"cpu"}
    busy = steal = 0
    for line in stat.splitlines():
        name, *rest = line.split()
        if name in names:
            user, nice, system, _idle, _iowait, irq, softirq, stolen, *_ = map(int, rest)
            busy += user + nice + system + irq + softirq
            steal += stolen
    return busy / tick, steal / tick


def moved_kib(diskstats: str, disks: Collection[str]) -> int:
    """What these disks read and wrote, by a /proc/diskstats (Documentation/admin-guide/iostats.rst)."""
    fields = (line.split() for line in diskstats.splitlines())
    return sum(int(one[5]) + int(one[9]) for one in fields if one[2] in disks) // 2


def whole_disks() -> set[str]:
    """Disks that are one: no partition of another, nothing that stands for others or lies in memory."""
    made = ("loop", "ram", "zram", "dm-", "md", "nbd")
    with suppress(OSError):
        return {one.name for one in Path("/sys/block").iterdir() if not one.name.startswith(made)}
    return set()


def stall_s(what: str) -> float | None:
    """Seconds since boot in which something waited for memory or io; None without PSI."""
    with suppress(OSError, ValueError, IndexError):
        some = Path("/proc/pressure", what).read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    return None


def between(before: Reading, after: Reading, cpus: int) -> dict[str, Any]:
    """What happened beside a trial, JSON-ready: shares of the time of its ``cpus`` CPUs, and counts."""
    elapsed = max(after.elapsed_s - before.elapsed_s, 1e-3)
    available = elapsed * cpus
    grace = GRACE_TICKS / os.sysconf("SC_CLK_TCK")
    ours = after.ours_s - before.ours_s
    others = (after.busy_s - before.busy_s) - ours
    runner = after.runner_s - before.runner_s
    elsewhere = (after.all_busy_s - before.all_busy_s) - ours - runner - max(others, 0.0)
    moved = (after.disks_kib - before.disks_kib) - (after.our_disks_kib - before.our_disks_kib)
    return {
        "elapsed_s": round(elapsed, 3),
        "others": round(max(others - grace, 0.0) / available, 4),
        "elsewhere": round(max(elsewhere - grace, 0.0) / elapsed, 4),
        "steal": round(max(after.steal_s - before.steal_s - grace, 0.0) / available, 4),
        "stalled": {
            name: round((seconds - before.stalled_s.get(name, seconds)) / elapsed, 4)
            for name, seconds in after.stalled_s.items()
        },
        "disk_kib_s": round(max(moved - DISK_KIB_S // 4, 0) / elapsed),
        "swapped_pages": after.swapped - before.swapped,
        "writeback_kib": max(before.writeback_kib, after.writeback_kib),
        "mhz": None if before.mhz is None or after.mhz is None else [before.mhz, after.mhz],
    }


def causes(seen: Mapping[str, Any]) -> str:
    """Why a trial counts as disturbed, in words; empty when it does not."""
    found = []
    if seen["others"] > OTHERS:
        found.append(f"other processes used {seen['others']:.0%} of its CPUs")
    if seen["elsewhere"] > ELSEWHERE:
        found.append(f"other processes used {seen['elsewhere']:.0%} of a CPU beside it")
    if seen["steal"] > STEAL:
        found.append(f"the hypervisor took {seen['steal']:.0%}")
    found += [
        f"{name} stalls, {share:.0%} of the time"
        for name, share in seen["stalled"].items()
        if share > STALLED
    ]
    if seen["disk_kib_s"] > DISK_KIB_S:
        found.append(f"others moved {seen['disk_kib_s'] / 1024:.0f} MiB/s on disks")
    if seen["swapped_pages"]:
        found.append(f"{seen['swapped_pages']} pages were swapped")
    if seen["writeback_kib"] > WRITEBACK_KIB:
        found.append(f"{seen['writeback_kib']} KiB under writeback")
    if seen["mhz"] and abs(seen["mhz"][1] / seen["mhz"][0] - 1) > FREQUENCY:
        found.append(f"frequency went from {seen['mhz'][0]:.0f} to {seen['mhz'][1]:.0f} MHz")
    return "; ".join(found)


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _own_kib(daemon: int | None) -> int:
    """What children that ended, the runner and the daemon caused at disks."""
    who = (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    found = sum(one.ru_inblock + one.ru_oublock for one in map(resource.getrusage, who)) // 2
    with suppress(OSError, ValueError):
        told = _table(Path(f"/proc/{daemon}/io").read_text().replace(":", "")) if daemon else {}
        found += (told.get("read_bytes", 0) + told.get("write_bytes", 0)) // 1024
    return found


def _daemon_s(pid: int) -> float:
    """CPU seconds of a process, in nanoseconds where the kernel keeps them; 0 when it is gone."""
    with suppress(OSError, IndexError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    return 0.0


def _mhz(cpus: Collection[int]) -> float | None:
    values = []
    for number in cpus:
        with suppress(OSError, ValueError):
            folder = Path(f"/sys/devices/system/cpu/cpu{number}/cpufreq")
            values.append(int((folder / "scaling_cur_freq").read_text()) / 1000)
    return sum(values) / len(values) if values else None


def _table(text: str) -> dict[str, int]:
    lines = (line.split() for line in text.splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1}
