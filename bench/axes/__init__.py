"""What a run can have several of: one record for each axis, and the key of a row they make."""

from __future__ import annotations

from typing import Any

from bench.axes import rows, targets
from bench.axes.axis import Axis

OPTIONS: tuple[Axis[Any], ...] = (
    *(axis for axis in (*targets.AXES, *rows.AXES, rows.ORDER) if axis.group),
)
"""The axes that have an option, a matrix key and a setting."""
