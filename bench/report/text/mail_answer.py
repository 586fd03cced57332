"""The answer of a mail: break-even by level, for ls -l and for find and du, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence

from bench.axes.rowkey import RowKey
from bench.model import Level, Order, ReaddirMode
from bench.report import shortnames
from bench.report.studies.answer import OPPONENTS, Win, usual
from bench.report.units import listing, wrapped

HEADS = {Order.ALTERNATE: "ls -l", Order.AFTER: "find, du"}
SHORT = {ReaddirMode.READDIRPLUS: "forced", ReaddirMode.AUTO: "adaptive"}
LEVELS = frozenset(level.value for level in Level)
LEVEL, COLUMN = 16, 14


def lines(found: Sequence[Win]) -> list[str]:
    """A line for each level with the longest timeouts, a line for the others."""
    everywhere = usual(found)
    told = [one for one in everywhere if one.way.kernel == everywhere[0].way.kernel]
    first = told[0].study.key
    longest = [one for one in told if one.study.key.timeouts == first.timeouts]
    orders = [order for order in Order if any(one.study.order is order for one in longest)]
    timeouts = shortnames.timeouts(first.timeouts) if first.timeouts else "?"
    title = (
        "Is it a win over READDIRPLUS? Yes while the share of listed entries then stat'ed is "
        f"({first.cache}, {first.entries} entries):"
    )
    columns = [(order, mode) for order in orders for mode in OPPONENTS]
    made = wrapped(title)
    made += [_line("", [HEADS[order] for order, _ in columns])]
    made += [_line("  timeouts " + timeouts, [SHORT[mode] for _, mode in columns])]
    for name in dict.fromkeys(one.way.name for one in longest):
        everyone = [one for one in everywhere if _same(one, name, first)]
        cells = [_share(everyone, order, mode) for order, mode in columns]
        made += _two_lines(f"  {_level(name)}", cells)
    made += [*_others(told, longest), *_elsewhere(everywhere)]
    if missing := [HEADS[order] for order in Order if order not in orders]:
        made += wrapped(
            f"  {listing(missing)} was not measured in this run; matrix list-stat does.", 4
        )
    return made


def _level(name: str) -> str:
    """``attach-lookup`` of ``passthrough-c:attach-lookup@cheap``; of a kernel pair the kernel's name."""
    target, _, kernel = name.partition("@")
    server, _, level = target.partition(":")
    return level or (server if server in LEVELS else kernel or server)


def _same(win: Win, name: str, first: RowKey) -> bool:
    """Whether it is of this target, on whatever kernel, with the same timeouts."""
    bare = win.way.name.partition("@")[0] == name.partition("@")[0]
    return bare and win.study.key.timeouts == first.timeouts


def _elsewhere(everywhere: Sequence[Win]) -> list[str]:
    """That the run has other kernels, over which the shares are told."""
    kernels = list(dict.fromkeys(one.way.kernel for one in everywhere))
    if len(kernels) < 2:
        return []
    return wrapped(f"  least to most over kernels {listing(kernels)}", 4)


def _share(found: Sequence[Win], order: Order, mode: ReaddirMode) -> str:
    """``<45 %``, and over several kernels the least and the most: ``<39-47 %``, ``<22 %-always``."""
    against = [
        one.against[mode] for one in found if one.study.order is order and mode in one.against
    ]
    against.sort(key=lambda one: one.met.value)
    if not against:
        return "-"
    shares = list(dict.fromkeys(one.share for one in against))
    if len(shares) == 1:
        return shares[0]
    low, high = (share.partition(" [")[0] for share in (shares[0], shares[-1]))
    if low[0] == high[0] and low.endswith(" %") and high.endswith(" %"):
        return low if low == high else f"{low.removesuffix(' %')}-{high[1:]}"
    return f"{low}-{high}"


def _two_lines(name: str, cells: Sequence[str]) -> list[str]:
    """One line, or two where the name is long."""
    return [_line(name, cells)] if len(name) <= LEVEL else [name, _line("", cells)]


def _line(name: str, cells: Sequence[str]) -> str:
    told = "".join(f"{cell:>{COLUMN}}" for cell in cells)
    return f"{name:<{LEVEL}}{told}".rstrip()


def _others(told: Sequence[Win], longest: Sequence[Win]) -> list[str]:
    """What shorter timeouts change, in a line."""
    others = [one for one in told if one not in longest]
    if not others:
        return []
    at = {shortnames.timeouts(one.study.key.timeouts) for one in others if one.study.key.timeouts}
    shares = {against.share for one in others for against in one.against.values()}
    said = shares.pop() if len(shares) == 1 else "differs by level: --mail --all"
    return [f"  timeouts {listing(sorted(at))}: {said}"]
