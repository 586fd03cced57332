"""Which comparisons want more rounds: by the width of their intervals, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import make_run

from bench.commands import main
from bench.commands.parser import share as read_share
from bench.model import Exit, Level
from bench.plan import schedule
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings
from bench.report import precision
from bench.stats.frame import load


def wide(tmp_path: Path, half_width: float, **knobs: object) -> list[str]:
    """The comparisons that are too wide, in a fake run of one row without troubles."""
    return precision.wide(load(make_run(tmp_path, rows=1, troubles=False, **knobs)), half_width)


def test_narrow_intervals_want_nothing(tmp_path: Path) -> None:
    """A generous width is met at once."""
    assert wide(tmp_path, 0.9) == []


def test_wide_ones_are_named_as_the_plan_names_them(tmp_path: Path) -> None:
    """Without placement and target, so that a round can be made of them."""
    assert wide(tmp_path, 1e-6) == ["getattr-storm--path--warm--t1--to0-0"]


def test_too_few_rounds_are_not_precise(tmp_path: Path) -> None:
    """No interval is not a narrow one."""
    assert len(wide(tmp_path, 0.9, trials=2)) == 1


def test_identical_rounds_do_not_ask_for_ever(tmp_path: Path) -> None:
    """More of the same would bring no interval."""
    assert wide(tmp_path, 1e-6, constant=True, noise=0.0) == []


def test_a_further_round_is_a_function_of_the_seed() -> None:
    """Beyond the plan, and in the same way."""
    gives = KernelGives(Level.RW, "mainline")
    settings = Settings(seed=3, trials=2)
    inside = [one for one in schedule.make(settings, gives).trials if one.round == 1]
    assert schedule.one_round(settings, gives, 1) == inside
    assert {one.round for one in schedule.one_round(settings, gives, 7)} == {7}


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.5", 0.005)])
def test_a_percentage_may_have_its_sign(text: str, share: float) -> None:
    """Both ways are typed."""
    assert read_share(text) == share


@pytest.mark.parametrize("text", ["0", "100%", "-1", "two"])
def test_no_percentage_is_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2."""
    with pytest.raises(SystemExit) as stopped:
        main.main(["run", "--precision", text])
    assert stopped.value.code == Exit.USAGE
    assert "percentage" in capsys.readouterr().err
