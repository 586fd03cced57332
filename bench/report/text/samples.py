"""samples.csv.gz: one line per sample, headed by what the run was; missing trials have a line, too.

Lines that open with ``#`` are the heading: ``pandas.read_csv(path, comment="#")`` skips them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.model import Outcome
from bench.report import about, units
from bench.report.row import Row
from bench.stats.frame import SAMPLE_COLUMNS, Run

WINDOW, TIMES, INSTRUCTIONS = "window", ("seconds", "ns"), ("instructions",)
"""Columns in which the samples of a trial differ, by clock; in all others they are alike."""
BEFORE = [column for column in SAMPLE_COLUMNS if column not in (WINDOW, *TIMES)]
FACTORS = {"seconds": 1.0, "ns": 1e9, "instructions": 1.0}
AFTER = ["outcome", "reason", "kernel", "tree"]
END = "\x1e\n"
"""Ends a line while it is put together; the newline in it has fields with one quoted."""


def lines(run: Run, rows: Sequence[Row]) -> Iterator[str]:
    """The whole file, a trial's lines at a time: those of a million samples take 250 MB."""
    for fact in about.facts(run, rows):
        yield f"# {fact.name}: {' '.join(fact.text.split())}\n"
    values = INSTRUCTIONS if units.quantity() is units.INSTRUCTIONS else TIMES
    yield ",".join([*BEFORE, WINDOW, *values, *AFTER]) + "\n"
    seconds = _seconds(run)
    trials = _trials(run, seconds)
    # What a trial's samples have in common is put into words once.
    alike = zip(trials["trial"], _words(trials[BEFORE]), _words(trials[AFTER]), strict=True)
    for trial, before, after in alike:
        own = _own(seconds[trial], values) if trial in seconds else ["," * len(values)]
        yield "".join([f"{before},{numbers},{after}\n" for numbers in own])


def _seconds(run: Run) -> dict[int, NDArray[np.float64]]:
    """The samples by trial; those of one stand together in the frame."""
    trials, starts = np.unique(run.samples["trial"].to_numpy(), return_index=True)
    parts = np.split(run.samples["seconds"].to_numpy(dtype=np.float64), starts[1:])
    return dict(zip(trials.tolist(), parts, strict=False))


def _trials(run: Run, measured: Collection[int]) -> pd.DataFrame:
    """What there is a line of: trials with samples, and those that failed, were skipped or replaced."""
    has = run.trials["trial"].isin(list(measured))
    gap = (run.trials["outcome"] != Outcome.OK) | run.trials["superseded"]
    told = run.trials.assign(
        run=run.name,
        reason=run.trials["reason"].where(~has, ""),
        kernel=about.kernel(run),
        tree=about.tree(run),
    )[has | gap]
    for column in ("kernel", "tree", "op", "reason"):
        # A reader that skips comments ends a line at any "#", quoted or not.
        told[column] = told[column].astype(str).str.replace("#", "no. ")
    return told


def _words(frame: pd.DataFrame) -> list[str]:
    return frame.to_csv(index=False, header=False, lineterminator=END).split(END)[:-1]


def _own(measured: NDArray[np.float64], values: Sequence[str]) -> Iterator[str]:
    """Window and value of a trial's samples, per op; a time twice; empty for what was none."""
    for window, value in enumerate(measured.tolist()):
        told = ["" if math.isnan(value) else repr(value * FACTORS[name]) for name in values]
        yield ",".join([str(window), *told])
