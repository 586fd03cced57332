"""unlink: remove files that the mount has just seen made."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

CHANGE = Change(("unlink",), ahead="mknod", stays=False)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The name is known from its making."""
    return _changes.requests(context, Opcode.UNLINK, lookups=Asked(0, 1), getattrs=Asked(1, 2))


WORKLOAD = Workload(
    name="unlink",
    summary="unlink of a known file",
    op="one file removed",
    unit="op",
    prepare=lambda context: Changes(context, CHANGE),
    subject=frozenset({Opcode.UNLINK, Opcode.LOOKUP, Opcode.GETATTR}),
    shape=Shape.SLICES,
    variants=_changes.VARIANTS,
    expect=expect,
    timeouts=_changes.TIMEOUTS,
    group=Group.CHANGES,
    usual=("shared",),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    threaded=True,
    changes=True,
    about="UNLINK; GETATTR of the directory goes at attach levels",
)
