"""mknod: make new files without opening them."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

CHANGE = Change(("mknod",))


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The name is looked up in vain, then made."""
    return _changes.requests(context, Opcode.MKNOD, lookups=Asked(1, 1), getattrs=Asked(1, 2))


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
    usual=(),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    threaded=True,
    changes=True,
    about="LOOKUP (in vain), MKNOD; GETATTR of the directory goes at attach levels",
)
