"""The artefacts of a run: all are there, each says what it is of, none pretends."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from additive import PLAIN, curve, write
from fakes import LOW_REASON, WORKLOADS, make_run

import report
from bench.model import Exit, Opcode
from bench.report import units
from bench.report.rows import rows
from bench.report.text import text
from bench.stats.frame import load

TABLES = ("table.txt", "table.md", "samples.csv.gz", "index.html")
NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every artefact made."""
    path = make_run(tmp_path_factory.mktemp("run"), rows=3)
    assert report.main([str(path), "--charts", "all"]) == Exit.MEASURED
    return path / "report"


def words_of(file: Path) -> str:
    """The words of an artefact, however it breaks its lines or tags them."""
    raw = file.read_bytes()
    text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode()
    content = re.sub(r"<style>.*?</style>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", content).split())


def test_every_artefact_exists(drawn: Path) -> None:
    """Tables, page, overview, and for each row its charts as PNG and SVG."""
    made = {file.name for file in drawn.rglob("*") if file.is_file()}
    assert made >= {*TABLES, "overview.png", "overview.svg"}
    for variant in ("path", "at", "fd"):
        for chart in ("time", "ratio", "requests", "latency"):
            stem = f"getattr-storm--{variant}--warm--t1--to0-0--same-{chart}"
            assert made >= {f"{stem}.png", f"{stem}.svg"}


def test_charts_of_rows_are_drawn_when_they_are_asked_for(tmp_path: Path) -> None:
    """A report of hundreds of rows had 468 files of them."""
    path = make_run(tmp_path, rows=3)
    assert report.main([str(path)]) == Exit.MEASURED
    drawn = {file.name for file in (path / "report").rglob("*.svg")}
    assert drawn == {"overview.svg"}
    assert not (path / "report" / "charts").exists()


def test_every_artefact_names_what_it_is_of(drawn: Path) -> None:
    """Kernel, level and why, placement, cache, tree, timeouts, command, what is missing."""
    named = [
        "6.18.5-fake", "level rw in force", "attach-lookup asked", LOW_REASON,
        "cpu_dma_latency held at 0 us", "warm", "small, 10000 files", "0 s/0 s",
        "bench run --daemon passthrough", "cold-all: the backing is tmpfs",
    ]  # fmt: skip
    files = [drawn / name for name in TABLES] + list(drawn.rglob("*.svg"))
    assert len(files) > 10
    for file in files:
        said = words_of(file)
        for name in named:
            assert name in said, f"{file.name} does not name {name!r}"


def test_png_files_are_pictures(drawn: Path) -> None:
    """Each is a PNG and not empty."""
    pictures = list(drawn.rglob("*.png"))
    assert len(pictures) == 13
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in pictures)


def test_nothing_refers_to_the_network(drawn: Path) -> None:
    """The page opens on a machine without one; an SVG only names its namespaces."""
    assert "http" not in (drawn / "index.html").read_text()
    assert "src=" not in (drawn / "index.html").read_text()
    for file in drawn.rglob("*.svg"):
        assert set(re.findall(r'https?://[^"\s]*', file.read_text())) <= NAMESPACES


def test_ids_of_the_page_are_not_doubled(drawn: Path) -> None:
    """Charts of one page share definitions only where they are the same."""
    page = (drawn / "index.html").read_text()
    ids = re.findall(r'<(?:section|h2|g|figure)[^>]* id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_table_fits_a_mail(tmp_path: Path) -> None:
    """72 columns of ASCII, also with names nobody foresaw and reasons of any length."""
    names = {
        "passthrough": "passthrough-of-another-server-in-c",
        "getattr-storm": "getattr-storm-over-a-tree-of-a-name-that-does-not-end-on-this-line",
    }
    path = make_run(tmp_path, names=names, spoil={"reason": "µ" * 200, "outcome": "failed"})
    table = report.text_table(path)
    assert table.isascii()
    assert max(len(line) for line in table.splitlines()) <= 72
    assert names["passthrough"] in table


def test_ratios_fit_their_column_at_any_size() -> None:
    """From 1/1000 to a million."""
    for exponent in range(-40, 61):
        assert len(units.ratio(10 ** (exponent / 10))) <= 6


def test_troubles_are_shown_not_absent(tmp_path: Path) -> None:
    """Failed and skipped trials are told in their row, with reason and count."""
    said = " ".join(report.text_table(make_run(tmp_path)).split())
    assert "plain: 1 of 5 trials failed: daemon exited with 1" in said
    assert "passthrough: 5 of 5 trials skipped: git is not installed" in said
    assert "no pair with" in said


def test_verdicts_and_direction_are_in_words(tmp_path: Path) -> None:
    """Engaged, not available and why, and what below 1 means."""
    said = " ".join(report.text_table(make_run(tmp_path)).split())
    assert "passthrough: engaged" in said
    assert "passthrough: not available here [1]" in said
    assert f"[1] {LOW_REASON}" in said
    assert "< 1 is faster" in said


def test_requests_that_were_not_expected_are_marked(tmp_path: Path) -> None:
    """A count outside of its bounds has its mark, and the opcode is named."""
    spoil = {"expected": {"GETATTR": [1.0, 1.5]}}
    said = " ".join(report.text_table(make_run(tmp_path, spoil=spoil)).split())
    assert "3.00!" in said
    assert "! plain: GETATTR 3.00 per op is not as expected" in said


def test_an_engaged_target_may_stay_below_what_plain_is_asked(tmp_path: Path) -> None:
    """Fewer requests than a plain server gets are the point of passthrough."""
    run = load(make_run(tmp_path))
    read = next(row for row in rows(run) if row.work == "read-random")
    engaged = next(line for line in read.lines if line.target.name == "passthrough")
    assert engaged.requests is not None
    assert engaged.requests.expected and not engaged.requests.outside


@pytest.mark.parametrize("targets", [("native",), ("plain", "passthrough"), ("passthrough",)])
def test_a_missing_baseline_is_said(tmp_path: Path, targets: tuple[str, ...]) -> None:
    """Without native or plain the other numbers are still drawn."""
    path = make_run(tmp_path, targets=targets, rows=1)
    assert report.main([str(path)]) == Exit.MEASURED
    table = (path / "report" / "table.txt").read_text()
    assert ("/ native" in table) == ("native" in targets)


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_few_trials_are_drawn_without_pretence(tmp_path: Path, trials: int) -> None:
    """One and two rounds say that they are too few."""
    path = make_run(tmp_path, trials=trials, rows=1)
    assert report.main([str(path)]) == Exit.MEASURED
    table = (path / "report" / "table.txt").read_text()
    assert ("too few" in table) == (trials < 3)


@pytest.mark.parametrize(
    "spoil",
    [
        {"values": []},
        {"values": [float("nan")]},
        {"values": None, "requests": None, "expected": None, "histogram": {}},
        {"outcome": "failed", "reason": "unmount stayed busy", "values": []},
        {"requests": {"ops": 0, "kernel": None, "server": None, "why": "no tracepoint"}},
        {"attr_timeout": None, "entry_timeout": None, "verdict": "", "op": ""},
    ],
)
def test_a_spoilt_row_does_not_spoil_the_report(tmp_path: Path, spoil: dict[str, object]) -> None:
    """Zero samples, NaN, failures, uncounted requests: each a cell, never a traceback."""
    path = make_run(tmp_path, spoil=spoil, rows=2)
    assert report.main([str(path), "--format", "text", "md", "csv", "html"]) == Exit.MEASURED
    assert "getattr-storm/path" in (path / "report" / "table.txt").read_text()


def test_a_bare_run_json_is_enough(tmp_path: Path) -> None:
    """Only the schema of run.json is needed; the rest is said not to be recorded."""
    path = make_run(tmp_path, rows=1)
    (path / "run.json").write_text(json.dumps({"schema": 1}))
    assert report.main([str(path)]) == Exit.MEASURED
    assert "not recorded" in (path / "report" / "table.txt").read_text()


def test_nothing_measured_is_exit_3_with_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reasons are drawn, and the exit code tells."""
    path = make_run(tmp_path)
    (path / "trials.jsonl").write_text("")
    assert report.main([str(path)]) == Exit.NOTHING
    assert "nothing was measured" in capsys.readouterr().err
    assert (path / "report" / "index.html").exists()


def test_no_run_is_exit_2_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by default nor by name."""
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    for argv in ([], ["nowhere"]):
        assert report.main(argv) == Exit.USAGE
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_newest_run_is_the_default_and_names_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the top of the project no path is needed."""
    path = make_run(tmp_path / "results" / "local", rows=1)
    monkeypatch.chdir(tmp_path)
    for argv in ([], [path.name]):
        assert report.main([*argv, "--format", "text"]) == Exit.MEASURED
        assert path.name in capsys.readouterr().out


def test_print_shows_the_table_that_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runner ends with this output; only the format that was asked for is made."""
    path = make_run(tmp_path, rows=2)
    assert report.main([str(path), "--print", "--format", "text"]) == Exit.MEASURED
    assert capsys.readouterr().out == (path / "report" / "table.txt").read_text()
    assert {file.name for file in (path / "report").iterdir()} == {"table.txt", "mail.txt"}


def test_a_directory_that_cannot_be_made_is_a_user_error(tmp_path: Path) -> None:
    """--output below a file."""
    path = make_run(tmp_path, rows=1)
    assert report.main([str(path), "--output", str(path / "run.json" / "x")]) == Exit.USAGE


def test_what_a_run_says_is_escaped(tmp_path: Path) -> None:
    """A reason with markup stays text in the page, and a pipe stays in its table cell."""
    spoil = {"outcome": "failed", "reason": "<script>alert(1)</script> | $x$"}
    path = make_run(tmp_path, spoil=spoil, rows=2)
    assert report.main([str(path), "--format", "md", "html"]) == Exit.MEASURED
    assert "<script>alert" not in (path / "report" / "index.html").read_text()
    assert "</script> \\| $x$" in (path / "report" / "table.md").read_text()


def test_rows_come_in_the_order_of_the_plan(tmp_path: Path) -> None:
    """As the settings list the workloads, whatever order the trials ran in."""
    run = load(make_run(tmp_path))
    found = list(dict.fromkeys(row.key.workload for row in rows(run)))
    assert found == list(dict.fromkeys(workload[0] for workload in WORKLOADS))


def test_the_table_has_no_row_too_many(tmp_path: Path) -> None:
    """Every workload once, with a line for each target."""
    run = load(make_run(tmp_path))
    table = text.table(run, rows(run))
    assert len(re.findall(r"^  cache ", table, flags=re.MULTILINE)) == len(WORKLOADS)
    assert len(re.findall(r"^(?:native|plain|passthrough) ", table, flags=re.M)) >= 60


def test_no_two_targets_look_alike() -> None:
    """Colour, marker and its filling tell 140 targets apart; without the colour, in print, 20."""
    from bench.report.charts.panels import style

    assert len({style(number) for number in range(140)}) == 140
    assert len({style(number)[1:3] for number in range(20)}) == 20


def test_no_two_opcodes_look_alike() -> None:
    """Colour and hatch tell the parts of a bar apart, the same in every chart."""
    from bench.report.charts.charts import opcode_look

    looks = [opcode_look(opcode.name) for opcode in Opcode]
    assert len({(look["facecolor"], look["hatch"]) for look in looks}) == len(Opcode)


def test_empty_parts_leave_no_gap(tmp_path: Path) -> None:
    """Without notes and a cost sheet no two blank lines follow one another."""
    assert "\n\n\n" not in report.text_table(make_run(tmp_path, rows=1))


def test_a_wide_spread_of_instructions_fits_its_column(tmp_path: Path) -> None:
    """Four characters, also above 1 %."""
    path = write(tmp_path, curve(PLAIN, 20, 2), clock="instructions")
    table = report.text_table(path)
    assert re.search(r"plain-c +\d\S* k 2\.0% ", table)
    assert max(len(line) for line in table.splitlines()) <= 72
