"""What a kernel image is made of, and the key under which it is kept."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.machine import suite
from bench.model import UserError

LAB = "lab"
LAB_DEBUG = "lab-debug"
LAB_DEAR = "lab-dear"
"""With what distributions run beside a file system, and "lab" leaves out: security module and all."""
_FRAGMENTS = {LAB_DEBUG: "config.debug", LAB_DEAR: "config.dear"}
LAB_SOURCE = Path("/usr/src/linux-source-6.12.tar.xz")
KERNEL_DIR = suite.folder("kernel")
# Goes into the cache key: bump when the same inputs give another image.
RECIPE_VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """What an image is made of; `config` are fragments on top of tinyconfig."""

    name: str
    source: Path
    patches: tuple[Path, ...]
    config: tuple[Path, ...]


def patches_in(directory: Path) -> tuple[Path, ...]:
    """The *.patch files of a directory in order; raises UserError if none."""
    patches = tuple(sorted(directory.glob("*.patch")))
    if not patches:
        raise UserError(f"no *.patch file in {directory}")
    return patches


def recipe(
    name: str = LAB,
    source: Path | None = None,
    config: Path | None = None,
    patches: Path | None = None,
) -> Recipe:
    """Fill in what was not asked for.

    Without a source: the lab kernel, of Debian's linux-source with our patches.
    With one: that tree or tarball as it is, unless a patch directory is named.
    Raises UserError if something does not exist.
    """
    fragments = [config or KERNEL_DIR / "config"]
    if name in _FRAGMENTS:
        fragments.append(KERNEL_DIR / _FRAGMENTS[name])
    if source is None:
        source = LAB_SOURCE
        patches = patches or KERNEL_DIR / "patches"
    if not source.exists():
        what = "apt-get install linux-source-6.12" if source == LAB_SOURCE else "name another"
        raise UserError(f"no kernel source at {source}: {what}")
    for fragment in fragments:
        if not fragment.is_file():
            raise UserError(f"no configuration fragment at {fragment}")
    found = patches_in(patches) if patches else ()
    return Recipe(name, source.resolve(), found, tuple(fragments))


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _git(tree: Path, *args: str) -> bytes | None:
    run = subprocess.run(["git", "-C", str(tree), *args], capture_output=True)
    return run.stdout if run.returncode == 0 else None


def _tree_state(tree: Path) -> str:
    """A hash that changes with a tree: its commit and diff, or sizes and times."""
    digest = hashlib.sha256()
    head = _git(tree, "rev-parse", "HEAD") if (tree / ".git").exists() else None
    if head:
        digest.update(head + (_git(tree, "diff", "HEAD") or b""))
        return digest.hexdigest()
    for root, dirs, files in os.walk(tree):
        dirs.sort()
        for name in sorted(files):
            path = Path(root, name)
            st = path.lstat()
            digest.update(f"{path} {st.st_size} {st.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _compiler() -> str:
    run = subprocess.run(["gcc", "--version"], capture_output=True, text=True)
    return run.stdout.split("\n", 1)[0]


def _patch_sha256(path: Path) -> str:
    """A hash of what a patch does: another commit message is the same kernel."""
    text = path.read_bytes()
    return hashlib.sha256(text[max(text.find(b"\ndiff --git "), 0) :]).hexdigest()


def key_of(what: Recipe) -> str:
    """The hash of source, patches, configuration and compiler."""
    digest = hashlib.sha256(f"{RECIPE_VERSION} {_compiler()}\n".encode())
    state = sha256_of if what.source.is_file() else _tree_state
    digest.update(state(what.source).encode())
    for path in what.patches:
        digest.update(_patch_sha256(path).encode())
    for path in what.config:
        digest.update(sha256_of(path).encode())
    return digest.hexdigest()[:16]
