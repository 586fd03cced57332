"""read-random: 4 KiB preads at random offsets of open files: what every kernel since 6.9 passes through.

Cold by default: each block is read once per mount, because a second read of it would come from the
FUSE page cache on a plain server and tell nothing about READ.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Body, Bound, Cache, Context, Group, Level, Opcode, Shape, Workload
from workloads import tree
from workloads._bodies import Driven
from workloads._native.opdriver import Driver


def prepare(context: Context) -> Body:
    """All data files open before the first window; every block is visited at most once.

    Each must begin with the bytes of its place in the tree: a server that gives others is not measured.
    """
    cold = context.cache is not Cache.WARM
    driver = Driver(
        "pread",
        context.root,
        tree.Data().paths(),
        order="random",
        seed=context.seed,
        once=cold,
        contents=int(context.tree["seed"]),
    )
    return Driven(driver, context.names)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """A random read of one page asks for that page; a few neighbours arrive with read-ahead."""
    cold = context.cache is not Cache.WARM
    return {Opcode.READ: Bound(0.5, 1.05) if cold else Bound(0, 1.05)}


WORKLOAD = Workload(
    name="read-random",
    summary="4 KiB preads of open files at random offsets",
    op="pread of 4 KiB, first of its block on this mount",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.READ}),
    shape=Shape.SLICES,
    caches=(Cache.COLD_FUSE, Cache.WARM, Cache.COLD_ALL),
    expect=expect,
    timeouts=FOREVER,
    group=Group.FILES,
    about="READ; rw takes it",
    touched_from=Level.RW,
    in_python=("",),
)
