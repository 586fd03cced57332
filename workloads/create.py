"""create: make new, empty files: open O_CREAT|O_EXCL, close."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Level, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

CHANGE = Change(("create",))


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The name is looked up in vain, then made; the close flushes and releases it."""
    return _changes.requests(
        context,
        Opcode.CREATE,
        Opcode.FLUSH,
        Opcode.RELEASE,
        lookups=Asked(1, 1),
        getattrs=Asked(1, 3),
    )


WORKLOAD = Workload(
    name="create",
    summary="open O_CREAT|O_EXCL of a new name, close",
    op="one new, empty file",
    unit="op",
    prepare=lambda context: Changes(context, CHANGE),
    subject=frozenset({Opcode.CREATE, Opcode.LOOKUP, Opcode.GETATTR}),
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
    about="LOOKUP (in vain), CREATE, FLUSH, RELEASE; GETATTR of the directory goes at attach levels",
    touched_from=Level.RW,
)
