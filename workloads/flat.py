"""Flat directories, several of each size: what workloads list that have directory size as an axis.

They lie beside the tree of names, as trees of one level: ``dirs/<entries>/tree/<directory>``. Built
only for the sizes a run asks for, reused like the tree itself.
"""

from __future__ import annotations

from pathlib import Path

from workloads.tree import Built, Data, Progress, TreeSpec, build

FOLDER = "dirs"
WINDOWS = 6
"""Windows of a default run, each with a directory that its mount has not seen."""
SMALL_ENTRIES, LARGE_ENTRIES = 12_000, 60_000
"""Entries of all directories of one size: as many as windows of small ones need, and as many as a
memory-backed file system can well hold of large ones (1.1 KB each)."""
FEWEST = 2
"""One to count requests on, and one to time."""


def folder(entries: int) -> str:
    """Where the directories of ``entries`` entries are, below a target's root."""
    return f"{FOLDER}/{entries}"


def spec(entries: int) -> TreeSpec:
    """The directories of one size as a tree; raises UserError for a size no directory can have."""
    size = max(entries, 1)
    count = max(FEWEST, min(WINDOWS, LARGE_ENTRIES // size), SMALL_ENTRIES // size)
    return TreeSpec(depth=1, branching=count, files_per_dir=entries)


def build_in(backing: Path, entries: int, progress: Progress | None = None) -> Built:
    """Have the directories of one size below ``backing``; raises UserError as ``tree.build`` does."""
    return build(spec(entries), backing / folder(entries), progress=progress, data=Data(files=0))
