"""create-stat-unlink: make files, stat them all, remove them all: mdtest's phases."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Change, Changes

CHANGE = Change(("create", "statx-at", "unlink"), stays=False)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """REPLACE"""
    return _changes.told(context, _changes.once(Opcode.CREATE, Opcode.RELEASE, Opcode.UNLINK), {})


WORKLOAD = Workload(
    name="create-stat-unlink",
    summary="create all, then statx all, then unlink all: mdtest's phases",
    op="one file made, stat'ed and removed",
    unit="op",
    prepare=lambda context: Changes(context, CHANGE),
    subject=frozenset({Opcode.CREATE, Opcode.UNLINK, Opcode.LOOKUP, Opcode.GETATTR}),
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
