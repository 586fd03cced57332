"""What a run would be: its targets, rows and trials, about how long it takes, what is left out."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.model import Exit, Level
from bench.mounts import backing
from bench.plan import schedule, shards
from bench.plan.forecast import Known, total
from bench.plan.grid import KernelGives
from bench.plan.schedule import Plan
from bench.plan.settings import Settings
from bench.plan.unprivileged import withheld
from bench.probe import probe
from workloads import tree

WIDTH = 78


def show(settings: Settings, known: Known, *, as_json: bool) -> int:
    """Print the plan of a run; always Exit.MEASURED, as nothing is tried. Raises UserError."""
    if settings.kernels:
        settings = shards.with_number(settings)
    planned = schedule.make(settings, gives(settings))
    found = facts(settings, planned, known)
    print(json.dumps(found, indent=1) if as_json else "\n".join(lines(found)))
    return Exit.MEASURED


def gives(settings: Settings) -> KernelGives:
    """What this kernel gives; guests are only known when they boot: every level, every cache."""
    if settings.kernels:
        return KernelGives(Level.LOOKUP)
    ability = probe.probe_in_child()
    directory = Path(settings.backing) if settings.backing else backing.default_directory()
    entry = backing.check_directory(directory)
    filled = backing.Backing(directory, tree.parse_tree(settings.tree), entry.fstype, "")
    return KernelGives(
        ability.level,
        "; ".join(ability.reasons),
        filled.cache_refusals(),
        withheld=withheld(ability),
        xattrs=ability.xattrs,
    )


def facts(settings: Settings, planned: Plan, known: Known) -> dict[str, Any]:
    """The plan as one object: counts over all kernels of the run."""
    kernels = max(1, len(settings.kernels))
    series = {one.series.label: one.series for one in planned.trials}
    return {
        "matrix": settings.matrix,
        "kernels": list(settings.kernels),
        "targets": [target.name for target in planned.targets],
        "rows": len({one.key for one in series.values()}),
        "workloads": list(dict.fromkeys(sorted(one.row for one in series.values()))),
        "series": len(series) * kernels,
        "trials": len(planned.trials) * kernels,
        "rounds": settings.trials,
        "more": f", up to {settings.most_trials} while there is time" if settings.fill_s else "",
        "minutes": round(total(settings, planned, known) / 60, 1),
        "jobs": known.jobs,
        "skipped": [asdict(item) for item in planned.skipped],
    }


def lines(found: dict[str, Any]) -> list[str]:
    """For a person, under 80 columns."""
    beside = f" with {found['jobs']} boots at a time" if found["jobs"] > 1 else ""
    say = [("matrix", found["matrix"])] if found["matrix"] else []
    say += [("kernel", text) for text in found["kernels"]]
    say += [
        ("targets", f"{len(found['targets'])}: {', '.join(found['targets'])}"),
        ("rows", f"{found['rows']}, of {', '.join(found['workloads'])}"),
        ("series", str(found["series"])),
        ("trials", f"{found['trials']} in {found['rounds']} rounds{found['more']}"),
        ("time", f"about {found['minutes']:g} minutes{beside}, and the report"),
    ]
    say += [("skipped", text) for text in _by_reason(found["skipped"])]
    if found["kernels"]:
        say.append(("note", "levels and cache states are those a guest has when it boots"))
    return [line for name, text in say for line in _wrapped(name, text)]


def _by_reason(skipped: Iterable[dict[str, str]]) -> list[str]:
    """Each reason once, after what it keeps out."""
    reasons: dict[str, list[str]] = {}
    for item in skipped:
        reasons.setdefault(item["reason"], []).append(item["what"])
    return [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]


def _wrapped(name: str, text: str) -> Iterable[str]:
    indent = " " * 10
    return textwrap.wrap(
        f"{name:<10}{text}", WIDTH, subsequent_indent=indent, break_on_hyphens=False
    )
