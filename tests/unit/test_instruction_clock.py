"""Windows on the instruction clock begin alike, so that two boots of a kernel count alike."""

from __future__ import annotations

import pytest

from bench import worker


@pytest.mark.parametrize(
    ("now_ns", "slept_s"), [(0, 0.1), (250_000_000, 0.05), (1_199_999_999, 1e-9)]
)
def test_a_window_waits_for_the_next_tenth_of_a_second(
    now_ns: int, slept_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of a second is a whole number of timer ticks at 100, 250, 300 and 1000 Hz."""
    slept: list[float] = []
    monkeypatch.setattr("time.monotonic_ns", lambda: now_ns)
    monkeypatch.setattr("time.sleep", slept.append)
    worker.align()
    assert slept == [pytest.approx(slept_s)]
    assert all(worker.ALIGN_NS * hz % 1_000_000_000 == 0 for hz in (100, 250, 300, 1000))
