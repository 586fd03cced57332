"""The sheet a chart is drawn on: size, colours, footer, and its way into PNG and SVG files.

Everything is placed by arithmetic. A layout engine would measure every text twice, and the
charts of a default run would take a minute instead of seconds.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from bench.model import UserError
from bench.report.charts.footing import drawn, footing
from bench.report.charts.inline import inline

INK, MUTED, GRID = "#1b1e23", "#5f6670", "#d9dce1"
COLOURS = ("#7a7a7a", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00")
"""The colours of Okabe and Ito, apart for every kind of colour vision, readable on white and near-black."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")
"""A second way to tell targets apart, for print and for eyes that see no colour: solid, then hollow."""
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", "#ffffff": "paper"}
"""What a page shows in colours of its own, which are others in the dark."""

TITLE_IN = 0.34
DPI = 160
COMPRESSION = 3
"""Compression of PNG files: on charts as small as the usual 6, in two thirds of the time."""

mpl.rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and recoloured
        "svg.hashsalt": "bench",  # the same run gives the same file
        "text.hinting": "none",  # at this resolution it shows nowhere, and takes a fifth of the time
        "hatch.linewidth": 0.6,
        "axes.edgecolor": MUTED,
        "axes.facecolor": "none",
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": INK,
    }
)


@dataclass
class Sheet:
    """A figure with a title on top and a footer below; panels fill the height in between."""

    title: str
    footer: Sequence[str]
    width_in: float
    body_in: float
    figure: Figure = field(default_factory=lambda: Figure(dpi=DPI, facecolor="white"))
    alt: str = ""
    """What the chart shows, for who cannot see it; its title where that says it."""

    def __post_init__(self) -> None:
        self.footing = footing(self.footer, self.width_in, MUTED)
        self.foot_in = self.footing.height_in
        self.height_in = TITLE_IN + self.body_in + self.foot_in
        self.figure.set_size_inches(self.width_in, self.height_in)
        self.figure.text(
            0.1 / self.width_in,
            1 - 0.12 / self.height_in,
            self.title.replace("$", r"\$"),  # which would start mathematics
            fontsize=min(9.5, self.width_in * 106 / len(self.title)),
            va="top",
            weight="bold",
            gid="title",
        )

    def panel(self, left: float, top: float, right: float, bottom: float) -> Axes:
        """Axes inside the body, by their margins in inches from the body's edges."""
        below = self.foot_in + bottom
        height = self.body_in - top - bottom
        axes = self.figure.add_axes(
            (
                left / self.width_in,
                below / self.height_in,
                (self.width_in - left - right) / self.width_in,
                height / self.height_in,
            )
        )
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.grid(axis="x", color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(axis="both", length=0, left=False, bottom=False, labelsize=8)
        return axes

    def legend(self, handles: Sequence[Artist]) -> None:
        """What the colours mean, below the title, in as many columns as fit."""
        columns, _ = legend_grid([str(handle.get_label()) for handle in handles], self.width_in)
        self.figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.06 / self.width_in, 1 - (TITLE_IN - 0.05) / self.height_in),
            ncols=columns,
            frameon=False,
            fontsize=8,
            borderpad=0.2,
            borderaxespad=0,
            labelspacing=0.35,
        )

    def save(self, stem: Path, formats: Sequence[str]) -> str:
        """Write the files that were asked for; returns the chart as SVG without its footer."""
        svg = self._svg() if {"svg", "html"} & set(formats) else ""
        try:
            if "svg" in formats:
                stem.with_name(f"{stem.name}.svg").write_text(svg, encoding="utf-8")
            if "png" in formats:
                self._picture().save(
                    stem.with_name(f"{stem.name}.png"), dpi=(DPI, DPI), compress_level=COMPRESSION
                )
        except OSError as error:
            raise UserError(f"{stem}: cannot be written: {error.strerror}") from None
        if "html" not in formats:
            return ""
        return inline(svg, self.alt or self.title, self.foot_in, VARIABLES)

    def _svg(self) -> str:
        """The chart as a stand-alone SVG file that names nothing on the network."""
        buffer = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        self.figure.savefig(buffer, format="svg", metadata=nothing)
        svg = re.sub(r"<!DOCTYPE.*?>\s*", "", buffer.getvalue(), flags=re.DOTALL)
        svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
        foot = self.footing.svg(TITLE_IN + self.body_in)
        return f"{svg.rstrip().removesuffix('</svg>')}{foot}</svg>\n"

    def _picture(self) -> Image.Image:
        """The chart as pixels, with its footer at the lower edge."""
        pixels = drawn(self.figure)
        if self.footing.lines:
            foot = self.footing.pixels(DPI)
            pixels[-len(foot) :] = foot
        return Image.fromarray(pixels)


def legend_grid(names: Sequence[str], width_in: float) -> tuple[int, float]:
    """Columns of a legend with these names, and the height in inches that it takes."""
    if not names:
        return 1, 0.0
    widest = 0.62 + 0.068 * max(len(name) for name in names)
    columns = min(max(int((width_in - 0.2) / widest), 1), len(names))
    return columns, 0.1 + 0.165 * math.ceil(len(names) / columns)
