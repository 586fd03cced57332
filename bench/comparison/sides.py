"""One side of a comparison: a run, a kernel or a target of it, or one series file.

RUN                     a directory, or a name under results/
RUN@KERNEL              one kernel of a run that had several
RUN:TARGET              one target of a run, ``RUN:TARGET@KERNEL`` on one kernel
RUN/series/NAME.json    one series; of a run if it lies in one, else what pyperf recorded
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.axes.rowkey import RowKey
from bench.comparison import header
from bench.model import Clock, Exit, Outcome, UserError
from bench.profile import select
from bench.report import units
from bench.report.rows import requests_per_op
from bench.results import series as series_file
from bench.results.kinds import Wrong
from bench.results.record import DEFAULTS, LONGEST
from bench.results.store import RESULTS, find_run
from bench.stats.estimates import Estimate, centre, over_boots, trial_medians
from bench.stats.frame import Run, load, records
from bench.stats.guards import MODES, Flag, series_flags
from bench.stats.noise_floor import Noise

Medians = Mapping[int, float]


@dataclass(frozen=True)
class MatchKey:
    """What a row is matched by: its key, and the target without its kernel.

    ``target`` is empty where one target, or one series, was picked on purpose; ``row`` is None
    where a file of pyperf does not say.
    """

    row: RowKey | None
    target: str

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name if self.row else ""

    @property
    def slug(self) -> str:
        """The row's name in stored tables."""
        return self.row.slug if self.row else ""

    @property
    def said(self) -> str:
        """``getattr-storm/fd (warm, timeouts 0), plain-c``."""
        return ", ".join(part for part in (self.name, self.target) if part)

    @property
    def order(self) -> tuple[object, ...]:
        """Rows as everywhere, targets by name."""
        return (self.row.order if self.row else (), self.target)


@dataclass(frozen=True)
class SideRow:
    """One row of one side. ``medians`` are seconds (or instructions) per operation by round."""

    medians: Medians
    unit: str
    attr_timeout: float
    entry_timeout: float
    level: str
    verdicts: frozenset[str]
    """What the proofs of its trials came to (bench.model.Verdict)."""
    trouble: str
    """Why it has no number, or fewer rounds than it might; empty when nothing went wrong."""
    flags: tuple[Flag, ...] = ()
    """What the guards saw in its samples."""
    requests: float | None = None
    """FUSE requests per operation; None where they were not counted."""
    profile: Mapping[str, Any] | None = None
    """What the record of the first profiled trial says of its profile (bench.profile.store)."""


@dataclass(frozen=True)
class Side:
    """What one argument of a comparison stands for: ``part`` of the run or file at ``origin``."""

    name: str
    origin: Path
    part: str
    about: Mapping[str, Any]
    rows: Mapping[MatchKey, SideRow]
    problems: tuple[str, ...]
    release: str
    """Label of the kernel it was measured on."""
    noise: Mapping[str, Noise] = field(default_factory=dict)
    """What an A/A run on its machine showed by chance, by group."""

    def paired_with(self, other: Side) -> bool:
        """Whether both are parts of one run: then a round of one is a round of the other."""
        return self.origin == other.origin and self.part != other.part

    @property
    def clock(self) -> str:
        """``wall`` or ``instructions``."""
        return str(self.about.get("clock") or Clock.WALL)

    def middle(self, row: SideRow) -> Estimate:
        """The median of a row's trial medians, with its interval (of instructions: their range)."""
        estimate = centre(list(row.medians.values()))
        return over_boots(estimate) if self.clock == Clock.INSTRUCTIONS else estimate


def side(spec: str, results: Path = RESULTS) -> Side:
    """Read what ``spec`` names; raises UserError in one line for what cannot be."""
    path = Path(spec)
    if path.is_file() and path.name != "run.json":
        return _of_file(spec, path)
    run, rest = _split(spec, results)
    if rest.startswith("@"):
        return of_kernel(spec, run, rest)
    if rest.startswith(":"):
        chosen = run.trials[run.trials["target"] == rest[1:]]
        if chosen.empty:
            known = ", ".join(sorted(set(run.trials["target"]))) or "none"
            raise UserError(f"{spec}: no target {rest[1:]!r} in this run; it has {known}")
        return _of_trials(spec, run, chosen, rest, picked=True)
    return whole(spec, run)


def whole(name: str, run: Run) -> Side:
    """All of a run."""
    return _of_trials(name, run, run.trials, "")


def _split(spec: str, results: Path) -> tuple[Run, str]:
    """The run of the longest part of ``spec`` that is one, and what is left of it."""
    ends = [len(spec), *(match.start() for match in reversed([*re.finditer("[:@]", spec)]))]
    for end in ends:
        try:
            found = find_run(spec[:end] or ".", results)
        except UserError:
            continue
        return load(found), spec[end:]
    raise UserError(
        f"{spec}: no such run or file; give a run (a directory, or a name under {results}/), "
        "RUN@KERNEL, RUN:TARGET or a series/*.json"
    )


def of_kernel(spec: str, run: Run, part: str) -> Side:
    """The rows of one kernel of a run; their targets lose their ``@KERNEL``."""
    kernel = part.removeprefix("@")
    labels = header.kernel_labels(run.about)
    if kernel not in labels:
        raise UserError(f"{spec}: no kernel {kernel!r} in this run; it has {_known(labels)}")
    if len(labels) == 1:
        return _of_trials(spec, run, run.trials, part)
    chosen = run.trials[run.trials["target"].str.endswith(part)]
    return _of_trials(spec, run, chosen, part)


def _known(labels: list[str]) -> str:
    return ", ".join(labels) or "only the kernel it ran on"


def _of_trials(
    spec: str, run: Run, trials: pd.DataFrame, part: str, *, picked: bool = False
) -> Side:
    """A side of these trials of a run; ``picked`` ones go by their group alone."""
    kernel = part.partition("@")[2]
    samples = run.samples[run.samples["trial"].isin(trials["trial"])]
    medians = trial_medians(samples)
    # Of instructions every boot repeats the other: what the guards know is noise of wall time.
    timed = run.about.get("clock") != Clock.INSTRUCTIONS
    flags = series_flags(samples, medians) if timed else {}
    rows = {}
    for (group, target), own in trials.groupby(["group", "target"], sort=False):
        bare = str(target).removesuffix(f"@{kernel}") if kernel else str(target)
        series, key = (
            (str(group), str(target)),
            MatchKey(own["key"].iloc[0], "" if picked else bare),
        )
        rows[key] = _row(own, medians.get(series, {}), _alone(flags.get(series, ())))
    return Side(
        spec,
        run.path.resolve(),
        part,
        run.about,
        rows,
        run.problems,
        header.release(run.about, kernel),
        run.noise,
    )


def _alone(flags: Sequence[Flag]) -> tuple[Flag, ...]:
    """Flags of a series whose other side is of another run: in two modes there is no one time."""
    return tuple(replace(flag, implausible=True) if flag.word == MODES else flag for flag in flags)


def _row(trials: pd.DataFrame, medians: Medians, flags: tuple[Flag, ...] = ()) -> SideRow:
    first = trials.iloc[0]
    trials = trials[~trials["superseded"]]
    return SideRow(
        medians=medians,
        unit=str(first["unit"]),
        attr_timeout=_seconds(first["attr_timeout"]),
        entry_timeout=_seconds(first["entry_timeout"]),
        level=str(first["level"]),
        verdicts=frozenset(str(verdict) for verdict in trials["verdict"] if verdict),
        trouble="; ".join(_troubles(trials, medians)),
        flags=flags,
        requests=requests_per_op(list(records(trials))),
        profile=next((one["profile"] for one in select.profiled(records(trials))), None),
    )


def _troubles(trials: pd.DataFrame, medians: Medians) -> Iterator[str]:
    lost = trials[trials["outcome"] != Outcome.OK]
    disturbed = trials[trials["disturbed"] != ""]
    for what, which, column in (("lost", lost, "reason"), ("disturbed", disturbed, "disturbed")):
        if len(which):
            reasons = "; ".join(dict.fromkeys(str(reason) for reason in which[column]))
            yield f"{len(which)} of {units.times(len(trials), 'trial')} {what}: {reasons}"
    if not medians and lost.empty:
        yield "no sample that is a time"


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def _of_file(spec: str, path: Path) -> Side:
    """One series: of its run where it lies in one, so that the run says what it was measured on."""
    above = path.resolve().parent.parent
    if path.resolve().parent.name == "series" and (above / "run.json").exists():
        run = load(above)
        chosen = run.trials[run.trials["series"] == path.stem]
        if not chosen.empty:
            return _of_trials(spec, run, chosen, f"/{path.name}", picked=True)
    return _of_pyperf(spec, path)


def _of_pyperf(spec: str, path: Path) -> Side:
    """A pyperf file alone: its runs are the rounds, its metadata all there is to know."""
    try:
        found = series_file.read(path)
    except (Wrong, OSError) as error:
        raise UserError(f"{spec}: cut short or not a pyperf file ({error})") from None
    values, known = found.values, found.metadata
    line = {
        **DEFAULTS,
        "outcome": Outcome.OK.value,
        "superseded": False,
        "attr_timeout": known.get("attr_timeout_s"),
        "entry_timeout": known.get("entry_timeout_s"),
    }
    frame = pd.DataFrame([line] * len(values))
    times = {n: [v for v in own if 1 / LONGEST < v < LONGEST] for n, own in enumerate(values)}
    medians = {n: statistics.median(own) for n, own in times.items() if own}
    about = _about_of(known)
    release = str(about["environment"]["kernel_release"] or "")
    rows = {MatchKey(None, ""): _row(frame, medians)} if values else {}
    return Side(spec, path.resolve(), "", about, rows, (), release)


def _about_of(known: Mapping[str, Any]) -> dict[str, Any]:
    """What pyperf's metadata say in the words of run.json."""
    release = re.match(r"Linux-(.*?)-(?:x86_64|aarch64)", str(known.get("platform", "")))
    return {
        "clock": known.get("clock", "wall"),
        "environment": {
            "cpu_model": known.get("cpu_model_name"),
            "cpu_count": known.get("cpu_count"),
            "kernel_release": release and release[1],
        },
    }


def refuse_empty(sides: list[Side]) -> None:
    """Raises UserError, with Exit.NOTHING, for a side in which there is no trial at all."""
    for one in sides:
        if not one.rows:
            why = "; ".join(one.problems) or "it has no trial"
            raise UserError(f"{one.name}: nothing was measured in it: {why}", Exit.NOTHING)
