"""readdir: list directories by raw getdents64, names only."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Body, Bound, Cache, Context, Opcode, Workload
from workloads import _layout
from workloads._bodies import Scans
from workloads._native.opdriver import Driver

DIRECTORIES = 8


def scans(context: Context, op: str) -> Body:
    """A driver that goes round a few directories with ``op``; an operation is one entry."""
    tree = _layout.spec(context)
    numbers = _layout.directories(context, DIRECTORIES)
    counts = [tree.entries(number) for number in numbers]
    driver = Driver(
        op,
        context.root,
        [_layout.directory_path(context, number) for number in numbers],
        threads=context.threads,
        sync=context.sync.value,
        expected=counts,
    )
    return Scans(driver, sum(counts))


def per_directory(context: Context) -> float:
    """What happens once per directory, per entry."""
    tree = _layout.spec(context)
    numbers = _layout.directories(context, DIRECTORIES)
    return len(numbers) / sum(tree.entries(number) for number in numbers)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """One OPENDIR per listing."""
    once = per_directory(context)
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
)
