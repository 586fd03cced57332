"""Reads a run directory into pandas frames: one row per sample, and one row per trial.

Nothing is computed here but which trials count and what the twins' counts make of their verdicts
(bench.stats.twins). Whatever a run left behind is read if it can be, and what cannot be
read is named in ``Run.problems``; only a run of an unknown schema is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.axes import OPTIONS, rows, targets
from bench.axes.rowkey import RowKey
from bench.machine import plain
from bench.model import SCHEMA, Cache, Clock, Outcome, Placement, UserError
from bench.results.store import in_command_order
from bench.stats.twins import held_against_twins

TRIAL_DEFAULTS: Mapping[str, Any] = {
    "series": "",
    "target": "(unnamed)",
    "workload": "(unnamed)",
    "variant": "",
    "cache": Cache.WARM.value,
    "threads": 1,
    "placement": Placement.SAME.value,
    "level": "none",
    "readdir_mode": "readdirplus",
    "server_threads": 0,
    "clone_fd": False,
    "entries": 0,
    "xattr": "answer",
    "attr_timeout": math.nan,
    "entry_timeout": math.nan,
    "timeouts": "as asked",
    "round": 0,
    "position": 0,
    "attempt": 0,
    "disturbed": "",
    "started": "",
    "outcome": Outcome.FAILED.value,
    "reason": "",
    "op": "",
    "unit": "op",
    "loops": math.nan,
    "ops_per_loop": math.nan,
    "values": None,
    "empty_loop_ns": math.nan,
    "requests": None,
    "expected": None,
    "claimed": None,
    "verdict": "",
    "verdict_reason": "",
    "histogram": None,
    "open_loop": None,
    "attribution": None,
    "profile": None,
    "cache_how": "",
}
"""What a trial line is read as where a key is missing or null; the schema has the meanings."""

AXIS_COLUMNS: Mapping[str, Any] = {
    column: value
    for column, value in (
        *((axis.column, axis.write(axis.none)) for axis in rows.AXES if not axis.split),
        *((axis.column, axis.write(axis.none)) for axis in targets.SERVING),
    )
    if column not in (*TRIAL_DEFAULTS, targets.DELAY.column)
}
"""The same of axes that are no more than a record in bench.axes."""

SAMPLE_COLUMNS = (
    "run", "trial", "series", "group", "row", "target", "workload", "variant", "cache", "threads",
    "placement", "level", "readdir_mode", "server_threads", "clone_fd", "entries", *AXIS_COLUMNS,
    "attr_timeout", "entry_timeout", "round", "position", "op", "unit",
    "loops", "ops_per_loop", "window", "seconds", "ns",
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
    costs: tuple[Mapping[str, Any], ...] = ()
    """The lines of costs.jsonl; none where the run made no cost sheet."""

    @property
    def name(self) -> str:
        """What the run is called in headings."""
        return str(self.about.get("run") or self.path.name)


def load(path: Path) -> Run:
    """Read the run in the directory ``path``; UserError if it is none, or of an unknown schema."""
    about = _about(path)
    name = str(about.get("run") or path.name)
    records, problems = _records(path / "trials.jsonl")
    columns = ["trial", "key", "group", "row", *TRIAL_DEFAULTS, *AXIS_COLUMNS]
    given = {**TRIAL_DEFAULTS, **AXIS_COLUMNS, **_of_the_run(about)}
    read = [_trial(given, record, number) for number, record in enumerate(records)]
    trials = pd.DataFrame(read, columns=columns)
    trials["superseded"] = _superseded(trials)
    trials = held_against_twins(trials, about.get("targets"))
    samples = _samples(trials, name)
    bad = int(samples["seconds"].isna().sum())
    if bad:
        problems.append(f"{bad} of {len(samples)} samples are not positive numbers: left out")
    costs, unread = _records(path / "costs.jsonl") if (path / "costs.jsonl").exists() else ([], [])
    return Run(path, about, trials, samples, (*problems, *unread), tuple(costs))


def records(trials: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of a frame as dictionaries; to_dict("records") boxes every value by itself."""
    names = [str(name) for name in trials.columns]
    columns = (trials[name].tolist() for name in names)
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _about(path: Path) -> Mapping[str, Any]:
    """run.json, checked to be of the schema this program reads."""
    file = path / "run.json"
    try:
        about = plain.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not a run, it has no run.json") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{file}: cut short or not JSON ({error})") from None
    schema = about.get("schema") if isinstance(about, dict) else None
    if schema != SCHEMA:
        raise UserError(
            f"{file}: schema {schema!r}, this program reads {SCHEMA}; "
            "use the version of the suite that wrote the run"
        )
    return in_command_order(about)


def _records(file: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines of trials.jsonl that are trials, and a sentence about each that is not."""
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        return [], [f"{file.name}: {error.strerror}; no trial could be read"]
    records, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = plain.loads(line)
        except ValueError:
            # A run killed while it wrote leaves half a line; what stands before it is whole.
            what = "cut short" if number == len(lines) else "not readable"
            problems.append(f"{file.name}: line {number} is {what}; the other trials were read")
            continue
        if isinstance(record, dict):
            records.append(record)
        else:
            problems.append(f"{file.name}: line {number} is no trial; left out")
    return records, problems


def _of_the_run(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a line need not say, as it goes for the whole run: its clock, and what became an axis later."""
    settings = about.get("settings")
    settings = settings if isinstance(settings, Mapping) else {}
    found = {
        axis.column: settings[axis.name]
        for axis in OPTIONS
        if axis.column in AXIS_COLUMNS and isinstance(settings.get(axis.name), (str, int))
    }
    return {**found, "clock": about.get("clock") or Clock.WALL.value}


def _trial(given: Mapping[str, Any], record: Mapping[str, Any], number: int) -> dict[str, Any]:
    """One trial with every column filled, and the names that tables and pairing go by."""
    said = {key: value for key, value in record.items() if value is not None and key in given}
    trial = {**given, **said}
    key = RowKey.from_record(trial)
    if not isinstance(trial["values"], list):
        trial["values"] = []
    label = str(trial["series"]) or f"{key.label}--{trial['target']}"
    names = {"trial": number, "key": key, "group": key.slug, "row": key.name}
    return trial | {"series": label} | names


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


def _times(values: list[object]) -> NDArray[np.float64]:
    """Values as seconds; NaN for one that is no time that can have been measured."""
    try:
        seconds = np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        numbers = [value if isinstance(value, (int, float)) else math.nan for value in values]
        seconds = np.array(numbers, dtype=np.float64)
    seconds[~((seconds > 0) & np.isfinite(seconds))] = math.nan
    return seconds
