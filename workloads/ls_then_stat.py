"""ls-then-stat: list a directory, then stat its files; what the listing left behind is timed.

A READDIRPLUS leaves entries and attributes in the kernel, a READDIR nothing: the same stat costs
no request or one LOOKUP each. The kernel's adaptive mode sends READDIRPLUS for the first buffer only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from bench.model import (
    FOREVER,
    FOREVER_S,
    Body,
    Bound,
    Cache,
    Context,
    Group,
    Opcode,
    Shape,
    Window,
    Workload,
)
from workloads import _expect, _layout
from workloads._bodies import Pairs, Ready, as_window
from workloads._native.opdriver import Driver


def prepare(context: Context) -> Body:
    """Every window has directories of its own, none of them listed before."""
    groups = _layout.cold_directories(context)
    steps = [(partial(listing, context, group), partial(stats, context, group)) for group in groups]
    return Pairs(steps, len(groups[0]) * _layout.spec(context).files_per_dir)


def listing(context: Context, leaves: list[int]) -> Ready:
    """Open, getdents64 to the end, close, for every directory; an operation is one entry."""
    paths = _layout.directory_paths(context, leaves)
    driver = Driver(
        "scan",
        context.root,
        paths,
        expected=_layout.spec(context).files_per_dir,
        buffer=context.buffer,
    )
    return Ready(driver, lambda result: Window(result.entries, result.ns))


def stats(context: Context, leaves: list[int]) -> Ready:
    """statx of every file of the directories, by directory descriptor and name."""
    paths = [path for leaf in leaves for path in _layout.files_of(context, leaf)]
    driver = Driver("statx-at", context.root, paths, sync=context.sync.value)
    return Ready(driver, as_window)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """At most one LOOKUP for each name, none where the listing brought it and nothing runs out."""
    if min(context.attr_timeout, context.entry_timeout) >= FOREVER_S:
        return {Opcode.LOOKUP: Bound(0, 1), Opcode.GETATTR: Bound(0, 1)}
    return {
        Opcode.LOOKUP: Bound(0, _expect.REPEATED_PREFIX),
        Opcode.GETATTR: Bound(0, 2 * _expect.REPEATED_PREFIX),
    }


WORKLOAD = Workload(
    name="ls-then-stat",
    summary="statx of every file of a directory just listed for the first time",
    op="statx of a file after a listing",
    unit="op",
    prepare=prepare,
    expect=expect,
    subject=frozenset({Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.SLICES,
    caches=(Cache.COLD_FUSE, Cache.COLD_ALL),
    timeouts=FOREVER,
    group=Group.LISTINGS,
    lacks=_layout.lacks_cold_directories,
    about="LOOKUP of each name after READDIR, none after READDIRPLUS; lookup takes it",
    axes=("sync",),
)
