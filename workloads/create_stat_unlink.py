"""create-stat-unlink: make files, stat them all, remove them all: mdtest's phases."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Level, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

CHANGE = Change(("create", "statx-at", "unlink"), stays=False)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The stat finds what CREATE brought; both the making and the removal make the directory stale."""
    return _changes.requests(
        context,
        Opcode.CREATE,
        Opcode.FLUSH,
        Opcode.RELEASE,
        Opcode.UNLINK,
        lookups=Asked(1, 3),
        getattrs=Asked(2, 7),
    )


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
    usual=(),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    threaded=True,
    changes=True,
    about="as create and unlink together; the statx is served from what CREATE brought",
    touched_from=Level.RW,
)
