"""The profiles of a run, row by row and target by target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.model import UserError
from bench.profile import select, store
from bench.profile.store import Profile
from bench.report.row import Row
from bench.stats.frame import Run, records


@dataclass(frozen=True)
class RowProfiles:
    """A row's profiles by target, in table order."""

    row: Row
    by_target: Mapping[str, Profile]

    @property
    def title(self) -> str:
        """The row's name, as tables have it."""
        return self.row.name


def profiles(run: Run, rows: Sequence[Row]) -> list[RowProfiles]:
    """Rows with a profile on a target at least; of several boots the first."""
    kept: dict[tuple[str, str], Profile] = {}
    told = run.trials[run.trials["profile"].notna()]
    for record in select.profiled(records(told)):
        key = str(record["group"]), str(record["target"])
        if key not in kept:
            try:
                kept[key] = store.read(run.path, record["profile"])
            except UserError:
                continue
    found = [
        RowProfiles(
            row,
            {
                line.target.name: kept[row.slug, line.target.name]
                for line in row.lines
                if (row.slug, line.target.name) in kept
            },
        )
        for row in rows
    ]
    return [one for one in found if one.by_target]
