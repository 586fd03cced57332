"""Trees to measure on: what one looks like, its names by index, and building it once for many runs.

Names are a function of the spec, so that nothing has to be listed to know them. Directories are
numbered level by level from 0, the root ``tree``; those of the last level are the leaves and hold
the files. Paths are relative to the directory a tree is built in, which is laid out as

    tree/            the names
    data/            a few files with content, for reads
    manifest.json    written last: a tree without a valid one is half-built
    .fuse-bench-tree written first: what may be removed and built anew
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from bench.model import UserError
from workloads._native import treebuilder

LAYOUT = 1
"""Number of the layout on disk and of the rule that makes names; part of every hash."""
MANIFEST = "manifest.json"
MARKER = ".fuse-bench-tree"

Progress = Callable[[int, int], object]
"""Called now and then with files made and files in all."""


class Children(NamedTuple):
    """How many directories and files a directory holds."""

    dirs: int
    files: int


@dataclass(frozen=True)
class TreeSpec:
    """A tree; the defaults are the preset ``small``. Same spec, same names, sizes and content."""

    depth: int = 2
    """Levels of directories below the root."""
    branching: int = 10
    """Directories in every directory that is not a leaf."""
    files_per_dir: int = 100
    """Files in every leaf."""
    name_length: int = 16
    file_size: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            if not 0 <= value < 2**63:
                raise UserError(f"tree: {key}: {value}: wanted 0 or more, below 2^63")
        try:
            treebuilder.counts(self._shape)
        except ValueError as error:
            raise UserError(f"tree: {error}") from None

    @cached_property
    def _shape(self) -> treebuilder.Shape:
        return (
            self.depth,
            self.branching,
            self.files_per_dir,
            self.name_length,
            self.file_size,
            self.seed,
        )

    @cached_property
    def _counts(self) -> tuple[int, int, int, int]:
        return treebuilder.counts(self._shape)

    @property
    def dir_count(self) -> int:
        """Directories, the root included."""
        return self._counts[0]

    @property
    def first_leaf(self) -> int:
        """Index of the first directory that holds files; all after it do."""
        return self._counts[1]

    @property
    def leaf_count(self) -> int:
        return self._counts[2]

    @property
    def file_count(self) -> int:
        return self._counts[3]

    @property
    def name(self) -> str:
        """The preset's name, or ``custom``."""
        return next((name for name, spec in PRESETS.items() if spec == self), "custom")

    @cached_property
    def hash(self) -> str:
        """Names the directory a tree of this spec is kept in."""
        text = json.dumps({"layout": LAYOUT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_mapping(self) -> dict[str, int | str]:
        """What a run records; ``from_mapping`` reads it."""
        counts = {"name": self.name, "files": self.file_count, "dirs": self.dir_count}
        return {**counts, **asdict(self), "hash": self.hash}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, int | str]) -> TreeSpec:
        return cls(**{key.name: int(mapping[key.name]) for key in fields(cls)})

    def dir_path(self, index: int) -> str:
        return self.dir_paths(index, 1)[0]

    def file_path(self, index: int) -> str:
        return self.file_paths(index, 1)[0]

    def missing_path(self, index: int) -> str:
        """A name that is never made, in the directory of file ``index`` (modulo their number)."""
        return self.missing_paths(index, 1)[0]

    def dir_paths(self, start: int = 0, count: int | None = None, stride: int = 1) -> list[str]:
        """Paths of directories by index; without ``count`` to the last one."""
        return self._paths("d", self.dir_count, start, count, stride)

    def file_paths(self, start: int = 0, count: int | None = None, stride: int = 1) -> list[str]:
        return self._paths("f", self.file_count, start, count, stride)

    def missing_paths(self, start: int = 0, count: int | None = None, stride: int = 1) -> list[str]:
        """Without ``count`` as many as there are files."""
        return self._paths("m", self.file_count, start, count, stride)

    def _paths(
        self, kind: treebuilder.Kind, total: int, start: int, count: int | None, stride: int
    ) -> list[str]:
        if count is None:
            count = len(range(start, total, stride))
        return treebuilder.paths(self._shape, kind, start, count, stride)

    def packed(self, kind: treebuilder.Kind, start: int, count: int, stride: int = 1) -> bytes:
        """Paths in one piece, for ``opdriver.Driver``: 10^6 of them without 10^6 objects."""
        return treebuilder.packed(self._shape, kind, start, count, stride)

    def dirs(self) -> Iterator[str]:
        """Paths of all directories, parents before children."""
        return self._iterate("d", self.dir_count)

    def files(self) -> Iterator[str]:
        """Paths of all files, directory by directory."""
        return self._iterate("f", self.file_count)

    def _iterate(self, kind: treebuilder.Kind, total: int) -> Iterator[str]:
        step = 4096
        for start in range(0, total, step):
            yield from treebuilder.paths(self._shape, kind, start, min(step, total - start))

    def children(self, dir_index: int) -> Children:
        """How many directories and files directory ``dir_index`` holds."""
        if not 0 <= dir_index < self.dir_count:
            raise IndexError(f"directory {dir_index}: there are {self.dir_count}")
        if dir_index >= self.first_leaf:
            return Children(0, self.files_per_dir)
        return Children(self.branching, 0)

    def dir_of_file(self, file_index: int) -> int:
        """Index of the directory that holds a file."""
        return self.first_leaf + file_index // self.files_per_dir


# All of one depth, so that a path costs the same number of steps in each of them.
PRESETS: Mapping[str, TreeSpec] = {
    "tiny": TreeSpec(branching=10, files_per_dir=10),  # 1 000 files, 111 directories
    "small": TreeSpec(branching=10, files_per_dir=100),  # 10 000 files, 111 directories
    "medium": TreeSpec(branching=10, files_per_dir=1000),  # 100 000 files, 111 directories
    "large": TreeSpec(branching=100, files_per_dir=100),  # 1 000 000 files, 10 101 directories
    "huge": TreeSpec(branching=100, files_per_dir=1000),  # 10 000 000 files, 10 101 directories
}


def parse_tree(text: str) -> TreeSpec:
    """A preset, ``key=value,...`` on top of ``small``, or a preset and then keys."""
    values = asdict(TreeSpec())
    for position, part in enumerate(text.split(",")):
        key, equals, number = part.strip().partition("=")
        if not equals:
            if position:
                raise UserError(f"tree: {part}: wanted key=value")
            values = asdict(_preset(key))
            continue
        if key not in values:
            raise UserError(f"tree: {key}: unknown key{_nearest(key, values)}")
        try:
            values[key] = int(number.replace("_", ""))
        except ValueError:
            raise UserError(f"tree: {key}: {number}: not a whole number") from None
    return TreeSpec(**values)


def _preset(name: str) -> TreeSpec:
    if name not in PRESETS:
        raise UserError(f"tree: {name}: no such preset{_nearest(name, PRESETS)}")
    return PRESETS[name]


def _nearest(name: str, known: Mapping[str, object]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    choices = ", ".join(known)
    return f"; did you mean {nearest[0]}? ({choices})" if nearest else f" ({choices})"


@dataclass(frozen=True)
class Data:
    """Files with content beside the names: ``data/00`` and so on."""

    files: int = 16
    size: int = 4 << 20

    def paths(self) -> list[str]:
        return [f"data/{index:02}" for index in range(self.files)]


@dataclass(frozen=True)
class Built:
    """A complete tree on disk, and whether it was there already."""

    spec: TreeSpec
    directory: Path
    reused: bool
    seconds: float


def build(
    spec: TreeSpec,
    directory: Path,
    *,
    threads: int = 0,
    progress: Progress | None = None,
    data: Data | None = None,
) -> Built:
    """Have a complete tree in ``directory``: reuse the one there, or build it (anew).

    ``threads`` 0 means one per CPU this process may use. Only what an earlier build made is ever
    removed. Interrupted, it leaves a half-built tree behind that the next call replaces; when space
    runs out it removes it. Every trouble with the disk is a UserError.
    """
    start = time.monotonic()
    data = data or Data()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _opened(directory) as fd:
            reused = mismatch(spec, directory, data) is None
            if not reused:
                _build_anew(spec, directory, fd, threads or _cpus(), progress, data)
    except OSError as error:
        where = error.filename or directory
        raise UserError(f"cannot build the tree: {where}: {error.strerror}") from error
    return Built(spec, directory, reused, time.monotonic() - start)


def remove(directory: Path) -> None:
    """Remove a tree that ``build`` made, complete or not, and the directory if it is then empty."""
    with _opened(directory) as fd:
        _refuse_foreign(directory)
        _remove(fd, directory)
        (directory / MARKER).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory.rmdir()


def mismatch(spec: TreeSpec, directory: Path, data: Data | None = None) -> str | None:
    """Why what is in ``directory`` is not a complete tree of this spec; None if it is.

    Looks at the manifest, the root and a sample of bounded size: 4 096 directories (which nothing
    may have been added to or removed from since) and 1 024 files.
    """
    data = data or Data()
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
    except FileNotFoundError:
        return "no manifest"
    except (OSError, ValueError) as error:
        return f"manifest: {error}"
    if not isinstance(manifest, dict) or manifest.get("layout") != LAYOUT:
        return "manifest: of another layout"
    if manifest.get("spec") != asdict(spec) or manifest.get("data") != asdict(data):
        return "manifest: of another tree"
    return _compare(spec, directory, data, manifest)


def _compare(
    spec: TreeSpec, directory: Path, data: Data, manifest: Mapping[str, object]
) -> str | None:
    built_ns = manifest.get("built_ns")
    if not isinstance(built_ns, int):
        return "manifest: no time"
    try:
        if (directory / "tree").lstat().st_ino != manifest.get("tree_ino"):
            return "tree: not the directory that was built"
        for path in data.paths():
            if (directory / path).lstat().st_size != data.size:
                return f"of another size: {path}"
        with _opened(directory) as fd:
            return treebuilder.check(fd, spec._shape, 4096, 1024, built_ns)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"


def _build_anew(
    spec: TreeSpec,
    directory: Path,
    fd: int,
    threads: int,
    progress: Progress | None,
    data: Data,
) -> None:
    _refuse_fuse(fd, directory)
    _refuse_foreign(directory)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"{directory}: another process is building a tree here") from None
    _remove(fd, directory)
    _refuse_small(spec, directory, fd, data)
    (directory / MARKER).write_text(f"fuse-passthrough-bench tree {spec.hash}\n")
    try:
        treebuilder.build(fd, spec._shape, threads, data.files, data.size, progress)
        _write_manifest(spec, directory, fd, data)
    except OSError as error:
        _remove(fd, directory)
        (directory / MARKER).unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{directory}: full before the tree was complete ({spec.file_count:,} files, "
                f"{spec.dir_count:,} directories); removed again: {error.filename}: "
                f"{os.strerror(error.errno)}"
            ) from error
        raise


def _write_manifest(spec: TreeSpec, directory: Path, fd: int, data: Data) -> None:
    temporary = directory / f"{MANIFEST}.tmp"
    with temporary.open("w") as file:
        manifest = {
            "layout": LAYOUT,
            "spec": asdict(spec),
            "data": asdict(data),
            "hash": spec.hash,
            "dirs": spec.dir_count,
            "files": spec.file_count,
            "tree_ino": (directory / "tree").lstat().st_ino,
            # By the file system's own clock, and not before anything in the tree.
            "built_ns": os.fstat(file.fileno()).st_mtime_ns,
        }
        json.dump(manifest, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(directory / MANIFEST)
    os.fsync(fd)


def _remove(fd: int, directory: Path) -> None:
    """Everything a build makes but the marker; the manifest first, so that no half is trusted."""
    (directory / MANIFEST).unlink(missing_ok=True)
    (directory / f"{MANIFEST}.tmp").unlink(missing_ok=True)
    treebuilder.remove(fd, "tree", _cpus())
    treebuilder.remove(fd, "data")


def _refuse_foreign(directory: Path) -> None:
    if (directory / MARKER).exists():
        return
    with os.scandir(directory) as entries:
        found = next(entries, None)
    if found is not None:
        raise UserError(
            f"{directory}: not empty and not made by this suite (found {found.name}, no {MARKER}); "
            "name an empty directory"
        )


_FUSE_MAGIC = 0x65735546
_TMPFS_MAGIC = 0x01021994


def _refuse_fuse(fd: int, directory: Path) -> None:
    if treebuilder.filesystem(fd) == _FUSE_MAGIC:
        raise UserError(f"{directory}: is itself on a FUSE mount; name a directory beneath it")


def needed_inodes(spec: TreeSpec, data: Data) -> int:
    """Files and directories, and the few beside the tree."""
    return spec.dir_count + spec.file_count + data.files + 4


def needed_bytes(spec: TreeSpec, data: Data, block: int, *, dirs_take_blocks: bool) -> int:
    """Space for content and directories, each rounded up to blocks; an estimate for the latter."""

    def rounded(size: int) -> int:
        return -(-size // block) * block

    content = spec.file_count * rounded(spec.file_size) + data.files * rounded(data.size)
    if not dirs_take_blocks:
        return content
    # A directory entry of ext4 takes 8 bytes and the name; its blocks are two thirds full.
    entry = (8 + spec.name_length + 3) // 4 * 4 * 3 // 2
    leaf = rounded(max(1, entry * spec.files_per_dir))
    inner = rounded(max(1, entry * spec.branching))
    return content + spec.leaf_count * leaf + spec.first_leaf * inner


_TMPFS_INODE_BYTES = 1100
"""Memory an inode and its dentry take on tmpfs, which its own figures do not count."""


def _refuse_small(spec: TreeSpec, directory: Path, fd: int, data: Data) -> None:
    """Compare what the tree needs with what is free; f_files 0 means inodes are not limited."""
    free = os.fstatvfs(fd)
    tmpfs = treebuilder.filesystem(fd) == _TMPFS_MAGIC
    inodes = needed_inodes(spec, data)
    if free.f_files and inodes > free.f_favail:
        raise _too_small(directory, "inodes", inodes, free.f_favail)
    size = needed_bytes(spec, data, free.f_frsize, dirs_take_blocks=not tmpfs)
    # A tmpfs without a limit (size=0) reports no blocks at all.
    if free.f_blocks and size > free.f_bavail * free.f_frsize:
        raise _too_small(directory, "bytes", size, free.f_bavail * free.f_frsize)
    if tmpfs and size + inodes * _TMPFS_INODE_BYTES > _available_memory():
        raise _too_small(
            directory, "bytes of memory", size + inodes * _TMPFS_INODE_BYTES, _available_memory()
        )


def _too_small(directory: Path, what: str, need: int, have: int) -> UserError:
    return UserError(
        f"{directory}: too small for this tree: needs {need:,} {what}, has {have:,} free; "
        "use a smaller --tree or another --backing"
    )


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2**63


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
