"""open-close: open known files read-only and close them; what rw passthrough adds is paid here."""

from __future__ import annotations

from bench.model import FOREVER, Body, Bound, Context, Group, Level, Opcode, Workload
from workloads import _layout
from workloads._bodies import storm


def prepare(context: Context) -> Body:
    """One native driver over the trial's names."""
    return storm(context, "open-close", _layout.files(context))


WORKLOAD = Workload(
    name="open-close",
    summary="open and close of known files",
    op="open and close of a file seen before",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.OPEN}),
    expect=lambda _context: {Opcode.OPEN: Bound(1, 1)},
    timeouts=FOREVER,
    group=Group.FILES,
    lacks=_layout.lacks_files,
    about="OPEN, FLUSH, RELEASE; no level takes them, rw makes OPEN dearer",
    touched_from=Level.RW,
)
