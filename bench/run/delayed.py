"""Runs of our C mirror as it is and held back by known times, and their rounds, pair by pair.

On ``getattr-storm/fd`` an operation makes one GETATTR, which is what is held back.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.model import Exit, Opcode, Outcome, UserError
from bench.results.record import TrialLine, times
from bench.results.store import RunDirectory

DAEMON, ROW, OPCODE = "plain-c", "getattr-storm/fd", Opcode.GETATTR
BASE_NS = 500_000
"""What the server that others are compared with holds back. Whatever follows a wait finds colder
caches: an operation took 6.36 us back to back, 6.58 after a wait of 1 us, 7.06 after 10, 7.44 after
100, 7.68 after 500, whether client or server waited. With 100 us as a base another 50 us were found
to be 50.16; beyond 500 us little but the wait itself grows."""
EXTRA_NS = (1_000, 2_000, 5_000, 10_000, 50_000)
DELAYS_NS = (BASE_NS, *(BASE_NS + extra_ns for extra_ns in EXTRA_NS))
FEW_FILES = "depth=1,branching=10,files_per_dir=10"
"""Names that are ready soon, each after some GETATTRs that are held back, too."""
ROUNDS = 10
"""Rounds of a run."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class DelayedTarget:
    """A target in one run: median seconds per operation, and wall time of the trial, by round."""

    delay_ns: int
    seconds: Mapping[int, float]
    took_s: Mapping[int, float]
    requests_per_op: float


Repeat = Mapping[str, DelayedTarget]
"""One run's arms by target; DAEMON is the server as it is."""


def measure(
    folder: Path, budget_s: float, say: Say = lambda _text: None, backing: Path | None = None
) -> list[Path]:
    """Runs with every delay below ``folder``, at least one, until another would not end in time."""
    made: list[Path] = []
    began = time.monotonic()
    while True:
        started = time.monotonic()
        number = len(made) + 1
        made.append(folder / f"delayed-{number:02}")
        make_run(made[-1], DELAYS_NS, ROUNDS, seed=number, backing=backing, tree=FEW_FILES)
        now = time.monotonic()
        took, spent = now - started, now - began
        say(f"run {number} with delays took {took:.0f} s; {spent:.0f} of {budget_s:.0f} s")
        if spent + took > budget_s:
            return made


def make_run(
    path: Path,
    delays_ns: Sequence[int],
    rounds: int,
    seed: int,
    backing: Path | None = None,
    tree: str = "tiny",
) -> None:
    """One run of DAEMON as it is and with every delay, in the directory ``path``.

    UserError if it does not end well, with its exit code.
    """
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--daemon",
        DAEMON,
        "--only",
        "--workload",
        ROW,
    ]
    for delay_ns in delays_ns:
        command += ["--delay", f"{OPCODE.name}={delay_ns}ns"]
    command += ["--tree", tree, "--trials", str(rounds), "--seed", str(seed), "--no-report"]
    command += ["--backing", os.fspath(backing)] if backing else []
    done = subprocess.run(
        [*command, "--quiet", "--output", os.fspath(path)], stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        known = done.returncode in {code.value for code in Exit}
        code = Exit(done.returncode) if known else Exit.BUG
        raise UserError(f"{path.name}: {lines[-1].removeprefix('bench: ')}", code)


def read(path: Path) -> Repeat:
    """The arms of a run of ``make_run``, or of any that has DAEMON on ROW, with delays or without."""
    records: dict[str, list[TrialLine]] = {}
    for record in RunDirectory.open(path).trials():
        row = f"{record['workload']}/{record['variant']}"
        whole = record["outcome"] == Outcome.OK and record["requests"] and times(record)
        if whole and record["daemon"] == DAEMON and row == ROW:
            records.setdefault(record["target"], []).append(record)
    return {target: _arm(own) for target, own in records.items()}


def _arm(records: Sequence[TrialLine]) -> DelayedTarget:
    counted = [record["requests"] for record in records if record["requests"]]
    requests = sum((one["kernel"] or one["server"] or {}).get(OPCODE.name, 0) for one in counted)
    return DelayedTarget(
        delay_ns=records[0]["delay_ns"].get(OPCODE.name, 0),
        seconds={one["round"]: statistics.median(times(one)) for one in records},
        took_s={one["round"]: sum(one["phases"].values()) for one in records},
        requests_per_op=requests / max(1, sum(one["ops"] for one in counted)),
    )


def held_back(repeat: Repeat, delay_ns: int) -> DelayedTarget:
    """The arm with that delay; for 0 the server under its own name."""
    if not delay_ns:
        return repeat[DAEMON]
    return next(arm for arm in repeat.values() if arm.delay_ns == delay_ns)


Pair = tuple[float, float, float]
"""A round of two arms: seconds per operation of the slower and the other, wall time of both trials."""


def pairs_of(repeats: Sequence[Repeat], delay_ns: int, base_ns: int = 0) -> list[Pair]:
    """The rounds of a delay and of the server held back for ``base_ns``, in the order of measuring."""
    pairs = []
    for repeat in repeats:
        base = held_back(repeat, base_ns)
        arms = [arm for arm in repeat.values() if arm.delay_ns == delay_ns and arm is not base]
        pairs += [
            (arm.seconds[n], base.seconds[n], arm.took_s[n] + base.took_s[n])
            for arm in arms
            for n in sorted(arm.seconds.keys() & base.seconds.keys())
        ]
    return pairs


def cut(
    pairs: Sequence[Pair], span_s: float
) -> list[tuple[dict[int, float], dict[int, float], float]]:
    """Spans of rounds that took ``span_s`` at most: series of both arms, and the wall time.

    What is left over at the end is no span, unless it is all there is.
    """
    spans: list[list[Pair]] = [[]]
    for pair in pairs:
        if spans[-1] and sum(took for *_, took in spans[-1]) + pair[2] > span_s:
            spans.append([])
        spans[-1].append(pair)
    whole = spans[:-1] or spans
    return [
        (
            {number: pair[0] for number, pair in enumerate(span)},
            {number: pair[1] for number, pair in enumerate(span)},
            sum(took for *_, took in span),
        )
        for span in whole
    ]
