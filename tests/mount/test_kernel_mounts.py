"""The in-kernel references keep the process contract, and show the backing as it is."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import registry
from bench.machine import mountinfo
from bench.model import Daemon, DaemonOptions, Exemption
from bench.run import conformance

DEADLINE_S = 20.0
KERNEL = [daemon for daemon in registry.daemons().values() if daemon.in_kernel]

each = pytest.mark.parametrize("daemon", KERNEL, ids=lambda daemon: daemon.name)
pytestmark = pytest.mark.mount


@pytest.fixture
def shm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory on a tmpfs, where nothing has extended attributes or odd times."""
    folder = tmp_path_factory.mktemp("kernel")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    yield folder
    for entry in mountinfo.under(folder):
        subprocess.run(["umount", "-l", entry.mountpoint], check=True)


class Held:
    """A daemon that holds a mount, up when the table of mounts says so."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.backing, self.root = folder / "backing", folder / "mnt"
        self.backing.mkdir()
        for number in range(50):  # so that no inode number agrees by chance
            (self.backing / f"other{number}").touch()
        (self.backing / "dir" / "sub").mkdir(parents=True)
        (self.backing / "dir" / "file").write_text("x")
        (self.backing / "dir" / "link").symlink_to("file")
        self.root.mkdir()
        assert daemon.argv is not None
        self.process = subprocess.Popen(
            daemon.argv(self.backing, self.root, DaemonOptions()), stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + DEADLINE_S
        while mountinfo.find(self.root) is None:
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            select.select([], [], [], 0.002)

    def ended(self) -> None:
        """The process ends with 0, and leaves neither mount nor file behind."""
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        assert (self.process.returncode, errors) == (0, "")
        assert mountinfo.find(self.root) is None
        assert {path.name for path in self.root.parent.iterdir()} == {"backing", "mnt"}


@each
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it(daemon: Daemon, shm: Path, number: signal.Signals) -> None:
    """A signal ends the mount, also while a client has a file open."""
    held = Held(daemon, shm)
    with (held.root / "dir" / "file").open():
        held.process.send_signal(number)
        held.ended()


@each
def test_unmounted_from_outside(daemon: Daemon, shm: Path) -> None:
    """umount is an order to end; odd names are nothing odd."""
    folder = shm / "a b\t\\040\r"
    folder.mkdir()
    held = Held(daemon, folder)
    subprocess.run(["umount", held.root], check=True)
    held.ended()


@each
def test_never_busy(daemon: Daemon, shm: Path) -> None:
    """However soon umount comes after the mount: nobody of ours looks at it from inside."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert daemon.argv is not None
    for number in range(60):
        backing, root = shm / f"backing{number}", shm / f"mnt{number}"
        backing.mkdir()
        root.mkdir()
        process = subprocess.Popen(daemon.argv(backing, root, DaemonOptions()))
        while libc.umount2(os.fsencode(root), 0) != 0:
            assert ctypes.get_errno() == errno.EINVAL  # not mounted yet
            assert process.poll() is None
        assert process.wait(DEADLINE_S) == 0


@each
def test_it_shows_the_backing(daemon: Daemon, shm: Path) -> None:
    """Entry by entry and field by field, but for what it is exempt from by name.

    Below its root, as a run compares: an overlay's root is merged of two, and its nlink is 1.
    """
    held = Held(daemon, shm)
    report = conformance.compare(held.backing / "dir", held.root / "dir", exempt=daemon.exempt)
    assert report.same, report.differences
    held.process.terminate()
    held.ended()


def test_the_exemption_is_needed_and_no_wider(shm: Path) -> None:
    """overlayfs-rw numbers directories itself, and nothing else."""
    daemon = registry.daemon("overlayfs-rw")
    held = Held(daemon, shm)
    report = conformance.compare(held.backing / "dir", held.root / "dir")
    assert not report.same
    assert all(" ino " in f" {line}" for line in report.differences)
    held.process.terminate()
    held.ended()
    assert [one.name for one in KERNEL if one.exempt] == ["overlayfs-rw"]
    assert daemon.exempt == {Exemption.DIRECTORY_INO}


def test_what_is_written(shm: Path) -> None:
    """Never reaches the backing through an overlay, and is refused by the read-only one."""
    for name, refused in (("overlayfs", True), ("overlayfs-rw", False)):
        folder = shm / name
        folder.mkdir()
        held = Held(registry.daemon(name), folder)
        if refused:
            with pytest.raises(OSError) as caught:
                (held.root / "new").touch()
            assert caught.value.errno == errno.EROFS
        else:
            (held.root / "new").touch()
            (held.root / "dir" / "file").write_text("changed")
        assert not (held.backing / "new").exists()
        assert (held.backing / "dir" / "file").read_text() == "x"
        held.process.terminate()
        held.ended()


@pytest.mark.parametrize("name", ["overlayfs", "bind"])
def test_refused_in_one_line(name: str, shm: Path) -> None:
    """A backing that cannot be had, or is a whole file system: exit 1, nothing mounted."""
    daemon = registry.daemon(name)
    assert daemon.argv is not None
    (shm / "mnt").mkdir()
    backing = shm if name == "overlayfs" else shm / "missing"
    argv = daemon.argv(backing, shm / "mnt", DaemonOptions())
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert mountinfo.find(shm / "mnt") is None


def test_in_a_run_nothing_is_counted_and_nothing_fails(tmp_path: Path) -> None:
    """Requests are null, the verdict is baseline; one that is refused is a failed row with a reason."""
    run = tmp_path / "run"
    command = [sys.executable, "-m", "bench", "run", "--only", "--quick", "--no-report"]
    command += ["--trials", "1", "--values", "1", "--workload", "getattr-storm/at"]
    command += ["--workload", "walk-find", "--out", str(run)]
    for daemon in KERNEL:
        command += ["--daemon", daemon.name]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    trials = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    assert len(trials) == 2 * len(KERNEL)
    for trial in trials:
        assert (trial["outcome"], trial["requests"]) == ("ok", None), trial["reason"]
        assert trial["verdict"] == "baseline"
    header = json.loads((run / "run.json").read_text())
    assert {target["kind"] for target in header["targets"]} == {"kernel"}
    assert not list(Path(os.devnull).parent.glob("shm/*/.*empty-layer"))
