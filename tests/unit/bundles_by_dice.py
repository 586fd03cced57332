"""Bundles by dice: thousands of damaged and malicious ones, each given to ``bench verify``.

    python tests/unit/bundles_by_dice.py --cases 20000 --seed 7
    python tests/unit/bundles_by_dice.py --seed 7 --only 41       # one of them again

After each: nothing has changed outside the folder it was unpacked into and nothing stayed of that, the answer
is one line that can be printed and exit code 2, never a traceback; memory grew by no more than MOST_MEMORY,
and it took less than MOST_S of CPU time. The limits of what a bundle may unpack to are lowered, so that a
bomb is made in a moment. Exit code 1 if anything else was seen; Ctrl-C ends with what was played. Needs no
privilege.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from damaged_bundles import DAMAGES, Good
from fakes import make_run

from bench.commands import main as commands
from bench.model import Exit
from bench.results import bundle
from bench.results.store import RunDirectory

LARGEST, LARGEST_TEXT, MOST_MEMORY, MOST_S = 32 << 20, 1 << 18, 24 << 20, 20
NOWHERE = "no-such-run"
"""The run to compare with: a bundle that was taken ends at its name."""
TAKEN = f"bench: no run at {NOWHERE!r}"
LONGEST = 1000


@dataclass
class Case:
    """One bundle, and what was seen of it."""

    number: int
    damage: str
    answer: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def taken(self) -> bool:
        """It was unpacked."""
        return self.answer.startswith(TAKEN)


class Place:
    """A folder for bundles, with one that nobody is to write to, and a good run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.file = self.folder / "bundle.tar.gz"
        self.outside, self.tmp = self.folder / "outside", self.folder / "tmp"
        for path in (self.outside, self.tmp):
            path.mkdir()
        (self.outside / "kept").write_text("kept")
        self.files = self._good()

    def _good(self) -> Good:
        path = make_run(self.folder / "made", rows=1, trials=2)
        (path / "series").mkdir()
        (path / "series" / "readdir--warm--t1--passthrough-c:lookup@base.json").write_text("{}\n")
        bundle.pack(RunDirectory.open(path), self.file)
        shutil.rmtree(self.folder / "made")
        out = self.folder / "out"
        bundle.unpack(self.file, out)
        found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
        shutil.rmtree(out)
        files = Good(sorted(found.items()))
        files.outside = os.fsencode(self.outside)
        return files

    def seen(self) -> dict[str, tuple[int, int, bytes]]:
        """All there is below the folder: mode, links and content; the bundle itself left out."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if path != self.file:
                about = path.lstat()
                text = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                links = about.st_nlink if path.is_file() else 0
                found[str(path)] = about.st_mode, links, text
        return found


@contextlib.contextmanager
def placed() -> Iterator[Place]:
    """A place, with a lowered limit, where temporary folders are its own."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="bench-bundles-") as folder:
        place = Place(Path(folder))
        with (
            mock.patch.object(tempfile, "tempdir", str(place.tmp)),
            mock.patch.object(bundle, "LARGEST_BYTES", LARGEST),
            mock.patch.object(bundle, "LARGEST_TEXT", LARGEST_TEXT),
        ):
            os.chdir(place.folder)
            try:
                yield place
            finally:
                os.chdir(here)


def chosen(seed: int, number: int) -> tuple[Case, random.Random]:
    """The case of that number, the same whenever it is asked for, and the dice that make its bytes."""
    dice = random.Random(f"{seed}-{number}")
    return Case(number, dice.choice(list(DAMAGES))), dice


def peak() -> int:
    """The most memory this process has had since ``forget_peak``; 0 where the kernel does not say."""
    with contextlib.suppress(OSError, AttributeError):
        text = Path("/proc/self/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        return int(found[1]) << 10 if found else 0
    return 0


def forget_peak() -> int:
    """Begin anew with the peak; what is in memory now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Whatever takes more than MOST_S of CPU time ends: how long that is is the machine's affair."""

    def over(_number: int, _frame: object) -> None:
        raise AssertionError(f"no answer after {MOST_S} s of CPU time")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, MOST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def looked_at(case: Case, files: list[Path]) -> Callable[..., RunDirectory]:
    """``bundle.unpack``, after which what was unpacked is looked at."""
    unpack = bundle.unpack

    def unpacked(file: Path, directory: Path) -> RunDirectory:
        run = unpack(file, directory)
        for path in directory.rglob("*"):
            name = str(path.relative_to(directory))
            if path.is_symlink() or not (path.is_file() or name == "series"):
                case.wrong.append(f"unpacked {name!a}, which is no plain file")
            files.append(path)
        return run

    return unpacked


def answered(place: Place, case: Case) -> tuple[int | str, str]:
    """What ``bench verify`` says of the bundle: exit code or traceback, and all it has printed."""
    before = {number: signal.getsignal(number) for number in (1, 2, 15)}
    out, files = io.StringIO(), []
    words = ["verify", str(place.file), "--run", NOWHERE]
    code: int | str
    try:
        with (
            mock.patch.object(bundle, "unpack", looked_at(case, files)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
            impatient(),
        ):
            code = commands.main(words)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        code = f"{type(error).__name__}: {str(error)[:100]!a} at {frame.name}:{frame.lineno}"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code == Exit.USAGE and not files and TAKEN in out.getvalue():
        case.wrong.append("taken, but nothing was unpacked")
    return code, out.getvalue()


def play(place: Place, case: Case, dice: random.Random) -> Case:
    """Make the bundle, have it read, and look at what came of it."""
    place.file.write_bytes(DAMAGES[case.damage](dice, place.files))
    before, memory = place.seen(), forget_peak()
    code, said = answered(place, case)
    if code == Exit.INTERRUPTED:  # the one who plays was told to end
        raise KeyboardInterrupt
    grown = peak() - memory
    case.answer = said.strip().replace(str(place.file), "BUNDLE")
    lines = said.splitlines()
    if code != Exit.USAGE:
        case.wrong.append(f"exit code {code}" if isinstance(code, int) else f"traceback: {code}")
    elif len(lines) != 1 or not lines[0].startswith("bench: ") or not lines[0].isprintable():
        case.wrong.append(f"{len(lines)} lines: {said[:200]!a}")
    elif len(lines[0]) > LONGEST:
        case.wrong.append(f"a line of {len(lines[0])} characters: {said[:100]!a}")
    if grown > MOST_MEMORY:
        case.wrong.append(f"{grown >> 20} MiB of memory")
    if place.seen() != before:
        case.wrong.append(f"changed: {sorted(place.seen().items() ^ before.items())[:3]}")
    if case.taken != (case.damage == "as it was") and case.damage in MUST:
        case.wrong.append("taken" if case.taken else f"refused: {case.answer}")
    return case


MUST = {"as it was", "names outside", "links", "bomb", "many small bombs", "other sums", "deep"}
"""Kinds of which it is known whether they are to be taken: good ones alone."""


def campaign(seed: int, numbers: list[int], tell: Callable[[Case], None]) -> list[Case]:
    """Play the cases of these numbers, or those before Ctrl-C."""
    done = []
    with placed() as place, contextlib.suppress(KeyboardInterrupt):
        for number in numbers:
            done.append(play(place, *chosen(seed, number)))
            tell(done[-1])
    return done


def table(done: list[Case]) -> str:
    """Cases by kind of damage."""
    every = Counter(case.damage for case in done)
    taken = Counter(case.damage for case in done if case.taken)
    wrong = Counter(case.damage for case in done if case.wrong)
    lines = [f"{'damage':24}{'cases':>8}{'refused':>9}{'taken':>7}{'violations':>12}"]
    for name in (*DAMAGES, "all"):
        counts = [c.total() if name == "all" else c[name] for c in (every, taken, wrong)]
        lines.append(
            f"{name:24}{counts[0]:>8}{counts[0] - counts[1]:>9}{counts[1]:>7}{counts[2]:>12}"
        )
    return "\n".join(lines)


def main() -> int:
    """Play, tell each that went wrong as it does, then the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", type=int, help="this one alone")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def tell(case: Case) -> None:
        if case.wrong or asked.only is not None:
            words = "; ".join(case.wrong) or "ok"
            print(f"{case.number:6} {case.damage}: {words}\n       {case.answer[:200]}", flush=True)

    numbers = list(range(asked.cases)) if asked.only is None else [asked.only]
    done = campaign(asked.seed, numbers, tell)
    print(table(done))
    return 1 if any(case.wrong for case in done) else 0


if __name__ == "__main__":
    sys.exit(main())
