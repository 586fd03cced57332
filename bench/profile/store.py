"""Profiles in a run's directory: folded stacks, one gzip file a trial, and their line in its record.

Uncompressed they are what flame graph tools read: ``zcat FILE | flamegraph.pl``.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.model import UserError
from bench.profile import fold, subsystems
from bench.profile.fold import Folded
from bench.profile.symbols import UNKNOWN_KERNEL, UNKNOWN_USER

FOLDER = "profiles"


@dataclass(frozen=True)
class Profile:
    """Where the instructions of one window went."""

    folded: Folded
    ops: int

    @property
    def instructions(self) -> int:
        """All of the window's."""
        return sum(self.folded.values())

    @property
    def per_op(self) -> float:
        """Instructions per operation."""
        return self.instructions / self.ops

    def by_function(self) -> dict[str, float]:
        """Instructions per operation, by function."""
        return self._per_op(fold.flat(self.folded))

    def by_subsystem(self) -> dict[str, float]:
        """Instructions per operation, by subsystem."""
        return self._per_op(fold.flat(self.folded, lambda stack: subsystems.of_stack(stack).value))

    def by_context(self) -> dict[str, float]:
        """Instructions per operation, by whose they are."""
        return self._per_op(fold.flat(self.folded, lambda stack: str(stack[0])))

    @property
    def unnamed(self) -> float:
        """Share of what no symbol table names."""
        sums = fold.flat(self.folded)
        return sum(sums.get(name, 0) for name in (UNKNOWN_KERNEL, UNKNOWN_USER)) / max(
            1, self.instructions
        )

    def _per_op(self, sums: Mapping[str, int]) -> dict[str, float]:
        return {name: count / self.ops for name, count in sums.items()}


def write(run: Path, name: str, profile: Profile, clock: float) -> dict[str, Any]:
    """Keep a profile; returns what its trial's record says of it. Raises OSError.

    ``clock`` is the instruction clock's figure for the same window.
    """
    path = run / FOLDER / f"{name}.folded.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(fold.to_text(profile.folded).encode(), mtime=0))
    return {
        "file": f"{FOLDER}/{path.name}",
        "ops": profile.ops,
        "instructions": profile.instructions,
        "clock": clock,
        "unnamed": round(profile.unnamed, 5),
        "error": "",
    }


def read(run: Path, record: Mapping[str, Any]) -> Profile:
    """The profile that a trial's record speaks of; raises UserError in one line."""
    file = record["file"]
    try:
        text = gzip.decompress((run / file).read_bytes()).decode()
        profile = Profile(fold.from_text(text), int(record["ops"]))
    except FileNotFoundError:
        raise UserError(f"{run / file}: is not there") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{run / file}: is no profile: {error}") from None
    if profile.instructions != record["instructions"]:
        raise UserError(f"{run / file}: is no profile: its sum is not its trial's")
    return profile
