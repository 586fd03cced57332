"""Reads a run directory into pandas frames: one row per sample, and one row per trial.

Nothing is computed here but which trials count and what the twins' counts make of their verdicts
(bench.stats.twins). Whatever a run left behind is read if it can be, and what cannot be
read is named in ``Run.problems``; only a run of an unknown schema is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.axes import OPTIONS
from bench.axes.rowkey import RowKey
from bench.model import Clock, Outcome
from bench.results import header, jsonl
from bench.results.cost_line import CostLine
from bench.results.record import DEFAULTS, LONGEST, SAMPLED, TrialLine
from bench.results.store import in_command_order
from bench.stats.noise_floor import Noise, load_noise_floor
from bench.stats.twins import held_against_twins

SAMPLE_COLUMNS = (
    "run", "trial", "series", "group", "row", *SAMPLED[1:], "window", "seconds", "ns",
)  # fmt: skip
"""Columns of the frame of samples. ``seconds`` and ``ns`` are per operation."""


@dataclass(frozen=True)
class Run:
    """One run as read: run.json, a frame of trials, a frame of samples, and what was unreadable."""

    path: Path
    about: Mapping[str, Any]
    trials: pd.DataFrame
    samples: pd.DataFrame
    problems: tuple[str, ...]
    costs: tuple[CostLine, ...] = ()
    """The lines of costs.jsonl; none where the run made no cost sheet."""
    noise: Mapping[str, Noise] = field(default_factory=dict)
    """What an A/A run on this machine showed by chance, by group."""

    @property
    def name(self) -> str:
        """What the run is called in headings."""
        return str(self.about.get("run") or self.path.name)


def load(path: Path) -> Run:
    """Read the run in the directory ``path``; UserError if it is none, or of an unknown schema."""
    about, problems = header.read(path)
    about = in_command_order(about)
    name = str(about.get("run") or path.name)
    lines, unread = jsonl.trials(path / "trials.jsonl")
    problems += unread
    about["clock"] = _clock(about, lines)
    lines = _of_one_clock(lines, about["clock"], problems)
    columns = ["trial", "key", "group", "row", *DEFAULTS]
    whole = _of_the_run(about)
    read = [_trial(line, number, whole) for number, line in enumerate(lines)]
    trials = pd.DataFrame(read, columns=columns)
    trials["superseded"] = _superseded(trials)
    trials = held_against_twins(trials, about.get("targets"))
    samples = _samples(trials, name)
    bad = int(samples["seconds"].isna().sum())
    if bad:
        problems.append(f"{bad} of {len(samples)} samples are not positive numbers: left out")
    sheet = path / "costs.jsonl"
    costs, unread = jsonl.costs(sheet) if sheet.exists() else ([], [])
    noise, unknown = load_noise_floor(path.parent, about["clock"])
    said = (*problems, *unread, *unknown)
    return Run(path, about, trials, samples, said, tuple(costs), noise)


def _clock(about: Mapping[str, Any], lines: Sequence[TrialLine]) -> str:
    """The run's clock; where run.json does not say, that of its trials."""
    told = Counter(line["clock"] for line in lines if line["clock"])
    return str(about.get("clock") or next(iter(told), Clock.WALL.value))


def _of_one_clock(lines: Sequence[TrialLine], clock: str, problems: list[str]) -> list[TrialLine]:
    """The trials of the run's clock: instructions are not time."""
    own = [line for line in lines if line["clock"] in ("", clock)]
    if len(own) < len(lines):
        problems.append(
            f"{len(lines) - len(own)} of {len(lines)} trials are of another clock than the run's "
            f"({clock}): left out"
        )
    return own


def records(trials: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of a frame as dictionaries; to_dict("records") boxes every value by itself."""
    names = [str(name) for name in trials.columns]
    columns = (trials[name].tolist() for name in names)
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _of_the_run(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a line need not say, as it goes for the whole run: its clock, and what became an axis later."""
    settings = about.get("settings")
    settings = settings if isinstance(settings, Mapping) else {}
    found = {
        axis.column: settings.get(axis.name)
        for axis in OPTIONS
        if DEFAULTS.get(axis.column, axis) is None
    }
    words = {name: value for name, value in found.items() if isinstance(value, (str, int))}
    return {**words, "clock": about["clock"]}


def _trial(line: TrialLine, number: int, whole: Mapping[str, Any]) -> dict[str, Any]:
    """One trial with the names that tables and pairing go by."""
    said = {name: value for name, value in line.items() if value is not None and value != ""}
    key = RowKey.from_record({**whole, **said})
    names = {"trial": number, "key": key, "group": key.slug, "row": key.name}
    label = line["series"] or f"{key.label}--{line['target']}"
    return {**line, **key.columns(), "series": label, **names}


def _superseded(trials: pd.DataFrame) -> list[bool]:
    """Which trials do not count: of a comparison that a round measured twice, the worse attempt.

    Whole attempts are kept or left, so that what is paired was measured side by side; better is the
    one with fewer disturbed or failed trials, and the later of two that are equal.
    """
    bad = (trials["disturbed"] != "") | (trials["outcome"] != Outcome.OK)
    troubles: dict[tuple[str, int], dict[int, int]] = {}
    keys = list(zip(trials["group"], trials["round"], trials["attempt"], strict=True))
    for (group, number, attempt), is_bad in zip(keys, bad, strict=True):
        attempts = troubles.setdefault((group, number), {})
        attempts[attempt] = attempts.get(attempt, 0) + int(is_bad)
    best = {
        block: min((count, -attempt) for attempt, count in attempts.items())
        for block, attempts in troubles.items()
    }
    return [-attempt != best[group, number][1] for group, number, attempt in keys]


def _samples(trials: pd.DataFrame, name: str) -> pd.DataFrame:
    """One row per timed window of every trial that ended well: the trial's row, repeated."""
    values = [
        _times(trial) if outcome == Outcome.OK and not old else np.empty(0)
        for outcome, old, trial in zip(
            trials["outcome"].tolist(), trials["superseded"].tolist(), trials["values"], strict=True
        )
    ]
    counts = np.array([trial.size for trial in values], dtype=np.intp)
    shared = trials.assign(run=name)
    shared = shared[[column for column in SAMPLE_COLUMNS if column in shared.columns]]
    # As a category, a word that a million samples have in common is a byte or two in each of them,
    # and to group by it no word is looked at.
    words: dict[Any, str] = dict.fromkeys(shared.select_dtypes("str").columns, "category")
    repeated = np.repeat(np.arange(len(trials)), counts)
    frame = shared.astype(words).iloc[repeated].reset_index(drop=True)
    seconds = np.concatenate([*values, np.empty(0)])
    windows = np.concatenate([np.arange(count) for count in (*counts, 0)])
    frame = frame.assign(window=windows, seconds=seconds, ns=seconds * 1e9)
    return frame[list(SAMPLE_COLUMNS)]


def _times(values: list[float]) -> NDArray[np.float64]:
    """Values as seconds; NaN for one that is no time that can have been measured."""
    seconds = np.array(values, dtype=np.float64)
    seconds[~((seconds > 1 / LONGEST) & (seconds < LONGEST))] = math.nan
    return seconds
