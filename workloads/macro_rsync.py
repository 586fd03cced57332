"""macro-rsync: compare the whole tree with an equal one, which it finds to be so."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Body, Bound, Context, Group, Opcode, Shape, Workload
from workloads import _layout, walk_find
from workloads._bodies import Program


def prepare(context: Context) -> Body:
    """A dry run from the backing itself: names, sizes and times are compared, and nothing differs."""
    source = (context.backing or context.root) / "tree"
    return Program(["rsync", "-an", "--delete", f"{source}/", f"{context.root / 'tree'}/"])


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Every directory is opened once, whatever is cached."""
    return {Opcode.OPENDIR: Bound(*[_layout.spec(context).dir_count] * 2)}


WORKLOAD = Workload(
    name="macro-rsync",
    summary="rsync -an of the tree to an equal one",
    op="one run of rsync",
    unit="run",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    group=Group.PROGRAMS,
    needs=("rsync",),
    usual=(),
    about="READDIRPLUS, GETATTR; attach levels take both",
    expect=expect,
)
