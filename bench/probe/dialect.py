"""The dialect of inode-operations passthrough that we speak: what of it is out of tree, in one table.

Another posting may put any of it elsewhere: the maintainer's tree has given bit 43 and offset 8 of the
map other meanings. daemons/_native/dialect.h has the same table for the servers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """Bits of INIT, sizes and offsets in bytes."""

    ino_bit: int
    entry2_bit: int
    """Announces long entries beside ``ino_bit``; the lab kernel's own."""
    attr_out_backing_id: int
    long_entry_size: int
    long_entry_backing_id: int
    long_entry_statx: int
    backing_map_size: int
    backing_map_ops_mask: int
    ops_xattrs: int
    """SETXATTR, GETXATTR, LISTXATTR and REMOVEXATTR in ops_mask; the lab kernel's own."""


DIALECT = Dialect(
    ino_bit=43,
    entry2_bit=60,
    attr_out_backing_id=12,
    long_entry_size=312,
    long_entry_backing_id=40,
    long_entry_statx=56,
    backing_map_size=16,
    backing_map_ops_mask=8,
    ops_xattrs=0xF << 20,
)


def ops_bit(opcode: int) -> int:
    """The bit of an operation in ops_mask."""
    return 1 << (opcode - 1)
