"""Who draws the charts: processes beside the report's, to the same bytes as the report's own."""

from __future__ import annotations

import json
import multiprocessing
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import make_run

import report
from bench.model import Clock, Exit
from bench.report.charts import draw

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=[0, 1 << 40], ids=["processes", "here"])
def anywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts of any run are drawn by processes, or none are."""
    monkeypatch.setattr(draw, "WORTH_A_POOL", request.param)


def artefacts(run: Path) -> dict[str, bytes]:
    """Every file of a report, by name."""
    files = (run / "report").rglob("*")
    return {file.name: file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("clock", list(Clock))
def test_processes_draw_what_one_process_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Byte by byte, in the units of the run's clock."""
    run = make_run(tmp_path, rows=3)
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(about | {"clock": clock}))
    found = []
    for worth in (0, 1 << 40):
        monkeypatch.setattr(draw, "WORTH_A_POOL", worth)
        assert report.main([str(run), "--charts", "all"]) == Exit.MEASURED
        found.append(artefacts(run))
    assert found[0] == found[1]
    counted = "--instructions" if clock == Clock.INSTRUCTIONS else ""
    chart = found[0][f"getattr-storm--path--warm--t1--to0-0--same{counted}-time.svg"].decode()
    assert ("instructions per op" in chart) == (clock == Clock.INSTRUCTIONS)


@pytest.mark.usefixtures("anywhere")
def test_a_chart_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever draws it."""
    run = make_run(tmp_path, rows=1)
    (run / "report/charts/getattr-storm--path--warm--t1--to0-0--same-time.svg").mkdir(parents=True)
    assert report.main([str(run), "--charts", "all"]) == Exit.USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert "cannot be written" in line


@pytest.mark.usefixtures("anywhere")
def test_an_interrupted_report_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, the exit code of the other commands, and nobody who draws on."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "write_tables", interrupt)
    assert report.main([str(make_run(tmp_path, rows=3)), "--charts", "all"]) == Exit.INTERRUPTED
    assert capsys.readouterr().err == "report.py: interrupted\n"
    assert multiprocessing.active_children() == []


def test_no_process_outlives_a_killed_report(tmp_path: Path) -> None:
    """The pipe is closed once everybody who has it has ended."""
    code = (
        "import os, sys; from pathlib import Path; from bench.report.charts import draw\n"
        "draw.WORTH_A_POOL = 0\n"
        "with draw.artists(Path(sys.argv[1])) as pool:\n"
        "    print(pool.submit(os.getpid).result(), flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(make_run(tmp_path, rows=1))],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert killed.returncode == -9
    assert re.fullmatch(r"\d+\n", killed.stdout)


def test_a_text_table_needs_no_plotting_library(tmp_path: Path) -> None:
    """A plotting library takes longer to import than the table to make."""
    code = (
        "import sys, report; report.main([sys.argv[1], '--format', 'text', 'md', 'csv']);"
        "print([name for name in ('matplotlib', 'PIL', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(make_run(tmp_path, rows=1))],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
