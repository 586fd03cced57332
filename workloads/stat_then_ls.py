"""stat-then-ls: stat a directory's files, then list it; what the stats left behind is timed."""

from __future__ import annotations

from bench.model import Body, Cache, Context, Opcode, Shape, Timeouts, Window, Workload
from workloads import _layout
from workloads._bodies import Pairs
from workloads._native.opdriver import Driver


def prepare(context: Context) -> Body:
    """Every window has directories of its own, none of them listed before."""
    tree = _layout.spec(context)
    steps = []
    groups = _layout.cold_directories(context)
    for group in groups:
        pairs = [pair for number in group for pair in _layout.files_of(context, number)]
        paths = [_layout.directory_path(context, number) for number in group]

        def stats(pairs: list[tuple[str, str]] = pairs) -> None:
            with Driver("statx-at", context.root, pairs, sync=context.sync.value) as driver:
                driver.run(len(pairs))

        def listing(paths: list[str] = paths) -> Window:
            with Driver("scan", context.root, paths) as driver:
                result = driver.run(len(paths))
                return Window(result.entries, result.ns)

        steps.append((stats, listing))
    return Pairs(steps, sum(tree.entries(number) for number in groups[0]))


WORKLOAD = Workload(
    name="stat-then-ls",
    summary="first listing of a directory whose files have just been stat'ed",
    op="one entry of a listing after stats",
    unit="entry",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS}),
    shape=Shape.SLICES,
    caches=(Cache.COLD_FUSE, Cache.COLD_ALL),
    timeouts=Timeouts(attr=3600.0, entry=3600.0),
)
