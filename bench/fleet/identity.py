"""What two machines must have in common for their boots to be one run: suite, qemu and plugin."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.machine import environment, suite
from bench.profile.plugin import PLUGIN, QEMU

PREFIX = "suite-"
"""Begins the name of the Dask resource under which workers of one identity offer boots."""
_FOLDERS = ("bench", "daemons", "workloads")


@functools.cache
def identity() -> dict[str, str]:
    """What bears on a count of instructions and is not in a boot's job, by name.

    The code is hashed as it lies there, native parts as built: a commit says nothing of a compiler.
    """
    programs = environment.program_versions([QEMU])
    return {
        "suite commit": suite.commit() or "unknown",
        "code": _hash(_code()),
        "qemu": programs[QEMU] or "none",
        "plugin": _hash([PLUGIN]),
        "python": platform.python_version(),
        "libc": os.confstr("CS_GNU_LIBC_VERSION") or "unknown",
        "libfuse": environment.libfuse_version() or "none",
    }


def resource(of: Mapping[str, str]) -> str:
    """The Dask resource that workers of this identity offer, one for each boot they do at a time."""
    text = "\n".join(f"{name}={value}" for name, value in sorted(of.items()))
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """``qemu: 7.2.17 here, 8.2.2 there; ...``, empty where the two are alike."""
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return "; ".join(
        f"{name}: {ours.get(name, 'none')} here, {theirs.get(name, 'none')} there" for name in names
    )


def _code() -> Iterator[Path]:
    for folder in _FOLDERS:
        yield from sorted(
            path
            for path in (suite.ROOT / folder).rglob("*")
            if path.suffix in (".py", ".so") or path.name == "mirror"
        )


def _hash(paths: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError:
            content = b"missing"
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
