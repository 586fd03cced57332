"""A published run judged by another: by ratios, on any machine, with the doubt left in."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edits import Json, about, changed, slower
from fakes import make_run

from bench.commands import verify
from bench.commands.main import main
from bench.comparison.__main__ import main as analyse
from bench.machine import environment
from bench.model import Exit, UserError
from bench.plan.settings import Settings
from bench.results import bundle
from bench.results.store import RunDirectory
from workloads import tree

CONFIRMED, CONTRADICTED, CANNOT_TELL = 0, 1, 3
KNOBS: Json = {"rows": 4, "trials": 8, "noise": 0.05, "troubles": False}


def pair(tmp_path: Path, **knobs: Any) -> tuple[Path, Path]:
    """A published run and one of our own, of the same kind and other samples."""
    asked = KNOBS | knobs
    return (
        make_run(tmp_path / "theirs", seed=1, **asked),
        make_run(tmp_path / "ours", seed=2, **asked),
    )


def verified(
    capsys: pytest.CaptureFixture[str], theirs: Path, ours: Path, *argv: str
) -> tuple[int, Json]:
    """Judge as JSON; (exit code, the object)."""
    code = analyse(["verify", str(theirs), "--run", str(ours), "--json", *argv])
    return code, json.loads(capsys.readouterr().out)


def times(factor: float) -> Callable[[Json], None]:
    """Another machine: everything takes so many times as long."""
    return slower(factor, "")


def test_another_machine_confirms_by_ratios(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All times double, all ratios stay: confirmed, and in what the machines differ is named."""
    theirs, ours = pair(tmp_path)
    about(changed(ours, times(2.0)), "environment.cpu_model", "Other CPU")
    code, made = verified(capsys, theirs, ours)
    assert code == CONFIRMED
    assert made["answer"] == "confirmed"
    assert "CPU model: Fake CPU and Other CPU" in made["differences"]
    pairs = {(row["target"], row["baseline"]) for row in made["rows"]}
    assert pairs == {("plain", "native"), ("passthrough", "plain")}
    assert len(made["rows"]) == 4 * 2


def test_one_ratio_that_differs_contradicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The row is named; the others are confirmed all the same. A wider margin swallows it."""
    theirs, ours = pair(tmp_path)
    changed(ours, slower(1.5, "getattr-storm--fd--warm--t1--passthrough"))
    code, made = verified(capsys, theirs, ours)
    assert code == CONTRADICTED
    wrong = [row for row in made["rows"] if row["answer"] == "contradicted"]
    assert [(row["group"], row["target"]) for row in wrong] == [
        ("getattr-storm--fd--warm--t1--to0-0--same", "passthrough")
    ]
    assert verified(capsys, theirs, ours, "--margin", "80")[0] == CONFIRMED


@pytest.mark.parametrize("knobs", [{"noise": 2.0}, {"trials": 2}, {"constant": True}])
def test_what_decides_nothing_is_said_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], knobs: Json
) -> None:
    """Noise, too few rounds, values without spread: neither confirmed nor contradicted."""
    code, made = verified(capsys, *pair(tmp_path, **knobs))
    assert code == CANNOT_TELL
    assert "contradicted" not in {row["answer"] for row in made["rows"]}


def test_of_several_kernels_the_patch_is_what_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each target by itself on the first kernel, beside its baseline on its own kernel."""
    names = {"native": "native@base", "plain": "plain@base", "passthrough": "plain@patched"}
    theirs, ours = pair(tmp_path, names=names, effect=0.5, rows=1)
    for run in (theirs, ours):
        about(run, "kernels", [{"label": "base"}, {"label": "patched"}])
        header = json.loads((run / "run.json").read_text())
        header["targets"][2]["level_asked"] = "none"
        (run / "run.json").write_text(json.dumps(header))
    code, made = verified(capsys, theirs, ours)
    answers = {(row["target"], row["baseline"]): row["answer"] for row in made["rows"]}
    assert answers == {
        ("plain@base", "native@base"): "confirmed",
        ("plain@patched", "plain@base"): "confirmed",
    }
    assert code == CONFIRMED


def test_another_level_is_another_experiment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A kernel that passes less through contradicts nobody."""
    theirs, ours = pair(tmp_path)
    changed(ours, slower(3.0, "--passthrough"))
    changed(ours, lambda one: one["target"] == "passthrough" and one.update(level="none"))
    code, made = verified(capsys, theirs, ours)
    assert code == CANNOT_TELL
    notes = {row["note"] for row in made["rows"] if row["answer"] == "cannot tell"}
    assert notes == {"passthrough: level rw there, none here"}


def test_what_was_not_measured_here_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed baseline takes its ratios with it."""
    theirs, ours = pair(tmp_path, rows=1)
    failed = {"outcome": "failed", "reason": "mount refused", "values": []}
    changed(ours, lambda one: one["target"] == "plain" and one.update(failed))
    code, made = verified(capsys, theirs, ours)
    assert code == CANNOT_TELL
    assert all(
        row["note"] == "plain: not measured here (8 of 8 trials lost: mount refused)"
        for row in made["rows"]
    )


@pytest.mark.parametrize(("key", "value"), [("clock", "instructions"), ("tree.hash", "cd34")])
def test_a_run_of_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: str
) -> None:
    """Another clock, another tree: exit 2, one line."""
    theirs, ours = pair(tmp_path, rows=1)
    about(ours, key, value)
    assert analyse(["verify", str(theirs), "--run", str(ours)]) == Exit.USAGE
    assert "is no rerun of" in capsys.readouterr().err


def test_a_run_does_not_confirm_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The samples of the bundle are no second measurement."""
    theirs, _ = pair(tmp_path, rows=1)
    assert analyse(["verify", str(theirs), "--run", str(theirs)]) == Exit.USAGE
    assert "confirms nothing" in capsys.readouterr().err


def test_text_is_narrow_and_ends_with_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Long names on lines of their own."""
    theirs, ours = pair(tmp_path, names={"passthrough": "passthrough-c:attach-getattr:no-readdir"})
    analyse(["verify", str(theirs), "--run", str(ours)])
    out = capsys.readouterr().out.replace(str(ours), "ours")
    assert all(len(line) < 80 for line in out.splitlines())
    assert out.isascii()
    assert out.rstrip().endswith("answer: confirmed (margin 10 %)")


def test_from_the_bundle_to_the_exit_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """``bench verify BUNDLE --run RUN`` measures nothing and needs no privilege."""
    theirs, ours = pair(tmp_path, rows=1)
    bundle.pack(RunDirectory.open(theirs), tmp_path / "b.tar.gz")
    assert main(["verify", str(tmp_path / "b.tar.gz"), "--run", str(ours)]) == CONFIRMED
    assert "answer: confirmed" in capfd.readouterr().out
    assert main(["verify", str(tmp_path / "none"), "--run", str(ours)]) == Exit.USAGE


def asked(**given: Any) -> argparse.Namespace:
    """The command line of verify."""
    words: Json = {"bundle": "b.tar.gz", "kernel": None, "backing": None, "trials": None}
    return argparse.Namespace(**(words | given))


def header(**settings: Any) -> Json:
    """run.json of a run with these settings."""
    chosen = Settings(**settings)
    spec = tree.parse_tree(chosen.tree).as_mapping()
    return {"settings": chosen.to_json(), "tree": dict(spec)}


def test_their_settings_are_run_again() -> None:
    """All of them, seed included; rounds, backing, knobs and images are this machine's to choose."""
    theirs = header(tree="tiny", seed=42, kernels=("base=old", "lab"), trials=5, tune=True)
    ours = verify.settings_like(
        theirs, asked(kernel=["base=new/bzImage"], backing="/mnt", trials=20)
    )
    expected = Settings(
        tree="tiny", seed=42, kernels=("base=new/bzImage", "lab"), trials=20, backing="/mnt"
    )
    assert ours == expected
    as_they_are = Settings.from_json({**theirs["settings"], "tune": False})
    assert verify.settings_like(theirs, asked()) == as_they_are


def test_a_bundle_does_not_choose_a_directory_of_this_machine() -> None:
    """Where their tree lay is said; where ours is to lie is asked."""
    theirs = header(tree="tiny", backing="/mnt/theirs") | {"backing": {"filesystem": "ext4"}}
    with pytest.raises(UserError, match=r"/mnt/theirs \(ext4\): name a directory of yours"):
        verify.settings_like(theirs, asked())
    assert verify.settings_like(theirs, asked(backing="/mnt/ours")).backing == "/mnt/ours"


def test_a_run_that_cannot_be_had_here_is_refused() -> None:
    """Another tree of the same name, a kernel they did not have, settings nobody knows."""
    other = header(tree="tiny")
    other["tree"]["hash"] = "cd34"
    with pytest.raises(UserError, match="tree tiny is cd34 there"):
        verify.settings_like(other, asked())
    with pytest.raises(UserError, match="no such kernel; it has lab"):
        verify.settings_like(header(kernels=("lab",)), asked(kernel=["base=x"]))
    with pytest.raises(UserError, match="does not know: colour"):
        verify.settings_like({"settings": {"colour": 1}, "tree": {}}, asked())
    with pytest.raises(UserError, match="no settings or no tree"):
        verify.settings_like({"tree": {}}, asked())


def test_another_kernel_is_said_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said is this machine's release and CPU, and the image of guests."""
    theirs = {"environment": {"kernel_release": "0.1", "cpu_model": environment.cpu_model()}}
    said = verify.other_here(theirs, Settings())
    assert said == [f"kernel: 0.1 there, {os.uname().release} here"]
    (tmp_path / "bzImage").touch()
    kernels = {"kernels": [{"label": "lab", "image": "b3e1"}]}
    settings = Settings(kernels=(f"lab={tmp_path / 'bzImage'}",))
    assert verify.other_here(kernels, settings) == ["kernel lab: b3e1 there, bzImage here"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UserError, match="no kernel 'lab'"):
        verify.other_here(kernels, Settings(kernels=("lab",)))
