"""Trees to measure on: built once, recognised when complete, replaced when not.

A spec (``parse_tree``, ``PRESETS``) gives every name by index; a tree of it is kept in a directory
laid out as

    tree/            the names
    data/            a few files with content, for reads
    manifest.json    written last: a tree without a valid one is half-built
    .fuse-bench-tree written first: what may be removed and built anew
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.model import UserError
from workloads._native import treebuilder
from workloads._spec import LAYOUT, PRESETS, Children, TreeSpec, parse_tree

__all__ = [
    "LAYOUT",
    "PRESETS",
    "Built",
    "Children",
    "Data",
    "TreeSpec",
    "build",
    "mismatch",
    "needed_bytes",
    "needed_inodes",
    "parse_tree",
    "remove",
]

MANIFEST = "manifest.json"
MARKER = ".fuse-bench-tree"

Progress = Callable[[int, int], object]
"""Called now and then with files made and files in all."""


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
            return treebuilder.check(fd, spec.shape, 4096, 1024, built_ns)
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
    _mark(fd, spec)
    try:
        treebuilder.build(fd, spec.shape, threads, data.files, data.size, progress)
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


def _mark(fd: int, spec: TreeSpec) -> None:
    """Say that this very directory is ours: a copy of the mark in another one says nothing."""
    status = os.fstat(fd)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    marker = os.open(MARKER, flags, 0o644, dir_fd=fd)
    with os.fdopen(marker, "w") as file:
        file.write(f"fuse-passthrough-bench tree {spec.hash} {status.st_dev} {status.st_ino}\n")


def is_marked(parent: int, name: str) -> bool:
    """Whether a name in a directory is a directory that ``build`` has made, and no copy of one."""
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=parent)
    except OSError:
        return False
    try:
        status = os.fstat(fd)
        marker = os.open(MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        with os.fdopen(marker, "rb") as file:
            words = file.read(200).split()
    except OSError:
        return False
    finally:
        os.close(fd)
    return words[:2] == [b"fuse-passthrough-bench", b"tree"] and words[3:] == [
        str(number).encode() for number in (status.st_dev, status.st_ino)
    ]


def made_in(directory: Path) -> list[str]:
    """The names in a backing directory that ``build`` has made, links not among them."""
    with _opened(directory) as fd:
        return [name for name in sorted(os.listdir(fd)) if is_marked(fd, name)]  # noqa: PTH208


def remove_all(parent: int, name: str) -> None:
    """Remove what ``build`` has made and all that lies with it; raises OSError.

    No link is followed and no other file system entered.
    """
    if not is_marked(parent, name):
        raise OSError(errno.EPERM, "not a tree of this suite", name)
    treebuilder.remove(parent, name, _cpus())


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
