"""Generated repositories with a clean index, for ``git status``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bench.model import Lacking

FIXED_DATE = 1_700_000_000
"""mtime of every file of a repository: older than its index, so that git trusts the index."""

HOUSEKEEPING_OFF = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")


def repository(folder: Path, files: int, directories: int) -> None:
    """A repository of that many files in as many directories; raises Lacking without git."""
    if shutil.which("git") is None:
        raise Lacking("not installed: git")
    for number in range(directories):
        (folder / f"dir{number:04}").mkdir()
    for number in range(files):
        file = folder / f"dir{number % directories:04}" / f"file{number:06}.txt"
        file.write_text(f"file {number} of a generated repository\n" * 8)
        os.utime(file, (FIXED_DATE, FIXED_DATE))
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "generated"]):
        _run(folder, *arguments)


def _run(folder: Path, *arguments: str) -> None:
    """Run git, deaf to the user's configuration; raises OSError when it fails.

    Without housekeeping: a commit of more than 6700 objects begins one in the background, which packs
    and removes them while the repository is measured (git-gc(1), gc.auto; git-maintenance(1)).
    """
    who = {"NAME": "bench", "EMAIL": "bench@invalid", "DATE": f"{FIXED_DATE} +0000"}
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in who.items()
        },
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *HOUSEKEEPING_OFF, *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise OSError(0, f"git {arguments[0]} failed: {done.stderr.strip()}")
