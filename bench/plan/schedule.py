"""Which trials a run makes, and in which order: pure functions of the settings and the seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench import registry
from bench.model import DaemonOptions, Exit, Target, UserError
from bench.plan.grid import KernelGives, display_name, level_in_force, table, together
from bench.plan.product import PlannedRow, Skipped
from bench.plan.series import Series, Trial
from bench.plan.settings import Settings


@dataclass(frozen=True)
class Plan:
    """The trials in the order they are to run, and what was left out."""

    trials: tuple[Trial, ...]
    skipped: tuple[Skipped, ...]
    targets: tuple[Target, ...]


def make(settings: Settings, gives: KernelGives) -> Plan:
    """Lay out targets x rows x rounds, over all parts.

    In a round every row comes once, in shuffled order; its targets follow one another, in shuffled
    order too, so that what is compared is measured side by side. The seed decides both. Of several
    levels asked for, those this kernel does not give are left out with the reason; one level alone
    is lowered to what there is.
    """
    grids, given, skipped = table(settings, gives)
    trials: list[Trial] = []
    for number in range(settings.trials):
        trials += _round(settings, gives, together(grids, number), number)
    used = {one.series.way for one in trials}
    chosen = tuple(target for target in given if target.way in used)
    return Plan(tuple(trials), tuple(dict.fromkeys(skipped)), chosen)


def one_round(settings: Settings, gives: KernelGives, number: int) -> list[Trial]:
    """Round ``number`` of every part's rows, which may lie beyond the rounds of the plan."""
    grids, _, _ = table(settings, gives)
    longer = [(replace(part, trials=number + 1), rows, own) for part, rows, own in grids]
    return _round(settings, gives, together(longer, number), number)


def options(series: Series) -> DaemonOptions:
    """What the daemon of a series is asked for (without its counters file)."""
    return DaemonOptions(
        series.timeouts.attr,
        series.timeouts.entry,
        series.level,
        series.readdir,
        serving=series.serving,
    )


def _round(
    settings: Settings,
    gives: KernelGives,
    cells: Mapping[PlannedRow, Sequence[Target]],
    number: int,
) -> list[Trial]:
    # Rounds, and boots, must not share an order, nor what their names bring along: what either does
    # would repeat exactly, and look like a difference between targets.
    chance = random.Random(f"{settings.seed}/{number}")
    trials: list[Trial] = []
    for row in chance.sample(list(cells), len(cells)):
        seed = chance.getrandbits(31)  # one for all targets: they visit the same names
        for target in chance.sample(cells[row], len(cells[row])):
            series = _series(gives, row, target)
            trials.append(Trial(series, number, len(trials), seed))
    return trials


def _series(gives: KernelGives, row: PlannedRow, target: Target) -> Series:
    return Series(
        target=display_name(target, gives),
        daemon=target.daemon,
        key=row.key,
        level=level_in_force(registry.daemon(target.daemon), gives.level, target.asked),
        asked=target.asked,
        readdir=target.readdir,
        kernel=gives.kernel,
        serving=target.serving,
    )


def repeats(trials: Sequence[Trial], records: Iterable[Mapping[str, Any]]) -> tuple[Trial, ...]:
    """What to measure again at the end: every comparison of a round in which a trial was disturbed.

    All of its targets, side by side: a repeat beside old measurements of the others would pair what
    was not measured together. Nothing when more than half of the trials were disturbed (the machine
    is not quiet, and would disturb the repeats too), and nothing twice.
    """
    known = {(one.series.label, one.round): one for one in trials}
    lines = [line for line in records if (line["series"], line["round"]) in known]
    first = [line for line in lines if not line["attempt"]]
    disturbed = [line for line in first if line["disturbed"]]
    if 2 * len(disturbed) > len(first):
        return ()
    done = {(line["series"], line["round"]) for line in lines if line["attempt"]}
    blocks = {
        (known[line["series"], line["round"]].series.key, line["round"]) for line in disturbed
    }
    return tuple(
        replace(one, attempt=1)
        for one in trials
        if (one.series.key, one.round) in blocks and (one.series.label, one.round) not in done
    )


def refuse_empty(planned: Plan) -> None:
    """Raises UserError with the reasons when a plan holds no trial."""
    if not planned.trials:
        reasons = "; ".join(f"{item.what}: {item.reason}" for item in planned.skipped)
        raise UserError(f"nothing to measure: {reasons}", Exit.NOTHING)
