"""Building on a real file system that is too small: refused, or undone, with one clear line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.model import UserError
from workloads import tree
from workloads.tree import Data, TreeSpec, build

SPEC = TreeSpec(branching=3, files_per_dir=100)
DATA = Data(files=2, size=65536)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tmpfs needs root")


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A tmpfs with the options the test is parametrised with."""
    options = ["-t", "tmpfs", "-o", request.param, "bench-test", str(tmp_path)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("small_disk", ["nr_inodes=500"], indirect=True)
def test_too_few_inodes_are_refused_before_anything_is_made(small_disk: Path) -> None:
    with pytest.raises(UserError, match=r"needs 919 inodes, has 49[89] free"):
        build(SPEC, small_disk / "home", data=DATA)
    assert list((small_disk / "home").iterdir()) == []


@pytest.mark.parametrize("small_disk", ["size=64k"], indirect=True)
def test_too_little_space_is_refused_before_anything_is_made(small_disk: Path) -> None:
    with pytest.raises(UserError, match="needs 131,072 bytes, has 65,536 free"):
        build(SPEC, small_disk / "home", data=DATA)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("small_disk", ["nr_inodes=500", "size=64k"], indirect=True)
def test_running_full_midway_is_undone(
    threads: int, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "_refuse_small", lambda *_arguments: None)
    with pytest.raises(UserError, match="full before the tree was complete"):
        build(SPEC, small_disk / "home", threads=threads, data=DATA)
    assert list((small_disk / "home").iterdir()) == []


@pytest.mark.parametrize("small_disk", ["size=1m"], indirect=True)
def test_nothing_is_removed_from_what_is_mounted_in_a_tree(small_disk: Path) -> None:
    home = small_disk / "home"
    build(SPEC, home, data=DATA)
    inside = home / SPEC.dir_path(1)
    subprocess.run(["mount", "-t", "tmpfs", "bench-test", str(inside)], check=True)
    try:
        (inside / "precious").touch()
        with pytest.raises(OSError, match="another file system"):
            tree.remove(home)
        assert (inside / "precious").exists()
    finally:
        subprocess.run(["umount", str(inside)], check=True)
