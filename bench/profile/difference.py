"""Which functions account for the difference between two profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.profile import subsystems
from bench.profile.store import Profile


@dataclass(frozen=True)
class DifferenceLine:
    """A function, or a subsystem, in both profiles: instructions per operation."""

    name: str
    subsystem: str
    old: float
    new: float
    share: float
    """Share of the whole difference; lines in the other direction have negative shares."""

    @property
    def change(self) -> float:
        """How many more the second has."""
        return self.new - self.old


@dataclass(frozen=True)
class Difference:
    """Two profiles of one row, side by side; largest differences first."""

    old: float
    new: float
    functions: Sequence[DifferenceLine]
    subsystems: Sequence[DifferenceLine]

    @property
    def change(self) -> float:
        """How many more instructions per operation the second takes."""
        return self.new - self.old


def between(old: Profile, new: Profile) -> Difference:
    """The difference, by function and by subsystem."""
    owners = {
        name: owner.value
        for profile in (old, new)
        for name, owner in subsystems.by_function(profile.folded).items()
    }
    return Difference(
        old.per_op,
        new.per_op,
        _lines(old.by_function(), new.by_function(), owners),
        _lines(old.by_subsystem(), new.by_subsystem(), {}),
    )


def _lines(
    old: Mapping[str, float], new: Mapping[str, float], owners: Mapping[str, str]
) -> list[DifferenceLine]:
    whole = sum(new.values()) - sum(old.values())
    lines = [
        DifferenceLine(
            name,
            owners.get(name, name),
            old.get(name, 0.0),
            new.get(name, 0.0),
            (new.get(name, 0.0) - old.get(name, 0.0)) / whole if whole else 0.0,
        )
        for name in old.keys() | new.keys()
    ]
    return sorted(lines, key=lambda line: (-abs(line.change), line.name))
