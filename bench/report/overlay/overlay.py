"""Several runs over one another: the rows they share, each as a ratio to its own run's baseline.

Ratios only: the time of one machine says nothing beside that of another. A run of several kernels
is as many sources as it has kernels.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.axes.rowkey import RowKey
from bench.model import Clock, Exit, UserError
from bench.report import about, units, words
from bench.report.row import Line, Row
from bench.report.rows import rows
from bench.report.targets import baselines, targets
from bench.report.text import tables
from bench.stats.frame import Run

WIDTH, NAME = 72, 26


@dataclass(frozen=True)
class OverlaidRun:
    """One run on one of its kernels, with its lines by row and target, and what it is."""

    name: str
    said: str
    tree: str
    cpu: str
    """The model of its machine's CPU."""
    rows: Mapping[RowKey, Row]
    lines: Mapping[tuple[RowKey, str], Line]
    """By the row's place and the target's name without its kernel."""

    @property
    def targets(self) -> list[str]:
        """Every target's name without its kernel."""
        return list(dict.fromkeys(target for _, target in self.lines))


@dataclass(frozen=True)
class SharedRow:
    """One target in a row that all sources have: a line for each source, None where it has none."""

    row: Row
    target: str
    lines: Sequence[Line | None]


@dataclass(frozen=True)
class Overlay:
    """What is drawn of several runs."""

    baseline: str
    sources: Sequence[OverlaidRun]
    shared: Sequence[SharedRow]
    noun: str
    """What a source is: ``machine``, ``run``, or ``kernel`` where some are of one run."""
    apart: Sequence[str]
    """In sentences: rows and targets that not all sources have, and trees that differ."""

    @property
    def title(self) -> str:
        """What the numbers are."""
        noun = units.quantity().noun
        return f"{noun} per operation, as a ratio to {words.against(self.baseline)} of the same run"


def overlay(runs: Sequence[Run], *, fleet: bool = False) -> Overlay:
    """The runs over one another; UserError where clocks differ or nothing is in common.

    ``fleet``: each is of a machine of its own, though two may be of one kind.
    """
    _one_clock(runs)
    units.measure_in(runs[0].about.get("clock"))
    baseline = _baseline(runs)
    sources = [
        source
        for run, name in zip(runs, _names(runs), strict=True)
        for source in _sources(run, name)
    ]
    common = [key for key in sources[0].rows if all(key in one.rows for one in sources)]
    if not common:
        raise UserError(
            f"{_listed(runs)} share no row; measure the same workloads at the same settings"
        )
    shared = [made for key in common for made in _row(sources, key, baseline)]
    noun = _noun(runs, sources, fleet)
    return Overlay(baseline, sources, shared, noun, list(_apart(sources, common)))


def _noun(runs: Sequence[Run], sources: Sequence[OverlaidRun], fleet: bool) -> str:
    """What a source stands for: runs of one kind of machine may be of the same one."""
    if len(sources) > len(runs):
        return "kernel"
    kinds = {str((run.about.get("environment") or {}).get("machine")) for run in runs}
    return "machine" if fleet or len(kinds) == len(runs) else "run"


def _one_clock(runs: Sequence[Run]) -> None:
    clocks = [str(run.about.get("clock") or Clock.WALL) for run in runs]
    if len(set(clocks)) > 1:
        pairs = zip(runs, clocks, strict=True)
        told = ", ".join(f"{run.name}: {clock}" for run, clock in pairs)
        raise UserError(
            f"these runs have different clocks ({told}): instructions are not time; "
            "name runs of one clock",
            Exit.USAGE,
        )


def _baseline(runs: Sequence[Run]) -> str:
    """The last of the first run's baselines that every run has."""
    known = [baselines(run) for run in runs]
    common = [base for base in known[0] if all(base in others for others in known)]
    if not common:
        told = ", ".join(
            f"{run.name}: {' and '.join(own) or 'none'}"
            for run, own in zip(runs, known, strict=True)
        )
        raise UserError(f"these runs have no baseline in common ({told}); nothing to be divided by")
    return common[-1]


def _listed(runs: Sequence[Run]) -> str:
    return units.listing(run.name for run in runs)


def _names(runs: Sequence[Run]) -> list[str]:
    """What each run is called: with its directory where two have one name, else with a number."""
    plain = [run.name for run in runs]
    longer = [f"{run.path.resolve().parent.name}/{run.path.resolve().name}" for run in runs]
    for names in (plain, longer):
        if len(set(names)) == len(names):
            return names
    return [f"{name} #{number}" for number, name in enumerate(longer, 1)]


def _sources(run: Run, name: str) -> Iterator[OverlaidRun]:
    measured = rows(run)
    for kernel in dict.fromkeys(target.kernel for target in targets(run)):
        lines = {
            (row.key, line.target.base): line
            for row in measured
            for line in row.lines
            if line.target.kernel == kernel
        }
        have = {place for place, _ in lines}
        yield OverlaidRun(
            name=f"{name} @{kernel}" if kernel else name,
            said=f"{_kernel(run, kernel)}, {about.machine(run)}",
            tree=about.tree(run),
            cpu=about.cpu(run),
            rows={row.key: row for row in measured if row.key in have},
            lines=lines,
        )


def _kernel(run: Run, label: str) -> str:
    releases = {str(one.get("label")): one.get("release") for one in run.about.get("kernels") or ()}
    return f"Linux {releases[label]}" if releases.get(label) else about.kernel(run)


def _row(sources: Sequence[OverlaidRun], key: RowKey, baseline: str) -> Iterator[SharedRow]:
    """The row's targets that more than one source has; a baseline is 1 by definition."""
    for target in dict.fromkeys(name for source in sources for name in source.targets):
        lines = [source.lines.get((key, target)) for source in sources]
        if target != baseline and sum(line is not None for line in lines) > 1:
            yield SharedRow(sources[0].rows[key], target, lines)


def _apart(sources: Sequence[OverlaidRun], common: Sequence[RowKey]) -> Iterator[str]:
    """Nothing is left out silently."""
    lost: dict[str, list[str]] = {}
    for place in dict.fromkeys(place for source in sources for place in source.rows):
        if place not in common:
            having = [source for source in sources if place in source.rows]
            row = having[0].rows[place]
            names = units.listing(source.name for source in having)
            lost.setdefault(names, []).append(row.name)
    yield from (f"only in {names}: {', '.join(told)}" for names, told in lost.items())
    for source in sources:
        others = {name for other in sources if other is not source for name in other.targets}
        if alone := [name for name in source.targets if name not in others]:
            yield f"target only in {source.name}: {', '.join(alone)}"
    if len({source.tree for source in sources}) > 1:
        told = "; ".join(f"{source.name}: {source.tree}" for source in sources)
        yield f"the trees differ, and with them what an operation costs: {told}"


def sheet(made: Overlay) -> str:
    """overlay.csv: a line for each row, target and source."""
    return tables.table(
        [
            {
                "row": one.row.name,
                **one.row.key.columns(),
                "target": one.target,
                "source": source.name,
                "baseline": made.baseline,
                **tables.estimate("ratio", line.ratios[made.baseline]),
                "n": line.ratios[made.baseline].n,
            }
            for one in made.shared
            for source, line in zip(made.sources, one.lines, strict=True)
            if line
        ]
    )


def table(made: Overlay) -> str:
    """overlay.txt: plain ASCII of at most 72 columns."""
    what = units.quantity()
    lines = [
        *wrap(made.title),
        "",
        *(
            line
            for number, source in enumerate(made.sources, 1)
            for line in wrap(f"{number}: {source.name}: {source.said}", 3)
        ),
        "",
        *wrap(
            f"In brackets the {what.ratios} of the run's own rounds; < 1 is {what.below}. Times "
            "are not given: those of one machine say nothing beside those of another."
        ),
        *_body(made),
        *(["", *(line for text in made.apart for line in wrap(text, 2))] if made.apart else []),
    ]
    return units.ascii_only("\n".join(lines) + "\n")


def _body(made: Overlay) -> Iterator[str]:
    above = ""
    for one in made.shared:
        if one.row.name != above:
            yield ""
            yield from wrap(one.row.name, 2)
            above = one.row.name
        yield from _lines(one, made.baseline)


def _lines(one: SharedRow, baseline: str) -> Iterator[str]:
    name = one.target
    if len(name) > NAME:
        yield f"  {name}"
        name = ""
    for number, line in enumerate(one.lines, 1):
        if line is None:
            yield f"  {name:<{NAME}} {number:>2}  not measured"
        else:
            judged = line.judgements.get(baseline)
            found = words.shown(judged.finding) if judged else ""
            ratio = words.ratio_cell(line, baseline)
            yield f"  {name:<{NAME}} {number:>2}  {ratio:<19} n={line.time.n:<3} {found}".rstrip()
        name = ""


def wrap(text: str, indent: int = 0) -> list[str]:
    """Lines of at most 72 columns, what follows the first indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)
