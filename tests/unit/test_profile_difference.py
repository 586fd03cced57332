"""Subsystems, differences, pictures and files of profiles."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from bench.model import UserError
from bench.profile import difference, flame, select, speedscope, store, subsystems, text
from bench.profile.store import Profile

BASE = {
    ("client", "opdriver:drive", "entry_SYSCALL_64", "do_syscall_64", "vfs_statx"): 100,
    ("client", "opdriver:drive", "entry_SYSCALL_64", "path_lookupat"): 300,
    ("client", "opdriver:drive", "entry_SYSCALL_64", "path_lookupat", "_raw_spin_lock"): 20,
    ("client", "opdriver:drive"): 50,
    ("interrupt", "opdriver:drive", "asm_sysvec_apic_timer_interrupt", "path_lookupat"): 10,
    ("idle", "do_idle"): 5,
}
SLOWER = BASE | {
    ("client", "opdriver:drive", "entry_SYSCALL_64", "fuse_do_getattr"): 400,
    ("client", "opdriver:drive", "entry_SYSCALL_64", "path_lookupat"): 290,
    ("server", "mirror:serve", "entry_SYSCALL_64", "fuse_dev_do_read", "memset"): 30,
    ("server", "mirror:serve"): 60,
}


def base() -> Profile:
    return Profile(BASE, 10)


def slower() -> Profile:
    return Profile(SLOWER, 10)


def test_helpers_belong_to_whoever_called_them() -> None:
    """A lock taken by the path walk is the path walk's, a memset by FUSE FUSE's."""
    assert base().by_subsystem() == {
        "VFS": 10.0,
        "path walk": 32.0,
        "client's user space": 5.0,
        "interrupts and timers": 1.0,
        "idle": 0.5,
    }
    assert slower().by_subsystem()["FUSE"] == 43.0


@pytest.mark.parametrize(
    ("name", "subsystem"),
    [
        ("link_path_walk", "path walk"),
        ("fuse_dentry_revalidate", "FUSE"),
        ("fuse_copy_args", "copying to and from user"),
        ("rep_movs_alternative", "copying to and from user"),
        ("gup_fast_pte_range", "copying to and from user"),
        ("shmem_getattr", "backing file system"),
        ("ext4_getattr", "backing file system"),
        ("ovl_getattr", "overlayfs"),
        ("try_to_wake_up", "scheduler and wake-up"),
        ("__schedule", "scheduler and wake-up"),
        ("update_curr", "scheduler and wake-up"),
        ("kmem_cache_alloc_noprof", "memory"),
        ("security_inode_getattr", "permissions and security"),
        ("map_id_range_down", "permissions and security"),
        ("vfs_getattr_nosec", "VFS"),
        ("entry_SYSCALL_64_after_hwframe", "system call entry"),
        ("__x64_sys_statx", "system call entry"),
    ],
)
def test_functions_of_the_kernel_have_a_subsystem(name: str, subsystem: str) -> None:
    """What a maintainer would call them."""
    assert subsystems.of_function(name) == subsystem


def test_a_difference_names_what_grew_most_first_and_adds_up() -> None:
    """40 more in fuse_do_getattr, 1 less in path_lookupat; shares sum to one."""
    found = difference.between(base(), slower())
    assert found.functions[0].name == "fuse_do_getattr"
    assert found.functions[0].change == pytest.approx(40)
    assert found.change == pytest.approx(48)
    for lines in (found.functions, found.subsystems):
        assert sum(line.change for line in lines) == pytest.approx(found.change)
        assert sum(line.share for line in lines) == pytest.approx(1)
    assert text.named_first(found) == "+40 in fuse_do_getattr, +6 in mirror:serve, +3 in memset"


def test_lines_keep_to_79_columns_and_say_what_is_left_out() -> None:
    """Long names are cut; what is below the top is one line."""
    long = Profile({("client", "x" * 90, f"{number}" * 50): 10 for number in range(30)}, 1)
    shown = text.profile_lines(long, "a row", top=5)
    assert max(map(len, shown)) <= 79
    assert any(line.startswith("25 more") for line in shown)
    shown = text.difference_lines(difference.between(base(), long), "base", "patched", "a row", 5)
    assert max(map(len, shown)) <= 79


def test_a_flame_graph_is_one_svg_with_every_visible_box_named() -> None:
    """Well-formed, the same bytes twice, boxes as wide as their share."""
    drawn = flame.svg(slower(), 'a <row> & "target"')
    assert drawn == flame.svg(slower(), 'a <row> & "target"')
    root = ET.fromstring(drawn)
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("fuse_do_getattr: 40.0 instructions per op") for title in titles)
    assert any(title.startswith("all: 96.5 instructions per op, 100.0 %") for title in titles)


def test_a_flame_graph_is_as_high_as_what_is_seen_of_it() -> None:
    """A deep stack that is too narrow to be drawn leaves no empty space above."""
    deep = Profile({("client", "wide"): 1_000_000, ("client", *"abcdefghij"): 1}, 10)
    shallow = Profile({("client", "wide"): 1_000_000}, 10)
    sizes = [ET.fromstring(flame.svg(one, "")).get("viewBox") for one in (deep, shallow)]
    assert sizes[0] == sizes[1]


def test_speedscope_gets_every_stack_with_its_weight() -> None:
    """The file's weights sum to the profile."""
    document = json.loads(speedscope.document(slower(), "row"))
    (one,) = document["profiles"]
    assert sum(one["weights"]) == slower().instructions == one["endValue"]
    names = [frame["name"] for frame in document["shared"]["frames"]]
    assert {names[index] for sample in one["samples"] for index in sample} == set(names)


def test_a_profile_comes_back_from_its_file(tmp_path: Path) -> None:
    """What the record says leads to the same stacks."""
    record = store.write(tmp_path, "a-series--r0", slower(), 965.0)
    assert store.read(tmp_path, record) == slower()
    assert (record["instructions"], record["ops"], record["error"]) == (965, 10, "")


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b\x08\0garbage"])
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    """Missing, empty, cut short: never a traceback."""
    record = store.write(tmp_path, "one", base(), 1.0)
    (tmp_path / record["file"]).write_bytes(content)
    with pytest.raises(UserError, match="is no profile"):
        store.read(tmp_path, record)
    (tmp_path / record["file"]).unlink()
    with pytest.raises(UserError, match="is not there"):
        store.read(tmp_path, record)


def trial(run: Path, row: str, target: str, round_: int, profile: Profile) -> dict[str, Any]:
    kept = store.write(run, f"{row}-{target}-{round_}".replace("/", "-"), profile, 1.0)
    return {
        "outcome": "ok",
        "series": f"{row}--{target}",
        "target": target,
        "round": round_,
        "profile": kept,
    }


def test_rows_and_targets_are_found_by_any_part_that_is_theirs_alone(tmp_path: Path) -> None:
    """Any part that is one row's alone finds it, and what could be several is named."""
    records = [
        trial(tmp_path, "getattr-storm/fd", "native", 0, base()),
        trial(tmp_path, "getattr-storm/fd", "native", 1, base()),
        trial(tmp_path, "getattr-storm/path", "plain-c", 0, slower()),
    ]

    found = select.find(tmp_path, records, "/fd", "nat")
    assert (found.row, found.target, found.profile) == ("getattr-storm/fd", "native", base())
    with pytest.raises(UserError, match="could be any of: getattr-storm/fd; getattr-storm/path"):
        select.find(tmp_path, records, "getattr", "native")
    with pytest.raises(UserError, match="no target 'overlayfs': there is native"):
        select.find(tmp_path, records, "/fd", "overlayfs")
    with pytest.raises(UserError, match="no profiles: make it with"):
        select.find(tmp_path, [], "/fd", "native")


def test_levels_of_one_server_are_told_apart_in_79_columns() -> None:
    """A target's name is longer than its column: the level stands there."""
    names = [f"passthrough-c:attach-{what}" for what in ("getattr", "lookup")]
    title = (
        f"list-stat--alternate-100--cold-fuse--t1--to3600-3600--n1000: {names[1]} less {names[0]}"
    )
    shown = text.difference_lines(difference.between(base(), slower()), *names, title, 5)
    assert max(map(len, shown)) <= text.COLUMNS
    heads = next(line for line in shown if line.startswith("subsystem"))
    assert heads.split()[-2:] == ["attach-ge~", "attach-lo~"]
