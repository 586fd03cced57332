"""A bisection over a repository whose file ``cost`` stands for its kernel: no build, no boot.

fake_step.py JOB                            what ``git bisect run`` calls
fake_step.py find SOURCE OUTPUT GOOD BAD    a whole bisection, to be interrupted
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from bench.model import UserError
from bench.regression import bisect
from bench.regression.bisect import BASE, TRIED, Figures, StepJob
from bench.regression.diff import Figure

COMMAND = (sys.executable, __file__)


def build(job: StepJob) -> str:
    """The file's content is the key of the image; ``broken`` does not build, ``hang`` never ends."""
    cost = (Path(job.tree) / "cost").read_text().strip()
    if cost == "broken":
        raise UserError("compile: error: expected ';'")
    if cost == "hang":
        try:
            print("step hangs", flush=True)
            signal.pause()
        finally:
            (Path(job.output) / "ended").touch()
    if cost == "bug":
        raise RuntimeError("a bug of the step")
    return cost


def measure(job: StepJob, image: str, _run: Path) -> Figures:
    """A key of ``1010~2.5`` is a kernel of 1010 instructions whose boots are 2.5 % apart."""
    return {
        ("getattr-storm/path", "plain-c", label): figure(key)
        for label, key in ((BASE, job.base), (TRIED, image))
    }


def figure(key: str) -> Figure:
    """What a kernel costs."""
    cost, _, spread = key.partition("~")
    half = float(cost) * float(spread or 0) / 200
    return Figure({0: float(cost) - half, 1: float(cost) + half}, 1.0, "none")


def job_of(output: Path) -> StepJob:
    """A job whose worktree lies in the output directory."""
    return StepJob(str(output / "tree"), str(output), "plain-c", ("getattr-storm",), 1.0)


def interrupt(_number: int, _frame: object) -> None:
    """As the command line does on SIGTERM and SIGINT."""
    raise KeyboardInterrupt


def main(argv: list[str]) -> int:
    """One step, or a whole bisection."""
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # inherited as ignored by what runs in background
        signal.signal(number, interrupt)
    if argv[0] != "find":
        return bisect.step(Path(argv[0]), build, measure)
    source, output, good, bad = argv[1:]
    job = job_of(Path(output))

    def say(line: str) -> None:
        print(line, flush=True)

    bisect.find(job, Path(source), good, bad, COMMAND, build, say)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
