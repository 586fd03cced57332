"""A daemon serving a real mount, for tests: up when mountinfo says so, gone whatever happens."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench import registry
from bench.machine import mountinfo
from bench.model import Daemon, DaemonOptions, Level
from bench.requests import counters

DEADLINE_S = 20.0
MNT_DETACH = 2


def ours() -> list[Daemon]:
    """Every daemon the registry finds that keeps counters."""
    return [daemon for daemon in registry.daemons().values() if daemon.has_counters]


def mainline_level(daemon: Daemon) -> Level:
    """The most a mainline kernel can give this daemon."""
    return Level.RW if Level.RW in daemon.levels else Level.NONE


def drop_inodes() -> None:
    """Make the kernel forget every inode nobody uses."""
    for _pass in range(2):  # the first one only takes back their second chance
        Path("/proc/sys/vm/drop_caches").write_text("2")


class Mounted:
    """One daemon, one mount; ``end()`` in any case."""

    def __init__(
        self, daemon: Daemon, folder: Path, extra: Sequence[str] = (), timeout_s: float = 0.0
    ) -> None:
        """``folder/backing`` must exist; ``extra`` are further arguments of a daemon of ours.

        ``timeout_s`` is how long the kernel may keep attributes and entries.
        """
        assert daemon.argv is not None
        self.backing, self.root = folder / "backing", folder / "mnt"
        self.root.mkdir(exist_ok=True)
        self.daemon = daemon
        self._counters = folder / f"{daemon.name}.counters"
        self._errors = folder / f"{daemon.name}.stderr"
        options = DaemonOptions(timeout_s, timeout_s, level=mainline_level(daemon))
        if daemon.has_counters:
            options = replace(options, counters=self._counters)
        if "--level" in extra:
            options = replace(options, level=Level(extra[list(extra).index("--level") + 1]))
        argv = daemon.argv(self.backing, self.root, options)
        split = argv.index("--") if extra else len(argv)
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*argv[:split], *extra, *argv[split:]], stdout=subprocess.PIPE, stderr=errors
            )
        self._await_mount()

    @property
    def errors(self) -> str:
        """What the daemon has logged."""
        return self._errors.read_text()

    def counters(self) -> counters.Snapshot:
        """What the daemon has received so far."""
        return counters.read(self._counters)

    def drop_until(self, name: str, wanted: int) -> None:
        """Make the kernel forget inodes until a figure of the shim has a value.

        Once is not enough: an inode is kept while its RELEASE is under way, which a client's close
        does not wait for (fs/fuse/file.c, fuse_prepare_release).
        """
        deadline = time.monotonic() + DEADLINE_S
        drop_inodes()
        while (got := self.counters().extra[name]) != wanted:
            assert time.monotonic() < deadline, f"{name}: got {got}, wanted {wanted}"
            select.select([], [], [], 0.01)
            drop_inodes()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Mapping[str, object]:
        """Tell the daemon to end, see that it did and left no mount; its JSON line, if it has one."""
        if self.daemon.is_fuse and not self.daemon.has_counters:
            # Other people's servers promise exit code 0 at an unmount only, as a run ends them.
            subprocess.run(["umount", self.root], check=True)
        else:
            self.process.send_signal(number)
        return self.collect()

    def collect(self) -> Mapping[str, object]:
        """What a daemon that ends by itself has said, and its exit status."""
        output, _ = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0, self.errors
        assert mountinfo.find(self.root) is None
        lines = output.splitlines()
        if not self.daemon.has_counters:
            return {}
        assert len(lines) == 1, output
        figures = json.loads(lines[0])
        assert isinstance(figures, dict)
        return figures

    def end(self) -> None:
        """Leave nothing behind, whatever state this is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        while mountinfo.find(self.root) is not None:
            ctypes.CDLL(None).umount2(os.fsencode(self.root), MNT_DETACH)

    def _await_mount(self) -> None:
        """The kernel says when the table of mounts changes, and when the daemon dies."""
        death = os.pidfd_open(self.process.pid)
        deadline = time.monotonic() + DEADLINE_S
        try:
            with Path("/proc/self/mountinfo").open() as table:
                poller = select.poll()
                poller.register(table, select.POLLPRI)
                poller.register(death, select.POLLIN)
                while mountinfo.find(self.root) is None:
                    left_ms = (deadline - time.monotonic()) * 1000
                    assert left_ms > 0, "not mounted in time: " + self.errors
                    events = dict(poller.poll(left_ms))
                    assert death not in events, "daemon died: " + self.errors
        except BaseException:
            self.end()
            raise
        finally:
            os.close(death)


def run_daemon(daemon: Daemon, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the daemon's server with arguments it is expected to refuse."""
    assert daemon.argv is not None
    usual = daemon.argv(Path("backing"), Path("mnt"), DaemonOptions())
    command = [*usual[: usual.index("--")], *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
