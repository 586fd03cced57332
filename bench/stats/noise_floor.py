"""What an A/A run on this machine showed by chance, as ``python -m bench selftest`` stored it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypedDict

from bench.model import Cache, Clock
from bench.results.json_text import contents, parse_text
from bench.results.kinds import Name, Number, Whole, Wrong
from bench.results.objects import REQUIRED, Key, MapOf, Object, part

FILE = "selftest.json"
"""In the directory of a machine, beside its runs."""
KEYS = {Clock.WALL: "noise", Clock.INSTRUCTIONS: "noise_instructions"}
"""What the rows of each clock stand under: a machine has A/A runs of both."""
ASSUMED_WARM, ASSUMED_COLD = 0.002, 0.02
"""What one boot of an A/A pair may show where no A/A run is known. In the lab warm rows show 0.05 % at
most, cold ones, in whose short windows other work of the kernel falls, 1 %."""


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


class NoiseEntry(TypedDict):
    """One row of ``noise`` in selftest.json."""

    floor: Annotated[float, Key(Number(0.0, 1e6), REQUIRED)]
    detectable: Annotated[float, Key(Number(0.0, 1e6), REQUIRED)]
    rounds: Annotated[int, Key(Whole(1, 10**6), REQUIRED)]


def of_boots(noise: Mapping[str, Noise], group: str) -> float:
    """What one boot of an A/A pair shows in a row; where that is not known, the most that any row of its
    workload shows, or any row at all, or what is assumed."""
    if group in noise:
        return noise[group].floor
    workload = group.partition("--")[0]
    alike = [one.floor for row, one in noise.items() if row.partition("--")[0] == workload]
    assumed = ASSUMED_WARM if f"--{Cache.WARM}--" in group else ASSUMED_COLD
    return max(alike or [one.floor for one in noise.values()], default=assumed)


ROWS = MapOf(Name(400), Object(NoiseEntry))


def load_noise_floor(path: Path, clock: str = Clock.WALL) -> tuple[Mapping[str, Noise], list[str]]:
    """Noise on a clock by row key (the frame's ``group``) from a selftest.json, or from the one of a
    machine's directory, and a sentence about each part of it that cannot be read."""
    file = path / FILE if path.is_dir() else path
    left_out: list[str] = []
    key = KEYS[Clock(clock)]
    try:
        found = parse_text(contents(file))
        if not isinstance(found, dict):
            raise Wrong("not a JSON object")
        rows = part(ROWS, found.get(key), key, left_out)
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        return {}, [f"{file.name}: {error.strerror}: no noise floor is known"]
    except Wrong as wrong:
        return {}, [f"{file.name}: {wrong}: no noise floor is known"]
    noise = {
        row: Noise(one["floor"], one["detectable"], one["rounds"]) for row, one in rows.items()
    }
    return noise, [f"{file.name}: left out: {sentence}" for sentence in left_out]
