"""Reads the counters file the shim maps: requests by opcode and a few named figures.

The layout is documented where it is written, in daemons/_native/counters.h. Nothing but the
standard library and the model is imported, so reading it costs a runner nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.model import Opcode, UserError

VERSION = 1
_KNOWN = frozenset(int(opcode) for opcode in Opcode)
_HEADER = struct.Struct("<4sIII")
_FIELD = struct.Struct("<24sQ")


@dataclass(frozen=True)
class Snapshot:
    """What a server had received when the file was read.

    ``requests`` has every opcode that arrived at least once; opcodes this project has no name for
    are in ``extra`` as ``opcode_<number>``, beside the named figures of the shim.
    """

    requests: Mapping[Opcode, int]
    extra: Mapping[str, int]

    def since(self, earlier: Snapshot) -> Snapshot:
        """Requests between ``earlier`` and now; the named figures are those of now."""
        grown = {
            opcode: count - earlier.requests.get(opcode, 0)
            for opcode, count in self.requests.items()
        }
        return Snapshot({opcode: count for opcode, count in grown.items() if count}, self.extra)


def parse(data: bytes, source: str = "counters") -> Snapshot:
    """Counters out of the bytes of a file; UserError if they are something else."""
    if len(data) < _HEADER.size:
        raise UserError(f"{source}: {len(data)} bytes, too short for a counters file")
    magic, version, opcodes, fields = _HEADER.unpack_from(data)
    if magic != b"FPBC" or version != VERSION:
        raise UserError(
            f"{source}: got magic {magic!r}, version {version}, wanted b'FPBC', version {VERSION}"
        )
    first_field = _HEADER.size + 8 * opcodes
    wanted = first_field + _FIELD.size * fields
    if len(data) < wanted:
        raise UserError(f"{source}: cut short: {len(data)} bytes, wanted {wanted}")
    counts = struct.unpack_from(f"<{opcodes}Q", data, _HEADER.size)
    requests: dict[Opcode, int] = {}
    extra: dict[str, int] = {}
    for number, count in enumerate(counts):
        if count and number in _KNOWN:
            requests[Opcode(number)] = count
        elif count:
            extra[f"opcode_{number}"] = count
    for name, value in _FIELD.iter_unpack(data[first_field:wanted]):
        extra[name.rstrip(b"\0").decode()] = value
    return Snapshot(requests, extra)


def read(path: Path) -> Snapshot:
    """Counters of a running or finished server; UserError if the file is not a counters file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    return parse(data, str(path))
