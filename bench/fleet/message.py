"""What client and worker tell one another: plain JSON, never an object of Python's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bench.model import UserError


class Message:
    """A record that goes over the wire as a JSON text."""

    def dumps(self) -> str:
        """The text."""
        return json.dumps(asdict(self))  # type: ignore[call-overload]

    @classmethod
    def loads(cls, text: str) -> Self:
        """The inverse; raises UserError for a text that is no such message."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise UserError(f"fleet: not a {cls.__name__.lower()}: {error}") from None


@dataclass(frozen=True)
class BootOrder(Message):
    """One boot to be made: the image by the hash of its content, what to do as bench.guests.inside has it."""

    topic: str
    """Under which events go back while the boot lives."""
    boot: str
    """What the boot is called."""
    image: str
    """SHA-256 of the kernel image that comes beside this message."""
    parameters: tuple[str, ...]
    accelerator: str
    job: Mapping[str, Any]
    identity: Mapping[str, str]
    """The client's: a worker that differs declines."""
    clock: str = "instructions"


@dataclass(frozen=True)
class News(Message):
    """Lines of a boot's events as they come; ``begin`` counts those told before."""

    boot: str
    attempt: str
    """Drawn anew by every worker that begins the boot."""
    begin: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class BootReport(Message):
    """How a boot ended: all it told, its console, and who did it."""

    attempt: str
    lines: tuple[str, ...]
    reason: str
    """How the guest ended, in a line."""
    console: str
    logs: Mapping[str, str]
    worker: str
    identity: Mapping[str, str]
    error: str = ""
    """Why it could not be done there at all (a full disk); empty when it was."""


@dataclass(frozen=True)
class RunOrder(Message):
    """A whole run on the wall clock, by one machine for itself."""

    settings: Mapping[str, Any]
    argv: tuple[str, ...]
    identity: Mapping[str, str]
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunReport(Message):
    """A machine's run: a bundle (bench.results.bundle) in base64, or why there is none."""

    machine: str
    worker: str
    identity: Mapping[str, str]
    bundle: str
    code: int
    error: str = ""
