"""A chart's SVG as a page carries it by the hundred: short, and what charts share told once.

Matplotlib writes every style in full at every mark, six decimals, and a group around each: the page of
a matrix took 20 MB, nine tenths of it that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
KEPT = ("x", "y", "width", "height", "fill", "patternUnits", "transform")
"""Attributes that are neither path, style nor name. Clips are none of them: axes hold what is in them."""
NOT_DRAWN = ("metadata", "style", "clipPath")
FOOTER, BACKGROUND = "footer", "patch_1"
STRAIGHT = "rotate(-0 "
MOVED = re.compile(r"translate\((\S+) (\S+)\)")
"""The place of one line in a text of several lines."""
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
NAME = re.compile(r'(?<=[#"])[a-zA-Z][0-9a-f]{10}(?=["\)])')
"""An id that matplotlib made of what it names: in two charts the same for the same."""
STYLE = re.compile(r' style="([^"]*)"')
DEFINITIONS = re.compile(r"<defs>.*?</defs>")
DEFINED = re.compile(r'(<(path|pattern) id="([^"]+)"(?:[^>]*/>|.*?</\2>))')


def inline(svg: str, label: str, foot_in: float, colours: Mapping[str, str]) -> str:
    """An SVG file as part of a page: no prolog, no footer, ``colours`` as variables of the page."""
    root = ElementTree.fromstring(svg)
    width, height = (float(text) for text in root.attrib["viewBox"].split()[2:])
    body = "".join(_written(child) for child in root)
    for colour, variable in colours.items():
        body = body.replace(colour, f"var(--{variable})")
    box = f"0 0 {width:g} {height - 72 * foot_in:g}"
    return f'<svg role="img" aria-label={quoteattr(label)} viewBox="{box}">{body}</svg>'


def _written(node: ElementTree.Element, *, defined: bool = False) -> str:
    tag = node.tag.removeprefix(NAMESPACE)
    # The page has one white sheet for all: the figure's own background would glare in the dark.
    if tag in NOT_DRAWN or node.get("id") in (FOOTER, BACKGROUND) or _invisible(node):
        return ""
    inside = "".join(_written(child, defined=defined or tag == "defs") for child in node)
    attributes = "".join(_attributes(node, defined))
    text = escape((node.text or "").strip())
    if tag in ("g", "defs") and not (inside and (attributes or tag == "defs")):
        return inside
    content = inside or text
    return f"<{tag}{attributes}>{content}</{tag}>" if content else f"<{tag}{attributes}/>"


def _invisible(node: ElementTree.Element) -> bool:
    return node.get("style") == "fill: none"


def _attributes(node: ElementTree.Element, defined: bool) -> Iterator[str]:
    if defined and (name := node.get("id")):
        yield f' id="{name}"'
    if href := node.get(HREF):
        yield f' href="{href}"'
    if style := _style(node.get("style", "")):
        yield f' style="{style}"'
    if path := node.get("d"):
        yield f' d="{_path(path, 2 if defined else 1)}"'
    for key in KEPT:
        value = node.get(key, STRAIGHT)
        if moved := MOVED.fullmatch(value):
            yield ' x="{}" y="{}"'.format(*(_rounded(number, 1) for number in moved.groups()))
        elif not value.startswith(STRAIGHT):
            yield f' {key}="{_rounded(value, 1)}"'


@lru_cache
def _style(text: str) -> str:
    """Without what the page says once for all charts, and without what is so by default."""
    parts = [part.strip() for part in text.split(";")]
    left = [
        part for part in parts if part and not part.startswith(("font-family", "stroke-linejoin"))
    ]
    return ";".join(part.replace(": ", ":").replace("'", "") for part in left)


def _path(text: str, digits: int) -> str:
    return re.sub(r" ?([A-Za-z]) ?", r"\1", _rounded(" ".join(text.split()), digits))


def _rounded(text: str, digits: int) -> str:
    return NUMBER.sub(lambda found: f"{round(float(found[0]), digits):g}", text)


@dataclass(frozen=True)
class SharedShapes:
    """The charts of one page, and what they have in common: a style sheet and definitions."""

    charts: Mapping[str, str]
    style: str
    definitions: str


def share(charts: Mapping[str, str]) -> SharedShapes:
    """Every style of inlined charts as a class, every marker and hatch once; the names are short."""
    together = "".join(charts.values())
    styles = Counter(STYLE.findall(together)).most_common()
    classes = {style: f"c{number}" for number, (style, _) in enumerate(styles)}
    found = {name: text for text, _, name in DEFINED.findall(together)}
    names = {name: f"m{number}" for number, name in enumerate(found)}

    def named(text: str) -> str:
        return NAME.sub(lambda name: names.get(name[0], name[0]), text)

    def short(text: str) -> str:
        return named(STYLE.sub(lambda style: f' class="{classes[style[1]]}"', text))

    return SharedShapes(
        {key: short(DEFINITIONS.sub("", svg)) for key, svg in charts.items()},
        named("\n".join(f".{name}{{{style}}}" for style, name in classes.items())),
        short("".join(found.values())),
    )
