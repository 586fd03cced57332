"""Timed windows of file operations in C; the GIL is released, nothing is allocated in a window."""

from collections.abc import Iterable, Sequence
from os import PathLike
from types import TracebackType
from typing import Literal, Self, TypeAlias, final

_Path: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]

OPS: tuple[str, ...]
"""Names of the operations ``Driver`` knows."""

class Result(tuple[int, int, dict[int, int] | None]):
    """What one window did; unpacks as ``ops, ns, histogram``."""

    @property
    def ops(self) -> int:
        """Operations done; for ops that list, directories."""
    @property
    def ns(self) -> int:
        """From the release of the start barrier to the last finish, CLOCK_MONOTONIC."""
    @property
    def histogram(self) -> dict[int, int] | None:
        """Upper bound of a latency bucket in ns (0.8 % above its values at most) to its count."""
    @property
    def entries(self) -> int:
        """Directory entries counted, without ``.`` and ``..``, by ops that list."""
    @property
    def stats(self) -> int:
        """Entries of listings that were stat'ed."""

class Walk(tuple[int, int, int]):
    """What one walk did; unpacks as ``dirs, entries, ns``."""

    @property
    def dirs(self) -> int:
        """Directories listed, the root included."""
    @property
    def entries(self) -> int:
        """Entries seen, the root not included."""
    @property
    def ns(self) -> int:
        """Wall clock, CLOCK_MONOTONIC."""

@final
class Driver:
    """Operations on one target, laid out before any window opens.

    ``items`` are paths relative to ``root`` (a sequence, or ``bytes`` of NUL-ended names as the
    tree builder packs them). What one op is:

    ===========  ==============================================================================
    statx-path   statx of the path from an O_PATH descriptor of the root
    statx-at     statx of a name from its directory's O_PATH descriptor; an item is
                 ``(directory, name)`` or a path, cut at its last slash
    fstat        statx of a file opened before (AT_EMPTY_PATH)
    scan         a directory: open, getdents64 to the end, close
    rescan       a directory opened before: lseek to 0, getdents64 to the end
    scan-stat    as scan, and statx of each entry by (descriptor, name), as ``ls -l`` does: each
                 buffer's entries before the next buffer is asked for
    scan-stat-share
                 as scan-stat, but of every hundred entries only ``share`` are stat'ed, evenly
                 spread; with which of them it begins follows from ``seed``
    scan-ls      as scan-stat, and after each statx the two extended attributes that GNU ``ls -l``
                 asks for, by path: security.selinux and system.posix_acl_access. They must be
                 missing; EOPNOTSUPP ends the asking for the rest of the directory, as in ls
    scan-stat-some
                 as scan, and before the close statx by (descriptor, name) of chosen entries, as
                 programs do that list first and look then (fts: ``find``, ``du``); an item is
                 ``(directory, names)``, or a path with nothing chosen in it
    missing      statx of a path that must fail with ENOENT
    missing-at   the same by (directory, name)
    open-close   open read-only, close
    pread        4 KiB of a file opened before; every whole block of every file is one visit
    getxattr     fgetxattr of ``text``, the attribute's name, on a file opened before; its size must
                 be ``expected``, or without that the attribute must be missing
    listxattr    flistxattr of a file opened before; ``expected`` bytes of names
    create       open O_CREAT|O_EXCL and close; items as of statx-at, as for all ops below
    create-write the same, and 4 KiB written in between
    mknod, mkdir, unlink, rmdir
                 one system call by directory and name
    rename, link an item is ``(path, new path)``, both cut at their last slash
    symlink-readlink
                 an item is ``(path, target)``; made, read again and compared
    chmod, chown, utimes
                 one system call by directory and name. What is set alternates with the thread's
                 passes over its visits: 0600 and 0644; owner and group 1 and 0; times are
                 10^9 seconds and one more with each pass
    truncate     ftruncate of a file opened for writing: 4096 and 0 in turn
    ===========  ==============================================================================

    ``order='random'`` is a permutation of the visits made from ``seed``. With ``once`` nothing is
    visited twice and a run that asks for more than is left raises ValueError. ``expected`` is the
    number of entries of each listed directory (one int: of every one), or the size of an attribute; a
    listing or a value that differs fails. ``buffer`` is the size of a getdents64 call in bytes
    (default 32 KiB, as glibc's). ``contents`` is the seed of a tree whose data files, from the first
    on, are the items of ``pread``: a block whose first eight bytes are others fails (EBADMSG).

    Each of ``threads`` threads has its own run of the visits, and its own descriptors of directories,
    and cycles through it. With one
    thread the caller itself does the work. A second thread in the process, whoever made it, has the
    kernel take references on descriptors (75 ns per statx measured), so keep a worker that measures
    with one thread free of others.

    Opening more descriptors than the hard limit allows raises OSError(EMFILE) before any is opened.
    """

    threads: int
    once: bool
    def __init__(
        self,
        op: str,
        root: _Path,
        items: Sequence[_Path]
        | Sequence[tuple[_Path, _Path]]
        | Sequence[_Path | tuple[_Path, _Path]]
        | Sequence[tuple[_Path, Sequence[_Path]]]
        | bytes,
        *,
        threads: int = 1,
        sync: str = "as-stat",
        order: str = "sequential",
        seed: int = 0,
        once: bool = False,
        expected: int | Sequence[int] | None = None,
        buffer: int = 32768,
        share: int = 100,
        text: str | bytes | None = None,
        contents: int | None = None,
    ) -> None: ...
    @property
    def op(self) -> str: ...
    @property
    def size(self) -> int:
        """Visits in one full cycle."""
    @property
    def left(self) -> int | None:
        """Visits left with ``once``, otherwise None."""
    def run(self, ops: int, *, histogram: bool = False, rate: float = 0) -> Result:
        """Do ``ops`` operations from where the last run stopped, cyclically, and time them.

        With ``rate`` (ops per second, all threads together) an op is begun when it is due, or, where
        the last one is not done by then, as soon as it is; latencies count from when it was due.

        The first op that fails stops all threads and raises OSError with errno and full path.
        With ``histogram`` the clock is read once per op, and each latency includes that reading.
        """
    def empty_loop_ns(self, ops: int = 1_000_000, *, histogram: bool = False) -> float:
        """ns per op and thread of the same loop with the system call left out; measured now."""
    def visits(self) -> list[str] | list[tuple[str, int]]:
        """Paths below the root in visiting order; ``(path, block)`` for pread."""
    def passes(self) -> list[int]:
        """How often each thread has come to the end of its visits."""
    def cursors(self) -> list[int]:
        """Index of each thread's next visit."""
    def close(self) -> None:
        """Close every descriptor and free the layout; allowed twice."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[None]: ...

def walk(root: _Path, *, stat: bool = False, sync: str = "as-stat") -> Walk:
    """List every directory below ``root`` in pre-order, once; with ``stat``, statx each entry.

    Each directory is opened from its parent's descriptor. Descriptors and memory grow with the
    depth of the tree only. Symbolic links and mount points: links are not followed, mounts are.
    """

def histogram_of(values: Iterable[int]) -> dict[int, int]:
    """The buckets a run would count these latencies (ns) in."""

def spin_until(ns: int) -> None:
    """Keep the CPU busy until CLOCK_MONOTONIC is at ``ns``; the GIL is held."""
