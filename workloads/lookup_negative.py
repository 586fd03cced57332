"""lookup-negative: stat names that do not exist, what a compiler's include path does all day."""

from __future__ import annotations

from bench.model import FOREVER, Body, Bound, Context, Opcode, Workload
from workloads import _layout
from workloads._bodies import storm


def prepare(context: Context) -> Body:
    """Missing names in known directories."""
    return storm(context, "missing-at", _layout.missing(context))


WORKLOAD = Workload(
    name="lookup-negative",
    summary="statx of names that do not exist",
    op="statx answered with ENOENT",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.LOOKUP}),
    expect=lambda _context: {Opcode.LOOKUP: Bound(1, 1)},
    timeouts=FOREVER,
    lacks=_layout.lacks_files,
    about="LOOKUP that fails; lookup takes it",
)
