"""Which CPUs are chosen on machines of every small shape, and what is recorded about sleep."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from bench.machine import placement
from bench.model import Placement

SAME, SPLIT, FREE = Placement.SAME, Placement.SPLIT, Placement.FREE
SMT4 = {0: {0, 2}, 1: {1, 3}, 2: {0, 2}, 3: {1, 3}}


@pytest.mark.parametrize(
    ("mode", "cpus", "threads", "siblings", "client", "daemon", "runner", "note"),
    [
        (SAME, (0, 1), 1, None, (1,), (1,), (0,), ""),
        (SAME, range(8), 1, None, (7,), (7,), tuple(range(7)), ""),
        (SAME, range(4), 2, None, (2, 3), (2, 3), (0, 1), ""),
        (SAME, (0, 1), 2, None, (0, 1), (0, 1), (0,), "runner shares"),
        (SAME, (0, 1), 4, None, (0, 1), (0, 1), (0,), "4 client threads on 2 CPUs"),
        (SPLIT, (0, 1), 1, None, (0,), (1,), (0,), "runner shares"),
        (SPLIT, (0, 1), 1, {0: {0, 1}, 1: {0, 1}}, (0,), (1,), (0,), "threads of one core"),
        (SPLIT, range(4), 1, SMT4, (2,), (3,), (0, 1), ""),
        (SPLIT, range(4), 2, SMT4, (0, 2), (3,), (1,), ""),
        (SPLIT, range(4), 3, SMT4, (0, 2), (3,), (1,), "3 client threads on 2 CPUs"),
        (SPLIT, (2, 5, 9), 1, None, (5,), (9,), (2,), ""),
        (FREE, range(4), 1, None, (), (), (), "bimodal"),
        (SAME, (3,), 1, None, (3,), (3,), (3,), "one CPU"),
        (SPLIT, (3,), 1, None, (3,), (3,), (3,), "split is not possible"),
    ],
)
def test_roles(
    mode: Placement,
    cpus: tuple[int, ...],
    threads: int,
    siblings: dict[int, set[int]] | None,
    client: tuple[int, ...],
    daemon: tuple[int, ...],
    runner: tuple[int, ...],
    note: str,
) -> None:
    """Client, daemon and runner, and a note where the machine does not allow what was asked."""
    plan = placement.choose(mode, cpus, threads, siblings)
    assert (plan.client, plan.daemon, plan.runner) == (client, daemon, runner)
    assert note in plan.note and bool(note) is bool(plan.note)


@pytest.mark.parametrize(
    ("cpus", "threads", "servers", "client", "daemon"),
    [
        (range(8), 2, 2, (4, 5), (6, 7)),
        (range(4), 2, 8, (0, 1), (2, 3)),
        ((0, 1), 2, 2, (0,), (1,)),
    ],
)
def test_split_gives_a_threaded_server_what_the_client_leaves(
    cpus: tuple[int, ...],
    threads: int,
    servers: int,
    client: tuple[int, ...],
    daemon: tuple[int, ...],
) -> None:
    """As many CPUs as it has threads, but never one that the client needs."""
    plan = placement.choose(SPLIT, cpus, threads, servers=servers)
    assert (plan.client, plan.daemon) == (client, daemon)


def test_one_cpu_makes_split_the_placement_same() -> None:
    """The plan says what is in force, not what was asked for."""
    assert placement.choose(SPLIT, (0,)).mode is SAME


@pytest.mark.parametrize(("cpus", "threads"), [((), 1), ((0, 1), 0)])
def test_impossible_requests_are_errors(cpus: tuple[int, ...], threads: int) -> None:
    """No CPU or no thread."""
    with pytest.raises(ValueError, match="cannot place"):
        placement.choose(SAME, cpus, threads)


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-3,8\n", (0, 1, 2, 3, 8)), ("5", (5,)), ("\n", ()), ("0,2-3", (0, 2, 3))]
)
def test_cpu_lists(text: str, cpus: tuple[int, ...]) -> None:
    """The kernel's list format."""
    assert placement.parse_cpu_list(text) == cpus


def test_pin_to_nothing_changes_nothing_and_a_pin_can_be_undone() -> None:
    """On the caller itself."""
    before = os.sched_getaffinity(0)
    placement.pin(0, ())
    assert os.sched_getaffinity(0) == before
    try:
        placement.pin(os.getpid(), {max(before)})
        assert os.sched_getaffinity(0) == {max(before)}
    finally:
        placement.pin(os.getpid(), before)
    assert os.sched_getaffinity(0) == before


def test_pinned_for_a_while_one_is_back_where_one_was() -> None:
    """Whatever happened meanwhile."""
    before = os.sched_getaffinity(0)
    with pytest.raises(KeyError), placement.pinned({max(before)}):
        assert os.sched_getaffinity(0) == {max(before)}
        raise KeyError
    assert os.sched_getaffinity(0) == before


def test_latency_request_is_a_32_bit_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four bytes; eight would be refused by the kernel."""
    device = tmp_path / "cpu_dma_latency"
    device.touch()
    monkeypatch.setattr(placement, "CPU_DMA_LATENCY", device)
    with placement.hold_cpu_dma_latency() as text:
        assert text == "held at 0 us"
        assert device.read_bytes() == struct.pack("=i", 0)


def test_latency_that_cannot_be_held_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No exception, a reason; also when the write fails, and the body's error passes through."""
    monkeypatch.setattr(placement, "CPU_DMA_LATENCY", tmp_path / "missing")
    with placement.hold_cpu_dma_latency() as text:
        assert text.startswith("not held: ") and "No such file" in text
    monkeypatch.setattr(placement, "CPU_DMA_LATENCY", Path("/dev/full"))
    with pytest.raises(OSError, match="mine"), placement.hold_cpu_dma_latency() as text:
        assert "No space" in text
        raise OSError("mine")
