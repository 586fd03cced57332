"""Writes and reads a run's directory; the schema is in results/README.md.

Every finished trial is on disk before the next begins: one fsync'ed line in trials.jsonl, and its
values added to the pyperf file of its series.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.model import SCHEMA, UserError
from bench.results import header, jsonl, record, series
from bench.results.cost_line import CostLine
from bench.results.record import TrialLine

RESULTS = Path("results")
ITS_OWN = Path(__file__).resolve().parents[2] / "results"
"""Where the suite's published runs are, for who stands elsewhere."""
Record = dict[str, Any]


class RunDirectory:
    """One run on disk. ``path`` holds run.json, trials.jsonl, series/ and logs/."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials_path = path / "trials.jsonl"
        self.costs_path = path / "costs.jsonl"

    @classmethod
    def create(cls, path: Path, about: Mapping[str, Any]) -> RunDirectory:
        """Make the directory and write run.json; raises UserError if it holds a run already."""
        run = cls(path)
        refuse_output(path)
        try:
            for folder in (path, path / "series", path / "logs"):
                folder.mkdir(parents=True, exist_ok=True)
            run.write_header(
                {"schema": SCHEMA, "revision": record.REVISION, "run": path.name, **about}
            )
            run.trials_path.touch()
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """An existing run; raises UserError for a missing one or an unknown schema."""
        header.read(path)
        return cls(path)

    def header(self) -> Record:
        """run.json as it stands; raises UserError when it is missing or not JSON."""
        return header.raw(self.path)

    def about(self) -> Record:
        """run.json without what is wrong in it, for who needs to rely on it."""
        return header.read(self.path)[0]

    def write_header(self, about: Mapping[str, Any]) -> None:
        """Replace run.json in one step."""
        write_atomically(self.path / "run.json", json.dumps(about, indent=1) + "\n")

    def update_header(self, **changes: Any) -> None:
        """Set keys of run.json."""
        self.write_header({**self.header(), **changes})

    def append_trial(self, line: TrialLine) -> None:
        """Add one line to trials.jsonl and wait until it is on disk.

        A line that an earlier crash cut short is closed first, so that it spoils nothing but itself.
        """
        _append(self.trials_path, line)

    def append_cost(self, line: CostLine) -> None:
        """Add one target's line to costs.jsonl, as append_trial does."""
        _append(self.costs_path, line)

    def trials(self) -> list[TrialLine]:
        """The lines of trials.jsonl that are trials; ``problems`` names the others."""
        return jsonl.trials(self.trials_path)[0]

    def costs(self) -> list[CostLine]:
        """The lines of costs.jsonl that can be read."""
        return jsonl.costs(self.costs_path)[0]

    def problems(self) -> list[str]:
        """A sentence about each line, and each part of run.json, that could not be read."""
        sheet = jsonl.costs(self.costs_path)[1] if self.costs_path.exists() else []
        return [*header.read(self.path)[1], *jsonl.trials(self.trials_path)[1], *sheet]

    def add_pyperf_run(self, label: str, benchmark_json: str) -> None:
        """Add the one run of a worker's pyperf benchmark to the file of its series."""
        series.add(self.path / "series" / f"{label}.json", self.trials, benchmark_json)

    def mend_series(self) -> list[str]:
        """Make the series files anew that do not hold what trials.jsonl has; their labels."""
        return series.mend(self.path / "series", self.trials())

    def log(self, name: str) -> Path:
        """Path of a log file of one trial."""
        return self.path / "logs" / f"{name}.log"


def refuse_output(path: Path) -> None:
    """Raise UserError for what cannot become a run's folder, before anything is done for it."""
    try:
        if (path / "run.json").exists():
            raise UserError(f"{path} holds a run already: choose another --output or --resume it")
        if path.is_dir() and any(path.iterdir()):
            raise UserError(f"{path} is not empty, and no run: choose another --output")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def _append(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line and wait until it is on disk; raises OSError, and leaves the file as it was."""
    data = (json.dumps(line, separators=(",", ":")) + "\n").encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            data = b"\n" + data
        try:
            _write_all(descriptor, data)
        except OSError:
            # On a full disk part of a line may have been written: what is not whole is taken back.
            os.ftruncate(descriptor, size)
            raise
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write every byte: a nearly full disk takes some of them and says so by their number alone."""
    while data:
        data = data[os.write(descriptor, data) :]


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half of it."""
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def in_command_order(header: Mapping[str, Any]) -> dict[str, Any]:
    """A run.json whose kernels and targets come as the command line names the kernels.

    Boots are shuffled, and a run of several kernels lists them as they greeted: what divides by the
    first would divide by whichever came first.
    """
    settings, kernels = header.get("settings"), header.get("kernels")
    texts = settings.get("kernels") if isinstance(settings, dict) else None
    targets = header.get("targets")
    lists = (texts, kernels, targets)
    if not all(isinstance(one, list) and all(map(_named, one)) for one in lists):
        return dict(header)
    heads = [str(text).split(",")[0].partition("=") for text in texts or ()]
    labels = [label if equals else Path(label).name for label, equals, _ in heads]

    def place(label: str) -> int:
        return labels.index(label) if label in labels else len(labels)

    return {
        **header,
        "kernels": sorted(kernels or (), key=lambda one: place(str(one.get("label")))),
        "targets": sorted(
            targets or (), key=lambda one: place(str(one.get("name")).partition("@")[2])
        ),
    }


def _named(entry: object) -> bool:
    return isinstance(entry, (str, dict))


def find_run(name: str | None, root: Path = RESULTS) -> Path:
    """The run called ``name``, or the one under ``root`` that was started last.

    A name is a path, or what a directory at most two below ``root`` is called; of several that
    are called alike it is the one started last. Raises UserError when there is none.
    """
    if root == RESULTS and not root.is_dir():
        root = ITS_OWN
    if name is None:
        runs = _by_start(root.rglob("run.json"))
        if not runs:
            raise UserError(
                f"no run under {root}/: make one with python -m bench run, or name its directory"
            )
        return runs[-1]
    for candidate in (Path(name), root / name):
        if (candidate / "run.json").is_file():
            return candidate
    if "/" not in name and (runs := _by_start(root.glob(f"*/{glob.escape(name)}/run.json"))):
        return runs[-1]
    raise UserError(
        f"no run at {name!r}: give a directory that holds a run.json, or a name under {root}/"
    )


def _by_start(headers: Iterable[Path]) -> list[Path]:
    """The runs of these run.json, the one started last at the end; without those that cannot tell."""
    known = {file.parent: when for file in headers if (when := _started(file))}
    return sorted(known, key=lambda run: (known[run], run))


def _started(file: Path) -> datetime | None:
    """When a run began, whatever the offset its clock was at; None if that cannot be read."""
    try:
        when = datetime.fromisoformat(header.raw(file.parent)["started"])
    except (UserError, ValueError, LookupError, TypeError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
