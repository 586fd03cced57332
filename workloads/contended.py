"""contended: threads that do the same to one file, to files of one directory, or each to its own.

What a lock or a counter of the kernel's costs shows when threads meet at it: a file, a directory, or
nothing (will-it-scale's variants). Each thread has descriptors of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.model import FOREVER_S, Body, Bound, Context, Group, Level, Opcode, Timeouts, Workload
from workloads import _expect, _layout
from workloads._bodies import CHUNK, Driven
from workloads._native.opdriver import Driver

OPS = {"stat": "statx-at", "open": "open-close", "list": "scan"}
FILE, DIRECTORY, APART = "file", "directory", "apart"
EACH = 16
"""Names of each thread."""


def _split(variant: str) -> tuple[str, str]:
    doing, _, where = variant.partition("-")
    return doing, where


def paths(context: Context) -> list[str]:
    """What is visited, one thread's after another's: as many for each."""
    doing, where = _split(context.variant)
    apart = context.threads if where == APART else 1
    leaves = _layout.leaves(context, apart)
    if doing == "list":
        folders = _layout.directory_paths(context, leaves)
        return [path for path in folders for _ in range(context.threads // apart)]
    files = [_layout.files_of(context, leaf) for leaf in leaves]
    if where == FILE:
        return files[0][:1] * EACH * context.threads
    each = [(found * EACH)[:EACH] for found in files]
    if where == APART:
        return [path for found in each for path in found]
    return [files[0][number % len(files[0])] for number in range(EACH * context.threads)]


def prepare(context: Context) -> Body:
    """One driver, its visits laid out so that each thread has the run that is meant for it."""
    doing, _where = _split(context.variant)
    driver = Driver(
        OPS[doing], context.root, paths(context), threads=context.threads, sync=context.sync.value
    )
    return Driven(driver, context.threads if doing == "list" else CHUNK)


def expect(context: Context) -> Mapping[Opcode, Bound]:
    """An operation is a stat, an open and a close, or a whole listing."""
    doing, _where = _split(context.variant)
    if doing == "stat":
        return _expect.stat_by_name(context, 1, 1)
    return {Opcode.OPEN if doing == "open" else Opcode.OPENDIR: Bound(1, 1)}


def lacks(context: Context) -> str:
    """Directories of their own for all threads; empty where there are."""
    doing, where = _split(context.variant)
    if where == APART:
        return _layout.lacks_directories(context)
    del doing
    return ""


WORKLOAD = Workload(
    name="contended",
    summary="stat, open or list: all threads the same file or directory, or each its own",
    op="one statx, one open and close, or one listing of a directory",
    unit="op",
    prepare=prepare,
    subject=frozenset({Opcode.GETATTR, Opcode.OPENDIR, Opcode.READDIR, Opcode.READDIRPLUS}),
    variants=(
        "stat-file",
        "stat-directory",
        "stat-apart",
        "open-file",
        "open-directory",
        "open-apart",
        "list-directory",
        "list-apart",
    ),
    expect=expect,
    timeouts=Timeouts(attr=0.0, entry=FOREVER_S),
    group=Group.CONTENTION,
    usual=(),
    lacks=lacks,
    about="GETATTR, OPEN or listings from several threads at once; levels take them as elsewhere",
    touched_from=Level.RW,
)
