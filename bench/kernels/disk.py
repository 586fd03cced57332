"""The virtio disk under a guest's backing: an image made on the host, mounted in the guest."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import isolate, syscalls
from bench.model import Exit, UserError

TMPFS = "tmpfs"
"""No disk: the guest's memory."""
IMAGE = "backing.img.part"
"""Ends like everything half-written, so that `bench clean` removes it after a run that was killed."""
SIZE_BYTES = 32 << 30
"""Size of the sparse image; at ext4's usual ratio that is two million inodes."""
DEVICE = Path("/dev/vda")
"""The first virtio-blk disk of a guest."""
MOUNTPOINT = Path("/run/fuse-passthrough-bench-disk")
HOW = "virtio-blk, a sparse image; what the guest drops the host may still have in memory"

_UUID = "9c5f2a4e-61d3-4d0b-8f7a-2b6e13c0a7d5"
"""UUID of every disk: ext4 hashes names with one, and listings shall not differ from boot to boot."""


@dataclass(frozen=True)
class Maker:
    """How a file system is made: the program, its arguments, the Debian package it is in."""

    program: str
    arguments: tuple[str, ...]
    package: str


# Inode tables now, not by a kernel thread in the middle of a window.
_EXT4 = f"hash_seed={_UUID},lazy_itable_init=0,lazy_journal_init=1"
MAKERS = {
    "ext4": Maker(
        "mkfs.ext4",
        ("-q", "-F", "-U", _UUID, "-E", _EXT4),
        "e2fsprogs",
    ),
    "xfs": Maker("mkfs.xfs", ("-q", "-f", "-m", f"uuid={_UUID}"), "xfsprogs"),
    "btrfs": Maker("mkfs.btrfs", ("-q", "-f", "-U", _UUID), "btrfs-progs"),
}
CHOICES = (TMPFS, *MAKERS)


def require(filesystem: str) -> None:
    """Raises UserError (exit 3) when this host cannot make such a disk; tmpfs needs none."""
    if filesystem == TMPFS:
        return
    maker = MAKERS[filesystem]
    if not shutil.which(maker.program):
        raise UserError(
            f"--backing-fs {filesystem}: no {maker.program}: apt-get install {maker.package}",
            Exit.NOTHING,
        )


@contextmanager
def image(filesystem: str, folder: Path) -> Iterator[tuple[Path, ...]]:
    """The disks of one boot, made in ``folder`` and removed after it: one, or none for tmpfs.

    Raises UserError when the file system cannot be made, OSError when the image cannot.
    """
    if filesystem == TMPFS:
        yield ()
        return
    path = folder / IMAGE
    try:
        with path.open("wb") as file:
            file.truncate(SIZE_BYTES)
        maker = MAKERS[filesystem]
        made = subprocess.run(
            [maker.program, *maker.arguments, str(path)], capture_output=True, text=True
        )
        if made.returncode != 0:
            words = (made.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"{maker.program} failed on {path}: {words}", Exit.NOTHING)
        yield (path,)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def mounted(filesystem: str) -> Iterator[str]:
    """In the guest: the backing directory on the disk; empty (the default one) for tmpfs.

    Raises UserError (exit 3) when this kernel lacks virtio-blk or the file system.
    """
    if filesystem == TMPFS:
        yield ""
        return
    if not DEVICE.exists():
        raise UserError(f"no {DEVICE}: the kernel needs CONFIG_VIRTIO_BLK=y", Exit.NOTHING)
    MOUNTPOINT.mkdir(exist_ok=True)
    try:
        root = syscalls.detached_mount(filesystem, {"source": str(DEVICE)})
    except OSError as error:
        lacking = error.errno == errno.ENODEV
        hint = f": the kernel needs CONFIG_{filesystem.upper()}_FS=y" if lacking else ""
        raise UserError(
            f"cannot mount {DEVICE} as {filesystem}: {error.strerror}{hint}", Exit.NOTHING
        ) from None
    try:
        syscalls.attach_mount(root, MOUNTPOINT)
    finally:
        os.close(root)
    try:
        yield str(MOUNTPOINT)
    finally:
        isolate.umount(MOUNTPOINT, lazy=True)
