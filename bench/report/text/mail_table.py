"""The table of a mail: rows by level, what gets slower, and how sure its ratios are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.axes.rowkey import RowKey
from bench.report import shortnames, units
from bench.report.posting import Column, PostedCell, Posting
from bench.stats.estimates import Estimate
from bench.stats.verdicts import Finding

WIDTH = 72
BOTH = (Finding.FASTER, Finding.SLOWER)
SAID = (*BOTH, Finding.NOT_ENGAGED)
"""Findings that need no mark: nothing passed through is no doubt about the number."""
MOST_SLOWER = 3
NARROW = 0.005
"""Half width of a ratio below which its range changes no digit that is told."""


@dataclass(frozen=True)
class MailTable:
    """A heading and its rows."""

    head: list[str]
    rows: list[list[str]]
    """A line each, two where a name is long."""


def table(made: Posting) -> MailTable:
    """Headline rows, a column for the base and one for each target."""
    grid = MailGrid.of(made)
    return MailTable(grid.head(made), [grid.row(made, key) for key in made.headline.keys])


def slower(made: Posting, most: int = MOST_SLOWER) -> list[str]:
    """The worst row of each workload that was shown to take more, the worst ``most`` of these; that there is
    none, in a line."""
    what = units.quantity()
    worst = _worst(made)
    if not worst:
        return [f"{_verb()} {what.above}: no row was shown to."]
    keys = sorted(worst.values(), key=lambda key: -_most(made, key))
    shown = keys[:most]
    grid = replace(MailGrid.of(made), ratios=True)
    count = sum(
        any(col.cells[key].more for col in _main(made) if key in col.cells) for key in made.keys
    )
    some = f"worst of {len(shown)} of {units.times(len(keys), 'workload')}"
    title = f"{_verb()} {what.above} ({units.times(count, 'row')}; {some}):"
    return [title, *(line for key in shown for line in grid.row(made, key))]


def _shown(made: Posting) -> list[RowKey]:
    """Every row that is printed."""
    worst = sorted(_worst(made).values(), key=lambda key: -_most(made, key))
    return [*made.headline.keys, *worst[:MOST_SLOWER]]


def _verb() -> str:
    return "What needs" if units.quantity() is units.INSTRUCTIONS else "What gets"


def _main(made: Posting) -> list[Column]:
    return [column for column in made.columns if not column.beside]


def _worst(made: Posting) -> Mapping[str, RowKey]:
    found: dict[str, RowKey] = {}
    for key in made.keys:
        if any(key in col.cells and col.cells[key].more for col in _main(made)):
            before = found.get(key.workload)
            if before is None or _most(made, key) > _most(made, before):
                found[key.workload] = key
    return found


def _most(made: Posting, key: RowKey) -> float:
    cells = [col.cells[key] for col in _main(made) if key in col.cells]
    return max(cell.ratio.value for cell in cells if cell.more and cell.ratio)


@dataclass(frozen=True)
class MailGrid:
    """Widths of a table, and what its cells are."""

    label: int
    width: int
    beside: int
    """Width of a column that stands beside, of ratios alone."""
    extra: int
    """Width of the ratio's column, where one column alone is held against the base; else 0."""
    ratios: bool
    """Whether cells are ratios to the base."""

    @property
    def alone(self) -> bool:
        """One column beside the base: its ratio stands in a column of its own."""
        return self.extra > 0

    @classmethod
    def of(cls, made: Posting) -> MailGrid:
        """As wide as what is in it."""
        main, shown = _main(made), _shown(made)
        others = [column for column in made.columns if column.beside]
        cells = _in(shown, [made.base, *main])
        width = _widest([*map(value, cells), *_words([made.base, *main])])
        beside = _widest([*map(times, _in(shown, others)), *_words(others)]) if others else 0
        extra = _widest([times(cell, ends=True) for cell in _in(shown, main)])
        extra = extra if len(main) == 1 else 0
        label = WIDTH - width * (1 + len(main)) - beside * len(others) - extra
        return cls(max(label, 12), width, beside, extra, False)

    def head(self, made: Posting) -> list[str]:
        """Names of the columns in two lines, and a rule."""
        columns = [made.base.head]
        for column in made.columns:
            columns += [column.head, *([("", "ratio")] if self.alone and not column.beside else [])]
        heads = [
            ("", "") if not head else (head if len(head) > 1 else ("", *head)) for head in columns
        ]
        lines = [
            self._line(made, word, [h[at] for h in heads]) for at, word in ((0, ""), (1, "op"))
        ]
        return [*(line for line in lines if line.strip()), "-" * WIDTH]

    def row(self, made: Posting, key: RowKey) -> list[str]:
        """One row of it."""
        name = shortnames.short(key)
        base, *others = _cells(made, key)
        cells = [value(base) if base else "-"]
        for column, cell in zip(made.columns, others, strict=True):
            if cell is None:
                cells += ["-", "-"] if self.alone and not column.beside else ["-"]
            elif column.beside or (self.ratios and not self.alone):
                cells.append(times(cell))
            else:
                cells.append(value(cell))
                cells += [times(cell, ends=True)] if self.alone else []
        line = self._line(made, name, cells)
        return [line] if len(name) <= self.label else [name, self._line(made, "", cells)]

    def _line(self, made: Posting, name: str, cells: Sequence[str]) -> str:
        widths = [self.width]
        for column in made.columns:
            main = [self.width, self.extra] if self.alone else [self.width]
            widths += [self.beside] if column.beside else main
        told = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        return f"{name:<{self.label}}{told}".rstrip()


def _in(keys: Sequence[RowKey], columns: Sequence[Column]) -> list[PostedCell]:
    """What there is of these rows in these columns."""
    return [column.cells[key] for key in keys for column in columns if key in column.cells]


def _words(columns: Sequence[Column]) -> list[str]:
    return [word for column in columns for word in column.head]


def _widest(parts: Sequence[str]) -> int:
    """The width of a column of these, a blank ahead of each."""
    return max(map(len, parts), default=8) + 1


def _cells(made: Posting, key: RowKey) -> list[PostedCell | None]:
    return [column.cells.get(key) for column in (made.base, *made.columns)]


def value(cell: PostedCell) -> str:
    """``62.2k (3.1)``: what it takes, and its requests; ~ where it was not shown to differ."""
    mark = "~" if cell.finding and cell.finding not in SAID else ""
    asked = "" if cell.requests is None else f" ({requests(cell.requests)})"
    return f"{mark}{units.duration(cell.time.value).replace(' ', '')}{asked}"


def requests(count: float) -> str:
    """In as few characters as say something; 0 is none at all."""
    if not count:
        return "0"
    if count < 0.095:
        return f"{count:.2f}"[1:] if count >= 0.005 else "<.01"
    return f"{count:.1f}".removesuffix(".0").removeprefix("0") if count < 9.95 else f"{count:.0f}"


def times(cell: PostedCell, ends: bool = False) -> str:
    """``x 1.92``; its range where that is wider than the last digit."""
    if cell.ratio is None or not cell.ratio.known:
        return "-"
    if cell.finding and cell.finding not in SAID:
        return f"~ {units.ratio(cell.ratio.value)}"
    said = f"x {units.ratio(cell.ratio.value)}"
    return f"{said} {_range(cell.ratio)}".rstrip() if ends else said


def _range(ratio: Estimate) -> str:
    if not ratio.has_interval:
        return ""
    middle, *outer = (units.ratio(end, ratio.value) for end in (ratio.value, ratio.low, ratio.high))
    return f"[{','.join(outer)}]" if set(outer) - {middle} else ""


def certainty(made: Posting) -> str:
    """How wide the ratios' intervals are; what ~ means where it stands."""
    cells = [
        column.cells[key]
        for column in made.columns
        for key in dict.fromkeys(_shown(made))
        if key in column.cells
    ]
    wide = sorted(cell.ratio.half_width for cell in cells if cell.ratio and cell.ratio.has_interval)
    unsure = any(cell.finding and cell.finding not in SAID for cell in cells)
    marks = ["~: not shown to differ"] if unsure else []
    if wide:
        counting = units.quantity() is units.INSTRUCTIONS
        what = (
            "Ratios above, over boots and an A/A pair"
            if counting
            else "Ratios above, 95 % intervals"
        )
        middle, worst = percent(wide[len(wide) // 2]), percent(wide[-1])
        marks.insert(0, f"{what}: +-{middle} in the middle, +-{worst} at worst")
    return "; ".join(marks)


def percent(share: float) -> str:
    """``0.02 %``, ``2 %``."""
    return f"{units.digits(100 * share, 1)} %"


def controls(made: Posting) -> str:
    """Rows that no level touches, and how many of them moved."""
    cells = [cell for column in made.columns for cell in column.cells.values() if cell.control]
    if not cells:
        return ""
    moved = sum(cell.finding in BOTH or cell.finding is Finding.IMPLAUSIBLE for cell in cells)
    return (
        f"Of {units.times(len(cells), 'control')}, which no level touches, {moved or 'none'} moved"
    )
