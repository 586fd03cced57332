"""Cache timeouts as people write them, and the one that never runs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.model import Timeouts, UserError

if TYPE_CHECKING:
    pass


OWN, FOREVER = "own", "forever"
FOREVER_S = 3600.0
"""Longer than any trial; the timeout of workloads that are about first contact."""


def parse_timeouts(text: str) -> Timeouts:
    """``0``, ``1``, ``forever``, ``ATTR/ENTRY``, in seconds; raises UserError."""
    attr, slash, entry = text.partition("/")
    try:
        pair = Timeouts(_seconds(attr), _seconds(entry if slash else attr))
    except ValueError:
        pair = Timeouts(-1.0, -1.0)
    if not (0 <= pair.attr < float("inf") and 0 <= pair.entry < float("inf")):
        raise UserError(f"timeouts {text!r}: wanted own, forever, seconds, or ATTR/ENTRY")
    return pair


def _seconds(text: str) -> float:
    return FOREVER_S if text == FOREVER else float(text)
