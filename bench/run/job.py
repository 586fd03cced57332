"""What the runner asks of one worker."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from bench.model import Cache, Clock, Context


@dataclass(frozen=True)
class Job:
    """What the runner asks of one worker.

    ``connection`` is the one to count (None: nothing to count); ``count``, ``measure`` and
    ``attribution`` say which phases to do; ``values`` timed windows of about ``window_s`` seconds each.
    """

    workload: str
    label: str
    context: Context
    connection: int | None
    counters: Path | None
    count: bool
    measure: bool
    attribution: bool
    profile: int | None
    """Number of the window to be profiled; None: none is."""
    values: int
    window_s: float
    clock: Clock
    pipe: int
    result: int

    def to_json(self) -> str:
        """The job as one JSON line for the worker's stdin."""
        plain = {**self.__dict__, "context": self.context.__dict__}
        return json.dumps(plain, default=str)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The inverse of to_json."""
        raw = json.loads(text)
        context = raw.pop("context")
        context |= {
            "root": Path(context["root"]),
            "cache": Cache(context["cache"]),
            "backing": Path(context["backing"]) if context["backing"] else None,
        }
        for field in fields(Context):
            if isinstance(field.default, StrEnum):
                context[field.name] = type(field.default)(context[field.name])
        raw["clock"] = Clock(raw["clock"])
        raw["counters"] = Path(raw["counters"]) if raw["counters"] else None
        return cls(context=Context(**context), **raw)
