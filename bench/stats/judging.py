"""Judges every ratio of a run: its estimates, what the guards saw, and the machine's noise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from bench.model import Verdict
from bench.stats import guards
from bench.stats.boots import uneven_windows
from bench.stats.estimates import Estimate
from bench.stats.guards import Flag, SeriesKey
from bench.stats.noise_floor import Noise, of_boots
from bench.stats.verdicts import Judgement, judge_table

RatioKey = tuple[str, str, str]
"""(group, target, baseline); a baseline is named without its kernel, which is the target's."""

NO_PASSTHROUGH = (Verdict.NOT_ENGAGED, Verdict.NOT_AVAILABLE)


@dataclass(frozen=True)
class Table:
    """What the judging needs to know of a run, in the words of its rows."""

    ratios: Mapping[RatioKey, Estimate]
    verdicts: Mapping[SeriesKey, str]
    """The proof's verdict on each series."""
    floor: str
    """The native target; empty where it was not measured."""
    twins: Collection[tuple[str, str]]
    """(target, baseline) that are the same server with passthrough on and off."""
    trials: pd.DataFrame
    samples: pd.DataFrame
    medians: Mapping[SeriesKey, Mapping[int, float]]
    timed: bool
    """Whether the values are wall time; instructions repeat, and most guards mean nothing there."""
    controls: Collection[SeriesKey] = ()
    """Series in which nothing may differ from the twin: see bench.report.controls."""
    in_kernel: Collection[str] = ()
    """Targets that are file systems in the kernel, and go through no server."""
    noise: Mapping[str, Noise] = field(default_factory=dict)
    """What an A/A run showed by chance, by group."""


def flags_of(table: Table) -> dict[SeriesKey, list[Flag]]:
    """Everything the guards saw, by series."""
    against_floor = {
        (group, target): ratio
        for (group, target, baseline), ratio in table.ratios.items()
        if baseline == table.floor
    }
    found = [guards.faster_than_floor(against_floor, table.floor, table.in_kernel)]
    for baseline in {baseline for _, _, baseline in table.ratios} - {table.floor}:
        ratios = {key[:2]: ratio for key, ratio in table.ratios.items() if key[2] == baseline}
        controls = [
            key for key in ratios if key in table.controls and (key[1], baseline) in table.twins
        ]
        found.append(guards.moved_controls(ratios, controls, baseline))
    if table.timed:
        found.append(guards.series_flags(table.samples, table.medians))
        found.append(guards.unsteady_against(table.samples, list(map(_pair, table.ratios))))
        found.append(guards.cold_faster_than_warm(table.trials, table.medians))
    else:
        found.append(uneven_windows(table.trials))
    merged: dict[SeriesKey, list[Flag]] = {}
    for part in found:
        for key, flags in part.items():
            merged.setdefault(key, []).extend(flags)
    return merged


def judge(table: Table, flags: Mapping[SeriesKey, Sequence[Flag]]) -> dict[RatioKey, Judgement]:
    """A judgement of every ratio; Holm's correction goes over all of them."""
    return judge_table(
        table.ratios,
        noise_floor={key: _floor(table, key, ratio) for key, ratio in table.ratios.items()},
        guards={key: said for key in table.ratios if (said := _guard(key, flags))},
        engaged={
            key: key[2] == table.floor
            or key[:2] in table.controls
            or table.verdicts.get(key[:2]) not in NO_PASSTHROUGH
            for key in table.ratios
        },
    )


def _pair(key: RatioKey) -> RatioKey:
    """The baseline as the samples name it: with the target's kernel."""
    group, target, baseline = key
    _, at, kernel = target.partition("@")
    return group, target, f"{baseline}{at}{kernel}"


def _floor(table: Table, key: RatioKey, ratio: Estimate) -> float:
    if not table.timed:
        return of_boots(table.noise, key[0])
    noise = table.noise.get(key[0])
    return noise.at(ratio.n) if noise else 0.0


def _guard(key: RatioKey, flags: Mapping[SeriesKey, Sequence[Flag]]) -> str:
    """Why this ratio cannot be right: something about its target, or about its baseline."""
    group, target, baseline = key
    _, at, kernel = target.partition("@")
    for name in (target, f"{baseline}{at}{kernel}"):
        for flag in flags.get((group, name), ()):
            if flag.implausible and flag.against in ("", baseline):
                return flag.said if name == target else f"{name}: {flag.said}"
    return ""
