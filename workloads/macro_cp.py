"""macro-cp: copy a project within the mount."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Body, Bound, Context, Group, Level, Opcode, Shape, Workload
from workloads import _changes, _project, walk_find
from workloads._programs import Restored


def prepare(context: Context) -> Body:
    """The last copy is removed ahead of a window."""
    source, copy = context.root / _project.PROJECT.name, f"{_changes.FOLDER}/copy"
    return Restored(context, ["cp", "-a", str(source), str(context.root / copy)], [copy])


def expect(_context: Context) -> Mapping[Opcode, Bound]:
    """Every file is opened and made once, and two directories are."""
    return {
        Opcode.OPEN: Bound(_project.FILES, _project.FILES),
        Opcode.CREATE: Bound(_project.FILES, _project.FILES),
        Opcode.MKDIR: Bound(2, 2),
    }


WORKLOAD = Workload(
    name="macro-cp",
    summary="cp -a of a project of 500 small files",
    op="one run of cp",
    unit="run",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    group=Group.PROGRAMS,
    needs=("cp",),
    usual=(),
    fixtures=lambda _variant: (_project.PROJECT, _changes.WORK),
    changes=True,
    about="READDIRPLUS, OPEN, READ, CREATE, WRITE, SETATTR; attach levels take listings and SETATTR",
    expect=expect,
    touched_from=Level.RW,
)
