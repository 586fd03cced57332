"""Sets the machine's knobs for the time of a run, and has them put back whatever becomes of the run.

A guardian, a process of its own, holds the other end of a pipe: when the run ends, by itself, by
Ctrl-C or by SIGKILL, the pipe closes, and the guardian writes every old value back. It works from a
journal that is on disk before a knob is touched, so that ``bench clean`` can do the same should the
guardian be killed too. After a crash of the machine the kernel has its own defaults again.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.machine import own, runs
from bench.machine.knobs import KNOBS, Knob, states

JOURNALS = Path("/run/fuse-passthrough-bench-tune")
"""One journal per run, named by the run and locked by runner and guardian; gone once everything is back."""


@contextmanager
def applied(
    knobs: Sequence[Knob] = KNOBS, journals: Path = JOURNALS
) -> Iterator[list[dict[str, Any]]]:
    """Set what is ours to set; yields one record per file: knob, before, after, and why not if not.

    Without ``knobs`` nothing is set and nothing guarded.
    """
    if not knobs:
        yield []
        return
    own.make(journals)
    journal = journals / f"{runs.name()}.jsonl"
    lock = own.open_in(journals, journal.name, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    guardian = subprocess.Popen(
        [sys.executable, "-m", "bench.machine.tune", str(journal)],
        stdin=subprocess.PIPE,
        pass_fds=(lock,),  # it holds the lock, too
        start_new_session=True,  # a Ctrl-C on the terminal must not reach it
        cwd=Path(__file__).parents[2],
    )
    assert guardian.stdin is not None
    try:
        yield [
            record for state in states(knobs) for record in _set(state.knob, state.files, journal)
        ]
    finally:
        guardian.stdin.close()
        guardian.wait()
        os.close(lock)


def _set(knob: Knob, files: Sequence[Path], journal: Path) -> Iterator[dict[str, Any]]:
    for path in files if knob.ours and knob.wanted else ():
        before = path.read_text().strip()
        if before == knob.wanted:
            continue
        entry = {"path": str(path), "before": before, "after": knob.wanted}
        _append(journal, entry)
        try:
            path.write_text(knob.wanted)
            refused = "" if path.read_text().strip() == knob.wanted else "the kernel kept its own"
        except OSError as error:
            refused = error.strerror or str(error)
        yield {"knob": knob.name, **entry, "refused": refused}


def _append(journal: Path, entry: dict[str, str]) -> None:
    with journal.open("a") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def restore(journal: Path) -> list[str]:
    """Put back what a journal says was changed, last first, and remove it; one line per file.

    A file that holds neither the old nor our value was changed by somebody else since: it is left.
    """
    said = []
    for entry in reversed(entries(journal)):
        path, before, after = Path(entry["path"]), entry["before"], entry["after"]
        try:
            if path.read_text().strip() == after != before:
                path.write_text(before)
                said.append(f"{path}: {before} again")
        except OSError as error:
            said.append(f"{path}: cannot be put back to {before}: {error.strerror}")
    journal.unlink(missing_ok=True)
    return said


def entries(journal: Path) -> list[dict[str, str]]:
    """Whole lines of a journal; of one cut short the knob was not touched yet."""
    found = []
    for line in journal.read_text().splitlines() if journal.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def stale(journals: Path = JOURNALS) -> list[Path]:
    """Journals whose runner is gone, and whose guardian, which would have removed it, is too."""
    return [path for path in sorted(journals.glob("*.jsonl")) if not _locked(path)]


def _locked(path: Path) -> bool:
    """Whether anybody holds a journal's lock: a process number says nothing in another namespace."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def guard(journal: Path) -> int:
    """The guardian: wait until the runner lets go of the pipe, then put everything back."""
    while os.read(0, 4096):
        pass
    for line in restore(journal):
        if "cannot" in line:
            print(f"bench: {line}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(guard(Path(sys.argv[1])))
