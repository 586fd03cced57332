"""readdirplus: list directories and stat every entry, which is what ``ls -l`` does."""

from __future__ import annotations

from bench.model import Group, Opcode, Workload
from workloads import _layout, readdir

WORKLOAD = Workload(
    name="readdirplus",
    summary="getdents64 to the end, then statx of each entry",
    op="one entry listed and stat'ed",
    unit="entry",
    prepare=lambda context: readdir.scans(context, "scan-stat"),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR}),
    expect=readdir.expect,
    group=Group.LISTINGS,
    lacks=_layout.lacks_directories,
    about="as readdir, and GETATTR or LOOKUP of each entry; attach levels take the GETATTR",
    axes=("sync",),
)
