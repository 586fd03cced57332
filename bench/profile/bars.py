"""One row as bars, target above target: as long as their instructions, coloured by subsystem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from bench.profile.flame import COLOURS, LETTER
from bench.profile.subsystems import Subsystem

WIDTH, BAR, GAP, MARGIN, HEAD = 1200, 18, 6, 10, 26
NAMES, FIGURES = 230, 70
"""Room left of the bars for the targets' names, and right of them for their sums."""
LEGEND_ROW = 16
NARROWEST = 0.4
"""Parts narrower than this, in pixels, are left out: nobody could see or point at them."""

Sums = Mapping[str, float]
"""Instructions per operation, by subsystem."""


def svg(by_target: Mapping[str, Sums], title: str) -> str:
    """The whole picture; the same figures give the same bytes."""
    shown = [part for part in Subsystem if any(sums.get(part) for sums in by_target.values())]
    legend = list(_legend(shown))
    top = HEAD + LEGEND_ROW * (1 + max(row for row, _ in legend))
    height = top + (BAR + GAP) * len(by_target) + MARGIN
    longest = max(sum(sums.values()) for sums in by_target.values())
    bars = "\n".join(
        part
        for number, (target, sums) in enumerate(by_target.items())
        for part in _bar(target, sums, shown, longest, top + (BAR + GAP) * number)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="monospace" font-size="11" role="img">\n'
        f'<text x="{MARGIN}" y="16" font-size="13">{escape(title)}: instructions per op</text>\n'
        f"{''.join(text for _, text in legend)}\n{bars}\n</svg>\n"
    )


def _legend(shown: Sequence[Subsystem]) -> Iterator[tuple[int, str]]:
    """The subsystems in the order of the bars, with the line that each is on."""
    at, row = float(MARGIN), 0
    for part in shown:
        width = 13 + LETTER * len(part) + 14
        if at + width > WIDTH:
            at, row = float(MARGIN), row + 1
        y = HEAD + LEGEND_ROW * row
        yield (
            row,
            f'<rect x="{at:.1f}" y="{y}" width="10" height="10" fill="{COLOURS[part]}"/>'
            f'<text x="{at + 13:.1f}" y="{y + 9}">{escape(part)}</text>',
        )
        at += width


def _bar(
    target: str, sums: Sums, shown: Sequence[Subsystem], longest: float, y: float
) -> Iterator[str]:
    room, x = WIDTH - NAMES - FIGURES - MARGIN, float(NAMES)
    whole = sum(sums.values())
    yield f'<text x="{NAMES - 6}" y="{y + 13:.0f}" text-anchor="end">{escape(target)}</text>'
    for part in shown:
        width = room * sums.get(part, 0.0) / longest if longest else 0.0
        if width >= NARROWEST:
            share = 100 * sums[part] / whole
            tip = f"{part} on {target}: {sums[part]:.0f} instructions per op, {share:.1f} %"
            yield (
                f'<g><title>{escape(tip)}</title><rect x="{x:.1f}" y="{y:.0f}" '
                f'width="{width:.2f}" height="{BAR}" fill="{COLOURS[part]}"/></g>'
            )
        x += width
    yield f'<text x="{x + 6:.1f}" y="{y + 13:.0f}">{whole:.0f}</text>'
