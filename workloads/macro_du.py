"""macro-du: the real program, once over the whole tree, on a fresh mount."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Bound, Context, Group, Opcode, Shape, Workload
from workloads import _layout, walk_find
from workloads._bodies import Program


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Every directory is opened once, whatever is cached."""
    return {Opcode.OPENDIR: Bound(*[_layout.spec(context).dir_count] * 2)}


WORKLOAD = Workload(
    name="macro-du",
    summary="du -s",
    op="one run of du -s",
    unit="run",
    prepare=lambda context: Program(["du", "-s", str(context.root / "tree")]),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    needs=("du",),
    group=Group.PROGRAMS,
    about="READDIRPLUS, GETATTR; attach levels take both",
    expect=expect,
    usual=(),
)
