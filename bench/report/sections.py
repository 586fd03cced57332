"""Break-even and projection as plain text of at most 72 columns, fit for a mail."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.frame import Run
from bench.report import units
from bench.report.answer import answer, ratio_said
from bench.report.breakeven import Study, studies
from bench.report.crossing import Crossing, crossings
from bench.report.predictions import (
    ALL,
    GETATTR,
    LOOKUP,
    MARKS,
    READDIR,
    READDIRPLUS,
    Prediction,
    Projections,
    median_error,
    median_saving_error,
)
from bench.report.projection import projections
from bench.report.rows import Row

WIDTH = 72
NAME = 26
"""Columns of a name; a longer one stands on a line of its own."""
HEADINGS = {
    GETATTR: "getattr passthrough, from {base}: back-test",
    READDIR: "readdir + getattr passthrough, from {base}: back-test",
    LOOKUP: "LOOKUP passthrough on top of {base}: projection",
    ALL: "readdir + getattr + LOOKUP passthrough, from {base}: projection",
    READDIRPLUS: "READDIRPLUS + getattr passthrough, which nobody has, from {base}",
}


def sections(run: Run, rows: Sequence[Row]) -> list[str]:
    """All lines, the answer first; empty where a run has nothing to say about either."""
    found, projected = studies(run), projections(run, rows)
    lines = [line for text in answer(run, rows) for line in (*_wrap(text), "")]
    if found:
        lines += ["Break-even: cost per listed entry by the share then stat'ed", ""]
        lines += [line for study in found for line in (*_study(study), "")]
    for one in projected:
        lines += [*_projections(one), ""]
    return [units.ascii_only(line) for line in lines]


def _study(study: Study) -> Iterator[str]:
    yield from _wrap(study.setting.said, 2)
    shares = study.fractions
    yield _cells("", [f"{100 * share:g} %" for share in shares])
    for name in study.shown:
        costs = [units.duration(study.cost(name, share).value) for share in shares]
        yield from _named(name, costs)
    for said in meetings(study):
        yield from _wrap(f"  {said}", 4)


def meetings(study: Study) -> list[str]:
    """Where every challenger's curve meets those it is to be held against, in words."""
    return [
        f"{met.challenger} / {met.opponent}: {_met(study, met)}"
        for met in crossings(study)
        if _worth_a_line(study, met)
    ]


def _worth_a_line(study: Study, met: Crossing) -> bool:
    """Against servers without passthrough, and against the challenger's own without that of readdir."""
    challenger, opponent = study.ways[met.challenger], study.ways[met.opponent]
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


def _projections(found: Projections) -> Iterator[str]:
    kernel = f" on kernel {found.kernel}" if found.kernel else ""
    yield f"Projection{kernel}: {units.quantity().noun} per op of passthroughs"
    yield ""
    for said in method(found):
        yield from _wrap(said)
    for what, heading in HEADINGS.items():
        made = found.of(what)
        if made:
            yield ""
            yield from _wrap(heading.format(base=bases(made)), 2)
            yield _line(
                "", "before", "predicted", "range" if not what.exists else "", "measured", "error"
            )
            alike = Counter((one.target, prediction_name(one)) for one in made)
            for one in made:
                if alike[one.target, prediction_name(one)] > 1:
                    yield from _wrap(f"  {one.row.cache}, timeouts {one.row.timeouts}:", 4)
                yield from _prediction(found, one)
    for said in (*costs_said(found), *missing(found)):
        yield ""
        yield from _wrap(said, 2)


def bases(made: Sequence[Prediction]) -> str:
    """Who was predicted from, each once."""
    return units.listing(dict.fromkeys(one.base for one in made))


def method(found: Projections) -> list[str]:
    """How it was predicted, and how far that errs: a sentence or two each."""
    return [
        "predicted = measured - requests saved x cost of a request + what the nearest in-kernel "
        "relative spends in their place; error = predicted / measured - 1. No cost is taken from "
        "the target predicted. Left out: what a passthrough does that its relative need not, as "
        "keeping FUSE's copy of the attributes up to date.",
        f"{_tested(found)} The range is what a prediction comes to that errs no more than that.",
        *_marked(found),
    ]


def _tested(found: Projections) -> str:
    tested = found.tested()
    if not tested:
        return "Back-test: this run has none, so how far the method errs is not known here."
    worst = dict.fromkeys(f"{_percent(p.error)} ({p.row.name})" for p in (tested[0], tested[-1]))
    return (
        f"Back-test, {units.times(len(tested), 'row')}: the error is {_sizes(tested)}; at worst "
        f"{units.listing(worst)}."
    )


def _marked(found: Projections) -> Iterator[str]:
    for mark, why in MARKS.items():
        made = found.marked(mark)
        if made:
            worst = max(made, key=lambda one: abs(one.error))
            yield (
                f"{units.times(len(made), 'row')} marked {mark}, outside the model and of these "
                f"numbers: {why}. The error is {_sizes(made)}; at worst "
                f"{_percent(worst.error)} ({worst.row.name})."
            )


def _sizes(made: Sequence[Prediction]) -> str:
    """The usual error of the cost, and of what is saved."""
    saving = median_saving_error(made)
    of_saving = f", {_percent(saving, '')} of what is saved," if math.isfinite(saving) else ""
    return f"{_percent(median_error(made), '')} of the cost{of_saving} in the median"


def costs_said(found: Projections) -> list[str]:
    """What each request was taken to cost, on each server, and from which row."""
    told: dict[str, list[str]] = {}
    for (base, opcode, names), cost in found.costs.items():
        kernel = f", {units.duration(cost.kernel)} in the kernel" if cost.kernel >= 0 else ""
        told.setdefault(base, []).append(
            f"{opcode} ({names}) {units.duration(cost.request)}{kernel}, by {cost.row.name}"
        )
    return [f"Cost of a request to {base}: {'; '.join(each)}." for base, each in told.items()]


def missing(found: Projections) -> list[str]:
    """What was not predicted, and for want of what."""
    return [f"not predicted for want of a cost: {wanted}" for wanted in found.missing]


def prediction_name(one: Prediction) -> str:
    """``list-stat/10 n1000``."""
    return f"{one.row.name}{f' n{one.row.entries}' if one.row.entries else ''}"


def _prediction(found: Projections, one: Prediction) -> Iterator[str]:
    predicted = units.duration(one.predicted) if one.possible else "< native"
    low, high = found.band(one.predicted)
    band = f"{_short(low)}-{_short(high)}" if one.possible and not one.what.exists else ""
    measured = units.duration(one.measured.value) if one.measured else ""
    error = f"{100 * one.error:+.0f}%{one.mark}" if math.isfinite(one.error) else ""
    level = one.target.partition(":")[2].removesuffix(":no-readdir")
    if one.what.exists:
        band = level
    yield _line(prediction_name(one), units.duration(one.start), predicted, band, measured, error)


def _percent(share: float, sign: str = "+") -> str:
    return f"{100 * share:{sign}.0f} %"


def _short(value: float) -> str:
    return units.duration(value).replace(" ", "") if math.isfinite(value) else ""


def _line(name: str, start: str, predicted: str, band: str, measured: str, error: str) -> str:
    return f"  {name:<20} {start:>8} {predicted:>9} {band:>14} {measured:>8} {error:>6}".rstrip()


def _named(name: str, cells: Sequence[str]) -> Iterator[str]:
    if len(name) <= NAME:
        yield _cells(name, cells)
    else:
        yield f"  {name}"
        yield _cells("", cells)


def _cells(name: str, cells: Sequence[str]) -> str:
    return f"  {name:<{NAME}}{''.join(f'{cell:>8}' for cell in cells)}".rstrip()


def _wrap(text: str, indent: int = 0) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)
