"""The shim's edits, byte for byte against the interface: offsets here are written out as numbers.

Every constant below is restated from the interface description, on purpose not shared with the
C source: a wrong offset there must fail here.
"""

from __future__ import annotations

import ctypes
import stat
import struct
from pathlib import Path

import pytest

from bench.model import Level, Opcode, UserError
from bench.requests import counters
from daemons._shim import LIBRARY

EXT, PASSTHROUGH, INO, WRITEBACK = 1 << 30, 1 << 37, 1 << 43, 1 << 16
REGULAR, DIRECTORY, SYMLINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


@pytest.fixture(scope="module")
def shim() -> ctypes.CDLL:
    """The library, without RTLD_GLOBAL: nothing is hooked, only pure functions are called."""
    assert LIBRARY.exists(), f"{LIBRARY} is not built: pip install -e ."
    library = ctypes.CDLL(str(LIBRARY))
    library.shim_init_offer.restype = ctypes.c_uint64
    library.shim_init_offer.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
    library.shim_edit_init.restype = ctypes.c_uint64
    library.shim_edit_init.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint64,
        ctypes.c_int,
    )
    library.shim_ops_mask.restype = ctypes.c_uint64
    library.shim_edit_reply.restype = ctypes.c_size_t
    library.shim_edit_reply.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_uint32,
        ctypes.c_int32,
        ctypes.c_int32,
    )
    library.shim_backing_map.argtypes = (ctypes.c_char_p, ctypes.c_int32, ctypes.c_uint64)
    library.shim_ioctl_number.restype = ctypes.c_uint32
    return library


def init_in(flags: int) -> bytes:
    """fuse_init_in: major, minor, max_readahead, flags @12, flags2 @16; 64 bytes."""
    fields = struct.pack("<5I", 7, 45, 131072, flags & 0xFFFFFFFF, flags >> 32)
    return fields + bytes(64 - len(fields))


def init_out(flags: int) -> bytearray:
    """fuse_init_out as libfuse 3.14 writes it: flags @12, flags2 @32, no stack depth; 64 bytes."""
    body = bytearray(range(64))
    struct.pack_into("<I", body, 12, flags & 0xFFFFFFFF)
    struct.pack_into("<I", body, 32, flags >> 32)
    struct.pack_into("<I", body, 36, 0)
    return body


def edit_init(shim: ctypes.CDLL, reply: bytes, offer: int, level: Level) -> tuple[int, bytes]:
    buffer = ctypes.create_string_buffer(bytes(reply), len(reply))
    flags: int = shim.shim_edit_init(buffer, len(reply), offer, level.rank)
    return flags, buffer.raw


def reply(body: bytes) -> bytes:
    """A reply: u32 len, s32 error, u64 unique, body."""
    return struct.pack("<IiQ", 16 + len(body), 0, 0x1122334455667788) + body


def edit(
    shim: ctypes.CDLL,
    body: bytes,
    level: Level,
    opcode: Opcode,
    inode_id: int = 0,
    open_id: int = 0,
) -> bytes:
    """The body of an edited reply, its header checked."""
    before = reply(body)
    buffer = ctypes.create_string_buffer(before, len(before) + 312 - 128)
    length: int = shim.shim_edit_reply(buffer, len(before), level.rank, opcode, inode_id, open_id)
    after = buffer.raw[:length]
    assert struct.unpack_from("<IiQ", after) == (length, 0, 0x1122334455667788)
    return after[16:]


ATTR = struct.pack(
    "<QQQQQQIIIIIIIIII",
    0x0102030405060708,  # ino
    0x1112131415161718,  # size
    0x2122232425262728,  # blocks
    0x3132333435363738,  # atime
    0x4142434445464748,  # mtime
    0x5152535455565758,  # ctime
    100000001,  # atimensec
    200000002,  # mtimensec
    300000003,  # ctimensec
    REGULAR,
    7,  # nlink
    1000,  # uid
    2000,  # gid
    (259 << 8) | 0x34 | (0x12 << 20),  # rdev: major 259, minor 0x1234
    4096,  # blksize
    0,  # flags
)
ENTRY = struct.pack("<QQQQII", 0x0102030405060708, 99, 11, 22, 33, 44) + ATTR
OPEN = struct.pack("<QIi", 0xCAFE, 0, 0)


def test_sizes_are_those_of_the_protocol() -> None:
    """The samples above have the sizes the kernel knows."""
    assert (len(ATTR), len(ENTRY), len(OPEN)) == (88, 128, 16)


@pytest.mark.parametrize("flags", [EXT | PASSTHROUGH | INO | 0x1, EXT | 0x10])
def test_offer_is_read_from_both_words(shim: ctypes.CDLL, flags: int) -> None:
    """flags @12 and flags2 @16 make one number."""
    assert shim.shim_init_offer(init_in(flags), 64) == flags


def test_offer_without_ext_ignores_the_second_word(shim: ctypes.CDLL) -> None:
    """flags2 counts only if FUSE_INIT_EXT is set."""
    assert shim.shim_init_offer(init_in(PASSTHROUGH | 0x3), 64) == 0x3


def test_offer_of_an_old_kernel_is_short(shim: ctypes.CDLL) -> None:
    """A 16-byte INIT has no second word, and less has no flags at all."""
    assert shim.shim_init_offer(init_in(EXT | PASSTHROUGH)[:16], 16) == EXT
    assert shim.shim_init_offer(bytes(8), 8) == 0


def test_init_asks_for_passthrough(shim: ctypes.CDLL) -> None:
    """FUSE_INIT_EXT, bit 37 and depth 1 are set, and not one other byte changes."""
    expected = init_out(0x29)
    struct.pack_into("<I", expected, 12, 0x29 | 0x40000000)
    struct.pack_into("<I", expected, 32, 0x20)
    struct.pack_into("<I", expected, 36, 1)
    flags, after = edit_init(shim, init_out(0x29), EXT | PASSTHROUGH | INO, Level.RW)
    assert after == expected
    assert flags == EXT | PASSTHROUGH | 0x29


@pytest.mark.parametrize(
    ("level", "offer", "second_word"),
    [
        (Level.RW, EXT | PASSTHROUGH | INO, 0x20),
        (Level.ATTACH_GETATTR, EXT | PASSTHROUGH | INO, 0x820),
        (Level.LOOKUP, EXT | PASSTHROUGH | INO, 0x820),
        (Level.ATTACH_LOOKUP, EXT | PASSTHROUGH | INO, 0x820),
        (Level.ATTACH_LOOKUP, EXT | PASSTHROUGH, 0x20),
    ],
)
def test_bit_43_only_where_wanted_and_offered(
    shim: ctypes.CDLL, level: Level, offer: int, second_word: int
) -> None:
    """PASSTHROUGH_INO (0x800 in flags2) needs an attach level and the kernel's offer."""
    _flags, after = edit_init(shim, init_out(0), offer, level)
    assert struct.unpack_from("<I", after, 32)[0] == second_word


@pytest.mark.parametrize(
    ("level", "offer", "negotiated"),
    [
        (Level.NONE, EXT | PASSTHROUGH | INO, 0x29),
        (Level.RW, EXT, 0x29),
        (Level.ATTACH_LOOKUP, EXT | INO, 0x29),
        (Level.RW, PASSTHROUGH, 0x29),
        (Level.RW, EXT | PASSTHROUGH, 0x29 | WRITEBACK),
    ],
    ids=["level none", "not offered", "only bit 43 offered", "no ext", "writeback cache"],
)
def test_init_is_left_alone(shim: ctypes.CDLL, level: Level, offer: int, negotiated: int) -> None:
    """Where passthrough cannot be had, the reply is the server's own."""
    flags, after = edit_init(shim, init_out(negotiated), offer, level)
    assert after == init_out(negotiated)
    assert flags == negotiated


def test_init_reply_of_an_old_protocol_is_left_alone(shim: ctypes.CDLL) -> None:
    """A 24-byte reply has no room for flags2."""
    short = bytes(init_out(0x29)[:24])
    assert edit_init(shim, short, EXT | PASSTHROUGH, Level.RW) == (0x29, short)


@pytest.mark.parametrize("opcode", [Opcode.OPEN, Opcode.OPENDIR])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0, 0x80),
        (0x02, 0x80),  # KEEP_CACHE
        (0x08, 0x80),  # CACHE_DIR
        (0x04 | 0x10, 0x80),  # NONSEEKABLE, STREAM
        (0x01 | 0x20 | 0x40, 0xE1),  # DIRECT_IO, NOFLUSH, PARALLEL_DIRECT_WRITES may stay
    ],
)
def test_open_and_opendir(shim: ctypes.CDLL, opcode: Opcode, before: int, after: int) -> None:
    """FOPEN_PASSTHROUGH @8, the id @12, the handle untouched, forbidden flags dropped."""
    body = struct.pack("<QIi", 0xCAFE, before, 0)
    edited = edit(shim, body, Level.RW, opcode, open_id=42)
    assert edited == struct.pack("<QIi", 0xCAFE, after, 42)


def test_without_an_id_open_is_left_alone(shim: ctypes.CDLL) -> None:
    """A failed registration must look like no passthrough, KEEP_CACHE and all."""
    body = struct.pack("<QIi", 0xCAFE, 0x02, 0)
    assert edit(shim, body, Level.RW, Opcode.OPEN) == body


def test_getattr_carries_the_id_in_the_spare_field(shim: ctypes.CDLL) -> None:
    """u32 @12 of the 104 bytes, nothing else."""
    body = struct.pack("<QII", 1, 2, 0) + ATTR
    edited = edit(shim, body, Level.ATTACH_GETATTR, Opcode.GETATTR, inode_id=42)
    assert edited == body[:12] + struct.pack("<I", 42) + body[16:]
    assert len(edited) == 104


def long_entry(backing_id: int) -> bytes:
    """The 312 bytes, field by field."""
    entry = bytearray(312)
    struct.pack_into("<QQQQII", entry, 0, 0x0102030405060708, 99, 11, 22, 33, 44)
    struct.pack_into("<iIQ", entry, 40, backing_id, 0, 0)
    statx = bytearray(256)
    struct.pack_into("<II", statx, 0, 0x7FF, 4096)  # mask, blksize
    struct.pack_into("<Q", statx, 8, 0)  # attributes
    struct.pack_into("<IIIH", statx, 16, 7, 1000, 2000, REGULAR)  # nlink, uid, gid, mode
    struct.pack_into(
        "<QQQ", statx, 32, 0x0102030405060708, 0x1112131415161718, 0x2122232425262728
    )  # ino, size, blocks
    struct.pack_into("<qI", statx, 64, 0x3132333435363738, 100000001)  # atime
    struct.pack_into("<qI", statx, 96, 0x5152535455565758, 300000003)  # ctime
    struct.pack_into("<qI", statx, 112, 0x4142434445464748, 200000002)  # mtime
    struct.pack_into("<II", statx, 128, 259, 0x1234)  # rdev
    entry[56:] = statx
    return bytes(entry)


@pytest.mark.parametrize(
    "opcode", [Opcode.LOOKUP, Opcode.MKNOD, Opcode.MKDIR, Opcode.SYMLINK, Opcode.LINK]
)
@pytest.mark.parametrize("backing_id", [0, 42])
def test_long_entry(shim: ctypes.CDLL, opcode: Opcode, backing_id: int) -> None:
    """128 bytes become 312: id @40, statx @56; also without an id, since bit 43 is negotiated."""
    edited = edit(shim, ENTRY, Level.ATTACH_LOOKUP, opcode, inode_id=backing_id)
    assert edited == long_entry(backing_id)


@pytest.mark.parametrize("opcode", [Opcode.CREATE, Opcode.TMPFILE])
def test_long_create(shim: ctypes.CDLL, opcode: Opcode) -> None:
    """312 + 16: the open part follows the long entry and carries an id of its own field."""
    edited = edit(shim, ENTRY + OPEN, Level.ATTACH_LOOKUP, opcode, inode_id=42, open_id=42)
    assert edited == long_entry(42) + struct.pack("<QIi", 0xCAFE, 0x80, 42)


@pytest.mark.parametrize("level", [Level.RW, Level.ATTACH_GETATTR])
def test_create_keeps_its_short_entry(shim: ctypes.CDLL, level: Level) -> None:
    """128 + 16 below attach-lookup: only the open part changes."""
    edited = edit(shim, ENTRY + OPEN, level, Opcode.CREATE, open_id=42)
    assert edited == ENTRY + struct.pack("<QIi", 0xCAFE, 0x80, 42)


@pytest.mark.parametrize("opcode", [Opcode.READDIRPLUS, Opcode.READ, Opcode.GETXATTR])
def test_other_replies_are_never_edited(shim: ctypes.CDLL, opcode: Opcode) -> None:
    """READDIRPLUS keeps the old entry and carries no id."""
    assert edit(shim, ENTRY, Level.ATTACH_LOOKUP, opcode, 42, 42) == ENTRY


def test_reply_of_an_unexpected_size_is_left_alone(shim: ctypes.CDLL) -> None:
    """What does not look like the protocol is not touched."""
    assert edit(shim, ENTRY + b"x", Level.ATTACH_LOOKUP, Opcode.LOOKUP, 42) == ENTRY + b"x"


@pytest.mark.parametrize(
    ("level", "readdir", "mode", "opcode", "mask"),
    [
        (Level.RW, True, REGULAR, Opcode.OPEN, 0),
        (Level.RW, True, DIRECTORY, Opcode.OPENDIR, 0),
        (Level.ATTACH_GETATTR, True, REGULAR, Opcode.GETATTR, 0x800000000C004),
        (Level.ATTACH_GETATTR, True, REGULAR, Opcode.OPEN, 0x800000000C004),
        (Level.ATTACH_GETATTR, True, DIRECTORY, Opcode.GETATTR, 0x8000008000004),
        (Level.ATTACH_GETATTR, True, DIRECTORY, Opcode.OPENDIR, 0x8000008000004),
        (Level.ATTACH_GETATTR, False, DIRECTORY, Opcode.GETATTR, 0x8000000000004),
        (Level.ATTACH_GETATTR, True, SYMLINK, Opcode.GETATTR, 0x8000000000004),
        (Level.ATTACH_LOOKUP, True, REGULAR, Opcode.LOOKUP, 0xC00C),
        (Level.ATTACH_LOOKUP, True, REGULAR, Opcode.CREATE, 0xC00C),
        (Level.ATTACH_LOOKUP, True, REGULAR, Opcode.OPEN, 0xC000),
        (Level.ATTACH_LOOKUP, True, DIRECTORY, Opcode.LOOKUP, 0x800000C),
        (Level.ATTACH_LOOKUP, True, DIRECTORY, Opcode.OPENDIR, 0x8000000),
        (Level.ATTACH_LOOKUP, False, DIRECTORY, Opcode.LOOKUP, 0xC),
        (Level.ATTACH_LOOKUP, True, SYMLINK, Opcode.LOOKUP, 0xC),
    ],
)
def test_ops_masks(
    shim: ctypes.CDLL, level: Level, readdir: bool, mode: int, opcode: Opcode, mask: int
) -> None:
    """Bit = 1 << (opcode - 1); mainline takes 0 only; every mask lies within the valid ones."""
    assert shim.shim_ops_mask(level.rank, readdir, mode, opcode) == mask
    valid = {Level.ATTACH_GETATTR: 0x800000800C004, Level.ATTACH_LOOKUP: 0x800C00C}
    assert mask & ~valid.get(level, 0) == 0


def test_backing_map_and_ioctls(shim: ctypes.CDLL) -> None:
    """s32 fd @0, u32 flags @4, u64 mask @8; the numbers encode direction, size, type 0xe5."""
    buffer = ctypes.create_string_buffer(b"\xff" * 16, 16)
    shim.shim_backing_map(buffer, 7, 0x800000800C004)
    assert buffer.raw == struct.pack("<iIQ", 7, 0, 0x800000800C004)
    assert shim.shim_ioctl_number(0) == 0x4010E501
    assert shim.shim_ioctl_number(1) == 0x4004E502


def counters_file(
    requests: dict[int, int],
    fields: dict[str, int],
    timed: dict[int, int] | None = None,
    server_ns: dict[int, int] | None = None,
) -> bytes:
    """A counters file of version 2, built by hand."""
    data = struct.pack("<4sIIIII", b"FPBC", 2, 128, len(fields), 0, 0)
    for column in (requests, timed or {}, server_ns or {}):
        data += struct.pack("<128Q", *(column.get(number, 0) for number in range(128)))
    for name, value in fields.items():
        data += struct.pack("<24sQ", name.encode(), value)
    return data


def test_counters_are_read() -> None:
    """Known opcodes by name, unknown ones by number, named fields as they are."""
    snapshot = counters.parse(counters_file({3: 17, 120: 2}, {"ids_open": 5}))
    assert snapshot.requests == {Opcode.GETATTR: 17}
    assert snapshot.extra == {"opcode_120": 2, "ids_open": 5}


def test_counters_between_two_snapshots() -> None:
    """What did not arrive in between is not there."""
    earlier = counters.parse(counters_file({1: 2, 3: 17}, {"ids_open": 5}))
    later = counters.parse(counters_file({1: 2, 3: 20}, {"ids_open": 6}, {3: 3}, {3: 4500}))
    assert later.since(earlier) == counters.Snapshot(
        {Opcode.GETATTR: 3}, {"ids_open": 6}, {Opcode.GETATTR: 3}, {Opcode.GETATTR: 4500}
    )


def test_timing_is_switched_on_for_a_while(tmp_path: Path) -> None:
    """One word of the header, and nothing else of the file, changes; and it changes back."""
    file = tmp_path / "counters"
    before = counters_file({3: 17}, {"ids_open": 5})
    file.write_bytes(before)
    with counters.timing(file):
        assert file.read_bytes() == before[:16] + b"\1\0\0\0" + before[20:]
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "data",
    [b"", b"FPBC", b"NOPE" + counters_file({}, {})[4:], counters_file({}, {"ids_open": 5})[:-1]],
    ids=["empty", "header cut", "wrong magic", "field cut"],
)
def test_bad_counters_are_one_clear_line(data: bytes) -> None:
    """A file that is something else, or cut short, is a user's error and no traceback."""
    with pytest.raises(UserError, match="counters"):
        counters.parse(data)
