"""How windows on the instruction clock are made to begin and go alike."""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Callable

from bench.model import Cache, Clock, Shape, Workload
from bench.run.job import Job
from workloads._native.opdriver import spin_until

ALIGN_NS = 100_000_000
"""A multiple of a timer tick at any CONFIG_HZ."""
SPIN_NS = 20_000_000
"""Two ticks at least."""
PAGES_KEPT = 1024
"""More than a slice of a thousand cold names allocates."""
MOST_SETTLING, SETTLED_AFTER = 12, 20e6
"""Windows ahead of the values, and the instructions they need not exceed."""
BETWEEN_TICKS_NS = 500_000
"""How long after a tick a window begins: half of the shortest tick."""


def settle(job: Job, workload: Workload, window: Callable[[], float]) -> None:
    """Windows that are no value yet: on the instruction clock the first takes up to 1 % more.

    Warm listings that are passed through settle after some 25 000 entries: of 2000 each, windows take
    660, 657, 651, 654, 648 instructions an entry after five, and 648 from the thirteenth on. What is left
    of it after as many instructions as that is less than a thousandth of a window, so that long windows
    need fewer. A cold slice is had but once.
    """
    if job.clock is not Clock.INSTRUCTIONS:
        return
    most = 1
    if workload.shape is Shape.SLICES:
        most = MOST_SETTLING if job.context.cache is Cache.WARM else 0
    spent = 0.0
    for number in range(most):
        spent += window()
        if number and spent > SETTLED_AFTER:
            return


def used_up(job: Job, workload: Workload) -> bool:
    """Whether a mount is good for one window only.

    A warm walk can be walked again, and on the instruction clock is: the one window of walk-du on
    passthrough-c was 2.7 % apart between two boots, the median 0.012 %.
    """
    again = job.clock is Clock.INSTRUCTIONS and job.context.cache is Cache.WARM
    return workload.shape is Shape.ONCE and not again


def align() -> None:
    """On the instruction clock, begin every window alike: between two ticks, all freeing done.

    It idles for 80 ms at least, which costs the host nothing and leaves RCU nothing to free, then
    spins, so that the timers that wait for a busy CPU run ahead of the window and not inside it.
    Just past a tick after 0 to 100 ms, stat-expired on plain-c was 0.06 % apart, now 0.01 to 0.03.
    """
    fill_page_lists()
    begin_ns = (time.monotonic_ns() // ALIGN_NS + 2) * ALIGN_NS
    time.sleep((begin_ns - SPIN_NS - time.monotonic_ns()) / 1e9)
    spin_until(begin_ns + BETWEEN_TICKS_NS)


def fill_page_lists() -> None:
    """Leave free pages on the CPU's own list, so that no window has to fetch them from the zone.

    The list is refilled by up to 2016 pages at once (nr_pcp_alloc, rmqueue_bulk in mm/page_alloc.c):
    240 000 instructions for whichever allocation finds it empty. It was one window of four of lookup-cold
    on plain-c, which took 28 000 instructions a name instead of 25 600.
    """
    with mmap.mmap(-1, PAGES_KEPT * mmap.PAGESIZE) as pages:
        pages[:: mmap.PAGESIZE] = bytes(PAGES_KEPT)


def same_loops(loops: int) -> int:
    """The nearest power of two: boots that time a loop 1 % apart (110 or 112) do the same work."""
    return 1 << round(math.log2(loops))
