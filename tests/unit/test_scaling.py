"""Scaling over threads and directory size: found where a run has them, else said how to get them."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from additive import NATIVE, PLAIN, Cell, Target, curve, write

import report
from bench.commands.main import parser
from bench.commands.run_settings import settings_from
from bench.model import Clock, Exit
from bench.report import units
from bench.report.page.wanted import command, wanting
from bench.report.rows import rows
from bench.report.studies.scaling import ENTRIES, THREADS, Scaling, scalings
from bench.report.text.scaling_tables import grid, lines
from bench.report.units import WIDTH
from bench.stats.frame import load


def storm(target: Target, *seconds: float, variant: str = "fd") -> list[Cell]:
    """A storm with one client thread, with two, and so on."""
    return [
        Cell(target, "getattr-storm", cost, variant=variant, threads=threads)
        for threads, cost in enumerate(seconds, 1)
    ]


def found(folder: Path, cells: Sequence[Cell], clock: Clock = Clock.WALL) -> list[Scaling]:
    run = load(write(folder, cells, clock=clock.value))
    units.measure_in(clock.value)
    return scalings(run, rows(run))


def test_cost_and_throughput_over_threads(tmp_path: Path) -> None:
    """Half the time per operation is twice the throughput; a target with one point has no curve."""
    cells = [*storm(NATIVE, 2e-6, 1e-6), *storm(PLAIN, 10e-6)]
    [made] = found(tmp_path, cells)
    assert (made.axis, made.fixed.workload, made.places) == (THREADS, "getattr-storm", [1, 2])
    [panel] = made.panels
    [only] = panel.curves
    assert only.target.name == "native" and list(only.costs) == [1, 2]
    assert only.gains[2].value == pytest.approx(2.0)
    assert only.costs[1].has_interval


def test_variants_are_panels_of_one_chart_in_order_of_number(tmp_path: Path) -> None:
    """list-stat/50 before list-stat/100, and every size on each panel."""
    cells = [cell for size in (10, 100) for cell in curve(PLAIN, 20, 2, entries=size)]
    [made] = found(tmp_path, cells)
    assert made.axis is ENTRIES and made.places == [10, 100]
    names = [panel.name.partition("/")[2] for panel in made.panels]
    assert names == ["0", "1", "10", "50", "100"]
    assert not made.gains


def test_threads_take_turns_on_the_instruction_clock(tmp_path: Path) -> None:
    """A guest on that clock has one CPU: costs are shown, no throughput."""
    [made] = found(tmp_path, storm(PLAIN, 10e-6, 10e-6), Clock.INSTRUCTIONS)
    assert not made.gains
    assert len(grid(made).heads) == 3


def test_a_run_without_the_axes_says_what_would_have_them(tmp_path: Path) -> None:
    """The command names the run's own servers, kernels and levels, and the command line takes it."""
    path = write(tmp_path, storm(PLAIN, 10e-6))
    about = json.loads((path / "run.json").read_text())
    about["settings"] = {
        "kernels": ["lab"], "clock": "instructions", "foreign": ["mine=./server {mountpoint}"],
        "parts": [{"daemons": ["native", "plain-c"], "levels": ["rw"]}, {"daemons": ["mine"]}],
    }  # fmt: skip
    (path / "run.json").write_text(json.dumps(about))
    run = load(path)
    assert scalings(run, rows(run)) == []
    assert len(wanting(run, [])) == 2
    asked = {}
    for axis in (THREADS, ENTRIES):
        arguments = parser().parse_args(shlex.split(command(run, axis))[3:])
        asked[axis] = settings_from(arguments)
        assert asked[axis].daemons == ("native", "plain-c", "mine")
        assert (asked[axis].kernels, asked[axis].axes["levels"]) == (("lab",), ("rw",))
    assert (asked[THREADS].axes["threads"], asked[THREADS].clock) == ((1, 2), "wall")
    assert (asked[ENTRIES].axes["entries"], asked[ENTRIES].clock) == (
        (10, 100, 1000, 10_000),
        "instructions",
    )


def test_nothing_recorded_is_no_obstacle(tmp_path: Path) -> None:
    """A run.json without settings still gives a command that is one."""
    run = load(write(tmp_path, storm(PLAIN, 10e-6)))
    words = shlex.split(command(run, THREADS))
    assert settings_from(parser().parse_args(words[3:])).axes["threads"] == (1, 2)


def test_chart_table_and_text(tmp_path: Path) -> None:
    """As SVG, on the page with its table, as CSV, and as ASCII that fits a mail."""
    cells = [*storm(NATIVE, 2e-6, 1e-6), *storm(PLAIN, 10e-6, 9e-6)]
    path = write(tmp_path, cells)
    assert report.main([str(path), "--format", "svg", "html", "csv", "text"]) == Exit.MEASURED
    made = path / "report"
    assert len(list(made.glob("scaling-threads-getattr-storm-*.svg"))) == 1
    page = (made / "index.html").read_text()
    # The chart's title and what is read out for it, the table's heading and its name.
    assert page.count("getattr-storm over client threads") == 4
    assert "several directory sizes; this would give it" in page
    assert "several numbers of client threads" not in page
    points = list(csv.DictReader((made / "scaling.csv").read_text().splitlines()))
    assert [(one["target"], one["at"]) for one in points] == [
        ("native", "1"), ("native", "2"), ("plain-c", "1"), ("plain-c", "2"),
    ]  # fmt: skip
    assert float(points[1]["throughput_gain"]) == pytest.approx(2.0)
    text = (made / "scaling.txt").read_text()
    assert text.isascii() and max(map(len, text.splitlines())) <= WIDTH


def test_a_target_that_has_no_number_somewhere_is_left_blank(tmp_path: Path) -> None:
    """Three points of one target, two of the other: a dash in the table, nothing in the words."""
    cells = [*storm(NATIVE, 3e-6, 2e-6, 1e-6), *storm(PLAIN, 10e-6, 9e-6)]
    [made] = found(tmp_path, cells)
    table = grid(made)
    assert [cell.text for cell in table.lines[1]].count("-") == 2
    assert not any(line.endswith(" -") for line in lines([made]))
