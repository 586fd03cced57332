"""Colour belongs to the target: no level shares another's, and none the native file system's grey."""

from __future__ import annotations

import itertools

import pytest

from bench import registry
from bench.report.charts.looks import FAMILIES, look

LEVELS = ("rw", "attach-getattr", "attach-lookup", "lookup")
USUAL = (
    "native", "overlayfs", "plain-c", "plain-c:readdir", "plain-c:auto", "plain", "passthrough",
    *(f"{server}:{level}" for server in ("passthrough-c", "passthrough") for level in LEVELS),
)  # fmt: skip


def test_no_two_targets_of_a_run_look_alike() -> None:
    """In colour, and nowhere in marker and colour together."""
    looks = {name: look(name) for name in USUAL}
    pairs = itertools.combinations(looks.values(), 2)
    assert all((one.colour, one.marker) != (other.colour, other.marker) for one, other in pairs)
    colours = [shown.colour for shown in looks.values()]
    assert len(set(colours)) == len(colours)
    assert colours.count("#7a7a7a") == 1


@pytest.mark.parametrize("server", ["passthrough-c", "passthrough"])
def test_levels_are_shades_of_one_colour(server: str) -> None:
    """The more is passed through, the darker."""
    shades = [look(f"{server}:{level}").colour for level in LEVELS]
    lights = [sum(int(shade[at : at + 2], 16) for at in (1, 3, 5)) for shade in shades]
    assert lights == sorted(lights, reverse=True)


def test_a_look_is_the_same_in_every_run() -> None:
    """Whatever stands beside it, on whichever kernel; a stranger's, too."""
    assert look("overlayfs") == look("overlayfs")
    assert look("plain-c@base").colour == look("plain-c").colour
    assert look("theirs").colour == look("theirs:rw").colour


def test_what_did_not_engage_is_hollow() -> None:
    """A point that claims nothing looks like none that does."""
    assert look("passthrough-c", engaged=False).point["markerfacecolor"] == "white"
    assert look("passthrough-c").point["markerfacecolor"] == look("passthrough-c").colour


def test_our_servers_have_colours_of_their_own() -> None:
    """Every daemon without a preset's stranger look that comes with the suite."""
    ours = {
        name for name in registry.TARGET_ORDER if name in registry.daemons() or name == "native"
    }
    assert ours <= FAMILIES.keys()
