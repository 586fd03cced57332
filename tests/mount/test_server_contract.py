"""The process contract as our servers keep it: signals, unmounts, kills, wrong arguments."""

# ruff: noqa: ARG001
# Every test here takes the daemon.

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Serve
from serving import ours, run_daemon

from bench.machine import mountinfo
from bench.model import Daemon
from tests.mount.checks import failing_with

each_daemon = pytest.mark.parametrize("daemon", ours(), ids=lambda daemon: daemon.name)
pytestmark = [pytest.mark.mount, each_daemon]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(
    daemon: Daemon, backing: Path, serve: Serve, number: signal.Signals
) -> None:
    """Exit 0, no mount, one JSON line that agrees with the counters file."""
    (backing / "file").touch()
    mounted = serve(daemon)
    (mounted.root / "file").stat()
    counted = mounted.counters()
    figures = mounted.stop(number)
    assert figures["daemon"] == daemon.name
    assert figures["requests"] == {op.name: count for op, count in counted.requests.items()}
    assert {"rss_kib", "user_s", "system_s", "extra", "lookups"} <= set(figures)


def test_a_signal_at_the_first_moment(daemon: Daemon, serve: Serve) -> None:
    """Told to end as soon as the mount is there, before the server has read a thing: still well."""
    for _attempt in range(5):
        serve(daemon).stop()


def test_a_busy_mount_ends_as_well(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A client with a file open, and one in the middle of a walk, do not keep it alive."""
    (backing / "file").touch()
    mounted = serve(daemon)
    held = os.open(mounted.root / "file", os.O_RDONLY)
    walk = "while ls -lR .; do :; done"
    with subprocess.Popen(
        ["sh", "-c", walk], cwd=mounted.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as walker:
        assert walker.stdout is not None
        walker.stdout.readline()
        mounted.stop()
    with contextlib.suppress(OSError):
        os.close(held)


def test_unmounted_from_outside(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """umount is an order to end, too."""
    mounted = serve(daemon)
    mounted.root.stat()
    subprocess.run(["umount", mounted.root], check=True)
    mounted.collect()


def test_killed_it_can_be_cleaned_up(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """After kill -9 the mount is there, dead, recognisable as ours, and goes with umount -l."""
    (backing / "file").touch()
    mounted = serve(daemon)
    mounted.process.kill()
    mounted.process.wait()
    with failing_with(errno.ENOTCONN):
        (mounted.root / "file").stat()
    entry = mountinfo.find(mounted.root)
    assert entry is not None
    assert f"fuse.{daemon.name} fuse-passthrough-bench" in Path("/proc/self/mountinfo").read_text()
    subprocess.run(["umount", "-l", mounted.root], check=True)
    assert mountinfo.find(mounted.root) is None


def test_the_file_says_nothing_of_pyfuse3(daemon: Daemon) -> None:
    """Importing a daemon's description costs a runner neither pyfuse3 nor trio."""
    loaded = "bool({'pyfuse3', 'trio'} & set(sys.modules))"
    code = f"import sys, daemons.{daemon.name.replace('-', '_')}; sys.exit({loaded})"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("missing", "mnt"), "backing: {}/missing: No such file"),
        (("backing", "missing"), "mount point: {}/missing: No such file"),
        (("backing", "full"), "mount point: {}/full: not empty"),
        (("full/file", "mnt"), "backing: {}/full/file: Not a directory"),
        (("backing", "backing/inside"), "lies inside the backing"),
        (("served", "mnt"), "backing: {}/served: is itself on FUSE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_arguments_are_one_line(
    daemon: Daemon,
    tmp_path: Path,
    backing: Path,
    serve: Serve,
    arguments: tuple[str, str],
    line: str,
) -> None:
    """Exit 2, no traceback, the object named."""
    for name in ("mnt", "full", "backing/inside"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").touch()
    if "served" in arguments:
        (backing / "inside").rmdir()
        (tmp_path / "served").symlink_to(serve(daemon).root)
        (tmp_path / "mnt2").mkdir()
        arguments = ("served", "mnt2")
    done = run_daemon(daemon, *(tmp_path / name for name in arguments))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert line.format(tmp_path) in done.stderr


@pytest.mark.parametrize(
    "option",
    [
        ("--attr-timeout", "-1"),
        ("--fd-cache", "3"),
        ("--level", "all"),
        ("--delay", "STAT=1"),
        ("--delay", "GETATTR=2000000000"),
        ("--name", "comma,allow_other"),
        ("--name", "n" * 65),
    ],
    ids=lambda option: " ".join(option)[:24],
)
def test_wrong_options_are_refused(
    daemon: Daemon, tmp_path: Path, backing: Path, option: tuple[str, str]
) -> None:
    """Exit 2, the option named."""
    done = run_daemon(daemon, backing, tmp_path, *option)
    assert done.returncode == 2
    assert option[0] in done.stderr
