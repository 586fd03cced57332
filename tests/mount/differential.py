"""Drives one random sequence of operations into a mount and into a native directory, and compares.

    python -m tests.mount.differential --daemon plain-c --operations 200000 --seed 7

Each operation must give the same value or the same errno on both sides, and after each sequence
the trees must be equal. A sequence that tells the two apart is shrunk by Hypothesis and printed.

What is left out, beside what targets.DOCUMENTED says of a target:
- atime but where it was just set: FUSE answers reads from its page cache (S_NOATIME, fs/fuse/inode.c);
- st_dev, and inode numbers as such: within a side they must agree;
- st_blocks, which allocation behind the scenes changes;
- SEEK_HOLE and SEEK_DATA where space was reserved: an unwritten extent is a hole until a page of it
  is cached (fs/iomap/seek.c), and the two sides' caches differ;
- places in directories, which mean nothing (telldir(3));
- set-gid without group execution: a write by a stranger clears it, FUSE's kernel side does not
  (fs/fuse/dir.c, fuse_setattr, against setattr_should_drop_sgid in fs/attr.c).
"""

from __future__ import annotations

import argparse
import itertools
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import hypothesis
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.mount import operations as do
from tests.mount.targets import Difference, Target, documented, open_folder, targets, upper_like

STEPS = 50
"""Operations in one sequence, which begins with the few names of operations.furnish()."""

ODD, LONG, TOO_LONG = b"caf\xe9 \xff\n\x01", b"n" * 255, b"n" * 256
PATHS: list[do.Path] = [
    (b"a",), (b"b",), (b"a", b"a"), (b"a", b"b"), (b"c",), (b"d",), (b"a", b"b", b"a"), (b"c", b"a"),
    (b"a", b"d"), (b"d", b"a"), (ODD,), (b"a", ODD), (b"a", b"b", b"b"), (b"a",), (b"b",), (b"d",),
    (b"a", b"a"), (b"a", b"b"), (b"a", b"d"), (LONG,), (b"a", LONG), (TOO_LONG,), (b"a", b"..", b"b"),
    (b"b", b""), (b"a", b"."), (b".",),
]  # fmt: skip
# None leads out of the directory, where sequences would meet.
TARGETS = [b"a", b"b", b"a/b", b"a/a", ODD, b"d", b"/nowhere/at/all", b"c" * 4000, b""]
USERS = [0, 0, 1001, 1002]
MODES = [
    0o644,
    0o777,
    0o755,
    0o666,
    0o000,
    0o600,
    0o1777,
    0o2775,
    0o4755,
    0o6711,
    0o2654,
    0o070,
    0o007,
]
NODES = [kind | 0o666 for kind in (stat.S_IFIFO, stat.S_IFREG, stat.S_IFSOCK)]
ACCESS = [os.O_RDONLY, os.O_WRONLY, os.O_RDWR]
OPTIONS = [0, 0, os.O_APPEND, os.O_TRUNC, os.O_NOFOLLOW, os.O_DIRECTORY]
CREATION = [os.O_CREAT, 0, os.O_CREAT | os.O_EXCL]
OFFSETS = [0, 1, 10, 4095, 4096, 5000, 65536, 100_000, 131_072]
TIMES = [
    None, (0, 0), (1_000_000_007, 1_234_567_890_123_456_789), (5_000_000_001, 999_999_999),
    (-1, -1_500_000_000), (7_000_000_000_000_000_001, 10**9 - 1),
]  # fmt: skip
XATTRS = [
    b"user.a",
    b"user.b",
    b"user.a",
    b"user.b",
    b"trusted.a",
    b"user.",
    b"nothing.a",
    b"user." + LONG,
]
VALUES = [b"", b"\0\xff", b"x" * 100, b"y" * 3000]
# KEEP_SIZE, PUNCH_HOLE and ZERO_RANGE, as far as fs/fuse/file.c passes them on.
FALLOCATE = [0, 1, 3, 16, 17]

one = st.sampled_from
paths, modes, users, slots, offsets = (
    one(PATHS),
    one(MODES),
    one(USERS),
    st.integers(0, 2),
    one(OFFSETS),
)
ids = one([-1, 0, 1001, 1002])
data = st.builds(lambda fill, size: bytes([fill]) * size, st.integers(1, 255), offsets)


class Differential(RuleBasedStateMachine):
    """One sequence. Subclasses name the two directories in which it makes its own."""

    mount: ClassVar[bytes]
    native: ClassVar[bytes]
    differences: ClassVar[frozenset[Difference]]
    done: ClassVar[int]
    progress: ClassVar[Callable[[int], None]]
    serial: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        self.user, self.umask = 0, 0o022
        self.reserved = False
        name = b"%d" % next(self.serial)
        self.sides = [do.Side(root + b"/" + name) for root in (self.mount, self.native)]
        for side in self.sides:
            side.has_listed_ino = Difference.LISTED_INO not in self.differences
            do.furnish(side, ODD)

    def both(self, operation: Callable[..., do.Result], *arguments: object) -> None:
        """One operation on both sides; the results must be equal."""
        type(self).done += 1
        with do.acting_as(self.user, self.umask):
            got, wanted = (do.outcome(operation, side, *arguments) for side in self.sides)
        assert got == wanted, f"{operation.__name__}: got {got}, natively {wanted}"

    def teardown(self) -> None:
        """The trees must be equal, what is open included."""
        try:
            got, wanted = (do.tree(side) for side in self.sides)
            for name in sorted(got.keys() | wanted.keys()):
                assert got.get(name) == wanted.get(name), (
                    f"{name!r} {got.get(name)} {wanted.get(name)}"
                )
        finally:
            for side in self.sides:
                side.close()
            type(self).progress(self.done)

    def is_open(self) -> bool:
        return bool(self.sides[0].slots)

    def slot(self, wish: int) -> int:
        """An open slot."""
        held = sorted(self.sides[0].slots)
        return held[wish % len(held)]

    @initialize(user=users)
    def begin(self, user: int) -> None:
        """Half of the sequences are not root's from the start."""
        self.user = user

    @rule(user=users, umask=one([0o022, 0, 0o077]))
    def become(self, user: int, umask: int) -> None:
        """Everything that follows is done by another user."""
        self.user, self.umask = user, umask

    @rule(
        slot=slots, path=paths, access=one(ACCESS), how=one(CREATION), more=one(OPTIONS), mode=modes
    )
    def open(self, slot: int, path: do.Path, access: int, how: int, more: int, mode: int) -> None:
        self.both(do.open_file, slot, path, access | how | more, mode)

    @rule(path=paths, mode=modes)
    def mkdir(self, path: do.Path, mode: int) -> None:
        self.both(do.make_directory, path, mode)

    @rule(path=paths, mode=one(NODES))
    def mknod(self, path: do.Path, mode: int) -> None:
        self.both(do.make_node, path, mode)

    @rule(text=one(TARGETS), path=paths)
    def symlink(self, text: bytes, path: do.Path) -> None:
        self.both(do.make_symlink, text, path)

    @rule(old=paths, new=paths, follow=st.booleans())
    def link(self, old: do.Path, new: do.Path, follow: bool) -> None:
        self.both(do.make_link, old, new, follow)

    @rule(path=paths)
    def unlink(self, path: do.Path) -> None:
        self.both(do.unlink, path)

    @rule(path=paths)
    def rmdir(self, path: do.Path) -> None:
        self.both(do.remove_directory, path)

    @rule(old=paths, new=paths, flags=one([0, 0, 1, 2, 3]))
    def rename(self, old: do.Path, new: do.Path, flags: int) -> None:
        self.both(do.rename, old, new, flags)

    @rule(path=paths, mode=modes)
    def chmod(self, path: do.Path, mode: int) -> None:
        self.both(do.chmod, path, mode)

    @rule(path=paths, uid=ids, gid=ids, follow=st.booleans())
    def chown(self, path: do.Path, uid: int, gid: int, follow: bool) -> None:
        self.both(do.chown, path, uid, gid, follow)

    @rule(path=paths, size=one([*OFFSETS, -1, 1 << 62]))
    def truncate(self, path: do.Path, size: int) -> None:
        self.both(do.truncate, path, size)

    @rule(path=paths, times=one(TIMES), follow=st.booleans())
    def utimens(self, path: do.Path, times: tuple[int, int] | None, follow: bool) -> None:
        self.both(do.set_times, path, times, follow)

    @rule(path=paths, follow=st.booleans())
    def stat(self, path: do.Path, follow: bool) -> None:
        self.both(do.look, path, follow)

    @rule(path=paths)
    def readlink(self, path: do.Path) -> None:
        self.both(do.read_link, path)

    @rule(path=paths, mode=st.integers(0, 7))
    def access(self, path: do.Path, mode: int) -> None:
        self.both(do.may, path, mode)

    @rule(path=paths)
    def readdir(self, path: do.Path) -> None:
        self.both(do.list_directory, path)

    @rule(
        path=paths, name=one(XATTRS), value=one(VALUES), flags=one([0, 1, 2]), follow=st.booleans()
    )
    def setxattr(self, path: do.Path, name: bytes, value: bytes, flags: int, follow: bool) -> None:
        self.both(do.set_xattr, path, name, value, flags, follow)

    @rule(path=paths, name=one(XATTRS), follow=st.booleans())
    def getxattr(self, path: do.Path, name: bytes, follow: bool) -> None:
        self.both(do.get_xattr, path, name, follow)

    @rule(path=paths, follow=st.booleans())
    def listxattr(self, path: do.Path, follow: bool) -> None:
        self.both(do.list_xattrs, path, follow)

    @rule(path=paths, name=one(XATTRS), follow=st.booleans())
    def removexattr(self, path: do.Path, name: bytes, follow: bool) -> None:
        self.both(do.remove_xattr, path, name, follow)

    @precondition(is_open)
    @rule(slot=slots, offset=offsets, size=offsets)
    def read(self, slot: int, offset: int, size: int) -> None:
        self.both(do.read, self.slot(slot), offset, size)

    @precondition(is_open)
    @rule(slot=slots, offset=one([*OFFSETS, 1 << 62]), data=data)
    def write(self, slot: int, offset: int, data: bytes) -> None:
        self.both(do.write, self.slot(slot), offset, data)

    @precondition(is_open)
    @rule(slot=slots, data=st.binary(min_size=1, max_size=20))
    def write_mapped(self, slot: int, data: bytes) -> None:
        self.both(do.write_mapped, self.slot(slot), data)

    @precondition(is_open)
    @rule(slot=slots, size=one([*OFFSETS, 1 << 62]))
    def ftruncate(self, slot: int, size: int) -> None:
        self.both(do.truncate_open, self.slot(slot), size)

    @precondition(lambda self: self.is_open() and Difference.FALLOCATE not in self.differences)
    @rule(slot=slots, mode=one(FALLOCATE), offset=offsets, length=offsets)
    def fallocate(self, slot: int, mode: int, offset: int, length: int) -> None:
        self.reserved = True
        self.both(do.allocate, self.slot(slot), mode, offset, length)

    @precondition(
        lambda self: (
            self.is_open() and not self.reserved and Difference.HOLES not in self.differences
        )
    )
    @rule(slot=slots, offset=offsets, whence=one([os.SEEK_DATA, os.SEEK_HOLE, os.SEEK_END]))
    def lseek(self, slot: int, offset: int, whence: int) -> None:
        self.both(do.seek, self.slot(slot), offset, whence)

    @precondition(is_open)
    @rule(old=slots, new=slots, size=offsets, at=st.tuples(offsets, offsets))
    def copy_file_range(self, old: int, new: int, size: int, at: tuple[int, int]) -> None:
        self.both(do.copy_range, self.slot(old), self.slot(new), size, at)

    @precondition(is_open)
    @rule(slot=slots, mode=modes)
    def fchmod(self, slot: int, mode: int) -> None:
        self.both(do.chmod_open, self.slot(slot), mode)

    @precondition(is_open)
    @rule(slot=slots, uid=ids, gid=ids)
    def fchown(self, slot: int, uid: int, gid: int) -> None:
        self.both(do.chown_open, self.slot(slot), uid, gid)

    @precondition(is_open)
    @rule(slot=slots, times=one(TIMES))
    def futimens(self, slot: int, times: tuple[int, int] | None) -> None:
        self.both(do.set_times_open, self.slot(slot), times)

    @precondition(is_open)
    @rule(slot=slots, name=one(XATTRS), value=one(VALUES))
    def fsetxattr(self, slot: int, name: bytes, value: bytes) -> None:
        self.both(do.set_xattr_open, self.slot(slot), name, value)

    @precondition(is_open)
    @rule(slot=slots)
    def fstat(self, slot: int) -> None:
        self.both(do.look_open, self.slot(slot))

    @precondition(is_open)
    @rule(slot=slots)
    def fsync(self, slot: int) -> None:
        self.both(do.sync, self.slot(slot))

    @precondition(is_open)
    @rule(slot=slots)
    def close(self, slot: int) -> None:
        self.both(do.close, self.slot(slot))


@contextmanager
def mounted(target: Target, folder: Path) -> Iterator[tuple[bytes, bytes]]:
    """A target over an empty backing, and an empty native directory beside it."""
    for name in ("backing", "native"):
        (folder / name).mkdir()
    with upper_like(target.daemon, folder / "native") as native:
        mount = target.mount(folder)
        try:
            yield os.fsencode(mount.root), os.fsencode(native)
            mount.stop()
        finally:
            mount.end()


def run(
    target: Target,
    folder: Path,
    operations: int,
    seed: int,
    progress: Callable[[int], None] = lambda _done: None,
    shrink: bool = True,
) -> int:
    """Run about ``operations`` of them; how many it were. Raises AssertionError on a difference."""
    set_hypothesis_home_dir(folder / "hypothesis")
    with mounted(target, folder) as (mount, native):
        machine = type(
            "Differential",
            (Differential,),
            {
                "mount": mount,
                "native": native,
                "differences": frozenset(documented(target.daemon)),
                "done": 0,
                "progress": staticmethod(progress),
                "serial": itertools.count(),
            },
        )
        settings = hypothesis.settings(
            max_examples=max(1, operations * 5 // (4 * STEPS)),  # some steps are no operations
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if shrink else [])],
        )
        run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=settings)
        return machine.done


def main(arguments: list[str] | None = None) -> int:
    """The longer run by hand. Returns 0, or 1 with the shortest sequence that shows a difference."""
    found = {target.id: target for target in targets()}
    parser = argparse.ArgumentParser(prog="tests.mount.differential", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--daemon", choices=sorted(found), required=True)
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--folder", type=Path, help="where the backing is made (default: a temporary one)"
    )
    parser.add_argument(
        "--no-shrink", action="store_true", help="show the sequence as it was found"
    )
    options = parser.parse_args(arguments)
    begun = time.monotonic()

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{options.daemon}: {done} operations", end="", file=sys.stderr, flush=True)

    with open_folder(options.folder) as folder:
        target = found[options.daemon]
        done = run(
            target, folder, options.operations, options.seed, progress, not options.no_shrink
        )
    print(f"\n{options.daemon}: {done} operations, seed {options.seed}, no difference,"
          f" {time.monotonic() - begun:.0f} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
