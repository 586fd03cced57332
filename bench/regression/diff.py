"""Two kernels side by side on the instruction clock: a verdict a CI job can act on."""

from __future__ import annotations

import json
import statistics
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.ci.results import CaseOutcome, ComparisonCases, RowCases, TargetCase
from bench.ci.told import PLAIN, Wanted
from bench.guests.kernels import parse
from bench.measure import start
from bench.model import Clock, Exit, Outcome
from bench.plan.settings import Settings, guest
from bench.profile.difference import Difference
from bench.profile.text import accounted_for
from bench.regression import where
from bench.results.record import TrialLine, times
from bench.run.view import View

SLOWER = 1
"""Exit code for a regression, as comparison tools have it."""
_TARGET_COLUMNS = 18
_NAME_COLUMNS = 10


@dataclass(frozen=True)
class Wish:
    """What is to be compared: two kernels as --kernel names them, a server, workloads."""

    base: str
    patched: str
    daemon: str
    only: bool
    workloads: tuple[str, ...]
    trials: int
    """Boots of each kernel: what only one of several shows is no regression."""
    threshold: float
    """Percent more instructions per operation that count as a regression."""
    profile: bool = False
    """Whether to say which functions account for a change."""


@dataclass(frozen=True)
class Figure:
    """One workload on one target of one kernel: instructions and requests per operation."""

    by_round: Mapping[int, float]
    """Instructions: the median of each boot's windows."""
    requests: float | None
    level: str

    @property
    def instructions(self) -> float:
        """The median of the boots."""
        return statistics.median(self.by_round.values())

    @property
    def spread(self) -> float:
        """Relative distance between the boots."""
        return (max(self.by_round.values()) - min(self.by_round.values())) / self.instructions


@dataclass(frozen=True)
class KernelComparison:
    """A workload on a target, on both kernels; ``old`` or ``new`` is None without a trial that is ok."""

    row: str
    target: str
    old: Figure | None
    new: Figure | None
    threshold: float

    @property
    def changes(self) -> list[float]:
        """Percent by which the instructions rose, in every round that both kernels did."""
        if self.old is None or self.new is None:
            return []
        old, new = self.old.by_round, self.new.by_round
        return [100 * (new[number] / old[number] - 1) for number in sorted(old.keys() & new.keys())]

    @property
    def change(self) -> float | None:
        """The median of ``changes``; None where there is none."""
        return statistics.median(self.changes) if self.changes else None

    @property
    def notable(self) -> bool:
        """Whether it rose or fell by more than the threshold."""
        return abs(self.change or 0.0) > self.threshold

    @property
    def regressed(self) -> bool:
        """Whether it rose by more than the threshold in every round."""
        return min(self.changes, default=0.0) > self.threshold


def settings_of(wish: Wish) -> Settings:
    """Boots of each kernel in turn, on the instruction clock."""
    return Settings(
        daemons=(wish.daemon,),
        only=wish.only,
        workloads=wish.workloads,
        **guest(Clock.INSTRUCTIONS),
        trials=wish.trials,
        kernels=(labelled(wish.base, "base"), labelled(wish.patched, "patched")),
        clock=Clock.INSTRUCTIONS,
        profile=wish.profile,
    )


def run(
    wish: Wish,
    output: Path | None,
    argv: list[str],
    *,
    as_json: bool = False,
    tests: Wanted = PLAIN,
) -> int:
    """Measure both kernels and print the comparison; SLOWER when a row regressed."""
    settings = settings_of(wish)
    result = start(settings, output, argv, View())
    if result.exit in (Exit.INTERRUPTED, Exit.NOTHING):
        return result.exit
    base, patched = (parse(text)[0] for text in settings.kernels)
    records = list(result.run.trials())
    rows = compare(summarize(records), base, patched, wish.threshold)
    functions = where.differences(result.run.path, records, base, patched)
    if tests.wanted:
        notes = (f"run: {result.run.path}", *lost(records))
        tests.tell([as_tests(rows, base, patched, functions, notes)])
    if tests.ktap:
        pass
    elif as_json:
        print(json.dumps(as_object(rows, base, patched, result.run.path, functions), indent=1))
    else:
        lines = table(rows, base, patched, functions)
        print("\n".join([*lines, "", f"run: {result.run.path}"]))
    return SLOWER if any(row.regressed for row in rows) else result.exit


def labelled(kernel: str, label: str) -> str:
    """A kernel as --kernel takes it, called ``label`` unless it has one: two bzImages are alike."""
    return kernel if "=" in kernel.partition(",")[0] else f"{label}={kernel}"


def summarize(records: Iterable[TrialLine]) -> dict[tuple[str, str, str], Figure]:
    """(row, target without kernel, kernel) -> figure, over the trials that are ok."""
    grouped: dict[tuple[str, str, str], list[TrialLine]] = {}
    for record in records:
        if record["outcome"] == Outcome.OK and times(record):
            row = record["workload"] + (f"/{record['variant']}" if record["variant"] else "")
            target = record["target"].partition("@")[0]
            grouped.setdefault((row, target, record["kernel"]), []).append(record)
    return {key: _figure(trials) for key, trials in grouped.items()}


def _figure(trials: list[TrialLine]) -> Figure:
    by_round = {trial["round"]: statistics.median(times(trial)) for trial in trials}
    counted = trials[-1]["requests"]
    requests = None
    if counted and counted["kernel"] is not None and counted["ops"]:
        requests = sum(counted["kernel"].values()) / counted["ops"]
    return Figure(by_round, requests, trials[-1]["level"])


def compare(
    figures: Mapping[tuple[str, str, str], Figure], base: str, patched: str, threshold: float
) -> list[KernelComparison]:
    """Every row and target that either kernel has, side by side."""
    return [
        KernelComparison(
            row,
            target,
            figures.get((row, target, base)),
            figures.get((row, target, patched)),
            threshold,
        )
        for row, target in sorted({key[:2] for key in figures})
    ]


def table(
    rows: Sequence[KernelComparison],
    base: str,
    patched: str,
    functions: Mapping[tuple[str, str], Difference] | None = None,
) -> list[str]:
    """Lines of at most 79 columns: a heading for every workload, a line for every target.

    Below a line that changed, the functions that account for it, where there are profiles.
    """
    lines = ["instructions and requests per op, median of the boots", ""]
    names = f"{base[:_NAME_COLUMNS]:>10} {patched[:_NAME_COLUMNS]:>10}"
    lines.append(f"{'':<{_TARGET_COLUMNS + 2}} {names} {'change':>9} {'req/op':>12}")
    heading = ""
    for one in rows:
        if one.row != heading:
            lines.append(one.row)
            heading = one.row
        lines += _lines(one)
        if functions and (found := functions.get((one.row, one.target))) and one.notable:
            lines += textwrap.wrap(
                accounted_for(found), 79, initial_indent="    ", subsequent_indent="    "
            )
    return lines


def _lines(one: KernelComparison) -> Iterator[str]:
    target = f"  {one.target:<{_TARGET_COLUMNS}}"
    if len(one.target) > _TARGET_COLUMNS:
        yield f"  {one.target}"
        target = " " * (_TARGET_COLUMNS + 2)
    if one.old is None or one.new is None or one.change is None:
        yield f"{target} {'no round with a trial that is ok on both':>44}"
        return
    requests = f"{_requests(one.old)}/{_requests(one.new)}"
    yield (
        f"{target} {one.old.instructions:>10.0f} {one.new.instructions:>10.0f} "
        f"{one.change:>+8.2f}% {requests:>12}{' slower' if one.regressed else ''}"
    )
    if one.old.level != one.new.level:
        yield f"{'':<{_TARGET_COLUMNS + 2}} levels: {one.old.level} and {one.new.level}"


def _requests(figure: Figure) -> str:
    return "-" if figure.requests is None else f"{figure.requests:.2f}"


def as_object(
    rows: Sequence[KernelComparison],
    base: str,
    patched: str,
    run: Path,
    functions: Mapping[tuple[str, str], Difference] | None = None,
) -> dict[str, Any]:
    """The comparison for programs."""
    return {
        "base": base,
        "patched": patched,
        "run": str(run),
        "regressed": any(row.regressed for row in rows),
        "rows": [
            asdict(row)
            | {"change_percent": row.change, "regressed": row.regressed}
            | {"functions": _functions((functions or {}).get((row.row, row.target)))}
            for row in rows
        ],
    }


def as_tests(
    rows: Sequence[KernelComparison],
    base: str,
    patched: str,
    functions: Mapping[tuple[str, str], Difference],
    notes: tuple[str, ...] = (),
) -> ComparisonCases:
    """The comparison as tests, those of one row side by side."""
    cases: dict[str, list[TargetCase]] = {}
    for one in rows:
        cases.setdefault(one.row, []).append(_case(one, functions.get((one.row, one.target))))
    made = tuple(RowCases(name, tuple(own)) for name, own in cases.items())
    return ComparisonCases(f"kernel diff {base} {patched}", made, notes)


def _case(one: KernelComparison, found: Difference | None) -> TargetCase:
    if one.old is None or one.new is None or one.change is None:
        return TargetCase(one.target, CaseOutcome.ERROR, "no round with a trial that is ok on both")
    answer = CaseOutcome.FAILED if one.regressed else CaseOutcome.PASSED
    why = f"{one.change:+.2f} % instructions, threshold {one.threshold:g} %"
    numbers = [
        f"instructions per op {one.old.instructions:.1f} -> {one.new.instructions:.1f} "
        f"({one.change:+.2f} %)",
        f"requests per op {_requests(one.old)} -> {_requests(one.new)}",
    ]
    if one.old.level != one.new.level:
        numbers.append(f"levels: {one.old.level} and {one.new.level}")
    if found and one.notable:
        numbers.append(accounted_for(found))
    return TargetCase(one.target, answer, why if one.regressed else "", tuple(numbers))


def lost(records: Iterable[TrialLine]) -> list[str]:
    """A line for each trial that is not ok, with its reason."""
    return [
        f"{record['series']}, round {record['round']}: {record['outcome']}: {record['reason']}"
        for record in records
        if record["outcome"] != Outcome.OK
    ]


def _functions(found: Difference | None) -> list[dict[str, Any]] | None:
    return where.as_object(found) if found else None
