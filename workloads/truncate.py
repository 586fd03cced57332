"""truncate: change the size of open files, again and again."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Workload
from workloads import _changes
from workloads._changes import Asked, AttributeChanges


def value(passes: int) -> object:
    """What the driver sets in each pass over the files."""
    return 0 if passes & 1 else 4096


def seen(status: os.stat_result) -> object:
    """The length as lstat shows it."""
    return status.st_size


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """By descriptor no name is looked up; a truncation clears capabilities, and the kernel asks for one."""
    return _changes.requests(
        context, Opcode.SETATTR, Opcode.GETXATTR, lookups=Asked(0, 0), getattrs=Asked(0, 0)
    )


WORKLOAD = Workload(
    name="truncate",
    summary="ftruncate of open files, to 4 KiB and to nothing in turn",
    op="truncate of a known file",
    unit="op",
    prepare=lambda context: AttributeChanges(context, "truncate", value, seen),
    subject=frozenset({Opcode.SETATTR}),
    variants=_changes.VARIANTS,
    expect=expect,
    timeouts=_changes.TIMEOUTS,
    group=Group.CHANGES,
    usual=(),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    changes=True,
    about="GETXATTR (security.capability) and SETATTR; attach-lookup takes the latter",
)
