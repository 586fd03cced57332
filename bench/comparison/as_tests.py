"""A comparison as tests for CI: a row passes where it is shown to be within the threshold."""

from __future__ import annotations

from bench.ci.results import CaseOutcome, ComparisonCases, RowCases, TargetCase
from bench.comparison import shapes
from bench.comparison.compare import Compared, Comparison
from bench.report import units
from bench.stats.verdicts import Finding


def table(made: Comparison) -> ComparisonCases:
    """Every row of either side; those that only one has are skipped."""
    units.measure_in(made.base.clock)
    cases: dict[str, list[TargetCase]] = {}
    for row in made.rows:
        cases.setdefault(row.key.name, []).append(_case(row, made.threshold))
    for side, names in (("base", made.only_base), ("patched", made.only_patched)):
        for name in names:
            cases.setdefault(name, []).append(
                TargetCase(
                    f"in {side}", CaseOutcome.SKIPPED, f"only in {side}: nothing to compare it with"
                )
            )
    rows = tuple(RowCases(name or "series", tuple(own)) for name, own in cases.items())
    notes = (*made.notes, *shapes.sentences(made))
    return ComparisonCases(f"compare {made.base.name} {made.patched.name}", rows, notes)


def _case(row: Compared, threshold: float) -> TargetCase:
    numbers = (
        f"{units.duration(row.base.value)} -> {units.duration(row.patched.value)} per operation, "
        f"ratio {shapes.ratio(row.ratio)} {shapes.interval(row.ratio)}".rstrip(),
        f"{row.judgement.finding}: {shapes.why(row)}",
    )
    return TargetCase(
        row.key.target or "patched / base", _answer(row), _why(row, threshold), numbers
    )


def _answer(row: Compared) -> CaseOutcome:
    """As the exit code has it: a regression, within, or undecided."""
    if row.regressed:
        return CaseOutcome.FAILED
    return CaseOutcome.PASSED if row.within else CaseOutcome.SKIPPED


def _why(row: Compared, threshold: float) -> str:
    if row.regressed:
        return f"slower by more than {threshold:g} %: {shapes.ratio(row.ratio)}"
    if row.within:
        return ""
    if row.judgement.finding in (Finding.NOISY, Finding.SAME, Finding.SLOWER, Finding.FASTER):
        return f"undecided: may still be slower by more than {threshold:g} %"
    return f"{row.judgement.finding}: {shapes.why(row)}"
