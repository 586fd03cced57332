"""A flame graph as SVG: a box for every call path, as wide as its instructions, coloured by subsystem."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from bench.profile import subsystems
from bench.profile.store import Profile
from bench.profile.subsystems import Subsystem

WIDTH, ROW, MARGIN, HEAD = 1200, 17, 10, 46
NARROWEST = 0.4
"""Boxes narrower than this, in pixels, are left out: nobody could see or point at them."""
LETTER = 6.6
COLOURS = {
    Subsystem.WALK: "#8dd3c7",
    Subsystem.FUSE: "#fb8072",
    Subsystem.OVERLAY: "#fdb462",
    Subsystem.BACKING: "#b3de69",
    Subsystem.SCHEDULER: "#80b1d3",
    Subsystem.COPY: "#bebada",
    Subsystem.MEMORY: "#ccebc5",
    Subsystem.SECURITY: "#ffed6f",
    Subsystem.VFS: "#ffffb3",
    Subsystem.ENTRY: "#d9d9d9",
    Subsystem.INTERRUPT: "#bbbbbb",
    Subsystem.IDLE: "#eeeeee",
    Subsystem.OTHER: "#e0e0e0",
    Subsystem.CLIENT: "#a6cee3",
    Subsystem.SERVER: "#fccde5",
    Subsystem.PROCESS: "#f0d9c0",
}


@dataclass
class Box:
    """A frame on its stack: everything executed in it and in what it called."""

    name: str
    total: int = 0
    own: Subsystem = Subsystem.OTHER
    called: dict[str, Box] = field(default_factory=dict)

    def depth(self, least: float) -> int:
        """Boxes on the tallest stack from this one on, those of fewer instructions left out."""
        if self.total < least:
            return 0
        return 1 + max((box.depth(least) for box in self.called.values()), default=0)


def tree(profile: Profile) -> Box:
    """All stacks of a profile as one tree."""
    root = Box("all")
    for stack, count in profile.folded.items():
        root.total += count
        box = root
        for depth, name in enumerate(stack, 1):
            box = box.called.setdefault(name, Box(name))
            box.total += count
            if depth > 1:
                box.own = subsystems.of_stack(stack[:depth])
    return root


def svg(profile: Profile, title: str) -> str:
    """The whole picture; the same profile gives the same bytes."""
    root = tree(profile)
    least = NARROWEST * root.total / (WIDTH - 2 * MARGIN)
    height = HEAD + ROW * root.depth(least) + MARGIN
    boxes = "\n".join(_boxes(root, MARGIN, height - MARGIN - ROW, root.total, profile.ops))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="monospace" font-size="11" role="img">\n'
        f'<text x="{MARGIN}" y="16" font-size="13">{escape(title)}: '
        f"{profile.per_op:.0f} instructions per op</text>\n{_legend(profile)}\n{boxes}\n</svg>\n"
    )


def _legend(profile: Profile) -> str:
    present = profile.by_subsystem()
    at, parts = float(MARGIN), []
    for name in sorted(present, key=lambda name: -present[name])[:8]:
        parts.append(
            f'<rect x="{at:.1f}" y="24" width="10" height="10" fill="{COLOURS[Subsystem(name)]}"/>'
            f'<text x="{at + 13:.1f}" y="33">{escape(name)}</text>'
        )
        at += 13 + LETTER * len(name) + 14
    return "".join(parts)


def _boxes(box: Box, x: float, y: float, whole: int, ops: int) -> Iterator[str]:
    width = (WIDTH - 2 * MARGIN) * box.total / whole if whole else 0.0
    if width < NARROWEST:
        return
    share = box.total / whole
    tip = f"{box.name}: {box.total / ops:.1f} instructions per op, {100 * share:.1f} %"
    yield (
        f'<g><title>{escape(tip)}</title><rect x="{x:.1f}" y="{y:.0f}" width="{width:.2f}" '
        f'height="{ROW - 1}" fill="{_shade(box)}"/>{_label(box.name, x, y, width)}</g>'
    )
    for name in sorted(box.called):
        child = box.called[name]
        yield from _boxes(child, x, y - ROW, whole, ops)
        x += (WIDTH - 2 * MARGIN) * child.total / whole


def _label(name: str, x: float, y: float, width: float) -> str:
    room = int((width - 4) / LETTER)
    if room < 3:
        return ""
    text = name if len(name) <= room else name[: room - 1] + "…"
    return f'<text x="{x + 2:.1f}" y="{y + 12:.0f}">{escape(text)}</text>'


def _shade(box: Box) -> str:
    """The subsystem's colour, a little lighter or darker by name: neighbours can be told apart."""
    colour = COLOURS[box.own]
    step = 1 - hashlib.sha256(box.name.encode()).digest()[0] / 255 * 0.12
    return "#" + "".join(f"{round(int(colour[at : at + 2], 16) * step):02x}" for at in (1, 3, 5))
