"""Figures that others have published beside our own, as one table with the reasons where they differ.

    python results/published.py RUN [FORCED]

RUN is one of the matrix ``published``, FORCED one of ``getattr-storm/fd`` with ``--sync force``; the
matrix names both commands.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Trial = dict[str, Any]
Pick = Callable[[Trial], bool]
MISSING = "not measured in this run"


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    where: str
    theirs: str
    ours: str
    why: str


def trials(run: Path) -> list[Trial]:
    """Every trial of a run that ended well."""
    lines = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    return [line for line in lines if line["outcome"] == "ok"]


def seconds(found: Sequence[Trial], pick: Pick) -> float | None:
    """Seconds of an operation: the median over trials of their medians."""
    medians = [statistics.median(one["values"]) for one in found if pick(one) and one["values"]]
    return statistics.median(medians) if medians else None


def per_op(found: Sequence[Trial], pick: Pick, opcode: str) -> float | None:
    """Requests of an opcode by operation, by the kernel's own count."""
    for one in found:
        requests = one["requests"]
        if pick(one) and requests and requests["kernel"] is not None:
            return float(requests["kernel"].get(opcode, 0) / requests["ops"])
    return None


def said(value: float | None, form: str, unit: str) -> str:
    """A figure with its unit, or that there is none."""
    return MISSING if value is None else f"{value:{form}} {unit}"


def ratio(over: float | None, under: float | None) -> float | None:
    """One by the other, where both were measured."""
    return over / under if over is not None and under else None


def row(
    workload: str, mode: str = "readdirplus", *, daemon: str = "plain-c", **more: object
) -> Pick:
    """Trials of a workload on a server without delays that answers about xattrs, unless told otherwise."""
    wanted = {"workload": workload, "daemon": daemon, "xattr": "answer", "delay_ns": {}, **more}
    if daemon == "plain-c":
        wanted["readdir_mode"] = mode
    return lambda one: all(one.get(key) == value for key, value in wanted.items())


def figures(found: Sequence[Trial], forced: Sequence[Trial]) -> Iterator[Figure]:
    """The table, line by line."""
    slow = {"delay_ns": {"LOOKUP": 850_000, "READDIRPLUS": 12_000_000}, "xattr": "enosys"}
    for mode, theirs in (("readdir", "16 to 18 s"), ("readdirplus", "3.8 to 4.1 s")):
        yield Figure(
            f"ls -lR of 20 000 files, {mode.upper()}",
            "commit of READDIRPLUS, 2013",
            theirs,
            said(seconds(found, row("macro-ls", mode, **slow)), ".1f", "s"),
            "a slow backing played: 0.85 ms a LOOKUP, 12 ms a READDIRPLUS; no xattrs",
        )
    for opcode, theirs in (("LOOKUP", "10 000"), ("GETXATTR", "20 000")):
        count = per_op(found, row("macro-ls", "readdir"), opcode)
        half = None if count is None else count / 2
        yield Figure(
            f"{opcode} of ls -l of 10 000 files, READDIR",
            "libfuse issue 150",
            theirs,
            said(half, ",.0f", "(half of those of 20 000)"),
            "ours counts directories, too: three GETXATTR each",
        )
    plus, names = (
        seconds(found, row("list-stat", mode, variant="0", entries=1_000_000))
        for mode in ("readdirplus", "readdir")
    )
    yield Figure(
        "listing 10^6 names, READDIRPLUS / READDIR",
        "gocryptfs issue 1026",
        "34 x",
        said(ratio(plus, names), ".1f", "x"),
        "theirs opens and encrypts for each entry's attributes; a mirror stats",
    )
    yield Figure(
        "GETATTR of a forced statx of a cached inode",
        "statx(2), AT_STATX_FORCE_SYNC",
        "1",
        said(per_op(forced, row("getattr-storm", variant="fd"), "GETATTR"), ".2f", ""),
        "",
    )
    cached, native = (
        seconds(found, row("getattr-cached", daemon=daemon)) for daemon in ("plain-c", "native")
    )
    yield Figure(
        "statx of a cached path / native",
        "RFUSE, 2024",
        "1",
        said(ratio(cached, native), ".2f", "x"),
        "each step of a path costs FUSE a call to check its timeouts",
    )
    for threads in (1, 2, 4):
        taken = seconds(found, row("create", variant="shared", threads=threads))
        made = None if taken is None else 1 / taken
        yield Figure(
            f"files created a second, {threads} thread{'s' * (threads > 1)}",
            "FUSE over io_uring, RFC v4, 2024",
            "3 944 over /dev/fuse, 10 121 over io_uring" if threads == 1 else "grows with cores",
            said(made, ",.0f", "a second"),
            "ours over /dev/fuse, on one CPU per thread with its server; another machine",
        )


def main() -> None:
    """Read the runs, print the table."""
    folders = [Path(name) for name in sys.argv[1:]]
    if not 1 <= len(folders) <= 2:
        raise SystemExit("usage: published.py RUN [FORCED]")
    found, forced = trials(folders[0]), trials(folders[1]) if folders[1:] else []
    environment = json.loads((folders[0] / "run.json").read_text())["environment"]
    print("# Figures that others have published, made again\n")
    print(
        f"Ours: Linux {environment['kernel_release']}, {environment['cpu_model']}, "
        f"{environment['cpu_count']} CPUs, plain-c on tmpfs; theirs on their machines. "
        "`matrices/published.toml` has the commands.\n"
    )
    print("| what | where | theirs | ours | why they differ |\n|---|---|---|---|---|")
    for one in figures(found, forced):
        print(f"| {one.what} | {one.where} | {one.theirs} | {one.ours} | {one.why} |")


if __name__ == "__main__":
    main()
