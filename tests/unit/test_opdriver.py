"""The op driver on an ordinary directory: every op counts, checks, cycles and gives back."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import pytest

from workloads import tree
from workloads._native import opdriver
from workloads._native.opdriver import Driver

DIRS = 3
FILES = 7
BLOCKS = 3
PRIME = 1009

# Those that make, move or remove names use them up; tests/unit/test_opdriver_changes.py has them.
USING_UP = ("create", "create-write", "mknod", "mkdir", "unlink", "rmdir", "rename", "link",
            "symlink-readlink")  # fmt: skip
OPS = [op for op in opdriver.OPS if op not in USING_UP]
LISTING = [op for op in OPS if "scan" in op]
MISSING = [op for op in OPS if op.startswith("missing")]
ON_FILES = [op for op in OPS if op not in LISTING + MISSING]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for i in range(DIRS):
        (tmp_path / f"d{i}").mkdir()
        for j in range(FILES):
            (tmp_path / f"d{i}/f{j}").write_bytes(b"x" * 4096 * BLOCKS)
    return tmp_path


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


def items(op: str) -> list[str]:
    if op in LISTING:
        return [f"d{i}" for i in range(DIRS)]
    suffix = "-no" if op in MISSING else ""
    return [f"d{i}/f{j}{suffix}" for i in range(DIRS) for j in range(FILES)]


def told(op: str) -> dict[str, str | int]:
    """What an op needs beside its items."""
    return {"getxattr": {"text": "user.missing"}, "listxattr": {"expected": 0}}.get(op, {})


def size(op: str) -> int:
    return len(items(op)) * (BLOCKS if op == "pread" else 1)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("order", ["sequential", "random"])
@pytest.mark.parametrize("op", OPS)
def test_a_prime_number_of_ops_is_done_exactly(
    op: str, order: str, threads: int, root: Path
) -> None:
    with Driver(op, root, items(op), order=order, seed=1, threads=threads, **told(op)) as driver:
        ops, ns, histogram = result = driver.run(PRIME)
    assert (ops, histogram) == (PRIME, None)
    assert ns > 0
    assert result.entries == (PRIME * FILES if op in LISTING else 0)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("op", OPS)
def test_the_histogram_holds_every_op(op: str, threads: int, root: Path) -> None:
    with Driver(op, root, items(op), threads=threads, **told(op)) as driver:
        first = driver.run(PRIME, histogram=True)
        second = driver.run(13, histogram=True)
    assert first.histogram is not None
    assert second.histogram is not None
    assert sum(first.histogram.values()) == PRIME
    assert sum(second.histogram.values()) == 13


@pytest.mark.parametrize("op", OPS)
def test_a_run_goes_on_where_the_last_one_ended(op: str, root: Path) -> None:
    with Driver(op, root, items(op), **told(op)) as driver:
        assert driver.size == size(op)
        for ops, cursor in [(2, 2), (driver.size, 2), (driver.size - 2, 0)]:
            driver.run(ops)
            assert driver.cursors() == [cursor]


def test_windows_of_any_size_use_the_threads_evenly(root: Path) -> None:
    with Driver("statx-path", root, items("statx-path"), threads=3) as driver:
        assert driver.cursors() == [0, 7, 14]
        for _ in range(6):
            driver.run(1)
        assert driver.cursors() == [2, 9, 16]
        driver.run(15)
        assert driver.cursors() == [0, 7, 14]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_one_cycle_visits_everything_exactly_once(threads: int, tmp_path: Path) -> None:
    # Directory i has 2^i entries, so that the sum tells which ones were listed.
    for i in range(6):
        (tmp_path / f"d{i}").mkdir()
        for j in range(2**i):
            (tmp_path / f"d{i}/{j}").touch()
    names = [f"d{i}" for i in range(6)]
    with Driver("scan", tmp_path, names, threads=threads, order="random", once=True) as driver:
        assert sum(driver.run(1).entries for _ in names) == 2**6 - 1
        assert driver.left == 0


def test_random_order_is_a_permutation_made_from_the_seed(root: Path) -> None:
    def visits(seed: int) -> list[object]:
        with Driver("statx-at", root, items("statx-at"), order="random", seed=seed) as driver:
            return list(driver.visits())

    assert visits(1) == visits(1) != visits(2)
    assert sorted(map(str, visits(1))) == items("statx-at") != visits(1)


def test_pread_lays_out_every_block_once(root: Path) -> None:
    with Driver("pread", root, ["d0/f0", "d1/f1"], order="random", seed=3) as driver:
        visits = sorted(map(str, driver.visits()))
    assert visits == [str((path, b)) for path in ("d0/f0", "d1/f1") for b in range(BLOCKS)]


def test_once_refuses_to_visit_twice(root: Path) -> None:
    with Driver("missing", root, items("missing"), once=True, threads=2) as driver:
        driver.run(20)
        assert driver.left == 1
        with pytest.raises(ValueError, match="wanted 2, but only 1 of 21"):
            driver.run(2)
        assert driver.run(1).ops == 1


def test_pairs_packed_names_and_paths_are_the_same(root: Path) -> None:
    paths = items("statx-at")
    packed = "".join(f"{path}\0" for path in paths).encode()
    pairs = [(path[:2], path[3:]) for path in paths]
    forms: list[Sequence[str | tuple[str, str]] | bytes] = [paths, packed, pairs]
    for form in forms:
        with Driver("statx-at", root, form) as driver:
            assert driver.visits() == paths
            driver.run(PRIME)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("op", ["statx-path", "statx-at", "open-close"])
def test_a_failing_op_stops_the_window_with_errno_and_path(
    op: str, threads: int, root: Path
) -> None:
    with Driver(op, root, items(op), threads=threads, **told(op)) as driver:
        (root / "d1/f3").unlink()
        with pytest.raises(OSError) as caught:
            driver.run(10**9)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(root / "d1/f3")


@pytest.mark.parametrize("op", MISSING)
def test_a_missing_name_that_exists_is_a_failure(op: str, root: Path) -> None:
    with Driver(op, root, items(op), **told(op)) as driver:
        (root / "d2/f5-no").touch()
        with pytest.raises(FileExistsError) as caught:
            driver.run(PRIME)
    assert caught.value.filename == str(root / "d2/f5-no")


def test_another_error_than_enoent_is_no_missing_name(root: Path) -> None:
    with Driver("missing", root, ["d0/f0/below"]) as driver, pytest.raises(NotADirectoryError):
        driver.run(1)


@pytest.mark.parametrize("op", LISTING)
@pytest.mark.parametrize("expected", [FILES, [FILES] * DIRS])
def test_a_listing_of_unexpected_length_is_a_failure(
    op: str, expected: int | list[int], root: Path
) -> None:
    with Driver(op, root, items(op), expected=expected, **told(op)) as driver:
        driver.run(PRIME)
        (root / "d2/extra").touch()
        with pytest.raises(OSError, match="entries: wanted 7, got 8") as caught:
            driver.run(PRIME)
    assert caught.value.filename == str(root / "d2")


def test_a_long_directory_is_counted_over_many_buffers(tmp_path: Path) -> None:
    for i in range(PRIME):
        (tmp_path / f"{i:0100}").touch()
    for op in LISTING:
        with Driver(op, tmp_path, ["."], buffer=4096, expected=PRIME) as driver:
            assert driver.run(3).entries == 3 * PRIME


@pytest.mark.parametrize("order", ["sequential", "random"])
def test_exactly_the_chosen_entries_are_statted(order: str, root: Path) -> None:
    """A chosen name that is not there fails with its path; one that was not chosen may be missing."""
    chosen = [("d0", ["f1", "f5"]), ("d1", []), ("d2", ["f3"])]
    with Driver("scan-stat-some", root, chosen, order=order, seed=3) as driver:
        assert sorted(driver.visits()) == ["d0", "d1", "d2"]
        (root / "d1/f3").unlink()
        assert driver.run(PRIME).ops == PRIME
        (root / "d2/f3").unlink()
        with pytest.raises(FileNotFoundError) as caught:
            driver.run(PRIME)
    assert caught.value.filename == str(root / "d2/f3")


@pytest.mark.parametrize("names", [[""], ["f1", "f\0"], 7])
def test_a_choice_that_names_nothing_is_refused(names: object, root: Path) -> None:
    """An empty name would end the list of names early."""
    with pytest.raises((ValueError, TypeError)):
        Driver("scan-stat-some", root, [("d0", names)])  # type: ignore[list-item]


def test_a_short_read_is_a_failure(root: Path) -> None:
    with Driver("pread", root, items("pread")) as driver:
        os.truncate(root / "d0/f2", 4096 + 5)
        with pytest.raises(OSError, match="wanted 4096, got 5") as caught:
            driver.run(PRIME)
    assert caught.value.filename == str(root / "d0/f2")


def test_a_read_looks_at_what_it_was_given(tmp_path: Path) -> None:
    """A block begins with the bytes of its seed, its file and its place: any other is a failure."""
    data = tree.Data(files=2, size=4 * 4096)
    spec = tree.TreeSpec(depth=1, branching=1, files_per_dir=1, seed=7)
    tree.build(spec, tmp_path, data=data)

    def read(seed: int = 7) -> None:
        with Driver("pread", tmp_path, data.paths(), contents=seed) as driver:
            driver.run(driver.size)

    read()
    with pytest.raises(OSError, match="other bytes than the tree's"):
        read(seed=8)
    file = tmp_path / data.paths()[1]
    whole = file.read_bytes()
    file.write_bytes(whole[4096:8192] + whole[:4096] + whole[8192:])
    with pytest.raises(OSError, match="other bytes than the tree's") as caught:
        read()
    assert caught.value.filename == str(file)
    file.write_bytes(whole)
    read()


@pytest.mark.parametrize("op", ["fstat", "pread", "statx-at"])
def test_more_descriptors_than_the_limit_is_refused_with_the_figure(op: str, root: Path) -> None:
    names = [f"d0/{i}/f" for i in range(10**6)] if op == "statx-at" else ["d0/f0"] * 10**6
    with pytest.raises(OSError, match="1000000 descriptors would be open") as caught:
        Driver(op, root, names)
    assert caught.value.errno == errno.EMFILE


@pytest.mark.parametrize("op", ["fstat", "rescan", "pread", "statx-at"])
def test_what_cannot_be_opened_is_named_and_the_rest_closed(op: str, root: Path) -> None:
    names = [*items(op), "gone/f"]
    with pytest.raises(FileNotFoundError) as caught:
        Driver(op, root, names)
    assert str(caught.value.filename).startswith(str(root / "gone"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"op": "stat"}, "op: stat: unknown"),
        ({"items": []}, "wanted 1 to"),
        ({"threads": 22}, "more than there are things to visit"),
        ({"threads": 0}, "wanted 1 to"),
        ({"sync": "never"}, "as-stat, force or dont"),
        ({"order": "sorted"}, "sequential or random"),
        ({"expected": 7}, "finds nothing to count"),
        ({"op": "scan", "expected": [7]}, "expected: wanted 21 numbers, got 1"),
        ({"op": "scan", "expected": -1}, "not a number of entries"),
    ],
)
def test_a_wrong_argument_is_refused(
    arguments: dict[str, object], message: str, root: Path
) -> None:
    good: dict[str, object] = {"op": "statx-path", "root": root, "items": items("statx-path")}
    with pytest.raises(ValueError, match=message):
        Driver(**{**good, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize("sync", ["as-stat", "force", "dont"])
def test_every_sync_flag_is_accepted(sync: str, root: Path) -> None:
    for op in ("statx-path", "fstat", "scan-stat"):
        with Driver(op, root, items(op), sync=sync, **told(op)) as driver:
            assert driver.run(PRIME).ops == PRIME


@pytest.mark.parametrize("op", OPS)
def test_the_empty_loop_moves_no_cursor(op: str, root: Path) -> None:
    with Driver(op, root, items(op), threads=2, **told(op)) as driver:
        driver.run(3)
        before = driver.cursors()
        assert driver.empty_loop_ns(PRIME) > 0
        assert driver.empty_loop_ns(PRIME, histogram=True) > 0
        assert driver.cursors() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_a_signal_handler_that_raises_ends_a_long_run(threads: int, root: Path) -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with Driver("statx-path", root, items("statx-path"), threads=threads) as driver:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            with pytest.raises(KeyboardInterrupt):
                driver.run(10**15)
            assert driver.run(PRIME).ops == PRIME
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_closed_driver_says_so(root: Path) -> None:
    driver = Driver("fstat", root, items("fstat"))
    driver.close()
    driver.close()
    for call in (lambda: driver.run(1), driver.visits, driver.cursors, driver.empty_loop_ns):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_dropping_a_driver_closes_its_descriptors(root: Path) -> None:
    before = len(descriptors())
    driver = Driver("fstat", root, items("fstat"))
    assert len(descriptors()) == before + len(items("fstat")) + 1
    del driver


def test_a_walk_sees_every_directory_and_entry(root: Path) -> None:
    (root / "d1/deep/deeper").mkdir(parents=True)
    (root / "link").symlink_to("d0")
    for stat in (False, True):
        dirs, entries, ns = opdriver.walk(root, stat=stat)
        assert (dirs, entries) == (1 + DIRS + 2, DIRS + DIRS * FILES + 2 + 1)
        assert ns > 0


def test_a_walk_that_fails_names_the_path(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        opdriver.walk(root / "gone")
    with pytest.raises(NotADirectoryError):
        opdriver.walk(root / "d0/f0")


def test_a_signal_handler_that_raises_ends_a_walk(tmp_path: Path) -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for i in range(2000):
        (tmp_path / f"{i}").touch()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            while True:
                opdriver.walk(tmp_path, stat=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
