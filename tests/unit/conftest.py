"""What one unit test leaves behind is not the next one's, whichever that is in its process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.model import Clock
from bench.report import units


@pytest.fixture(autouse=True)
def _wall() -> Iterator[None]:
    """Values are times, until a test reads a run that says otherwise."""
    units.measure_in(Clock.WALL)
    yield
    units.measure_in(Clock.WALL)
