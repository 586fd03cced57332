"""What an instruction of each class costs in time, and how well that predicts workloads left out.

    python results/self/calibration.py COUNTED WALL...

COUNTED is a run on the instruction clock with --profile, WALL runs in wall time on one machine, all
of the same tree: rows on both are paired by workload, setting and target. Writes calibration.txt and
calibration.json beside this file; exit 1 when the errors are too large for predictions.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.report.studies import calibration
from bench.results.store import RunDirectory

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Pair, fit, leave out, print, write."""
    counted, *walls = [RunDirectory.open(Path(name)) for name in sys.argv[1:]]
    records = []
    for wall in walls:
        calibration.refuse_unlike(wall.header(), counted.header())
        records += [trial for trial in wall.trials() if trial["threads"] == 1]
    rows = calibration.pair(records, counted.path, counted.trials())
    found = calibration.backtest(rows)
    cpu = str(walls[0].header()["environment"].get("cpu_model", "this machine"))
    text = "\n".join([*calibration.lines(found, cpu), "", *calibration.row_lines(found)])
    print(text)
    (HERE / "calibration.txt").write_text(f"{text}\n")
    content = {
        "counted": counted.path.name,
        "wall": [wall.path.name for wall in walls],
        "ns": found.fit.ns,
        "median": found.median,
        "p90": found.p90,
        "trusted": found.trusted,
        "rows": [
            asdict(row) | {"error": error}
            for row, error in zip(found.rows, found.errors, strict=True)
        ],
    }
    (HERE / "calibration.json").write_text(json.dumps(content, indent=1) + "\n")
    return 0 if found.trusted else 1


if __name__ == "__main__":
    sys.exit(main())
