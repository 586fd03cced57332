"""How often is a target called more or fewer instructions than itself, on measured data?

An A/A run in guests on the instruction clock measures every target under two names, in boots that
differ in order and in names. What one boot shows of a row by chance is its floor, by which every
range of that row is widened. Whether that is enough is tried on boots the floor does not come from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from bench.model import Clock
from bench.selftest.check import Check, CheckRequest, CheckResult, held, share_text, skipped
from bench.selftest.same_target import pairs
from bench.stats.estimates import Estimate, over_boots, paired_ratio, trial_medians
from bench.stats.frame import Run, load
from bench.stats.guards import SeriesKey
from bench.stats.noise_floor import KEYS, Noise, of_boots
from bench.stats.verdicts import judge_table, percent

COUNTED = Clock.INSTRUCTIONS
PAIRS = 100
"""Fewer say little."""
CONFIDENCE = 0.99
"""Share of boots that stay below a floor; that two are beyond it on the same side is far rarer."""
Part = Mapping[SeriesKey, Estimate]
"""Some of the boots: the A/A ratios of every series over them."""


def run(request: CheckRequest) -> CheckResult:
    """Hold some boots of every target against itself, by the floor that the other boots give."""
    found = [one for path in request.recorded if (one := load(path)).about["clock"] == COUNTED]
    if not found:
        return skipped("no run on the instruction clock was named: --aa --kernel lab makes one")
    parts = list(parts_of(found))
    if len(parts) < 2:
        return floors_alone(parts)
    judged = [one for at, part in enumerate(parts) for one in called(part, without(parts, at))]
    noise = noise_of(parts)
    floors = sorted(one.floor for one in noise.values())
    lines = (
        *([f"fewer than {PAIRS} pairs: this shows little"] if len(judged) < PAIRS else []),
        f"{share_text(sum(judged), len(judged))} called fewer or more",
        f"floors of {len(noise)} rows: half are at most {percent_of(floors[len(floors) // 2])}, all "
        f"at most {percent_of(floors[-1])}",
        *noise_lines(noise),
    )
    figures = {
        "pairs": len(judged),
        "called": sum(judged),
        KEYS[COUNTED]: as_figures(noise),
    }
    return CheckResult(held(len(judged) >= PAIRS and not any(judged)), lines, figures)


def floors_alone(parts: Sequence[Part]) -> CheckResult:
    """What too few boots to judge any give all the same."""
    needed = skipped("4 boots are needed, or two runs: some give the floor, others are judged")
    noise = noise_of(parts)
    lines = (*needed.lines, *(noise_lines(noise) if noise else ()))
    return replace(needed, lines=lines, figures={KEYS[COUNTED]: as_figures(noise)} if noise else {})


def as_figures(noise: Mapping[str, Noise]) -> dict[str, Any]:
    """The floors as selftest.json has them."""
    return {row: vars(one) for row, one in noise.items()}


def parts_of(runs: Sequence[Run]) -> Iterator[Part]:
    """Each run, or both halves of the only one, where either is two boots."""
    for one in runs:
        sides = dict(pairs(trial_medians(one.samples)))
        rounds = sorted({number for over, _ in sides.values() for number in over})
        as_one = len(runs) > 1 or len(rounds) < 4
        halves = (rounds,) if as_one else (rounds[::2], rounds[1::2])
        for half in halves:
            chosen = {
                key: paired_ratio({at: over[at] for at in half if at in over}, under)
                for key, (over, under) in sides.items()
            }
            whole = {key: ratio for key, ratio in chosen.items() if ratio.n >= 2}
            if whole:
                yield whole


def without(parts: Sequence[Part], at: int) -> Sequence[Part]:
    """All parts but one."""
    return [part for number, part in enumerate(parts) if number != at]


def called(part: Part, others: Sequence[Part]) -> Iterator[bool]:
    """Whether each series is called different from itself, as a table would."""
    noise = noise_of(others)
    floors = {key: of_boots(noise, key[0]) for key in part}
    ratios = {key: over_boots(ratio, floors[key]) for key, ratio in part.items()}
    return (one.decided for one in judge_table(ratios, noise_floor=floors).values())


def noise_of(parts: Sequence[Part]) -> dict[str, Noise]:
    """What one boot of each row showed by chance, over targets and boots."""
    seen: dict[str, list[float]] = {}
    for part in parts:
        for (group, _), ratio in part.items():
            seen.setdefault(group, []).extend(abs(math.log(point)) for point in ratio.points)
    floors = {group: round(floor_of(logs), 6) for group, logs in sorted(seen.items())}
    return {group: Noise(floor, floor, rounds=1) for group, floor in floors.items()}


def floor_of(logs: Sequence[float]) -> float:
    """The largest that was seen, or what the spread of so few leaves possible (Student's t around 0)."""
    size = math.sqrt(float(np.mean(np.square(logs))))
    reach = float(stdtrit(len(logs), 0.5 + CONFIDENCE / 2))
    return math.expm1(max(reach * size, *logs))


def percent_of(floor: float) -> str:
    """``0.012%``: two digits, where whole tenths would say nothing."""
    return percent(floor) if floor >= 0.01 else f"{100 * floor:.2g}%"


def noise_lines(noise: Mapping[str, Noise]) -> Iterator[str]:
    """The rows as a table."""
    yield f"{'one boot of an A/A pair':<60}{'floor':>10}"
    for group, one in noise.items():
        name = group if len(group) <= 58 else f"{group[:55]}..."
        yield f"  {name:<58}{percent_of(one.floor):>10}"


CHECK = Check("same-boots", "A/A on the instruction clock: none of 100 pairs called", run, order=5)
