"""macro-rm: remove a copy of a project."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER, Body, Bound, Context, Group, Opcode, Shape, Workload
from workloads import _changes, _project, walk_find
from workloads._programs import Restored


def prepare(context: Context) -> Body:
    """The copy is made ahead of a window."""
    copy = f"{_changes.FOLDER}/removed"
    source = f"{_project.PROJECT.name}"
    return Restored(context, ["rm", "-r", str(context.root / copy)], [copy], made_of=source)


def expect(_context: Context) -> Mapping[Opcode, Bound]:
    """Every file and both directories are removed."""
    return {
        Opcode.UNLINK: Bound(_project.FILES, _project.FILES),
        Opcode.RMDIR: Bound(2, 2),
    }


WORKLOAD = Workload(
    name="macro-rm",
    summary="rm -r of a project of 500 small files",
    op="one run of rm",
    unit="run",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    group=Group.PROGRAMS,
    needs=("rm",),
    usual=(),
    fixtures=lambda _variant: (_project.PROJECT, _changes.WORK),
    changes=True,
    about="READDIRPLUS, UNLINK, RMDIR; attach-getattr takes listings",
    expect=expect,
)
