"""macro-ls: the real program, once over the whole tree, on a fresh mount."""

from __future__ import annotations

from bench.model import FOREVER, Opcode, Shape, Workload
from workloads import walk_find
from workloads._bodies import Program

WORKLOAD = Workload(
    name="macro-ls",
    summary="ls -lR",
    op="one run of ls -lR",
    unit="run",
    prepare=lambda context: Program(["ls", "-lR", str(context.root / "tree")]),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    needs=("ls",),
)
