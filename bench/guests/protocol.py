"""What host and guest tell one another: the job file, and one JSON line for each event.

The guest appends to ``events.jsonl`` in the folder both share; the host reads it as it grows. Each
event is a record here, so that both sides agree on its fields.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

JOB, EVENTS = "job.json", "events.jsonl"


class Purpose(StrEnum):
    """What a boot is for."""

    CHECK = "check"
    """Targets compared with their backing, and the cost sheet."""
    MEASURE = "measure"
    """One shard of one round; nothing is compared, so that all boots begin alike."""


@dataclass(frozen=True)
class Event:
    """Something a guest tells; ``name`` is how its line calls it."""

    name: ClassVar[str] = ""


@dataclass(frozen=True)
class Up(Event):
    """The suite runs in the guest; tree and fixtures are made next."""

    name: ClassVar[str] = "up"


@dataclass(frozen=True)
class Hello(Event):
    """All is prepared: facts of its kernel and targets for run.json, and what it skips."""

    name: ClassVar[str] = "hello"
    facts: dict[str, Any]
    skipped: list[dict[str, str]]


@dataclass(frozen=True)
class Say(Event):
    """News for the person who waits."""

    name: ClassVar[str] = "say"
    text: str


@dataclass(frozen=True)
class Warn(Event):
    """A line that must not be overlooked."""

    name: ClassVar[str] = "warn"
    text: str


@dataclass(frozen=True)
class Broken(Event):
    """Targets were compared with their backing; what is wrong, by target."""

    name: ClassVar[str] = "broken"
    targets: dict[str, str]


@dataclass(frozen=True)
class TargetCost(Event):
    """A target's line of the cost sheet."""

    name: ClassVar[str] = "cost"
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Begin(Event):
    """A trial begins: if the guest dies now, this is the one it costs."""

    name: ClassVar[str] = "begin"
    record: Mapping[str, Any]


@dataclass(frozen=True)
class End(Event):
    """A trial has ended, with its record and its pyperf JSON."""

    name: ClassVar[str] = "end"
    record: Mapping[str, Any]
    pyperf: str


@dataclass(frozen=True)
class CannotMeasure(Event):
    """The guest cannot measure what was asked; ``code`` is a bench.model.Exit."""

    name: ClassVar[str] = "refused"
    reason: str
    code: int


@dataclass(frozen=True)
class Done(Event):
    """All of the boot's work was tried."""

    name: ClassVar[str] = "done"


KINDS: dict[str, type[Event]] = {kind.name: kind for kind in Event.__subclasses__()}


class Events:
    """Tells the host what happens, one JSON object a line, on disk at once."""

    def __init__(self, share: Path) -> None:
        self._fd = os.open(share / EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def put(self, event: Event) -> None:
        """Append one event."""
        line = json.dumps({"event": event.name, **asdict(event)}) + "\n"
        os.write(self._fd, line.encode())
        os.fsync(self._fd)


class Reader:
    """The events of a guest, as they come; a half line waits for its end."""

    def __init__(self, share: Path) -> None:
        self.path = share / EVENTS
        self._position = 0

    @property
    def heard(self) -> bool:
        """Whether the guest has told anything yet."""
        return self._position > 0

    def new(self) -> Iterator[Event]:
        """Events written since the last time; a line that is none is passed over."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                text = file.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.split(b"\n"):
            if event := _parsed(line):
                yield event


def _parsed(line: bytes) -> Event | None:
    """The event of a line, None for a line that a dying guest has spoilt."""
    try:
        fields = json.loads(line)
        return KINDS[fields.pop("event")](**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
