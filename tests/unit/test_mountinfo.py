"""The mount table is read right, escapes and stacked mounts included."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine import mountinfo

TEXT = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
90 27 0:48 / /m/two\040words\011tab\134slash rw,nodev shared:1 master:2 - fuse.plain my\040src u=0
91 27 0:49 / /mnt/stack rw - tmpfs lower rw
92 91 0:50 / /mnt/stack rw - fuse upper rw,user_id=0
93 27 8:1 / /mnt/block rw - fuseblk /dev/sda1 rw
94 23 0:51 / /sys/fs/fuse/connections rw - fusectl none rw
95 27 0:52 / /mnt/cut rw
garbage
x y a:b / /mnt/bad rw - tmpfs t rw
"""


def _by_path(path: str) -> mountinfo.MountEntry:
    return next(e for e in mountinfo.parse(TEXT) if e.mountpoint == Path(path))


def test_octal_escapes_and_optional_fields_are_read() -> None:
    """Blanks in paths come escaped, and any number of tagged fields may precede the dash."""
    entry = _by_path("/m/two words\ttab\\slash")
    assert (entry.fstype, entry.source) == ("fuse.plain", "my src")
    assert entry.options == ("rw", "nodev")
    assert entry.super_options == ("u=0",)
    assert (entry.id, entry.parent, entry.major, entry.minor) == (90, 27, 0, 48)


def test_lines_cut_short_or_malformed_are_left_out() -> None:
    """A bad line costs that line only."""
    assert len(list(mountinfo.parse(TEXT))) == 7


def test_connection_number_is_the_kernels_dev_t() -> None:
    """The tracepoint prints major<<20|minor: 8:1 is 8388609 there, 0:48 is 48."""
    assert _by_path("/mnt/block").connection == 8388609
    assert _by_path("/m/two words\ttab\\slash").connection == 48


@pytest.mark.parametrize(
    ("path", "fuse"),
    [
        ("/m/two words\ttab\\slash", True),
        ("/mnt/block", True),
        ("/sys/fs/fuse/connections", False),
        ("/", False),
    ],
)
def test_fuse_is_told_from_its_control_file_system(path: str, fuse: bool) -> None:
    """fusectl is not a FUSE mount although its name begins like one."""
    assert _by_path(path).is_fuse is fuse


def test_the_topmost_of_stacked_mounts_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The later line is the one a path walk reaches."""
    fake = tmp_path / "mountinfo"
    fake.write_text(TEXT)
    monkeypatch.setattr(mountinfo, "MOUNTINFO", fake)
    found = mountinfo.find("/mnt/stack")
    assert found is not None and found.source == "upper"
    assert mountinfo.find("/mnt/nothing") is None
    assert [entry.id for entry in mountinfo.under("/mnt/stack")] == [92, 91]


def test_a_path_belongs_to_the_longest_mountpoint_before_it() -> None:
    """/mnt/stackother is not under /mnt/stack."""
    entries = list(mountinfo.parse(TEXT))
    for path, minor in (("/mnt/stack/a/b", 50), ("/mnt/stackother", 0), ("/proc/1", 21)):
        entry = mountinfo.deepest(entries, Path(path))
        assert entry is not None and entry.minor == minor


def test_the_live_table_has_a_root() -> None:
    """This machine's own table parses."""
    assert mountinfo.covering("/") is not None
