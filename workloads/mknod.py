"""mknod: make new files without opening them."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Change, Changes

CHANGE = Change(("mknod",))


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """REPLACE"""
    return _changes.told(context, _changes.once(Opcode.MKNOD), {})


WORKLOAD = Workload(
    name="mknod",
    summary="mknod of a new regular file",
    op="one new, empty file",
    unit="op",
    prepare=lambda context: Changes(context, CHANGE),
    subject=frozenset({Opcode.MKNOD, Opcode.LOOKUP, Opcode.GETATTR}),
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
