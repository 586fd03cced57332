"""The plain files of a tar archive that a stranger has made, one after another, at any size in little memory.

Only what `bench bundle` writes is read: regular files, and a pax header before one whose name is long.
tarfile reads whatever a header says at once, one header of a chain inside another, and looks for records in
a time that grows with the square of their length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

BLOCK = 512
CHUNK = 1 << 20
LONGEST_PAX = 4096
"""Bytes of a pax header: it holds one name."""
SIZE = re.compile(rb" *([0-7]{1,12})[ \0]*")
CHECKSUM = re.compile(rb"[ 0]*([0-7]{1,8})[ \0]*")
RECORD = re.compile(rb"([1-9][0-9]{0,3}) path=")
REGULAR, PAX = (b"0", b"\0"), b"x"


class Bytes(Protocol):
    """What an archive is read from."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, fewer at the end only."""


class NotTaken(ValueError):
    """What no bundle has in it; the message is a clause that says what."""


class CutShort(ValueError):
    """An archive that ends before its end, or is none."""


def files(
    stream: Bytes, most_bytes: int, most_files: int
) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Name, size and content of each; the content has to be read to its end before the next is asked for.

    A name is whatever stands there: it may lead anywhere. Raises NotTaken and CutShort.
    """
    left = most_bytes
    for _ in range(most_files + 1):
        header = _header(stream)
        if header is None:
            return
        name, size = header
        left -= size
        if left < 0:
            raise NotTaken(f"more than {most_bytes >> 20} MiB unpacked")
        yield name, size, _content(stream, size)
        _exactly(stream, -size % BLOCK)
    raise NotTaken(f"more than {most_files} files")


def shown(name: str) -> str:
    """A name as it may stand in a message: of any characters, of any length."""
    return f"{name!a}" if len(name) <= 80 else f"{name[:80]!a}..."


def _header(stream: Bytes) -> tuple[str, int] | None:
    """Name and size of the next file, None at the end."""
    block = _exactly(stream, BLOCK)
    long_name = ""
    if block[156:157] == PAX:
        long_name = _long_name(_exactly_blocks(stream, _size(block, "a pax header", LONGEST_PAX)))
        block = _exactly(stream, BLOCK)
    if not any(block):
        return None
    name = long_name or _name(block)
    size = _size(block, shown(name), None)
    if block[156:157] not in REGULAR:
        raise NotTaken(f"{shown(name)} is no plain file")
    return name, size


def _size(block: bytes, what: str, most: int | None) -> int:
    """The size a header tells, whose own sum has to be right."""
    told = CHECKSUM.fullmatch(block[148:156])
    if not told or int(told[1], 8) != sum(block) - sum(block[148:156]) + 8 * ord(" "):
        raise CutShort("a header that is none")
    size = SIZE.fullmatch(block[124:136])
    if not size or (most is not None and int(size[1], 8) > most):
        raise NotTaken(f"the size of {what}")
    return int(size[1], 8)


def _name(block: bytes) -> str:
    """The name in a header, its beginning in the field of POSIX, where there is one."""
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0]
    if block[257:263] == b"ustar\0" and prefix:
        name = prefix + b"/" + name
    return name.decode(errors="backslashreplace")


def _long_name(data: bytes) -> str:
    """The name in a pax header, which holds nothing else."""
    found = RECORD.match(data)
    if not found or int(found[1]) != len(data) or data[-1:] != b"\n":
        raise NotTaken("a pax header that is not of one name")
    return data[found.end() : -1].decode(errors="backslashreplace")


def _content(stream: Bytes, size: int) -> Iterator[bytes]:
    """So many bytes, a piece at a time."""
    for at in range(0, size, CHUNK):
        yield _exactly(stream, min(CHUNK, size - at))


def _exactly_blocks(stream: Bytes, size: int) -> bytes:
    """So many bytes, of blocks that are read whole."""
    return _exactly(stream, size + -size % BLOCK)[:size]


def _exactly(stream: Bytes, size: int) -> bytes:
    """So many bytes; raises CutShort where there are fewer."""
    data = stream.read(size)
    if len(data) < size:
        raise CutShort("it ends too soon")
    return data
