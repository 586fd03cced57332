"""The op driver's ops that change names and attributes, its listings by share, its open loop."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workloads._native.opdriver import Driver

PRIME = 101
TARGET = "../elsewhere/target"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two directories, one beside the other, nothing in them."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    """Whatever a test does, every descriptor is closed after it."""
    before = sorted(Path("/proc/self/fd").iterdir())
    yield
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def names(folder: str = "a", count: int = PRIME) -> list[str]:
    """Paths of as many names."""
    return [f"{folder}/n{number}" for number in range(count)]


def fill(root: Path, *, directories: bool = False) -> None:
    """Make all names."""
    for name in names():
        if directories:
            (root / name).mkdir()
        else:
            (root / name).touch()


def listed(folder: Path) -> set[str]:
    """Names in a directory."""
    return {path.name for path in folder.iterdir()}


EVERY = {name.rpartition("/")[2] for name in names()}


def run(op: str, root: Path, items: Any, threads: int = 1, **told: Any) -> None:
    """Visit everything once."""
    with Driver(op, root, items, threads=threads, once=True, **told) as driver:
        assert driver.run(PRIME).ops == PRIME == driver.size


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("op", "kind", "size"),
    [
        ("create", stat.S_ISREG, 0),
        ("create-write", stat.S_ISREG, 4096),
        ("mknod", stat.S_ISREG, 0),
        ("mkdir", stat.S_ISDIR, None),
    ],
)
def test_every_name_is_made_and_none_that_is_there(
    op: str, kind: Any, size: int | None, threads: int, root: Path
) -> None:
    """What is made has the right kind and size; a name that is there already is a failure."""
    run(op, root, names(), threads)
    assert listed(root / "a") == EVERY
    for name in names():
        status = (root / name).stat()
        assert kind(status.st_mode)
        assert size is None or status.st_size == size
    with Driver(op, root, names()) as driver, pytest.raises(FileExistsError) as caught:
        driver.run(1)
    assert caught.value.filename == str(root / "a/n0")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("op", ["unlink", "rmdir"])
def test_every_name_is_removed_and_must_have_been_there(op: str, threads: int, root: Path) -> None:
    """Nothing is left; a second time fails."""
    fill(root, directories=op == "rmdir")
    run(op, root, names(), threads)
    assert listed(root / "a") == set()
    with Driver(op, root, names()) as driver, pytest.raises(FileNotFoundError):
        driver.run(1)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("order", ["sequential", "random"])
@pytest.mark.parametrize("folder", ["a", "b"])
def test_names_move_to_the_directory_named(
    folder: str, order: str, threads: int, root: Path
) -> None:
    """Each file under its new name, in the same directory or the other one."""
    fill(root)
    inodes = [(root / name).stat().st_ino for name in names()]
    pairs = [(name, f"{folder}/m{number}") for number, name in enumerate(names())]
    run("rename", root, pairs, threads, order=order, seed=1)
    assert [(root / new).stat().st_ino for _, new in pairs] == inodes
    assert not EVERY & listed(root / "a")


@pytest.mark.parametrize("order", ["sequential", "random"])
def test_links_are_to_the_files_named(order: str, root: Path) -> None:
    """Both names, one inode."""
    fill(root)
    pairs = [(name, f"b/m{number}") for number, name in enumerate(names())]
    run("link", root, pairs, order=order, seed=1)
    for old, new in pairs:
        assert (root / old).samefile(root / new)
        assert (root / old).stat().st_nlink == 2


@pytest.mark.parametrize("order", ["sequential", "random"])
def test_symbolic_links_are_made_and_read(order: str, root: Path) -> None:
    """The target is the text given, whatever it names."""
    items = [(name, f"{TARGET}{number}") for number, name in enumerate(names())]
    run("symlink-readlink", root, items, order=order, seed=1)
    assert [str((root / name).readlink()) for name in names()] == [text for _, text in items]


def attributes(path: Path, op: str) -> object:
    """What the op has set."""
    status = path.stat()
    return {
        "chmod": stat.S_IMODE(status.st_mode),
        "chown": (status.st_uid, status.st_gid),
        "utimes": (status.st_atime_ns, status.st_mtime_ns),
        "truncate": status.st_size,
    }[op]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change owners")
@pytest.mark.parametrize(
    ("op", "values"),
    [
        ("chmod", [0o600, 0o644, 0o600]),
        ("chown", [(1, 1), (0, 0), (1, 1)]),
        ("utimes", [((10**9 + second) * 10**9,) * 2 for second in range(3)]),
        ("truncate", [4096, 0, 4096]),
    ],
)
def test_what_is_set_changes_from_pass_to_pass(op: str, values: list[object], root: Path) -> None:
    """The cursor and the passes tell which value each file has; the empty loop moves neither."""
    fill(root)
    with Driver(op, root, names()) as driver:
        for number, value in enumerate(values):
            assert driver.passes() == [number]
            driver.run(PRIME)
            driver.empty_loop_ns(3 * PRIME)
            assert {attributes(root / name, op) for name in names()} == {value}
        driver.run(2)
        assert driver.passes() == [3] and driver.cursors() == [2]
        assert attributes(root / "a/n1", op) != values[2]
        assert attributes(root / "a/n2", op) == values[2]


def test_an_attribute_must_be_as_long_as_expected(root: Path) -> None:
    """Missing where none is expected, there where one is, of that length."""
    fill(root)
    try:
        os.setxattr(root / "a/n1", "user.x", b"12345")
    except OSError as error:
        pytest.skip(f"needs user xattrs: {error.strerror}")
    one, two = ["a/n1"], ["a/n0"]
    with Driver("getxattr", root, one, text="user.x", expected=5) as driver:
        assert driver.run(PRIME).ops == PRIME
    with Driver("getxattr", root, two, text="user.x") as driver:
        assert driver.run(PRIME).ops == PRIME
    for items, expected, number in ((one, None, errno.EEXIST), (one, 6, errno.EIO),
                                    (two, 5, errno.ENODATA)):  # fmt: skip
        with (
            Driver("getxattr", root, items, text="user.x", expected=expected) as driver,
            pytest.raises(OSError) as caught,
        ):
            driver.run(1)
        assert caught.value.errno == number
        assert caught.value.filename == str(root / items[0])
    with Driver("listxattr", root, one, expected=len("user.x\0")) as driver:
        assert driver.run(PRIME).ops == PRIME


def test_attributes_are_asked_for_with_the_room_that_ls_has(root: Path) -> None:
    """The kernel clears as much at every call: 32 KiB were most of what a native call took."""
    (root / "a/n1").touch()
    try:
        os.setxattr(root / "a/n1", "user.x", b"x" * 255)
        os.setxattr(root / "a/n1", "user.y", b"y" * 256)
    except OSError as error:
        pytest.skip(f"needs user xattrs: {error.strerror}")
    with Driver("getxattr", root, ["a/n1"], text="user.x", expected=255) as driver:
        driver.run(3)
    with Driver("getxattr", root, ["a/n1"], text="user.y", expected=256) as driver:
        with pytest.raises(OSError) as caught:
            driver.run(3)
        assert caught.value.errno == errno.ERANGE


@pytest.mark.parametrize("share", [0, 1, 10, 20, 30, 40, 50, 75, 99, 100])
@pytest.mark.parametrize("threads", [1, 2])
def test_that_share_of_what_is_listed_is_statted(share: int, threads: int, root: Path) -> None:
    """Exactly, over every hundred entries of a thread, from wherever the seed has it begin."""
    for number in range(50):
        (root / f"a/{number}").touch()
    for seed in range(5):
        with Driver(
            "scan-stat-share", root, ["a"] * 8, share=share, seed=seed, threads=threads, buffer=4096
        ) as driver:
            result = driver.run(8)
        assert (result.entries, result.stats) == (400, 4 * share)


def test_each_buffers_entries_are_statted_before_the_next(root: Path) -> None:
    """A name that goes when the first buffer has been read is not missed: it was stat'ed before."""
    for number in range(2000):
        (root / f"a/{number:0100}").touch()
    with Driver("scan-ls", root, ["a"], expected=2000) as driver:
        result = driver.run(3)
    assert (result.entries, result.stats) == (6000, 6000)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_open_loop_keeps_its_rate(threads: int, root: Path) -> None:
    """A window takes at least as long as until the last op is due, and every op is in the histogram."""
    fill(root)
    with Driver("statx-at", root, names(), threads=threads) as driver:
        result = driver.run(PRIME, rate=2000)
    assert result.histogram is not None
    assert sum(result.histogram.values()) == PRIME
    assert result.ns >= (PRIME - threads) / 2000 * 1e9 * 0.99


def test_latency_is_counted_from_when_an_op_was_due(root: Path) -> None:
    """A rate that cannot be kept shows as latency that grows; a closed loop would hide it."""
    fill(root)
    with Driver("statx-at", root, names()) as driver:
        result = driver.run(10_000, rate=1e8)
    assert result.histogram is not None
    # The last op is due after 0.1 ms and done when all are.
    assert max(result.histogram) >= (result.ns - 100_000) * 0.9


@pytest.mark.parametrize(
    ("op", "told", "message"),
    [
        ("getxattr", {}, "text: getxattr needs"),
        ("fstat", {"text": "user.x"}, "text: fstat does not take"),
        ("scan-stat-share", {"share": 101}, "share: 101"),
        ("create", {"expected": 1}, "expected: create finds nothing"),
    ],
)
def test_what_an_op_is_told_must_be_what_it_takes(
    op: str, told: dict[str, Any], message: str, root: Path
) -> None:
    """Refused before anything is opened."""
    (root / "a/n0").touch()
    with pytest.raises(ValueError, match=message):
        Driver(op, root, ["a/n0"], **told)


@pytest.mark.parametrize("op", ["rename", "link", "symlink-readlink"])
@pytest.mark.parametrize("items", [["a/n0"], [("a/n0",)], b"a/n0\0", [("a/n0", "b/m", "c")]])
def test_ops_on_two_names_want_pairs(op: str, items: Any, root: Path) -> None:
    """One name is not enough, and packed names cannot say."""
    with pytest.raises(TypeError):
        Driver(op, root, items)


def test_a_rate_must_be_one(root: Path) -> None:
    """Not negative, not beyond what a clock can tell apart."""
    with Driver("statx-at", root, ["a"]) as driver:
        for rate in (-1.0, 1e9, float("nan")):
            with pytest.raises(ValueError, match="rate: wanted 0 to 100000000 operations"):
                driver.run(1, rate=rate)


@pytest.mark.parametrize("told", [{}, {"histogram": True}, {"rate": 50_000.0}])
def test_many_threads_on_few_cpus_come_to_an_end(told: dict[str, Any], root: Path) -> None:
    """64 of them, each on files of its own, and all on one."""
    fill(root)
    for items in (names(), ["a/n0"] * 64):
        with Driver("statx-at", root, items, threads=64) as driver:
            assert driver.run(6400, **told).ops == 6400
            assert driver.cursors() != []


def test_threads_have_descriptors_of_their_own_and_close_them(root: Path) -> None:
    """One directory, four threads: three more descriptors, gone with the driver."""
    fill(root)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Driver("create", root, names("b"), threads=4, once=True) as driver:
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 2 + 3
        driver.run(PRIME)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
