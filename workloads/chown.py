"""chown: change owner and group of known files, again and again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bench.model import Bound, Context, Fixture, Group, Lacking, Opcode, Workload
from workloads import _changes
from workloads._changes import Asked, AttributeChanges

OWNERS = ((1, 1), (0, 0))


def value(passes: int) -> object:
    """What the driver sets in each pass over the files."""
    return OWNERS[passes & 1]


def seen(status: os.stat_result) -> object:
    """The owner as lstat shows it."""
    return (status.st_uid, status.st_gid)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """A new owner clears set-id bits and capabilities: the kernel asks for mode and capability first."""
    return _changes.requests(
        context, Opcode.SETATTR, Opcode.GETXATTR, lookups=Asked(0, 1), getattrs=Asked(1, 2)
    )


def build(folder: Path) -> None:
    """Nothing, or Lacking for who may not give files away."""
    try:
        for owners in OWNERS:
            os.chown(folder, *owners)
    except OSError as error:
        raise Lacking(f"only root may change owners ({error.strerror})") from error


def fixtures(variant: str) -> tuple[Fixture, ...]:
    """What every change needs, and leave to do this one."""
    return (*_changes.fixtures(variant), Fixture("owners", build))


WORKLOAD = Workload(
    name="chown",
    summary="chown of known files, to another owner and group each time",
    op="chown of a known file",
    unit="op",
    prepare=lambda context: AttributeChanges(context, "chown", value, seen),
    subject=frozenset({Opcode.SETATTR}),
    of_files={Opcode.SETATTR: 1.0},
    variants=_changes.VARIANTS,
    expect=expect,
    timeouts=_changes.TIMEOUTS,
    group=Group.CHANGES,
    usual=(),
    fixtures=fixtures,
    lacks=_changes.lacks,
    changes=True,
    about="GETATTR, GETXATTR, SETATTR; attach-getattr takes the first, attach-lookup the last",
)
