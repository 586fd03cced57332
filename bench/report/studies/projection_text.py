"""Projection as plain text of at most 72 columns, fit for a mail; its words for pages and charts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.report import units
from bench.report.studies.predictions import (
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
from bench.report.studies.request_costs import CostSource

HEADINGS = {
    GETATTR: "getattr passthrough, from {base}: back-test",
    READDIR: "readdir + getattr passthrough, from {base}: back-test",
    LOOKUP: "LOOKUP passthrough on top of {base}: projection",
    ALL: "readdir + getattr + LOOKUP passthrough, from {base}: projection",
    READDIRPLUS: "READDIRPLUS + getattr passthrough, which nobody has, from {base}",
}


def lines(found: Projections) -> Iterator[str]:
    """All of one kernel."""
    kernel = f" on kernel {found.kernel}" if found.kernel else ""
    yield f"Projection{kernel}: {units.quantity().noun} per op of passthroughs"
    yield ""
    for said in method(found):
        yield from units.wrapped(said)
    for made in groups(found):
        yield ""
        yield from units.wrapped(heading(made), 2)
        band = "" if made[0].what.exists else "range"
        yield _line("", "before", "predicted", band, "measured", "error")
        for one in made:
            yield from _prediction(found, one)
    yield from _costs(found)
    for said in missing(found):
        yield ""
        yield from units.wrapped(said, 2)


def groups(found: Projections) -> list[list[Prediction]]:
    """Predictions of one passthrough and from one base together, the existing ones first."""
    made: dict[tuple[str, str], list[Prediction]] = {}
    for what in HEADINGS:
        for one in found.of(what):
            made.setdefault((what.name, one.base), []).append(one)
    return list(made.values())


def heading(made: Sequence[Prediction]) -> str:
    """What a group is."""
    return HEADINGS[made[0].what].format(base=made[0].base)


def method(found: Projections) -> list[str]:
    """How it was predicted, and how far that errs: a sentence or two each."""
    return [
        "predicted = measured - requests saved x cost of a request + what the nearest in-kernel "
        "relative spends in their place; error = predicted / measured - 1. No cost is taken from "
        "the target predicted. Left out: what a passthrough does that its relative need not, as "
        "keeping FUSE's copy of the attributes up to date.",
        f"{_tested(found)} The range is what a prediction comes to that errs no more than that.",
        *_marked(found),
        *_held(found),
        *_compared(found),
    ]


def _tested(found: Projections) -> str:
    tested = found.tested()
    if not tested:
        return "Back-test: this run has none, so how far the method errs is not known here."
    return f"Back-test, {units.times(len(tested), 'row')}: {_errors(tested)}."


def _marked(found: Projections) -> Iterator[str]:
    for mark, why in MARKS.items():
        made = found.marked(mark)
        if made:
            yield (
                f"{units.times(len(made), 'row')} marked {mark}, outside the model and of these "
                f"numbers: {why}. There {_errors(made)}."
            )


def _held(found: Projections) -> Iterator[str]:
    """Projections that somebody's experiment can be held against, beside those nobody has."""
    for what in (LOOKUP, ALL):
        made = [one for one in found.of(what) if math.isfinite(one.error)]
        if made:
            bands = ((found.band(one.predicted), one.measured) for one in made)
            inside = sum(low <= m.value <= high for (low, high), m in bands if m)
            yield (
                f"Projection of {what.name} passthrough, held against "
                f"{units.listing(dict.fromkeys(one.target for one in made))}, "
                f"{units.times(len(made), 'row')}: {_errors(made)}; {inside} of {len(made)} lie in "
                "their range."
            )


def _compared(found: Projections) -> Iterator[str]:
    """Where costs come from, passthrough by passthrough, if the run has profiles."""
    for one in found.compared:
        doubt = "which halves it" if one.halved else "which does not halve it: not used"
        yield (
            f"Costs of requests by {CostSource.STACKS}, {one.what.name} passthrough, "
            f"{units.times(one.rows, 'row')}: the error is {_percent(one.by_stacks, '')} in the "
            f"median, by {CostSource.ROWS} {_percent(one.by_rows, '')}, {doubt}."
        )


def _errors(made: Sequence[Prediction]) -> str:
    """In the median, of the cost and of what is saved, and the ends."""
    ordered = sorted(made, key=lambda one: one.error)
    worst = dict.fromkeys(f"{_percent(p.error)} ({p.row.name})" for p in (ordered[0], ordered[-1]))
    return f"the error is {_sizes(made)}; at worst {units.listing(worst)}"


def _sizes(made: Sequence[Prediction]) -> str:
    """The usual error of the cost, and of what is saved."""
    saving = median_saving_error(made)
    of_saving = f", {_percent(saving, '')} of what is saved," if math.isfinite(saving) else ""
    return f"{_percent(median_error(made), '')} of the cost{of_saving} in the median"


def _costs(found: Projections) -> Iterator[str]:
    for base in dict.fromkeys(base for base, _, _ in found.costs):
        yield ""
        yield from units.wrapped(f"{base}: cost of a request, in the kernel instead, by row", 2)
        for opcode, request, kernel, row in costs_of(found, base):
            yield f"  {opcode:<11} {request:>7} {kernel:>7}  {row}"


def costs_of(found: Projections, base: str) -> list[tuple[str, str, str, str]]:
    """Opcode, cost of a request, cost in the kernel, and the row both were taken from."""
    return [
        (opcode, units.duration(cost.request), units.duration(cost.kernel), cost.said)
        for (name, opcode, _), cost in found.costs.items()
        if name == base
    ]


def missing(found: Projections) -> list[str]:
    """What was not predicted, and for want of what."""
    return [f"cannot predict: no measured cost for {wanted}" for wanted in found.missing]


def _prediction(found: Projections, one: Prediction) -> Iterator[str]:
    predicted = units.duration(one.predicted) if one.possible else "< native"
    low, high = found.band(one.predicted)
    band = f"{_short(low)}-{_short(high)}" if one.possible and not one.what.exists else ""
    measured = units.duration(one.measured.value) if one.measured else ""
    error = f"{100 * one.error:+.0f}%{one.mark}" if math.isfinite(one.error) else ""
    level = one.target.partition(":")[2].removesuffix(":no-readdir")
    if one.what.exists:
        band = level
    yield from units.wrapped(f"  {one.row.name}", 4)
    yield _line("", units.duration(one.start), predicted, band, measured, error)


def _percent(share: float, sign: str = "+") -> str:
    return f"{100 * share:{sign}.0f} %"


def _short(value: float) -> str:
    return units.duration(value).replace(" ", "") if math.isfinite(value) else ""


def _line(name: str, start: str, predicted: str, band: str, measured: str, error: str) -> str:
    return f"  {name:<20} {start:>8} {predicted:>9} {band:>14} {measured:>8} {error:>6}".rstrip()
