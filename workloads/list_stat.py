"""list-stat: list directories and stat a share of what is listed; the variant says which, and when.

A READDIRPLUS brings attributes of all entries along, wanted or not; a listing that the kernel passes
through brings none, and each entry looked at then costs a LOOKUP. Which is the better bargain
depends on how many are looked at, and, where the kernel chooses, on when. GNU ``ls -l`` stats the
entries of each buffer before it asks for the next (variants ``alternate-N``); fts lists the whole
directory first (``find``, ``du``; variants ``N``). The kernel's adaptive mode tells the two apart: it
goes on with READDIRPLUS only if names of the directory were looked up since its last buffer.

Variant ``ls`` is ``ls -l``: every entry, alternating, and the two extended attributes it asks for.

Timeouts are long unless a run says otherwise: READDIRPLUS at its best, as what it brought along
is still valid when it is asked for.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.model import (
    FOREVER,
    FOREVER_S,
    Body,
    Bound,
    Cache,
    Context,
    Group,
    Opcode,
    Order,
    Shape,
    Sync,
    Workload,
    XattrWay,
)
from workloads import _expect, _layout, flat
from workloads._bodies import Listings
from workloads._native.opdriver import Driver

PERCENTAGES = ("0", "1", "10", "20", "30", "40", "50", "75", "100")
ALTERNATE = "alternate-"
LS = "ls"
LS_ASKS = 2
"""Extended attributes that ls asks for of every entry."""
VARIANTS = (*PERCENTAGES, *(ALTERNATE + one for one in PERCENTAGES), LS)
USUAL = ("0", "100", "alternate-0", "alternate-10", "alternate-50", "alternate-100", LS)
"""Variants of a usual run: both ends of both orders, and between them what ls does."""
FEWEST_ENTRIES = 100
"""Entries of a window at least: one per cent of fewer would be none."""
WARM_PASSES = 5
"""A warm window lists this many entries for each name of a storm,"""
WARM_ENTRIES = 2_000
"""and this many at least: one shorter than a timer's tick holds none of its work (bench.run.steady)."""
STEPS = 4
"""Names in the path of a flat directory."""


@dataclass(frozen=True)
class ListingPlan:
    """Which directories the windows list: so many each, ``windows`` times (warm: the same again)."""

    directories: int
    windows: int
    passes: int


def plan(context: Context) -> ListingPlan:
    """A few directories a window, none of them twice on a cold mount."""
    count = flat.spec(context.entries).leaf_count
    wanted = -(-max(context.names, FEWEST_ENTRIES) // context.entries)
    if context.cache is Cache.WARM:
        listed = max(WARM_PASSES * context.names, WARM_ENTRIES)
        passes = listed // (wanted * context.entries)
        return ListingPlan(min(wanted, count), 1, max(passes, 1))
    windows = min(context.windows, count)
    return ListingPlan(min(wanted, count // windows), windows, 1)


def order(variant: str) -> Order:
    """When entries are stat'ed."""
    return Order.AFTER if variant.isdigit() else Order.ALTERNATE


def share(variant: str) -> int:
    """How many per cent of the entries are stat'ed."""
    return 100 if variant == LS else int(variant.removeprefix(ALTERNATE))


def prepare(context: Context) -> Body:
    """One driver over all windows' directories, the chosen names laid out with them.

    The directories on the way are visited here. All windows share them: the first, the one that is
    counted, would else meet them for all that are timed.
    """
    chosen = plan(context)
    (context.root / flat.folder(context.entries) / "tree").stat()
    after = order(context.variant) is Order.AFTER
    listed = items(context, chosen)
    driver = Driver(
        "scan-stat-some" if after else "scan-ls" if context.variant == LS else "scan-stat-share",
        context.root,
        listed if after else [path for path, _ in listed],
        sync=context.sync.value,
        once=context.cache is not Cache.WARM,
        expected=context.entries,
        buffer=context.buffer,
        share=share(context.variant),
        seed=context.seed,
    )
    most = None if context.cache is Cache.WARM else chosen.windows
    return Listings(
        driver,
        chosen.directories * chosen.passes,
        context.entries,
        most,
        share(context.variant),
    )


def items(context: Context, chosen: ListingPlan) -> list[tuple[str, list[str]]]:
    """(directory, names to stat in it) for every window, one window after the other."""
    leaves = _layout.chance(context).sample(
        range(flat.spec(context.entries).leaf_count), chosen.windows * chosen.directories
    )
    found = []
    for window in range(chosen.windows):
        group = leaves[window * chosen.directories : (window + 1) * chosen.directories]
        picked: list[list[int]] = [[] for _ in group]
        total = len(group) * context.entries
        for number in spread(total, share(context.variant), context.seed + window):
            place, entry = divmod(number, context.entries)
            picked[place].append(entry)
        found += [_item(context.entries, *pair) for pair in zip(group, picked, strict=True)]
    return found


def _item(entries: int, leaf: int, picked: Sequence[int]) -> tuple[str, list[str]]:
    tree = flat.spec(entries)
    path = f"{flat.folder(entries)}/{tree.dir_path(tree.first_leaf + leaf)}"
    files = tree.file_paths(leaf * entries, entries) if picked else []
    return path, [files[entry].rpartition("/")[2] for entry in picked]


def spread(total: int, percentage: int, seed: int) -> list[int]:
    """A share of 0 to total - 1 in per cent, one by chance from each of as many equal stretches.

    At least one unless the percentage is 0. Every target of a round has the same seed.
    """
    chance = random.Random(seed)
    count = max(round(total * percentage / 100), 1 if percentage else 0)
    ends = [number * total // count for number in range(count + 1)] if count else []
    return [begin + int(chance.random() * (end - begin)) for begin, end in itertools.pairwise(ends)]


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Bounds that hold for every way of listing: which request brings what is the server's choice.

    Per listing a path of STEPS names is walked, per stat one name below an open directory.
    """
    each = 1 / context.entries
    bounds = {Opcode.OPENDIR: Bound(each, each)}
    if context.sync is not Sync.AS_STAT:
        return bounds
    total = plan(context).directories * context.entries
    stats = len(spread(total, share(context.variant), context.seed)) / total
    lookups, getattrs = STEPS * each + stats, (STEPS + 1) * each + 2 * stats
    if context.variant == LS:
        bounds[Opcode.GETXATTR] = asked_by_ls(context)
        # Each by its path, all steps of which are walked again.
        lookups += LS_ASKS * (STEPS + 1)
        getattrs += LS_ASKS * (STEPS + 2)
    if context.cache is Cache.WARM:
        return bounds | {
            Opcode.LOOKUP: _warm(context.entry_timeout, STEPS * each + stats, lookups),
            Opcode.GETATTR: _warm(context.attr_timeout, (STEPS + 1) * each, getattrs),
        }
    # A directory never seen is looked up; what a level attached at first contact is not asked again.
    # Attributes that a listing brought may be asked for all the same: in two of ninety trials on a
    # busy machine (Linux 6.18) 10 and 196 of 1 000 were, and never again when tried alone.
    asked_once = context.attr_timeout >= FOREVER_S
    return bounds | {
        Opcode.LOOKUP: Bound(each, lookups * _expect.REPEATED_PREFIX),
        Opcode.GETATTR: Bound(
            0, each + stats if asked_once else getattrs * _expect.REPEATED_PREFIX
        ),
    }


def asked_by_ls(context: Context) -> Bound:
    """Requests for extended attributes by entry: two where there could be any (one where access control
    lists are not asked for), else none, but for what it takes to learn that, once a mount or once a
    directory."""
    if XattrWay(context.xattr).has_any:
        asked = LS_ASKS if context.acls else LS_ASKS - 1
        return Bound(asked, asked)
    return Bound(0, (LS_ASKS + 1) / context.entries)


def _warm(timeout: float, least: float, most: float) -> Bound:
    """Requests about names and attributes that were all asked for before."""
    if timeout >= FOREVER_S:
        return Bound(0, 0)
    return Bound(0 if timeout else least, most * _expect.REPEATED_PREFIX)


WORKLOAD = Workload(
    name="list-stat",
    summary="list a directory and stat 0 to 100 per cent of its entries, on the way or after",
    op="one entry listed; so many per cent of them stat'ed",
    unit="entry",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR, Opcode.LOOKUP}),
    shape=Shape.SLICES,
    caches=(Cache.COLD_FUSE, Cache.WARM, Cache.COLD_ALL),
    variants=VARIANTS,
    expect=expect,
    timeouts=FOREVER,
    sized=True,
    order=order,
    group=Group.LISTINGS,
    usual=USUAL,
    about="listings, and LOOKUP of each entry stat'ed after READDIR; attach-getattr takes listings",
    axes=("sync",),
    in_python=("alternate-100",),
)
