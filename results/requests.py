"""Requests of every row, as the kernel counted them, on each target of a run, against what is said of it.

    python results/requests.py RUN [RUN...]

RUN is one of the matrix ``every-row``, or of some rows of it made again. Exit code 0 if every trial's
counts lie in the bounds of its record, 1 if not: what is outside is listed below the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.axes.rowkey import RowKey
from bench.model import Bound, Level, Opcode, UserError
from bench.requests.proof import check_expected
from bench.results.record import TrialLine
from bench.results.store import RunDirectory


def counted(run: RunDirectory) -> list[TrialLine]:
    """Every trial of a run that ended well and whose requests the kernel counted."""
    return [
        one
        for one in run.trials()
        if one["outcome"] == "ok" and one["requests"] and one["requests"]["kernel"] is not None
    ]


def outside(found: Sequence[TrialLine]) -> Iterator[str]:
    """A line for each opcode of each trial that is not in its bounds, or has none."""
    for one in found:
        bounds = {Opcode[name]: Bound(*ends) for name, ends in one["expected"].items()}
        if not bounds:
            yield f"{one['series']}: says nothing of its requests"
        counts = {Opcode[name]: n for name, n in one["requests"]["kernel"].items()}
        for line in check_expected(bounds, counts, one["requests"]["ops"]):
            yield f"{one['series']}: {line}"


def per_op(one: TrialLine) -> str:
    """``LOOKUP 4, GETATTR 1``: the most frequent first, what is rarer than 1 in 1000 left out."""
    requests, ops = one["requests"]["kernel"], one["requests"]["ops"]
    often = sorted(requests.items(), key=lambda item: (-item[1], item[0]))
    figures = [(name, n / ops) for name, n in often if n >= ops / 1000]
    return (
        ", ".join(f"{name} {x:.0f}" if x >= 100 else f"{name} {x:.3g}" for name, x in figures)
        or "none"
    )


def table(found: Sequence[TrialLine]) -> Iterator[str]:
    """Markdown: a line for each row, a column for each target."""
    ranks = {one["target"]: (Level(one["level"]).rank, one["daemon"]) for one in found}
    targets = sorted(ranks, key=lambda name: ranks[name])
    cells: dict[str, dict[str, str]] = {}
    for one in found:
        row = RowKey.from_record(one).name
        cells.setdefault(row, {}).setdefault(one["target"], per_op(one))
    yield "| " + " | ".join(["row", *targets]) + " |"
    yield "|" + "---|" * (len(targets) + 1)
    for name in sorted(cells):
        yield "| " + " | ".join([name, *(cells[name].get(one, "") for one in targets)]) + " |"


def heading(run: RunDirectory) -> Iterator[str]:
    """What the table shows, and of which kernel."""
    releases = [kernel["release"] for kernel in run.header().get("kernels") or ()]
    yield f"# Requests per operation of every row, Linux {', '.join(releases) or 'of this machine'}"
    yield ""
    yield "As the kernel's tracepoint counted them, alike with the server's own count. A line of a real"
    yield "program is one run of it. Commands: `matrices/every-row.toml`."
    yield ""


def main(arguments: Sequence[str]) -> int:
    """Print the table and what is outside; returns the exit code."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        runs = [RunDirectory.open(Path(run)) for run in arguments]
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    found = [one for run in runs for one in counted(run)]
    print("\n".join([*heading(runs[0]), *table(found)]))
    wrong = list(outside(found))
    print(f"\n{len(found)} trials counted, {len(wrong)} times outside of what is expected")
    print("\n".join(f"- {line}" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
