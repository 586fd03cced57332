"""Finds and removes what a run that was killed left behind; the counterpart of bench.machine.isolate."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from bench.machine import isolate, mountinfo, tune
from bench.requests.sources import remove_stale_instances

HALF_WRITTEN = "*.part"


def clean(results: Path, backing: Path, *, dry_run: bool, trees: bool) -> Iterator[str]:
    """Do (or, with ``dry_run``, only say) what is needed; yields one line per thing found.

    Processes belong to a run when they carry its marker in their environment, and are left over
    when the runner that the marker names is gone. They are killed by pid.
    """
    verb = "would remove" if dry_run else "removed"
    found = False
    for pid, name in orphans():
        found = True
        if not dry_run:
            os.kill(pid, signal.SIGKILL)
        yield f"{'would kill' if dry_run else 'killed'} process {pid} ({name})"
    for path in mounts():
        found = True
        if not dry_run:
            isolate.umount(path, lazy=True)
        yield f"{'would unmount' if dry_run else 'unmounted'} {path}"
    for journal in tune.stale():
        found = True
        if dry_run:
            yield from (f"would put back {entry['path']}" for entry in tune.entries(journal))
        else:
            yield from tune.restore(journal)
    for path in leftovers(results, backing, trees):
        found = True
        if not dry_run:
            _remove(path)
        yield f"{verb} {path}"
    if not dry_run:
        for instance in remove_stale_instances():
            found = True
            yield f"removed tracefs instance {instance}"
    if not found:
        yield "nothing to clean"


def orphans() -> list[tuple[int, str]]:
    """(pid, command) of processes whose runner is gone."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            name = (entry / "comm").read_text().strip()
        except OSError:
            continue
        runner = _marker(variables)
        if runner and not _alive(runner):
            found.append((int(entry.name), name))
    return found


def mounts() -> list[Path]:
    """Mounts of ours visible from here: there are none unless a namespace could not be had."""
    return [entry.mountpoint for entry in mountinfo.under(isolate.RUNTIME)]


def leftovers(results: Path, backing: Path, trees: bool) -> list[Path]:
    """Half-written files, mountpoint folders of runs that are gone, and the trees if asked for."""
    found = sorted(results.glob(f"*/*/**/{HALF_WRITTEN}"))
    found += [
        folder for folder in sorted(isolate.RUNTIME.glob("*")) if not _is_runner(int(folder.name))
    ]
    if trees and backing.is_dir():
        found.append(backing)
    return found


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _marker(variables: list[bytes]) -> str:
    prefix = f"{isolate.MARKER}=".encode()
    marks = [one.removeprefix(prefix) for one in variables if one.startswith(prefix)]
    return marks[0].decode(errors="replace") if marks else ""


def _alive(runner: str) -> bool:
    pid, _, start = runner.partition(".")
    try:
        # Versions before told the number alone: what they run is not to be killed either.
        return pid.isdigit() and (isolate.identity(int(pid)) == runner or not start)
    except OSError:
        return False


def _is_runner(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"bench" in command or any(part.endswith(b"/bench/__main__.py") for part in command)
