"""The probe on this machine's kernel: consistent, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.machine import mountinfo, syscalls
from bench.model import Level, Opcode
from bench.probe import probe
from bench.probe.decide import decide
from bench.probe.raw_server import RawOptions, RawServer

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount"),
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="needs /dev/fuse"),
]


@pytest.fixture
def backing(tmp_path: Path) -> Iterator[int]:
    """A directory with three files, as a descriptor."""
    directory = tmp_path / "backing"
    directory.mkdir()
    for name in ("a", "b", "c"):
        (directory / name).write_text(f"content of {name}")
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def _footprint() -> tuple[list[str], list[tuple[int, int]], int]:
    # Not the whole table: other programs on the machine may mount meanwhile.
    mounts = [str(e.mountpoint) for e in mountinfo.table() if e.is_fuse and e.source == "rawfuse"]
    # Not by name: that of a file changes when the process, or who shared its mounts, leaves a namespace.
    files = [path.stat() for path in Path("/proc/self/fd").iterdir() if path.exists()]
    return mounts, sorted((file.st_dev, file.st_ino) for file in files), threading.active_count()


def _names(directory: int) -> list[str]:
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries)


def test_probing_leaves_no_mount_no_descriptor_no_thread() -> None:
    """A process is as before when it has probed."""
    before = _footprint()
    ability = probe.probe()
    assert _footprint() == before
    assert ability.usable and ability.reasons


def test_what_the_probe_says_of_this_kernel_holds_together() -> None:
    """rw is claimed only when READ was seen to stay away; facts name the kernel."""
    seen = probe.observe()
    ability = probe.probe()
    assert ability.level is decide(seen).level
    if ability.level.rank >= Level.RW.rank:
        assert seen.control and seen.read_stays
    assert ability.facts["kernel"] == os.uname().release


def test_a_failing_body_still_unmounts(backing: int, tmp_path: Path) -> None:
    """An exception inside the context, with a file still open in the mount, leaves nothing."""
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    before = _footprint()
    held = -1
    with (
        pytest.raises(RuntimeError),
        RawServer(backing, RawOptions(mountpoint=mountpoint)),
    ):
        assert mountinfo.find(mountpoint) is not None
        held = os.open(mountpoint / "a", os.O_RDONLY)
        raise RuntimeError("stop")
    with pytest.raises(OSError):  # FLUSH fails with ENOTCONN, and the descriptor is closed
        os.close(held)
    assert _footprint() == before
    assert mountinfo.find(mountpoint) is None


def test_raw_server_mirrors_names_attributes_and_content(backing: int) -> None:
    """Both kinds of listing, with and without read passthrough."""
    for wanted in (0, 1 << 13 | 1 << 37):
        with RawServer(backing, RawOptions(wanted=wanted)) as server:
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=server.root)
            assert _names(fd) == ["a", "b", "c"]
            os.close(fd)
            plus = server.counts[Opcode.READDIRPLUS] > 0
            assert plus is bool(wanted)
            fd = os.open("b", os.O_RDONLY, dir_fd=server.root)
            assert os.read(fd, 100) == b"content of b"
            os.close(fd)
            theirs = os.stat("c", dir_fd=server.root)
            ours = os.stat("c", dir_fd=backing)
            assert theirs[:2] == ours[:2] and theirs.st_nlink == ours.st_nlink
            assert theirs.st_mtime_ns == ours.st_mtime_ns


def test_no_privilege_is_a_result_not_a_traceback() -> None:
    """Another user gets a reason with the remedy."""
    code = (
        "import os; os.setgid(65534); os.setuid(65534)\n"
        "from bench.probe import probe; a = probe.probe(); print(a.usable, a.reasons[0])"
    )
    done = _python([sys.executable, "-c", f"from bench.probe import probe\n{code}"])
    assert done.stdout.startswith("False cannot mount FUSE"), done.stderr
    assert "root" in done.stdout


def test_root_of_a_user_namespace_can_mount_but_not_register() -> None:
    """BACKING_OPEN wants CAP_SYS_ADMIN in the initial namespace; the reason says so."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare program")
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c"]
    done = _python(
        [*command, "from bench.probe import probe, words; print(words.human(probe.probe()))"]
    )
    if done.returncode != 0 and "unshare" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert "initial user" in done.stdout, done.stdout + done.stderr


def test_detached_mount_of_an_unknown_type_is_refused() -> None:
    """ENODEV, and no descriptor leaks from the attempt."""
    before = _footprint()
    with pytest.raises(OSError, match="fsopen"):
        syscalls.detached_mount("no-such-file-system")
    assert _footprint() == before


def _python(command: list[str]) -> subprocess.CompletedProcess[str]:
    root = Path(probe.__file__).parents[2]
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
