"""Whether a target shows the tree its backing has: entry by entry, field by field.

A fast wrong answer is no answer, so this runs on every target before anything is timed.

Compared: names, the type and inode number in the listing, and of lstat mode, nlink, ino, uid, gid,
size, blocks, rdev, atime, mtime, ctime (ns), block size of what is not a directory; link targets;
names of extended attributes; content of a few files, and of every file that workloads read, block
by block. Left aside: st_dev, which must differ; the
block size of directories, which servers do not carry over; birth time, which most cannot send; and
what a target is exempt from by name (bench.model.Exemption).

Reading moves atime, so an entry is compared before it is itself read or listed.
"""

from __future__ import annotations

import errno
import os
import random
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.model import Exemption

KEPT = 20
"""Differences that are kept as text; the rest is only counted."""
CONTENT_FILES = 8
CONTENT_BYTES = 1 << 20
"""How much of each of those files is compared, from its start."""
BLOCK = 4096
BLOCKS = 30
"""Drawn of each file that workloads read, beside its first and its last."""

_FIELDS = ("mode", "nlink", "ino", "uid", "gid", "size", "blocks", "rdev", "mtime_ns", "ctime_ns")


@dataclass(frozen=True)
class Report:
    """What was compared and what differs. ``differences`` are lines, the first KEPT of ``found``.

    ``entries`` were compared with lstat on both sides; ``sampled`` says that there were more.
    """

    entries: int
    directories: int
    sampled: bool
    differences: tuple[str, ...]
    found: int
    contents: int = 0

    @property
    def same(self) -> bool:
        """Nothing differs, and there was something to compare."""
        return not self.found and self.entries > 0

    def __str__(self) -> str:
        what = "a sample of the tree" if self.sampled else "the whole tree"
        size = f"{self.entries} entries in {self.directories} directories ({what})"
        if not self.found:
            return f"target and backing agree: {size}, {self.contents} files read"
        return f"target and backing differ in {self.found} places: {size}"


class _Walk:
    """One comparison under way: what is done, what is left, what was found."""

    def __init__(
        self, backing: Path, target: Path, limit: int, seed: int, exempt: Collection[Exemption]
    ) -> None:
        self.exempt = exempt
        self.backing, self.target, self.limit = os.fspath(backing), os.fspath(target), limit
        self.random = random.Random(seed)
        self.entries = self.directories = self.found = 0
        self.sampled = False
        self.lines: list[str] = []
        self.files: list[str] = []
        self.read = 0
        self.pending: list[str] = []

    def differs(self, relative: str, text: str) -> None:
        self.found += 1
        if len(self.lines) < KEPT:
            self.lines.append(f"{relative or '.'}: {text}")

    def run(self) -> None:
        if self.entry("", atime=True):
            self.pending.append("")
        while self.pending:
            if self.entries >= self.limit:
                self.sampled = True
                return
            # Any pending directory, so that a limit gives a sample from all over the tree.
            index = self.random.randrange(len(self.pending))
            self.pending[index], self.pending[-1] = self.pending[-1], self.pending[index]
            self.directory(self.pending.pop())

    def directory(self, relative: str) -> None:
        ours = self._listing(self.backing, relative, "backing")
        theirs = self._listing(self.target, relative, "target")
        if ours is None or theirs is None:
            return
        self.directories += 1
        for name in sorted(ours.keys() ^ theirs.keys()):
            side = "backing" if name in ours else "target"
            self.differs(_join(relative, name), f"only in the {side}")
        names = sorted(ours.keys() & theirs.keys())
        for name in names:
            if ours[name] != theirs[name]:
                text = f"listed as {_listed(ours[name])} in the backing, {_listed(theirs[name])}"
                self.differs(_join(relative, name), f"{text} in the target")
        room = self.limit - self.entries
        if len(names) > room:
            self.sampled = True
            names = self.random.sample(names, room)
        for name in names:
            path = _join(relative, name)
            if self.entry(path, atime=True):
                self.pending.append(path)

    def entry(self, relative: str, *, atime: bool) -> bool:
        """Compare one entry; true if it is a directory on both sides."""
        ours = self._lstat(self.backing, relative, "backing")
        theirs = self._lstat(self.target, relative, "target")
        if ours is None or theirs is None:
            return False
        self.entries += 1
        for name in _fields(ours, atime, self.exempt):
            left, right = getattr(ours, f"st_{name}"), getattr(theirs, f"st_{name}")
            if left != right:
                shown = (oct(left), oct(right)) if name == "mode" else (left, right)
                text = f"{name} {shown[0]} in the backing, {shown[1]} in the target"
                self.differs(relative, text)
        if stat.S_IFMT(ours.st_mode) != stat.S_IFMT(theirs.st_mode):
            return False
        self._names_of_xattrs(relative)
        if stat.S_ISLNK(ours.st_mode):
            self._link(relative)
        if stat.S_ISREG(ours.st_mode) and ours.st_size:
            self._remember_file(relative)
        return stat.S_ISDIR(ours.st_mode)

    def contents(self) -> int:
        """Compare the content of the files chosen on the way; how many."""
        for relative in self.files:
            sides = []
            for root, side in ((self.backing, "backing"), (self.target, "target")):
                try:
                    with Path(root, relative).open("rb") as file:
                        sides.append(file.read(CONTENT_BYTES))
                except OSError as error:
                    self.differs(relative, f"cannot be read in the {side}: {error.strerror}")
            if len(sides) == 2 and sides[0] != sides[1]:
                self.differs(relative, f"content differs at byte {_first_difference(*sides)}")
        return len(self.files)

    def blocks(self, relative: str) -> None:
        """Compare some blocks of a file, the first and the last among them."""
        try:
            with (
                Path(self.backing, relative).open("rb", buffering=0) as ours,
                Path(self.target, relative).open("rb", buffering=0) as theirs,
            ):
                last = max(os.fstat(ours.fileno()).st_size - 1, 0) // BLOCK
                chosen = {0, last, *(self.random.randint(0, last) for _ in range(BLOCKS))}
                sides = [
                    [os.pread(side.fileno(), BLOCK, place * BLOCK) for place in sorted(chosen)]
                    for side in (ours, theirs)
                ]
        except OSError as error:
            self.differs(relative, f"cannot be read: {error.strerror}")
            return
        self.read += 1
        for place, left, right in zip(sorted(chosen), *sides, strict=True):
            if left != right:
                at = place * BLOCK + _first_difference(left, right)
                self.differs(relative, f"content differs at byte {at}")
                return

    def report(self) -> Report:
        contents = self.contents()
        return Report(
            self.entries, self.directories, self.sampled, tuple(self.lines), self.found, contents
        )

    def _remember_file(self, relative: str) -> None:
        # Reservoir sampling: every file seen has the same chance, whatever their number.
        if len(self.files) < CONTENT_FILES:
            self.files.append(relative)
            return
        index = self.random.randrange(self.entries)
        if index < CONTENT_FILES:
            self.files[index] = relative

    def _lstat(self, root: str, relative: str, side: str) -> os.stat_result | None:
        try:
            return os.lstat(_at(root, relative))
        except OSError as error:
            self.differs(relative, f"lstat fails in the {side}: {error.strerror}")
            return None

    def _listing(self, root: str, relative: str, side: str) -> dict[str, tuple[str, int]] | None:
        try:
            with os.scandir(_at(root, relative)) as entries:
                return {entry.name: (_kind(entry), entry.inode()) for entry in entries}
        except OSError as error:
            self.differs(relative, f"cannot be listed in the {side}: {error.strerror}")
            return None

    def _link(self, relative: str) -> None:
        ours, theirs = (_readlink(_at(root, relative)) for root in (self.backing, self.target))
        if ours != theirs:
            self.differs(relative, f"links to {ours} in the backing, {theirs} in the target")

    def _names_of_xattrs(self, relative: str) -> None:
        ours, theirs = (_xattrs(_at(root, relative)) for root in (self.backing, self.target))
        if ours != theirs:
            text = f"extended attributes {ours or 'none'} in the backing, {theirs or 'none'}"
            self.differs(relative, f"{text} in the target")


def compare(
    backing: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    limit: int = 20_000,
    seed: int = 0,
    exempt: Collection[Exemption] = (),
) -> Report:
    """Compare two trees: all of them up to ``limit`` entries, else that many, by ``seed``.

    Never raises for what it finds; a side that cannot be read is a difference. For a target with
    long attribute timeouts call it on a fresh mount: cached attributes show an older atime.
    """
    walk = _Walk(Path(backing), Path(target), max(limit, 1), seed, exempt)
    walk.run()
    return walk.report()


def compare_data(
    backing: str | os.PathLike[str],
    target: str | os.PathLike[str],
    paths: Iterable[str],
    *,
    seed: int = 0,
    exempt: Collection[Exemption] = (),
) -> Report:
    """Compare the files that are read: their attributes, and blocks of each, the last among them.

    The server that encrypts or compresses answers for names as its backing does, and reads other
    bytes.
    """
    walk = _Walk(Path(backing), Path(target), 1, seed, exempt)
    for path in paths:
        walk.entry(path, atime=False)
        walk.blocks(path)
    walk.files = []
    return replace(walk.report(), contents=walk.read)


def spot_check(
    backing: str | os.PathLike[str],
    target: str | os.PathLike[str],
    paths: Iterable[str | os.PathLike[str]],
    *,
    exempt: Collection[Exemption] = (),
) -> Report:
    """Compare single entries, named relative to both roots; no directory is listed, no file read.

    Leaves atime aside: after a trial, attribute timeouts may rightly show the one from before.
    """
    walk = _Walk(Path(backing), Path(target), 1, 0, exempt)
    for path in paths:
        walk.entry(os.fspath(path), atime=False)
    walk.files = []
    return walk.report()


def _fields(ours: os.stat_result, atime: bool, exempt: Collection[Exemption]) -> Iterator[str]:
    directory = stat.S_ISDIR(ours.st_mode)
    for name in _FIELDS:
        if not (name == "ino" and directory and Exemption.DIRECTORY_INO in exempt):
            yield name
    if atime and not (directory and Exemption.DIRECTORY_ATIME in exempt):
        yield "atime_ns"
    if not directory:
        yield "blksize"


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _at(root: str, relative: str) -> str:
    # "/." makes lstat look at the directory even where the root is named by a symbolic link.
    return f"{root}/{relative or '.'}"


def _kind(entry: os.DirEntry[str]) -> str:
    # These answer from d_type without a stat, except where the file system leaves it unknown.
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "file" if entry.is_file(follow_symlinks=False) else "special"


def _listed(listed: tuple[str, int]) -> str:
    return f"{listed[0]} {listed[1]}"


def _readlink(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 (a Path per entry costs 3 us)
    except OSError as error:
        return f"an error ({error.strerror})"


def _xattrs(path: str) -> list[str]:
    try:
        return sorted(os.listxattr(path, follow_symlinks=False))
    except OSError as error:
        # A server without the operation has none to show, which is right for a tree without any.
        if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
            return []
        return [f"error: {error.strerror}"]


def _first_difference(left: bytes, right: bytes) -> int:
    common = min(len(left), len(right))
    return next((i for i in range(common) if left[i] != right[i]), common)
