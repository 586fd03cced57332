"""Small disks that go wrong when told: one is over its quota, the other answers EIO for what it holds."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SIZE = 256 << 20
CUT = 1 << 20
"""What is left of a disk that fails: its first blocks, so that it stays mounted."""


class Disk:
    """A file system in a file, mounted; ``root`` is where a backing may be."""

    kind = ""

    def __init__(self, folder: Path) -> None:
        self.image, self.mounted = folder / f"{self.kind}.image", folder / self.kind
        self.root = self.mounted
        self.mounted.mkdir()
        self._make()

    def _make(self) -> None:
        self.image.unlink(missing_ok=True)  # who still has the one before it open goes on with that
        with self.image.open("wb") as file:
            file.truncate(SIZE)
        _run(f"mkfs.{self.kind}", "-q", str(self.image))
        _run("mount", "-o", "loop", str(self.image), str(self.mounted))

    def harm(self) -> None:
        """Let it go wrong."""
        raise NotImplementedError

    def mend(self) -> None:
        """As it was, with what is on it, or empty where that is lost."""
        raise NotImplementedError

    def close(self) -> None:
        """Take it away."""
        _run("umount", "-l", str(self.mounted))


class Quota(Disk):
    """btrfs, a subvolume of which may hold no more than it does (btrfs-quota(5)): EDQUOT."""

    kind = "btrfs"

    def _make(self) -> None:
        super()._make()
        self.root = self.mounted / "limited"
        _run("btrfs", "quota", "enable", str(self.mounted))
        _run("btrfs", "subvolume", "create", str(self.root))

    def harm(self) -> None:
        """No byte more."""
        self._limit("16K")

    def mend(self) -> None:
        """As much as there is room for."""
        self._limit("none")

    def _limit(self, size: str) -> None:
        """By the number of the subvolume: through a full one nothing can be changed, its limit neither."""
        number = _run("btrfs", "inspect-internal", "rootid", str(self.root)).strip()
        _run("btrfs", "qgroup", "limit", size, f"0/{number}", str(self.mounted))


class Dying(Disk):
    """ext4 whose device loses its blocks: EIO."""

    kind = "ext4"

    def harm(self) -> None:
        """All that is not in memory can be read no more, and nothing can be written."""
        _run("sync", "-f", str(self.mounted))
        os.truncate(self.image, CUT)
        Path("/proc/sys/vm/drop_caches").write_text("3")

    def mend(self) -> None:
        """A new disk at the same place."""
        self.close()
        self._make()


DISKS: dict[str, type[Disk]] = {kind.kind: kind for kind in (Quota, Dying)}


def missing(kind: str) -> str:
    """Why there can be no such disk here; empty where there can."""
    for program in (f"mkfs.{kind}", *(["btrfs"] if kind == "btrfs" else [])):
        if not shutil.which(program):
            return f"no {program}: install {kind}-progs"
    known = Path("/proc/filesystems").read_text().split()
    return "" if kind in known else f"this kernel has no {kind}"


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
