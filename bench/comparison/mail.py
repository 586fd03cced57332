"""The mail of a kernel pair: patched against base, same server, in at most 45 lines of 72 columns."""

from __future__ import annotations

from bench.axes.rowkey import RowKey
from bench.comparison.compare import Compared, Comparison, compare
from bench.comparison.header import entries, kernel_labels, parameters
from bench.comparison.sides import Side, SideRow, of_kernel
from bench.model import Level, UserError, Verdict
from bench.report import headlines, units
from bench.report.posting import Column, PostedCell, Posting
from bench.report.text import mail as lines
from bench.stats.frame import Run, load

CONTROL = "plain-c"
"""The server that passes nothing through: what changed beside the patches shows in it."""


def is_pair(run: Run) -> bool:
    """Whether a run has a base and a patched kernel of its own, and no third."""
    return len(kernel_labels(run.about)) == 2


def of_run(run: Run, target: str = "") -> str:
    """The mail of a run with two kernels: its last against its first."""
    base, patched = (
        of_kernel(f"{run.name}@{label}", run, f"@{label}") for label in kernel_labels(run.about)
    )
    return block(compare(base, patched, 1.0, frozenset()), run, target)


def of_sides(made: Comparison, target: str = "") -> str:
    """The mail of a comparison; raises UserError where its sides are no runs."""
    if not (made.patched.origin / "run.json").is_file():
        raise UserError(f"{made.patched.name}: --mail is of runs, and this is one series")
    return block(made, load(made.patched.origin), target)


def block(made: Comparison, run: Run, target: str = "") -> str:
    """The mail of what was compared already; facts and costs are those of ``run``."""
    units.measure_in(made.base.clock)
    return lines.mail(run, posting(made, target))


def posting(made: Comparison, target: str = "") -> Posting:
    """Base, patched and their ratio for one server, the control's ratio beside it."""
    server = target or _server(made)
    rows = _rows_of(made, server)
    if not rows:
        known = ", ".join(sorted({row.key.target for row in made.rows})) or "none"
        raise UserError(f"no target {server} on both sides; there is {known}")
    base = Column(
        server,
        ("", _label(made, made.base)),
        _side(made.base, rows),
        target=server + made.base.part,
    )
    told = {key: _cell(row, made.patched.rows[row.key]) for key, row in rows.items()}
    level = max((made.patched.rows[row.key].level for row in rows.values()), key=_rank)
    name = server + made.patched.part
    columns = [Column(server, ("", _label(made, made.patched)), told, level, target=name)]
    if server != CONTROL and (still := _rows_of(made, CONTROL)):
        cells = {key: _cell(row, made.patched.rows[row.key]) for key, row in still.items()}
        columns.append(Column(CONTROL, (CONTROL, "ratio"), cells, beside=True))
    headline = headlines.headline(made.patched.about, list(rows))
    return Posting(_claim(made, server), base, tuple(columns), headline, notes=_notes(made, level))


def _server(made: Comparison) -> str:
    """Which server to tell of: in C before Python, then the highest level on the patched kernel."""
    about = entries(made.patched.about, "targets")
    bare = {str(entry.get("name")).partition("@")[0]: entry for entry in about}
    levels: dict[str, int] = {}
    for row in made.rows:
        entry = bare.get(row.key.target, {})
        if row.key.target and entry.get("kind", "fuse") == "fuse":
            rank = _rank(made.patched.rows[row.key].level)
            levels[row.key.target] = max(rank, levels.get(row.key.target, -1))
    python = {name for name in levels if bare.get(name, {}).get("python")}
    return max(sorted(levels), key=lambda name: (name not in python, levels[name]), default="")


def _rank(level: str) -> int:
    return Level(level).rank if level in set(Level) else -1


def _rows_of(made: Comparison, server: str) -> dict[RowKey, Compared]:
    return {
        row.key.row: row
        for row in made.rows
        if row.key.target == server and row.key.row is not None
    }


def _side(side: Side, rows: dict[RowKey, Compared]) -> dict[RowKey, PostedCell]:
    return {key: PostedCell(row.base, side.rows[row.key].requests) for key, row in rows.items()}


def _cell(row: Compared, patched: SideRow) -> PostedCell:
    engaged = Verdict.ENGAGED in patched.verdicts
    return PostedCell(row.patched, patched.requests, row.ratio, row.judgement.finding, engaged)


def _label(made: Comparison, side: Side) -> str:
    """What the mail calls a side: a kernel by its label, ``base`` or ``patched`` of two runs."""
    other = made.base if side is made.patched else made.patched
    if side.part.startswith("@") and side.part != other.part:
        return side.part[1:]
    return "base" if side is made.base else "patched"


def _claim(made: Comparison, server: str) -> str:
    base, patched = (_label(made, side) for side in (made.base, made.patched))
    return (
        f"{patched} against {base}, same server ({server}): FUSE metadata, {units.quantity().noun} per "
        "operation, less is better; (n): requests."
    )


def _kernel(side: Side) -> str:
    """``Linux 6.12.117-fuselab (fuse.iops=mainline)``."""
    given = parameters(side.about, side.part.removeprefix("@"))
    return f"Linux {side.release} ({given})" if given else f"Linux {side.release}"


def _notes(made: Comparison, level: str) -> tuple[str, ...]:
    before = max((row.level for row in made.base.rows.values()), key=_rank, default="")
    kernels = [
        f"{_label(made, side)}: {_kernel(side)}"
        for side in (made.base, made.patched)
        if side.release
    ]
    how = "Paired boot by boot" if made.paired else "Two separate runs, not paired"
    said = [f"{how}; {units.listing(kernels)}" if kernels else how]
    if made.allowed:
        said.append(
            f"They differ in {units.listing(dict.fromkeys(one.what for one in made.allowed))}, too"
        )
    if before != level:
        old, new = _label(made, made.base), _label(made, made.patched)
        said.append(f"Level {before or 'unknown'} on {old}, {level} on {new}")
    return tuple(said)
