"""How long `bench --help` and a run's own imports take, held against a Python that does nothing.

    python results/self/help_time.py [TIMES]

CPU seconds of each process, in turn, the least of TIMES (default: 15): what else the machine does can
only add. Bars: --help below 80 ms, a run's own imports, without Python's start, below 150 ms.
Writes help_time.txt beside this file; exit 1 when a bar is missed.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMANDS: tuple[tuple[str, list[str], float | None], ...] = (
    ("python -c pass", ["-c", "pass"], None),
    ("bench --help", ["-m", "bench", "--help"], 80),
    ("bench run --help", ["-m", "bench", "run", "--help"], None),
    ("imports of a run", ["-c", "import bench.commands.run, bench.measure"], 150),
)


def cpu_ms(arguments: list[str]) -> float:
    """CPU milliseconds of one Python with these arguments."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> int:
    """Run all in turn, print, write."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    taken: dict[str, list[float]] = {name: [] for name, _, _ in COMMANDS}
    for _ in range(times):
        for name, arguments, _bar in COMMANDS:
            taken[name].append(cpu_ms(arguments))
    least = {name: min(found) for name, found in taken.items()}
    first = least[COMMANDS[0][0]]
    lines = [f"$ python results/self/help_time.py {times}", "CPU ms, least of each", ""]
    missed = 0
    for name, arguments, bar in COMMANDS:
        line = f"{name:20}{least[name]:7.0f}{least[name] / first:6.1f} x"
        if bar is not None:
            own = least[name] - (first if arguments[0] == "-c" else 0)
            missed += own >= bar
            line += f"   bar {bar:g} ms: {own:.0f}, {'missed' if own >= bar else 'met'}"
        lines.append(line)
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (HERE / "help_time.txt").write_text(text)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
