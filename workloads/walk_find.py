"""walk-find: walk the whole tree by names and types alone, as ``find -name`` does."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Body, Bound, Cache, Context, Group, Opcode, Shape, Workload
from workloads import _layout
from workloads._bodies import Walk

COLD_FIRST = (Cache.COLD_FUSE, Cache.WARM, Cache.COLD_ALL)


def walk(context: Context, *, stat: bool) -> Body:
    """A walk over everything below tree/."""
    return Walk(context, stat=stat, entries=entries(context))


def entries(context: Context) -> int:
    """Files and directories below tree/."""
    tree = _layout.spec(context)
    return tree.file_count + tree.dir_count - 1


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """One OPENDIR per directory, whatever is cached."""
    once = _layout.spec(context).dir_count / entries(context)
    return {Opcode.OPENDIR: Bound(once, once)}


WORKLOAD = Workload(
    name="walk-find",
    summary="walk the whole tree by names and types, as find -name does",
    op="one entry of the tree",
    unit="entry",
    prepare=lambda context: walk(context, stat=False),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS}),
    shape=Shape.ONCE,
    caches=COLD_FIRST,
    expect=expect,
    timeouts=FOREVER,
    group=Group.LISTINGS,
    about="OPENDIR and listings of every directory, LOOKUP of each; attach-getattr takes listings",
)
