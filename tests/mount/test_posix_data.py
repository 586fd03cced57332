"""Content of files on every writable target: opened, mapped, sparse, reserved, deleted while open."""

# Calls are system calls.

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.mount.checks import failing_with
from tests.mount.targets import Difference

KEEP_SIZE, PUNCH_HOLE = 1, 2
MIB = 1 << 20

pytestmark = pytest.mark.mount


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2), of which Python has mode 0 only."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if libc.fallocate(fd, mode, offset, length):
        raise OSError(ctypes.get_errno(), "fallocate")


@pytest.mark.differs(Difference.CACHED_LINKS)
def test_a_deleted_open_file_goes_on_working(place: Path) -> None:
    """fstat, read, write, truncate and chmod after unlink."""
    with (place / "file").open("w+b", buffering=0) as file:
        file.write(b"before")
        (place / "file").unlink()
        (place / "file").write_bytes(b"another")
        file.write(b" after")
        file.seek(0)
        assert file.read() == b"before after"
        os.fchmod(file.fileno(), 0o600)
        file.truncate(3)
        status = os.fstat(file.fileno())
    assert (status.st_nlink, status.st_size, stat.S_IMODE(status.st_mode)) == (0, 3, 0o600)
    assert (place / "file").read_bytes() == b"another"


def test_open_flags(place: Path) -> None:
    """O_EXCL, O_TRUNC, O_DIRECTORY, and two appenders that do not overwrite each other."""
    path = place / "file"
    with path.open("x") as first, path.open("a") as second, path.open("a") as third:
        for file in (second, third, second):
            file.write("12")
            file.flush()
        assert first.tell() == 0
    with failing_with(errno.EEXIST):
        path.open("x").close()
    with failing_with(errno.ENOTDIR):
        os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    with failing_with(errno.EISDIR):
        os.open(place, os.O_WRONLY)
    assert path.read_text() == "121212"
    path.open("w").close()
    assert path.read_text() == ""


@pytest.mark.differs(Difference.PAGES_OF_APPENDERS)
def test_a_page_written_back_by_an_appender(place: Path) -> None:
    """A mapping of a descriptor with O_APPEND changes the page it maps, and not the end."""
    path = place / "file"
    path.write_bytes(b"0" * 5000)
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    with mmap.mmap(fd, 1) as memory:
        memory[:] = b"M"
        memory.flush()
    os.write(fd, b"~~")
    os.close(fd)
    assert path.read_bytes() == b"M" + b"0" * 4999 + b"~~"


def test_large_file_through_read_write_and_mmap(place: Path) -> None:
    """What is written one way is read every other way."""
    path = place / "file"
    content = os.urandom(3_000_001)
    path.write_bytes(content)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        assert memory[:] == content
        memory[1_000_000:1_000_004] = b"mmap"
        memory.flush()
        os.fsync(file.fileno())
    assert path.read_bytes() == content[:1_000_000] + b"mmap" + content[1_000_004:]


def test_a_written_program_runs(place: Path) -> None:
    """No descriptor open for writing is left behind anywhere: execve would say ETXTBSY."""
    program = place / "program"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    subprocess.run([program], check=True)


def test_a_sparse_file(place: Path) -> None:
    """A hole reads as zeros, takes no room, and does not end the file."""
    with (place / "file").open("w+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"end", 64 * MIB)
        assert os.pread(file.fileno(), 5, 32 * MIB) == b"\0" * 5
        status = os.fstat(file.fileno())
    assert status.st_size == 64 * MIB + 3
    assert status.st_blocks * 512 < MIB


@pytest.mark.differs(Difference.HOLES)
def test_holes_are_found(place: Path) -> None:
    """SEEK_HOLE and SEEK_DATA, and ENXIO beyond the end."""
    with (place / "file").open("w+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"x" * 4096, 0)
        os.pwrite(file.fileno(), b"x" * 4096, MIB)
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 4096
        assert os.lseek(file.fileno(), 4096, os.SEEK_DATA) == MIB
        with failing_with(errno.ENXIO):
            os.lseek(file.fileno(), 2 * MIB, os.SEEK_DATA)


@pytest.mark.differs(Difference.FALLOCATE)
def test_room_is_reserved_and_given_back(place: Path) -> None:
    """fallocate grows the file or keeps its size; a hole punched reads as zeros."""
    with (place / "file").open("w+b", buffering=0) as file:
        os.write(file.fileno(), b"x" * 8192)
        fallocate(file.fileno(), KEEP_SIZE, 0, MIB)
        assert os.fstat(file.fileno()).st_size == 8192
        fallocate(file.fileno(), 0, 0, MIB)
        status = os.fstat(file.fileno())
        assert (status.st_size, status.st_blocks * 512 >= MIB) == (MIB, True)
        fallocate(file.fileno(), KEEP_SIZE | PUNCH_HOLE, 0, 4096)
        assert os.pread(file.fileno(), 8192, 0) == b"\0" * 4096 + b"x" * 4096


@pytest.mark.differs(Difference.TMPFILE)
def test_a_file_without_a_name(place: Path) -> None:
    """O_TMPFILE: written and read, and never listed."""
    fd = os.open(place, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, b"x")
    assert not list(place.iterdir())
    assert (os.pread(fd, 2, 0), os.fstat(fd).st_nlink) == (b"x", 0)
    os.close(fd)


@pytest.mark.differs(Difference.DEVICES)
def test_a_device_node_opens(place: Path) -> None:
    """The zero device by a node on the mount."""
    os.mknod(place / "zero", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    assert (place / "zero").open("rb").read(3) == b"\0\0\0"


def test_ranges_are_copied(place: Path) -> None:
    """copy_file_range within the mount, at places of both files."""
    with (place / "one").open("w+b", buffering=0) as one, (place / "two").open("w+b") as two:
        one.write(b"0123456789")
        assert os.copy_file_range(one.fileno(), two.fileno(), 4, 3, 6) == 4
    assert (place / "two").read_bytes() == b"\0" * 6 + b"3456"


@pytest.mark.differs(Difference.DIRECT)
def test_o_direct_reads_and_writes_as_natively(place: Path, twin: Path) -> None:
    """Whole blocks arrive; what the backing refuses for its alignment is refused on the mount."""
    assert [direct(folder / "file") for folder in (place, twin)] == [direct(twin / "again")] * 2


def direct(path: Path) -> list[object]:
    """What each of some calls by a descriptor with O_DIRECT gives, or its errno."""
    path.write_bytes(os.urandom(1) * (MIB + 8192))
    memory = mmap.mmap(-1, MIB)
    memory[:] = b"d" * MIB
    block = memoryview(memory)
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    results: list[object] = []
    calls = (
        lambda: os.pwritev(fd, [block], 4096),
        lambda: os.preadv(fd, [block[:8192]], 8192),
        lambda: os.preadv(fd, [block[:4096]], MIB + 4096),
        lambda: os.preadv(fd, [block[:100]], 0),
        lambda: os.preadv(fd, [block[:4096]], 100),
        lambda: os.pwritev(fd, [block[:100]], 0),
        lambda: os.pwritev(fd, [block[:4096]], 100),
        lambda: os.pwritev(fd, [block[:100]], 2 * MIB),
        lambda: os.fstat(fd).st_size,
    )
    for call in calls:
        try:
            results.append(call())
        except OSError as error:
            results.append(errno.errorcode[error.errno or 0])
    os.close(fd)
    with path.open("rb") as file:
        content = file.read()
    return [*results, content.count(b"d") >= MIB, path.stat().st_size]


def test_the_last_page_of_a_mapping_of_a_direct_descriptor(place: Path) -> None:
    """The last page is written back although it is no whole block."""
    path = place / "file"
    path.write_bytes(b"0" * 5000)
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    with mmap.mmap(fd, 5000) as memory:
        memory[4999:] = b"M"
        memory.flush()
    os.close(fd)
    assert path.read_bytes() == b"0" * 4999 + b"M"
