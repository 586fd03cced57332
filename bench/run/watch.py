"""Looks after the one process that works in a mount: it gets on, or it and the server are ended.

The runner itself makes no system call that goes into a mount. What has to be seen there is seen by a
child, and a child that is not served any more ends in order: what both sides wait for is written to the
trial's log, the connection is aborted, the server killed, the child reaped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

from bench.machine import child, isolate, stacks
from bench.mounts import server_pid
from bench.mounts.mount import Mount, TrialError, requests_waiting
from bench.run.bench import Bench

LOOK_S = 1.0
"""How often it is asked whether the client gets on: each time is a few reads of /proc."""

_T = TypeVar("_T")


@dataclass
class Watch:
    """Over one client of one mount; ``client`` is what it is called when it is at fault."""

    bench: Bench
    mount: Mount
    log: Path
    client: str
    _began: float = field(default_factory=time.monotonic)
    _looked: float = field(default_factory=time.monotonic)
    _progress: int = -1
    _still_s: float = 0.0

    def check(self, pid: int) -> None:
        """Raise TrialError when the daemon has died, or the client does not get on."""
        self.bench.tick()
        self.mount.check_alive()
        now = time.monotonic()
        if now - self._looked < LOOK_S or self.bench.patience == float("inf"):
            return
        # A machine that stood still meanwhile is no hint: a look counts as a second or two at most.
        since = min(now - self._looked, 2 * LOOK_S)
        self._looked = now
        progress = stacks.progress(server_pid.tree(pid))
        self._still_s = 0.0 if progress != self._progress else self._still_s + since
        self._progress = progress
        if self._still_s >= self.bench.stall_s:
            raise TrialError(self._stalled(pid))
        if now - self._began > self.bench.trial_timeout_s:
            raise TrialError(
                f"the {self.client} did not end within {now - self._began:.0f} s: killed"
            )

    def give_up(self, process: isolate.Child) -> None:
        """End server and client, whatever they wait for; what that is goes to the log first."""
        server = server_pid.tree(self.mount.process.pid) if self.mount.process else []
        with self.log.open("a", errors="replace") as file:
            file.write(f"--- given up after {time.monotonic() - self._began:.1f} s\n")
            file.write(stacks.describe(self.client, server_pid.tree(process.pid)))
            file.write(stacks.describe(self.mount.daemon.name, server))
        below = server_pid.tree(process.pid)[1:]
        process.kill()
        self.mount.silence()  # or a client in the middle of a request would not end
        for pid in below:
            isolate.kill(pid)
        if not child.reap(process):
            raise TrialError(
                f"the {self.client} cannot be ended: state {stacks.state(process.pid) or '?'}; "
                f"see {self.log.name}"
            )

    def _stalled(self, pid: int) -> str:
        """Whose fault it is that nothing happens."""
        waited = f"for {self.bench.stall_s:.0f} s"
        if "T" in stacks.state(pid):
            return f"the {self.client} was stopped {waited}: killed"
        if self.mount.process is None or requests_waiting(self.mount.connection) == 0:
            return f"the {self.client} did nothing {waited}: killed; see {self.log.name}"
        how = " (it is stopped)" if "T" in stacks.state(self.mount.server) else ""
        return f"{self.mount.daemon.name} did not answer {waited}{how}: killed; see {self.log.name}"


def look(bench: Bench, mount: Mount, log: Path, what: str, function: Callable[[], _T]) -> _T:
    """What ``function`` finds in a mount; it runs in a child, where the server runs.

    Across CPUs each of thousands of requests would wake an idle one. Raises TrialError.
    """
    with log.open("ab") as stderr:
        return _ask(function, Watch(bench, mount, log, what), bench, stderr)


def _ask(function: Callable[[], _T], watch: Watch, bench: Bench, stderr: IO[bytes]) -> _T:
    try:
        return child.ask(function, watch, cpus=bench.cpus.daemon, stderr=stderr)
    except ChildProcessError as error:
        raise TrialError(f"the {watch.client} died: {error}; see {watch.log.name}") from None
