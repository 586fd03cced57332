"""Knobs: told, set, and put back by a process of their own; on files of the test's own here."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from bench.machine import knobs, tune
from bench.machine.knobs import Knob


@pytest.fixture
def knob(tmp_path: Path) -> Knob:
    """Two files that should say performance; one does."""
    for number, value in enumerate(("powersave", "performance")):
        (tmp_path / f"governor{number}").write_text(f"{value}\n")
    return Knob("governor", f"{tmp_path}/governor[0-9]", "performance", "why it matters")


def values(knob: Knob) -> list[str]:
    """What the files say now."""
    return [path.read_text().strip() for path in knobs.states([knob])[0].files]


def test_a_knob_is_told_with_value_wish_and_command(knob: Knob) -> None:
    """All that a person needs to set it by hand."""
    (state,) = knobs.states([knob])
    assert state.found == "powersave/performance"
    assert not state.good
    text = knobs.human([state])
    assert "should be" in text
    assert "why it matters" in text
    assert f"echo performance | tee {knob.pattern}" in text


def test_a_knob_that_is_not_here_asks_for_nothing(tmp_path: Path) -> None:
    """Most virtual machines have no governor."""
    (state,) = knobs.states([Knob("x", f"{tmp_path}/none", "1", "y")])
    assert state.good
    assert state.found == "not here"
    assert "change" not in knobs.human([state])


def test_every_knob_fits_a_terminal() -> None:
    """Under 80 columns, whatever this machine has; the commands may be as long as their paths."""
    lines = knobs.human(knobs.states()).splitlines()
    assert max(len(line) for line in lines if "/sys/" not in line and "/proc/" not in line) < 80


def test_what_is_set_is_put_back(knob: Knob, tmp_path: Path) -> None:
    """One record per file that was changed; nothing is left of the journal."""
    with tune.applied([knob], tmp_path / "journals") as changed:
        assert values(knob) == ["performance", "performance"]
        (entry,) = changed
        assert (entry["before"], entry["after"], entry["refused"]) == (
            "powersave",
            "performance",
            "",
        )
    assert values(knob) == ["powersave", "performance"]
    assert not list((tmp_path / "journals").iterdir())


def test_it_is_put_back_after_an_error_too(knob: Knob, tmp_path: Path) -> None:
    """Knobs are put back after an error, Ctrl-C included."""
    with pytest.raises(KeyboardInterrupt), tune.applied([knob], tmp_path / "journals"):
        raise KeyboardInterrupt
    assert values(knob) == ["powersave", "performance"]


def test_what_somebody_else_changed_since_is_left(knob: Knob, tmp_path: Path) -> None:
    """A value that somebody else has set since is newer than ours."""
    with tune.applied([knob], tmp_path / "journals"):
        (tmp_path / "governor0").write_text("schedutil\n")
    assert values(knob) == ["schedutil", "performance"]


def test_a_knob_for_people_is_not_touched(knob: Knob, tmp_path: Path) -> None:
    """A knob for people is shown, with its command, and left."""
    theirs = Knob(knob.name, knob.pattern, knob.wanted, knob.why, ours=False, command="do it")
    with tune.applied([theirs], tmp_path / "journals") as changed:
        assert changed == []
        assert values(theirs) == ["powersave", "performance"]


def test_a_journal_cut_short_puts_back_what_it_holds(tmp_path: Path) -> None:
    """A line is on disk before its knob is touched: half a line means it was not."""
    (tmp_path / "governor0").write_text("powersave\n")
    entry = {"path": str(tmp_path / "governor0"), "before": "ondemand", "after": "powersave"}
    journal = tmp_path / "1.jsonl"
    journal.write_text(json.dumps(entry) + '\n{"path": "/sys/dev')
    assert tune.restore(journal) == [f"{tmp_path}/governor0: ondemand again"]
    assert not journal.exists()


def test_journals_of_runners_that_are_gone_are_stale(tmp_path: Path) -> None:
    """Journals whose lock is held are not stale, whatever their numbers are."""
    (tmp_path / "1.jsonl").touch()
    with (tmp_path / "99999999.jsonl").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert tune.stale(tmp_path) == [tmp_path / "1.jsonl"]


def test_nothing_asked_nothing_done(tmp_path: Path) -> None:
    """Without knobs there is neither journal nor guardian."""
    with tune.applied([], tmp_path / "journals") as changed:
        assert changed == []
    assert not (tmp_path / "journals").exists()
