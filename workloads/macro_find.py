"""macro-find: the real program, once over the whole tree, on a fresh mount."""

from __future__ import annotations

from bench.model import FOREVER, Opcode, Shape, Workload
from workloads import walk_find
from workloads._bodies import Program

WORKLOAD = Workload(
    name="macro-find",
    summary="find -newer",
    op="one run of find -newer",
    unit="run",
    prepare=lambda context: Program(
        ["find", str(context.root / "tree"), "-newer", str(context.root / "manifest.json")]
    ),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    needs=("find",),
)
