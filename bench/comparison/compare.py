"""Two sides row by row: ratios, what they show, and whether one is a regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.comparison import unlike
from bench.comparison.header import entries
from bench.comparison.sides import MatchKey, Side, SideRow
from bench.comparison.unlike import Mismatch
from bench.model import Clock, UserError
from bench.profile import store
from bench.profile.difference import between
from bench.profile.text import accounted_for
from bench.report import units
from bench.stats.estimates import Estimate, geometric_mean, over_boots, paired_ratio, unpaired_ratio
from bench.stats.noise_floor import of_boots
from bench.stats.verdicts import Finding, Judgement, judge_table

UNJUDGED = (Finding.IMPLAUSIBLE, Finding.TOO_FEW, Finding.NOT_ENGAGED)
SEPARATE = (
    "separate runs, not paired: whatever else changed between them is in these ratios; "
    "two kernels of one run (run --kernel A --kernel B) cancel what a round shares"
)


@dataclass(frozen=True)
class Compared:
    """One row of a comparison; ``ratio`` is patched / base."""

    key: MatchKey
    unit: str
    base: Estimate
    patched: Estimate
    ratio: Estimate
    judgement: Judgement
    regressed: bool
    within: bool
    """Whether its interval leaves out that it is slower by more than the threshold."""
    trouble: str
    """What was lost of either side, and what the guards saw that is no reason to disbelieve it."""


@dataclass(frozen=True)
class Comparison:
    """Everything that is told of two sides, before it is put into a shape."""

    base: Side
    patched: Side
    paired: bool
    threshold: float
    """In percent: a slower row beyond it is a regression."""
    rows: tuple[Compared, ...]
    mean: Estimate
    only_base: tuple[str, ...]
    only_patched: tuple[str, ...]
    allowed: tuple[Mismatch, ...]
    notes: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Compared, ...]:
        """The rows for which a gate closes."""
        return tuple(row for row in self.rows if row.regressed)

    @property
    def undecided(self) -> tuple[Compared, ...]:
        """Rows that are not shown to be within the threshold, nor to be beyond it."""
        return tuple(row for row in self.rows if not row.regressed and not row.within)

    @property
    def judged(self) -> bool:
        """Whether there is a row of which anything can be said."""
        return any(row.judgement.finding is not Finding.TOO_FEW for row in self.rows)


def compare(base: Side, patched: Side, threshold: float, allowed: frozenset[str]) -> Comparison:
    """Hold ``patched`` against ``base``; raises UserError where they are unlike and may not be."""
    base, patched = unlike.aligned(base, patched)
    differing = unlike.refuse(base, patched, allowed)
    paired = base.paired_with(patched)
    shared = sorted(base.rows.keys() & patched.rows.keys(), key=lambda key: _place(key, base))
    ratios = {key: _ratio(base, patched, key) for key in shared}
    judged = judge_table(
        ratios,
        noise_floor={key: _floor(key, base, patched) for key in shared},
        guards={key: said for key in shared if (said := _guard(key, base, patched))},
    )
    rows = tuple(_row(key, base, patched, ratios[key], judged[key], threshold) for key in shared)
    return Comparison(
        base=base,
        patched=patched,
        paired=paired,
        threshold=threshold,
        rows=rows,
        mean=_mean(ratios, judged, base),
        only_base=_only(base, patched),
        only_patched=_only(patched, base),
        allowed=tuple(differing),
        notes=(*_notes(base, patched), *_functions(base, patched, rows)),
    )


def _place(key: MatchKey, side: Side) -> tuple[object, ...]:
    """Rows by name, their targets in the order of run.json."""
    names = [str(entry.get("name")).partition("@")[0] for entry in entries(side.about, "targets")]
    at = names.index(key.target) if key.target in names else len(names)
    return (key.row.order if key.row else ()), at, key.target


def _ratio(base: Side, patched: Side, key: MatchKey) -> Estimate:
    under, over = base.rows[key].medians, patched.rows[key].medians
    if base.paired_with(patched):
        ratio = paired_ratio(over, under)
    else:
        ratio = unpaired_ratio(list(over.values()), list(under.values()))
    if base.clock != Clock.INSTRUCTIONS:
        return ratio
    floor = _floor(key, base, patched)
    if base.paired_with(patched):
        return over_boots(ratio, floor)
    every = [one / other for one in over.values() for other in under.values()]
    return over_boots(replace(ratio, points=tuple(every)), floor)


def _floor(key: MatchKey, base: Side, patched: Side) -> float:
    """The larger noise floor of the machines' A/A runs, where there was one."""
    if base.clock == Clock.INSTRUCTIONS:
        return max(of_boots(side.noise, key.slug) for side in (base, patched))
    known = [side.noise.get(key.slug) for side in (base, patched)]
    return max((noise.floor for noise in known if noise), default=0.0)


def _guard(key: MatchKey, base: Side, patched: Side) -> str:
    """Why a row cannot be right, by what the guards saw on either side."""
    seen = [(name, flag) for name, row in _both(key, base, patched) for flag in row.flags]
    return next((f"{name}: {flag.said}" for name, flag in seen if flag.implausible), "")


def _both(
    key: MatchKey, base: Side, patched: Side
) -> tuple[tuple[str, SideRow], tuple[str, SideRow]]:
    return ("base", base.rows[key]), ("patched", patched.rows[key])


def _row(
    key: MatchKey,
    base: Side,
    patched: Side,
    ratio: Estimate,
    judgement: Judgement,
    threshold: float,
) -> Compared:
    slower = judgement.finding is Finding.SLOWER
    (_, one), (_, other) = named = _both(key, base, patched)
    lost = [f"{name}: {row.trouble}" for name, row in named if row.trouble]
    seen = [f"{n}: {flag.said}" for n, row in named for flag in row.flags if not flag.implausible]
    return Compared(
        key=key,
        unit=other.unit,
        base=base.middle(one),
        patched=patched.middle(other),
        ratio=ratio,
        judgement=judgement,
        regressed=slower and 100 * (ratio.value - 1) > threshold,
        within=judgement.finding not in UNJUDGED
        and ratio.has_interval
        and 100 * (ratio.high - 1) <= threshold,
        trouble="; ".join((*lost, *seen)),
    )


def _mean(
    ratios: Mapping[MatchKey, Estimate], judged: Mapping[MatchKey, Judgement], side: Side
) -> Estimate:
    """Over all rows but those that cannot be right."""
    sound = [
        ratio for key, ratio in ratios.items() if judged[key].finding is not Finding.IMPLAUSIBLE
    ]
    mean = geometric_mean(sound)
    exact = side.clock == Clock.INSTRUCTIONS and bool(mean.points)
    return over_boots(mean) if exact else mean


def _only(one: Side, other: Side) -> tuple[str, ...]:
    """The rows that the other side does not have, and what became of them in this one."""
    found = sorted(one.rows.keys() - other.rows.keys(), key=lambda key: _place(key, one))
    return tuple(
        key.said + (f" ({one.rows[key].trouble})" if one.rows[key].trouble else "") for key in found
    )


def _functions(base: Side, patched: Side, rows: tuple[Compared, ...]) -> list[str]:
    """For each row that differs, the functions that account for it, where both sides have profiles."""
    said = []
    for row in rows:
        old, new = base.rows[row.key].profile, patched.rows[row.key].profile
        if row.judgement.finding in (Finding.SLOWER, Finding.FASTER) and old and new:
            try:
                found = between(store.read(base.origin, old), store.read(patched.origin, new))
            except UserError:
                continue
            said.append(f"{row.key.said}: {accounted_for(found)}")
    return said


def _notes(base: Side, patched: Side) -> list[str]:
    """What a reader has to know, and what could not be read."""
    said = unlike.kernels(base, patched)
    proofs: dict[str, list[str]] = {}
    for key in sorted(base.rows.keys() & patched.rows.keys(), key=lambda key: key.order):
        one, other = (units.listing(sorted(s.rows[key].verdicts) or ["-"]) for s in (base, patched))
        if one != other and not base.part.startswith(":"):
            proofs.setdefault(f"proof: {one} in base, {other} in patched", []).append(key.said)
    said += [f"{what}: {'; '.join(rows)}" for what, rows in proofs.items()]
    if not base.paired_with(patched):
        said.append(SEPARATE)
    return said + [f"{side.name}: {text}" for side in (base, patched) for text in side.problems]
