"""``git bisect`` over a kernel tree, with a verdict on the instruction clock that can say skip.

The user's tree is not touched: the bisection has a worktree of its own, which is gone afterwards,
interrupted or not. `find` drives; `step` is what ``git bisect run`` calls at each revision.
"""

from __future__ import annotations

import enum
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.model import Exit, UserError
from bench.regression import where
from bench.regression.diff import Figure
from bench.regression.git import candidates, checked, commit, git, worktree

STEPS = "steps.jsonl"
"""In the output directory: one line per revision tried."""
JOB = "bisect.json"
BASE, TRIED = "good", "tried"
"""What the two kernels of a step are called."""

Figures = Mapping[tuple[str, str, str], Figure]
Say = Callable[[str], None]


class StepVerdict(enum.IntEnum):
    """Exit codes of a step, as git-bisect(1) has them."""

    GOOD = 0
    BAD = 1
    SKIP = 125
    ABORT = 255
    """128 and above end the bisection: a bug of ours must never count as a bad revision."""


@dataclass(frozen=True)
class StepJob:
    """What every step needs to know. Paths are absolute; ``threshold`` is in percent."""

    tree: str
    """The worktree that git checks revisions out in."""
    output: str
    daemon: str
    workloads: tuple[str, ...]
    threshold: float
    config: str | None = None
    base: str = ""
    """Key of the good revision's image."""

    def save(self) -> Path:
        """Write it where steps find it."""
        path = Path(self.output) / JOB
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> StepJob:
        """The inverse of save."""
        raw = json.loads(path.read_text())
        return cls(**{**raw, "workloads": tuple(raw["workloads"])})


Build = Callable[[StepJob], str]
"""Builds what the tree is at; returns the image's key. Raises UserError."""
Measure = Callable[[StepJob, str, Path], Figures]
"""(job, image, run directory) -> figures of both kernels. Raises UserError."""


@dataclass(frozen=True)
class BisectResult:
    """What a bisection came to: the revisions that may be the first bad one, oldest last."""

    candidates: tuple[str, ...]
    """One: it is the first bad revision. More: those between could not be decided."""
    steps: tuple[Mapping[str, object], ...]


def find(
    job: StepJob, source: Path, good: str, bad: str, command: Sequence[str], build: Build, say: Say
) -> BisectResult:
    """Bisect between two revisions; ``command`` is a step's command line without the job's file.

    Raises UserError when the revisions cannot be bisected, the good one does not build, or the bad
    one is not found to be bad: a bisection that begins with a mistake finds something all the same.
    """
    first, last = commit(source, good), commit(source, bad)
    if git(source, "merge-base", "--is-ancestor", first, last).returncode:
        raise UserError(f"{good} is no ancestor of {bad}: nothing to bisect between them")
    with worktree(source, Path(job.tree), last):
        say(f"building {good} ({first[:12]})")
        checked(job.tree, "checkout", "-q", "--detach", first)
        job = replace(job, base=_built(job, build, good))
        command = [*command, str(job.save())]
        checked(job.tree, "checkout", "-q", "--detach", last)
        say(f"trying {bad} ({last[:12]})")
        _refuse_not_bad(bad, _watched(command, job, say), job)
        checked(job.tree, "bisect", "start", last, first)
        code = _watched(["git", "bisect", "run", *command], job, say)
        if code not in (0, 2):  # 2: only skipped revisions are left
            raise UserError(f"git bisect run ended with {code}; see {job.output}", Exit.NOTHING)
        left = tuple(candidates(job.tree))
    return BisectResult(left, tuple(steps(Path(job.output))))


def _built(job: StepJob, build: Build, good: str) -> str:
    try:
        return build(job)
    except UserError as error:
        raise UserError(f"{good}: nothing to compare with: {error}", Exit.NOTHING) from None


def step(job_file: Path, build: Build, measure: Measure) -> int:
    """What ``git bisect run`` calls: the exit code for what the tree is at.

    What is no verdict must not look like one (Python ends a traceback with git's "bad").
    """
    try:
        return verdict_on(StepJob.load(job_file), build, measure)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception:
        traceback.print_exc()
        return StepVerdict.ABORT


def verdict_on(job: StepJob, build: Build, measure: Measure) -> StepVerdict:
    """Build, measure and judge what the tree is at now; the reason is written down."""
    output, revision = Path(job.output), commit(Path(job.tree), "HEAD")
    run = output / f"step-{len(list(steps(output))) + 1:02}"
    try:
        verdict, reason = judge(measure(job, build(job), run), job.threshold)
        if verdict is StepVerdict.BAD and (named := where.largest(run, BASE, TRIED)):
            reason += f"; {named}"
    except UserError as error:
        verdict, reason = StepVerdict.SKIP, str(error)
    line = {"revision": revision, "verdict": verdict.name.lower(), "reason": reason}
    with (output / STEPS).open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{revision[:12]} {line['verdict']}: {reason}", flush=True)
    return verdict


def judge(figures: Figures, threshold: float) -> tuple[StepVerdict, str]:
    """Good or bad only where the boots' spread leaves no doubt on which side of ``threshold`` %."""
    rows = sorted({key[:2] for key in figures})
    if not rows:
        return StepVerdict.SKIP, "nothing was measured"
    worst, doubt = (-100.0, ""), ""
    for row, target in rows:
        base, tried = (figures.get((row, target, label)) for label in (BASE, TRIED))
        if base is None or tried is None:
            doubt = f"{row} on {target}: no trial on one of the kernels is ok"
            continue
        change = 100 * (tried.instructions / base.instructions - 1)
        noise = 100 * max(base.spread, tried.spread)
        said = f"{row} on {target}: {change:+.2f} %, boots {noise:.2f} % apart"
        if change - noise > threshold:
            return StepVerdict.BAD, said
        if change + noise > threshold:
            doubt = said
        worst = max(worst, (change, said))
    if doubt:
        return StepVerdict.SKIP, f"undecided: {doubt}, threshold {threshold:g} %"
    return StepVerdict.GOOD, f"largest change {worst[1]}"


def steps(output: Path) -> Iterator[Mapping[str, object]]:
    """The steps that are written down."""
    with suppress(FileNotFoundError):
        for line in (output / STEPS).read_text().splitlines():
            yield json.loads(line)


def _watched(command: Sequence[str], job: StepJob, say: Say) -> int:
    """Run in the tree and pass on what it says; when we are interrupted, end it in order.

    In a session of its own, so that a Ctrl-C reaches it once and from us. Its output ends when the
    last of its processes has, git's step included: nothing is at work when the tree is removed.
    """
    root = Path(__file__).resolve().parents[2]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(
        command,
        cwd=job.tree,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                say(line.rstrip())
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.stdout.read()
            raise
    return process.returncode


def _refuse_not_bad(bad: str, code: int, job: StepJob) -> None:
    if code == StepVerdict.BAD:
        return
    last = list(steps(Path(job.output)))[-1:]
    reason = str(last[0]["reason"]) if last else f"the step ended with {code}; see {job.output}"
    raise UserError(
        f"{bad} is not found to be bad, so there is nothing to find: {reason}", Exit.NOTHING
    )


def command() -> list[str]:
    """A step's command line; ``-P``, as it runs in somebody else's tree."""
    return [sys.executable, "-P", "-m", "bench", "bisect", "--step"]
