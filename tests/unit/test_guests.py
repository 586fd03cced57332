"""A guest's events become trials on the host; a guest that dies costs the trial it was in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import guests, kernel, kernel_diff, runner
from bench.guest import EVENTS
from bench.model import UserError
from bench.plan import Settings
from bench.store import RunDirectory
from bench.view import View

FACTS = {
    "targets": [{"name": "native", "kind": "native"}],
    "environment": {"kernel_release": "6.12-lab"},
    "kernel_level": {"level": "lookup", "readdir": True, "reasons": []},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lab", ("lab", "lab", ())),
        ("base=lab,fuse.iops=mainline", ("base", "lab", ("fuse.iops=mainline",))),
        ("lab,fuse.iops=lookup,quiet", ("lab", "lab", ("fuse.iops=lookup", "quiet"))),
        ("new=/tmp/a/bzImage", ("new", "/tmp/a/bzImage", ())),
        ("/tmp/a/bzImage", ("bzImage", "/tmp/a/bzImage", ())),
    ],
)
def test_kernel_arguments(text: str, expected: tuple[str, str, tuple[str, ...]]) -> None:
    """[LABEL=]IMAGE[,PARAMETER...]; a parameter's own = is no label's."""
    assert guests.parse(text) == expected


@pytest.mark.parametrize("text", ["", "base=", ",quiet"])
def test_a_kernel_without_an_image_is_refused(text: str) -> None:
    """One line that says what was wanted."""
    with pytest.raises(UserError, match="IMAGE"):
        guests.parse(text)


def a_run(tmp_path: Path) -> tuple[guests.Run, guests.Listener, Path]:
    settings = Settings(kernels=("lab",))
    directory = RunDirectory.create(
        tmp_path / "run", runner.make_header(settings, [], {"targets": [], "kernels": []}, ())
    )
    guest = guests.Guest("lab", kernel.Image("lab", tmp_path / "bzImage"))
    run = guests.Run(settings, directory, View(quiet=True), [guest])
    share = tmp_path / "share"
    share.mkdir()
    return run, guests.Listener(run, guest, share), share / EVENTS


def put(file: Path, event: str, **content: Any) -> None:
    with file.open("a") as stream:
        stream.write(json.dumps({"event": event, **content}) + "\n")


def record(number: int, outcome: str = "ok") -> dict[str, Any]:
    return {
        "series": f"row{number}", "target": "plain", "round": 0, "kernel": "", "clock": "wall",
        "outcome": outcome, "reason": "", "values": [1e-6],
    }  # fmt: skip


def test_trials_are_written_down_as_they_end(tmp_path: Path) -> None:
    """Each event is taken in once, whenever it is read."""
    run, listener, events = a_run(tmp_path)
    listener.listen()  # nothing there yet
    put(events, "hello", facts=FACTS, skipped=[{"what": "x", "reason": "y"}])
    put(events, "begin", record=record(1))
    put(events, "end", record=record(1), pyperf="")
    listener.listen()
    put(events, "done")
    listener.listen()
    assert [trial["series"] for trial in run.directory.trials()] == ["row1"]
    assert listener.finished
    header = run.directory.header()
    assert header["environment"]["kernel_release"] == "6.12-lab"
    assert [entry["label"] for entry in header["kernels"]] == ["lab"]
    assert header["skipped"] == [{"what": "x", "reason": "y"}]


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    """The host may read while the guest writes."""
    run, listener, events = a_run(tmp_path)
    text = json.dumps({"event": "end", "record": record(1), "pyperf": ""}) + "\n"
    events.write_text(text[:20])
    listener.listen()
    assert list(run.directory.trials()) == []
    with events.open("a") as stream:
        stream.write(text[20:])
    listener.listen()
    assert len(list(run.directory.trials())) == 1


def test_a_guest_that_dies_costs_the_trial_it_was_in(tmp_path: Path) -> None:
    """That one is failed with the reason; what had ended stays."""
    run, listener, events = a_run(tmp_path)
    put(events, "end", record=record(1), pyperf="")
    put(events, "begin", record=record(2))
    listener.listen()
    assert listener.lost("guest panicked: Kernel panic - not syncing: on purpose")
    first, second = run.directory.trials()
    assert (first["outcome"], second["outcome"]) == ("ok", "failed")
    assert "on purpose" in second["reason"]


def test_a_guest_that_dies_before_its_first_trial_is_no_trials_fault(tmp_path: Path) -> None:
    """Booting again would not help: the run says so instead."""
    _run, listener, _events = a_run(tmp_path)
    assert not listener.lost("guest hung")


def test_what_the_guest_refuses_is_told_as_its_own_line(tmp_path: Path) -> None:
    """A UserError inside is one outside."""
    _run, listener, events = a_run(tmp_path)
    put(events, "refused", reason="no FUSE in this kernel", code=3)
    with pytest.raises(UserError, match="kernel lab: no FUSE") as caught:
        listener.listen()
    assert caught.value.code == 3


def figure(instructions: float, spread: float = 0.0) -> kernel_diff.Figure:
    return kernel_diff.Figure(instructions, spread, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "regressed"),
    [
        (figure(1000), figure(1005), False),
        (figure(1000), figure(1030), True),
        (figure(1000), figure(900), False),
        (figure(1000, 0.05), figure(1030), False),  # the boots differ by more
    ],
)
def test_a_regression_is_over_the_threshold_and_over_the_noise(
    old: kernel_diff.Figure, new: kernel_diff.Figure, regressed: bool
) -> None:
    """kernel diff exits 1 on these and on no others."""
    figures = {("readdir", "plain", "base"): old, ("readdir", "plain", "new"): new}
    lines, found = kernel_diff.compare(figures, "base", "new", 1.0)
    assert found is regressed
    assert all(len(line) <= 80 for line in lines)


def test_a_row_one_kernel_lacks_is_said(tmp_path: Path) -> None:
    """Not compared is not equal."""
    del tmp_path
    lines, found = kernel_diff.compare(
        {("readdir", "plain", "base"): figure(1)}, "base", "new", 1.0
    )
    assert not found
    assert "no trial" in lines[-1]
