"""series/*.json: one pyperf file per series, made from the lines of trials.jsonl and made anew from them."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.model import Clock, Outcome
from bench.results.json_text import LARGEST_BYTES, contents, parse_text
from bench.results.kinds import Number, Text, Values, Whole, Word, Wrong
from bench.results.objects import Facts, ListOf
from bench.results.record import TrialLine, times

if TYPE_CHECKING:
    import pyperf

METADATA = Facts(
    {
        "attr_timeout_s": Number(),
        "entry_timeout_s": Number(),
        "clock": Word(Clock),
        "platform": Text(),
        "cpu_model_name": Text(),
        "cpu_count": Whole(1, 10**6),
    }
)
RUN = Facts({"values": Values(), "metadata": METADATA})
BENCHMARK = Facts({"runs": ListOf(RUN), "metadata": METADATA}, needs=("runs",))
FILE = Facts({"benchmarks": ListOf(BENCHMARK, 1, 1), "metadata": METADATA}, needs=("benchmarks",))
OF_ONE_RUN = (
    "date",
    "duration",
    "load_avg_1min",
    "loops",
    "mem_max_rss",
    "runnable_threads",
    "uptime",
)
"""Metadata that another run has others of."""


@dataclass(frozen=True)
class SeriesFile:
    """The values of each run of a pyperf file, and the metadata that all of them have."""

    values: tuple[list[float], ...]
    metadata: Mapping[str, Any]


def read(file: Path) -> SeriesFile:
    """A pyperf file of one benchmark; raises Wrong for what is none, OSError for what is not there."""
    data = contents(file)
    if file.suffix == ".gz":
        try:
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(LARGEST_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Wrong(f"not gzip ({error})") from None
    whole = FILE.read(parse_text(data), None)
    (benchmark,) = whole["benchmarks"]
    runs = benchmark["runs"]
    shared = [one.get("metadata", {}) for one in runs]
    common = {
        key: value
        for key, value in (shared[0] if shared else {}).items()
        if all(one.get(key) == value for one in shared)
    }
    metadata = {**whole.get("metadata", {}), **benchmark.get("metadata", {}), **common}
    return SeriesFile(tuple(one["values"] for one in runs if one.get("values")), metadata)


def add(file: Path, lines: Callable[[], Iterable[TrialLine]], benchmark_json: str) -> None:
    """Add a worker's one run, whose trial is the last of ``lines``, to the file of its series.

    A file that cannot be read is made anew of the lines. Raises ValueError where pyperf refuses the
    run: it does not mix those of different machines.
    """
    import pyperf

    (benchmark,) = pyperf.BenchmarkSuite.loads(benchmark_json).get_benchmarks()
    if not file.exists():
        _write(file, benchmark)
        return
    try:
        read(file)
        known = pyperf.Benchmark.load(str(file))
    except (Wrong, ValueError, LookupError, TypeError, AttributeError):
        (run,) = benchmark.get_runs()
        before = _measured(lines(), file.stem)[:-1]
        known = pyperf.Benchmark([*_runs(before, run.get_metadata()), run])
    else:
        known.add_runs(benchmark)
    _write(file, known)


def mend(folder: Path, lines: Sequence[TrialLine]) -> list[str]:
    """Make the files anew that do not hold what trials.jsonl has; returns the labels of their series."""
    labels = dict.fromkeys(line["series"] for line in lines if line["series"])
    mended = []
    for label in labels:
        own, file = _measured(lines, label), folder / f"{label}.json"
        if own and not _holds(file, len(own)):
            import pyperf

            _write(file, pyperf.Benchmark(_runs(own, _metadata(file, own[0]))))
            mended.append(label)
    return mended


def _metadata(file: Path, line: TrialLine) -> Mapping[str, Any]:
    """What is told of a series' runs: what its file has, or what pyperf knows of this machine.

    A run is finished where it was begun.
    """
    import pyperf

    try:
        found = read(file).metadata
    except (OSError, Wrong):
        found = {}
    if found.get("name") == line["series"]:
        return found
    return dict(pyperf.Run([1.0], metadata=_told(line)).get_metadata())


def _measured(lines: Iterable[TrialLine], label: str) -> list[TrialLine]:
    """The trials of a series that have a run in its file."""
    return [
        line
        for line in lines
        if line["series"] == label and line["outcome"] == Outcome.OK and times(line)
    ]


def _holds(file: Path, runs: int) -> bool:
    """Whether a file can be read and holds so many runs."""
    try:
        return len(read(file).values) == runs
    except (OSError, Wrong):
        return False


def _runs(lines: Iterable[TrialLine], like: Mapping[str, Any]) -> list[pyperf.Run]:
    """A run for each trial, with the metadata of another but for what is its own."""
    import pyperf

    shared = {key: value for key, value in like.items() if key not in OF_ONE_RUN}
    return [
        pyperf.Run(
            times(line), metadata={**shared, "loops": int(line["loops"])}, collect_metadata=False
        )
        for line in lines
    ]


def _told(line: TrialLine) -> dict[str, Any]:
    """What a worker tells pyperf of its run (bench.run.worker.metadata), out of its trial's line."""
    counted = line["clock"] == Clock.INSTRUCTIONS
    return {
        "name": line["series"],
        "unit": "integer" if counted else "second",
        **({"clock": Clock.INSTRUCTIONS.value} if counted else {}),
        **dict.fromkeys(("hostname", "python_executable", "python_config_args"), "-"),
        **({} if math.isnan(line["ops_per_loop"]) else {"inner_loops": int(line["ops_per_loop"])}),
        "workload": line["workload"],
        "variant": line["variant"] or "-",
        "cache": line["cache"],
        "threads": line["threads"],
        "attr_timeout_s": line["attr_timeout"],
        "entry_timeout_s": line["entry_timeout"],
    }


def _write(file: Path, benchmark: pyperf.Benchmark) -> None:
    part = file.with_suffix(".part")
    benchmark.dump(str(part), replace=True)
    part.replace(file)
