"""A trial's line as a type: what is written can be read, what cannot be is named, README agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import make_run

from bench.results import jsonl, record
from bench.results.cost_line import CostLine
from bench.results.header import HEADER
from bench.results.json_text import parse
from bench.results.kinds import Wrong
from bench.results.markdown import markdown
from bench.results.objects import keys
from bench.results.store import RunDirectory
from bench.stats.frame import SAMPLE_COLUMNS, load

ROOT = Path(__file__).parents[2]
README = (ROOT / "results" / "README.md").read_text()
PUBLISHED = sorted(ROOT.glob("results/*/*/trials.jsonl"))
DIGITS = int("1" + "0" * 400)

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"values": [[1]]}, "values: a list among them is no number"),
    ({"values": [DIGITS]}, "values: a whole number among them is no number"),
    ({"values": ["fast"]}, "values: 'fast' among them is no number"),
    ({"round": "1"}, "round: '1' is no whole number"),
    ({"target": ["plain"]}, "target: a list is no name"),
    ({"target": "../../plain"}, "target: '../../plain' is no name"),
    ({"threads": "1"}, "threads: '1' is no whole number"),
    ({"threads": True}, "threads: true or false is no whole number"),
    ({"attr_timeout": DIGITS}, "attr_timeout: a whole number is no number"),
    ({"requests": {"ops": 1, "kernel": [3]}}, "requests.kernel: a list is no object"),
    ({"requests": {"ops": 1, "kernel": {"READ": "3"}}}, "requests.kernel.READ: '3' is no whole"),
    ({"attribution": {"ops": 1, "by_opcode": {"READ": {}}}}, "by_opcode.READ: count is missing"),
    ({"outcome": "fine"}, "outcome: 'fine' is none of ok, skipped, failed"),
    ({"expected": {"READ": [1]}}, "expected.READ: a list is no list of number"),
]


def spoiled(tmp_path: Path, line: bytes) -> Path:
    """A fake run with one more line, in the middle of its trials."""
    path = make_run(tmp_path, trials=1, rows=2, troubles=False)
    lines = (path / "trials.jsonl").read_bytes().splitlines()
    (path / "trials.jsonl").write_bytes(b"\n".join([*lines[:3], line, *lines[3:], b""]))
    return path


@pytest.mark.parametrize(("keys_of_it", "said"), WRONG, ids=lambda one: str(one)[:40])
def test_a_line_with_a_wrong_field_is_named_and_left_out(
    tmp_path: Path, keys_of_it: dict[str, Any], said: str
) -> None:
    """Whatever is wrong with it; the others are read, by the report and by --resume alike."""
    path = spoiled(tmp_path, json.dumps({"target": "plain"} | keys_of_it).encode())
    run = load(path)
    assert len(run.trials) == len(RunDirectory.open(path).trials()) == 2 * 3
    (problem,) = run.problems
    assert problem.startswith("trials.jsonl: line 4 is left out: ")
    assert said in problem
    assert len(problem) < 200


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"target": "pl\xffin"}', "not UTF-8 (byte 15)"),
        (b'{"round": 1' + b"0" * 5000 + b"}", "a number of too many digits"),
        (b"null", "no trial"),
        (b'{"target"', "not JSON"),
    ],
)
def test_a_line_that_is_no_json_is_named_and_left_out(
    tmp_path: Path, line: bytes, said: str
) -> None:
    """Bytes that are no text, and text that no program writes."""
    run = load(spoiled(tmp_path, line))
    assert len(run.trials) == 2 * 3
    assert [said in problem for problem in run.problems] == [True]


def test_many_bad_lines_are_told_in_a_few_sentences(tmp_path: Path) -> None:
    """One for all of a kind, and an end to kinds."""
    path = spoiled(tmp_path, b"\n".join([b"[]"] * 1000))
    (problem,) = load(path).problems
    assert problem == "trials.jsonl: lines 4, 5, 6 and 997 more are left out: no trial"
    file = path / "trials.jsonl"
    file.write_bytes(b"".join(b'{"round": "%d"}\n' % number for number in range(100)))
    assert len(load(path).problems) == jsonl.NAMED + 1


def without_nulls(value: Any) -> Any:
    """An object as it is read where keys are facts: null is as good as missing."""
    if not isinstance(value, dict) or "elapsed_s" not in value:
        return value
    return {key: one for key, one in value.items() if one is not None}


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.parent.name)
def test_every_published_trial_is_read_whole(file: Path) -> None:
    """No key that a run has written is unknown, and none is refused."""
    lines, problems = jsonl.trials(file)
    assert not problems
    raw = [parse(line) for line in file.read_bytes().splitlines()]
    known = set(keys(record.TrialLine))
    assert not [set(one) - known for one in raw if set(one) - known]
    assert [
        key
        for line, one in zip(lines, raw, strict=True)
        for key, value in one.items()
        if value is not None and line[key] != without_nulls(value)
    ] == []


def test_there_are_published_runs() -> None:
    """The test above says something."""
    assert len(PUBLISHED) >= 5


@pytest.mark.parametrize("table", [record.TrialLine, CostLine])
def test_the_readme_has_every_key(table: Any) -> None:
    """``bench.results.markdown.markdown`` makes its tables."""
    assert markdown(table) in README


def test_every_key_came_with_a_revision() -> None:
    """One that is missing in older runs has a default to be read as."""
    assert {key.since for key in keys(record.TrialLine).values()} == {*range(record.REVISION + 1)}


def test_samples_have_the_keys_that_stand_beside_them() -> None:
    """In the order of the table."""
    assert SAMPLE_COLUMNS[:5] == ("run", "trial", "series", "group", "row")
    assert [*SAMPLE_COLUMNS[5:-3]] == [*record.SAMPLED[1:]]


def test_what_a_terminal_was_told_can_be_told_again(tmp_path: Path) -> None:
    """A server's last words may hold colours and bytes that are no text: the trial is kept."""
    line = {"target": "plain", "outcome": "failed", "reason": "\x1b[31mno \udcff\x1b[0m"}
    run = load(spoiled(tmp_path, json.dumps(line).encode()))
    assert not run.problems
    assert "?[31mno ??[0m" in list(run.trials["reason"])


def test_a_record_that_could_not_be_read_again_is_not_written() -> None:
    """A worker's answer goes into a line as it is: only if it has the types of one."""
    with pytest.raises(Wrong, match="ops_per_loop"):
        record.checked({"ops_per_loop": -1})
    assert record.checked({"empty_loop_ns": None}) == {"empty_loop_ns": None}


def test_the_readme_has_every_key_of_run_json() -> None:
    """What is read by a kind of its own is told there."""
    table = README.partition("## run.json")[2].partition("## trials.jsonl")[0]
    assert not [key for key in HEADER.known if f"`{key}`" not in table]


def test_a_wrong_part_of_run_json_takes_no_other_with_it(tmp_path: Path) -> None:
    """What is wrong is named by its place; a clock that is not told is that of the trials."""
    path = make_run(tmp_path, trials=1, rows=1, troubles=False)
    about = json.loads((path / "run.json").read_text())
    about["targets"][1]["level"] = ["rw"]
    about["targets"].append({"kind": "fuse"})
    about |= {"clock": 5, "placement": {"mode": "same", "client": "0"}, "cpu_dma_latency": {}}
    (path / "run.json").write_text(json.dumps(about))
    run = load(path)
    assert run.problems == (
        "run.json: left out: targets[1].level: a list is none of "
        "none, rw, attach-getattr, attach-lookup, lookup",
        "run.json: left out: targets[3]: name is missing",
        "run.json: left out: cpu_dma_latency: an object is no text",
        "run.json: left out: placement.client: '0' is no list of whole number",
        "run.json: left out: clock: 5 is none of wall, instructions",
    )
    assert [target["name"] for target in run.about["targets"]] == ["native", "plain", "passthrough"]
    assert run.about["clock"] == "wall"
    assert len(run.trials) == 3


def test_a_trial_of_another_clock_is_left_out(tmp_path: Path) -> None:
    """Instructions are not time, and a median of both is neither."""
    path = make_run(tmp_path, trials=1, rows=1, troubles=False)
    lines = [json.loads(line) for line in (path / "trials.jsonl").read_text().splitlines()]
    lines[0]["clock"] = "instructions"
    (path / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    about = json.loads((path / "run.json").read_text()) | {"clock": "wall"}
    (path / "run.json").write_text(json.dumps(about))
    run = load(path)
    assert len(run.trials) == 2
    assert "1 of 3 trials are of another clock" in run.problems[0]
