"""macro-git: ``git status`` in a generated repository with a clean index, on a fresh mount.

Of 1 000 files, and of 100 000: git stats every file of its index, whatever it lists.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import (
    FOREVER,
    Body,
    Bound,
    Context,
    Fixture,
    Group,
    Level,
    Opcode,
    Shape,
    Workload,
)
from workloads import _git, walk_find
from workloads._bodies import Program

GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "HOME": "/nonexistent",
}

LARGE = "large"
SMALL_REPOSITORY = Fixture("git", lambda folder: _git.repository(folder, 1000, 20), version=2)
LARGE_REPOSITORY = Fixture("git-large", lambda folder: _git.repository(folder, 100_000, 1000))


def prepare(context: Context) -> Body:
    """The variant says which repository."""
    chosen = LARGE_REPOSITORY if context.variant == LARGE else SMALL_REPOSITORY
    folder = str(context.root / chosen.name)
    argv = ["git", "--no-optional-locks", "-C", folder, "status", "--porcelain"]
    return Program(argv, GIT_ENVIRONMENT)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """Every directory of the work tree is listed, and a few of git's own."""
    folders = 1000 if context.variant == LARGE else 20
    return {Opcode.OPENDIR: Bound(folders + 1, folders + 10)}


WORKLOAD = Workload(
    name="macro-git",
    summary="git status of 1 000 files, or of 100 000",
    op="one run of git status",
    unit="run",
    prepare=prepare,
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    needs=("git",),
    variants=("", LARGE),
    group=Group.PROGRAMS,
    usual=("",),
    fixtures=lambda variant: (LARGE_REPOSITORY if variant == LARGE else SMALL_REPOSITORY,),
    about="LOOKUP or GETATTR of every file of the index; lookup, attach levels take them",
    expect=expect,
    touched_from=Level.RW,
)
