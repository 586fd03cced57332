"""chmod: change the mode of known files, again and again."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from bench.model import Bound, Context, Group, Opcode, Workload
from workloads import _changes
from workloads._changes import Asked, AttributeChanges


def value(passes: int) -> object:
    """What the driver sets in each pass over the files."""
    return 0o644 if passes & 1 else 0o600


def seen(status: os.stat_result) -> object:
    """The mode as lstat shows it."""
    return stat.S_IMODE(status.st_mode)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The name is known: one SETATTR, which brings the attributes along."""
    return _changes.requests(context, Opcode.SETATTR, lookups=Asked(0, 1), getattrs=Asked(0, 1))


WORKLOAD = Workload(
    name="chmod",
    summary="chmod of known files, to another mode each time",
    op="chmod of a known file",
    unit="op",
    prepare=lambda context: AttributeChanges(context, "chmod", value, seen),
    subject=frozenset({Opcode.SETATTR}),
    variants=_changes.VARIANTS,
    expect=expect,
    timeouts=_changes.TIMEOUTS,
    group=Group.CHANGES,
    usual=("shared",),
    fixtures=_changes.fixtures,
    lacks=_changes.lacks,
    changes=True,
    about="SETATTR; attach-lookup takes it",
)
