"""Files that clients have opened with O_DIRECT: what is read and written goes through aligned memory."""

from __future__ import annotations

import errno
import mmap
import os


class DirectFiles:
    """By descriptor, memory that O_DIRECT takes; methods raise OSError."""

    def __init__(self) -> None:
        self._memory: dict[int, mmap.mmap] = {}

    def __contains__(self, fd: int) -> bool:
        return fd in self._memory

    def opened(self, fd: int) -> None:
        """Note a descriptor that was opened with O_DIRECT."""
        self._memory[fd] = mmap.mmap(-1, mmap.PAGESIZE)

    def closed(self, fd: int) -> None:
        """Forget a descriptor, whatever it is."""
        self._memory.pop(fd, None)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """At most ``size`` bytes; EINVAL as the backing says."""
        with self._part(fd, size) as part:
            return bytes(part[: os.preadv(fd, [part], offset)])

    def write(self, fd: int, data: bytes, offset: int) -> int:
        """How much was written; EINVAL as the backing says."""
        try:
            with self._part(fd, len(data)) as part:
                part[:] = data
                return os.pwritev(fd, [part], offset)
        except OSError as error:
            if error.errno != errno.EINVAL or not _may_be_page(fd, data, offset):
                raise
        buffered = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
        try:
            return os.pwrite(buffered, data, offset)
        finally:
            os.close(buffered)

    def _part(self, fd: int, size: int) -> memoryview:
        """Aligned memory of this size, to be released."""
        if len(self._memory[fd]) < size:
            self._memory[fd] = mmap.mmap(-1, size)
        return memoryview(self._memory[fd])[:size]


def _may_be_page(fd: int, data: bytes, offset: int) -> bool:
    """Whether this could be the last page of a mapping, written back up to the end of the file.

    The kernel sends such pages by any descriptor open for writing, and pyfuse3 does not tell them
    from a client's own writes.
    """
    if offset % mmap.PAGESIZE or len(data) >= mmap.PAGESIZE:
        return False
    return os.fstat(fd).st_size == offset + len(data)
