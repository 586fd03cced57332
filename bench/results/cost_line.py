"""A target's line in costs.jsonl as a type: it is written and read through this table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict, cast

from bench.model import Level
from bench.results.kinds import Name, Number, Whole, Word, Wrong
from bench.results.objects import (
    REQUIRED,
    Key,
    MapOf,
    Object,
    Opcodes,
    line_of,
)
from bench.results.record import NAME, TEXT, WHOLE


class ClientTime(TypedDict):
    """CPU seconds of the cost pass's client."""

    user_s: Annotated[float, Key(Number(-1e9, 1e9), REQUIRED)]
    system_s: Annotated[float, Key(Number(-1e9, 1e9), REQUIRED)]


class ServerGrowth(TypedDict):
    """What the cost pass added to a server."""

    user_s: Annotated[float, Key(Number(-1e9, 1e9), REQUIRED)]
    system_s: Annotated[float, Key(Number(-1e9, 1e9), REQUIRED)]
    rss_kib: Annotated[int, Key(Whole(-(2**53)), REQUIRED)]
    rss_kib_before: Annotated[int, Key(WHOLE, 0)]
    fds: Annotated[int, Key(Whole(-(10**9), 10**9), REQUIRED)]


class CostLine(TypedDict):
    """One target of the cost sheet: a line of costs.jsonl."""

    target: Annotated[str, Key(NAME, REQUIRED, "as in trials.jsonl")]
    daemon: Annotated[str, Key(NAME, "", "as in trials.jsonl")]
    kernel: Annotated[str, Key(NAME, "", "as in trials.jsonl")]
    level: Annotated[str, Key(Word(Level), Level.NONE.value, "as in trials.jsonl")]
    reason: Annotated[str, Key(TEXT, "", "why there are no figures; empty when there are")]
    inodes: Annotated[int, Key(WHOLE, 0, "files stat'ed")]
    client: Annotated[ClientTime | None, Key(Object(ClientTime), None, "CPU seconds of the client")]
    wall_s: Annotated[float, Key(Number(), math.nan, "what the pass took")]
    server: Annotated[
        ServerGrowth | None, Key(Object(ServerGrowth), None, "growth of the server's, or null")
    ]
    backing_ids: Annotated[int | None, Key(WHOLE, None, "ids held at the end, or null")]
    requests: Annotated[
        dict[str, int] | None,
        Key(Opcodes(WHOLE), None, "of the pass, by the server's counters, or null"),
    ]
    slabs: Annotated[
        dict[str, int] | None,
        Key(
            MapOf(Name(), Whole(-(2**53))),
            None,
            "growth in bytes of every slab cache that changed (/proc/slabinfo), or null",
        ),
    ]
    why: Annotated[str, Key(TEXT, "", "why `slabs` is null")]


def checked_cost(raw: Mapping[str, Any]) -> CostLine:
    """A target of the cost sheet as it is about to be written; raises Wrong where it could not be read
    again."""
    cost(raw)
    return cast(CostLine, raw)


def cost(raw: object) -> CostLine:
    """A target of the cost sheet; raises Wrong."""
    found = cast(CostLine, line_of(CostLine, raw, "no line of a cost sheet"))
    if found["inodes"] and found["client"] is None and not found["reason"]:
        raise Wrong("client is missing")
    return found
