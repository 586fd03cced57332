"""link: give known files a second name in another directory."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Change, Changes

CHANGE = Change(("link",), ahead="mknod", second="other", comes=True)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """REPLACE"""
    return _changes.told(context, _changes.once(Opcode.LINK), {})


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
    usual=("shared",),
    fixtures=(_changes.WORK,),
    lacks=_changes.lacks,
    threaded=True,
    changes=True,
    about="x",
)
