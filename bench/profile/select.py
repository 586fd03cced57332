"""Which trials' profiles a row and a target name."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.model import Exit, Outcome, UserError
from bench.profile import store
from bench.profile.requests import RequestProfile, measured

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A target's profile of a row, as one of its boots made it."""

    row: str
    target: str
    profile: store.Profile
    record: Record

    @property
    def requests(self) -> list[RequestProfile]:
        """What each request of the row costs, where they were counted by the kernel."""
        counted = self.record.get("requests") or {}
        if not counted.get("kernel") or not counted.get("ops"):
            return []
        per_op = {name: count / counted["ops"] for name, count in counted["kernel"].items()}
        return measured(self.profile, per_op)


def profiled(records: Iterable[Record]) -> list[Record]:
    """Trials that are ok and have a profile, in order."""
    return [
        record
        for record in records
        if record.get("outcome") == Outcome.OK and (record.get("profile") or {}).get("file")
    ]


def matching(names: Sequence[str], wanted: str, what: str) -> str:
    """The one name that is ``wanted``, or the only one that begins with or holds it; raises UserError."""
    if wanted in names:
        return wanted
    for fits in (str.startswith, str.__contains__):
        found = [name for name in names if fits(name, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"{what} {wanted!r} could be any of: {'; '.join(found)}", Exit.USAGE)
    raise UserError(f"no {what} {wanted!r}: there is {'; '.join(names) or 'none'}", Exit.USAGE)


def row_name(record: Record) -> str:
    """The row of a trial, as bench profile takes and prints it: what its targets have in common."""
    return str(record["series"]).removesuffix(f"--{record['target']}")


def find(run: Path, records: Iterable[Record], row: str, target: str) -> Found:
    """The profile of a row on a target: of the boot whose total is the median; raises UserError."""
    kept = profiled(records)
    if not kept:
        raise UserError(
            f"{run} has no profiles: make it with --clock instructions --profile", Exit.NOTHING
        )
    chosen = matching(sorted({row_name(record) for record in kept}), row, "row")
    there = [record for record in kept if row_name(record) == chosen]
    called = matching(sorted({record["target"] for record in there}), target, "target")
    boots = [record for record in there if record["target"] == called]
    middle = statistics.median_low(
        [record["profile"]["instructions"] / record["profile"]["ops"] for record in boots]
    )
    record = next(
        record
        for record in boots
        if record["profile"]["instructions"] / record["profile"]["ops"] == middle
    )
    return Found(chosen, called, store.read(run, record["profile"]), record)
