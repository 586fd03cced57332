"""The machine and its software as they bear on a measurement, for run.json.

Nothing that identifies a person or an installation is recorded: no host name, no serial number,
no path; of the kernel command line only the parameters known to matter.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.machine import mountinfo, procfs, suite

POLICIES = {os.SCHED_OTHER: "SCHED_OTHER", os.SCHED_BATCH: "SCHED_BATCH"}
_CPU = Path("/sys/devices/system/cpu")
_PACKAGES = ("pyfuse3", "trio", "pyperf")

_COMMAND_LINE = re.compile(
    r"(?x)^(mitigations|spectre|spec_|nospec|nopti|pti|mds|l1tf|tsx|tsx_async|mmio|retbleed|srbds"
    r"|gather_data|isolcpus|nohz|rcu|idle|intel_idle|intel_pstate|amd_pstate|acpi_idle|cpuidle"
    r"|haltpoll|processor\.|cpufreq|nosmt|maxcpus|nr_cpus|mem=|hugepage|default_hugepage"
    r"|transparent_hugepage|numa|clocksource|tsc|audit|lsm|security|selinux|apparmor"
    r"|init_on_|page_alloc|page_poison|slab|slub|kasan|kfence|debug|lockdep|preempt|threadirqs"
    r"|skew_tick|irqaffinity|nmi_watchdog|nowatchdog|nosoftlockup|watchdog|workqueue|sched"
    r"|psi|cgroup|fuse|randomize_kstack|nokaslr|kaslr|iommu|swiotlb|highres|timer|hpet|no_timer)"
)


def collect(backing: str | os.PathLike[str]) -> dict[str, object]:
    """``environment`` of run.json: JSON-ready, None for what cannot be read here.

    ``backing`` is the directory whose file system is described; it need not exist yet. Takes
    some 10 ms, most of it to run ``git`` and ``fusermount3 --version``.
    """
    uname = os.uname()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "machine": machine_id(),
        "kernel_release": uname.release,
        "kernel_version": uname.version,
        "kernel_config_sha256": config_hash(uname.release),
        "architecture": uname.machine,
        "command_line": command_line(_read("/proc/cmdline") or ""),
        "mitigations": mitigations(_CPU / "vulnerabilities"),
        "cpu_model": cpu_model(),
        "cpu_count": os.cpu_count(),
        "cpus_usable": len(os.sched_getaffinity(0)),
        "scheduling": POLICIES.get(os.sched_getscheduler(0), "other"),
        "smt": _read(_CPU / "smt" / "control"),
        "hypervisor": hypervisor(),
        "cpufreq_driver": _read(_CPU / "cpu0/cpufreq/scaling_driver"),
        "cpufreq_governor": _read(_CPU / "cpu0/cpufreq/scaling_governor"),
        "turbo": _turbo(),
        "idle_driver": _read(_CPU / "cpuidle/current_driver"),
        "idle_governor": _read(_CPU / "cpuidle/current_governor_ro")
        or _read(_CPU / "cpuidle/current_governor"),
        "clocksource": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "memory_kib": _meminfo("MemTotal"),
        "swap_kib": _meminfo("SwapTotal"),
        "swappiness": _number("/proc/sys/vm/swappiness"),
        "vfs_cache_pressure": _number("/proc/sys/vm/vfs_cache_pressure"),
        "transparent_hugepage": _chosen(_read("/sys/kernel/mm/transparent_hugepage/enabled")),
        "lsm": _read("/sys/kernel/security/lsm"),
        "backing_filesystem": filesystem(backing),
        "open_files": {"soft": soft, "hard": hard},
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": versions(),
        "suite_version": suite.version(),
        "suite_commit": suite.commit(),
    }


def scheduling(recorded: Mapping[str, Any]) -> str:
    """The policy of client and server in a run's ``environment``; the usual one before it was recorded."""
    return str(recorded.get("scheduling") or POLICIES[os.SCHED_OTHER])


def machine_id() -> str:
    """Directory name under results/: CPU model, CPU count, whether virtual, kernel release.

    Two machines of one kind share it on purpose; nothing in it names an owner.
    """
    virtual = ["vm"] if hypervisor() else []
    parts = [cpu_model() or os.uname().machine, f"{os.cpu_count()}cpu", *virtual]
    return slug("-".join([*parts, os.uname().release]))


def slug(text: str) -> str:
    """Lower case letters, digits, dots and single dashes."""
    plain = re.sub(r"\((?:r|tm)\)|\bcpu\b|\bprocessor\b|@.*?ghz", " ", text.lower())
    return re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.") or "unknown"


def command_line(text: str) -> str:
    """The kernel parameters that bear on speed; the rest, which may name hosts, addresses and
    keys, is only counted. What follows `` -- `` is for init and left out."""
    parameters = text.partition(" -- ")[0].split()
    kept = [parameter for parameter in parameters if _COMMAND_LINE.match(parameter)]
    left = len(parameters) - len(kept)
    if left:
        kept.append(f"(and {left} others)")
    return " ".join(kept)


def config_hash(release: str) -> str | None:
    """sha256 of the kernel configuration's text, the same from /proc as from /boot."""
    import hashlib
    import zlib

    with contextlib.suppress(OSError, zlib.error):
        packed = Path("/proc/config.gz").read_bytes()
        return hashlib.sha256(zlib.decompress(packed, wbits=31)).hexdigest()
    with contextlib.suppress(OSError):
        return hashlib.sha256(Path(f"/boot/config-{release}").read_bytes()).hexdigest()
    return None


def mitigations(directory: Path) -> dict[str, str]:
    """State of each CPU vulnerability that affects this machine, by name."""
    states = {}
    with contextlib.suppress(OSError):
        for path in sorted(directory.iterdir()):
            state = _read(path)
            if state and state != "Not affected":
                states[path.name] = state
    return states


def cpu_model() -> str | None:
    """The model name in /proc/cpuinfo; on Arm, which has none, implementer and part."""
    names: dict[str, str] = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        names.setdefault(name.strip(), value.strip())
    if "model name" in names:
        return names["model name"]
    arm = [names[key] for key in ("CPU implementer", "CPU part") if key in names]
    return f"arm {' '.join(arm)}" if arm else None


def hypervisor() -> bool | None:
    """Whether the CPU says that it is virtual; None where it has no flag for that (not x86)."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("flags"):
            return "hypervisor" in line.split()
    return None


def filesystem(path: str | os.PathLike[str]) -> dict[str, object] | None:
    """Type and mount options of the file system under ``path``; options with paths left out."""
    try:
        entry = mountinfo.covering(path)
    except OSError:
        return None
    if entry is None:
        return None
    return {
        "type": entry.fstype,
        "options": _without_paths(entry.options),
        "super_options": _without_paths(entry.super_options),
    }


def versions() -> dict[str, str | None]:
    """Python, the packages that shape a measurement, and the installed libfuse."""
    import importlib.metadata  # 19 ms, and a run needs it once

    python = ".".join(map(str, sys.version_info[:3]))
    found: dict[str, str | None] = {"python": python}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    found["libfuse"] = libfuse_version()
    return found


def program_versions(names: Iterable[str]) -> dict[str, str | None]:
    """What each program says of its version, in its first line; None of one that is not here."""
    said = {name: _output([name, "--version"]).splitlines() for name in sorted(set(names))}
    return {name: lines[0] if lines else None for name, lines in said.items()}


def libfuse_version() -> str | None:
    """Version of libfuse as fusermount3 gives it, e.g. 3.14.0; None without it (Debian: package fuse3)."""
    words = _output(["fusermount3", "--version"]).split()
    return words[-1] if words else None


def _output(command: list[str]) -> str:
    import subprocess

    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _turbo() -> str | None:
    no_turbo = _read(_CPU / "intel_pstate/no_turbo")
    if no_turbo is not None:
        return "off" if no_turbo == "1" else "on"
    boost = _read(_CPU / "cpufreq/boost")
    return None if boost is None else ("on" if boost == "1" else "off")


def _read(path: str | os.PathLike[str]) -> str | None:
    try:
        return procfs.text(path).strip()
    except OSError:
        return None


def _number(path: str) -> int | None:
    text = _read(path)
    return int(text) if text and text.isdigit() else None


def _meminfo(name: str) -> int | None:
    for line in (_read("/proc/meminfo") or "").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return None


def _chosen(text: str | None) -> str | None:
    match = re.search(r"\[(\w+)\]", text or "")
    return match[1] if match else None


def _without_paths(options: Iterable[str]) -> list[str]:
    return [option for option in options if "/" not in option]
