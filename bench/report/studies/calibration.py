"""Instructions to time: what each class of work costs on a machine, fitted to rows measured on both clocks.

The fit is a sum of count times cost, no cost below 0, to relative errors; how well it predicts is told
by workloads it has not seen. A prediction is printed only where that is good enough.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from bench.model import Clock, Outcome, UserError
from bench.profile import store, subsystems

CLASSES = ("user", "kernel", "copies", "switches", "system_calls")
"""What is counted of a row, per operation: instructions of three kinds, and two kinds of event."""
UNITS = {"switches": "switch", "system_calls": "system call"}
"""What one of a class is; of those not here, an instruction."""
PLAUSIBLE_NS: Mapping[str, tuple[float, float]] = {
    "user": (0.05, 2.0),
    "kernel": (0.05, 2.0),
    "copies": (0.0, 1.0),
    "switches": (50.0, 5000.0),
    "system_calls": (10.0, 2000.0),
}
"""A cost outside of these is the fit's doing, not the machine's."""
MOST_MEDIAN, MOST_P90 = 0.15, 0.35
"""Errors of workloads left out, at most, for predictions to be printed."""
MOST_APART = 0.05
"""Rows whose requests per operation differ more between the clocks are left out."""
COPIES = (
    "rep_movs",
    "rep_stos",
    "memcpy",
    "memset",
    "memmove",
    "clear_page",
    "copy_user",
    "__memcpy",
)
"""Kernel functions that are one repeated instruction: counted once a byte or word, fast in time."""


@dataclass(frozen=True)
class CalibrationRow:
    """One row on one target, on both clocks."""

    workload: str
    row: str
    target: str
    counts: Mapping[str, float]
    """By class, per operation."""
    ns: float
    """Measured, per operation."""

    @property
    def vector(self) -> list[float]:
        """The counts in the order of CLASSES."""
        return [self.counts[name] for name in CLASSES]


@dataclass(frozen=True)
class Fit:
    """What one of each class costs, in nanoseconds."""

    ns: Mapping[str, float]

    def predict(self, counts: Mapping[str, float]) -> float:
        """Nanoseconds per operation."""
        return sum(self.ns[name] * counts[name] for name in CLASSES)

    @property
    def implausible(self) -> list[str]:
        """Classes whose cost no machine has."""
        return [
            name for name, (low, high) in PLAUSIBLE_NS.items() if not low <= self.ns[name] <= high
        ]


@dataclass(frozen=True)
class Backtest:
    """A fit, and how far off it is for each row when the row's workload is left out of it."""

    fit: Fit
    rows: Sequence[CalibrationRow]
    errors: Sequence[float]
    """Relative, signed, in the order of the rows."""

    @property
    def median(self) -> float:
        """The median of the errors' sizes."""
        return statistics.median(abs(error) for error in self.errors)

    @property
    def p90(self) -> float:
        """The 90th percentile of the errors' sizes."""
        return float(np.quantile([abs(error) for error in self.errors], 0.9))

    @property
    def trusted(self) -> bool:
        """Whether predictions may be printed."""
        return self.median <= MOST_MEDIAN and self.p90 <= MOST_P90 and not self.fit.implausible


def classes(profile: store.Profile, counts: Mapping[str, int]) -> dict[str, float]:
    """A profile's instructions and events by class, per operation."""
    found = dict.fromkeys(CLASSES, 0.0)
    for stack, count in profile.folded.items():
        found[_class(stack)] += count / profile.ops
    for name in UNITS:
        found[name] = counts[name] / profile.ops
    return found


def _class(stack: tuple[str, ...]) -> str:
    if subsystems.is_user(stack[-1]):
        return "user"
    return "copies" if stack[-1].startswith(COPIES) else "kernel"


def fit(rows: Sequence[CalibrationRow]) -> Fit:
    """The costs that make the relative errors smallest, none below 0."""
    matrix = np.array([[value / row.ns for value in row.vector] for row in rows])
    solution, _ = nnls(matrix, np.ones(len(rows)))
    return Fit(dict(zip(CLASSES, (float(cost) for cost in solution), strict=True)))


def backtest(rows: Sequence[CalibrationRow]) -> Backtest:
    """Fit to all, and predict every workload from a fit to the others."""
    without = {
        workload: fit([row for row in rows if row.workload != workload])
        for workload in {row.workload for row in rows}
    }
    errors = [without[row.workload].predict(row.counts) / row.ns - 1 for row in rows]
    return Backtest(fit(rows), rows, errors)


def key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a trial on one clock shares with its counterpart on the other."""
    names = (
        "workload", "variant", "cache", "threads", "attr_timeout", "entry_timeout", "entries",
        "placement", "target", "level",
    )  # fmt: skip
    return tuple(record.get(name) for name in names)


def pair(
    wall: Iterable[Mapping[str, Any]], run: Path, counted: Iterable[Mapping[str, Any]]
) -> list[CalibrationRow]:
    """Rows of runs in wall time that a profiled run on the instruction clock has, too."""
    times: dict[tuple[Any, ...], list[float]] = {}
    sent: dict[tuple[Any, ...], float] = {}
    for record in wall:
        if record["outcome"] == Outcome.OK and record["clock"] == Clock.WALL and record["values"]:
            times.setdefault(key(record), []).append(statistics.median(record["values"]))
            sent[key(record)] = requests(record)
    found: dict[tuple[Any, ...], CalibrationRow] = {}
    for record in counted:
        profile = record.get("profile") or {}
        if record["outcome"] != Outcome.OK or not profile.get("file") or key(record) in found:
            continue
        if key(record) in times and alike(requests(record), sent[key(record)]):
            found[key(record)] = _row(run, record, statistics.median(times[key(record)]))
    return list(found.values())


def requests(record: Mapping[str, Any]) -> float:
    """Requests per operation, as the kernel counted them; 0 where there are none."""
    counted = record.get("requests") or {}
    sent = counted.get("kernel") or {}
    return sum(sent.values()) / counted["ops"] if sent else 0.0


def alike(one: float, other: float) -> bool:
    """Whether both kernels sent as many requests: else the row is not the same work on both."""
    return abs(one - other) <= MOST_APART * max(one, other)


def _row(run: Path, record: Mapping[str, Any], seconds: float) -> CalibrationRow:
    profile = store.read(run, record["profile"])
    return CalibrationRow(
        record["workload"],
        str(record["series"]).removesuffix(f"--{record['target']}"),
        record["target"],
        classes(profile, record["profile"]["counts"]),
        seconds * 1e9,
    )


def lines(found: Backtest, machine: str) -> list[str]:
    """The costs, the errors by workload and target, and whether predictions may be printed."""
    made = [
        f"instructions to time on {machine}: {len(found.rows)} rows on both clocks",
        "",
        f"{'class':<14} {'ns each':>9}",
    ]
    for name in CLASSES:
        mark = "  implausible" if name in found.fit.implausible else ""
        made.append(
            f"{name:<14} {found.fit.ns[name]:>9.3f}{mark}  per {UNITS.get(name, 'instruction')}"
        )
    made += [
        "",
        f"left out, a workload at a time: median error {100 * found.median:.0f} %, 90th percentile "
        f"{100 * found.p90:.0f} %",
        f"wanted: at most {100 * MOST_MEDIAN:.0f} % and {100 * MOST_P90:.0f} %: "
        + ("held" if found.trusted else "not held, no time is predicted"),
    ]
    for what in ("workload", "target"):
        made += ["", f"{what:<22} {'rows':>4} {'median':>8} {'worst':>8} {'bias':>8}"]
        made += _by(found, what)
    return made


def _by(found: Backtest, what: str) -> list[str]:
    grouped: dict[str, list[float]] = {}
    for row, error in zip(found.rows, found.errors, strict=True):
        grouped.setdefault(getattr(row, what), []).append(error)
    return [
        f"{name:<22} {len(errors):>4} {100 * statistics.median(map(abs, errors)):>7.0f}% "
        f"{100 * max(errors, key=abs):>+7.0f}% {100 * statistics.median(errors):>+7.0f}%"
        for name, errors in sorted(grouped.items())
    ]


def refuse_unlike(wall: Mapping[str, Any], counted: Mapping[str, Any]) -> None:
    """Raises UserError for runs of different trees: unequal directories are not the same work."""
    trees = [run.get("tree", {}).get("hash") for run in (wall, counted)]
    if trees[0] != trees[1]:
        raise UserError(f"runs of different trees cannot be calibrated: {trees[0]} and {trees[1]}")


def row_lines(found: Backtest) -> list[str]:
    """Every row: measured, predicted by a fit without its workload, and the error."""
    made = [f"{'row and target':<56} {'ns':>8} {'error':>7}"]
    order = sorted(range(len(found.rows)), key=lambda at: -abs(found.errors[at]))
    for at in order:
        row = found.rows[at]
        name = f"{row.row} {row.target}"
        made.append(f"{name[:56]:<56} {row.ns:>8.0f} {100 * found.errors[at]:>+6.0f}%")
    return made
