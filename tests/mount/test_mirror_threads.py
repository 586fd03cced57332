"""The C mirror with several threads: counts stay exact, whatever clients do at once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Serve
from serving import Mounted, drop_inodes

from bench.model import Daemon, Opcode
from daemons import _command, passthrough_c, plain_c

pytestmark = pytest.mark.mount

FILES = 97
STEPS = 1500
each_server = pytest.mark.parametrize(
    "daemon", [plain_c.DAEMON, passthrough_c.DAEMON], ids=lambda daemon: daemon.name
)


def settled(mounted: Mounted) -> dict[str, object]:
    """Drop inodes until the server hears of no more, then stop it; its figures."""
    while True:
        before = mounted.counters().extra["forget_lookups"]
        drop_inodes()
        for _request in range(100):  # forgets are queued beside these
            os.statvfs(mounted.root)
        if mounted.counters().extra["forget_lookups"] == before:
            return dict(mounted.stop())


def at_once(*jobs: Callable[[], None]) -> None:
    """Run all in threads; raises the first error of any."""
    errors: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def storms(root: Path) -> list[Callable[[], None]]:
    """Lookups, listings, renames, creations with deletions, and forgets, each in its own order."""

    def looking(seed: int) -> Callable[[], None]:
        chance = random.Random(seed)

        def run() -> None:
            for _step in range(STEPS):
                (root / f"file{chance.randrange(FILES)}").exists()

        return run

    def listing() -> None:
        for _step in range(STEPS // 30):
            assert len(list(os.scandir(root))) >= 1

    def renaming() -> None:
        chance = random.Random(3)
        for _step in range(STEPS // 3):
            one, other = chance.sample(range(FILES), 2)
            (root / f"file{one}").rename(root / "aside")
            (root / "aside").rename(root / f"file{other}")
            (root / f"file{one}").touch()

    def making() -> None:
        for step in range(STEPS // 3):
            path = root / f"new{step % 7}"
            with path.open("wb") as file:
                path.unlink()
                file.write(b"x")
                assert os.fstat(file.fileno()).st_nlink == 0

    def forgetting() -> None:
        for _step in range(12):
            drop_inodes()

    return [looking(1), looking(2), listing, renaming, making, forgetting]


@each_server
@pytest.mark.parametrize("extra", [(), ("--clone-fd",)], ids=["", "clone-fd"])
@pytest.mark.parametrize("mode", ["readdir", "readdirplus", "auto"])
def test_counts_are_exact_after_storms(
    daemon: Daemon, backing: Path, serve: Serve, extra: tuple[str, ...], mode: str
) -> None:
    """Four threads serve, six disturb one another: every lookup given is taken back, none twice."""
    for number in range(FILES):
        (backing / f"file{number}").touch()
    mounted = serve(daemon, "--threads", "4", "--fd-cache", "32", "--readdir-mode", mode, *extra)
    at_once(*storms(mounted.root))
    assert sorted(os.listdir(mounted.root)) == sorted(os.listdir(backing))  # noqa: PTH208
    for name in os.listdir(backing):  # noqa: PTH208
        assert (mounted.root / name).stat().st_ino == (backing / name).stat().st_ino
    figures = settled(mounted)
    assert figures["lookups"] == figures["forgets"]
    assert figures["inodes"] == 0
    assert "forgotten" not in mounted.errors
    extra_figures = figures["extra"]
    assert isinstance(extra_figures, dict)
    assert extra_figures["ids_open"] == extra_figures["ids_failed"] == 0


@each_server
def test_more_inodes_than_descriptors(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A walk by four clients over 5003 inodes with 64 descriptors: no EMFILE, no wrong answer."""
    for number in range(5003):
        (backing / f"file{number:04}").write_bytes(b"x" * (number % 251))
    mounted = serve(daemon, "--threads", "4", "--fd-cache", "64", "--entry-timeout", "1000")
    base = len(os.listdir(f"/proc/{mounted.process.pid}/fd"))  # noqa: PTH208

    def walk() -> None:
        for _round in range(2):
            for entry in os.scandir(mounted.root):
                assert entry.stat().st_size == int(entry.name[4:]) % 251
                assert (mounted.root / entry.name).stat().st_size == int(entry.name[4:]) % 251

    at_once(walk, walk, walk, walk)
    # Each thread may hold one more that has been dropped while it works with it.
    assert len(os.listdir(f"/proc/{mounted.process.pid}/fd")) <= base + 64 + 2 * 4 + 4  # noqa: PTH208
    figures = settled(mounted)
    assert figures["reopened"]
    assert figures["lookups"] == figures["forgets"]


@pytest.mark.parametrize(
    ("mode", "wanted", "unwanted"),
    [
        ("readdir", {Opcode.READDIR}, {Opcode.READDIRPLUS}),
        ("readdirplus", {Opcode.READDIRPLUS}, {Opcode.READDIR}),
        ("auto", {Opcode.READDIR, Opcode.READDIRPLUS}, set()),
    ],
)
def test_readdir_modes(
    backing: Path, serve: Serve, mode: str, wanted: set[Opcode], unwanted: set[Opcode]
) -> None:
    """What the kernel asks with is what was chosen; the names are the same."""
    for number in range(2003):
        (backing / f"file{number}").touch()
    mounted = serve(plain_c.DAEMON, "--readdir-mode", mode)
    assert sorted(os.listdir(mounted.root)) == sorted(os.listdir(backing))  # noqa: PTH208
    got = set(mounted.counters().requests)
    assert wanted <= got
    assert not unwanted & got


def test_the_rest_of_the_calls(backing: Path, serve: Serve) -> None:
    """fallocate, SEEK_HOLE and copy_file_range reach the backing."""
    mounted = serve(plain_c.DAEMON)
    with (
        (mounted.root / "file").open("w+b", buffering=0) as file,
        (mounted.root / "copy").open("w+b", buffering=0) as copy,
    ):
        os.posix_fallocate(file.fileno(), 0, 65536)
        os.ftruncate(file.fileno(), 1 << 20)
        os.pwrite(file.fileno(), b"data", 0)
        with (backing / "file").open("rb") as below:
            hole = os.lseek(below.fileno(), 0, os.SEEK_HOLE)
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == hole
        assert os.copy_file_range(file.fileno(), copy.fileno(), 4, 0, 0) == 4
    assert (backing / "copy").read_bytes() == b"data"
    requests = set(mounted.counters().requests)
    assert {Opcode.FALLOCATE, Opcode.LSEEK, Opcode.COPY_FILE_RANGE} <= requests


def test_every_opcode_has_its_name() -> None:
    """The table in C and the enumeration in Python say the same."""
    source = Path(_command.MIRROR).parent / "server_opcodes.c"
    rows = [line for line in source.read_text().splitlines() if line.startswith("\tX(")]
    named = dict(row[3 : row.index(")")].split(", ") for row in rows)
    assert {name: int(number) for name, number in named.items()} == {
        opcode.name: opcode.value for opcode in Opcode
    }


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--threads", "0"], "--threads"),
        (["--readdir-mode", "all"], "--readdir-mode"),
        (["--entry-timeout", "x"], "--entry-timeout"),
        (["--name", "a,b"], "--name"),
        (["--delay", "STAT=1"], "--delay"),
        (["--delay", "GETATTR=x"], "--delay"),
        (["--nothing"], "nothing"),
        ([], "wanted 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options(options: list[str], word: str) -> None:
    """Exit 2 and one line that names the option."""
    done = subprocess.run([_command.MIRROR, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert word in done.stderr


def test_the_json_line_has_the_python_servers_keys(backing: Path, serve: Serve) -> None:
    """Whoever reads one server's figures reads the other's."""
    from daemons import plain

    (backing / "file").touch()
    lines = []
    for daemon in (plain.DAEMON, plain_c.DAEMON):
        mounted = serve(daemon)
        (mounted.root / "file").stat()
        lines.append(mounted.stop())
    ours, theirs = ({key: type(value) for key, value in line.items()} for line in lines)
    assert ours == theirs
    assert json.dumps(lines[0]["requests"]) == json.dumps(lines[1]["requests"])
