"""mkdir: make new directories."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

CHANGE = Change(("mkdir",), undo="rmdir")


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The name is looked up in vain, then made."""
    return _changes.requests(context, Opcode.MKDIR, lookups=Asked(1, 1), getattrs=Asked(1, 2))


WORKLOAD = Workload(
    name="mkdir",
    summary="mkdir of a new name",
    op="one new directory",
    unit="op",
    prepare=lambda context: Changes(context, CHANGE),
    subject=frozenset({Opcode.MKDIR, Opcode.LOOKUP, Opcode.GETATTR}),
    shape=Shape.SLICES,
    variants=_changes.VARIANTS,
    expect=expect,
    timeouts=_changes.TIMEOUTS,
    group=Group.CHANGES,
    usual=(),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    threaded=True,
    changes=True,
    about="LOOKUP (in vain), MKDIR; GETATTR of the directory goes at attach levels",
)
