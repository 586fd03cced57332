"""How many requests an operation should cost on a plain server: the arithmetic behind *expected*.

With ``default_permissions`` and an attribute timeout of 0 every step of a path re-reads the directory
it leaves (GETATTR), every name is looked up again when its entry timeout is 0 (LOOKUP), and the
last GETATTR serves the stat itself. A path of d names thus costs d LOOKUP and d + 1 GETATTR; a name
below an open directory is a path of 1. Walks that lose the race out of RCU mode start over and
repeat their prefix (13-26 % were seen to), hence the room above.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER_S, Bound, Context, Opcode, Sync

REPEATED_PREFIX = 1.5


def stat_by_name(context: Context, least: int, most: int) -> Mapping[Opcode, Bound]:
    """Requests of one statx over ``least`` to ``most`` names, all of them seen by this mount before."""
    if context.sync is not Sync.AS_STAT:
        return {}
    return {
        Opcode.LOOKUP: _again(context.entry_timeout, least, most),
        Opcode.GETATTR: _again(context.attr_timeout, least + 1, most + 1),
    }


def stat_by_fd(context: Context) -> Mapping[Opcode, Bound]:
    """Requests of one fstat on an open file."""
    if context.sync is Sync.FORCE:
        return {Opcode.GETATTR: Bound(1, 1)}
    if context.sync is Sync.DONT:
        return {Opcode.GETATTR: Bound(0, 0)}
    return {Opcode.LOOKUP: Bound(0, 0), Opcode.GETATTR: exactly(context.attr_timeout, 1)}


def first_contact() -> Mapping[Opcode, Bound]:
    """One name below a seen directory, never seen itself: one LOOKUP brings the attributes along."""
    return {Opcode.LOOKUP: Bound(1, 1)}


def _again(timeout: float, least: int, most: int) -> Bound:
    """Something asked ``least`` to ``most`` times once its timeout has run out."""
    if timeout == 0:
        return Bound(least, most * REPEATED_PREFIX)
    return Bound(0, 0) if timeout >= FOREVER_S else Bound(0, most * REPEATED_PREFIX)


def exactly(timeout: float, count: int) -> Bound:
    """Something asked once by a descriptor, which walks no path."""
    if timeout == 0:
        return Bound(count, count)
    return Bound(0, 0) if timeout >= FOREVER_S else Bound(0, count)
