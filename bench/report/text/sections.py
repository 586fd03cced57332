"""Break-even and projection as plain text of at most 72 columns, fit for a mail."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.report import units
from bench.report.row import Row
from bench.report.studies import projection_text
from bench.report.studies.answer import answer, ratio_said
from bench.report.studies.breakeven import Study, studies
from bench.report.studies.crossing import Crossing, crossings
from bench.report.studies.projection import projections
from bench.report.text import kernels_beside
from bench.stats.frame import Run

NAME = 26
"""Columns of a name; a longer one stands on a line of its own."""
BESIDE = 5
"""Numbers that fit beside it."""


def sections(run: Run, rows: Sequence[Row]) -> list[str]:
    """All lines, the answer first, then kernels side by side; empty where a run has nothing to say."""
    found, projected = studies(run), projections(run, rows)
    lines = [*answered, ""] if (answered := answer(run, rows)) else []
    lines += [*beside, ""] if (beside := kernels_beside.lines(rows)) else []
    if found:
        lines += ["Break-even: cost per listed entry by the share then stat'ed", ""]
        lines += [line for study in found for line in (*_study(study), "")]
    for one in projected:
        lines += [*projection_text.lines(one), ""]
    return [units.ascii_only(line) for line in lines]


def _study(study: Study) -> Iterator[str]:
    yield from units.wrapped(study.said, 2)
    shares = study.fractions
    yield _cells("", [f"{100 * share:g} %" for share in shares])
    for name in study.shown:
        costs = [units.duration(study.cost(name, share).value) for share in shares]
        yield from _named(name, costs)
    for said in meetings(study):
        yield from units.wrapped(f"  {said}", 4)


def meetings(study: Study) -> list[str]:
    """Where every challenger's curve meets those it is to be held against, in words."""
    return [
        f"{met.challenger} / {met.opponent}: {_met(study, met)}"
        for met in crossings(study)
        if _worth_a_line(study, met)
    ]


def _worth_a_line(study: Study, met: Crossing) -> bool:
    """Against servers without passthrough, and against the challenger's own without that of readdir."""
    challenger, opponent = study.traits[met.challenger], study.traits[met.opponent]
    same = (opponent.daemon, opponent.level) == (challenger.daemon, challenger.level)
    return met.challenger in study.shown and (opponent.plain or same)


def _met(study: Study, met: Crossing) -> str:
    if not met.n or math.isnan(met.value):
        return met.note
    ratio = ratio_said(study.ratio(met.challenger, met.opponent, study.fractions[-1]))
    note = f" ({met.note})" if not met.has_interval else ""
    if met.has_interval and met.low != met.value:
        note = f" [{met.cheaper(met.low)}, {met.cheaper(met.high)}]"
    if met.crosses:
        side = "below" if met.rising else "above"
        return f"less {side} {met.cheaper(met.value)}{note}; all stat'ed {ratio}"
    return f"{met.cheaper(met.value)} less{note}; all stat'ed {ratio}"


def _named(name: str, cells: Sequence[str]) -> Iterator[str]:
    if len(name) <= NAME and len(cells) <= BESIDE:
        yield _cells(name, cells)
    else:
        yield f"  {name}"
        yield _cells("", cells)


def _cells(name: str, cells: Sequence[str]) -> str:
    if len(cells) > BESIDE:
        return "".join(f"{cell:>8}" for cell in cells)
    return f"  {name:<{NAME}}{''.join(f'{cell:>8}' for cell in cells)}".rstrip()
