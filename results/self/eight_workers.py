"""Eight workers of a scheduler on this machine boot real guests: what they make is what one job makes.

    python results/self/eight_workers.py [KERNEL]

For correctness, not for speed: two CPUs have four guests each to look after. Eight boots of two rows on
two targets, once with --jobs 1, once over eight workers with the same seed. Trials must be the same, each
there once, with the same requests, and windows as like as those of two boots are. Writes
eight_workers.txt beside this file; exit 1 when something differs.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORKERS = 8
APART = 0.0005
MATRIX = (
    "--daemon", "plain-c", "--daemon", "passthrough-c", "--only", "--clock", "instructions",
    "--trials", str(WORKERS), "--seed", "5", "--no-report", "--workload", "getattr-storm/fd",
    "--workload", "lookup-cold",
)  # fmt: skip


def run(kernel: str, output: Path, *more: str) -> float:
    """Seconds of the whole command."""
    begin = time.monotonic()
    command = [sys.executable, "-m", "bench", "run", "--kernel", kernel, *MATRIX, *more]
    done = subprocess.run(
        [*command, "--output", str(output)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return time.monotonic() - begin


def trials(path: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Lines by series and round."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for text in (path / "trials.jsonl").read_text().splitlines():
        line = json.loads(text)
        found.setdefault((line["series"], line["round"]), []).append(line)
    return found


def over_workers(kernel: str, folder: Path) -> float:
    """Seconds of a run over the workers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["-m", "dask", "scheduler", "--host", "127.0.0.1", "--no-dashboard", "--port"]
    started = [subprocess.Popen([sys.executable, *scheduler, str(port)], stderr=subprocess.DEVNULL)]
    said = [folder / f"worker-{number}" for number in range(WORKERS)]
    try:
        for file in said:
            with file.open("wb") as log:
                worker = [sys.executable, "-m", "bench", "worker", address, "--boots", "1"]
                worker += ["--host", "127.0.0.1"]
                started.append(subprocess.Popen(worker, cwd=ROOT, stdout=log, stderr=log))
        while not all(file.stat().st_size for file in said):
            time.sleep(0.2)
        seconds = run(kernel, folder / "eight", "--scheduler", address)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)
    return seconds


def main() -> int:
    """Run both ways, compare, print, write."""
    kernel = sys.argv[1] if len(sys.argv) > 1 else "lab"
    with tempfile.TemporaryDirectory(prefix="bench-eight-") as place:
        folder = Path(place)
        alone_s = run(kernel, folder / "one", "--jobs", "1")
        eight_s = over_workers(kernel, folder)
        one, eight = trials(folder / "one"), trials(folder / "eight")
    wrong = [f"{key}: in one of the runs alone" for key in one.keys() ^ eight.keys()]
    ratios = []
    for key in one.keys() & eight.keys():
        (mine, *_), (other, *again) = one[key], eight[key]
        wrong += [f"{key}: there {len(again) + 1} times"] if again else []
        for what in ("outcome", "seed", "loops", "requests", "position"):
            if mine[what] != other[what]:
                wrong.append(f"{key}: {what}: {mine[what]} and {other[what]}")
        pairs = zip(mine["values"], other["values"], strict=True)
        ratios.append(statistics.median(two / first for first, two in pairs))
        if abs(ratios[-1] - 1) > APART:
            wrong.append(f"{key}: windows {100 * (ratios[-1] - 1):+.3f} % apart")
    far = max(abs(ratio - 1) for ratio in ratios)
    text = "\n".join(
        [
            f"$ python results/self/eight_workers.py {kernel}",
            f"{os.cpu_count()} CPUs, {WORKERS} workers of one boot each, {WORKERS} boots",
            "",
            f"trials                            {len(eight)} of {len(one)}, each once",
            f"windows by those of --jobs 1      {100 * far:.3f} % apart at most, bar {100 * APART:g} %",
            f"seconds                           {alone_s:.0f} with --jobs 1, {eight_s:.0f} over the workers",
            f"different                         {len(wrong)}",
            *wrong,
            "",
        ]
    )
    print(text, end="")
    (HERE / "eight_workers.txt").write_text(text)
    return 1 if wrong or far > APART else 0


if __name__ == "__main__":
    sys.exit(main())
