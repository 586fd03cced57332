"""Which names a workload visits: drawn from the tree's spec by the trial's seed, never by listing.

Listing a directory through the mount would leave entries behind that change every later lookup.
"""

from __future__ import annotations

import random

from bench.model import Context
from workloads.tree import TreeSpec

STORM_NAMES = 1000
"""Names a storm goes round: small enough that a slow server's first pass takes under a second."""
SLICE_NAMES = 500
"""Names, at most, that one cold window uses up."""
SLICE_DIRECTORIES = 8
"""Directories, at most, that one cold window uses up."""
OPEN_DIRECTORIES = 100
"""Directories that cold names are drawn from, as each is held open by a descriptor."""


def spec(context: Context) -> TreeSpec:
    """The tree the backing holds."""
    return TreeSpec.from_mapping(context.tree)


def chance(context: Context) -> random.Random:
    """Random numbers that every target of a round shares."""
    return random.Random(context.seed)


def files(context: Context, count: int = STORM_NAMES) -> list[str]:
    """Up to ``count`` different files of the whole tree, as paths below the target's root."""
    tree = spec(context)
    numbers = chance(context).sample(range(tree.files), min(count, tree.files))
    return [f"tree/{tree.file_path(number)}" for number in numbers]


def directories(context: Context, count: int) -> list[int]:
    """Numbers of up to ``count`` different directories that hold files."""
    tree = spec(context)
    having = [number for number in range(tree.dirs) if tree.files_in(number)]
    return chance(context).sample(having, min(count, len(having)))


def files_of(context: Context, directory: int) -> list[tuple[str, str]]:
    """(directory path, name) of every file in one directory, by its number."""
    tree = spec(context)
    path = directory_path(context, directory)
    return [(path, tree.file_path(number).rpartition("/")[2]) for number in tree.files_in(directory)]


def directory_path(context: Context, directory: int) -> str:
    """Path of one directory below the target's root, by its number."""
    return f"tree/{spec(context).dir_path(directory)}".rstrip("/")


def cold_files(context: Context) -> list[tuple[str, str]]:
    """Different (directory path, name) pairs for all windows, in random order.

    Their number is a multiple of the windows: each takes an equal slice.
    """
    pairs: list[tuple[str, str]] = []
    for directory in directories(context, OPEN_DIRECTORIES):
        pairs += files_of(context, directory)
    each = min(SLICE_NAMES, len(pairs) // context.windows)
    if each == 0:
        raise ValueError(f"the tree has too few files for {context.windows} windows of unseen names")
    return chance(context).sample(pairs, each * context.windows)


def cold_directories(context: Context) -> list[list[int]]:
    """Different directories for every window; all windows list equally many entries.

    Directories are grouped by how many entries they hold, so that windows compare.
    """
    tree = spec(context)
    by_entries: dict[int, list[int]] = {}
    for directory in directories(context, tree.dirs):
        by_entries.setdefault(tree.entries(directory), []).append(directory)
    alike = max(by_entries.values(), key=len)
    each = min(SLICE_DIRECTORIES, len(alike) // context.windows)
    if each == 0:
        raise ValueError(f"the tree has too few directories for {context.windows} windows of unseen ones")
    return [alike[number * each : (number + 1) * each] for number in range(context.windows)]
