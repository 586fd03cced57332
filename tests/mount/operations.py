"""Operations of a client on one directory, as functions whose results can be compared.

Each takes a Side and plain values, and returns a value or raises OSError. Times are compared where
they were set; anything later than the side's beginning is ``"now"``.
"""

# ruff: noqa: PTH101, PTH102, PTH106, PTH108, PTH115, PTH116
# ruff: noqa: PTH123, PTH208, PTH211
# Names are bytes and calls are system calls.

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import stat
import time
from collections.abc import Callable, Iterator

from daemons import _syscalls

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)

Path = tuple[bytes, ...]
Result = object


class Side:
    """One of the directories compared, with the descriptors a client holds in it, by slot."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.slots: dict[int, int] = {}
        self.has_listed_ino = True
        self.start_ns = time.time_ns() - 10**9  # the kernel's clock is coarse

    def at(self, path: Path) -> bytes:
        """The name of ``path`` below the root."""
        return b"/".join((self.root, *path))

    def when(self, time_ns: int) -> int | str:
        """A time as it can be compared."""
        return "now" if self.start_ns < time_ns < self.start_ns + 10**14 else time_ns

    def close(self) -> None:
        """Close what is open."""
        while self.slots:
            os.close(self.slots.popitem()[1])


@contextlib.contextmanager
def acting_as(uid: int, mask: int) -> Iterator[None]:
    """Make system calls as another user, whose group has the same number."""
    groups, before = os.getgroups(), os.umask(mask)
    os.setgroups([uid] if uid else [0])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        os.umask(before)


def outcome(operation: Callable[..., Result], side: Side, *arguments: object) -> Result:
    """What an operation returns, or the name of the errno it fails with."""
    try:
        return operation(side, *arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))


def facts(side: Side, status: os.stat_result) -> dict[str, Result]:
    """What stat says, without numbers of the machine's and of the clock's."""
    return {
        "mode": oct(status.st_mode),
        "nlink": status.st_nlink,
        "owner": (status.st_uid, status.st_gid),
        "size": status.st_size,
        "rdev": status.st_rdev,
        "mtime": side.when(status.st_mtime_ns),
        "ctime": side.when(status.st_ctime_ns),
    }


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    """Create under this umask meanwhile."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@umask(0)
def furnish(side: Side, odd: bytes) -> None:
    """Make the root, something of each kind in it, and one descriptor: or most would be ENOENT."""
    os.mkdir(side.root, 0o777)
    os.mkdir(side.at((b"a",)), 0o777)
    os.mkdir(side.at((b"a", b"b")), 0o777)
    for path in ((b"b",), (b"a", b"a"), (odd,)):
        side.slots[0] = os.open(side.at(path), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        os.write(side.slots[0], b"0123456789" * 500)
        if path != (odd,):
            os.close(side.slots[0])
    os.chown(side.at((odd,)), 1001, 1002)
    os.symlink(b"a", side.at((b"c",)))
    os.setxattr(side.at((b"b",)), b"trusted.a", b"1")


# On names


def open_file(side: Side, slot: int, path: Path, flags: int, mode: int) -> Result:
    """Never waits, not even for the other end of a pipe."""
    fd = os.open(side.at(path), flags | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    if slot in side.slots:
        os.close(side.slots.pop(slot))
    side.slots[slot] = fd
    return facts(side, os.fstat(fd))


def make_directory(side: Side, path: Path, mode: int) -> Result:
    return os.mkdir(side.at(path), mode)


def make_node(side: Side, path: Path, mode: int) -> Result:
    return os.mknod(side.at(path), mode, os.makedev(1, 3) if stat.S_ISCHR(mode) else 0)


def make_symlink(side: Side, target: bytes, path: Path) -> Result:
    return os.symlink(target, side.at(path))


def make_link(side: Side, old: Path, new: Path, follow: bool) -> Result:
    return os.link(side.at(old), side.at(new), follow_symlinks=follow)


def unlink(side: Side, path: Path) -> Result:
    return os.unlink(side.at(path))


def remove_directory(side: Side, path: Path) -> Result:
    return os.rmdir(side.at(path))


def rename(side: Side, old: Path, new: Path, flags: int) -> Result:
    return _syscalls.rename(-100, side.at(old), -100, side.at(new), flags)  # AT_FDCWD


def chmod(side: Side, path: Path, mode: int) -> Result:
    return os.chmod(side.at(path), mode)


def chown(side: Side, path: Path, uid: int, gid: int, follow: bool) -> Result:
    return os.chown(side.at(path), uid, gid, follow_symlinks=follow)


def truncate(side: Side, path: Path, size: int) -> Result:
    return os.truncate(side.at(path), size)


def set_times(side: Side, path: Path, times: tuple[int, int] | None, follow: bool) -> Result:
    """The only operation after which atime is compared: reads need not reach the backing."""
    if times is None:
        return os.utime(side.at(path), follow_symlinks=follow)
    os.utime(side.at(path), ns=times, follow_symlinks=follow)
    status = os.stat(side.at(path), follow_symlinks=follow)
    return side.when(status.st_atime_ns), side.when(status.st_mtime_ns)


def look(side: Side, path: Path, follow: bool) -> Result:
    return facts(side, os.stat(side.at(path), follow_symlinks=follow))


def read_link(side: Side, path: Path) -> Result:
    return os.readlink(side.at(path))


def may(side: Side, path: Path, mode: int) -> Result:
    return os.access(side.at(path), mode, effective_ids=True)


def list_directory(side: Side, path: Path) -> Result:
    """Names and types."""
    with os.scandir(side.at(path)) as entries:
        return sorted(
            (entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink())
            for entry in entries
        )


def set_xattr(
    side: Side, path: Path, name: bytes, value: bytes, flags: int, follow: bool
) -> Result:
    return os.setxattr(side.at(path), name, value, flags, follow_symlinks=follow)


def get_xattr(side: Side, path: Path, name: bytes, follow: bool) -> Result:
    return os.getxattr(side.at(path), name, follow_symlinks=follow)


def list_xattrs(side: Side, path: Path, follow: bool) -> Result:
    return sorted(os.listxattr(side.at(path), follow_symlinks=follow))


def remove_xattr(side: Side, path: Path, name: bytes, follow: bool) -> Result:
    return os.removexattr(side.at(path), name, follow_symlinks=follow)


# On descriptors


def read(side: Side, slot: int, offset: int, size: int) -> Result:
    return os.pread(side.slots[slot], size, offset)


def write(side: Side, slot: int, offset: int, data: bytes) -> Result:
    """The bytes written, and how large the file is then: where an appender's write went."""
    written = os.pwrite(side.slots[slot], data, offset)
    return written, os.fstat(side.slots[slot]).st_size


def write_mapped(side: Side, slot: int, data: bytes) -> Result:
    """Through a shared mapping of the first page, if the file has one."""
    fd = side.slots[slot]
    if os.fstat(fd).st_size < len(data):
        return "too short"
    with mmap.mmap(fd, len(data)) as memory:
        memory[:] = data
        memory.flush()
    return None


def truncate_open(side: Side, slot: int, size: int) -> Result:
    return os.ftruncate(side.slots[slot], size)


def allocate(side: Side, slot: int, mode: int, offset: int, length: int) -> Result:
    if _libc.fallocate(side.slots[slot], mode, offset, length):
        raise OSError(ctypes.get_errno(), "fallocate")
    return None


def seek(side: Side, slot: int, offset: int, whence: int) -> Result:
    """Not in directories, whose places mean nothing (telldir(3))."""
    if stat.S_ISDIR(os.fstat(side.slots[slot]).st_mode):
        return "directory"
    return os.lseek(side.slots[slot], offset, whence)


def copy_range(side: Side, source: int, target: int, size: int, at: tuple[int, int]) -> Result:
    return os.copy_file_range(side.slots[source], side.slots[target], size, *at)


def chmod_open(side: Side, slot: int, mode: int) -> Result:
    return os.fchmod(side.slots[slot], mode)


def chown_open(side: Side, slot: int, uid: int, gid: int) -> Result:
    return os.fchown(side.slots[slot], uid, gid)


def set_times_open(side: Side, slot: int, times: tuple[int, int] | None) -> Result:
    return os.utime(side.slots[slot], ns=times) if times else os.utime(side.slots[slot])


def set_xattr_open(side: Side, slot: int, name: bytes, value: bytes) -> Result:
    return os.setxattr(side.slots[slot], name, value)


def look_open(side: Side, slot: int) -> Result:
    return facts(side, os.fstat(side.slots[slot]))


def sync(side: Side, slot: int) -> Result:
    return os.fsync(side.slots[slot])


def close(side: Side, slot: int) -> Result:
    return os.close(side.slots.pop(slot))


# The whole


def tree(side: Side) -> dict[bytes, Result]:
    """Everything below the root by name; of hard links, which names are the same file."""
    found: dict[bytes, Result] = {}
    first: dict[int, bytes] = {}
    pending = [b""]
    while pending:
        relative = pending.pop()
        path = side.root + relative
        status = os.lstat(path)
        same_as = first.setdefault(status.st_ino, relative)
        found[relative] = (facts(side, status), same_as, _content(path, status), _xattrs(path))
        if stat.S_ISDIR(status.st_mode):
            _check_listing(side, path)
            pending += [relative + b"/" + name for name in sorted(os.listdir(path), reverse=True)]
    return found


def _content(path: bytes, status: os.stat_result) -> Result:
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            return file.read(1 << 20)
    return None


def _check_listing(side: Side, path: bytes) -> None:
    """A listing has the inode numbers that lstat has."""
    with os.scandir(path) as entries:
        numbers = {entry.name: (entry.inode(), os.lstat(entry.path).st_ino) for entry in entries}
    if side.has_listed_ino:
        assert all(listed == own for listed, own in numbers.values()), numbers


def _xattrs(path: bytes) -> Result:
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
