"""A run on the wall clock has the machine to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine import alone
from bench.model import Clock, Exit, UserError

WALL, COUNTED = Clock.WALL.value, Clock.INSTRUCTIONS.value


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of the test's own."""
    monkeypatch.setenv(alone.VARIABLE, str(tmp_path / "lock"))
    return tmp_path / "lock"


@pytest.mark.parametrize(("first", "second"), [(WALL, WALL), (WALL, COUNTED), (COUNTED, WALL)])
def test_times_are_not_taken_beside_another_run(first: str, second: str) -> None:
    """Exit code 3: nothing is wrong with the command, it can only not be done now."""
    with alone.on_this_machine(first):
        with (
            pytest.raises(UserError, match="another run is measuring") as caught,
            alone.on_this_machine(second),
        ):
            pass
        assert caught.value.code is Exit.NOTHING
    with alone.on_this_machine(second):
        pass


def test_instructions_are_counted_beside_one_another() -> None:
    """The clock does not care."""
    with alone.on_this_machine(COUNTED), alone.on_this_machine(COUNTED):
        pass


def test_a_planted_link_is_not_followed(lock: Path, tmp_path: Path) -> None:
    """A file that a link points to is not locked either; the backing's own lock remains."""
    (tmp_path / "precious").write_text("thesis")
    lock.symlink_to(tmp_path / "precious")
    with alone.on_this_machine(WALL):
        assert (tmp_path / "precious").read_text() == "thesis"
