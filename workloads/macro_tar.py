"""macro-tar: read a whole project into an archive that goes nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Body, Bound, Context, Group, Level, Opcode, Shape, Workload
from workloads import _project, walk_find
from workloads._bodies import Program


def prepare(context: Context) -> Body:
    """Through a pipe: an archive that is /dev/null makes tar read no file."""
    command = 'set -e; tar -cf - -C "$1" . | cat'
    return Program(["sh", "-c", command, "sh", str(context.root / _project.PROJECT.name)])


def expect(_context: Context) -> Mapping[Opcode, Bound]:
    """Every file is opened and read once."""
    return {Opcode.OPEN: Bound(_project.FILES, _project.FILES)}


WORKLOAD = Workload(
    name="macro-tar",
    summary="tar of a project of 500 small files, contents and all",
    op="one run of tar",
    unit="run",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    group=Group.PROGRAMS,
    needs=("tar",),
    usual=(),
    fixtures=lambda _variant: (_project.PROJECT,),
    about="READDIRPLUS, OPEN, READ, RELEASE; attach-getattr takes listings, rw READ",
    expect=expect,
    touched_from=Level.RW,
)
