"""Charts as a page carries them: short, nothing lost that is seen, what they share told once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.report.charts.figures import INK, Sheet
from bench.report.charts.inline import inline, share

SVG = """<?xml version="1.0"?>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 200 144"
 xmlns="http://www.w3.org/2000/svg"><metadata>x</metadata>
<defs><style type="text/css">*{stroke-linecap: butt}</style></defs>
<g id="figure_1"><g id="patch_1"><path d="M 0 0" style="fill: #ffffff"/></g>
<g id="axes_1"><path d="M 54 277.92
L 486.123456 277.92
z
" clip-path="url(#p1c12aa0380)" style="fill: #1b1e23; stroke: #0072b2"/>
<defs><path id="m0123456789" d="M 0 2.123456 L 1 0" style="stroke: #0072b2"/></defs>
<g clip-path="url(#p1c12aa0380)"><use xlink:href="#m0123456789" x="1.26" y="2"
 style="stroke: #0072b2"/></g>
<text style="font-size: 8px; font-family: 'DejaVu Sans'" x="60.291262" y="287.49"
 transform="rotate(-0 60.291262 287.498125)">a &lt; b</text></g></g>
<g id="footer"><text>foot</text></g>
<defs><clipPath id="p1c12aa0380"><rect x="1" y="1" width="1" height="1"/></clipPath></defs></svg>"""
COLOURS = {INK: "ink", "#ffffff": "paper"}


def test_what_is_seen_stays_and_nothing_else() -> None:
    """Path, marker, text and their styles; no group, clip, sheet, footer or sixth decimal."""
    assert inline(SVG, 'title "x"', 1.0, COLOURS) == (
        """<svg role="img" aria-label='title "x"' viewBox="0 0 200 72">"""
        '<path style="fill:var(--ink);stroke:#0072b2" d="M54 277.9L486.1 277.9z"/>'
        '<defs><path id="m0123456789" style="stroke:#0072b2" d="M0 2.12L1 0"/></defs>'
        '<use href="#m0123456789" style="stroke:#0072b2" x="1.3" y="2"/>'
        '<text style="font-size:8px" x="60.3" y="287.5">a &lt; b</text></svg>'
    )


def test_styles_and_definitions_are_told_once() -> None:
    """Two charts with the same marker: one definition, one class for each style."""
    one = inline(SVG, "one", 0.0, COLOURS)
    shared = share({"one": one, "other": one.replace("one", "other")})
    assert shared.definitions == '<path id="m0" class="c0" d="M0 2.12L1 0"/>'
    assert sorted(shared.style.splitlines()) == sorted([
        ".c0{stroke:#0072b2}", ".c1{fill:var(--ink);stroke:#0072b2}", ".c2{font-size:8px}",
    ])  # fmt: skip
    assert not re.search("style=|<defs>", "".join(shared.charts.values()))
    assert '<use href="#m0" class="c0" x="1.3" y="2"/>' in shared.charts["other"]


@pytest.mark.parametrize("hatch", ["////", "xxxx"])
def test_a_hatch_keeps_its_colours(tmp_path: Path, hatch: str) -> None:
    """A bar of a chart as matplotlib draws it: the pattern's ground and lines are both there."""
    sheet = Sheet("bars", (), 3.0, 1.0)
    sheet.panel(0.1, 0.1, 0.1, 0.1).barh(0, 1, facecolor="#009e73", hatch=hatch, edgecolor="white")
    shared = share({"bars": sheet.save(tmp_path / "bars", ("html",))})
    [pattern] = re.findall(r"<pattern.*?</pattern>", shared.definitions)
    assert 'fill="#009e73"' in pattern and "<path" in pattern
    assert "fill:url(#m0)" in shared.style
    assert len(shared.definitions) < 2000
