"""Profiles and differences as lines of at most 79 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from bench.profile import subsystems
from bench.profile.difference import Difference, DifferenceLine
from bench.profile.requests import RequestProfile
from bench.profile.store import Profile

TOP = 20
COLUMNS = 79
_NAME, _HEAD = 38, 10


def profile_lines(profile: Profile, title: str, top: int = TOP) -> list[str]:
    """Where the instructions of one row on one target go."""
    owners = subsystems.by_function(profile.folded)
    lines = [title, f"{profile.per_op:.1f} instructions per op", ""]
    for heading, sums in (
        ("whose", profile.by_context()),
        ("subsystem", profile.by_subsystem()),
        ("function", profile.by_function()),
    ):
        lines.append(f"{heading:<{_NAME}} {'insn/op':>10} {'share':>7}")
        shown = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
        for name, value in shown[:top]:
            note = f"  {owners[name]}" if heading == "function" else ""
            share = 100 * value / profile.per_op
            lines.append(
                f"{_cut(name):<{_NAME}} {value:>10.1f} {share:>6.1f}%{note}".rstrip()[:COLUMNS]
            )
        lines += _rest(shown[top:], profile.per_op)
        lines.append("")
    return lines[:-1]


def request_lines(costs: Sequence[RequestProfile]) -> list[str]:
    """What each request of a row costs on either side, and in which subsystems most."""
    if not costs:
        return []
    lines = [
        f"{'request':<14} {'per op':>7} {'insn each':>10} {'client':>8} {'server':>8}  most of it"
    ]
    for cost in costs:
        sides = [sum(side.values()) for side in (cost.client, cost.server)]
        both = {
            part: cost.client.get(part, 0.0) + cost.server.get(part, 0.0)
            for part in cost.client.keys() | cost.server.keys()
        }
        most = sorted(both, key=lambda part: -both[part])[:1]
        told = "".join(f"{100 * both[part] / (cost.total or 1):.0f}% {part}" for part in most)
        lines.append(
            f"{cost.opcode:<14} {cost.per_op:>7.3f} {cost.total:>10.0f} {sides[0]:>8.0f} "
            f"{sides[1]:>8.0f}  {told}"[:COLUMNS]
        )
    return lines


def _rest(hidden: Sequence[tuple[str, float]], whole: float) -> Iterator[str]:
    if hidden:
        value = sum(value for _, value in hidden)
        yield f"{f'{len(hidden)} more':<{_NAME}} {value:>10.1f} {100 * value / whole:>6.1f}%"


def difference_lines(
    difference: Difference, old: str, new: str, title: str, top: int = TOP
) -> list[str]:
    """Which functions and subsystems account for the difference."""
    lines = [
        *textwrap.wrap(title, COLUMNS),
        *textwrap.wrap(
            f"{old}: {difference.old:.1f}, {new}: {difference.new:.1f} instructions per op, "
            f"{difference.change:+.1f}",
            COLUMNS,
            break_on_hyphens=False,
        ),
        "",
    ]
    for heading, rows in (
        ("subsystem", difference.subsystems),
        ("function", difference.functions),
    ):
        lines.append(
            f"{heading:<{_NAME}} {'insn/op':>10} {'share':>7} {_head(old):>10} {_head(new):>10}"
        )
        shown = [row for row in rows if abs(row.change) >= 0.05]
        lines += [_difference_line(row) for row in shown[:top]]
        if shown[top:]:
            change = sum(row.change for row in shown[top:])
            share = sum(row.share for row in shown[top:])
            lines.append(
                f"{f'{len(shown) - top} more':<{_NAME}} {change:>+10.1f} {100 * share:>6.1f}%"
            )
        lines.append("")
    return lines[:-1]


def _head(target: str) -> str:
    """A column's head: of a name too long for it the level, which is what differs."""
    return target if len(target) <= _HEAD else _cut(target.rpartition(":")[2], _HEAD)


def _difference_line(row: DifferenceLine) -> str:
    return (
        f"{_cut(row.name):<{_NAME}} {row.change:>+10.1f} {100 * row.share:>6.1f}% "
        f"{row.old:>10.1f} {row.new:>10.1f}"
    )


def named_first(difference: Difference, count: int = 3) -> str:
    """The functions that account for most of a difference, as part of a sentence."""
    return ", ".join(
        f"{line.change:+.0f} in {line.name}"
        for line in difference.functions[:count]
        if abs(line.change) >= 0.5
    )


def accounted_for(difference: Difference, count: int = 3) -> str:
    """As in: +519 in fuse_passthrough_getattr (FUSE), +12 in kfree (memory)."""
    return ", ".join(
        f"{line.change:+.0f} in {line.name} ({line.subsystem})"
        for line in difference.functions[:count]
        if abs(line.change) >= 0.5
    )


def _cut(name: str, room: int = _NAME) -> str:
    return name if len(name) <= room else name[: room - 1] + "~"
