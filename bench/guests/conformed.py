"""Which targets were found to answer as their backing does, on which kernel: asked once, remembered.

Kept in the cache of kernels, under a hash of all that could change an answer: the image and its
parameters, our servers' files, the tree, the file system beneath, and how many entries are compared.
A server that others supply is compared anew in every run: nobody knows when it changes.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from bench import registry
from bench.guests import remembered
from bench.guests.session import PASSED_ON, Guest
from bench.kernels.recipe import sha256_of
from bench.model import Level
from bench.plan import schedule
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings
from workloads import tree


def targets(settings: Settings, kernel: str) -> dict[str, str]:
    """{name in tables: daemon} of every target a run may measure on that kernel."""
    planned = schedule.make(settings, KernelGives(Level.LOOKUP, kernel=kernel))
    return {one.series.target: one.series.daemon for one in planned.trials}


def recall(settings: Settings, guest: Guest, wanted: Mapping[str, str]) -> dict[str, str] | None:
    """What is wrong with each target, by name, as remembered; None when any must be compared."""
    known = _read(_file(settings, guest))
    names = {_bare(name) for name in wanted}
    if not names <= set(known) or any(map(_others, wanted.values())):
        return None
    return {name: known[_bare(name)] for name in wanted if known[_bare(name)]}


def remember(
    settings: Settings, guest: Guest, wanted: Mapping[str, str], broken: Mapping[str, str]
) -> None:
    """Keep what a boot that compared has found; a target it did not have there is not broken."""
    file = _file(settings, guest)
    found = {_bare(name): broken.get(name, "") for name in wanted}
    remembered.keep(file, _read(file) | found)


def _others(daemon: str) -> bool:
    """Whether others supply the server: ours have counters, and the rest is the kernel's own."""
    what = registry.daemon(daemon)
    return what.is_fuse and not what.has_counters


def _bare(name: str) -> str:
    """A target's name without the kernel's label, which the file stands for."""
    return name.partition("@")[0]


def _file(settings: Settings, guest: Guest) -> Path:
    depends_on = {
        "image": guest.image.key or sha256_of(guest.image.path),
        "parameters": guest.parameters,
        "servers": _servers(),
        "tree": tree.parse_tree(settings.tree).hash,
        "backing": settings.backing_fs,
        "entries": settings.conformance,
    }
    return remembered.file_of("conformance", depends_on)


@functools.cache
def _servers() -> str:
    """A hash over our servers: their Python, the shim and the C mirror as built."""
    import daemons

    digest = hashlib.sha256()
    files = [
        path
        for path in sorted(Path(daemons.__path__[0]).rglob("*"))
        if path.suffix in (".py", ".so") or path.name == "mirror"
    ]
    files += [Path(os.environ[name]) for name in PASSED_ON if name in os.environ]
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _read(file: Path) -> dict[str, str]:
    known = remembered.read(file)
    return {name: reason for name, reason in known.items() if isinstance(reason, str)}
