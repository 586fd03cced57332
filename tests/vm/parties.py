"""Who answers a sequence: a native directory, a plain mirror, and mirrors at the lab kernel's levels.

All on one kernel at once: its switch says what the next mount is offered.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.model import Daemon
from daemons.passthrough_c import DAEMON as PASSTHROUGH
from daemons.plain_c import DAEMON as PLAIN
from tests.mount import operations as do
from tests.mount.serving import Mounted
from tests.vm import calls

SWITCH = Path("/sys/module/fuse/parameters/iops")
LONG_S = 100_000.0
NATIVE, MIRROR = "native", "plain-c"
LEVELS = ("attach-getattr", "attach-lookup", "lookup")


@dataclass(frozen=True)
class Party:
    """One that answers; ``long``: the kernel may keep names and attributes; ``readdir``: passed through."""

    name: str
    long: bool = False
    readdir: bool = True

    @property
    def attached(self) -> bool:
        return self.name in LEVELS

    @property
    def is_lookup(self) -> bool:
        """Whether names and rights are the kernel's to judge, on the backing."""
        return self.name == "lookup"

    def __str__(self) -> str:
        if self.name == NATIVE:
            return self.name
        words = [self.name, "long timeouts" if self.long else "timeouts 0"]
        return ", ".join([*words, "no readdir"] if not self.readdir else words)


class Stage:
    """The mounts, each made when it is first wanted; ``close()`` takes them down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mounts: dict[Party, Mounted] = {}
        self.serial = 0
        (folder / NATIVE).mkdir()

    def roots(self, party: Party) -> tuple[Path, Path]:
        """Where a party is changed natively, and where it is called."""
        if party.name == NATIVE:
            return self.folder / NATIVE, self.folder / NATIVE
        if party not in self.mounts:
            self.mounts[party] = self._mount(party)
        mount = self.mounts[party]
        return mount.backing, mount.root

    def _mount(self, party: Party) -> Mounted:
        folder = self.folder / f"{party.name}-{party.long:d}{party.readdir:d}"
        (folder / "backing").mkdir(parents=True)
        extra = ["--allow-other", "--threads", "2"]
        daemon: Daemon = PLAIN
        if party.attached:
            daemon = PASSTHROUGH
            extra += ["--level", party.name] + ([] if party.readdir else ["--no-readdir"])
        SWITCH.write_text(party.name if party.attached else "mainline")
        return Mounted(daemon, folder, extra, LONG_S if party.long else 0.0)

    def sides(self, party: Party) -> tuple[do.Side, do.Side]:
        """A fresh directory of a party's, seen from underneath and through its mount."""
        below, above = (do.Side(os.fsencode(root / str(self.serial))) for root in self.roots(party))
        return below, above

    def clear(self, sides: list[tuple[do.Side, do.Side]]) -> None:
        """Close and remove what a sequence left."""
        for below, above in sides:
            below.close()
            above.close()
            with contextlib.suppress(FileNotFoundError):
                calls.unmark(below)
                shutil.rmtree(below.root)
        self.serial += 1

    def close(self) -> None:
        """Unmount; a server that does not end well is an error."""
        try:
            for mount in self.mounts.values():
                mount.stop()
        finally:
            for mount in self.mounts.values():
                mount.end()
