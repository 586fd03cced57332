"""Where the instructions of the rows go, target beside target: tables, and flame graphs of the chief rows."""

from __future__ import annotations

from collections.abc import Sequence

from bench.profile import bars as drawn_bars
from bench.profile import difference, flame
from bench.profile.requests import RequestProfile, measured
from bench.profile.subsystems import Subsystem
from bench.profile.text import named_first
from bench.report.row import Row
from bench.report.studies.request_costs import per_op
from bench.report.studies.row_profiles import RowProfiles, profiles
from bench.report.studies.stack_costs import ENOUGH
from bench.report.targets import baselines
from bench.report.text.cells import Cell, CellGrid
from bench.stats.frame import Run

CHIEF = (
    ("getattr-storm", "fd"),
    ("getattr-storm", "path"),
    ("list-stat", "alternate-100"),
    ("list-stat", "100"),
    ("readdir", ""),
    ("lookup-cold", ""),
)
"""Rows that the page shows: those of the answer to what passthrough brings."""
FLAMES = 2
"""Flame graphs of a row on the page: the baseline's and the highest level's."""
NOTE = (
    "Every instruction of a window of its own, by function and call path, counted under emulation. "
    "What the compiler inlined is part of its caller; libraries of others are one name; helpers that "
    "everybody calls belong to the subsystem that called them. Instructions are not time."
)


def chief(found: Sequence[RowProfiles]) -> list[RowProfiles]:
    """One row for each of CHIEF that was profiled: of several settings the first."""
    names = ["/".join(part for part in name if part) for name in CHIEF]
    first: dict[str, RowProfiles] = {}
    for one in found:
        first.setdefault(one.row.work, one)
    return [first[name] for name in names if name in first]


def grid(one: RowProfiles) -> CellGrid:
    """Instructions per operation: a line for every subsystem, a column for every target."""
    sums = {target: profile.by_subsystem() for target, profile in one.by_target.items()}
    shown = [part.value for part in Subsystem if any(part.value in by for by in sums.values())]
    lines = [
        [Cell(name), *(Cell(_number(by.get(name, 0.0))) for by in sums.values())] for name in shown
    ]
    totals = [Cell(_number(profile.per_op)) for profile in one.by_target.values()]
    return CellGrid(one.title, ["subsystem", *sums], [*lines, [Cell("all"), *totals]])


def _number(value: float) -> str:
    return f"{value:.0f}" if value else "-"


def request_grid(one: RowProfiles, against: Sequence[str]) -> CellGrid | None:
    """What one request of the row costs the server without passthrough: a column for each opcode."""
    lines = {line.target.name: line for line in one.row.lines if line.requests}
    base = next((name for name in against if name in one.by_target and name in lines), None)
    costs = measured(one.by_target[base], per_op(lines[base])) if base else []
    costs = [cost for cost in costs if cost.per_op >= ENOUGH]
    if not costs:
        return None
    sums = [_by_subsystem(cost) for cost in costs]
    made = {
        **{part.value: [by.get(part.value, 0.0) for by in sums] for part in Subsystem},
        "all": [cost.total for cost in costs],
        "of it the client's": [sum(cost.client.values()) for cost in costs],
        "stays if passed through": [cost.stays for cost in costs],
    }
    shown = [[Cell(name), *map(_cell, values)] for name, values in made.items() if any(values)]
    title = f"{one.title}: instructions of one request to {base}"
    return CellGrid(title, ["subsystem", *(cost.opcode for cost in costs)], shown)


def _by_subsystem(cost: RequestProfile) -> dict[str, float]:
    return {
        part: cost.client.get(part, 0.0) + cost.server.get(part, 0.0)
        for part in cost.client.keys() | cost.server.keys()
    }


def _cell(value: float) -> Cell:
    return Cell(_number(value))


def sentences(one: RowProfiles, against: Sequence[str]) -> list[str]:
    """For each target what it has more and less than the baseline, largest first."""
    base = next((name for name in against if name in one.by_target), None)
    if base is None:
        return []
    told = []
    for target, profile in one.by_target.items():
        if target != base:
            apart = difference.between(one.by_target[base], profile)
            told.append(f"{target} less {base}: {apart.change:+.0f}: {named_first(apart, 5)}")
    return told


def lines(run: Run, rows: Sequence[Row]) -> list[str]:
    """The text of profiles.txt; none where nothing was profiled."""
    found = profiles(run, rows)
    made = [NOTE, ""] if found else []
    for one in found:
        made += [*_table(grid(one)), "", *sentences(one, baselines(run)), ""]
        if asked := request_grid(one, baselines(run)):
            made += [*_table(asked), ""]
    return made


def _table(made: CellGrid) -> list[str]:
    heads = [str(head) for head in made.heads]
    width = max(len(line[0].text) for line in made.lines)
    columns = [max(len(head), 8) for head in heads[1:]]
    lines = [made.label, " ".join([" " * width, *map(str.rjust, heads[1:], columns)])]
    for name, *cells in made.lines:
        values = [cell.text.rjust(room) for cell, room in zip(cells, columns, strict=True)]
        lines.append(" ".join([name.text.ljust(width), *values]))
    return lines


def bars(found: Sequence[RowProfiles]) -> dict[str, str]:
    """SVGs of the chief rows by name: every target's instructions by subsystem, level beside level."""
    return {
        f"profile-{one.row.slug}": drawn_bars.svg(
            {target: profile.by_subsystem() for target, profile in one.by_target.items()}, one.title
        )
        for one in chief(found)
    }


def flames(found: Sequence[RowProfiles], against: Sequence[str]) -> dict[str, str]:
    """SVGs of the chief rows by name: of the baseline, and of the last target that is ours."""
    made = {}
    for one in chief(found):
        ours = [name for name in one.by_target if name.startswith("passthrough-c")]
        base = [name for name in reversed(against) if name in one.by_target]
        for target in [*base[:1], *ours[-1:]][:FLAMES]:
            name = f"flame-{one.row.slug}--{target}".replace("/", "-").replace(":", "-")
            made[name] = flame.svg(one.by_target[target], f"{one.title} on {target}")
    return made
