"""Git, as far as a bisection needs it: revisions, a worktree of its own, and what is left to try."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.model import Exit, UserError


@contextmanager
def worktree(source: Path, tree: Path, revision: str) -> Iterator[None]:
    """A worktree of a repository at a revision; the bisection and the tree are gone afterwards."""
    try:
        checked(source, "worktree", "add", "-q", "--detach", str(tree), revision)
        yield
    finally:
        git(tree, "bisect", "reset")
        git(source, "worktree", "remove", "--force", str(tree))
        git(source, "worktree", "prune")


def candidates(tree: Path | str) -> list[str]:
    """What git has not ruled out: everything in the bad revision that no good one holds."""
    refs = checked(tree, "for-each-ref", "--format=%(refname)", "refs/bisect/").split()
    good = [ref for ref in refs if ref.startswith("refs/bisect/good")]
    return checked(tree, "rev-list", "refs/bisect/bad", "--not", *good).split()


def commit(tree: Path, revision: str) -> str:
    """The commit that a name stands for; raises UserError where there is none."""
    found = git(tree, "rev-parse", "--verify", "-q", f"{revision}^{{commit}}")
    if found.returncode:
        raise UserError(f"{tree}: no revision {revision!r} in this git repository")
    return found.stdout.strip()


def checked(tree: Path | str, *arguments: str) -> str:
    """What git says; raises UserError with its reason where it fails."""
    done = git(tree, *arguments)
    if done.returncode:
        said = re.sub(r"\s+", " ", done.stderr).strip()
        raise UserError(f"git {' '.join(arguments[:2])} in {tree}: {said}", Exit.NOTHING)
    return done.stdout


def git(tree: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One git command in a tree, failed or not."""
    return subprocess.run(
        ["git", "-C", str(tree), *arguments], capture_output=True, text=True, errors="replace"
    )
