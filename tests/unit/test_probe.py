"""The decision table of the probe, over kernels recorded or described, and the wire layouts."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from bench.machine import lab_switch
from bench.model import Exit, Level, UserError
from bench.probe import abi, facts, probe
from bench.probe.decide import KernelAbility, Observations, decide, proves_ops_mask
from bench.probe.facts import io_uring, machine_facts
from bench.probe.words import human

MAINLINE = Observations(
    minor=45,
    offered=6586131021819,  # recorded on Linux 6.18
    backing=0,
    rw_mask=errno.EINVAL,
    readdir_mask=errno.EINVAL,
    control=True,
    read_stays=True,
)
DEMO = replace(
    MAINLINE,
    minor=41,
    offered=10984177532923,  # recorded on the lab kernel, 6.12, as is all of DEMO and SERIES
    rw_mask=0,
    readdir_mask=0,
    getattr_mask=0,
    setattr_mask=errno.EINVAL,
    getattr_stays={Level.ATTACH_GETATTR: True, Level.ATTACH_LOOKUP: False},
    readdir_stays=True,
)
SERIES = replace(
    DEMO,
    setattr_mask=0,
    getattr_stays={Level.ATTACH_GETATTR: False, Level.ATTACH_LOOKUP: True},
)
WITHOUT = replace(MAINLINE, offered=MAINLINE.offered & ~abi.FUSE_PASSTHROUGH, backing=None)


@pytest.mark.parametrize(
    ("seen", "level", "readdir", "words"),
    [
        (MAINLINE, Level.RW, False, "refuses ops_mask with EINVAL"),
        (DEMO, Level.ATTACH_GETATTR, True, "a kernel with the 2026 series"),
        (SERIES, Level.ATTACH_LOOKUP, True, "LOOKUP replies"),
        (replace(WITHOUT, minor=38), Level.NONE, False, "Linux 6.9 or newer"),
        (WITHOUT, Level.NONE, False, "CONFIG_FUSE_PASSTHROUGH"),
        (replace(MAINLINE, backing=errno.EPERM), Level.NONE, False, "CAP_SYS_ADMIN"),
        (replace(MAINLINE, backing=errno.EOPNOTSUPP), Level.NONE, False, "CONFIG_FUSE_PASS"),
        (replace(MAINLINE, backing=errno.ENOTTY), Level.NONE, False, "6.9"),
        (replace(MAINLINE, backing=errno.ELOOP), Level.NONE, False, "stacked too deep"),
        (replace(MAINLINE, backing=errno.EIO), Level.NONE, False, "EIO: unexpected"),
        (replace(MAINLINE, read_stays=False), Level.NONE, False, "READ still reached"),
        (replace(MAINLINE, control=False), Level.NONE, False, "control failed"),
        (replace(DEMO, getattr_mask=errno.EINVAL), Level.RW, True, "refuses GETATTR"),
        (replace(DEMO, getattr_stays={}), Level.RW, True, "still sent GETATTR"),
        (replace(DEMO, readdir_stays=False), Level.ATTACH_GETATTR, False, "still sent READDIR"),
        (
            replace(SERIES, readdir_mask=errno.EINVAL, readdir_stays=None),
            Level.ATTACH_LOOKUP,
            False,
            "READDIR in ops_mask gives EINVAL",
        ),
        (
            replace(SERIES, getattr_stays={Level.ATTACH_GETATTR: True}),
            Level.ATTACH_GETATTR,
            True,
            "refused or changed nothing",
        ),
    ],
)
def test_decision_table(seen: Observations, level: Level, readdir: bool, words: str) -> None:
    """Each kernel gets its level, and the reason says why it is not higher."""
    decision = decide(seen)
    assert (decision.level, decision.readdir) == (level, readdir)
    assert words in " ".join(decision.reasons)
    assert decision.usable


def test_bit_43_alone_is_not_inode_operations() -> None:
    """Protocol 7.46 offers bit 43 for io_uring buffer pools; only ops_mask tells them apart."""
    seen = replace(MAINLINE, minor=46, offered=MAINLINE.offered | abi.BIT_43)
    decision = decide(seen)
    assert decision.level is Level.RW
    assert any("FUSE_HAS_IO_URING_BUFPOOL" in reason for reason in decision.reasons)
    assert not proves_ops_mask(seen)


def test_a_lab_kernel_switched_down_says_how_to_switch_it_up() -> None:
    """There the remedy is a module parameter, not another kernel."""
    for seen in (replace(MAINLINE, lab_switch="mainline"), replace(DEMO, lab_switch="x")):
        assert str(lab_switch.SWITCH) in " ".join(decide(seen).reasons)


def test_success_of_ioctls_without_the_behaviour_is_not_enough() -> None:
    """A kernel that takes every mask but still asks the server stays at rw."""
    seen = replace(SERIES, getattr_stays=dict.fromkeys(SERIES.getattr_stays, False))
    assert decide(seen).level is Level.RW


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errno.ENOENT, "modprobe fuse"),
        (errno.ENODEV, "CONFIG_FUSE_FS"),
        (errno.ENXIO, "modprobe fuse"),
        (errno.EPERM, "run as root"),
        (errno.EACCES, "/dev/fuse"),
        (errno.ENOSYS, "5.2"),
        (errno.EIO, "dmesg"),
    ],
)
def test_no_fuse_at_all_says_what_supplies_it(error: int, words: str) -> None:
    """Nothing can be measured: exit code 3 and one line with the remedy."""
    decision = decide(Observations(mount_error=error, mount_what="mount"))
    ability = KernelAbility(decision.level, False, decision.reasons, {}, decision.usable)
    assert words in ability.reasons[0] and "\n" not in ability.reasons[0]
    assert ability.exit_code is Exit.NOTHING
    with pytest.raises(UserError) as raised:
        probe.require_fuse(ability)
    assert raised.value.code is Exit.NOTHING


def test_every_decision_is_printable_and_fits_80_columns() -> None:
    """Both forms of output carry level and reasons."""
    for seen in (MAINLINE, DEMO, SERIES, WITHOUT):
        decision = decide(seen)
        facts = machine_facts(seen)
        ability = KernelAbility(decision.level, decision.readdir, decision.reasons, facts)
        text = human(ability)
        assert max(map(len, text.splitlines())) < 80
        assert decision.level.value in text
        assert json.loads(json.dumps(ability.as_json()))["level"] == decision.level.value


# --- layouts -----------------------------------------------------------------------------------


def _init_in(flags: int, flags2: int) -> bytes:
    return struct.pack("<5I", 7, 45, 131072, flags, flags2) + bytes(44)


def test_init_request_joins_both_flag_words() -> None:
    """flags is at 12, flags2 at 16 of 64 bytes, and counts only beside FUSE_INIT_EXT."""
    assert len(_init_in(0, 0)) == abi.INIT_IN.size == 64
    init = abi.parse_init(_init_in(1 << 30 | 1, 0x20))
    assert (init.minor, init.offered) == (45, 1 << 37 | 1 << 30 | 1)
    assert abi.parse_init(_init_in(1, 0x20)).offered == 1


def test_init_request_of_an_old_kernel_is_shorter() -> None:
    """Before 7.36 the body ends after flags; less than that is not an INIT."""
    assert abi.parse_init(struct.pack("<4I", 7, 31, 0, 3)).offered == 3
    with pytest.raises(ValueError, match="8 bytes"):
        abi.parse_init(bytes(8))


def test_init_reply_layout() -> None:
    """flags at 12, flags2 at 32, max_stack_depth at 36 of 64 bytes."""
    init = abi.parse_init(_init_in(1 << 30, 0x20))
    reply = abi.init_reply(init, abi.FUSE_PASSTHROUGH, 1)
    assert len(reply) == 64
    assert struct.unpack_from("<I", reply, 12)[0] == abi.FUSE_INIT_EXT
    assert struct.unpack_from("<II", reply, 32) == (0x20, 1)
    assert struct.unpack_from("<H", reply, 40)[0] == 0


def test_init_reply_never_sets_what_was_not_offered() -> None:
    """The kernel does not mask the reply, so bit 43 must not come from our side alone."""
    init = abi.parse_init(_init_in(1 << 30, 0x20))
    reply = abi.init_reply(init, abi.FUSE_PASSTHROUGH | abi.BIT_43, 1)
    assert struct.unpack_from("<I", reply, 32)[0] == 0x20
    old = abi.parse_init(struct.pack("<4I", 7, 31, 0, 3))
    plain = abi.init_reply(old, abi.FUSE_PASSTHROUGH, 1)
    assert struct.unpack_from("<II", plain, 32) == (0, 0)
    assert struct.unpack_from("<II", plain, 0) == (7, 31)


def test_backing_map_and_open_reply_layout() -> None:
    """fd at 0, flags at 4, ops_mask at 8; fh at 0, open_flags at 8, backing_id at 12."""
    packed = abi.BACKING_MAP.pack(5, 0, abi.OPS_STATX)
    assert packed == b"\x05\0\0\0\0\0\0\0" + (1 << 51).to_bytes(8, "little")
    reply = abi.OPEN_OUT.pack(9, abi.FOPEN_PASSTHROUGH, 3)
    assert struct.unpack_from("<Ii", reply, 8) == (0x80, 3)


def test_operation_bits_follow_the_opcodes() -> None:
    """Bit = 1 << (opcode - 1)."""
    bits = (abi.OPS_GETATTR, abi.OPS_SETATTR, abi.OPS_READDIR, abi.OPS_STATX)
    assert bits == tuple(1 << opcode - 1 for opcode in (3, 4, 28, 52))
    assert abi.OPS_READ_WRITE == 1 << 14 | 1 << 15


def _some_stat() -> os.stat_result:
    return Path("/proc/self").stat()


def test_getattr_reply_carries_the_id_in_the_spare_field() -> None:
    """104 bytes, dummy at 12, attributes from 16."""
    st = _some_stat()
    reply = abi.attr_reply(st, st.st_ino, 0, 77)
    assert len(reply) == 104
    assert struct.unpack_from("<I", reply, 12)[0] == 77
    assert struct.unpack_from("<Q", reply, 16)[0] == st.st_ino
    assert stat.S_ISDIR(struct.unpack_from("<I", reply, 16 + 60)[0])


def test_lookup_replies_are_128_and_312_bytes() -> None:
    """The long entry has backing_id at 40 and fuse_statx at 56."""
    st = _some_stat()
    assert len(abi.entry_reply(st, 9, 1, 1)) == 128
    long_entry = abi.long_entry_reply(st, 9, 1, 2, 77)
    assert len(long_entry) == 312
    assert struct.unpack_from("<QQQQ", long_entry, 0) == (9, 0, 1, 2)
    assert struct.unpack_from("<i", long_entry, 40)[0] == 77


def test_statx_offsets() -> None:
    """The offsets that ABI section 3 gives for struct fuse_statx."""
    st = _some_stat()
    packed = abi.pack_statx(st)
    assert len(packed) == 256
    read = {
        "<I": [(4, st.st_blksize), (16, st.st_nlink), (20, st.st_uid), (24, st.st_gid)],
        "<H": [(28, st.st_mode)],
        "<Q": [(32, st.st_ino), (40, st.st_size), (48, st.st_blocks)],
        "<q": [(64, int(st.st_atime_ns // 10**9)), (96, int(st.st_ctime_ns // 10**9))],
    }
    for form, fields in read.items():
        for offset, value in fields:
            assert struct.unpack_from(form, packed, offset)[0] == value
    assert struct.unpack_from("<qI", packed, 112) == divmod(st.st_mtime_ns, 10**9)
    assert struct.unpack_from("<II", packed, 136) == (os.major(st.st_dev), os.minor(st.st_dev))


def test_directory_entries_are_padded_to_8_bytes() -> None:
    """24 bytes of header, the name, zeros."""
    entry = abi.dirent(7, 1, stat.S_IFREG >> 12, b"abc")
    assert len(entry) == 32 and entry.endswith(b"abc\0\0\0\0\0")


def test_flags_have_their_uapi_names() -> None:
    """Bits without a settled meaning are printed as bits."""
    named = abi.flag_names(1 | abi.FUSE_PASSTHROUGH | 1 << 42 | abi.BIT_43)
    assert named == ("FUSE_ASYNC_READ", "FUSE_PASSTHROUGH", "FUSE_REQUEST_TIMEOUT", "bit 43")
    header = _installed_header()
    if header is None:
        pytest.skip("no /usr/include/linux/fuse.h to compare with")
    for name, bit in header.items():
        assert abi.flag_names(1 << bit)[0] in (name, "FUSE_HANDLE_KILLPRIV_V2")


def _installed_header() -> dict[str, int] | None:
    """INIT flags of the installed uapi header, by name."""
    path = Path("/usr/include/linux/fuse.h")
    if not path.exists():
        return None
    text = path.read_text().split("INIT request/reply flags")[1].split("#define CUSE_UNRES")[0]
    found = re.findall(r"#define (FUSE_\w+)\s+\(1(?:ULL)? << (\d+)\)", text)
    return {name: int(bit) for name, bit in found}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("N\n", "not offered: enable_uring is N: echo 1 > "),
        ("Y\n", "not offered, although enable_uring is Y"),
        (None, "not in this kernel"),
    ],
)
def test_io_uring_names_the_command_that_enables_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str | None, words: str
) -> None:
    """Recorded in run.json too, as one of the machine's facts."""
    switch = tmp_path / "enable_uring"
    monkeypatch.setattr(facts, "ENABLE_URING", switch)
    if state is not None:
        switch.write_text(state)
    assert words in io_uring(0)
