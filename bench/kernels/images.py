"""Kernel images kept outside the tree, found by name."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from bench.model import UserError


@dataclass(frozen=True)
class Image:
    """A kernel that can be booted. `key` is "" for one that was not built here."""

    name: str
    path: Path
    key: str = ""
    release: str = ""
    config_sha256: str = ""
    patches: tuple[str, ...] = ()
    build_s: float = 0.0

    @property
    def config(self) -> Path | None:
        """The configuration it was built with, if it was built here."""
        path = self.path.with_name("config")
        return path if path.exists() else None


def cache_dir() -> Path:
    """Where images are kept: $XDG_CACHE_HOME/fuse-passthrough-bench/kernels."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "fuse-passthrough-bench" / "kernels"


def load_entry(entry: Path) -> Image | None:
    try:
        facts = json.loads((entry / "build.json").read_text())
    except (OSError, ValueError):
        return None
    facts["patches"] = tuple(facts["patches"])
    image = Image(path=entry / "bzImage", **facts)
    return image if image.path.is_file() else None


def list_images() -> list[Image]:
    """Every image in the cache, newest first."""
    entries = list(cache_dir().glob("*/build.json"))
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    images = [load_entry(path.parent) for path in entries]
    return [image for image in images if image]


def locate(what: str) -> Image:
    """The image that a user means: a path to one or to a built tree, a name, or a key.

    A name stands for the newest build of it.  Raises UserError if there is none.
    """
    path = Path(what)
    if path.is_dir():
        path = path / "arch/x86/boot/bzImage"
    if path.is_file():
        return Image(name=path.name, path=path.resolve())
    for image in list_images():
        if what in (image.name, image.key):
            return image
    known = ", ".join(sorted({image.name for image in list_images()})) or "none"
    raise UserError(
        f"no kernel {what!r}, neither a file nor built here (built: {known}): "
        f"python -m bench kernel build {what}"
    )


def bootable(path: Path) -> bool:
    """Whether a file begins as an x86 boot image or an ELF does; qemu would boot anything, and wait."""
    with path.open("rb") as opened:
        head = opened.read(0x206)
    return head[0x202:0x206] == b"HdrS" or head[:4] == b"\x7fELF"
