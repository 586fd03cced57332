"""How long the suite itself takes: a default run by phase, --quick, the report, the imports of a run.

    python results/self/run_time.py RUN

RUN is a finished default run (its run.json knows its phases); the rest is measured now. Writes
run_time.txt and run_time.json beside this file.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
IMPORTS = (
    "import bench.commands.main, bench.run.local, bench.registry as r; r.daemons(); r.workloads()"
)
REPEATS = 9


def seconds(*argv: str) -> float:
    """Wall time of a command that must end well."""
    began = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def imports() -> float:
    """Median seconds that a run's imports add to a Python that starts and ends."""
    pairs = [
        (seconds(sys.executable, "-c", IMPORTS), seconds(sys.executable, "-c", "pass"))
        for _ in range(REPEATS)
    ]
    return statistics.median(with_them - without for with_them, without in pairs)


def main() -> int:
    """Measure, print, write."""
    run = Path(sys.argv[1])
    header = json.loads((run / "run.json").read_text())
    phases = header["phases"]
    report = seconds(sys.executable, "-m", "report", str(run))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench", "run", "--daemon", "passthrough", "--quick"]
        quick = seconds(*command, "--output", f"{folder}/run")
    inside = {"mount": 0.0, "worker": 0.0, "prepare": 0.0, "count": 0.0, "measure": 0.0}
    for line in (run / "trials.jsonl").read_text().splitlines():
        for name, taken in json.loads(line)["phases"].items():
            inside[name] = inside.get(name, 0.0) + taken
    rows = [
        ("default run, report not included", phases["total"], "s"),
        ("  with its report", phases["total"] + report, "s, bar 360"),
        ("  orchestration", 100 * phases["orchestration"] / phases["total"], "%, bar 5"),
        *((f"  {name}", phases[name], "s") for name in ("probe", "tree", "conformance", "trials")),
        *((f"    {name}", taken, "s") for name, taken in inside.items()),
        ("report alone", report, "s, bar 15"),
        ("--quick, report included", quick, "s, bar 60"),
        ("imports of a run", 1000 * imports(), "ms, bar 150"),
    ]
    kernel = header["environment"]["kernel_release"]
    text = f"$ python results/self/run_time.py RUN\nkernel {kernel}, {len(header['targets'])} targets\n\n"
    text += "".join(f"{name:<36}{value:>8.2f} {unit}\n" for name, value, unit in rows)
    print(text, end="")
    (HERE / "run_time.txt").write_text(text)
    figures = {name.strip(): round(value, 3) for name, value, _ in rows}
    (HERE / "run_time.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
