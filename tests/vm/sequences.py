"""Sequences of system calls on what changes underneath, answered natively, plainly, and attached.

    python -m tests.vm.sequences --seconds 60 --seed 7 [--only N]

To be run as root on the lab kernel. Each sequence is drawn by the seed and its number, made on a
fresh tree on every party (tests/vm/parties.py), step by step; all must answer as the native
directory does, and leave the same trees, apart from what tests/vm/differences.py has a reason for.
A difference is shrunk, by replays of its prefix with steps left out, and printed. Exit code 1 then.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.mount import operations as do
from tests.vm import calls
from tests.vm.alphabet import BELOW, FILES, FOLDERS, ROOT, Pen, Step, furnish, perform
from tests.vm.differences import Case, documented
from tests.vm.parties import LEVELS, MIRROR, NATIVE, SWITCH, Party, Stage

STEPS = 14
REPLAYS = 40
"""Replays that one difference may cost before it is printed as short as it is then."""


def tree_below(side: do.Side) -> do.Result:
    """What is there in the end."""
    return do.tree(side)


def attach(side: do.Side) -> None:
    """Have the server asked while what it said at LOOKUP is still valid: its answer attaches."""
    for path in ((), *FOLDERS, *FILES, (b"s",)):
        calls.look_closely(side, path, calls.FORCE_SYNC)


def cast(long: bool, names: bool, readdir: bool) -> list[Party]:
    """Who answers a sequence: those with long timeouts may not know of new names at once."""
    stale = long and names
    levels = [level for level in LEVELS if not stale or level == "lookup"]
    mirror = [] if stale else [Party(MIRROR, long)]
    return [Party(NATIVE), *mirror, *(Party(level, long, readdir) for level in levels)]


@dataclass(frozen=True)
class Sequence:
    """Steps, and who takes part."""

    steps: tuple[Step, ...]
    parties: tuple[Party, ...]


def draw(seed: int, number: int) -> Sequence:
    """The sequence of this number."""
    random = Random(f"{seed}/{number}/cast")
    long, names, readdir = random.random() < 0.5, random.random() < 0.5, random.random() < 0.7
    steps = Pen(f"{seed}/{number}", names).steps(STEPS)
    return Sequence(tuple(steps), tuple(cast(long, names, readdir)))


class Performance:
    """One sequence, on every party side by side."""

    def __init__(self, stage: Stage, sequence: Sequence) -> None:
        self.sequence = sequence
        self.sides = {party: stage.sides(party) for party in sequence.parties}
        self.playing = list(sequence.parties)
        self.cases: list[Case] = []
        self.operations = 0

    def play(self) -> list[Case]:
        """Make the steps; the differences, in order."""
        for party, (below, above) in self.sides.items():
            furnish(below)
            if party.long and party.name == "attach-getattr":
                attach(above)
        for number, step in enumerate(self.sequence.steps, 1):
            self._compare(self.sequence.steps[:number], self._answers(step))
        for where in (0, 1):
            self._compare_trees(where)
        return self.cases

    def _answers(self, step: Step) -> dict[Party, do.Result]:
        self.operations += len(self.playing)
        where = 0 if step.where == BELOW else 1
        return {party: perform(self.sides[party][where], step) for party in self.playing}

    def _compare_trees(self, where: int) -> None:
        looking = Step((BELOW, "mount")[where], ROOT, tree_below, ())
        trees = {party: perform(self.sides[party][where], looking) for party in self.playing}
        self._compare((*self.sequence.steps, looking), trees)

    def _compare(self, steps: tuple[Step, ...], answers: dict[Party, do.Result]) -> None:
        native = answers[Party(NATIVE)]
        plain = next((value for party, value in answers.items() if party.name == MIRROR), None)
        for party, got in answers.items():
            if got != native:
                self.cases.append(Case(party, steps, native, got, plain))
                self.playing.remove(party)


def differing(native: object, got: object) -> str:
    """What differs, in few words; the same for the same kind of difference."""
    if isinstance(native, dict) and isinstance(got, dict):
        names = [name for name in {**native, **got} if native.get(name) != got.get(name)]
        return ", ".join(f"{n}: {got.get(n)} instead of {native.get(n)}" for n in names)
    return f"{got} instead of {native}"


def kind(case: Case) -> tuple[str, ...]:
    """Differences of one kind are shown once."""
    keys = "value"
    if isinstance(case.native, dict) and isinstance(case.got, dict):
        if case.step.call is not tree_below:
            keys = "+".join(k for k in case.native if case.native[k] != case.got.get(k))
    elif isinstance(case.native, str) or isinstance(case.got, str):
        keys = f"{case.native}:{case.got}" if isinstance(case.got, str) else f"{case.native}:ok"
        if not isinstance(case.native, str):
            keys = f"ok:{case.got}"
    return (case.party.name, str(case.party.long), case.step.call.__name__, keys)


def shrink(stage: Stage, case: Case) -> Case:
    """A sequence with the same kind of difference and as few steps as needed: suffixes, steps left out."""
    last = int(case.step.call is not tree_below)
    steps = list(case.steps if last else case.steps[:-1])
    budget = REPLAYS
    for length in (2, 4, 7):
        again = replay(stage, steps[-length:], case) if length < len(steps) else None
        if again:
            steps, case = steps[-length:], again
            break
    index = len(steps) - 1 - last
    while index >= 0 and budget:
        budget -= 1
        fewer = steps[:index] + steps[index + 1 :]
        again = replay(stage, fewer, case)
        if again:
            steps, case = fewer, again
        index -= 1
    return case


def replay(stage: Stage, steps: list[Step], case: Case) -> Case | None:
    """Whether these steps show a case of the same kind."""
    mirror = Party(MIRROR, case.party.long)
    parties = dict.fromkeys((Party(NATIVE), mirror, case.party))
    found = run(stage, Sequence(tuple(steps), tuple(parties)))[0]
    return next((one for one in found if kind(one) == kind(case)), None)


def run(stage: Stage, sequence: Sequence) -> tuple[list[Case], int]:
    """Play one sequence and clear the stage."""
    performance = Performance(stage, sequence)
    try:
        return performance.play(), performance.operations
    finally:
        stage.clear(list(performance.sides.values()))


def described(case: Case, number: int) -> str:
    """A difference as a person reads it."""
    lines = [f"{case.party}: {differing(case.native, case.got)}"]
    lines += [f"    {step}" for step in case.steps]
    if case.step.call is not tree_below:
        lines += [f"    natively: {case.native}", f"    {case.party}: {case.got}"]
    if case.party.name != MIRROR:
        lines.append(f"    plain-c: {case.plain if case.plain != case.native else 'as natively'}")
    return "\n".join([*lines, f"    (sequence {number})"])


@dataclass
class Tally:
    """What a number of sequences came to."""

    sequences: int = 0
    operations: int = 0

    def __post_init__(self) -> None:
        self.documented: Counter[str] = Counter()
        self.kinds: dict[tuple[str, ...], str] = {}
        self.times: Counter[tuple[str, ...]] = Counter()


def campaign(stage: Stage, seed: int, numbers: Iterator[int], tally: Tally) -> None:
    """Play sequences; each new kind of difference is shrunk and told once."""
    for number in numbers:
        found, operations = run(stage, draw(seed, number))
        tally.sequences += 1
        tally.operations += operations
        for case in found:
            reason = documented(case)
            if reason:
                tally.documented[reason] += 1
                continue
            tally.times[kind(case)] += 1
            if kind(case) not in tally.kinds:
                tally.kinds[kind(case)] = described(shrink(stage, case), number)
                print(tally.kinds[kind(case)], flush=True)


def numbers_for(seconds: float, count: int | None, only: int | None) -> Iterator[int]:
    """Numbers of sequences: one, so many, or until the time is over."""
    if only is not None:
        yield only
        return
    end = time.monotonic() + seconds
    for number in itertools.count():
        if number == count or (count is None and time.monotonic() >= end):
            return
        yield number


def main(arguments: list[str] | None = None) -> int:
    """By hand, or in a guest. Returns 0, or 1 with what differs."""
    parser = argparse.ArgumentParser(prog="tests.vm.sequences", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--count", type=int, help="so many sequences, however long they take")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", type=int)
    parser.add_argument("--folder", type=Path, default=Path("/run"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    before = SWITCH.read_text()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="sequences-", dir=options.folder) as name:
        Path(name).chmod(0o755)
        stage = Stage(Path(name))
        try:
            numbers = numbers_for(options.seconds, options.count, options.only)
            campaign(stage, options.seed, numbers, tally)
        finally:
            stage.close()
            SWITCH.write_text(before)
    print(f"{tally.sequences} sequences, {tally.operations} operations, seed {options.seed}:"
          f" {len(tally.kinds)} kinds of difference")  # fmt: skip
    for reason, count in tally.documented.most_common():
        print(f"  {count} documented: {reason}")
    if options.json:
        options.json.write_text(json.dumps({
            "sequences": tally.sequences, "operations": tally.operations,
            "documented": tally.documented, "differences": list(tally.kinds.values()),
        }))  # fmt: skip
    return 1 if tally.kinds else 0


if __name__ == "__main__":
    sys.exit(main())
