"""Which names a workload visits: drawn from the tree's spec by the trial's seed, never by listing.

Listing a directory through the mount would leave entries behind that change every later lookup.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from bench.model import Context
from workloads.tree import TreeSpec

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


def files(context: Context) -> list[str]:
    """The storm's files, drawn from the whole tree, as paths below the target's root."""
    tree = spec(context)
    count = min(context.names, tree.file_count)
    numbers = chance(context).sample(range(tree.file_count), count)
    return [tree.file_path(number) for number in numbers]


def missing(context: Context) -> list[str]:
    """Paths in known directories that name nothing, as many as asked for."""
    tree = spec(context)
    return [tree.missing_path(number) for number in range(min(context.names, tree.file_count))]


def leaves(context: Context, count: int) -> list[int]:
    """Numbers of up to ``count`` different directories that hold files; all hold equally many."""
    tree = spec(context)
    return chance(context).sample(
        range(tree.first_leaf, tree.dir_count), min(count, tree.leaf_count)
    )


def files_of(context: Context, leaf: int) -> list[str]:
    """Path of every file in one leaf directory, by its number."""
    tree = spec(context)
    return tree.file_paths((leaf - tree.first_leaf) * tree.files_per_dir, tree.files_per_dir)


def directory_paths(context: Context, numbers: Iterable[int]) -> list[str]:
    """Paths of directories below the target's root, by their numbers."""
    tree = spec(context)
    return [tree.dir_path(number) for number in numbers]


def lacks_files(context: Context) -> str:
    """Why a storm over files cannot be shared out; empty where it can."""
    names = min(context.names, spec(context).file_count)
    if context.threads > names:
        return f"{context.threads} threads, and only {names} names to visit"
    return ""


def lacks_directories(context: Context) -> str:
    """Why a listing of several directories cannot be shared out; empty where it can."""
    found = spec(context).leaf_count
    if context.threads > found:
        return f"{context.threads} threads, and only {found} directories to list"
    return ""


def lacks_cold_files(context: Context) -> str:
    """Why there are no windows of files never seen; empty where there are."""
    tree = spec(context)
    found = min(OPEN_DIRECTORIES, tree.leaf_count) * tree.files_per_dir
    if found < context.windows:
        return f"{context.windows} windows of unseen names, and only {found} files"
    return ""


def lacks_cold_directories(context: Context) -> str:
    """Why there are no windows of directories never seen; empty where there are."""
    found = spec(context).leaf_count
    if found < context.windows:
        return f"{context.windows} windows of unseen directories, and only {found} of them"
    return ""


def cold_files(context: Context) -> list[str]:
    """Different files for all windows, in random order; each window takes an equal slice."""
    paths = [path for leaf in leaves(context, OPEN_DIRECTORIES) for path in files_of(context, leaf)]
    each = min(SLICE_NAMES, context.names, len(paths) // context.windows)
    if each == 0:
        raise ValueError(
            f"the tree has too few files for {context.windows} windows of unseen names"
        )
    return chance(context).sample(paths, each * context.windows)


def cold_directories(context: Context) -> list[list[int]]:
    """Numbers of different leaf directories for every window, equally many each."""
    numbers = leaves(context, SLICE_DIRECTORIES * context.windows)
    each = len(numbers) // context.windows
    if each == 0:
        raise ValueError(
            f"the tree has too few directories for {context.windows} windows of unseen ones"
        )
    return [numbers[window * each : (window + 1) * each] for window in range(context.windows)]
