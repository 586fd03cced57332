"""An open loop: as a window of its own in the worker, and as a text of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.axes import delay
from bench.model import UserError
from bench.report.text import open_loop
from bench.run.worker import COUNT_OPS, paced_pass
from bench.stats.frame import load
from tests.unit.additive import PLAIN, Cell, write
from workloads._bodies import Driven, PlainBody
from workloads._native.opdriver import Driver


def test_the_pass_says_what_was_asked_for_and_kept(tmp_path: Path) -> None:
    """A few hundred operations at least, all of them in the histogram."""
    names = [f"f{number}" for number in range(10)]
    for name in names:
        (tmp_path / name).touch()
    body = Driven(Driver("statx-at", tmp_path, names), 10)
    found = paced_pass(body, 1, 20_000.0)
    body.close()
    assert found is not None
    assert found["asked"] == 20_000
    assert 0 < found["kept"] <= 20_000 * 1.01
    assert sum(found["histogram"].values()) == -(-COUNT_OPS // 10) * 10


class Once(PlainBody):
    """A body without single operations."""

    ops_per_loop = 1


def test_a_body_that_cannot_has_none() -> None:
    """A walk or a program is not begun when it is due."""
    assert paced_pass(Once(), 1, 10.0) is None  # type: ignore[arg-type]


def test_a_report_has_its_percentiles(tmp_path: Path) -> None:
    """Only where a rate was asked for; lines that fit a mail."""
    path = write(tmp_path, [Cell(PLAIN, "getattr-storm", 1e-6, variant="fd")], rounds=1)
    assert open_loop.lines(load(path)) == []
    trials = path / "trials.jsonl"
    loop = '"open_loop": {"asked": 1000.0, "kept": 999.5, "histogram": {"2000": 99, "90000": 1}}'
    text = trials.read_text()
    assert '"histogram"' not in text or '"open_loop"' not in text
    trials.write_text(text.replace("{", f"{{{loop}, ", 1))
    said = "\n".join(open_loop.lines(load(path)))
    assert "1,000 a second asked for, 1,000 kept" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 72
    flat = " ".join(said.split())
    assert "p50 2.00 us" in flat and "slowest 90.0 us" in flat


def test_several_opcodes_are_held_back_together() -> None:
    """A slow backing can be played by several delays; opcodes held back alike have one name."""
    found = delay.parse("LOOKUP=1ms+GETATTR=1ms+READDIR=2us")
    assert [(opcode.name, ns) for opcode, ns in found] == [
        ("LOOKUP", 1_000_000), ("GETATTR", 1_000_000), ("READDIR", 2_000)
    ]  # fmt: skip
    assert delay.words(found) == ["delay-lookup-getattr-1000us", "delay-readdir-2us"]
    for wrong in ("LOOKUP=1ms+LOOKUP=2ms", "LOOKUP=1ms+", "LOOKUP=1ms,GETATTR=1ms"):
        with pytest.raises(UserError, match="--delay"):
            delay.parse(wrong)
