"""What the kernels of a run make of its headline rows, in a few lines of a mail: cheap, dear, one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.model import Level
from bench.report import shortnames, units
from bench.report.posting import Column, Posting
from bench.report.row import Line, Row
from bench.report.text.kernels_beside import beside

MOST = 6
"""Rows told of."""


def lines(rows: Sequence[Row], made: Posting) -> list[str]:
    """``By kernel (cheap, dear), attach-lookup by plain-c: fstat 0 x .139 .204; …``; none of one."""
    column = _column(made)
    if column is None:
        return []
    base = column.name.partition("@")[0]
    by_key = {row.key: beside(row).get(base, {}) for row in rows}
    told = [key for key in made.headline.keys if by_key.get(key)][:MOST]
    kernels = list(dict.fromkeys(kernel for key in told for kernel in by_key[key]))
    if len(kernels) < 2:
        return []
    said = "; ".join(
        f"{shortnames.short(key)} x {' '.join(_ratio(by_key[key], kernel) for kernel in kernels)}"
        for key in told
    )
    against = made.base.name.partition("@")[0]
    return units.wrapped(
        f"By kernel ({', '.join(kernels)}), {column.level} by {against} on the same: {said}.", 2
    )


def _column(made: Posting) -> Column | None:
    """The level that was posted, where it was measured; else the highest."""
    told = [column for column in made.columns if not column.beside]
    posted = [column for column in told if column.level == Level.ATTACH_LOOKUP]
    return next(iter(posted or told[-1:]), None)


def _ratio(on: Mapping[str, Line], kernel: str) -> str:
    ratio = on[kernel].ratio if kernel in on else None
    return units.ratio(ratio.value).removeprefix("0") if ratio and ratio.known else "-"
