"""What is mounted where, read from /proc/self/mountinfo without touching any mount.

Looking at a FUSE mount with ``stat`` sends it a GETATTR, which would show up in the request
counts; everything asked here is answered from the mount table alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.machine import procfs

MOUNTINFO = Path("/proc/self/mountinfo")

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class MountEntry:
    """One line of mountinfo (Documentation/filesystems/proc.rst, section 3.5).

    ``options`` are per mount (ro, relatime); ``super_options`` belong to the file system
    (user_id=0, allow_other). ``major``:``minor`` is st_dev of the files in it.
    """

    id: int
    parent: int
    major: int
    minor: int
    root: str
    mountpoint: Path
    options: tuple[str, ...]
    fstype: str
    source: str
    super_options: tuple[str, ...]

    @property
    def connection(self) -> int:
        """The number the kernel gives a FUSE connection (tracepoints, fusectl directory name).

        It is the kernel's own dev_t, ``major << 20 | minor`` (include/linux/kdev_t.h); for an
        ordinary mount major is 0 and it equals ``minor``, for fuseblk it does not.
        """
        return self.major << 20 | self.minor

    @property
    def is_fuse(self) -> bool:
        """Whether a FUSE server stands behind it; fusectl is not one."""
        return self.fstype in ("fuse", "fuseblk") or self.fstype.startswith(("fuse.", "fuseblk."))


def parse(text: str) -> Iterator[MountEntry]:
    """Entries of a mountinfo text in its order: a later one hides an earlier one on its path.

    A line that is not of the documented form (cut short by a reader, say) is left out.
    """
    # Not str.splitlines(): a name may hold anything but what the kernel escapes.
    for line in procfs.lines(text):
        entry = _parse_line(line)
        if entry is not None:
            yield entry


def table() -> list[MountEntry]:
    """The mounts this process sees now.

    Raises OSError if /proc is not mounted.
    """
    # Bytes that are not UTF-8 are legal in a mountpoint and must not end the run.
    return list(parse(os.fsdecode(MOUNTINFO.read_bytes())))


def find(mountpoint: str | os.PathLike[str]) -> MountEntry | None:
    """The mount on exactly this path, the topmost if there are several; None if there is none.

    Only the parent directory is resolved: resolving the mountpoint itself would lstat it.
    """
    wanted = _without_touching(Path(mountpoint))
    entries = [entry for entry in table() if entry.mountpoint == wanted]
    return entries[-1] if entries else None


def covering(path: str | os.PathLike[str]) -> MountEntry | None:
    """The mount that ``path`` lives on. Resolves symbolic links, so not for a path in a FUSE mount
    whose requests are being counted."""
    return deepest(table(), Path(os.path.realpath(path)))


def deepest(entries: Iterable[MountEntry], path: Path) -> MountEntry | None:
    """The entry whose mountpoint is the longest prefix of ``path``."""
    best: MountEntry | None = None
    for entry in entries:
        if not path.is_relative_to(entry.mountpoint):
            continue
        if best is None or len(entry.mountpoint.parts) >= len(best.mountpoint.parts):
            best = entry
    return best


def under(directory: str | os.PathLike[str]) -> list[MountEntry]:
    """Mounts on ``directory`` or below it, innermost first: the order to unmount them in."""
    top = _without_touching(Path(directory))
    return [entry for entry in reversed(table()) if entry.mountpoint.is_relative_to(top)]


def _without_touching(path: Path) -> Path:
    # Path.resolve() would lstat every component, the mountpoint included.
    absolute = Path(os.path.normpath(Path.cwd() / path))
    if absolute == absolute.parent:
        return absolute
    return Path(os.path.realpath(absolute.parent)) / absolute.name


def _parse_line(line: str) -> MountEntry | None:
    left, separator, right = line.partition(" - ")
    fields, tail = left.split(" "), right.split(" ")
    if not separator or len(fields) < 6 or len(tail) < 3:
        return None
    major, _, minor = fields[2].partition(":")
    try:
        numbers = [int(text) for text in (fields[0], fields[1], major, minor)]
    except ValueError:
        return None
    return MountEntry(
        id=numbers[0],
        parent=numbers[1],
        major=numbers[2],
        minor=numbers[3],
        root=_unescape(fields[3]),
        mountpoint=Path(_unescape(fields[4])),
        options=tuple(fields[5].split(",")),
        fstype=_unescape(tail[0]),
        source=_unescape(tail[1]),
        super_options=tuple(_unescape(tail[2]).split(",")),
    )


def _unescape(text: str) -> str:
    # The kernel escapes space, tab, newline, backslash and '#' byte by byte (fs/proc_namespace.c).
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
