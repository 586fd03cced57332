"""A comparison as text of at most 79 columns, as Markdown, as JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import Any

from bench.comparison.compare import Compared, Comparison
from bench.report import units
from bench.stats.estimates import Estimate
from bench.stats.verdicts import Finding, percent

WIDTH = 79
TARGET = 23
STYLES = {Finding.FASTER: "green", Finding.SLOWER: "red", Finding.IMPLAUSIBLE: "yellow"}
Line = tuple[str, str]
"""Text, and its style on a terminal (empty: none)."""


def text(made: Comparison) -> Iterator[Line]:
    """The whole comparison, line by line."""
    units.measure_in(made.base.clock)
    yield from wrapped(f"base     {made.base.name}{_kernel(made.base.release)}", 9)
    yield from wrapped(f"patched  {made.patched.name}{_kernel(made.patched.release)}", 9)
    for one in made.allowed:
        yield from wrapped(f"allowed  {one.text}", 9)
    for note in made.notes:
        yield from wrapped(f"note     {note}", 9)
    yield from wrapped(f"rows     {_method(made)}", 9)
    yield from _plain("")
    yield _heading(), "bold"
    group = ""
    for row in made.rows:
        if row.key.name != group:
            group = row.key.name
            yield from wrapped(group, 2)
        yield from _row(row)
    yield from _plain("")
    yield from _only("base", made.only_base)
    yield from _only("patched", made.only_patched)
    for sentence in sentences(made):
        yield from wrapped(sentence, 2)


def wrapped(line: str, indent: int) -> Iterator[Line]:
    """A line broken at WIDTH, what follows indented."""
    for part in textwrap.wrap(
        units.ascii_only(line), WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False
    ):
        yield part, ""


def sentences(made: Comparison) -> Iterator[str]:
    """What the table comes to: counts, what was not decided, the mean, the gate."""
    found = [row.judgement.finding for row in made.rows]
    counts = [f"{found.count(one)} {one}" for one in Finding if one in found]
    yield f"{units.times(len(found), 'row')}: {', '.join(counts) or 'none in both'}"
    more = [row.judgement.more_trials for row in made.rows if row.judgement.more_trials]
    if more:
        spread = f"{min(more)} to {max(more)}" if min(more) < max(more) else f"{more[0]}"
        yield f"rounds to add until noisy rows exclude a difference of 5 %: {spread}"
    if Finding.IMPLAUSIBLE in found:
        yield "implausible rows are in neither the mean nor the gate: look at them"
    if made.mean.known and len(found) > 1:
        yield f"geometric mean of the ratios: {ratio(made.mean)} {interval(made.mean)}".rstrip()
    worst = sorted(made.regressions, key=lambda row: -row.ratio.value)
    if worst:
        names = "; ".join(f"{row.key.said} ({ratio(row.ratio)})" for row in worst)
        yield f"regression beyond {made.threshold:g} %: {names}"
    elif made.judged:
        yield f"no regression beyond {made.threshold:g} % was shown"
    if made.undecided:
        yield (
            f"undecided: {len(made.undecided)} of {units.times(len(made.rows), 'row')} may still be "
            f"slower by more than {made.threshold:g} %"
        )


def markdown(made: Comparison) -> str:
    """A table and its sentences, for an issue or a merge request."""
    units.measure_in(made.base.clock)
    lines = [
        f"**{made.patched.name}**{_kernel(made.patched.release)} against "
        f"**{made.base.name}**{_kernel(made.base.release)}",
        "",
        "| row | target | base | patched | ratio | interval | verdict | why |",
        "|---|---|--:|--:|--:|---|---|---|",
    ]
    for row in made.rows:
        cells = (
            row.key.name, row.key.target, units.duration(row.base.value),
            units.duration(row.patched.value), ratio(row.ratio), interval(row.ratio),
            row.judgement.finding.value.replace("~", "\\~"), why(row),
        )  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    said = [one.text for one in made.allowed]
    said += [*made.notes, _method(made), *_absent(made), *sentences(made)]
    return "\n".join([*lines, "", *(f"- {one}" for one in said), ""])


def as_json(made: Comparison) -> dict[str, Any]:
    """Everything, numbers unrounded; what is not known is null."""
    return {
        "base": {"name": made.base.name, "kernel": made.base.release},
        "patched": {"name": made.patched.name, "kernel": made.patched.release},
        "clock": made.base.clock,
        "paired": made.paired,
        "threshold_percent": made.threshold,
        "allowed": [{"what": one.what, "text": one.text} for one in made.allowed],
        "notes": list(made.notes),
        "rows": [_row_json(row) for row in made.rows],
        "geometric_mean": _numbers(made.mean),
        "only_in_base": list(made.only_base),
        "only_in_patched": list(made.only_patched),
        "regressions": [row.key.said for row in made.regressions],
        "undecided": [row.key.said for row in made.undecided],
    }


def _row_json(row: Compared) -> dict[str, Any]:
    judged = row.judgement
    return {
        "row": row.key.name,
        "group": row.key.slug,
        "target": row.key.target,
        "unit": row.unit,
        "base": _numbers(row.base),
        "patched": _numbers(row.patched),
        "ratio": _numbers(row.ratio),
        "verdict": judged.finding.value,
        "why": why(row),
        "p_holm": _number(judged.p_holm),
        "more_trials": judged.more_trials,
        "regression": row.regressed,
        "within": row.within,
    }


def _numbers(estimate: Estimate) -> dict[str, Any]:
    known = {name: _number(getattr(estimate, name)) for name in ("value", "low", "high")}
    return {**known, "n": estimate.n}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _method(made: Comparison) -> str:
    how = "paired by round" if made.paired else "of two medians"
    what = units.quantity()
    return (
        f"{what.said} per operation; ratio is patched / base, {how}, with its {what.ratios}; "
        f"< 1 is {what.below}; verdicts after Holm over the table"
    )


def _heading() -> str:
    return f"  {'':{TARGET}} {'base':>8} {'patched':>8} {'ratio':>6} {'interval':<15} verdict"


def _row(row: Compared) -> Iterator[Line]:
    style = STYLES.get(row.judgement.finding, "")
    name = row.key.target or "patched / base"
    if len(name) > TARGET:
        yield f"  {name}", style
        name = ""
    numbers = f"{units.duration(row.base.value):>8} {units.duration(row.patched.value):>8}"
    verdict = row.judgement.finding.value
    if row.judgement.finding is Finding.SAME:
        verdict += f" <{percent(row.judgement.excluded)}"
    line = f"  {name:{TARGET}} {numbers} {ratio(row.ratio):>6} {interval(row.ratio):<15} {verdict}"
    yield line, style
    if row.judgement.decided or row.judgement.finding in (Finding.TOO_FEW, Finding.IMPLAUSIBLE):
        yield from ((line, style) for line, _ in wrapped(f"    {why(row)}", 4))


def why(row: Compared) -> str:
    """What the verdict rests on, and what went wrong."""
    return "; ".join(part for part in (row.judgement.reason, row.trouble) if part)


def ratio(estimate: Estimate) -> str:
    """A ratio with as many digits as it deserves."""
    return units.ratio(estimate.value)


def interval(estimate: Estimate) -> str:
    """The interval of an estimate in brackets; empty without one."""
    if not estimate.has_interval:
        return ""
    return units.bounds(estimate.low, estimate.high, estimate.value)


def _kernel(release: str) -> str:
    return f" (Linux {release})" if release else ""


def _only(side: str, names: tuple[str, ...]) -> Iterator[Line]:
    if names:
        yield from _plain(f"only in {side}:")
    for name in names:
        yield from wrapped(f"  {name}", 4)


def _absent(made: Comparison) -> list[str]:
    base = [f"only in base: {name}" for name in made.only_base]
    return base + [f"only in patched: {name}" for name in made.only_patched]


def _plain(line: str) -> Iterator[Line]:
    yield units.ascii_only(line), ""
