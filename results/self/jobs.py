"""How much faster boots side by side are: one small matrix with --jobs 1 and with --jobs 2, in turn.

    python results/self/jobs.py [KERNEL [TURNS]]

On a quiet machine of two CPUs or more: whatever else runs takes a CPU from --jobs 2 alone. The bar is
1.8 times as fast. Targets are compared with their backing once, ahead of all; every run divides its
rounds alike, and gives the same trials. Writes jobs.txt beside this file; exit 1 when the bar is missed.
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
BAR = 1.8
MATRIX = (
    "--daemon", "plain-c", "--daemon", "passthrough-c", "--only", "--clock", "instructions",
    "--trials", "4", "--seed", "1", "--no-report", "--quiet", "--workload", "getattr-storm",
    "--workload", "list-stat", "--workload", "readdir", "--workload", "walk-find",
)  # fmt: skip


def seconds(kernel: str, jobs: int, output: Path) -> float:
    """Wall seconds of the whole command."""
    begin = time.monotonic()
    command = [sys.executable, "-m", "bench", "run", "--kernel", kernel, *MATRIX]
    subprocess.run([*command, "--jobs", str(jobs), "--output", str(output)], check=True)
    return time.monotonic() - begin


def trials(run: Path) -> list[tuple[str, int, str]]:
    """What was measured, whoever did it first."""
    lines = map(json.loads, (run / "trials.jsonl").read_text().splitlines())
    return sorted((one["series"], one["round"], one["outcome"]) for one in lines)


def main() -> int:
    """Run in turn, print, write."""
    kernel = sys.argv[1] if len(sys.argv) > 1 else "lab"
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    taken: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as folder:
        place = Path(folder)
        seconds(kernel, 2, place / "first")  # what is remembered, is
        for turn in range(turns):
            for jobs, found in taken.items():
                found.append(seconds(kernel, jobs, place / f"{jobs}-{turn}"))
        made = {json.dumps(trials(run)) for run in place.iterdir()}
        count = len(trials(place / "first"))
    ratios = [one / two for one, two in zip(taken[1], taken[2], strict=True)]
    ratio = statistics.median(ratios)
    text = "\n".join(
        [
            f"$ python results/self/jobs.py {kernel} {turns}",
            f"{count} trials in 4 rounds; the same in every run: {'yes' if len(made) == 1 else 'NO'}",
            *(
                f"--jobs {jobs}: " + ", ".join(f"{one:.0f} s" for one in taken[jobs])
                for jobs in taken
            ),
            f"--jobs 2 is {ratio:.2f} times as fast (bar {BAR}: {'met' if ratio >= BAR else 'missed'})",
        ]
    )
    print(text)
    (HERE / "jobs.txt").write_text(text + "\n")
    return 0 if ratio >= BAR and len(made) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
