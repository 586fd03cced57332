"""What goes between a run and the machines that do it; Dask itself is in tests/vm/test_fleet.py."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from fakes import make_run

from bench.fleet import identity, machines
from bench.fleet.accepted import refuse_foreign
from bench.fleet.message import BootReport, News, RunReport
from bench.fleet.mirror import EventMirror
from bench.guests.protocol import EVENTS
from bench.model import Exit, UserError
from bench.plan.settings import Settings
from bench.results import bundle
from bench.results.fleet import Member
from bench.results.store import RunDirectory
from bench.run.view import View


def line(event: str, number: int = 0, attempt: int = 0) -> str:
    record = {"series": f"row{number}", "attempt": attempt}
    return json.dumps({"event": event, "record": record} if number else {"event": event})


def kept(share: Path) -> list[tuple[str, str]]:
    lines = [json.loads(text) for text in (share / EVENTS).read_text().splitlines()]
    return [(one["event"], one.get("record", {}).get("series", "")) for one in lines]


def report(attempt: str, lines: list[str]) -> BootReport:
    return BootReport(attempt, tuple(lines), "exit 0", "words", {"a.log": "said"}, "tcp://w", {})


def test_news_and_report_make_one_file(tmp_path: Path) -> None:
    """What news did not bring (some were lost on the way) the report does, in order and once."""
    mirror = EventMirror(tmp_path)
    lines = [line("hello"), line("begin", 1), line("end", 1), line("begin", 2), line("end", 2)]
    mirror.news(News("b", "x", 0, tuple(lines[:2])))
    mirror.news(News("b", "x", 3, tuple(lines[3:])))  # what was between is lost
    assert kept(tmp_path) == [("hello", ""), ("begin", "row1")]
    mirror.report(report("x", lines))
    assert [kind for kind, _ in kept(tmp_path)] == ["hello", "begin", "end", "begin", "end"]
    assert (tmp_path / "guest.console").read_text() == "words"
    assert (tmp_path / "a.log").read_text() == "said"


def test_a_boot_begun_again_elsewhere_adds_what_was_not_done(tmp_path: Path) -> None:
    """A worker died in its second trial: the first stays as it was, no trial is there twice."""
    mirror = EventMirror(tmp_path)
    mirror.news(
        News("b", "x", 0, (line("hello"), line("begin", 1), line("end", 1), line("begin", 2)))
    )
    again = [line("hello")]
    for number in (1, 2, 3):
        again += [line("begin", number), line("end", number)]
    mirror.news(News("b", "y", 0, tuple(again[:4])))
    mirror.report(report("y", [*again, line("end", 2, attempt=1)]))
    ended = [series for kind, series in kept(tmp_path) if kind == "end"]
    assert ended == ["row1", "row2", "row3", "row2"]  # the last is a repeat of its own boot


def test_a_report_cannot_write_elsewhere(tmp_path: Path) -> None:
    """Logs are names in the boot's folder, and logs."""
    share = tmp_path / "share"
    share.mkdir()
    logs = {"../a.log": "x", "run.json": "x", "fine.log": "x"}
    EventMirror(share).report(BootReport("y", (), "", "", logs, "w", {}))
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        "events.jsonl", "fine.log", "guest.console",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        Settings(foreign=("mine=./server {backing} {mountpoint}",)),
        Settings(libfuse_examples="/opt"),
        Settings(backing="/home"),
        Settings(tune=True),
    ],
)
def test_no_command_and_no_path_of_a_message_is_used(settings: Settings) -> None:
    """A worker does what the suite defines."""
    with pytest.raises(UserError, match="cannot travel"):
        refuse_foreign(settings)


def test_profiles_are_made_on_one_machine() -> None:
    """What the emulator writes of a window lies where its boot was."""
    with pytest.raises(UserError, match="profile on one machine"):
        refuse_foreign(Settings(profile=True))


def test_machines_that_differ_have_other_resources() -> None:
    """Machines that differ are told apart, and each difference is named."""
    ours = identity.identity()
    theirs = {**ours, "qemu": "QEMU emulator version 1"}
    assert identity.resource(ours) != identity.resource(theirs)
    assert identity.differences(ours, dict(ours)) == ""
    said = identity.differences(ours, theirs)
    assert said.startswith("qemu: ") and said.endswith("QEMU emulator version 1 there")


class FakeFleet:
    """A scheduler that has one answer; what is said is forgotten."""

    def __init__(self, answer: RunReport) -> None:
        self.text = answer.dumps()
        self.view = View(quiet=True)

    def answer(self, _future: object) -> str:
        """The report."""
        return self.text


def member(output: Path, **changes: Any) -> Member:
    """What becomes of a machine's report."""
    usual = {"machine": "epyc", "worker": "w", "identity": {}, "bundle": "", "code": 0} | changes
    return machines._member(FakeFleet(RunReport(**usual)), "tcp://w", None, output)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["abc", "AAAA", "\u6f22", [1]])
def test_a_bundle_that_cannot_be_read_costs_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: object
) -> None:
    """The run of the others goes on, and the reason is told."""
    monkeypatch.setattr(identity, "identity", dict)
    lost = member(tmp_path, bundle=text)
    assert (lost.run, lost.code) == ("", Exit.NOTHING)
    assert "cannot be unpacked" in lost.reason
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../../elsewhere", "/tmp/elsewhere", "..", "a/b"])
def test_a_machine_does_not_choose_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A run is a folder of the fleet run, whatever its machine calls itself."""
    monkeypatch.setattr(identity, "identity", dict)
    bundle.pack(RunDirectory.open(make_run(tmp_path / "made", rows=1)), tmp_path / "b.tar.gz")
    packed = base64.b64encode((tmp_path / "b.tar.gz").read_bytes()).decode()
    found = member(tmp_path / "fleet", machine=name, bundle=packed)
    assert [path.name for path in (tmp_path / "fleet").iterdir()] == [found.run]
