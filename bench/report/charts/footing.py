"""The small print under a chart: text in an SVG, and pixels drawn once for all charts that share it.

A chart's footer has more letters than the chart. Matplotlib measures and draws them one by one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height x width x (red, green, blue)."""

LINE_IN, PAD_IN, LEFT_IN = 0.115, 0.1, 0.1
BASELINE_IN = 0.0654
"""From the top of a line to the foot of its letters."""
SIZE_PT = 6.2
LETTER_IN = 0.0475
"""Width of a letter, as lines of small print have it on average."""


@dataclass(frozen=True)
class Footing:
    """Lines of small print that fit under a chart of a width."""

    lines: tuple[str, ...]
    width_in: float
    colour: str

    @property
    def height_in(self) -> float:
        """What the lines take, with some room above them; nothing for none."""
        return LINE_IN * len(self.lines) + PAD_IN if self.lines else 0.0

    def svg(self, below_in: float) -> str:
        """The lines as a group of texts, which begins so many inches below the top of the chart."""
        style = f"font: {SIZE_PT}px 'DejaVu Sans'; fill: {self.colour}"
        texts = [
            f'<text x="{72 * LEFT_IN:.6g}" y="{72 * (below_in + at):.6g}" style="{style}">'
            f"{escape(line)}</text>\n"
            for at, line in self._placed(BASELINE_IN)
        ]
        return f'<g id="footer">\n{"".join(texts)}</g>\n'

    def pixels(self, dpi: int) -> Pixels:
        """The lines on white, over the whole width of the chart."""
        return _pixels(self, dpi)

    def draw(self, figure: Figure) -> None:
        """The lines on a figure as high as they are."""
        for at, line in self._placed(0.0):
            figure.text(
                LEFT_IN / self.width_in,
                1 - at / self.height_in,
                line.replace("$", r"\$"),  # which would start mathematics
                fontsize=SIZE_PT,
                va="top",
                color=self.colour,
            )

    def _placed(self, within_in: float) -> list[tuple[float, str]]:
        return [
            (PAD_IN + LINE_IN * number + within_in, line) for number, line in enumerate(self.lines)
        ]


def footing(texts: Sequence[str], width_in: float, colour: str) -> Footing:
    """Texts broken into lines of the width."""
    letters = round(width_in / LETTER_IN)
    lines = [line for text in texts for line in textwrap.wrap(text, letters)]
    return Footing(tuple(lines), width_in, colour)


@lru_cache(maxsize=64)
def _pixels(footing: Footing, dpi: int) -> Pixels:
    figure = Figure((footing.width_in, footing.height_in), dpi=dpi, facecolor="white")
    footing.draw(figure)
    return drawn(figure)


def drawn(figure: Figure) -> Pixels:
    """A figure as pixels of its own resolution."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba(), dtype=np.uint8)[..., :3]
