"""Cache timeouts as people write them: ``0``, ``1``, ``forever``, ``ATTR/ENTRY``."""

from __future__ import annotations

from bench.model import FOREVER_S, TIMEOUT_MAX_S, Timeouts, UserError

OWN, FOREVER = "own", "forever"


def parse_timeouts(text: str) -> Timeouts:
    """``0``, ``1``, ``forever``, ``ATTR/ENTRY``, in seconds; raises UserError."""
    attr, slash, entry = text.partition("/")
    try:
        pair = Timeouts(_seconds(attr), _seconds(entry if slash else attr))
    except ValueError:
        pair = Timeouts(-1.0, -1.0)
    if not (0 <= pair.attr < TIMEOUT_MAX_S and 0 <= pair.entry < TIMEOUT_MAX_S):
        raise UserError(
            f"timeouts {text!r}: wanted own, forever, seconds below {TIMEOUT_MAX_S:g}, or ATTR/ENTRY"
        )
    return pair


def written(pair: Timeouts) -> str:
    """The inverse of parse_timeouts, in the shortest words."""
    attr, entry = (
        FOREVER if one == FOREVER_S else f"{one!r}".removesuffix(".0")
        for one in (pair.attr, pair.entry)
    )
    return attr if attr == entry else f"{attr}/{entry}"


def _seconds(text: str) -> float:
    return FOREVER_S if text == FOREVER else float(text)
