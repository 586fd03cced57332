"""macro-make: build a C project of 200 sources, or find that there is nothing to build.

Whether a kernel build would be observable is what reviewers ask: each source includes 30 of 300
headers, and is compiled without optimisation, by one job.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from bench.model import FOREVER, Body, Bound, Context, Group, Level, Opcode, Shape, Workload
from workloads import _project, walk_find
from workloads._bodies import Program
from workloads._programs import Restored

FULL, NOTHING = "full", "nothing"
MADE_OF = ("*.o", "*.d", "library.a")


def prepare(context: Context) -> Body:
    """The variant says whether anything is left to make; what was made is removed ahead of a window."""
    if context.variant == NOTHING:
        return Program(["make", "-s", "-C", str(context.root / _project.MADE.name)])
    folder = _project.PROJECT.name
    argv = ["make", "-s", "-C", str(context.root / folder)]
    return Restored(context, argv, [f"{folder}/{pattern}" for pattern in MADE_OF])


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Built: an object and a list of headers of each source, and the library; each source and each
    header it includes is opened. With nothing to do: the makefile and every list of headers."""
    if context.variant == NOTHING:
        return {Opcode.OPEN: Bound(_project.SOURCES, _project.SOURCES + 10)}
    made = 2 * _project.SOURCES + 1
    return {
        Opcode.CREATE: Bound(made, made + _project.SOURCES),
        Opcode.OPEN: Bound(_project.SOURCES * _project.INCLUDED, math.inf),
    }


WORKLOAD = Workload(
    name="macro-make",
    summary="make of 200 C files of 30 headers each, from nothing or with nothing to do",
    op="one run of make",
    unit="run",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    group=Group.PROGRAMS,
    variants=(FULL, NOTHING),
    needs=("make", "cc"),
    usual=(NOTHING,),
    fixtures=lambda variant: (_project.MADE if variant == NOTHING else _project.PROJECT,),
    changes=True,
    about="LOOKUP of every header and source, OPEN, READ, CREATE, WRITE; lookup and rw take some",
    expect=expect,
    touched_from=Level.RW,
)
