"""macro-find: the real program, once over the whole tree, on a fresh mount."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Bound, Context, Group, Opcode, Shape, Workload
from workloads import _layout, walk_find
from workloads._bodies import Program


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Every directory is opened once, whatever is cached."""
    return {Opcode.OPENDIR: Bound(*[_layout.spec(context).dir_count] * 2)}


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
    introduces=True,
    needs=("find",),
    group=Group.PROGRAMS,
    about="READDIRPLUS, GETATTR; attach levels take both",
    expect=expect,
)
