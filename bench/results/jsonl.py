"""Files of lines, trials.jsonl and costs.jsonl: what can be read, and a sentence about what cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bench.results.cost_line import CostLine, cost
from bench.results.json_text import contents, parse_text
from bench.results.kinds import Wrong
from bench.results.record import TrialLine, trial

NAMED = 20
"""Sentences about lines that were left out, at most."""
LONGEST_BYTES = 1 << 20
"""A line of a run has 2 KiB."""


Read = TypeVar("Read")


def trials(file: Path) -> tuple[list[TrialLine], list[str]]:
    """The trials of a trials.jsonl, and a sentence about every line that is none."""
    return _lines(file, trial)


def costs(file: Path) -> tuple[list[CostLine], list[str]]:
    """The targets of a costs.jsonl, and a sentence about every line that is none."""
    return _lines(file, cost)


def _lines(file: Path, read: Callable[[object], Read]) -> tuple[list[Read], list[str]]:
    try:
        lines = contents(file).split(b"\n")
    except (OSError, Wrong) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return [], [f"{file.name}: {why}; nothing in it could be read"]
    found: list[Read] = []
    bad: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            if len(line) > LONGEST_BYTES:
                raise Wrong(f"longer than {LONGEST_BYTES >> 20} MiB")
            found.append(read(parse_text(line)))
        except Wrong as wrong:
            # A run killed while it wrote leaves half a line; what stands before it is whole.
            cut = number == len(lines) and str(wrong).startswith("not JSON")
            bad.setdefault("cut short" if cut else str(wrong), []).append(number)
    return found, list(_told(file.name, bad))


def _told(name: str, bad: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """One sentence for all lines of one trouble, and no more than can be read."""
    for why, numbers in list(bad.items())[:NAMED]:
        first = ", ".join(str(number) for number in numbers[:3])
        more = f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""
        which = f"line {first} is" if len(numbers) == 1 else f"lines {first}{more} are"
        yield f"{name}: {which} left out: {why}"
    if len(bad) > NAMED:
        count = sum(len(numbers) for numbers in list(bad.values())[NAMED:])
        yield f"{name}: {count} more lines are left out, for other reasons"
