"""The FUSE wire format, as far as probing needs it: constants, layouts, the backing ioctls.

Little-endian, offsets and names from include/uapi/linux/fuse.h (protocol 7.45, Linux 6.18) unless
a line says otherwise. The inode-operations interfaces are out of tree: their ``ops_mask`` and
long entry follow the posted series (2025 demo, 2026 v1 and v2) and are in no released kernel.
"""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass

from bench.model import Opcode
from bench.probe.dialect import DIALECT, ops_bit

ROOT_ID = 1
MAX_WRITE = 4096
"""Bytes; the least the kernel accepts, our servers being read-only."""
KERNEL_MAJOR, KERNEL_MINOR = 7, 45
"""The protocol version we speak; the lower of ours and the kernel's is in force."""

FUSE_INIT_EXT = 1 << 30
FUSE_PASSTHROUGH = 1 << 37
FUSE_OVER_IO_URING = 1 << 41
BIT_43 = 1 << DIALECT.ino_bit
"""FUSE_PASSTHROUGH_INO in the 2026 series, FUSE_HAS_IO_URING_BUFPOOL in protocol 7.46, and other
things in other series (FUSE_HAS_LOOKUP_HANDLE, FUSE_DAX_FMAP, FUSE_IOMAP, FUSE_HAS_SYNCFS, all
posted with this bit). It proves nothing by itself."""

# fmt: off
_FLAG_NAMES = (
    "ASYNC_READ", "POSIX_LOCKS", "FILE_OPS", "ATOMIC_O_TRUNC", "EXPORT_SUPPORT", "BIG_WRITES",
    "DONT_MASK", "SPLICE_WRITE", "SPLICE_MOVE", "SPLICE_READ", "FLOCK_LOCKS", "HAS_IOCTL_DIR",
    "AUTO_INVAL_DATA", "DO_READDIRPLUS", "READDIRPLUS_AUTO", "ASYNC_DIO", "WRITEBACK_CACHE",
    "NO_OPEN_SUPPORT", "PARALLEL_DIROPS", "HANDLE_KILLPRIV", "POSIX_ACL", "ABORT_ERROR",
    "MAX_PAGES", "CACHE_SYMLINKS", "NO_OPENDIR_SUPPORT", "EXPLICIT_INVAL_DATA", "MAP_ALIGNMENT",
    "SUBMOUNTS", "HANDLE_KILLPRIV_V2", "SETXATTR_EXT", "INIT_EXT", "INIT_RESERVED",
    "SECURITY_CTX", "HAS_INODE_DAX", "CREATE_SUPP_GROUP", "HAS_EXPIRE_ONLY",
    "DIRECT_IO_ALLOW_MMAP", "PASSTHROUGH", "NO_EXPORT_SUPPORT", "HAS_RESEND", "ALLOW_IDMAP",
    "OVER_IO_URING", "REQUEST_TIMEOUT",
)
# fmt: on

FOPEN_PASSTHROUGH = 1 << 7
GETATTR_FH = 1

BACKING_OPEN = 0x4010E501
BACKING_CLOSE = 0x4004E502

OPS_LOOKUP = ops_bit(Opcode.LOOKUP)
OPS_GETATTR = ops_bit(Opcode.GETATTR)
OPS_SETATTR = ops_bit(Opcode.SETATTR)
OPS_READ_WRITE = ops_bit(Opcode.READ) | ops_bit(Opcode.WRITE)
OPS_READDIR = ops_bit(Opcode.READDIR)
OPS_STATX = ops_bit(Opcode.STATX)
OPS_XATTRS = DIALECT.ops_xattrs

IN_HEADER = struct.Struct("<IIQQIIIHH")
"""len, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding."""
OUT_HEADER = struct.Struct("<IiQ")
"""len, error (0 or -errno), unique."""
INIT_IN = struct.Struct("<IIIII44x")
"""major, minor, max_readahead, flags, flags2. Shorter before 7.36, see parse_init."""
INIT_OUT = struct.Struct("<IIIIHHIIHHIIH22x")
"""major, minor, max_readahead, flags, max_background, congestion_threshold, max_write, time_gran,
max_pages, map_alignment, flags2, max_stack_depth, request_timeout."""
BACKING_MAP = struct.Struct("<iIQ")
"""fd, flags (0), padding; out of tree the last is ops_mask."""
ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
"""ino, size, blocks, atime, mtime, ctime, their nanoseconds, mode, nlink, uid, gid, rdev, blksize,
flags."""
ATTR_OUT = struct.Struct("<QII")
"""attr_valid, attr_valid_nsec, dummy, then ATTR. The 2025 demo reads a backing id in dummy (it is
the only spare field; inferred)."""
ENTRY_OUT = struct.Struct("<QQQQII")
"""nodeid, generation, entry_valid, attr_valid, their nanoseconds, then ATTR."""
LONG_ENTRY = struct.Struct("<QQQQIIiIQ")
"""nodeid, generation, entry_valid, attr_valid, nanoseconds, backing_id, flags, reserved, then
fuse_statx: 312 bytes in all (2026 series)."""
STATX = struct.Struct("<IIQIIIHHQQQQqIiqIiqIiqIiIIII112x")
"""mask, blksize, attributes, nlink, uid, gid, mode, spare, ino, size, blocks, attributes_mask,
atime, btime, ctime, mtime (sec, nsec, pad each), rdev and dev (major, minor each)."""
OPEN_OUT = struct.Struct("<QIi")
"""fh, open_flags, backing_id (0 = none)."""
DIRENT = struct.Struct("<QQII")
"""ino, off, namelen, type, then the name, padded to 8 bytes."""
STATFS_OUT = struct.Struct("<QQQQQIIII24x")
STATX_BASIC_STATS = 0x7FF


@dataclass(frozen=True)
class Init:
    """What the kernel says of itself in the INIT request."""

    major: int
    minor: int
    max_readahead: int
    offered: int
    """All 64 flag bits; the upper half is zero where the kernel does not set FUSE_INIT_EXT."""


def parse_init(body: bytes) -> Init:
    """The body of an INIT request. Raises ValueError if it is too short to be one."""
    if len(body) < 16:
        raise ValueError(f"INIT request of {len(body)} bytes, wanted at least 16")
    major, minor, readahead, flags, flags2 = INIT_IN.unpack(body.ljust(INIT_IN.size, b"\0")[:64])
    if flags & FUSE_INIT_EXT:
        flags |= flags2 << 32
    return Init(major, minor, readahead, flags)


def init_reply(init: Init, wanted: int, max_stack_depth: int) -> bytes:
    """The INIT reply that turns on those ``wanted`` flags the kernel offered, and no others.

    The kernel does not mask the reply by its offer, so a bit it never offered must not be sent.
    """
    flags = (wanted | FUSE_INIT_EXT) & init.offered
    return INIT_OUT.pack(
        KERNEL_MAJOR,
        min(init.minor, KERNEL_MINOR),
        init.max_readahead,
        flags & 0xFFFFFFFF,
        0,
        0,
        MAX_WRITE,
        1,
        0,
        0,
        flags >> 32,
        max_stack_depth if flags & FUSE_PASSTHROUGH else 0,
        0,
    )


def flag_names(flags: int) -> tuple[str, ...]:
    """The uapi names of the bits set, lowest first; a bit without a settled name is ``bit N``."""
    return tuple(
        f"FUSE_{_FLAG_NAMES[bit]}" if bit < len(_FLAG_NAMES) else f"bit {bit}"
        for bit in range(64)
        if flags >> bit & 1
    )


def pack_attr(st: os.stat_result, ino: int) -> bytes:
    """struct fuse_attr, 88 bytes; ``ino`` is what clients see as st_ino."""
    return ATTR.pack(
        ino,
        st.st_size,
        st.st_blocks,
        *_seconds_and_ns(st),
        st.st_mode,
        st.st_nlink,
        st.st_uid,
        st.st_gid,
        _small_dev(st.st_rdev),
        st.st_blksize,
        0,
    )


def entry_reply(st: os.stat_result, nodeid: int, entry_timeout: int, attr_timeout: int) -> bytes:
    """struct fuse_entry_out, 128 bytes; timeouts in whole seconds."""
    head = ENTRY_OUT.pack(nodeid, 0, entry_timeout, attr_timeout, 0, 0)
    return head + pack_attr(st, st.st_ino)


def long_entry_reply(
    st: os.stat_result, nodeid: int, entry_timeout: int, attr_timeout: int, backing_id: int
) -> bytes:
    """The 312-byte entry of the 2026 series; it replaces the short one in every LOOKUP reply once
    its flag is negotiated."""
    head = LONG_ENTRY.pack(nodeid, 0, entry_timeout, attr_timeout, 0, 0, backing_id, 0, 0)
    return head + pack_statx(st)


def pack_statx(st: os.stat_result) -> bytes:
    """struct fuse_statx, 256 bytes, with the basic fields valid (no birth time)."""
    stamps = (
        divmod(ns, 1_000_000_000) for ns in (st.st_atime_ns, 0, st.st_ctime_ns, st.st_mtime_ns)
    )
    times = [number for second, ns in stamps for number in (second, ns, 0)]
    return STATX.pack(
        STATX_BASIC_STATS,
        st.st_blksize,
        0,
        st.st_nlink,
        st.st_uid,
        st.st_gid,
        st.st_mode,
        0,
        st.st_ino,
        st.st_size,
        st.st_blocks,
        0,
        *times,
        os.major(st.st_rdev),
        os.minor(st.st_rdev),
        os.major(st.st_dev),
        os.minor(st.st_dev),
    )


def attr_reply(st: os.stat_result, ino: int, attr_timeout: int, backing_id: int = 0) -> bytes:
    """struct fuse_attr_out, 104 bytes; a backing id goes into the spare field."""
    return ATTR_OUT.pack(attr_timeout, 0, backing_id) + pack_attr(st, ino)


def dirent(ino: int, offset: int, kind: int, name: bytes) -> bytes:
    """struct fuse_dirent with its name; ``offset`` is where the next entry starts."""
    body = DIRENT.pack(ino, offset, len(name), kind) + name
    return body + bytes(-len(body) % 8)


def backing_open(device: int, fd: int, ops_mask: int = 0) -> int:
    """Register ``fd`` as a backing file on a FUSE connection; its id, above 0.

    ``device`` is the /dev/fuse descriptor of the connection, already initialised. Raises OSError:
    EPERM not negotiated or no CAP_SYS_ADMIN in the initial user namespace; EINVAL flags, ops_mask
    (mainline has none) or a file type it cannot use; EISDIR; ELOOP stacked too deep; EOPNOTSUPP
    built without CONFIG_FUSE_PASSTHROUGH; ENOTTY before Linux 6.9 (fs/fuse/backing.c).
    """
    # Only for a mutable buffer does fcntl.ioctl hand back the integer result.
    argument = bytearray(BACKING_MAP.pack(fd, 0, ops_mask))
    return int(fcntl.ioctl(device, BACKING_OPEN, argument, True))


def backing_close(device: int, backing_id: int) -> None:
    """Give a backing id back. Raises OSError: ENOENT for an id that is not open."""
    fcntl.ioctl(device, BACKING_CLOSE, bytearray(struct.pack("<I", backing_id)), True)


def _seconds_and_ns(st: os.stat_result) -> list[int]:
    pairs = [divmod(ns, 1_000_000_000) for ns in (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns)]
    # Times before 1970 travel as the unsigned image of a negative number.
    return [second & (2**64 - 1) for second, _ in pairs] + [ns for _, ns in pairs]


def _small_dev(dev: int) -> int:
    # new_encode_dev, include/linux/kdev_t.h: the 32-bit form of a device number.
    major, minor = os.major(dev), os.minor(dev)
    return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12


def opcode_name(number: int) -> str:
    """LOOKUP for 1; ``opcode N`` for a number newer than this text."""
    try:
        return Opcode(number).name
    except ValueError:
        return f"opcode {number}"
