"""mkdir: make new directories."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Change, Changes

CHANGE = Change(("mkdir",), undo="rmdir")


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """REPLACE"""
    return _changes.told(context, _changes.once(Opcode.MKDIR), {})


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
    usual=("shared",),
    fixtures=(_changes.WORK,),
    lacks=_changes.lacks,
    threaded=True,
    changes=True,
    about="x",
)
