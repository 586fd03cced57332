"""Servers and probe speak one dialect: the same constants, in a table each."""

from __future__ import annotations

import re
from pathlib import Path

from bench.model import Opcode
from bench.probe import abi
from bench.probe.dialect import DIALECT, ops_bit

HEADER = Path(__file__).parents[2] / "daemons" / "_native" / "dialect.h"


def constants() -> dict[str, int]:
    """Numbers that the header defines, by name."""
    text = HEADER.read_text()
    return {name: int(value) for name, value in re.findall(r"#define (\w+)\s+(\d+)u\n", text)}


def test_the_tables_agree() -> None:
    wanted = {
        "ATTR_OUT_BACKING_ID": DIALECT.attr_out_backing_id,
        "LONG_ENTRY_SIZE": DIALECT.long_entry_size,
        "LONG_ENTRY_BACKING_ID": DIALECT.long_entry_backing_id,
        "LONG_ENTRY_STATX": DIALECT.long_entry_statx,
        "BACKING_MAP_SIZE": DIALECT.backing_map_size,
        "BACKING_MAP_OPS_MASK": DIALECT.backing_map_ops_mask,
    }
    assert constants() == wanted
    assert f"INIT_PASSTHROUGH_INO (UINT64_C(1) << {DIALECT.ino_bit})" in HEADER.read_text()


def test_the_layouts_of_the_probe_are_those_of_the_table() -> None:
    assert abi.LONG_ENTRY.size == DIALECT.long_entry_statx
    assert abi.LONG_ENTRY.size + abi.STATX.size == DIALECT.long_entry_size
    assert abi.BACKING_MAP.size == DIALECT.backing_map_size
    assert (abi.OPS_GETATTR, abi.OPS_READ_WRITE, abi.OPS_STATX) == (0x4, 0xC000, 1 << 51)
    ops = (Opcode.SETXATTR, Opcode.GETXATTR, Opcode.LISTXATTR, Opcode.REMOVEXATTR)
    assert sum(map(ops_bit, ops)) == abi.OPS_XATTRS == 0xF00000
    assert "OPS_XATTRS (UINT64_C(0xf) << 20)" in HEADER.read_text()
    assert ops_bit(28) == abi.OPS_READDIR == 0x8000000
