"""Finds and removes what a run that was killed left behind; the counterpart of bench.machine.isolate."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from bench.machine import isolate, mountinfo, own, runs, stacks, tune
from bench.model import UserError
from bench.mounts import backing
from bench.mounts.mount import abort_connection
from bench.requests import sources

HALF_WRITTEN = "*.part"
END_S = 5.0
"""How long what was killed may take to end."""


def clean(results: Path, *, dry_run: bool) -> Iterator[str]:
    """Do (or, with ``dry_run``, only say) what is needed; yields one line per thing found.

    Processes belong to a run when they carry its marker in their environment, and are left over
    when nobody holds that run's lock. Their FUSE connections are aborted first: what waits for a
    server that hangs cannot be killed.
    """
    said = [
        *_end_orphans(dry_run),
        *_unmount(dry_run),
        *_put_back(dry_run),
        *_remove_leftovers(results, dry_run),
    ]
    if not dry_run:
        said += [f"removed tracefs instance {one}" for one in sources.remove_stale_instances()]
    yield from said or ["nothing to clean"]


def _end_orphans(dry_run: bool) -> Iterator[str]:
    found = orphans()
    for connection in sorted({one for pid, _ in found for one in connections(pid)}):
        if not dry_run:
            abort_connection(connection)
        yield f"{'would abort' if dry_run else 'aborted'} FUSE connection {connection}"
    for pid, name in found:
        if dry_run:
            yield f"would kill process {pid} ({name})"
        else:
            yield end(pid, name)


def end(pid: int, name: str) -> str:
    """Kill a process and wait for its end, but not for ever; what became of it, in words."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return f"process {pid} ({name}) had ended"
    try:
        if not _left_over(pid):  # the number has been given again
            return f"process {pid} ({name}) had ended"
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        if select.select([handle], [], [], END_S)[0]:
            return f"killed process {pid} ({name})"
    finally:
        os.close(handle)
    waits = stacks.describe("it", [pid]).split("\n")[0]
    return f"process {pid} ({name}) was killed and does not end: {waits}"


def _unmount(dry_run: bool) -> Iterator[str]:
    for path in mounts():
        number = 0 if dry_run else isolate.umount(path, lazy=True)
        if number:
            yield f"cannot unmount {path}: {os.strerror(number)}"
        else:
            yield f"{'would unmount' if dry_run else 'unmounted'} {path}"


def _put_back(dry_run: bool) -> Iterator[str]:
    for journal in tune.stale():
        if dry_run:
            yield from (f"would put back {entry['path']}" for entry in tune.entries(journal))
        else:
            yield from tune.restore(journal)


def _remove_leftovers(results: Path, dry_run: bool) -> Iterator[str]:
    for path in sorted(results.glob(f"*/*/**/{HALF_WRITTEN}")):
        yield _removed(path, dry_run)
    for run in runs.names(isolate.RUNTIME):
        with runs.dead(run, isolate.RUNTIME) as dead:
            if dead:
                yield _removed(isolate.RUNTIME / run, dry_run)
                if not dry_run:
                    with contextlib.suppress(OSError):
                        (isolate.RUNTIME / (run + runs.SUFFIX)).unlink()


def remove_trees(directory: Path, *, dry_run: bool) -> Iterator[str]:
    """Remove the trees that this suite has made in a backing directory, and nothing else.

    A tree is what carries the marker with its own device and inode. Links are not followed.
    Raises UserError for a directory that is no backing, and for one that a run measures on.
    """
    from workloads import tree

    backing.refuse_place(directory)
    if directory.is_symlink():
        raise UserError(f"--backing {directory}: a symbolic link: name what it leads to")
    if not directory.is_dir():
        yield f"no trees: {directory} does not exist"
        return
    with backing.locked(directory), own.opened(directory) as fd:
        names = tree.made_in(directory)
        for name in names:
            if dry_run:
                yield f"would remove {directory / name}"
                continue
            try:
                tree.remove_all(fd, name)
            except OSError as error:
                yield f"cannot remove {directory / name}: {error.strerror or error}"
            else:
                yield f"removed {directory / name}"
        if not names:
            yield f"no trees of this suite in {directory}"
    if not dry_run and directory == backing.default_directory():
        with contextlib.suppress(OSError):
            (directory / backing.LOCK).unlink()
            directory.rmdir()


def orphans() -> list[tuple[int, str]]:
    """(pid, command) of processes whose runner is gone."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _left_over(int(entry.name)):
            with contextlib.suppress(OSError):
                name = (entry / "comm").read_bytes().decode(errors="replace").strip()
                found.append((int(entry.name), name))
    return found


def connections(pid: int) -> set[int]:
    """FUSE connections that a run has mounted in the namespace of this process."""
    with contextlib.suppress(OSError):
        text = os.fsdecode(Path(f"/proc/{pid}/mountinfo").read_bytes())
        _, place = _mark(pid)
        return {
            entry.connection
            for entry in mountinfo.parse(text)
            if entry.is_fuse and entry.mountpoint.is_relative_to(place)
        }
    return set()


def mounts() -> list[Path]:
    """Mounts of ours visible from here: there are none unless a namespace could not be had."""
    return [entry.mountpoint for entry in mountinfo.under(isolate.RUNTIME)]


def _removed(path: Path, dry_run: bool) -> str:
    """Remove a file or folder, no link followed; what became of it, in words."""
    if dry_run:
        return f"would remove {path}"
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        return f"cannot remove {path}: {error.strerror}"
    return f"removed {path}"


def _left_over(pid: int) -> bool:
    """Whether a process carries the marker of a run that is gone."""
    run, place = _mark(pid)
    if "-" not in run or "/" in run:
        return False  # of a version that kept no lock: it ends with its runner
    # The lock as the process sees it: in a container /run is another one.
    with runs.dead(run, Path(f"/proc/{pid}/root{place}")) as dead:
        return dead


def _mark(pid: int) -> tuple[str, str]:
    """The run that a process belongs to, empty where to none, and where that run keeps its lock.

    Anybody may write anything there: a place that no run of that user has is no place, and no run.
    """
    try:
        lines = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes()).split("\0")
        user = Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        lines, user = [], 0
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    place = Path(variables.get(runs.PLACE, isolate.RUNTIME))
    if place != isolate.RUNTIME and place.name != f"{runs.RUNTIME_NAME}-{user}":
        return "", str(isolate.RUNTIME)
    return variables.get(runs.MARKER, ""), str(place)
