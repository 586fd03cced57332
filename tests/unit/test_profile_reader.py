"""From the plugin's addresses to folded stacks of named functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.profile import blocks, fold, symbols
from bench.profile.blocks import Unreadable
from workloads._native import marks

KERNEL = 0xFFFFFFFF81000000
CLIENT_TASK, SERVER_TASK, IDLE_TASK = 0xFFFFC90000010000, 0xFFFFC90000020000, 0xFFFFFFFF82000000
KALLSYMS = """\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T entry_SYSCALL_64
ffffffff81001000 t __pfx_vfs_statx
ffffffff81001000 T vfs_statx
ffffffff81002000 T fuse_dev_do_read
ffffffff81003000 t do_idle
ffffffff81004000 T asm_sysvec_apic_timer_interrupt
ffffffff81005000 T update_process_times
ffffffff81006000 D some_data
"""
MAPS = """\
00400000-00401000 r--p 00000000 00:00 0 /usr/bin/prog
00401000-00402000 r-xp 00001000 00:00 0 /usr/bin/prog
7f0000000000-7f0000001000 r-xp 00000000 00:00 0 /usr/lib/libc.so.6
7f0000002000-7f0000003000 r-xp 00000000 00:00 0 [vdso]
"""
WINDOW = f"""\
path 0 {blocks.CLIENT:x}
path 0 {CLIENT_TASK:x}
path 2 401010
path 3 7f0000000010
path 4 {KERNEL + 0x10:x}
path 0 {SERVER_TASK:x}
path 6 {KERNEL + 0x10:x}
path 0 {IDLE_TASK:x}
path 8 {KERNEL + 0x3010:x}
path 5 {KERNEL + 0x4010:x}
cell 1 {CLIENT_TASK:x} 1 2
cell 3 7f0000000000 7 2
cell 5 {KERNEL + 0x1020:x} 100 2
cell 7 {KERNEL + 0x2020:x} 30 2
cell 9 {KERNEL + 0x3020:x} 5 2
cell 10 {KERNEL + 0x5020:x} 11 2
cell 5 {KERNEL + 0x900000:x} 2 2
end whole
"""


def write(folder: Path, text: str) -> Path:
    path = blocks.path_of(folder, 3)
    path.write_text(text)
    return path


def names() -> symbols.Names:
    process = symbols.Process.from_maps(MAPS)
    return symbols.Names(symbols.kallsyms(KALLSYMS), {"client": process, "server": process})


def test_a_window_becomes_stacks_of_functions_each_in_its_context(tmp_path: Path) -> None:
    """Client, server, interrupt and idle are told apart by what the tasks did."""
    folded = fold.fold(blocks.read(write(tmp_path, WINDOW)), names())
    assert folded == {
        ("client", "[prog]", "[libc.so.6]"): 7,
        ("client", "[prog]", "[libc.so.6]", "entry_SYSCALL_64", "vfs_statx"): 100,
        ("server", "entry_SYSCALL_64", "fuse_dev_do_read"): 30,
        ("idle", "do_idle", "do_idle"): 5,
        (
            "interrupt", "[prog]", "[libc.so.6]", "entry_SYSCALL_64",
            "asm_sysvec_apic_timer_interrupt", "update_process_times",
        ): 11,
        ("client", "[prog]", "[libc.so.6]", "entry_SYSCALL_64", symbols.UNKNOWN_KERNEL): 2,
    }  # fmt: skip


def test_nothing_is_lost_on_the_way(tmp_path: Path) -> None:
    """The sum over stacks, over functions and after a round trip is the plugin's."""
    window = blocks.read(write(tmp_path, WINDOW))
    folded = fold.fold(window, names())
    assert window.instructions == sum(folded.values()) == 155
    assert sum(fold.flat(folded).values()) == 155
    assert fold.from_text(fold.to_text(folded)) == folded


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "ends in the middle"),
        (WINDOW[: len(WINDOW) // 2], "ends in the middle"),
        (WINDOW.replace("whole", "full"), "more call paths"),
        ("cell 99 10 5\nend whole\n", "not a window's file"),
        ("path x\nend whole\n", "not a window's file"),
        ("some words\nend whole\n", "not a window's file"),
    ],
)
def test_a_file_that_is_not_whole_is_one_line(tmp_path: Path, text: str, why: str) -> None:
    """A disk that filled up, a window too large, and what is none."""
    with pytest.raises(Unreadable, match=why):
        blocks.read(write(tmp_path, text))


def test_a_window_that_was_not_written_is_one_line(tmp_path: Path) -> None:
    """As when the disk is full: the plugin leaves nothing half written."""
    with pytest.raises(Unreadable, match="disk full"):
        blocks.read(blocks.path_of(tmp_path, 4))


def test_kernels_without_names_are_one_line() -> None:
    """No kallsyms at all, and one whose addresses are hidden."""
    with pytest.raises(symbols.NoSymbols, match="CONFIG_KALLSYMS"):
        symbols.kallsyms("")
    with pytest.raises(symbols.NoSymbols, match="kptr_restrict"):
        symbols.kallsyms("0000000000000000 T vfs_statx\n")


def test_a_kernel_at_a_random_place_is_named_by_its_own_symbols(tmp_path: Path) -> None:
    """KASLR moves every address of a boot; its kallsyms moves along."""
    moved = 0x1E600000

    def shifted(text: str) -> str:
        pattern = re.compile(r"ffffffff8[0-9a-f]{7}")
        return pattern.sub(lambda found: f"{int(found[0], 16) + moved:x}", text)

    process = symbols.Process.from_maps(MAPS)
    there = symbols.Names(
        symbols.kallsyms(shifted(KALLSYMS)), {"client": process, "server": process}
    )
    usual = fold.fold(blocks.read(write(tmp_path, WINDOW)), names())
    assert fold.fold(blocks.read(write(tmp_path, shifted(WINDOW))), there) == usual


def test_functions_of_our_own_parts_are_told_apart_and_others_are_their_file() -> None:
    """The marks extension's symbol table has its functions; the interpreter is one name."""
    file = Path(marks.__file__)
    table = symbols.elf(file)
    assert table is not None
    place = dict(zip(table.names, table.addresses, strict=True))["announce"]
    process = symbols.Process.from_maps(f"10000-90000 r-xp 00000000 00:00 0 {file}\n")
    assert process.name(0x10000 + place) == "marks:announce"
    assert process.name(0x10000 - 1) is None


def test_a_stripped_part_is_named_by_its_file(tmp_path: Path) -> None:
    """No symbol table, no functions; still no error."""
    stripped = tmp_path / "_native" / "mirror"
    stripped.parent.mkdir()
    stripped.write_bytes(b"\x7fELF\x02\x01" + bytes(58))
    process = symbols.Process.from_maps(f"10000-90000 r-xp 00000000 00:00 0 {stripped}\n")
    assert process.name(0x10010) == "[mirror]"


def test_a_part_built_anew_while_it_was_measured_is_named_by_its_file() -> None:
    """Addresses of the old one lie in other functions of the new: no name is better than a wrong one."""
    file = Path(marks.__file__)
    table = symbols.elf(file)
    assert table is not None
    maps = f"10000-90000 r-xp 00000000 00:00 0 {file}\n"
    built = file.stat().st_mtime
    address = 0x10000 + table.addresses[0]
    assert symbols.Process.from_maps(maps, built).name(address) == f"marks:{table.names[0]}"
    assert symbols.Process.from_maps(maps, built - 1).name(address) == "[marks]"


def test_marks_do_nothing_where_nobody_listens() -> None:
    """Marks are NOPs; a number that does not fit is refused."""
    marks.announce(0xFFFFFFFF)
    marks.begin()
    marks.end()
    marks.write()
    with pytest.raises(ValueError, match="does not fit"):
        marks.announce(1 << 32)
