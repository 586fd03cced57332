"""create-write-close: make new files of 4 KiB."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Level, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

CHANGE = Change(("create-write",), looks=lambda status: status.st_size == 4096)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Before it writes the kernel asks for security.capability, which a write must clear."""
    return _changes.requests(
        context,
        Opcode.CREATE,
        Opcode.WRITE,
        Opcode.GETXATTR,
        Opcode.FLUSH,
        Opcode.RELEASE,
        lookups=Asked(1, 1),
        getattrs=Asked(1, 3),
    )


WORKLOAD = Workload(
    name="create-write-close",
    summary="open O_CREAT|O_EXCL, write 4 KiB, close",
    op="one new file of 4 KiB",
    unit="op",
    prepare=lambda context: Changes(context, CHANGE),
    subject=frozenset(
        {Opcode.CREATE, Opcode.WRITE, Opcode.GETXATTR, Opcode.LOOKUP, Opcode.GETATTR}
    ),
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
    about="as create, and GETXATTR (security.capability) and WRITE; rw takes the WRITE",
    touched_from=Level.RW,
)
