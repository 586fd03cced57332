"""getattr-storm: stat the same files over and over, by path, by directory and name, by descriptor."""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import Body, Bound, Context, Opcode, Workload
from workloads import _expect, _layout
from workloads._bodies import storm

OPS = {"path": "statx-path", "at": "statx-at", "fd": "fstat"}


def prepare(context: Context) -> Body:
    """One native driver over the trial's names, in random order."""
    return storm(context, OPS[context.variant], _layout.files(context), sync=context.sync.value)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Every name has been seen; what is asked again depends on the timeouts."""
    if context.variant == "fd":
        return _expect.stat_by_fd(context)
    if context.variant == "at":
        return _expect.stat_by_name(context, 1, 1)
    depths = [name.count("/") + 1 for name in _layout.files(context)]
    return _expect.stat_by_name(context, min(depths), max(depths))


WORKLOAD = Workload(
    name="getattr-storm",
    summary="statx of known files, again and again",
    op="statx of a file seen before",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.GETATTR, Opcode.STATX}),
    variants=("path", "at", "fd"),
    expect=expect,
    lacks=_layout.lacks_files,
    about="LOOKUP and GETATTR at timeouts of 0; attach-getattr takes GETATTR, lookup LOOKUP",
    of_files={Opcode.GETATTR: 1.0},
    axes=("sync",),
    in_python=("path", "fd"),
)
