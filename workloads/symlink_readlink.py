"""symlink-readlink: make symbolic links and read each."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Change, Changes

CHANGE = Change(("symlink-readlink",), second="target")


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """REPLACE"""
    return _changes.told(context, _changes.once(Opcode.SYMLINK, Opcode.READLINK), {})


WORKLOAD = Workload(
    name="symlink-readlink",
    summary="symlink of a new name, readlink of it",
    op="one new symbolic link, read once",
    unit="op",
    prepare=lambda context: Changes(context, CHANGE),
    subject=frozenset({Opcode.SYMLINK, Opcode.READLINK, Opcode.LOOKUP, Opcode.GETATTR}),
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
