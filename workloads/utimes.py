"""utimes: set both times of known files, again and again."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Workload
from workloads import _changes
from workloads._changes import Asked, AttributeChanges


def value(passes: int) -> object:
    """What the driver sets in each pass over the files."""
    return ((10**9 + passes) * 10**9,) * 2


def seen(status: os.stat_result) -> object:
    """The time as lstat shows it."""
    return (status.st_atime_ns, status.st_mtime_ns)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The name is known: one SETATTR, which brings the attributes along."""
    return _changes.requests(context, Opcode.SETATTR, lookups=Asked(0, 1), getattrs=Asked(0, 1))


WORKLOAD = Workload(
    name="utimes",
    summary="utimensat of known files, to another time each time",
    op="utimes of a known file",
    unit="op",
    prepare=lambda context: AttributeChanges(context, "utimes", value, seen),
    subject=frozenset({Opcode.SETATTR}),
    variants=_changes.VARIANTS,
    expect=expect,
    timeouts=_changes.TIMEOUTS,
    group=Group.CHANGES,
    usual=(),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    changes=True,
    about="SETATTR; attach-lookup takes it",
)
