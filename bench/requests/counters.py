"""Reads the counters file the shim maps: requests by opcode, their time, a few named figures.

The layout is documented where it is written, in daemons/_native/counters.h. Nothing but the
standard library and the model is imported, so reading it costs a runner nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.model import Opcode, UserError

VERSION = 2
_KNOWN = frozenset(int(opcode) for opcode in Opcode)
_HEADER = struct.Struct("<4sIIIII")
_TIMING_AT = 16
_FIELD = struct.Struct("<24sQ")


@dataclass(frozen=True)
class Snapshot:
    """What a server had received when the file was read.

    ``requests`` has every opcode that arrived at least once; opcodes this project has no name for
    are in ``extra`` as ``opcode_<number>``, beside the named figures of the shim. ``timed`` counts
    the requests whose reply was timed (see ``timing``), and ``server_ns`` is the sum of their
    times between read and write.
    """

    requests: Mapping[Opcode, int]
    extra: Mapping[str, int]
    timed: Mapping[Opcode, int] = field(default_factory=dict)
    server_ns: Mapping[Opcode, int] = field(default_factory=dict)

    def since(self, earlier: Snapshot) -> Snapshot:
        """Requests between ``earlier`` and now; the named figures are those of now."""
        return Snapshot(
            _grown(self.requests, earlier.requests),
            self.extra,
            _grown(self.timed, earlier.timed),
            _grown(self.server_ns, earlier.server_ns),
        )


def _grown(now: Mapping[Opcode, int], earlier: Mapping[Opcode, int]) -> dict[Opcode, int]:
    grown = {opcode: count - earlier.get(opcode, 0) for opcode, count in now.items()}
    return {opcode: count for opcode, count in grown.items() if count}


def parse(data: bytes, source: str = "counters") -> Snapshot:
    """Counters out of the bytes of a file; UserError if they are something else."""
    if len(data) < _HEADER.size:
        raise UserError(f"{source}: {len(data)} bytes, too short for a counters file")
    magic, version, opcodes, fields, _timing, _padding = _HEADER.unpack_from(data)
    if magic != b"FPBC" or version != VERSION:
        raise UserError(
            f"{source}: got magic {magic!r}, version {version}, wanted b'FPBC', version {VERSION}"
        )
    if opcodes == 0:
        raise UserError(f"{source}: says that it counts no opcode")
    first_field = _HEADER.size + 3 * 8 * opcodes
    wanted = first_field + _FIELD.size * fields
    if len(data) < wanted:
        raise UserError(f"{source}: cut short: {len(data)} bytes, wanted {wanted}")
    table = struct.unpack_from(f"<{3 * opcodes}Q", data, _HEADER.size)
    counts, timed, server_ns = (table[at : at + opcodes] for at in range(0, 3 * opcodes, opcodes))
    extra = {f"opcode_{n}": count for n, count in enumerate(counts) if count and n not in _KNOWN}
    for name, value in _FIELD.iter_unpack(data[first_field:wanted]):
        extra[name.rstrip(b"\0").decode(errors="replace")] = value
    return Snapshot(_by_opcode(counts), extra, _by_opcode(timed), _by_opcode(server_ns))


def _by_opcode(column: Sequence[int]) -> dict[Opcode, int]:
    return {Opcode(n): value for n, value in enumerate(column) if value and n in _KNOWN}


def read(path: Path) -> Snapshot:
    """Counters of a running or finished server; UserError if the file is not a counters file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    return parse(data, str(path))


@contextmanager
def timing(path: Path) -> Iterator[None]:
    """Have the server time its requests meanwhile; OSError if the file is gone.

    Enter and leave only while no request is under way: see daemons/_native/counters.h. Timing
    reads the clock twice for each request; without it a request pays two loads.
    """
    _set_timing(path, 1)
    try:
        yield
    finally:
        _set_timing(path, 0)


def _set_timing(path: Path, value: int) -> None:
    with path.open("r+b") as file:
        file.seek(_TIMING_AT)
        file.write(struct.pack("<I", value))
