"""getattr-cached: the storm by path with timeouts that never run out; cheap, and stale.

Stands beside getattr-storm so that a table never shows what passthrough saves without showing what
a long attribute timeout saves.
"""

from __future__ import annotations

from dataclasses import replace

from bench.model import FOREVER, Body, Context, Opcode, Workload
from workloads import _layout, getattr_storm


def by_path(context: Context) -> Context:
    """The storm this one repeats."""
    return replace(context, variant="path")


def prepare(context: Context) -> Body:
    """The storm by path."""
    return getattr_storm.prepare(by_path(context))


WORKLOAD = Workload(
    name="getattr-cached",
    summary="statx by path, answered from FUSE's attribute cache (may be stale)",
    op="statx of a file seen before",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.GETATTR, Opcode.STATX}),
    expect=lambda context: getattr_storm.expect(by_path(context)),
    timeouts=FOREVER,
    timeouts_fixed=True,
    lacks=_layout.lacks_files,
    about="none: the kernel answers from its caches, stale or not",
)
