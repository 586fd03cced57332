"""macro-import: start Python and import 300 modules of a site-packages of 3 000."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from bench.model import FOREVER, Body, Bound, Context, Group, Level, Opcode, Shape, Workload
from workloads import _project, walk_find
from workloads._bodies import Program


def prepare(context: Context) -> Body:
    """The interpreter and its own library lie outside the mount; nothing is written."""
    place = str(context.root / _project.MODULES_TREE.name)
    program = f"import sys; sys.path.insert(0, {place!r}); import everything"
    return Program([sys.executable, "-I", "-S", "-B", "-c", program])


def expect(_context: Context) -> Mapping[Opcode, Bound]:
    """Every module, its package and the list of them is opened, whatever else Python looks at."""
    imported = _project.PACKAGES * (_project.MODULES // _project.IMPORT_EVERY + 1) + 1
    return {Opcode.OPEN: Bound(imported, 1.1 * imported)}


WORKLOAD = Workload(
    name="macro-import",
    summary="python importing 300 of 3 000 modules",
    op="one run of python",
    unit="run",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    group=Group.PROGRAMS,
    needs=("python3",),
    usual=(),
    fixtures=lambda _variant: (_project.MODULES_TREE,),
    about="LOOKUP, GETATTR, OPENDIR, OPEN and READ of each module; attach levels, lookup and rw take some",
    expect=expect,
    touched_from=Level.RW,
)
