"""What an A/A run on this machine showed by chance, as ``python -m bench selftest`` stored it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.model import UserError

FILE = "selftest.json"
"""In the directory of a machine, beside its runs."""


@dataclass(frozen=True)
class Noise:
    """The noise of one row: ``floor`` is the relative difference that 95 % of its A/A comparisons stay below,
    ``detectable`` the one that 95 % of their intervals could have shown, both at ``rounds`` rounds."""

    floor: float
    detectable: float
    rounds: int

    def at(self, rounds: int) -> float:
        """The floor of a comparison of so many rounds: chance averages out with their root."""
        return self.floor * math.sqrt(self.rounds / max(rounds, 1))


def load_noise_floor(path: Path) -> Mapping[str, Noise]:
    """Noise by row key (the frame's ``group``) from a selftest.json, or from the one of a machine's
    directory; empty where there is none, UserError where it cannot be read."""
    file = path / FILE if path.is_dir() else path
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["noise"]
        return {
            str(row): Noise(float(one["floor"]), float(one["detectable"]), int(one["rounds"]))
            for row, one in rows.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file}: not what a selftest writes ({error}); remove it, or run bench selftest --aa"
        ) from None
