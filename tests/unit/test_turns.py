"""A test that runs alone waits for the others, and they for it."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.turns import turn


def test_others_share_and_one_is_alone(tmp_path: Path) -> None:
    """Two begin together; who is alone begins when both have ended, and who comes later waits for it."""
    said: list[str] = []
    together = threading.Barrier(3, timeout=30)
    waits = threading.Event()

    def shares() -> None:
        with turn(tmp_path, alone=False):
            together.wait()
            assert waits.wait(30)
            said.append("shared")

    def alone() -> None:
        waits.set()
        with turn(tmp_path, alone=True):
            said.append("alone")
            late.start()
            late.join(0.2)
            said.append("still alone")

    def comes_late() -> None:
        with turn(tmp_path, alone=False):
            said.append("late")

    late = threading.Thread(target=comes_late)
    both = [threading.Thread(target=shares) for _ in range(2)]
    for one in both:
        one.start()
    together.wait()
    alone()
    for one in (*both, late):
        one.join(30)
    assert said == ["shared", "shared", "alone", "still alone", "late"]
