"""walk-du: walk the whole tree and stat every entry, as ``du`` does."""

from __future__ import annotations

from bench.model import FOREVER, Group, Opcode, Shape, Workload
from workloads import walk_find

WORKLOAD = Workload(
    name="walk-du",
    summary="walk the whole tree and stat every entry, as du does",
    op="one entry of the tree, stat'ed",
    unit="entry",
    prepare=lambda context: walk_find.walk(context, stat=True),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    expect=walk_find.expect,
    timeouts=FOREVER,
    group=Group.LISTINGS,
    about="as walk-find, and GETATTR or LOOKUP of each entry; attach levels take GETATTR",
)
