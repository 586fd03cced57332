"""Settings that were read of a file, held against the types they have: others may have written it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from bench.model import Clock, Placement, UserError
from bench.results.kinds import Kind, Number, Text, TrueOrFalse, Whole, Word, Wrong
from bench.results.objects import Facts, ListOf

MOST = 10_000
"""Rounds, windows and threads that a run can be asked for."""
OF_TYPES: dict[Any, Kind] = {
    bool: TrueOrFalse(),
    int: Whole(0, 2**63),
    float: Number(0.0, 1e9),
    str: Text(10_000),
}
OF_NAMES: dict[str, Kind] = {
    "clock": Word(Clock),
    "placement": Word(Placement),
    **dict.fromkeys(("trials", "values"), Whole(1, MOST)),
    "names": Whole(1, 10**8),
}


def checked(table: type, raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The settings of a dataclass, lists as tuples, null as missing; raises UserError."""
    hints = get_type_hints(table)
    hints.pop("axes")  # they stand by their names, and are read by their own readers
    if unknown := sorted(set(raw) - set(hints)):
        names = ascii(", ".join(unknown))[1:-1]
        raise UserError(f"run.json has settings this version does not know: {names[:200]}")
    found: dict[str, Any] = {}
    for name, value in raw.items():
        given = list(value) if isinstance(value, tuple) else value
        if given is None:
            if type(None) in get_args(hints[name]):
                found[name] = None
            continue
        try:
            read = _kind(name, hints[name]).read(given, None)
        except Wrong as wrong:
            raise UserError(f"{where} cannot be read: {name}: {wrong}") from None
        found[name] = tuple(read) if isinstance(read, list) else read
    return found


def _kind(name: str, hint: Any) -> Kind:
    """What a setting may be, by its name or by its type."""
    if name in OF_NAMES:
        return OF_NAMES[name]
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    if get_origin(hint) is tuple:
        return ListOf(_kind("", get_args(hint)[0]), most=MOST)
    return OF_TYPES.get(hint, Facts())
