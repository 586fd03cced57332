"""A round of trials in shards: which comparisons share a boot.

A comparison (one row on all its targets) is never split. The division depends on the plan alone, so
a run gives the same figures with one boot at a time, with many, and on many machines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.model import Clock, Level
from bench.plan import schedule
from bench.plan.durations import trial_seconds
from bench.plan.grid import KernelGives
from bench.plan.series import Trial
from bench.plan.settings import Settings

SHARD_S = 300.0
"""About how long a boot may measure before a round is worth another one: a boot costs some 15 s."""
LEAST_S = 60.0
"""With less to measure than this a boot is not worth its start, however many machines wait."""


def with_number(settings: Settings, at_a_time: int = 1) -> Settings:
    """Settings that say into how many shards each round is divided.

    As many as the time takes, and more where more boots are done ``at_a_time`` than there would be
    (results/self/fleet_scaling.txt). One on the wall clock, where the boot is what is replicated: all
    rows share what a boot brings along. What a guest's kernel gives is not known before it boots;
    every level counts here.
    """
    if settings.clock != Clock.INSTRUCTIONS:
        return replace(settings, shards=1)
    first = [
        one for one in schedule.make(settings, KernelGives(Level.LOOKUP)).trials if not one.round
    ]
    seconds = sum(trial_seconds(one.series, settings) for one in first)
    rows = len({one.series.key.label for one in first})
    rounds = settings.trials * max(1, len(settings.kernels))
    wanted = min(math.ceil(at_a_time / rounds), int(seconds / LEAST_S))
    return replace(settings, shards=max(1, min(rows, max(round(seconds / SHARD_S), wanted))))


def shard(trials: Sequence[Trial], number: int, settings: Settings) -> tuple[Trial, ...]:
    """The trials of one round that belong to shard ``number``, in the round's order."""
    return divided(trials, settings)[number]


def divided(trials: Sequence[Trial], settings: Settings) -> list[tuple[Trial, ...]]:
    """The trials of one round, shard by shard, each in the round's order.

    The longest comparison goes first to the shard that has least to do. Weights do not depend on the
    round, nor on what was recorded, and so neither does the division.
    """
    count = max(1, settings.shards)
    parts: dict[str, list[float]] = {}
    for one in trials:
        parts.setdefault(one.series.key.label, []).append(trial_seconds(one.series, settings))
    weights = {name: math.fsum(own) for name, own in parts.items()}  # whatever the round's order
    loads = [0.0] * count
    home: dict[str, int] = {}
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        home[name] = loads.index(min(loads))
        loads[home[name]] += weights[name]
    found: list[list[Trial]] = [[] for _ in range(count)]
    for one in trials:
        found[home[one.series.key.label]].append(one)
    return [tuple(part) for part in found]
