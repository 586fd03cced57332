"""Windows that change something, on an ordinary directory: checked on both sides, and put back."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import registry
from bench.model import Cache, Context, Fixture, Group, Lacking, Shape, Sync, UserError
from bench.mounts import backing
from workloads import _changes
from workloads._programs import Restored
from workloads.tree import PRESETS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change owners")

CHANGES = [
    (workload.name, variant)
    for workload, variant in registry.every_row()
    if workload.group is Group.CHANGES
]
ONCE = [row for row in CHANGES if registry.workloads()[row[0]].shape is Shape.SLICES]
AGAIN = [row for row in CHANGES if row not in ONCE]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A backing that is the target as well."""
    (tmp_path / _changes.FOLDER).mkdir()
    return Context(
        root=tmp_path,
        tree=PRESETS["tiny"].as_mapping(),
        variant="shared",
        cache=Cache.WARM,
        threads=2,
        seed=5,
        sync=Sync.AS_STAT,
        attr_timeout=3600.0,
        entry_timeout=3600.0,
        names=20,
        entries=0,
        windows=3,
        backing=tmp_path,
    )


def left(context: Context) -> Iterator[Path]:
    """Files below the place where work is done."""
    return (path for path in (context.root / _changes.FOLDER).rglob("*") if not path.is_dir())


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("name", "variant"), CHANGES)
def test_every_window_does_what_it_says_and_nothing_is_left(
    name: str, variant: str, threads: int, context: Context
) -> None:
    """As many operations as asked for, window after window; the place is empty afterwards."""
    context = replace(context, variant=variant, threads=threads)
    body = registry.workloads()[name].prepare(context)
    body.warm()
    for _ in range(3):
        body.before()
        assert body.window(1).ops == body.ops_per_loop
    assert (body.empty_loop_ns() or 0) > 0
    body.close()
    assert list((context.root / _changes.FOLDER).iterdir()) == []


@pytest.mark.parametrize(("name", "variant"), ONCE)
def test_a_name_too_many_is_noticed(name: str, variant: str, context: Context) -> None:
    """By count, ahead of the next window."""
    body = registry.workloads()[name].prepare(replace(context, variant=variant))
    body.before()
    body.window(1)
    folder = next(path for path in (context.root / _changes.FOLDER).glob("*/0"))
    (folder / "more").touch()
    with pytest.raises(RuntimeError, match="names, found"):
        body.before()


@pytest.mark.parametrize("name", ["create", "create-write-close", "rename", "mkdir"])
def test_a_name_that_is_not_there_is_noticed(name: str, context: Context) -> None:
    """By sample: as many names as there should be, but others."""
    variant = "same-shared" if name == "rename" else "shared"
    body = registry.workloads()[name].prepare(
        replace(context, variant=variant, names=_changes.SAMPLE, threads=1)
    )
    body.before()
    body.window(1)
    folder = next((context.root / _changes.FOLDER).glob("*/0"))
    victim = sorted(folder.iterdir())[0]
    victim.rename(victim.with_name("other"))
    with pytest.raises((FileNotFoundError, RuntimeError)):
        body.before()


def test_a_file_of_another_size_is_noticed(context: Context) -> None:
    """Four KiB were written, says the driver; the file is looked at all the same."""
    few = replace(context, names=_changes.SAMPLE, threads=1)
    body = registry.workloads()["create-write-close"].prepare(few)
    body.before()
    body.window(1)
    os.truncate(next(left(context)), 1)
    with pytest.raises(RuntimeError, match="is not what was to be made"):
        body.before()


@pytest.mark.parametrize(("name", "variant"), AGAIN)
def test_another_value_than_was_set_is_noticed(name: str, variant: str, context: Context) -> None:
    """Every file is looked at in the end, in the middle of a pass too."""
    body = registry.workloads()[name].prepare(replace(context, variant=variant))
    body.before()
    body.window(1)
    file = next(left(context))
    file.chmod(0o777)
    os.utime(file, (1, 1))
    os.chown(file, 7, 7)
    os.truncate(file, 7)
    with pytest.raises(RuntimeError, match=r"wanted .*, found"):
        body.close()


def test_work_left_by_a_killed_run_is_in_nobodys_way(context: Context) -> None:
    """A trial that is made again finds its names free."""
    workload = registry.workloads()["create"]
    body = workload.prepare(context)
    body.before()
    body.window(1)
    again = workload.prepare(context)
    again.before()
    again.window(1)
    again.close()


def test_both_sides_are_looked_at(context: Context, tmp_path: Path) -> None:
    """A target that only pretends: the backing says so."""
    other = tmp_path / "other"
    shutil.copytree(tmp_path / _changes.FOLDER, other / _changes.FOLDER)
    with pytest.raises(FileNotFoundError):
        body = registry.workloads()["create"].prepare(replace(context, backing=other))
        body.before()
        body.window(1)
        body.before()


@pytest.mark.parametrize("cache", [Cache.WARM, Cache.COLD_FUSE])
def test_what_a_program_makes_is_removed_ahead_of_the_next(cache: Cache, context: Context) -> None:
    """mkdir fails where the directory is there already."""
    cold = replace(context, cache=cache)
    argv = ["mkdir", str(context.root / "work/made")]
    body = Restored(cold, argv, ["work/made"])
    for _ in range(2):
        body.before()
        assert body.window(1).ops == 1
    body.close()
    assert not (context.root / "work/made").exists()


def test_what_a_program_removes_is_made_ahead_of_the_next(context: Context) -> None:
    """A copy, each time."""
    (context.root / "model").mkdir()
    (context.root / "model/file").touch()
    body = Restored(context, ["rm", "-r", str(context.root / "work/copy")], ["work/copy"], "model")
    for _ in range(2):
        body.before()
        assert (context.root / "work/copy/file").exists()
        body.window(1)
    body.close()
    assert (context.root / "model/file").exists()


def filled(path: Path) -> backing.Backing:
    """A backing without a tree."""
    return backing.Backing(path, None, "tmpfs", "")


def test_a_fixture_is_made_once_and_anew_in_another_version(tmp_path: Path) -> None:
    """Found again by its name; half of one is none."""
    made: list[int] = []

    def build(folder: Path) -> None:
        made.append(len(list(folder.iterdir())))
        (folder / "file").touch()

    for version in (1, 1, 2):
        backing.furnish(filled(tmp_path), [Fixture("things", build, version)])
    assert made == [0, 0]
    (tmp_path / "things.complete").unlink()
    backing.furnish(filled(tmp_path), [Fixture("things", build, 2)])
    assert made == [0, 0, 0]
    assert stat.S_ISREG((tmp_path / "things/file").stat().st_mode)


def test_what_a_fixture_lacks_is_noted_and_a_full_disk_is_an_error(tmp_path: Path) -> None:
    """The first leaves rows out, the second ends the run."""

    def lacking(_folder: Path) -> None:
        raise Lacking("no compiler")

    def full(_folder: Path) -> None:
        raise OSError(28, "No space left on device")

    found = backing.furnish(filled(tmp_path), [Fixture("project", lacking)])
    assert found.lacking == {"project": "no compiler"}
    with pytest.raises(UserError, match="project: No space left"):
        backing.furnish(filled(tmp_path), [Fixture("project", full)])
