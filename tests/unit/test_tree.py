"""Trees: names follow from the spec, what is on disk agrees, and only whole trees are reused."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model import UserError
from workloads import tree
from workloads._native import treebuilder
from workloads.tree import PRESETS, Data, TreeSpec, build, mismatch, parse_tree

SPEC = TreeSpec(depth=2, branching=3, files_per_dir=7, name_length=9, file_size=0, seed=5)
DATA = Data(files=2, size=8192)

shapes = st.builds(
    TreeSpec,
    depth=st.integers(0, 4),
    branching=st.integers(1, 4),
    files_per_dir=st.integers(1, 20),
    name_length=st.integers(5, 40),
    seed=st.integers(0, 2**63 - 1),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / SPEC.hash


def on_disk(home: Path) -> tuple[set[str], set[str]]:
    """Directories and files below ``tree``, as relative paths."""
    dirs, files = set(), set()
    for where, _names, file_names in os.walk(home / "tree"):
        dirs.add(str(Path(where).relative_to(home)))
        files |= {str((Path(where) / name).relative_to(home)) for name in file_names}
    return dirs, files


@pytest.mark.parametrize(
    ("name", "files", "dirs"),
    [
        ("tiny", 1_000, 111),
        ("small", 10_000, 111),
        ("medium", 100_000, 111),
        ("large", 1_000_000, 10_101),
        ("huge", 10_000_000, 10_101),
    ],
)
def test_a_preset_has_the_files_its_name_promises(name: str, files: int, dirs: int) -> None:
    spec = parse_tree(name)
    assert (spec.file_count, spec.dir_count, spec.name) == (files, dirs, name)


def test_every_preset_has_a_path_of_one_depth_and_a_hash_of_its_own() -> None:
    assert {spec.file_path(0).count("/") for spec in PRESETS.values()} == {3}
    assert len({spec.hash for spec in PRESETS.values()}) == len(PRESETS)


@given(shapes)
def test_names_are_unique_and_of_the_length_asked_for(spec: TreeSpec) -> None:
    paths = [*spec.dirs(), *spec.files(), *spec.missing_paths()]
    assert len(set(paths)) == len(paths) == spec.dir_count + 2 * spec.file_count
    assert {len(path.rpartition("/")[2]) for path in paths[1:]} == {spec.name_length}


@given(shapes)
def test_counts_of_children_add_up(spec: TreeSpec) -> None:
    children = [spec.children(index) for index in range(spec.dir_count)]
    assert sum(child.dirs for child in children) == spec.dir_count - 1
    assert sum(child.files for child in children) == spec.file_count


@given(shapes, st.data())
def test_any_path_is_known_by_index_alone(spec: TreeSpec, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, spec.file_count - 1))
    path = spec.file_path(index)
    assert path == list(spec.files())[index]
    assert path.rpartition("/")[0] == spec.dir_path(spec.dir_of_file(index))
    assert spec.missing_path(index).rpartition("/")[0] == path.rpartition("/")[0]


def test_bulk_names_agree_with_single_ones() -> None:
    indices = range(3, 63, 5)
    names = [SPEC.file_path(index) for index in indices]
    assert SPEC.file_paths(3, len(indices), 5) == names
    packed = SPEC.packed("f", 3, len(indices), 5)
    assert packed == "".join(f"{name}\0" for name in names).encode()
    assert SPEC.packed("d", 0, 13).split(b"\0")[:-1] == [os.fsencode(path) for path in SPEC.dirs()]


def test_names_do_not_follow_the_order_of_indices() -> None:
    names = TreeSpec().file_paths(0, 100)
    assert names != sorted(names)


def test_an_index_beyond_the_tree_is_refused() -> None:
    for call in (SPEC.file_path, SPEC.dir_path, SPEC.children):
        with pytest.raises(IndexError):
            call(SPEC.file_count + SPEC.dir_count)
    with pytest.raises(IndexError):
        SPEC.file_paths(0, SPEC.file_count + 1)


def test_a_spec_survives_being_recorded() -> None:
    recorded = json.loads(json.dumps(SPEC.as_mapping()))
    assert TreeSpec.from_mapping(recorded) == SPEC
    assert (recorded["files"], recorded["dirs"], recorded["hash"]) == (63, 13, SPEC.hash)


def test_a_spec_is_parsed_from_preset_and_keys() -> None:
    assert parse_tree("small") == TreeSpec()
    assert parse_tree("depth=3,branching=10,files_per_dir=1_000").file_count == 10**6
    assert parse_tree("tiny,file_size=4096") == TreeSpec(
        branching=10, files_per_dir=10, file_size=4096
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("smal", "did you mean small?"),
        ("zzz", "tiny, small, medium, large, huge"),
        ("file_per_dir=3", "did you mean files_per_dir?"),
        ("depth=two", "depth: two: not a whole number"),
        ("depth=3,small", "wanted key=value"),
        ("depth=-1", "wanted 0 or more"),
        ("depth=900", "more than 128"),
        ("depth=40", "more than 2\\^40 files"),
        ("branching=0", "branching: less than 1"),
        ("files_per_dir=0", "files_per_dir: less than 1"),
        ("name_length=256", "more than 255"),
        ("name_length=3", "too short"),
        ("depth=128,branching=1,name_length=200", "longer than 4032"),
    ],
)
def test_a_wrong_spec_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_tree(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"depth": 0, "files_per_dir": 100},
        {"depth": 5, "branching": 1},
        {"depth": 3, "branching": 2, "file_size": 70_001, "files_per_dir": 2},
    ],
)
def test_what_is_built_is_what_the_names_say(
    shape: dict[str, int], threads: int, tmp_path: Path
) -> None:
    spec = TreeSpec(**{"branching": 3, "files_per_dir": 7, **shape})
    build(spec, tmp_path / "home", threads=threads, data=DATA)
    assert on_disk(tmp_path / "home") == (set(spec.dirs()), set(spec.files()))
    sizes = {(tmp_path / "home" / path).stat().st_size for path in spec.files()}
    assert sizes == {spec.file_size}


def test_content_follows_from_seed_and_index(tmp_path: Path) -> None:
    spec = TreeSpec(depth=0, files_per_dir=3, file_size=100)
    for home, threads in (("a", 1), ("b", 2)):
        build(spec, tmp_path / home, threads=threads, data=DATA)

    def content(home: str) -> list[bytes]:
        return [(tmp_path / home / path).read_bytes() for path in [*spec.files(), *DATA.paths()]]

    assert content("a") == content("b")
    assert len(set(content("a"))) == 5
    assert [len(text) for text in content("a")] == [100] * 3 + [8192] * 2


def test_progress_ends_at_the_number_of_files(home: Path) -> None:
    calls: list[tuple[int, int]] = []
    build(SPEC, home, progress=lambda done, total: calls.append((done, total)), data=DATA)
    assert calls[-1] == (63, 63)


def test_a_complete_tree_is_reused(home: Path) -> None:
    first, second = (build(SPEC, home, data=DATA) for _ in range(2))
    assert (first.reused, second.reused) == (False, True)


def spoil_manifest(home: Path) -> None:
    text = (home / "manifest.json").read_text()
    (home / "manifest.json").write_text(text[: len(text) // 2])


def spoil_layout(home: Path) -> None:
    (home / "manifest.json").write_text('{"layout": 0}')


def spoil_spec(home: Path) -> None:
    manifest = json.loads((home / "manifest.json").read_text())
    manifest["spec"]["seed"] += 1
    (home / "manifest.json").write_text(json.dumps(manifest))


def lose_manifest(home: Path) -> None:
    (home / "manifest.json").unlink()


def lose_file(home: Path) -> None:
    (home / SPEC.file_path(31)).unlink()


def grow_file(home: Path) -> None:
    (home / SPEC.file_path(31)).write_text("x")


def add_stranger(home: Path) -> None:
    stranger = home / SPEC.dir_path(7) / "stranger"
    stranger.touch()
    # Well after the manifest, as in life; here the clock may not have ticked in between.
    os.utime(stranger.parent, (2**32, 2**32))


def lose_data(home: Path) -> None:
    (home / "data/01").unlink()


def replace_root(home: Path) -> None:
    (home / "tree").rename(home / "was")
    (home / "tree").mkdir()


def file_for_dir(home: Path) -> None:
    shutil.rmtree(home / SPEC.dir_path(2))
    (home / SPEC.dir_path(2)).touch()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_manifest,
        spoil_layout,
        spoil_spec,
        lose_manifest,
        lose_file,
        grow_file,
        add_stranger,
        lose_data,
        replace_root,
        file_for_dir,
    ],
)
def test_a_tree_that_is_not_whole_is_built_anew(spoil: Callable[[Path], None], home: Path) -> None:
    build(SPEC, home, data=DATA)
    spoil(home)
    assert mismatch(SPEC, home, DATA) is not None
    assert not build(SPEC, home, data=DATA).reused
    assert on_disk(home) == (set(SPEC.dirs()), set(SPEC.files()))
    assert mismatch(SPEC, home, DATA) is None


def test_what_others_keep_beside_the_tree_survives_a_rebuild(home: Path) -> None:
    build(SPEC, home, data=DATA)
    (home / "git").mkdir()
    lose_manifest(home)
    build(SPEC, home, data=DATA)
    assert (home / "git").is_dir()


def test_a_foreign_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with pytest.raises(UserError, match=r"not empty and not made by this suite"):
        build(SPEC, tmp_path, data=DATA)
    with pytest.raises(UserError, match=r"not empty and not made by this suite"):
        tree.remove(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["tree"]


def test_links_are_removed_and_not_followed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "kept/file").mkdir(parents=True)
    build(SPEC, home, data=DATA)
    (home / "tree/link").symlink_to(tmp_path / "kept")
    tree.remove(home)
    assert not home.exists()
    assert (tmp_path / "kept/file").exists()


def test_a_tree_being_built_elsewhere_is_refused(home: Path) -> None:
    home.mkdir()
    fd = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            build(SPEC, home, data=DATA)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("free", "message"),
    [
        ({"f_files": 50, "f_favail": 40}, "needs 82 inodes, has 40 free"),
        ({"f_bavail": 1}, "bytes, has 4,096 free"),
    ],
)
def test_too_little_space_is_refused_with_the_figures(
    free: dict[str, int], message: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = {"f_files": 0, "f_favail": 0, "f_blocks": 9, "f_bavail": 2**40, "f_frsize": 4096}
    monkeypatch.setattr(os, "fstatvfs", lambda _fd: SimpleNamespace(**{**plenty, **free}))
    with pytest.raises(UserError, match=message):
        build(SPEC, home, data=DATA)
    assert list(home.iterdir()) == []


def test_no_inode_limit_and_no_size_limit_are_no_refusal(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = SimpleNamespace(f_files=0, f_favail=0, f_blocks=0, f_bavail=0, f_frsize=4096)
    monkeypatch.setattr(os, "fstatvfs", lambda _fd: none)
    assert not build(SPEC, home, data=DATA).reused


def test_a_fuse_mount_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(treebuilder, "filesystem", lambda _fd: 0x65735546)
    with pytest.raises(UserError, match="FUSE mount"):
        build(SPEC, home, data=DATA)


def test_running_full_midway_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        (home / "tree/d0").mkdir(parents=True)
        raise OSError(errno.ENOSPC, "make a file: No space left on device", "tree/d0/f0")

    monkeypatch.setattr(treebuilder, "build", full)
    with pytest.raises(UserError, match="full before the tree was complete"):
        build(SPEC, home, data=DATA)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_build_is_replaced_by_the_next(threads: int, home: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(SPEC, home, threads=threads, progress=interrupt, data=DATA)
    assert mismatch(SPEC, home, DATA) == "no manifest"
    assert not build(SPEC, home, data=DATA).reused
    assert mismatch(SPEC, home, DATA) is None


def test_a_directory_that_cannot_be_made_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot build the tree"):
        build(SPEC, tmp_path / "file/below", data=DATA)
