"""The counters see every request of one connection, exactly, and leave nothing behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.machine import mountinfo
from bench.model import Opcode
from bench.probe.raw_server import RawOptions, RawServer
from bench.requests import proof, tracepoint
from bench.requests.sources import INSTANCE_PREFIX, remove_stale_instances

PRIME = 1009

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount"),
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="needs /dev/fuse"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    """A raw server on a mountpoint, attribute timeout 0, entry timeout long."""
    backing, mountpoint = tmp_path / "backing", tmp_path / "mnt"
    backing.mkdir()
    mountpoint.mkdir()
    (backing / "file").write_text("x")
    fd = os.open(backing, os.O_RDONLY | os.O_DIRECTORY)
    with RawServer(fd, RawOptions(mountpoint=mountpoint)) as running:
        yield running
    os.close(fd)
    assert mountinfo.find(mountpoint) is None


def _connection(server: RawServer) -> int:
    assert server.options.mountpoint is not None
    before = dict(server.counts)
    entry = mountinfo.find(server.options.mountpoint)
    assert entry is not None
    assert dict(server.counts) == before, "asking for the connection sent requests"
    return entry.connection


def _open_counter(connection: int, source: str) -> tracepoint.RequestCounter:
    counter = tracepoint.RequestCounter(connection, sources=(source,)).__enter__()
    if counter.source != source:
        pytest.skip(f"no {source} here: {counter.why}")
    return counter


def _mounts_of_ours() -> list[Path]:
    """What these modules mount; other programs on the machine may come and go meanwhile."""
    ours = ("fuse.rawfuse", "tracefs", "fusectl")
    return [entry.mountpoint for entry in mountinfo.table() if entry.fstype in ours]


@pytest.mark.parametrize("source", ["perf", "tracefs"])
def test_a_prime_number_of_stats_shows_up_exactly(server: RawServer, source: str) -> None:
    """In the kernel's counts and in the server's, opcode by opcode."""
    os.stat("file", dir_fd=server.root)
    connection = _connection(server)
    counter = _open_counter(connection, source)
    try:
        assert tracepoint.quiesce(connection)
        before = server.counts.copy()
        counter.start()
        for _ in range(PRIME):
            os.stat("file", dir_fd=server.root)
        fd = os.open("file", os.O_RDONLY, dir_fd=server.root)
        os.close(fd)
        assert tracepoint.quiesce(connection, counter=counter)
        counter.stop()
        counts = counter.read()
    finally:
        counter.__exit__()
    assert counts[Opcode.GETATTR] == PRIME
    assert counts[Opcode.RELEASE] == 1
    seen = {Opcode(op): n - before[op] for op, n in server.counts.items()}
    assert proof.agree(counts, seen) == (True, "")


def test_another_connection_is_not_counted(server: RawServer, tmp_path: Path) -> None:
    """The filter is on the connection: a second mount's requests do not leak in."""
    counter = _open_counter(_connection(server), "perf")
    try:
        counter.start()
        fd = os.open(tmp_path / "backing", os.O_RDONLY | os.O_DIRECTORY)
        with RawServer(fd) as other:
            os.stat("file", dir_fd=other.root)
        os.close(fd)
        counter.stop()
        assert counter.read() == {}
    finally:
        counter.__exit__()


def test_forget_passes_no_tracepoint(server: RawServer) -> None:
    """Unlinking nothing, only dropping the dentry: the server gets FORGET, the kernel counts 0."""
    counter = _open_counter(_connection(server), "perf")
    try:
        os.stat("file", dir_fd=server.root)
        counter.start()
        Path("/proc/sys/vm/drop_caches").write_text("2\n")
        # A request behind the FORGET: when it is answered, the FORGET has been read.
        os.stat("file", dir_fd=server.root)
        counter.stop()
        counts = counter.read()
    finally:
        counter.__exit__()
    forgets = server.counts[Opcode.FORGET] + server.counts[Opcode.BATCH_FORGET]
    if not forgets:
        pytest.skip("drop_caches left the inode alone")
    assert not proof.SERVER_ONLY & counts.keys()


def test_counting_leaves_no_descriptor_no_mount_no_instance(server: RawServer) -> None:
    """A process is as before when it has counted, the limit of open files too."""

    def footprint() -> tuple[object, ...]:
        links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.exists()]
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        return sorted(map(str, links)), _mounts_of_ours(), limit

    connection = _connection(server)
    before = footprint()
    for source in ("perf", "tracefs"):
        with tracepoint.RequestCounter(connection, sources=(source,)) as counter:
            if counter.source:
                counter.start()
                counter.stop()
                assert counter.read() == {}
    assert footprint() == before
    assert remove_stale_instances() == []


def test_few_open_files_raise_the_soft_limit_for_the_time(server: RawServer) -> None:
    """Counters need CPUs x opcodes descriptors; the soft limit goes up and comes back."""
    connection = _connection(server)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = len(list(Path("/proc/self/fd").iterdir())) + 16
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    try:
        with tracepoint.RequestCounter(connection, sources=("perf",)) as counter:
            assert counter.source == "perf" or "perf" in counter.why
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (low, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_killed_counter_leaves_at_most_an_instance_that_is_removed(tmp_path: Path) -> None:
    """kill -9 while both sources count: no mount; the instance goes with remove_stale_instances."""
    code = (
        "import sys\n"
        "from bench.requests import tracepoint\n"
        "p = tracepoint.RequestCounter(1, sources=('perf',)).__enter__()\n"
        "t = tracepoint.RequestCounter(1, sources=('tracefs',)).__enter__()\n"
        "print(t.source, flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = Path(tracepoint.__file__).parents[2]
    before = _mounts_of_ours()
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert child.stdout is not None
    source = child.stdout.readline().strip()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert _mounts_of_ours() == before
    expected = [f"{INSTANCE_PREFIX}{child.pid}-1"] if source else []
    assert remove_stale_instances() == expected
    assert remove_stale_instances() == []


def test_a_killed_server_leaves_no_mount(tmp_path: Path) -> None:
    """A detached mount is gone with its process."""
    code = (
        "import os, sys\n"
        "from bench.probe.raw_server import RawServer\n"
        "s = RawServer(os.open('.', os.O_RDONLY)).__enter__()\n"
        "print(os.fstat(s.root).st_dev, flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = Path(tracepoint.__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert child.stdout is not None
    connection = int(child.stdout.readline())
    assert tracepoint.waiting(connection) == 0
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert tracepoint.waiting(connection) is None
