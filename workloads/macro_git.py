"""macro-git: ``git status`` in a generated repository with a clean index, on a fresh mount."""

from __future__ import annotations

from bench.model import FOREVER, Opcode, Shape, Workload
from workloads import walk_find
from workloads._bodies import Program

GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "HOME": "/nonexistent",
}

WORKLOAD = Workload(
    name="macro-git",
    summary="git status",
    op="one run of git status",
    unit="run",
    prepare=lambda context: Program(
        ["git", "--no-optional-locks", "-C", str(context.root / "git"), "status", "--porcelain"],
        GIT_ENVIRONMENT,
    ),
    subject=frozenset({Opcode.READDIR, Opcode.READDIRPLUS, Opcode.GETATTR}),
    shape=Shape.ONCE,
    caches=walk_find.COLD_FIRST,
    timeouts=FOREVER,
    introduces=True,
    needs=("git",),
)
