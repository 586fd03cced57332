"""What a run has left behind, told by the lock that a living run holds; and what is none of ours."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.machine import isolate, own, runs
from bench.model import UserError
from bench.mounts import backing
from bench.run import cleanup
from workloads import tree

SMALL = tree.TreeSpec(depth=1, branching=2, files_per_dir=2)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of locks and a marker of this test's own: runs beside it are none of its business."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setattr(runs, "MARKER", f"FUSE_BENCH_TEST_{os.getpid()}")
    monkeypatch.setattr(runs, "_held", {})
    monkeypatch.setattr(isolate, "RUNTIME", folder)
    monkeypatch.setattr(runs, "RUNTIME", folder)
    return folder


def idler(run: str, place: str = "") -> subprocess.Popen[bytes]:
    """A process that carries the marker of a run, and where the run says that it keeps its lock."""
    kept = {runs.PLACE: place} if place else {}
    process = subprocess.Popen(["sleep", "60"], env={**os.environ, runs.MARKER: run, **kept})
    # Popen returns when exec closes the pipe to the child, which is before the environment is there.
    while runs.MARKER.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes():
        time.sleep(0.001)
    return process


@pytest.fixture
def idle(runtime: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the run 1-1, whose number is another process's and whose lock nobody holds."""
    (runtime / "1-1.lock").touch()
    process = idler("1-1")
    yield process
    process.kill()
    process.wait()


def test_what_nobody_holds_the_lock_of_is_left_over(idle: subprocess.Popen[bytes]) -> None:
    """Whoever has the runner's number by now."""
    assert (idle.pid, "sleep") in cleanup.orphans()
    assert cleanup.end(idle.pid, "sleep") == f"killed process {idle.pid} (sleep)"


def test_what_belongs_to_a_living_run_is_not(runtime: Path, idle: subprocess.Popen[bytes]) -> None:
    """The lock decides, not a number: 1-1's runner may be in another PID namespace."""
    (runtime / "1-1").mkdir()
    with (runtime / "1-1.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert idle.pid not in [pid for pid, _name in cleanup.orphans()]
        assert list(cleanup.clean(runtime.parent, dry_run=False)) == ["nothing to clean"]
        assert (runtime / "1-1").is_dir()
        assert idle.poll() is None
    said = list(cleanup.clean(runtime.parent, dry_run=False))
    assert said == [f"killed process {idle.pid} (sleep)", f"removed {runtime}/1-1"]
    assert list(runtime.iterdir()) == []


@pytest.mark.parametrize("place", ["/", "/home", "{folder}/fuse-passthrough-bench-1000"])
def test_a_place_that_no_run_of_that_user_has_is_none(runtime: Path, place: str) -> None:
    """Anybody may write it into an environment, and all FUSE mounts beneath would be aborted."""
    process = idler("1-1", place.format(folder=runtime))
    try:
        assert process.pid not in [pid for pid, _name in cleanup.orphans()]
    finally:
        process.kill()
        process.wait()


def test_a_run_holds_its_lock_and_a_child_does_not(runtime: Path) -> None:
    """A child that held the lock would keep the run of a killed runner alive."""
    runs.hold()
    try:
        with runs.dead(runs.name(), runtime) as dead:
            assert not dead
        child = isolate.fork(lambda: int(bool(runs._held)), cpus=())
        assert child.wait() == 0
    finally:
        runs.release()
    with runs.dead(runs.name(), runtime) as dead:
        assert dead
    assert not runtime.exists()


@pytest.mark.usefixtures("runtime")
def test_what_is_started_belongs_to_a_living_run() -> None:
    """Whoever starts it: a run in guests mounts nothing here, and `bench clean` killed its guests."""
    process = isolate.start(["sleep", "60"], cpus=(), stdout=1, stderr=2)
    try:
        marks = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        assert f"{runs.MARKER}={runs.name()}".encode() in marks
        assert process.pid not in [pid for pid, _name in cleanup.orphans()]
        runs.release()
        assert process.pid in [pid for pid, _name in cleanup.orphans()]
    finally:
        process.kill()
        process.wait()
        runs.release()


def test_without_a_lock_nothing_is_marked(runtime: Path) -> None:
    """A folder of another user's, as /run is for an ordinary one: a mark alone would say the run is gone."""
    os.chown(runtime, 1000, 1000)
    assert runs.mark() == {}


def test_only_what_carries_its_own_mark_is_removed(tmp_path: Path) -> None:
    """A thesis, a copy of a tree, a link to one: they stay, and what is said is true."""
    folder = tmp_path / "backing"
    for name in ("ours", "copied"):
        tree.build(SMALL, folder / name)
    (folder / "ours" / "git").mkdir()
    subprocess.run(["cp", "-a", folder / "copied", folder / "copy"], check=True)
    tree.build(SMALL, tmp_path / "elsewhere")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "thesis").mkdir()
    (folder / "thesis" / "chapter1").write_text("years")
    said = list(cleanup.remove_trees(folder, dry_run=False))
    assert said == [f"removed {folder}/copied", f"removed {folder}/ours"]
    assert sorted(os.listdir(folder)) == [".lock", "copy", "link", "thesis"]  # noqa: PTH208
    assert (tmp_path / "elsewhere" / "tree").is_dir()
    assert list(cleanup.remove_trees(folder, dry_run=False)) == [
        f"no trees of this suite in {folder}"
    ]


def test_a_link_in_a_tree_is_not_followed(tmp_path: Path) -> None:
    """What it leads to stays."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1").touch()
    tree.build(SMALL, tmp_path / "backing" / "ours")
    (tmp_path / "backing" / "ours" / "git").symlink_to(tmp_path / "thesis")
    list(cleanup.remove_trees(tmp_path / "backing", dry_run=False))
    assert (tmp_path / "thesis" / "chapter1").exists()
    assert not (tmp_path / "backing" / "ours").exists()


@pytest.mark.parametrize("place", ["/", "/proc", "/proc/1", "/run", "/tmp", "/dev", "~", "/usr/.."])
def test_nobodys_places_are_refused(place: str) -> None:
    """Neither built in nor removed from, and nothing is written before that is said."""
    path = Path(place).expanduser()
    with pytest.raises(UserError, match="--backing"):
        backing.check_directory(path)
    with pytest.raises(UserError, match="--backing"):
        list(cleanup.remove_trees(path, dry_run=False))
    assert not (path / ".lock").exists()


def test_a_tree_that_is_measured_is_not_removed(tmp_path: Path) -> None:
    """The lock of the backing says so; a link to the backing is refused as such."""
    folder = tmp_path / "backing"
    tree.build(SMALL, folder / "ours")
    with backing.locked(folder), pytest.raises(UserError, match="another run is measuring"):
        list(cleanup.remove_trees(folder, dry_run=False))
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UserError, match="a symbolic link"):
        list(cleanup.remove_trees(tmp_path / "link", dry_run=False))
    assert (folder / "ours" / "tree").is_dir()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as several users")


@needs_root
def test_a_default_backing_that_somebody_else_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory of others, a link, or links planted in it: root writes through none of them."""
    tmp_path.chmod(0o1777)
    theirs = tmp_path / "fuse-passthrough-bench"
    monkeypatch.setattr(backing, "default_directory", lambda: theirs)
    theirs.mkdir()
    os.chown(theirs, 1001, 1001)
    with pytest.raises(UserError, match="another user"):
        backing.check_directory(theirs)
    theirs.rmdir()
    (tmp_path / "target").mkdir()
    theirs.symlink_to(tmp_path / "target")
    with pytest.raises(UserError, match="symbolic link"):
        backing.check_directory(theirs)
    assert list((tmp_path / "target").iterdir()) == []


@needs_root
def test_a_planted_lock_or_tree_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of ours that was open to others once may hold links."""
    folder = tmp_path / "fuse-passthrough-bench"
    monkeypatch.setattr(backing, "default_directory", lambda: folder)
    folder.mkdir()
    folder.chmod(0o777)
    victim = tmp_path / "victim"
    (folder / ".lock").symlink_to(victim)
    backing.check_directory(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UserError, match="symbolic links"), backing.locked(folder):
        pass
    (tmp_path / "elsewhere").mkdir()
    (folder / SMALL.hash).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="symbolic link"):
        backing.fill(folder, SMALL, lambda _done, _all: None)
    (folder / SMALL.hash).unlink()
    (folder / SMALL.hash).mkdir()
    (folder / SMALL.hash / "tree").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="symbolic link"):
        backing.fill(folder, SMALL, lambda _done, _all: None)
    assert not victim.exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@needs_root
def test_a_backing_that_others_may_write_in_is_refused(tmp_path: Path) -> None:
    """Others could plant links at any time."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(UserError, match="others may write"):
        backing.check_directory(folder)
    folder.chmod(0o755)
    os.chown(folder, 1001, 0)
    with pytest.raises(UserError, match="another user"):
        backing.check_directory(folder)


def test_nothing_is_opened_through_a_link(tmp_path: Path) -> None:
    """Neither the last name nor one on the way, nor out of the folder."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").touch()
    (tmp_path / "link").symlink_to("real")
    with own.opened(tmp_path) as fd:
        os.close(own.open_beneath(fd, "real/file", os.O_RDONLY))
        for path in ("link/file", "link", "../" + tmp_path.name):
            with pytest.raises(OSError):
                own.open_beneath(fd, path, os.O_RDONLY)
