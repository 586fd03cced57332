"""readdirplus: list directories and stat every entry, which is what ``ls -l`` does."""

from __future__ import annotations

from bench.model import Opcode, Workload
from workloads import readdir

WORKLOAD = Workload(
    name="readdirplus",
    summary="getdents64 to the end, then statx of each entry",
    op="one entry listed and stat'ed",
    unit="entry",
    prepare=lambda context: readdir.scans(context, "scan-stat"),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR}),
    expect=readdir.expect,
    axes=("sync",),
)
