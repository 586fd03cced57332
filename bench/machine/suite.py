"""The suite itself: its version, the commit it was built from, and the files that come with it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

NAME = "fuse-passthrough-bench"
COMMIT = "FUSE_BENCH_COMMIT"
"""Environment variable that tells a guest the suite's commit: git takes too long over 9p."""
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).resolve().parents[1] / "data"
"""Where an installed suite keeps what a checkout has at its top (setup.py puts it there)."""


def folder(name: str) -> Path:
    """``matrices`` or ``kernel``: the checkout's, or what was installed with the package."""
    return ROOT / name if in_checkout() else DATA / name


def in_checkout() -> bool:
    """Whether this file lies in a source tree, as it does after an editable install."""
    return (ROOT / "pyproject.toml").exists()


def version() -> str:
    """The version of the installed package; ``unknown`` where it was never installed."""
    import importlib.metadata  # 19 ms, and a run needs it once

    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def commit() -> str | None:
    """The commit this suite is of, with ``-dirty``; None where nobody wrote it down.

    An installed suite has the one it was built from, a checkout asks git.
    """
    if COMMIT in os.environ:
        return os.environ[COMMIT] or None
    if not in_checkout():
        return _built_from()
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _built_from() -> str | None:
    try:
        return (DATA / "commit").read_text(encoding="ascii").strip() or None
    except OSError:
        return None
