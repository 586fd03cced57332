"""Windows on the instruction clock begin alike, so that two boots of a kernel count alike."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from bench import model, registry
from bench.plan.settings import COUNTED_VALUES, GUEST, guest
from bench.run import steady
from bench.run.steady import ALIGN_NS, BETWEEN_TICKS_NS, SPIN_NS, align, same_loops, used_up
from workloads._native import opdriver

MS = 1_000_000


class Clock:
    """Time that passes while somebody sleeps, and a millisecond whenever somebody looks."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.slept_ns: list[int] = []

    def monotonic_ns(self) -> int:
        """What time it is; looking takes a millisecond."""
        self.now_ns += MS
        return self.now_ns - MS

    def spin_until(self, ns: int) -> None:
        """Time passes."""
        self.now_ns = max(self.now_ns, ns)

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.slept_ns.append(round(seconds * 1e9))
        self.now_ns += self.slept_ns[-1]


@pytest.mark.parametrize("phase_ms", [0, 1, 50, 99])
def test_a_window_begins_half_a_tick_past_a_tick(
    phase_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an idle time and a busy one, whenever the one before ended."""
    clock = Clock(7 * ALIGN_NS + phase_ms * MS)
    monkeypatch.setattr("time.monotonic_ns", clock.monotonic_ns)
    monkeypatch.setattr("time.sleep", clock.sleep)
    monkeypatch.setattr(steady, "spin_until", clock.spin_until)
    align()
    assert len(clock.slept_ns) == 1
    assert clock.slept_ns[0] >= ALIGN_NS - SPIN_NS - 2 * MS
    past_ns = clock.now_ns - 9 * ALIGN_NS
    assert past_ns == BETWEEN_TICKS_NS


def test_spinning_ends_when_it_shall() -> None:
    """Not before; at once where that is past; and not for what is no time."""
    for wanted_ns in (0, 1, 100, 10_000, MS):
        end = time.monotonic_ns() + wanted_ns
        opdriver.spin_until(end)
        assert time.monotonic_ns() >= end
    opdriver.spin_until(0)
    with pytest.raises(OverflowError):
        opdriver.spin_until(-1)


@pytest.mark.parametrize("hz", [100, 250, 300, 1000])
def test_the_grid_is_one_of_whole_ticks(hz: int) -> None:
    """At any CONFIG_HZ; the busy time is two ticks, and a window begins within the first."""
    second = 1_000_000_000
    assert ALIGN_NS * hz % second == 0
    assert SPIN_NS * hz >= 2 * second
    assert BETWEEN_TICKS_NS * hz < second


@pytest.mark.parametrize(("one", "other", "same"), [(110, 112, 128), (17, 18, 16), (1, 1, 1)])
def test_boots_that_time_a_loop_a_little_apart_do_the_same(one: int, other: int, same: int) -> None:
    """The grid is so coarse that a percent does not matter."""
    assert same_loops(one) == same_loops(other) == same


def test_loops_come_from_a_coarse_grid() -> None:
    """Powers of two, within a factor of 1.5 of what fills the window."""
    for loops in range(1, 2000):
        made = same_loops(loops)
        assert made & (made - 1) == 0
        assert 2 / 3 <= made / loops <= 3 / 2


def test_more_windows_are_counted_than_timed_in_a_guest() -> None:
    """Nothing else differs, and in wall time nothing at all."""
    wall, counted = guest(model.Clock.WALL.value), guest(model.Clock.INSTRUCTIONS.value)
    assert wall == GUEST
    assert counted == {**wall, "values": COUNTED_VALUES}
    assert counted["values"] > wall["values"]


@pytest.mark.parametrize(
    ("name", "clock", "cache", "expected"),
    [
        ("walk-du", model.Clock.INSTRUCTIONS, model.Cache.WARM, False),
        ("walk-du", model.Clock.INSTRUCTIONS, model.Cache.COLD_FUSE, True),
        ("walk-du", model.Clock.WALL, model.Cache.WARM, True),
        ("lookup-negative", model.Clock.WALL, model.Cache.WARM, False),
    ],
)
def test_a_warm_walk_is_walked_again_on_the_instruction_clock(
    name: str, clock: model.Clock, cache: model.Cache, expected: bool
) -> None:
    """One window has no median; a cold mount is used up all the same."""
    job: Any = SimpleNamespace(clock=clock, context=SimpleNamespace(cache=cache))
    assert used_up(job, registry.workloads()[name]) is expected


@pytest.mark.parametrize(
    ("name", "clock", "cache", "each", "expected"),
    [
        ("list-stat", model.Clock.INSTRUCTIONS, model.Cache.WARM, 1e6, 12),
        ("list-stat", model.Clock.INSTRUCTIONS, model.Cache.WARM, 5e6, 5),
        ("list-stat", model.Clock.INSTRUCTIONS, model.Cache.WARM, 50e6, 2),
        ("list-stat", model.Clock.INSTRUCTIONS, model.Cache.COLD_FUSE, 1e6, 0),
        ("getattr-storm", model.Clock.INSTRUCTIONS, model.Cache.WARM, 1e6, 1),
        ("list-stat", model.Clock.WALL, model.Cache.WARM, 1e6, 0),
    ],
)
def test_windows_ahead_of_the_values(
    name: str, clock: model.Clock, cache: model.Cache, each: float, expected: int
) -> None:
    """Short ones take many to settle; a cold slice is had once; wall time settles as it calibrates."""
    job: Any = SimpleNamespace(clock=clock, context=SimpleNamespace(cache=cache))
    done: list[float] = []

    def window() -> float:
        done.append(each)
        return each

    steady.settle(job, registry.workloads()[name], window)
    assert len(done) == expected
