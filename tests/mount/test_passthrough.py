"""Passthrough on a mainline kernel: data never reaches the server, and nothing else is claimed."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from conftest import Serve

from bench.model import Cache, Daemon, DaemonOptions, Level, Opcode
from daemons import native, passthrough, passthrough_c, plain, plain_c

PASSTHROUGH_OFFER = 1 << 37
INO = 1 << 43
SIZE = 1 << 20

pytestmark = pytest.mark.mount

each_server = pytest.mark.parametrize(
    "daemon", [passthrough.DAEMON, passthrough_c.DAEMON], ids=lambda daemon: daemon.name
)
each_pair = pytest.mark.parametrize(
    ("daemon", "baseline"),
    [(passthrough.DAEMON, plain.DAEMON), (passthrough_c.DAEMON, plain_c.DAEMON)],
    ids=["python", "c"],
)


@pytest.fixture
def data(backing: Path) -> bytes:
    """A file of random bytes in the backing."""
    content = os.urandom(SIZE)
    (backing / "file").write_bytes(content)
    return content


def read_random(path: Path, content: bytes) -> None:
    """4 KiB preads in random order, each checked."""
    order = random.Random(1)
    with path.open("rb", buffering=0) as file:
        for _read in range(97):
            offset = order.randrange(SIZE - 4096)
            assert os.pread(file.fileno(), 4096, offset) == content[offset : offset + 4096]


@each_pair
def test_reads_never_arrive(serve: Serve, data: bytes, daemon: Daemon, baseline: Daemon) -> None:
    """Zero READ requests, against some from the plain server: the same code, one switch."""
    mounted = serve(baseline)
    read_random(mounted.root / "file", data)
    assert mounted.counters().requests[Opcode.READ] > 0
    mounted.stop()

    mounted = serve(daemon)
    os.statvfs(mounted.root)  # INIT may come after the mount is there, but not after an answer
    extra = mounted.counters().extra
    if not extra["init_offered"] & PASSTHROUGH_OFFER:
        pytest.skip("needs a kernel that offers FUSE_PASSTHROUGH (6.9, CONFIG_FUSE_PASSTHROUGH)")
    read_random(mounted.root / "file", data)
    requests = mounted.counters().requests
    assert Opcode.READ not in requests
    assert requests[Opcode.OPEN] == 1


@each_server
def test_writes_never_arrive(serve: Serve, backing: Path, daemon: Daemon) -> None:
    """Written through a created and a reopened file, all in the backing, zero WRITE requests."""
    mounted = serve(daemon)
    (mounted.root / "new").write_bytes(b"0123456789")
    with (mounted.root / "new").open("r+b") as file:
        file.seek(5)
        file.write(b"abc")
    assert (backing / "new").read_bytes() == b"01234abc89"
    assert (mounted.root / "new").read_bytes() == b"01234abc89"
    assert not {Opcode.READ, Opcode.WRITE} & set(mounted.counters().requests)


@each_server
def test_one_id_for_an_inode_until_it_is_forgotten(
    serve: Serve, data: bytes, daemon: Daemon
) -> None:
    """Readers and writers, at once and in turn, share it: two ids on one inode are an EIO."""
    mounted = serve(daemon)
    path = mounted.root / "file"
    with path.open("rb") as reader, path.open("r+b") as writer:
        assert reader.read(1) == writer.read(1) == data[:1]
    assert path.read_bytes() == data
    extra = mounted.counters().extra
    assert (extra["ids_opened"], extra["ids_open"], extra["replies_edited"]) == (1, 1, 3)
    assert extra["level_in_force"] == Level.RW.rank
    mounted.drop_until("ids_open", 0)
    assert path.read_bytes() == data
    assert mounted.counters().extra["ids_opened"] == 2


@each_server
def test_a_prime_number_of_ids(serve: Serve, backing: Path, daemon: Daemon) -> None:
    """Every inode gets one id, every one is closed when it is forgotten, and again."""
    names = [f"file{number}" for number in range(3001)]
    for name in names:
        (backing / name).write_text(name)
    mounted = serve(daemon)
    for opened in (3001, 6002):
        for name in names:
            assert (mounted.root / name).read_text() == name
        extra = mounted.counters().extra
        assert (extra["ids_open"], extra["ids_opened"]) == (3001, opened)
        mounted.drop_until("ids_open", 0)
    extra = mounted.counters().extra
    assert (extra["ids_failed"], extra["replies_lost"]) == (0, 0)


@each_pair
def test_the_baseline_is_one(serve: Serve, data: bytes, daemon: Daemon, baseline: Daemon) -> None:
    """A plain server never registers anything; the kernel was not even asked for the right to."""
    assert Level.RW in daemon.levels
    mounted = serve(baseline)
    assert (mounted.root / "file").read_bytes() == data
    extra = mounted.counters().extra
    assert extra["init_negotiated"] & PASSTHROUGH_OFFER == 0
    assert extra["ids_opened"] == extra["ids_failed"] == extra["replies_edited"] == 0
    assert extra["level_in_force"] == Level.NONE.rank


@each_server
@pytest.mark.parametrize("level", [Level.ATTACH_GETATTR, Level.ATTACH_LOOKUP])
def test_more_than_the_kernel_gives_is_no_harm(
    serve: Serve, backing: Path, data: bytes, daemon: Daemon, level: Level
) -> None:
    """A kernel refuses an iops level it does not have: said, counted, files still work."""
    mounted = serve(daemon, "--level", level.value)
    (mounted.root / "dir").mkdir()
    (mounted.root / "dir" / "new").write_bytes(b"x")
    assert (mounted.root / "file").read_bytes() == data
    assert sorted(path.name for path in mounted.root.iterdir()) == ["dir", "file"]
    assert (backing / "dir" / "new").read_bytes() == b"x"
    extra = mounted.counters().extra
    if extra["init_negotiated"] & INO:
        pytest.skip("needs a kernel without inode-operations passthrough")
    assert "shim: " in mounted.errors
    # EINVAL is the kernel's word on the mask; ENOENT would be ours, for want of a descriptor.
    assert extra["ids_errno"] in (0, errno.EINVAL)


def test_claims() -> None:
    """What must not arrive, by level and cache; the first GETATTR of an inode attaches it."""
    data = {Opcode.READ, Opcode.WRITE}
    listing = {Opcode.READDIR, Opcode.READDIRPLUS}
    claims = passthrough.DAEMON.claims
    assert passthrough_c.DAEMON.claims is claims
    wanted = {
        (Level.NONE, Cache.WARM): set(),
        (Level.RW, Cache.WARM): data,
        (Level.ATTACH_GETATTR, Cache.WARM): data | listing | {Opcode.GETATTR},
        (Level.ATTACH_GETATTR, Cache.COLD_FUSE): data | listing,
        (Level.ATTACH_LOOKUP, Cache.COLD_ALL): data | listing | {Opcode.SETATTR},
        (Level.LOOKUP, Cache.COLD_FUSE): data
        | listing
        | {Opcode.SETATTR, Opcode.LOOKUP, Opcode.OPENDIR, Opcode.RELEASEDIR},
    }
    for (level, cache), opcodes in wanted.items():
        assert claims(DaemonOptions(level=level), cache) == opcodes, (level, cache)
    quiet = DaemonOptions(level=Level.ATTACH_LOOKUP, readdir=False)
    assert not claims(quiet, Cache.WARM) & listing
    for baseline in (plain.DAEMON, plain_c.DAEMON):
        assert baseline.claims(DaemonOptions(level=Level.RW), Cache.WARM) == set()
    assert native.DAEMON.argv is None
    assert passthrough.DAEMON.companions == (
        "native", "overlayfs", "plain-c", "passthrough-c", "plain",
    )  # fmt: skip
