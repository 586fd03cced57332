"""Which costs of requests a projection takes: from stacks only where they halve the back-test's error."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from bench.report.studies.predictions import (
    ALL,
    GETATTR,
    LOOKUP,
    READDIR,
    READDIRPLUS,
    CostComparison,
    Passthrough,
    Prediction,
    Projections,
    median_error,
)
from bench.report.studies.request_costs import RequestCost

Key = tuple[str, str, str, str]
"""Passthrough, row, base, and who was measured."""


def chosen(by_rows: Projections, by_stacks: Projections) -> Projections:
    """The projection, passthrough by passthrough; one that nobody has goes by all that somebody has."""
    compared = [
        one
        for what in (GETATTR, READDIR, LOOKUP, ALL)
        if (one := _compared(what, by_rows, by_stacks))
    ]
    halved = {one.what for one in compared if one.halved}
    if compared and len(halved) == len(compared):
        halved.add(READDIRPLUS)
    predictions = list(_merged(by_rows, by_stacks, halved))
    return Projections(
        by_rows.kernel,
        predictions,
        {**_used(by_rows, predictions), **_used(by_stacks, predictions)},
        {said: whats for said, whats in by_rows.missing.items() if whats - halved}
        | {said: whats for said, whats in by_stacks.missing.items() if whats & halved},
        compared,
    )


def _compared(
    what: Passthrough, by_rows: Projections, by_stacks: Projections
) -> CostComparison | None:
    """On the rows that both predict and that do not lie outside the model."""
    rows, stacks = (
        {_key(one): one for one in found.of(what) if math.isfinite(one.error) and not one.mark}
        for found in (by_rows, by_stacks)
    )
    both = [key for key in rows if key in stacks]
    if not both:
        return None
    errors = (median_error([found[key] for key in both]) for found in (rows, stacks))
    return CostComparison(what, len(both), *errors)


def _merged(
    by_rows: Projections, by_stacks: Projections, halved: set[Passthrough]
) -> Iterator[Prediction]:
    """Every row once; where stacks are preferred and lack one, as before."""
    better = {_key(one): one for one in by_stacks.predictions if one.what in halved}
    for one in by_rows.predictions:
        yield better.pop(_key(one), one)
    yield from better.values()


def _used(
    found: Projections, predictions: list[Prediction]
) -> Mapping[tuple[str, str, str], RequestCost]:
    told = {(one.base, said) for one in predictions for said in one.costs}
    return {
        key: cost
        for key, cost in found.costs.items()
        if (key[0], f"{key[1]} by {cost.said}") in told
    }


def _key(one: Prediction) -> Key:
    return one.what.name, one.row.slug, one.base, one.target
