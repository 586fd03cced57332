"""Names for addresses: the kernel's functions, functions of our own C parts, other libraries by name.

Functions that the compiler inlined are part of the function the symbol table has. A library of others
is one name: its symbol table has gone, and the nearest exported symbol would be a guess.
"""

from __future__ import annotations

import math
import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench.profile.blocks import KERNEL

UNKNOWN_KERNEL, UNKNOWN_USER = "[unnamed kernel]", "[unnamed user]"
LONGEST = 1 << 20
"""No function is longer: what lies farther behind its symbol has none (a BPF program, say)."""
OURS = re.compile(r"/_native/[^/]+$")
"""Files whose functions are told apart: our own C parts."""
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) \S+ \d+\s*(.*)")
_ASIDE = ("__pfx_", "__cfi_")
_SHT_SYMTAB, _STT_FUNC, _PT_LOAD = 2, 2, 1


class NoSymbols(Exception):
    """A symbol table that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Functions:
    """Functions by address, sorted."""

    addresses: Sequence[int]
    names: Sequence[str]
    sizes: Mapping[int, int] = field(default_factory=dict)
    """By address, where the table says it; elsewhere a function ends where the next begins."""

    def find(self, address: int) -> str | None:
        """The function an address lies in."""
        at = bisect_right(self.addresses, address) - 1
        if at < 0:
            return None
        start = self.addresses[at]
        return self.names[at] if address < start + self.sizes.get(start, LONGEST) else None


def functions(
    symbols: Iterable[tuple[int, str]], sizes: Mapping[int, int] | None = None
) -> Functions:
    """The most telling of the symbols at one address: no padding, few underscores, short."""
    best: dict[int, str] = {}
    for address, name in symbols:
        old = best.get(address)
        if old is None or _rank(name) < _rank(old):
            best[address] = name
    addresses = sorted(best)
    return Functions(addresses, [best[address] for address in addresses], sizes or {})


def _rank(name: str) -> tuple[bool, int, int, str]:
    return name.startswith(_ASIDE), len(name) - len(name.lstrip("_")), len(name), name


def kallsyms(text: str) -> Functions:
    """The kernel's functions, from /proc/kallsyms; raises NoSymbols."""
    found: list[tuple[int, str]] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] in "tTwW":
            found.append((int(words[0], 16), words[2]))
    if not found:
        raise NoSymbols("the kernel has no kallsyms (CONFIG_KALLSYMS)")
    if not any(address for address, _ in found):
        raise NoSymbols("the kernel hides its addresses (kernel.kptr_restrict)")
    # Per-CPU symbols lie at the bottom of the address space.
    return functions(((a, name) for a, name in found if a >= KERNEL))


@dataclass(frozen=True)
class Executable:
    """A part of a file that a process may execute."""

    start: int
    end: int
    offset: int
    path: str


@dataclass
class Process:
    """The executable mappings of a process."""

    mappings: list[Executable] = field(default_factory=list)
    since: float = math.inf
    """What was built later than this is not what was executed: its functions would be another's."""

    @classmethod
    def from_maps(cls, text: str, since: float = math.inf) -> Process:
        """The lines of /proc/PID/maps that are executable."""
        found = []
        for line in text.splitlines():
            if match := _MAPPING.match(line):
                start, end, offset = (int(number, 16) for number in match.groups()[:3])
                found.append(Executable(start, end, offset, match[4].removesuffix(" (deleted)")))
        return cls(sorted(found, key=lambda mapping: mapping.start), since)

    def name(self, address: int) -> str | None:
        """The function of ours, or the library, that an address lies in."""
        for mapping in self.mappings:
            if mapping.start <= address < mapping.end:
                return _in_file(mapping, address, self.since)
        return None


def _in_file(mapping: Executable, address: int, since: float) -> str:
    file = Path(mapping.path)
    if not mapping.path:
        return "[anonymous]"
    if mapping.path.startswith("["):
        return mapping.path
    ours = OURS.search(mapping.path)
    short = file.name.partition(".")[0] if ours else file.name
    if ours and _built(file) <= since and (table := elf(file)) is not None:
        found = table.find(address - mapping.start + mapping.offset)
        if found:
            return f"{short}:{found}"
    return f"[{short}]"


def _built(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return math.inf


@cache
def elf(path: Path) -> Functions | None:
    """Functions of an ELF file by their place in it; None where it is stripped or no such file."""
    try:
        symbols = list(_elf_symbols(path.read_bytes()))
    except (OSError, struct.error, ValueError, IndexError):
        return None
    if not symbols:
        return None
    return functions(
        ((place, name) for place, _, name in symbols),
        {place: size for place, size, _ in symbols},
    )


def _elf_symbols(data: bytes) -> Iterator[tuple[int, int, str]]:
    """(place in the file, size, name) of every function that has a size; PLT and start-up have none."""
    if data[:6] != b"\x7fELF\x02\x01":
        return
    phoff, shoff = struct.unpack_from("<QQ", data, 32)
    phentsize, phnum, shentsize, shnum = struct.unpack_from("<HHHH", data, 54)
    segments = [
        struct.unpack_from("<IIQQQQ", data, phoff + number * phentsize) for number in range(phnum)
    ]
    loads = [(s[3], s[5], s[2]) for s in segments if s[0] == _PT_LOAD]
    sections = [
        struct.unpack_from("<IIQQQQII", data, shoff + number * shentsize) for number in range(shnum)
    ]
    for section in sections:
        if section[1] == _SHT_SYMTAB:
            yield from _symbols_of(data, section, sections[section[6]], loads)


def _symbols_of(
    data: bytes,
    section: Sequence[int],
    strings: Sequence[int],
    loads: Sequence[tuple[int, int, int]],
) -> Iterator[tuple[int, int, str]]:
    for at in range(section[4], section[4] + section[5], 24):
        name, info, _, index, value, length = struct.unpack_from("<IBBHQQ", data, at)
        if info & 15 != _STT_FUNC or not index or not length:
            continue
        begin = strings[4] + name
        text = data[begin : data.index(b"\0", begin)].decode(errors="replace")
        for start, size, offset in loads:
            if start <= value < start + size:
                yield value - start + offset, length, text


@dataclass
class Names:
    """All that names the addresses of one window."""

    kernel: Functions
    processes: Mapping[str, Process]
    """By context: "client", "server"."""
    _known: dict[tuple[str, int], str] = field(default_factory=dict)

    def name(self, context: str, address: int) -> str:
        """The name of the function, or library, at an address."""
        key = context, address
        if key not in self._known:
            self._known[key] = self._find(context, address)
        return self._known[key]

    def _find(self, context: str, address: int) -> str:
        if address >= KERNEL:
            return self.kernel.find(address) or UNKNOWN_KERNEL
        process = self.processes.get(context)
        return (process.name(address) if process else None) or UNKNOWN_USER
