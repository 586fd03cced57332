"""Which comparisons of a run have a ratio whose interval is too wide; a program, as it takes NumPy.

python -m bench.report.precision RUN HALF_WIDTH        a JSON list of bench.axes.rowkey.RowKey.label
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.report import units
from bench.report.row import Row
from bench.report.rows import rows
from bench.stats.estimates import Estimate
from bench.stats.frame import Run, load


def wide(run: Run, half_width: float) -> list[str]:
    """Comparisons with a ratio, to any baseline, whose relative half width is above ``half_width``."""
    return [row.key.label for row in rows(run) if _is_wide(row, half_width)]


def _is_wide(row: Row, half_width: float) -> bool:
    ratios = [ratio for line in row.lines for ratio in line.ratios.values()]
    return any(_can_be_narrower(ratio) and not ratio.half_width <= half_width for ratio in ratios)


def _can_be_narrower(ratio: Estimate) -> bool:
    """More rounds bring nothing where none could be paired, or where every round is the same."""
    return ratio.known and "identical" not in ratio.note


def main(arguments: list[str]) -> int:
    """Print the list."""
    run = load(Path(arguments[0]))
    units.measure_in(run.about.get("clock"))
    print(json.dumps(wide(run, float(arguments[1]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
