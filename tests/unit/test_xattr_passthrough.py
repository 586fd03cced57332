"""Extended attributes passed through: what is planned, claimed and found, and where it is left out."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from test_probe import SERIES

from bench import registry
from bench.model import Cache, DaemonOptions, Level, Opcode, Serving, XattrWay
from bench.plan import grid, schedule
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings
from bench.probe.decide import KernelAbility, decide
from bench.probe.words import human
from daemons._claims import claims

XATTRS = {Opcode.GETXATTR, Opcode.LISTXATTR, Opcode.SETXATTR, Opcode.REMOVEXATTR}
PASSED = Serving(xattr=XattrWay.PASSTHROUGH)


def planned(gives: KernelGives, level: str = "attach-lookup") -> schedule.Plan:
    """Both servers in C, with the usual way and passed through."""
    axes = {
        "levels": (Level(level),),
        "xattrs": (XattrWay.ANSWER, XattrWay.PASSTHROUGH),
    }
    settings = Settings(
        daemons=("plain-c", "passthrough-c"),
        only=True,
        workloads=("xattr-get",),
        trials=1,
        axes=axes,
    )
    return schedule.make(settings, gives)


def test_who_passes_nothing_through_is_the_baseline_as_it_is() -> None:
    """One plain-c, two of passthrough-c; the latter is told on its command line."""
    plan = planned(KernelGives(Level.LOOKUP))
    names = [target.name for target in plan.targets]
    assert sorted(names) == ["passthrough-c", "passthrough-c:xattr-passthrough", "plain-c"]
    series = next(one.series for one in plan.trials if one.series.target.endswith("passthrough"))
    argv = registry.daemon("passthrough-c").argv
    assert argv is not None
    command = argv(Path("/b"), Path("/m"), schedule.options(series))
    assert command[command.index("--xattr") + 1] == "passthrough"


@pytest.mark.parametrize(
    ("gives", "level", "why"),
    [
        (KernelGives(Level.LOOKUP, xattrs=False), "attach-lookup", grid.NO_XATTRS),
        (
            KernelGives(Level.LOOKUP),
            "rw",
            "level rw attaches nothing: not with --xattr passthrough",
        ),
    ],
)
def test_what_cannot_be_had_is_left_out_with_the_reason(
    gives: KernelGives, level: str, why: str
) -> None:
    """What is left is measured."""
    plan = planned(gives, level)
    assert {target.name for target in plan.targets} == {"passthrough-c", "plain-c"}
    assert why in {one.reason for one in plan.skipped}


@pytest.mark.parametrize(
    ("level", "readdir", "serving", "claimed"),
    [
        (Level.ATTACH_LOOKUP, True, PASSED, True),
        (Level.LOOKUP, True, PASSED, True),
        (
            Level.ATTACH_GETATTR,
            True,
            PASSED,
            False,
        ),  # what nobody asked attributes of is not attached
        (Level.ATTACH_LOOKUP, False, PASSED, False),  # nor is what READDIRPLUS brought
        (Level.ATTACH_LOOKUP, True, Serving(), False),
    ],
)
def test_what_is_claimed(level: Level, readdir: bool, serving: Serving, claimed: bool) -> None:
    """All four, as soon as every inode is attached before it can be asked about, whatever is cached."""
    for cache in Cache:
        found = claims(DaemonOptions(level=level, readdir=readdir, serving=serving), cache)
        assert found & XATTRS == (XATTRS if claimed else set())


def test_the_probe_says_it_where_it_was_seen() -> None:
    """The bits alone prove nothing; a kernel that does not know them is not told of."""
    unknown = decide(replace(SERIES, xattr_mask=errno.EINVAL))
    assert not unknown.xattrs and unknown == decide(SERIES)
    taken = decide(replace(SERIES, xattr_mask=0, xattr_stays=False))
    assert not taken.xattrs and "still sent requests" in " ".join(taken.reasons)
    seen = decide(replace(SERIES, xattr_mask=0, xattr_stays=True))
    assert seen.xattrs and seen.level is Level.ATTACH_LOOKUP
    ability = KernelAbility(seen.level, seen.readdir, seen.reasons, xattrs=seen.xattrs)
    assert ability.as_json()["xattrs"] is True
    assert "xattrs" in human(ability) and max(map(len, human(ability).splitlines())) < 80


def test_a_way_says_whether_a_client_gets_any() -> None:
    """Workloads expect by it."""
    assert [way.value for way in XattrWay if way.has_any] == ["answer", "passthrough"]
