"""rename: give known files a new name, in the same directory or in another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench.model import Body, Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes
from workloads._changes import Asked, Change, Changes

VARIANTS = tuple(
    f"{where}-{threads}" for where in ("same", "other") for threads in _changes.VARIANTS
)


def prepare(context: Context) -> Body:
    """The variant says where the new name lies, and whether threads share directories."""
    where, _, threads = context.variant.partition("-")
    change = Change(("rename",), ahead="mknod", second=where, stays=False, comes=True)
    return Changes(replace(context, variant=threads), change)


def lacks(context: Context) -> str:
    """As of every change."""
    return _changes.lacks(replace(context, variant=context.variant.partition("-")[2]))


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The old name is known, the new one is looked up in vain; each directory becomes stale."""
    return _changes.requests(
        context,
        Opcode.RENAME,
        lookups=Asked(1, 2),
        getattrs=Asked(2 if context.variant.startswith("other") else 1, 4),
    )


WORKLOAD = Workload(
    name="rename",
    summary="rename of a known file, in its directory or to another",
    op="one file renamed",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.RENAME, Opcode.RENAME2, Opcode.LOOKUP, Opcode.GETATTR}),
    shape=Shape.SLICES,
    variants=VARIANTS,
    expect=expect,
    timeouts=_changes.TIMEOUTS,
    group=Group.CHANGES,
    usual=(),
    fixtures=_changes.fixtures,
    lacks=lacks,
    threaded=True,
    changes=True,
    about="LOOKUP (in vain), RENAME; GETATTR of the directories goes at attach levels",
)
