"""chown: change owner and group of known files, again and again."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Workload
from workloads import _changes
from workloads._changes import Asked, AttributeChanges


def value(passes: int) -> object:
    """What the driver sets in each pass over the files."""
    return (0, 0) if passes & 1 else (1, 1)


def seen(status: os.stat_result) -> object:
    """The owner as lstat shows it."""
    return (status.st_uid, status.st_gid)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """A new owner clears set-id bits and capabilities: the kernel asks for mode and capability first."""
    return _changes.requests(
        context, Opcode.SETATTR, Opcode.GETXATTR, lookups=Asked(0, 1), getattrs=Asked(1, 2)
    )


WORKLOAD = Workload(
    name="chown",
    summary="chown of known files, to another owner and group each time",
    op="chown of a known file",
    unit="op",
    prepare=lambda context: AttributeChanges(context, "chown", value, seen),
    subject=frozenset({Opcode.SETATTR}),
    variants=_changes.VARIANTS,
    expect=expect,
    timeouts=_changes.TIMEOUTS,
    group=Group.CHANGES,
    usual=(),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    changes=True,
    about="GETATTR, GETXATTR, SETATTR; attach-getattr takes the first, attach-lookup the last",
)
