"""Gates on capabilities, never on versions; and a guard against tests that silently stop running."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis
import pytest

from bench.machine.isolate import MS_REC, MS_SLAVE
from bench.machine.userns import CLONE_NEWNS

# An example that takes 370 ms on a loaded machine is no bug: nothing here asserts times.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")
OUTCOMES: dict[str, Counter[str]] = {"mount": Counter(), "vm": Counter()}
SHARE_BOOTS = ("test_lab_kernel.py", "test_levels.py", "test_campaigns.py")
"""Files of tests/vm whose tests look at what was booted once for all of them."""
DIFFERENTIAL: list[str] = []
"""What tests/mount/test_differential.py did, one line a target."""


# Runs of tests measure nothing: they stand beside one another, and beside a real run of this machine.
LOCKS = tempfile.TemporaryDirectory(prefix="bench-lock-")
os.environ["FUSE_BENCH_LOCK"] = str(Path(LOCKS.name) / "lock")


# What a test mounts is its process's own: a run or a guest started beside it would get a copy, and a FUSE
# server ends with the last copy of its mount only. Without privilege nothing is mounted.
_libc = ctypes.CDLL(None, use_errno=True)
if _libc.unshare(CLONE_NEWNS) == 0:
    assert _libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_SLAVE), None) == 0


def missing_for_mounts() -> str:
    """What a mount test lacks here, in words; empty when it can run."""
    if not Path("/dev/fuse").exists():
        return "needs /dev/fuse: modprobe fuse"
    if os.geteuid() != 0:
        return "needs root: sudo make test"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder, and skip mount tests where nothing can be mounted, naming what is missing."""
    reason = missing_for_mounts()
    for item in items:
        folder = Path(str(item.fspath)).parent.name
        if folder in OUTCOMES:
            item.add_marker(getattr(pytest.mark, folder))
        if reason and folder == "mount":
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With ``--dist loadscope``: guests and unit tests beside the mount tests, which stay one after another.

    Those share a kernel: caches are dropped, slabs are weighed, and a daemon's requests counted. A
    guest has its own, and a unit test mounts nothing; these have one process, too, and one order.
    """
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class BesideGuests(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if "/vm/" not in file:
                return "mount" if "/mount/" in file else "unit"
            return file if file.endswith(SHARE_BOOTS) else nodeid

    return BesideGuests(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Every test begins with the usual umask: a folder that others may write in is refused as a backing."""
    os.umask(0o022)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count how mount and vm tests end, and keep what is to be said at the end."""
    if report.when == "call":
        for name, value in report.user_properties:
            if name == "differential":
                DIFFERENTIAL.append(f"{report.nodeid.rpartition('[')[2].rstrip(']')}: {value}")
    for mark, counter in OUTCOMES.items():
        if mark in report.keywords and (report.when == "call" or report.outcome == "skipped"):
            counter[report.outcome] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many operations the differential fuzzer compared."""
    if DIFFERENTIAL:
        terminalreporter.section("differential fuzzer")
        for line in DIFFERENTIAL:
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """On a machine that has /dev/fuse, mount or vm tests that all skipped are a failure."""
    if exitstatus != pytest.ExitCode.OK or not Path("/dev/fuse").exists():
        return
    if hasattr(session.config, "workerinput"):
        return  # one of several processes: it has seen its own tests only
    for mark, counter in OUTCOMES.items():
        if counter["skipped"] and not counter["passed"]:
            print(
                f"\nall {counter['skipped']} {mark} tests were skipped on a machine that has /dev/fuse"
            )
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
