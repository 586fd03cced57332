"""What every artefact has to name: kernel, level, placement, cache, tree, command, what is missing.

One list of facts serves tables, charts, page and samples, so that none can say less than another.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.machine.environment import scheduling
from bench.report import units
from bench.report.row import Row
from bench.report.targets import targets
from bench.stats.frame import Run
from bench.stats.noise_floor import ASSUMED_COLD, ASSUMED_WARM


@dataclass(frozen=True)
class Fact:
    """One thing to know about a run: its name and what it is."""

    name: str
    text: str


def facts(run: Run, rows: Sequence[Row]) -> list[Fact]:
    """Everything a table, a page or a file of samples has to name."""
    return [
        Fact("run", _run(run)),
        Fact("kernel", kernel(run)),
        *(Fact("guest", text) for text in guests(run)),
        *([Fact("clock", clock(run))] if units.quantity() is not units.WALL else []),
        Fact("machine", machine(run)),
        Fact("passthrough", level(run)),
        Fact("placement", placement(run)),
        Fact("cache", units.listing(dict.fromkeys(str(row.key.cache) for row in rows) or ["none"])),
        Fact("tree", tree(run)),
        Fact("backing", backing(run)),
        Fact("timeouts", f"attr/entry {_timeouts(rows)}"),
        Fact("command", command(run)),
        Fact("method", method()),
        Fact("noise", noise(run)),
        *([Fact("tuned", tuned(run))] if run.about.get("tuned") else []),
        *(Fact("skipped", text) for text in skipped(run, rows)),
        *(Fact("failed", text) for text in failed(rows)),
        *(Fact("problem", text) for text in run.problems),
    ]


def footer(run: Run, rows: Sequence[Row]) -> list[str]:
    """The lines under a chart of these rows."""
    row_facts = dict.fromkeys(row.setting for row in rows)
    own = next(iter(row_facts)) if len(row_facts) == 1 else _settings(rows)
    missing = [*skipped(run, rows), *failed(rows), *run.problems]
    return [
        "; ".join([kernel(run), *guests(run), f"passthrough: {level(run)}"]),
        f"placement {placement(run)}",
        f"{own}; tree {tree(run)}",
        f"run {run.name}: {command(run)}",
        f"missing: {'; '.join(missing)}" if missing else "nothing was skipped, nothing failed",
    ]


def _run(run: Run) -> str:
    started = run.about.get("started") or "at an unknown time"
    unfinished = "" if run.about.get("finished") else "; it is still running or was interrupted"
    return f"{run.name}, started {started}{unfinished}"


def kernel(run: Run) -> str:
    """``Linux`` and the release."""
    environment = _environment(run)
    release = _pick(environment, "kernel_release", "kernel", "release")
    if isinstance(release, Mapping):
        release = _pick(release, "release", "kernel_release", "version")
    return f"Linux {release}" if release else "Linux, release not recorded"


def guests(run: Run) -> list[str]:
    """The kernels that ran in a virtual machine, with what was given to them."""
    return [
        " ".join(
            [
                f"{entry.get('label')}: Linux {entry.get('release')}",
                *(entry.get("parameters") or ()),
                f"under {entry.get('accelerator')}",
            ]
        )
        for entry in run.about.get("kernels") or ()
        if isinstance(entry, Mapping)
    ]


def clock(run: Run) -> str:
    """What the values of a run that are not times count."""
    policy = scheduling(_environment(run))
    return (
        f"instructions: qemu -icount shift=1, one CPU, {policy}; a guest's clock is what it executed. "
        "Path length, not time; never to be compared with wall-clock rows"
    )


def level(run: Run) -> str:
    """The passthrough level in force, and why it is lower than what was asked for."""
    through = [one for one in targets(run) if not one.native and one.passes]
    given = list(dict.fromkeys(one.level for one in through if one.asked == one.level))
    if len(given) > 1 and all(one.asked == one.level for one in through):
        return f"levels {units.listing(given)} in force, as asked"
    said: dict[str, list[str]] = defaultdict(list)
    for target in through:
        said[_level_of(target.asked, target.level, target.reason)].append(target.name)
    if len(said) == 1:
        return next(iter(said))
    named = [f"{units.listing(names)}: {text}" for text, names in said.items()]
    return "; ".join(named) or "no target of this run asked for any"


def _level_of(asked: str, given: str, reason: str) -> str:
    if asked == given:
        return f"level {given} in force, as asked"
    return f"level {given or 'unknown'} in force, {asked} asked: {reason or 'no reason recorded'}"


def placement(run: Run) -> str:
    """Where client and daemon ran, and whether idle states were kept out."""
    where = run.about.get("placement") or {}
    mode = str(where.get("mode") or "not recorded")
    note = [str(where["note"])] if where.get("note") else []
    note += [
        f"{threads} threads: {', '.join([*_cpus(other), *filter(None, [other.get('note')])])}"
        for threads, other in (where.get("threads") or {}).items()
    ]
    dma = str(run.about.get("cpu_dma_latency") or "not recorded")
    return f"{'; '.join([', '.join([mode, *_cpus(where)]), *note])}; cpu_dma_latency {dma}"


def _cpus(where: Mapping[str, Any]) -> list[str]:
    return [
        f"{who} on CPU {','.join(str(cpu) for cpu in where[who])}"
        for who in ("client", "daemon")
        if where.get(who)
    ]


def tree(run: Run) -> str:
    """The tree that was walked."""
    spec = run.about.get("tree") or {}
    name = str(spec.get("name") or "not recorded")
    counts = [f"{spec[key]} {key}" for key in ("files", "dirs") if spec.get(key) is not None]
    shape = [f"{key} {spec[key]}" for key in ("depth", "seed") if spec.get(key) is not None]
    return ", ".join([name, *counts, *shape])


def command(run: Run) -> str:
    """The command line that made the run."""
    argv = run.about.get("argv")
    if isinstance(argv, list) and argv:
        return shlex.join(str(word) for word in argv)
    return str(argv or "not recorded")


def method() -> str:
    """How the numbers were made of the samples."""
    what = units.quantity()
    middle = f"{what.noun} is the median of trial medians, a trial being a fresh mount; "
    if what is units.INSTRUCTIONS:
        return (
            f"{middle}ratios are paired by boot; a range no wider than the last digit is left out; A/A is "
            f"what a row's target differs by from itself ({ASSUMED_WARM:.1%} "
            f"warm and {ASSUMED_COLD:.0%} cold where no A/A run is known)"
        )
    return (
        f"{middle}ratios are paired by round; 95 % intervals over rounds, their autocorrelation "
        "averaged over (bench/intervals.py), each for its own row alone"
    )


def noise(run: Run) -> str:
    """How many trials something else disturbed, what, and what was made again."""
    trials = run.trials
    if units.quantity() is units.INSTRUCTIONS:
        return "the instruction clock does not see it"
    disturbed = trials[trials["disturbed"] != ""]
    again = int((trials["attempt"] > 0).sum())
    if not len(disturbed):
        return f"none of {units.times(len(trials), 'trial')} was disturbed by other load"
    worst = disturbed["disturbed"].value_counts().index[0]
    counted = int((~disturbed["superseded"]).sum())
    return (
        f"{len(disturbed)} of {units.times(len(trials), 'trial')} disturbed (e.g. {worst}); "
        f"{again} made again; {counted} noisy trials kept: repeats were no quieter"
    )


def tuned(run: Run) -> str:
    """What was changed of the machine for the run, and put back after it."""
    said = dict.fromkeys(
        f"{entry['knob']} {entry['before']} -> {entry['after']}"
        + (f" refused: {entry['refused']}" if entry.get("refused") else "")
        for entry in run.about["tuned"]
    )
    return "; ".join(said)


def skipped(run: Run, rows: Sequence[Row]) -> list[str]:
    """What was never planned or not run, with the reason."""
    never = [
        f"{entry.get('what', 'something')}: {entry.get('reason') or 'no reason recorded'}"
        for entry in run.about.get("skipped") or ()
        if isinstance(entry, Mapping)
    ]
    refused = run.about.get("refused")
    if isinstance(refused, Mapping):
        never += [f"{name}: refused: {reason}" for name, reason in refused.items()]
    return never + _troubles(rows, "skipped")


def failed(rows: Sequence[Row]) -> list[str]:
    """Trials that failed or are missing, with the reason."""
    return _troubles(rows, "failed", "no trial")


def _troubles(rows: Sequence[Row], *words: str) -> list[str]:
    """Troubles of a kind, told once for all the rows they came up in."""
    where: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for line in row.lines:
            for text in line.trouble:
                head = text.partition(":")[0]
                if any(word in head for word in words):
                    where[f"{line.target.name}: {text}"].append(row.name)
    return [f"{units.listing(dict.fromkeys(names))}, {text}" for text, names in where.items()]


def _settings(rows: Sequence[Row]) -> str:
    """What several rows were measured under, told together."""
    caches = units.listing(dict.fromkeys(str(row.key.cache) for row in rows) or ["none"])
    return f"cache {caches}; attr/entry timeout {_timeouts(rows)}"


def _timeouts(rows: Sequence[Row]) -> str:
    """``0 s/0 s and 1 s/1 s; bindfs: the server's own in rows that say so``: each fact once."""
    asked = units.listing(dict.fromkeys(row.pair for row in rows) or ["not recorded"])
    own = dict.fromkeys(name for row in rows for name in row.own)
    return f"{asked}; {units.listing(own)}: the server's own in rows that say so" if own else asked


def _environment(run: Run) -> Mapping[str, Any]:
    environment = run.about.get("environment")
    return environment if isinstance(environment, Mapping) else {}


def machine(run: Run) -> str:
    """CPU model and count."""
    count = _pick(_environment(run), "cpu_count", "cpus")
    return f"{cpu(run)}, {count} CPUs" if count else cpu(run)


def cpu(run: Run) -> str:
    """CPU model."""
    model = _pick(_environment(run), "cpu_model", "cpu", "cpu_model_name")
    return str(model or "CPU not recorded")


def backing(run: Run) -> str:
    """File system and mount options beneath the mounts."""
    backing = run.about.get("backing") or {}
    filesystem, options = backing.get("filesystem") or "not recorded", backing.get("options")
    return f"{filesystem} ({options})" if options else str(filesystem)


def _pick(mapping: Mapping[str, Any], *keys: str) -> Any:
    """The first of these keys that has a value."""
    return next((mapping[key] for key in keys if mapping.get(key)), None)
