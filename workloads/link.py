"""link: give known files a second name in another directory."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

CHANGE = Change(("link",), ahead="mknod", second="other", comes=True)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The old name is known, the new one is looked up in vain."""
    return _changes.requests(context, Opcode.LINK, lookups=Asked(1, 2), getattrs=Asked(1, 4))


WORKLOAD = Workload(
    name="link",
    summary="link of a known file to a new name",
    op="one new name of a file",
    unit="op",
    prepare=lambda context: Changes(context, CHANGE),
    subject=frozenset({Opcode.LINK, Opcode.LOOKUP, Opcode.GETATTR}),
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
    about="LOOKUP (in vain), LINK; GETATTR of the directory goes at attach levels",
)
