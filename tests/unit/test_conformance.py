"""Every kind of difference between two trees is found, and equal trees are equal."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.run import conformance


@pytest.fixture
def backing(tmp_path: Path) -> Path:
    """A tree with every kind of entry."""
    root = tmp_path / "backing"
    (root / "sub" / "deep").mkdir(parents=True)
    for name in ("a", "b", "sub/c", "sub/deep/d"):
        (root / name).write_text(f"content of {name}\n")
    (root / "link").symlink_to("a")
    os.mkfifo(root / "fifo")
    return root


def test_a_tree_equals_itself(backing: Path, tmp_path: Path) -> None:
    """Through another path: inode numbers, links and times are the same."""
    other = tmp_path / "other"
    other.symlink_to(backing)
    report = conformance.compare(backing, other)
    assert report.same and not report.sampled
    assert (report.entries, report.directories, report.contents) == (9, 3, 4)
    assert "agree" in str(report)


@pytest.mark.parametrize("at", [0, 5000, 4096 * 40 + 7])
def test_one_byte_of_a_data_file_is_found(backing: Path, tmp_path: Path, at: int) -> None:
    """In the first block, in any of a short file, and in the last one."""
    (backing / "data").write_bytes(bytes(4096 * 40 + 8))
    other = tmp_path / "other"
    other.mkdir()
    os.link(backing / "data", other / "data")
    assert conformance.compare_data(backing, other, ["data"]).contents == 1
    assert not conformance.compare_data(backing, other, ["data"]).found
    (other / "data").unlink()
    changed = bytearray(backing.joinpath("data").read_bytes())
    changed[at] ^= 1
    (other / "data").write_bytes(changed)
    seeds = [conformance.compare_data(backing, other, ["data"], seed=seed) for seed in range(8)]
    said = [line for one in seeds for line in one.differences]
    assert f"data: content differs at byte {at}" in said


class _Twisted:
    """The target is the backing itself, with one answer twisted on its way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, backing: Path) -> None:
        self.monkeypatch, self.backing = monkeypatch, backing
        self.target = backing.parent / "target"
        self.target.symlink_to(backing)

    def stat(self, name: str, **changes: int) -> None:
        """lstat of ``name`` in the target gives other values."""
        real = os.lstat

        def lstat(path: str) -> object:
            st = real(path)
            if path != f"{self.target}/{name}":
                return st
            return _Stat(st, changes)

        self.monkeypatch.setattr(os, "lstat", lstat)

    def report(self) -> conformance.Report:
        return conformance.compare(self.backing, self.target)


class _Stat:
    def __init__(self, real: os.stat_result, changes: dict[str, int]) -> None:
        self._real, self._changes = real, changes

    def __getattr__(self, name: str) -> int:
        value: int = self._changes.get(name, getattr(self._real, name))
        return value


@pytest.mark.parametrize(
    "field",
    [*conformance._FIELDS, "atime_ns", "blksize"],
)
def test_each_field_is_compared(monkeypatch: pytest.MonkeyPatch, backing: Path, field: str) -> None:
    """One value off by one gives one line naming the entry, the field and both values."""
    twisted = _Twisted(monkeypatch, backing)
    wrong = getattr((backing / "sub" / "c").stat(), f"st_{field}") ^ 1
    twisted.stat("sub/c", **{f"st_{field}": wrong})
    report = twisted.report()
    assert report.found == 1 and not report.same
    assert report.differences[0].startswith(f"sub/c: {field} ")


def test_device_and_directory_block_size_are_left_aside(
    monkeypatch: pytest.MonkeyPatch, backing: Path
) -> None:
    """Both differ between a mount and its backing by nature."""
    twisted = _Twisted(monkeypatch, backing)
    twisted.stat("sub", st_dev=1, st_blksize=1)
    assert twisted.report().same


def _copy(backing: Path, tmp_path: Path) -> Path:
    target = tmp_path / "target"
    target.mkdir()
    for path in sorted(backing.rglob("*")):
        copy = target / path.relative_to(backing)
        if path.is_dir() and not path.is_symlink():
            copy.mkdir()
        else:
            os.link(path, copy, follow_symlinks=False)
    return target


def _lines(report: conformance.Report, words: str) -> list[str]:
    return [line for line in report.differences if words in line]


def _remove_a(target: Path) -> None:
    (target / "a").unlink()


def _add(target: Path) -> None:
    (target / "sub" / "extra").touch()


def _retarget(target: Path) -> None:
    (target / "link").unlink()
    (target / "link").symlink_to("b")


def _retype(target: Path) -> None:
    (target / "b").unlink()
    (target / "b").mkdir()


def _rewrite(target: Path) -> None:
    (target / "sub" / "c").unlink()
    (target / "sub" / "c").write_text("content of sub/X\n")


def _socket(target: Path) -> None:
    (target / "fifo").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(target / "fifo"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_remove_a, "a: only in the backing"),
        (_add, "sub/extra: only in the target"),
        (_retarget, "link: links to a in the backing, b in the target"),
        (_retype, "b: listed as file"),
        (_rewrite, "sub/c: content differs at byte 15"),
        (_socket, "fifo: mode"),
    ],
)
def test_real_differences_are_found(
    backing: Path, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    """A second directory, hard-linked to the first and then changed."""
    target = _copy(backing, tmp_path)
    before = conformance.compare(backing, target)
    assert not _lines(before, words)
    change(target)
    assert len(_lines(conformance.compare(backing, target), words)) == 1


def test_extended_attribute_names_are_compared(
    monkeypatch: pytest.MonkeyPatch, backing: Path, tmp_path: Path
) -> None:
    """A server that says ENOSYS is right exactly when there are none."""
    target = _copy(backing, tmp_path)
    names = {f"{backing}/a": ["user.x"], f"{backing}/b": []}

    def listxattr(path: str, *, follow_symlinks: bool) -> list[str]:
        assert not follow_symlinks
        if path.startswith(str(target)):
            raise OSError(errno.EOPNOTSUPP, "no")
        return names.get(path, [])

    monkeypatch.setattr(os, "listxattr", listxattr)
    lines = _lines(conformance.compare(backing, target), "extended attributes")
    assert lines == ["a: extended attributes ['user.x'] in the backing, none in the target"]


def test_an_unreadable_side_is_a_difference_not_an_exception(backing: Path) -> None:
    """A target that is gone."""
    report = conformance.compare(backing, backing.parent / "gone")
    assert report.entries == 0 and not report.same
    assert report.differences == (".: lstat fails in the target: No such file or directory",)


def test_only_the_first_differences_are_kept_but_all_are_counted(tmp_path: Path) -> None:
    """A wholly wrong target does not flood the log."""
    left, right = tmp_path / "left", tmp_path / "right"
    left.mkdir()
    right.mkdir()
    for number in range(conformance.KEPT * 2):
        (left / f"f{number}").touch()
    report = conformance.compare(left, right)
    assert len(report.differences) == conformance.KEPT < report.found


def test_a_large_tree_is_sampled_by_seed(backing: Path) -> None:
    """A seed takes the same entries each time, and the report says that it is a sample."""
    for number in range(30):
        (backing / "sub" / f"n{number}").touch()
    reports = [conformance.compare(backing, backing, limit=12, seed=s) for s in (1, 1, 2)]
    assert all(r.sampled and r.entries == 12 for r in reports)
    assert "sample" in str(reports[0])


def test_a_link_is_compared_before_reading_moves_its_atime(backing: Path) -> None:
    """Two comparisons in a row of one tree with itself stay equal."""
    for _ in range(2):
        assert conformance.compare(backing, backing).same


def test_spot_check_names_entries_and_ignores_atime(
    monkeypatch: pytest.MonkeyPatch, backing: Path
) -> None:
    """After a trial a cached atime may be older, any other field may not."""
    twisted = _Twisted(monkeypatch, backing)
    twisted.stat("a", st_atime_ns=5)
    assert conformance.spot_check(backing, twisted.target, ["a", Path("sub/c")]).same
    twisted.stat("a", st_size=5)
    report = conformance.spot_check(backing, twisted.target, ["a"])
    assert report.found == 1 and "size" in report.differences[0]
    missing = conformance.spot_check(backing, twisted.target, ["nothing"])
    assert missing.found == 2
