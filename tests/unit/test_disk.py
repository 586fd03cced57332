"""The virtio disk of a guest: asked for on the command line, made on the host, gone after the boot."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from test_cli import refused

from bench.commands.main import parser
from bench.commands.run_settings import settings_from
from bench.kernels import disk
from bench.model import Exit, UserError
from bench.plan.settings import Settings
from bench.run import cleanup


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--backing-fs", "ext4"], "name its kernel with --kernel"),
        (["--backing-fs", "ext4", "--backing", "/x", "--kernel", "lab"], "leave out one"),
        (["--backing-fs", "ntfs", "--kernel", "lab"], "tmpfs"),
        (["--cache", "cold-all", "--clock", "instructions", "--kernel", "lab"], "--clock wall"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    """One line and exit 2, before anything boots."""
    assert words in refused(capsys, "run", *options)


def test_the_file_system_is_a_setting_of_the_run() -> None:
    """What --resume goes on with, and an older run.json has not."""
    arguments = parser().parse_args(["run", "--kernel", "lab", "--backing-fs", "xfs"])
    assert settings_from(arguments).backing_fs == "xfs"
    assert Settings.from_json({}).backing_fs == disk.TMPFS


@pytest.mark.parametrize("filesystem", disk.MAKERS)
def test_a_missing_mkfs_is_named_with_its_package(
    filesystem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3, and what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    maker = disk.MAKERS[filesystem]
    with pytest.raises(UserError, match=f"{maker.program}: apt-get install {maker.package}") as e:
        disk.require(filesystem)
    assert e.value.code is Exit.NOTHING
    disk.require(disk.TMPFS)


@pytest.mark.parametrize("filesystem", disk.MAKERS)
def test_an_image_is_sparse_and_gone_after_the_boot(filesystem: str, tmp_path: Path) -> None:
    """No image is left, also when the boot fails."""
    with pytest.raises(KeyboardInterrupt), disk.image(filesystem, tmp_path) as (path,):
        assert path.stat().st_size == disk.SIZE_BYTES
        assert path.stat().st_blocks * 512 < disk.SIZE_BYTES / 100
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_image_of_a_killed_run_is_something_to_clean(tmp_path: Path) -> None:
    """SIGKILL leaves it where it was; `bench clean` finds it there."""
    left = tmp_path / "results" / "local" / "run" / "boots" / "00-lab-0" / disk.IMAGE
    left.parent.mkdir(parents=True)
    left.touch()
    assert f"would remove {left}" in cleanup.clean(tmp_path / "results", dry_run=True)


def test_two_images_are_alike(tmp_path: Path) -> None:
    """ext4 lists names in the order of a hash: its seed must not change from boot to boot."""
    seeds = []
    for _ in range(2):
        with disk.image("ext4", tmp_path) as (path,), path.open("rb") as file:
            file.seek(1024 + 0xEC)  # s_hash_seed, Documentation/filesystems/ext4/super.rst
            seeds.append(file.read(16))
    assert seeds[0] == seeds[1] != bytes(16)


def test_tmpfs_needs_no_disk(tmp_path: Path) -> None:
    """Neither outside nor inside."""
    with disk.image(disk.TMPFS, tmp_path) as disks:
        assert disks == ()
    with disk.mounted(disk.TMPFS) as folder:
        assert folder == ""
    assert list(tmp_path.iterdir()) == []


def test_a_mkfs_that_fails_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is mkfs's own, and no image is left."""
    program = tmp_path / "bin" / "mkfs.xfs"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho no room for a log >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(UserError, match="no room for a log"), disk.image("xfs", tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_a_kernel_without_virtio_blk_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A developer's own configuration may lack it."""
    monkeypatch.setattr(disk, "DEVICE", tmp_path / "vda")
    with pytest.raises(UserError, match="CONFIG_VIRTIO_BLK"), disk.mounted("ext4"):
        pass


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENODEV, "CONFIG_BTRFS_FS=y"), (errno.EIO, "Input/output error")]
)
def test_a_disk_that_does_not_mount_says_why(
    number: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel without the file system is told apart from the rest."""

    def refuse(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(disk, "DEVICE", Path("/dev/null"))
    monkeypatch.setattr(disk, "MOUNTPOINT", tmp_path / "mnt")
    monkeypatch.setattr(disk.syscalls, "detached_mount", refuse)
    with pytest.raises(UserError, match=words) as caught, disk.mounted("btrfs"):
        pass
    assert caught.value.code is Exit.NOTHING
