"""stat-expired: both timeouts run out between two stats of the same file."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bench.model import Body, Bound, Context, Opcode, Shape, Sync, Timeouts, Workload
from workloads import _layout
from workloads._bodies import Driven
from workloads._native.opdriver import Driver

TIMEOUT_S = 0.1
NAMES = 200
"""Names of a window: so few that a slow server answers all of them well within the timeout, so many that
a timer's tick is hardly a thousandth of a window."""
DIRECTORIES = 4
"""Directories that the names lie in; more where directories are small."""


class Expired(Driven):
    """Ahead of every window, wait until the last round of stats has expired; then stat all names."""

    def __init__(self, driver: Driver, wait_s: float) -> None:
        super().__init__(driver, driver.size)
        self._wait_s = wait_s

    def warm(self) -> None:
        """Visit everything, and again when all has expired, as every window will.

        The first visit finds directories just looked up. Only an expired one is asked for, to check
        the right to search it, and that first GETATTR is what attaches it at attach-getattr.
        """
        super().warm()
        self.before()
        super().warm()

    def before(self) -> None:
        """Let both timeouts run out."""
        time.sleep(self._wait_s)


def prepare(context: Context) -> Body:
    """Names of few directories, so that re-reading a parent is rare beside the op itself."""
    count = max(DIRECTORIES, NAMES // _layout.spec(context).files_per_dir)
    paths = [
        path for leaf in _layout.leaves(context, count) for path in _layout.files_of(context, leaf)
    ]
    driver = Driver("statx-at", context.root, paths[:NAMES], sync=context.sync.value)
    return Expired(driver, 1.5 * max(context.attr_timeout, context.entry_timeout))


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """The lookup that renews the entry brings the attributes along: 1 LOOKUP, hardly a GETATTR."""
    return (
        {Opcode.LOOKUP: Bound(1, 1.05), Opcode.GETATTR: Bound(0, 0.1)}
        if context.sync is Sync.AS_STAT
        else {}
    )


WORKLOAD = Workload(
    name="stat-expired",
    summary="statx of known files whose entry and attributes have just expired",
    op="statx of a file, 1.5 timeouts after the last",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.GETATTR, Opcode.STATX}),
    shape=Shape.SLICES,
    expect=expect,
    timeouts=Timeouts(attr=TIMEOUT_S, entry=TIMEOUT_S),
    timeouts_fixed=True,
    about="LOOKUP, which brings the attributes; lookup takes it",
    axes=("sync",),
)
