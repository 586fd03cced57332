"""ls-then-stat: list a directory, then stat its files; what the listing left behind is timed.

A READDIRPLUS leaves entries and attributes in the kernel, a READDIR nothing: the same stat costs
no request or one LOOKUP each. The kernel's adaptive mode sends READDIRPLUS for the first buffer only.
"""

from __future__ import annotations

from bench.model import Body, Cache, Context, Opcode, Shape, Timeouts, Window, Workload
from workloads import _layout
from workloads._bodies import Pairs, as_window
from workloads._native.opdriver import Driver


def prepare(context: Context) -> Body:
    """Every window has directories of its own, none of them listed before."""
    steps = []
    groups = _layout.cold_directories(context)
    files = [[pair for number in group for pair in _layout.files_of(context, number)] for group in groups]
    for group, pairs in zip(groups, files, strict=True):
        paths = [_layout.directory_path(context, number) for number in group]

        def listing(paths: list[str] = paths) -> None:
            with Driver("scan", context.root, paths) as driver:
                driver.run(len(paths))

        def stats(pairs: list[tuple[str, str]] = pairs) -> Window:
            with Driver("statx-at", context.root, pairs, sync=context.sync.value) as driver:
                return as_window(driver.run(len(pairs)))

        steps.append((listing, stats))
    return Pairs(steps, len(files[0]))


WORKLOAD = Workload(
    name="ls-then-stat",
    summary="statx of every file of a directory just listed for the first time",
    op="statx of a file after a listing",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.SLICES,
    caches=(Cache.COLD_FUSE, Cache.COLD_ALL),
    timeouts=Timeouts(attr=3600.0, entry=3600.0),
)
