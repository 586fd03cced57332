"""symlink-readlink: make symbolic links and read each."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

CHANGE = Change(("symlink-readlink",), second="target")


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The name is looked up in vain, then made; the kernel keeps no target."""
    return _changes.requests(
        context, Opcode.SYMLINK, Opcode.READLINK, lookups=Asked(1, 2), getattrs=Asked(1, 3)
    )


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
    usual=(),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    threaded=True,
    changes=True,
    about="LOOKUP (in vain), SYMLINK, READLINK; GETATTR of the directory goes at attach levels",
)
