"""stat-then-ls: stat a directory's files, then list it; what the stats left behind is timed."""

from __future__ import annotations

from functools import partial

from bench.model import FOREVER, Body, Cache, Context, Group, Opcode, Shape, Workload
from workloads import _layout, readdir
from workloads._bodies import Pairs
from workloads.ls_then_stat import listing, stats


def prepare(context: Context) -> Body:
    """Every window has directories of its own, none of them listed before."""
    groups = _layout.cold_directories(context)
    steps = [(partial(stats, context, group), partial(listing, context, group)) for group in groups]
    return Pairs(steps, len(groups[0]) * _layout.spec(context).files_per_dir)


WORKLOAD = Workload(
    name="stat-then-ls",
    summary="first listing of a directory whose files have just been stat'ed",
    op="one entry of a listing after stats",
    unit="entry",
    prepare=prepare,
    expect=readdir.expect,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS}),
    shape=Shape.SLICES,
    caches=(Cache.COLD_FUSE, Cache.COLD_ALL),
    timeouts=FOREVER,
    group=Group.LISTINGS,
    lacks=_layout.lacks_cold_directories,
    about="READDIRPLUS or READDIR; attach-getattr takes it",
)
