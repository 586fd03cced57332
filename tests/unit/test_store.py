"""What is on disk after a trial, a crash, a full disk."""

from __future__ import annotations

import json
from pathlib import Path

import pyperf
import pytest

from bench.commands.main import main
from bench.model import UserError
from bench.results.store import RunDirectory, find_run, in_command_order, write_atomically


def make(path: Path, started: str = "2026-01-01T00:00:00+00:00") -> RunDirectory:
    return RunDirectory.create(path, {"started": started, "settings": {}})


def benchmark(value: float) -> str:
    import io

    text = io.StringIO()
    run = pyperf.Run([value], metadata={"name": "row", "unit": "second"}, collect_metadata=False)
    pyperf.Benchmark([run]).dump(text)
    return text.getvalue()


def test_trials_come_back_in_order(tmp_path: Path) -> None:
    """Lines are appended and read back as written."""
    run = make(tmp_path / "r")
    for number in range(3):
        run.append_trial({"round": number})
    assert [record["round"] for record in run.trials()] == [0, 1, 2]


def test_a_line_cut_short_spoils_only_itself(tmp_path: Path) -> None:
    """A crash in mid-line loses that line; the next one starts afresh."""
    run = make(tmp_path / "r")
    run.append_trial({"round": 0})
    with run.trials_path.open("a") as file:
        file.write('{"round": 1, "val')
    run.append_trial({"round": 2})
    assert [record["round"] for record in run.trials()] == [0, 2]


def test_pyperf_reads_the_series_file(tmp_path: Path) -> None:
    """Each trial is one pyperf run of its series' benchmark."""
    run = make(tmp_path / "r")
    for value in (1e-6, 2e-6, 3e-6):
        run.add_pyperf_run("row", benchmark(value))
    series = pyperf.Benchmark.load(str(run.path / "series" / "row.json"))
    assert series.get_values() == (1e-6, 2e-6, 3e-6)
    assert series.get_nrun() == 3


def test_a_run_is_not_written_over(tmp_path: Path) -> None:
    """--output on an existing run is refused."""
    make(tmp_path / "r")
    with pytest.raises(UserError, match="holds a run already"):
        make(tmp_path / "r")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}'])
def test_unreadable_headers_are_one_line(tmp_path: Path, text: str) -> None:
    """A cut or foreign run.json is a UserError that names the file."""
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match=r"run\.json"):
        RunDirectory.open(tmp_path)


def test_the_newest_run_is_found(tmp_path: Path) -> None:
    """By its start, not by its name."""
    make(tmp_path / "local" / "b", "2026-01-01T00:00:00+00:00")
    make(tmp_path / "local" / "a", "2026-02-01T00:00:00+00:00")
    assert find_run(None, tmp_path).name == "a"


def test_the_newest_run_is_found_across_offsets(tmp_path: Path) -> None:
    """By the moment it began, not by the text: 00:30 at +02:00 was before 23:00 in UTC."""
    for name, started in (
        ("z", "2026-02-01T00:30:00+02:00"),
        ("a", "2026-01-31T23:00:00+00:00"),
    ):
        make(tmp_path / "local" / name, started)
    (tmp_path / "local" / "broken").mkdir()
    (tmp_path / "local" / "broken" / "run.json").write_text("{")
    assert find_run(None, tmp_path).name == "a"


def test_every_command_finds_a_run_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below a machine's directory, too, as report.py always has."""
    make(tmp_path / "results" / "some-machine" / "default", "2026-02-01T00:00:00+00:00")
    monkeypatch.chdir(tmp_path)
    found = Path("results/some-machine/default")
    assert find_run("default") == find_run("some-machine/default") == find_run(str(found)) == found
    assert main(["show", "default", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(found)
    with pytest.raises(UserError, match="no run at"):
        find_run("elsewhere/default")


def test_no_run_is_said(tmp_path: Path) -> None:
    """An empty results folder says how to fill it."""
    with pytest.raises(UserError, match="bench run"):
        find_run(None, tmp_path)


def test_a_header_is_replaced_in_one_step(tmp_path: Path) -> None:
    """No half-written file is left under the final name or beside it."""
    write_atomically(tmp_path / "x.json", json.dumps({"a": 1}))
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A file where a folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        make(tmp_path / "file" / "r")


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    """A run is written into no folder that somebody uses; an empty one will do."""
    (tmp_path / "empty").mkdir()
    RunDirectory.create(tmp_path / "empty", {})
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis").touch()
    with pytest.raises(UserError, match="not empty, and no run"):
        RunDirectory.create(tmp_path / "used", {})
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["thesis"]


@pytest.mark.parametrize("met_first", ["base", "patched"])
def test_kernels_come_in_the_order_of_the_command_line(met_first: str) -> None:
    """Boots are shuffled: what greeted first is not what was named first."""
    texts = ["base=old/bzImage,quiet", "patched=new/bzImage"]
    labels = sorted(["base", "patched"], reverse=met_first == "patched")
    header = {
        "settings": {"kernels": texts},
        "kernels": [{"label": label} for label in labels],
        "targets": [
            {"name": f"{name}@{label}"} for label in labels for name in ("native", "plain")
        ],
    }
    ordered = in_command_order(header)
    assert [one["label"] for one in ordered["kernels"]] == ["base", "patched"]
    names = [one["name"] for one in ordered["targets"]]
    assert names == ["native@base", "plain@base", "native@patched", "plain@patched"]


@pytest.mark.parametrize("odd", [{"kernels": 3}, {"targets": [1]}, {"settings": []}, {}])
def test_a_header_of_odd_shape_stays_as_it_is(odd: dict[str, object]) -> None:
    """Others have written it."""
    assert in_command_order(odd) == odd
