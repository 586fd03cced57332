"""lookup-cold: stat names that this mount has never seen; nothing is listed before."""

from __future__ import annotations

from bench.model import FOREVER, Body, Cache, Context, Opcode, Shape, Workload
from workloads import _expect, _layout
from workloads._bodies import Driven
from workloads._native.opdriver import Driver


def prepare(context: Context) -> Body:
    """Directories are opened, their files are not looked at: one LOOKUP each is what is timed."""
    items = _layout.cold_files(context)
    driver = Driver("statx-at", context.root, items, sync=context.sync.value, once=True)
    return Driven(driver, len(items) // context.windows)


WORKLOAD = Workload(
    name="lookup-cold",
    summary="statx of names never seen by this mount",
    op="first statx of a name in an open directory",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.LOOKUP}),
    shape=Shape.SLICES,
    caches=(Cache.COLD_FUSE, Cache.COLD_ALL),
    expect=lambda _context: _expect.first_contact(),
    timeouts=FOREVER,
    lacks=_layout.lacks_cold_files,
    about="LOOKUP of names never seen; lookup takes it",
    axes=("sync",),
    in_python=("",),
)
