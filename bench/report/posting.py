"""What a mail says of a run, before it is put into lines: columns of one base and what is held against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.axes.rowkey import RowKey
from bench.model import Level, UserError, Verdict
from bench.report import headlines, units
from bench.report.headlines import Headline
from bench.report.row import Line, Row
from bench.report.targets import TargetInRow, baseline_of, baselines, targets
from bench.stats.estimates import Estimate
from bench.stats.frame import Run
from bench.stats.verdicts import Finding, Judgement

MOST = 3
"""Columns beside the base: more do not fit 72 columns."""
UNSAID = (Finding.IMPLAUSIBLE, Finding.TOO_FEW)
LEVELS = {
    Level.RW: "rw: reads, writes",
    Level.ATTACH_GETATTR: "attach-getattr: readdir, later getattr",
    Level.ATTACH_LOOKUP: "attach-lookup: readdir, all getattr, setattr",
    Level.LOOKUP: "lookup: + LOOKUP, OPENDIR (experimental)",
}


@dataclass(frozen=True)
class PostedCell:
    """One row of one column."""

    time: Estimate
    requests: float | None
    ratio: Estimate | None = None
    """To the base's; None of the base itself."""
    finding: Finding | None = None
    engaged: bool = False
    control: bool = False

    @property
    def more(self) -> bool:
        """Whether it was shown to take more than the base."""
        return self.finding is Finding.SLOWER

    @property
    def sound(self) -> bool:
        """Whether it may be claimed."""
        if self.ratio is None or not self.ratio.known:
            return False
        return self.finding not in (*UNSAID, Finding.NOT_ENGAGED)


@dataclass(frozen=True)
class Column:
    """One target: what it is called, and its rows."""

    name: str
    head: tuple[str, ...]
    cells: Mapping[RowKey, PostedCell]
    level: str = ""
    target: str = ""
    """The target's name in the run where that is another: ``plain-c@base``."""
    beside: bool = False
    """Whether only its ratios are told: it is there to show that nothing else changed."""

    def found(self, finding: Finding) -> list[RowKey]:
        """The rows that show it."""
        return [key for key, cell in self.cells.items() if cell.finding is finding]


@dataclass(frozen=True)
class Posting:
    """Everything a mail is made of but how it was measured."""

    claim: str
    base: Column
    columns: tuple[Column, ...]
    headline: Headline
    left: tuple[str, ...] = ()
    """Targets that are measured as well and have no column."""
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> list[RowKey]:
        """Every row that the base and some column have."""
        return [key for key in self.base.cells if any(key in col.cells for col in self.columns)]


def of_run(run: Run, rows: Sequence[Row], wanted: Sequence[str] = ()) -> Posting:
    """A run's passthrough targets against the same server without; raises UserError where it has none."""
    against, known = baselines(run), targets(run)
    if not against or not rows:
        raise UserError(f"{run.path}: nothing to compare: no baseline was measured")
    chosen, left = chosen_targets(run, known, against, wanted)
    base = baseline_of(chosen[0], known, against)
    same = [one for one in chosen if baseline_of(one, known, against) == base]
    left += [one.name for one in chosen if one not in same]
    wide = 13 if len(same) == 1 else 11
    columns = tuple(_column(one, rows, base, wide) for one in same[:MOST])
    left += [one.name for one in same[MOST:]]
    below = Column(base, _head(base), _base_cells(rows, base, chosen[0].kernel))
    keys = [key for key in below.cells if any(key in column.cells for column in columns)]
    what = (
        "inode passthrough" if any(one.level not in ("", "rw") for one in same) else "passthrough"
    )
    own = "the same server without" if chosen[0].twin == base else "another server"
    server, noun = chosen[0].base.partition(":")[0], units.quantity().noun
    where = f" on kernel {chosen[0].kernel}" if chosen[0].kernel else ""
    claim = (
        f"FUSE {what}, {server} against {base.partition('@')[0]} ({own}){where}: {noun} per operation, "
        "less is better; (n): requests."
    )
    return Posting(claim, below, columns, headlines.headline(run.about, keys), tuple(left))


def chosen_targets(
    run: Run, known: Sequence[TargetInRow], against: Sequence[str], wanted: Sequence[str]
) -> tuple[list[TargetInRow], list[str]]:
    """The targets to be told of, best first, and the names of those that are not."""
    names = {target.name: target for target in known}
    if missing := [name for name in wanted if name not in names]:
        raise UserError(f"no target {', '.join(missing)}: the run has {', '.join(names)}")
    if wanted:
        return [names[name] for name in wanted], []
    found = [one for one in known if one.passes and one.base not in against]
    if not found:
        raise UserError(f"{run.path}: no target passes anything through; name one: --mail TARGET")
    first = found[0].kernel
    usual = [
        one
        for one in found
        if one.kernel == first and set(one.base.split(":")[1:]) <= {str(level) for level in Level}
    ] or found
    in_c = [one for one in usual if not one.python] or usual
    # What goes beyond reads and writes is what a posting is about.
    beyond = [one for one in in_c if one.level not in ("", Level.NONE, Level.RW)] or in_c
    kept = beyond
    return kept, [one.name for one in found if one not in kept]


def _column(target: TargetInRow, rows: Sequence[Row], base: str, wide: int) -> Column:
    cells = {
        row.key: _cell(line, base)
        for row in rows
        for line in row.lines
        if line.target == target and line.time.known and base in line.ratios
    }  # fmt: skip
    return Column(
        target.name, _head(target.base.partition(":")[2] or target.base, wide), cells, target.level
    )


def _cell(line: Line, base: str) -> PostedCell:
    judged: Judgement | None = line.judgements.get(base)
    total = line.requests.total if line.requests else None
    engaged = line.verdict == Verdict.ENGAGED
    finding = finding_of(line.ratios[base], judged)
    return PostedCell(line.time, total, line.ratios[base], finding, engaged, line.control)


def finding_of(ratio: Estimate, judged: Judgement | None) -> Finding | None:
    """What may be said of a ratio; where nothing was passed through it still can take more."""
    if judged is None or judged.finding is not Finding.NOT_ENGAGED:
        return judged.finding if judged else None
    dearer = ratio.has_interval and ratio.low > 1
    return Finding.SLOWER if dearer else Finding.NOT_ENGAGED


def _base_cells(rows: Sequence[Row], base: str, kernel: str) -> dict[RowKey, PostedCell]:
    return {
        row.key: PostedCell(line.time, line.requests.total if line.requests else None)
        for row in rows
        for line in row.lines
        if (line.target.base, line.target.kernel) == (base, kernel) and line.time.known
    }


def _head(name: str, wide: int = 13) -> tuple[str, ...]:
    """``attach-getattr`` in two lines of a column's width."""
    first, dash, rest = name.partition("-")
    return ("", name) if len(name) <= wide else (first + dash, rest[:12])
