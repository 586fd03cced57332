"""What several machines say together of each row: the mean ratio, the spread, on how many it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report import units
from bench.report.overlay.overlay import NAME, OverlaidRun, Overlay, SharedRow, table, wrap
from bench.report.row import Line
from bench.report.text import tables
from bench.stats.estimates import Estimate
from bench.stats.machines import OverMachines, over_machines
from bench.stats.verdicts import Finding

DECIDED = (Finding.FASTER, Finding.SLOWER)
LEAST_P = 1e-4
REFUSED = (Finding.IMPLAUSIBLE, Finding.NOT_ENGAGED, Finding.TOO_FEW)
"""What of a machine's run is in no mean."""


@dataclass(frozen=True)
class Claim:
    """One target of a row over all machines."""

    row: SharedRow
    over: OverMachines
    finding: Finding
    """What the mean's interval shows: faster, slower, or neither."""
    holds: tuple[OverlaidRun, ...]
    """Machines whose own run shows the same."""
    fails: tuple[OverlaidRun, ...]
    """Runs that show something else, or nothing."""
    noun: str = "machine"

    @property
    def said(self) -> str:
        """``faster on 7 of 8 machines, not on Intel(R) Xeon(R)``; empty where nothing is claimed."""
        total = len(self.holds) + len(self.fails)
        if self.finding not in DECIDED:
            return f"not decided over {units.times(total, self.noun)}"
        but = f", not on {listed(self.fails)}" if self.fails else ""
        return f"{self.finding} on {len(self.holds)} of {units.times(total, self.noun)}{but}"


def claims(made: Overlay) -> list[Claim]:
    """Every target of every row that at least two machines measured with an interval.

    Kernels of one run share its machine: over them there is no mean.
    """
    if made.noun == "kernel":
        return []
    return [claim for one in made.shared if (claim := _claim(made, one))]


def _claim(made: Overlay, one: SharedRow) -> Claim | None:
    measured = [
        (source, line) for source, line in zip(made.sources, one.lines, strict=True) if line
    ]
    own = [_own(line, made.baseline) for _, line in measured]
    over = over_machines(
        [
            line.ratios[made.baseline]
            for (_, line), found in zip(measured, own, strict=True)
            if found not in REFUSED
        ]
    )
    if over is None:
        return None
    finding = shown(over.mean)
    both = [(source, found is finding) for (source, _), found in zip(measured, own, strict=True)]
    holds = tuple(source for source, same in both if same)
    return Claim(one, over, finding, holds, tuple(s for s, same in both if not same), made.noun)


def _own(line: Line, baseline: str) -> Finding:
    """What a machine's run shows by itself; of the floor, which is never judged, what its interval does."""
    judged = line.judgements.get(baseline)
    return judged.finding if judged else shown(line.ratios[baseline])


def shown(ratio: Estimate) -> Finding:
    """On which side of 1 an interval lies."""
    if ratio.high < 1:
        return Finding.FASTER
    return Finding.SLOWER if ratio.low > 1 else Finding.NOISY


def listed(sources: Sequence[OverlaidRun]) -> str:
    """CPU models, with how many where there are several of one."""
    models = Counter(source.cpu for source in sources)
    return units.listing(
        f"{number} x {model}" if number > 1 else model for model, number in models.items()
    )


def text(made: Overlay) -> str:
    """overlay.txt: every source's ratios, then all of them together."""
    return table(made) + units.ascii_only("".join(f"{line}\n" for line in lines(made)))


def lines(made: Overlay) -> Iterator[str]:
    """The section of overlay.txt; nothing where no row has two machines with intervals."""
    found = claims(made)
    if not found:
        return
    yield ""
    yield from wrap(
        f"Over {units.times(len(made.sources), made.noun)} ({listed(made.sources)}): the mean of "
        f"their ratios (random effects, Paule-Mandel; interval of Hartung and Knapp), tau: the "
        f"spread between {made.noun}s, p: that of {made.noun}s that are alike (Cochran's Q)"
    )
    above = ""
    for claim in found:
        if claim.row.row.name != above:
            above = claim.row.row.name
            yield from ("", *wrap(above, 2))
        yield f"  {claim.row.target[:NAME]:<{NAME}} {figures(claim.over)}"
        yield from (f"    {line}" for line in wrap(claim.said))


def figures(over: OverMachines) -> str:
    """``0.312 [0.28,0.35] tau 8 % p 0.001``."""
    mean = over.mean
    digits = (units.ratio(mean.value), units.ratio(mean.low), units.ratio(mean.high))
    return f"{digits[0]} [{digits[1]},{digits[2]}] tau {100 * over.tau:.1f} % p {shown_p(over.p)}"


def shown_p(p: float) -> str:
    """Two digits, and no more than anybody believes."""
    return f"{p:.2g}" if p >= LEAST_P else f"<{LEAST_P:g}"


def sheet(made: Overlay) -> str:
    """machines.csv: a line for each row and target."""
    return tables.table(
        [
            {
                "row": claim.row.row.name,
                **claim.row.row.key.columns(),
                "target": claim.row.target,
                "baseline": made.baseline,
                **tables.estimate("ratio", claim.over.mean),
                "machines": claim.over.mean.n,
                "tau": claim.over.tau,
                "q": claim.over.q,
                "p_alike": claim.over.p,
                "prediction_low": claim.over.low,
                "prediction_high": claim.over.high,
                "shows": claim.finding,
                "holds_on": len(claim.holds),
                "not_on": listed(claim.fails) if claim.fails else "",
            }
            for claim in claims(made)
        ]
    )


def mail(made: Overlay, targets: Sequence[str] = ()) -> list[str]:
    """Three lines (each may be wrapped) for a posting: which machines, what holds, where they differ."""
    found = [one for one in claims(made) if not targets or one.row.target in targets]
    decided = [one for one in found if one.finding in DECIDED]
    everywhere = [one for one in decided if not one.fails]
    differ = sorted((one for one in found if one.over.differ), key=lambda one: -one.over.tau)
    but = sorted((one for one in decided if one.fails), key=lambda one: len(one.holds))
    holds = (
        f"Of {units.times(len(found), 'ratio')} to {made.baseline}, {len(decided)} differ from 1 over "
        f"the {made.noun}s, {len(everywhere)} of these on every one"
    )
    if but:
        holds += f"; least: {_named(but[0])}: {but[0].said}"
    spread = f"{made.noun.capitalize()}s differ by more than noise in {len(differ)} of {len(found)}"
    if differ:
        spread += f"; most: {_named(differ[0])}: {figures(differ[0].over)}"
    return [
        line
        for text in (
            f"{made.noun.capitalize()}s: {len(made.sources)} ({listed(made.sources)})",
            holds,
            spread,
        )
        for line in wrap(units.ascii_only(text), 2)
    ]


def _named(claim: Claim) -> str:
    return f"{claim.row.row.name}, {claim.row.target}"
