"""readdir: list directories by raw getdents64, names only."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Body, Bound, Cache, Context, Group, Opcode, Workload
from workloads import _layout
from workloads._bodies import Scans
from workloads._native.opdriver import Driver

DIRECTORIES = 8


def scans(context: Context, op: str) -> Body:
    """A driver that goes round a few directories with ``op``; an operation is one entry."""
    numbers = _layout.leaves(context, max(DIRECTORIES, context.threads))
    each = _layout.spec(context).files_per_dir
    driver = Driver(
        op,
        context.root,
        _layout.directory_paths(context, numbers),
        threads=context.threads,
        sync=context.sync.value,
        expected=each,
        buffer=context.buffer,
    )
    return Scans(driver, len(numbers) * each)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """One OPENDIR per listing."""
    once = 1 / _layout.spec(context).files_per_dir
    return {Opcode.OPENDIR: Bound(once, once)}


WORKLOAD = Workload(
    name="readdir",
    summary="open, getdents64 to the end, close; names only",
    op="one entry of a directory listing",
    unit="entry",
    prepare=lambda context: scans(context, "scan"),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS}),
    caches=(Cache.WARM,),
    expect=expect,
    group=Group.LISTINGS,
    lacks=_layout.lacks_directories,
    about="OPENDIR, READDIR or READDIRPLUS, RELEASEDIR; attach-getattr takes the listing",
    in_python=("",),
)
