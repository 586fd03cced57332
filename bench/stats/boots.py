"""What series on the instruction clock show by themselves: windows that differ where boots agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.stats.guards import Flag, SeriesKey
from bench.stats.verdicts import percent

SPREAD = 0.05
"""Distance of two windows of a boot, relative to their median, from which on it is told."""
AGREE = 0.001
"""How far the medians of boots are apart at most where that is strange."""
KERNEL_WORK = 150e3
"""Instructions of one window beyond the median of its boot that are no property of what it visits. The
CPU's list of free pages was refilled in it, by up to 2016 pages: some 240 000 instructions of
__rmqueue_pcplist (mm/page_alloc.c), found with --profile, and told of by runs from before the list was
filled ahead of every window (bench.run.steady). A directory that is listed in one request more takes 20 000
at most."""


def uneven_windows(trials: pd.DataFrame) -> dict[SeriesKey, list[Flag]]:
    """Series whose windows lie apart though boots agree, and why: frame of trials.

    The median of a boot's windows is what counts, so that neither moves it much: a note.
    """
    flags = {}
    for key, own in trials.groupby(["group", "target"], sort=False, observed=True):
        assert isinstance(key, tuple)
        boots = [
            (np.asarray(values, dtype=np.float64), float(loops * ops))
            for values, loops, ops in zip(
                own["values"], own["loops"], own["ops_per_loop"], strict=True
            )
            if len(values) >= 3 and min(values) > 0 and loops and ops
        ]
        if len(boots) >= 2 and (said := _uneven(boots)):
            flags[str(key[0]), str(key[1])] = [Flag("windows", said)]
    return flags


def _uneven(boots: list[tuple[NDArray[np.float64], float]]) -> str:
    """What of their windows is to be told; nothing where they are even, or boots do not agree."""
    middles = [float(np.median(values)) for values, _ in boots]
    spreads = [float(np.ptp(values)) / one for (values, _), one in zip(boots, middles, strict=True)]
    if max(spreads) <= SPREAD or max(middles) / min(middles) - 1 > AGREE:
        return ""
    at = int(np.argmax(spreads))
    values, ops = boots[at]
    excess = (values - middles[at]) * ops
    apart = f"windows of a boot are up to {percent(spreads[at])} apart, boots {AGREE:.1%} at most: "
    if excess.max() >= KERNEL_WORK:
        return (
            f"{apart}window {int(excess.argmax()) + 1} has {excess.max() / 1e3:.0f} thousand "
            "instructions more: the kernel refilled its list of free pages there, or did other work"
        )
    return f"{apart}each visits other names, and directories are not listed in as many requests"
