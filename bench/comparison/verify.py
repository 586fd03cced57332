"""Somebody's run and one of our own, held together by ratios to the baseline of each.

Times of two machines are not compared: a ratio to the baseline, paired by round within its own
run, is what a posting claims and what another machine can bear out.
"""

from __future__ import annotations

import filecmp
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.comparison import unlike
from bench.comparison.header import kernel_labels
from bench.comparison.shapes import WIDTH, Line, wrapped
from bench.comparison.sides import MatchKey, Side, SideRow, refuse_empty, whole
from bench.model import Clock, Exit, UserError
from bench.report import units
from bench.report.targets import baselines
from bench.stats.equivalence import (
    Answer,
    Equivalence,
    answers,
    by_range,
    by_test,
    overall,
    unknown,
)
from bench.stats.estimates import Estimate, paired_ratio
from bench.stats.frame import load

CODES = {Answer.CONFIRMED: 0, Answer.CONTRADICTED: 1, Answer.CANNOT_TELL: int(Exit.NOTHING)}
STYLES = {Answer.CONFIRMED: "green", Answer.CONTRADICTED: "red"}
NAME = 24


@dataclass(frozen=True)
class Verified:
    """One ratio: theirs, ours, and what the two say of one another."""

    key: MatchKey
    baseline: str
    theirs: Estimate
    ours: Estimate
    test: Equivalence
    answer: Answer


@dataclass(frozen=True)
class Verification:
    """All ratios of their run, the answer to the whole, and in what the machines differ."""

    theirs: Side
    ours: Side
    margin: float
    rows: tuple[Verified, ...]
    answer: Answer
    differences: tuple[str, ...]


def verify(theirs_dir: Path, ours_dir: Path, margin: float) -> Verification:
    """Judge a run of theirs by one of ours; raises UserError where they cannot be of one thing."""
    their_run = load(theirs_dir)
    if _same_trials(theirs_dir, ours_dir):
        raise UserError(f"{ours_dir} is the very run that was published: it confirms nothing")
    theirs, ours = whole(str(their_run.name), their_run), whole(str(ours_dir), load(ours_dir))
    refuse_empty([theirs, ours])
    differing = unlike.differences(theirs, ours)
    for one in differing:
        if one.what in (unlike.CLOCK, "tree"):
            raise UserError(f"{ours.name} is no rerun of {theirs.name}: {one.text}")
    pairs = _pairs(theirs, [name.partition("@")[0] for name in baselines(their_run)])
    tests = {pair: _test(theirs, ours, *pair, margin) for pair in pairs}
    given = answers(tests)
    rows = tuple(
        Verified(
            key,
            baseline,
            _ratio(theirs, key, baseline),
            _ratio(ours, key, baseline),
            tests[key, baseline],
            given[key, baseline],
        )
        for key, baseline in pairs
    )
    said = [*(one.text for one in differing), *unlike.kernels(theirs, ours)]
    said += [f"{side.name}: {text}" for side in (theirs, ours) for text in side.problems]
    return Verification(theirs, ours, margin, rows, overall(list(given.values())), tuple(said))


def _same_trials(theirs: Path, ours: Path) -> bool:
    one, other = theirs / "trials.jsonl", ours / "trials.jsonl"
    return one.exists() and other.exists() and filecmp.cmp(one, other, shallow=False)


def _pairs(theirs: Side, against: Sequence[str]) -> list[tuple[MatchKey, str]]:
    """What is divided by what: every target by the plain server, that one by the floor.

    Without a plain server everything is divided by the floor. Of several kernels every target has
    the baseline of its own, and is divided by itself on the first, which is what patches change.
    """
    labels = kernel_labels(theirs.about)
    found = []
    for key in sorted(theirs.rows, key=lambda key: key.order):
        bare, at, label = key.target.partition("@")
        others = [name for name in against if name != bare]
        # The floor by the plain server is the plain server by the floor, turned round.
        if others and not (len(against) > 1 and bare == against[0]):
            found.append((key, f"{others[-1]}{at}{label}"))
        if at and labels and label != labels[0]:
            found.append((key, f"{bare}@{labels[0]}"))
    return [pair for pair in found if MatchKey(pair[0].row, pair[1]) in theirs.rows]


def _test(theirs: Side, ours: Side, key: MatchKey, baseline: str, margin: float) -> Equivalence:
    """The equivalence of one ratio, or why nothing can be said of it."""
    them, us = (_ratio(side, key, baseline).points for side in (theirs, ours))
    for name in (key.target, baseline):
        note = _not_alike(
            theirs.rows.get(MatchKey(key.row, name)), ours.rows.get(MatchKey(key.row, name))
        )
        if note:
            return unknown(them, us, f"{name}: {note}")
    if theirs.clock == Clock.INSTRUCTIONS:
        return by_range(them, us, margin)
    return by_test(them, us, margin)


def _not_alike(theirs: SideRow | None, ours: SideRow | None) -> str:
    """Why two rows are not the same experiment; empty when they are."""
    if theirs is None or not theirs.medians:
        return f"not measured there{_because(theirs)}"
    if ours is None or not ours.medians:
        return f"not measured here{_because(ours)}"
    if theirs.level != ours.level:
        return f"level {theirs.level} there, {ours.level} here"
    if unlike.timeouts(theirs) != unlike.timeouts(ours):
        return f"attr/entry timeout {unlike.timeouts(theirs)} there, {unlike.timeouts(ours)} here"
    return ""


def _because(row: SideRow | None) -> str:
    return f" ({row.trouble})" if row and row.trouble else ""


def _ratio(side: Side, key: MatchKey, baseline: str) -> Estimate:
    rows = (side.rows.get(key), side.rows.get(MatchKey(key.row, baseline)))
    over, under = (row.medians if row else {} for row in rows)
    return paired_ratio(over, under)


def text(made: Verification) -> Iterator[Line]:
    """The answer of every ratio, then the one to the whole."""
    yield from wrapped(f"theirs   {made.theirs.name} (Linux {made.theirs.release})", 9)
    yield from wrapped(f"ours     {made.ours.name} (Linux {made.ours.release})", 9)
    for one in made.differences:
        yield from wrapped(f"differs  {one}", 9)
    yield from wrapped(f"rows     {_method(made)}", 9)
    yield "", ""
    yield (
        f"  {'':{NAME}} {'theirs':>7} {'ours':>7} {'change':>7} {'interval':<15} answer",
        "bold",
    )
    heading = ""
    for row in made.rows:
        if row.key.name != heading:
            heading = row.key.name
            yield from wrapped(heading, 2)
        yield from _row(row)
    yield "", ""
    for sentence in sentences(made):
        yield from ((line, STYLES.get(made.answer, "")) for line, _ in wrapped(sentence, 2))


def sentences(made: Verification) -> Iterator[str]:
    """Counts, and the answer."""
    given = [row.answer for row in made.rows]
    counts = ", ".join(f"{given.count(one)} {one}" for one in Answer if one in given)
    yield f"{units.times(len(given), 'ratio')}: {counts or 'none to compare'}"
    wrong = [row.key.said for row in made.rows if row.answer is Answer.CONTRADICTED]
    if wrong:
        yield f"contradicted: {'; '.join(wrong)}"
    yield f"answer: {made.answer} (margin {100 * made.margin:g} %)"


def _method(made: Verification) -> str:
    exact = made.theirs.clock == Clock.INSTRUCTIONS
    how = (
        "all boots of one within the margin of all of the other"
        if exact
        else "two one-sided t-tests of 5 % on the logarithms, the interval is their 90 % one; "
        "contradictions after Holm over the table"
    )
    return f"ratios paired by round in each run; change is ours / theirs; {how}"


def _row(row: Verified) -> Iterator[Line]:
    style, test = STYLES.get(row.answer, ""), row.test
    name = f"{row.key.target} / {row.baseline}"
    if len(name) > NAME:
        yield f"  {name}", style
        name = ""
    interval = ""
    if math.isfinite(test.low):
        interval = f"[{units.ratio(test.low, test.change)},{units.ratio(test.high, test.change)}]"
    ratios = f"{units.ratio(row.theirs.value):>7} {units.ratio(row.ours.value):>7}"
    change = units.ratio(test.change)
    yield f"  {name:{NAME}} {ratios} {change:>7} {interval:<15} {row.answer}"[:WIDTH], style
    if test.note:
        yield from ((line, style) for line, _ in wrapped(f"    {test.note}", 4))


def as_json(made: Verification) -> dict[str, Any]:
    """Everything, numbers unrounded; what is not known is null."""
    return {
        "theirs": made.theirs.name,
        "ours": made.ours.name,
        "margin": made.margin,
        "answer": made.answer.value,
        "differences": list(made.differences),
        "rows": [_row_json(row) for row in made.rows],
    }


def _row_json(row: Verified) -> Mapping[str, Any]:
    test = row.test
    numbers = {
        "theirs": row.theirs.value,
        "ours": row.ours.value,
        "change": test.change,
        "low": test.low,
        "high": test.high,
        "p_same": test.same,
        "p_apart": test.apart,
    }
    return {
        "row": row.key.name,
        "group": row.key.slug,
        "target": row.key.target,
        "baseline": row.baseline,
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "rounds": list(test.rounds),
        "answer": row.answer.value,
        "note": test.note,
    }
