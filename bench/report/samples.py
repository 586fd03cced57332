"""samples.csv: one line per sample, headed by what the run was; missing trials have a line, too.

Lines that open with ``#`` are the heading: ``pandas.read_csv(path, comment="#")`` skips them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.frame import Run, samples_and_gaps
from bench.report import about
from bench.report.rows import Row


def table(run: Run, rows: Sequence[Row]) -> str:
    """The whole file."""
    heading = [f"# {fact.name}: {' '.join(fact.text.split())}" for fact in about.facts(run, rows)]
    frame = samples_and_gaps(run).assign(kernel=about.kernel(run), tree=about.tree(run))
    for column in ("kernel", "tree", "op", "reason"):
        # A reader that skips comments ends a line at any "#", quoted or not.
        frame[column] = frame[column].astype(str).str.replace("#", "no. ")
    return "\n".join([*heading, frame.to_csv(index=False)])
