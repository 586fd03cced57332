"""samples.csv: one line per sample, headed by what the run was; missing trials have a line, too.

Lines that open with ``#`` are the heading: ``pandas.read_csv(path, comment="#")`` skips them.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.frame import Run, samples_and_gaps
from bench.report import about
from bench.report.rows import Row

OWN = ["window", "seconds", "ns"]
"""Columns in which the samples of a trial differ; in all others they are alike."""
END = "\x1e\n"
"""Ends a line while it is put together; the newline in it has fields with one quoted."""


def table(run: Run, rows: Sequence[Row]) -> str:
    """The whole file."""
    heading = [f"# {fact.name}: {' '.join(fact.text.split())}" for fact in about.facts(run, rows)]
    frame = samples_and_gaps(run)
    trials = frame.drop_duplicates("trial").assign(kernel=about.kernel(run), tree=about.tree(run))
    for column in ("kernel", "tree", "op", "reason"):
        # A reader that skips comments ends a line at any "#", quoted or not.
        trials[column] = trials[column].astype(str).str.replace("#", "no. ")
    names = list(trials.columns)
    at = names.index(OWN[0])
    before, after = names[:at], names[at + len(OWN) :]
    # What a trial's samples have in common is written once: of a million, a quarter of the time.
    common = dict(
        zip(
            trials["trial"],
            zip(_lines(trials[before]), _lines(trials[after]), strict=True),
            strict=True,
        )
    )
    own = zip(frame["trial"].tolist(), _lines(frame[OWN]), strict=True)
    lines = (f"{common[trial][0]},{line},{common[trial][1]}" for trial, line in own)
    return "\n".join([*heading, ",".join(names), *lines, ""])


def _lines(frame: pd.DataFrame) -> list[str]:
    return frame.to_csv(index=False, header=False, lineterminator=END).split(END)[:-1]
