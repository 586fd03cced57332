"""How a target looks in every chart of every run: its colour belongs to it, not to its place.

A server has a colour, its levels are shades of it, its ways of listing are told by marker and dashes.
The colours are apart for every kind of colour vision, and readable on white and near-black.
"""

from __future__ import annotations

import zlib
from typing import Any, Literal, NamedTuple

from bench.model import Level

FAMILIES = {
    "native": ("#7a7a7a", "o"),
    "bind": ("#a6761d", "X"),
    "overlayfs": ("#d55e00", "s"),
    "overlayfs-rw": ("#f09060", "s"),
    "plain-c": ("#0072b2", "D"),
    "passthrough-c": ("#008a63", "^"),
    "plain": ("#8a6d00", "d"),
    "passthrough": ("#cc79a7", "v"),
}
"""Colour and marker of what comes with the suite."""
SHADES = {
    "passthrough-c": {
        Level.RW: ("#7fd1b9", "<"),
        Level.ATTACH_GETATTR: ("#2fb08c", "^"),
        Level.ATTACH_LOOKUP: ("#008a63", "P"),
        Level.LOOKUP: ("#006f50", "*"),
    },
    "passthrough": {
        Level.RW: ("#e6b3d0", ">"),
        Level.ATTACH_GETATTR: ("#d98fbb", "v"),
        Level.ATTACH_LOOKUP: ("#c2629a", "X"),
        Level.LOOKUP: ("#9c3f77", "h"),
    },
}
"""Levels in shades of their server: the more is passed through, the darker."""
LISTINGS = {"readdir": ("#8fb8d9", "p"), "auto": ("#56a8dc", "H")}
"""A plain server's ways of listing, in shades of plain-c's blue."""
STRANGERS = ("#6a51a3", "#b8860b", "#c51b7d", "#4d6b00", "#8c510a")
MARKERS = ("p", "h", "8", ">", "<", "H")


class Look(NamedTuple):
    """Colour, marker, whether that is hollow, and the dashes of a curve."""

    colour: str
    marker: str
    hollow: bool
    dashes: Literal["-", "-."]

    @property
    def point(self) -> dict[str, Any]:
        """The marker, as words for Axes.plot."""
        face = "white" if self.hollow else self.colour
        return {"color": self.colour, "marker": self.marker, "markerfacecolor": face}


def look(target: str, *, engaged: bool = True) -> Look:
    """The look of a target by its name; hollow where it passed nothing through that it was asked to."""
    name, _, kernel = target.partition("@")
    server, *words = name.split(":")
    colour, marker = FAMILIES.get(server) or _stranger(server)
    for word in words:
        if shade := SHADES.get(server, {}).get(word):  # type: ignore[call-overload]
            colour, marker = shade
        elif word in LISTINGS and server == "plain-c":
            colour, marker = LISTINGS[word]
    other = bool(kernel and zlib.crc32(kernel.encode()) % 2) or "no-readdir" in words
    return Look(colour, marker, not engaged, "-." if other else "-")


def _stranger(server: str) -> tuple[str, str]:
    """A look that its name decides alone."""
    number = zlib.crc32(server.encode())
    return STRANGERS[number % len(STRANGERS)], MARKERS[number // 7 % len(MARKERS)]
