"""The machine's settings that make numbers jitter: what each is, what it should be, and why.

A table and its reading; changing them, and putting them back, is in bench.machine.tune.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Knob:
    """One setting: the files it is in (a pattern), the value wanted, and what it costs not to have it.

    ``command`` is for people where the suite itself keeps its hands off (``ours`` False).
    """

    name: str
    pattern: str
    wanted: str
    why: str
    ours: bool = True
    command: str = ""


KNOBS = (
    Knob(
        "governor",
        "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
        "performance",
        "a governor that follows the load runs short windows slow (admin-guide/pm/cpufreq.rst)",
    ),
    Knob(
        "turbo",
        "/sys/devices/system/cpu/cpufreq/boost",
        "0",
        "turbo frequency falls with heat and with the other cores' load (admin-guide/pm/cpufreq.rst)",
    ),
    Knob(
        "intel turbo",
        "/sys/devices/system/cpu/intel_pstate/no_turbo",
        "1",
        "turbo frequency falls with heat and load (admin-guide/pm/intel_pstate.rst)",
    ),
    Knob(
        "timer migration",
        "/proc/sys/kernel/timer_migration",
        "0",
        "timers of idle CPUs move to the busy one, the one that measures (kernel/time/timer.c)",
    ),
    Knob(
        "autogroup",
        "/proc/sys/kernel/sched_autogroup_enabled",
        "0",
        "client and daemon lead sessions of their own, and groups share a CPU, not tasks (sched(7))",
    ),
    Knob(
        "nmi watchdog",
        "/proc/sys/kernel/nmi_watchdog",
        "0",
        "takes a hardware counter and interrupts every CPU (admin-guide/sysctl/kernel.rst)",
    ),
    Knob(
        "numa balancing",
        "/proc/sys/kernel/numa_balancing",
        "0",
        "unmaps pages to see who faults them in (admin-guide/sysctl/kernel.rst)",
    ),
    Knob(
        "vmstat interval",
        "/proc/sys/vm/stat_interval",
        "120",
        "a work item on every CPU, each second by default (admin-guide/sysctl/vm.rst)",
    ),
    Knob(
        "fuse io_uring",
        "/sys/module/fuse/parameters/enable_uring",
        "",
        "an axis, not a defect: servers that ask for it get it only where it is Y",
        ours=False,
        command="echo Y > /sys/module/fuse/parameters/enable_uring",
    ),
    Knob(
        "hardware threads",
        "/sys/devices/system/cpu/smt/active",
        "0",
        "a sibling's load is ours; --placement keeps clear of it where it can",
        ours=False,
        command="echo off > /sys/devices/system/cpu/smt/control",
    ),
)
"""In the order they are shown."""


@dataclass(frozen=True)
class State:
    """A knob as found: its files, what is in them, and whether that is as wanted."""

    knob: Knob
    files: tuple[Path, ...]
    values: tuple[str, ...]

    @property
    def found(self) -> str:
        """The value, or the values where CPUs differ; ``not here`` where the kernel has no such knob."""
        return "/".join(dict.fromkeys(self.values)) or "not here"

    @property
    def good(self) -> bool:
        """Nothing to do: as wanted, nothing wanted, or no such knob."""
        return not self.knob.wanted or all(value == self.knob.wanted for value in self.values)

    @property
    def command(self) -> str:
        """What a person types to set it."""
        if self.knob.command:
            return self.knob.command
        if len(self.files) > 1:
            return f"echo {self.knob.wanted} | tee {self.knob.pattern}"
        return f"echo {self.knob.wanted} > {self.files[0]}" if self.files else ""


def states(knobs: Sequence[Knob] = KNOBS) -> list[State]:
    """Every knob as it is now; a file that cannot be read counts as not there."""
    return [_state(knob) for knob in knobs]


def _state(knob: Knob) -> State:
    found = [(path, _read(path)) for path in sorted(Path("/").glob(knob.pattern[1:]))]
    readable = [(path, value) for path, value in found if value is not None]
    return State(knob, tuple(path for path, _ in readable), tuple(value for _, value in readable))


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def as_json(found: Sequence[State]) -> list[dict[str, object]]:
    """For ``bench probe --tune --json`` and run.json."""
    return [
        {
            "knob": state.knob.name,
            "value": state.found,
            "wanted": state.knob.wanted or None,
            "good": state.good,
            "why": state.knob.why,
            "command": "" if state.good else state.command,
        }
        for state in found
    ]


def human(found: Sequence[State]) -> str:
    """A table of under 80 columns: what is not as it should be first says why and how to set it."""
    lines = [f"{'knob':<17} {'is':<14} {'should be':<12} "]
    for state in found:
        verdict = "ok" if state.good else "change it: bench run --tune"
        if not state.good and not state.knob.ours:
            verdict = "left to you"
        lines.append(
            f"{state.knob.name:<17} {state.found:<14} {state.knob.wanted or '-':<12} {verdict}"
        )
        if not state.good:
            lines += textwrap.wrap(
                state.knob.why, 78, initial_indent="    ", subsequent_indent="    "
            )
            lines.append(f"    {state.command}")
    return "\n".join(line.rstrip() for line in lines)
