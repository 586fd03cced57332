"""What a tree looks like, and its names by index; ``workloads.tree`` is the public face.

Names are a function of the spec, so that nothing has to be listed to know them. Directories are
numbered level by level from 0, the root ``tree``; those of the last level are the leaves and hold
the files. Paths are relative to the directory a tree is built in.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import NamedTuple

from bench.model import UserError
from workloads._native import treebuilder

LAYOUT = 1
"""Number of the layout on disk and of the rule that makes names; part of every hash."""


class Children(NamedTuple):
    """How many directories and files a directory holds."""

    dirs: int
    files: int


@dataclass(frozen=True)
class TreeSpec:
    """A tree; the defaults are the preset ``small``. Same spec, same names, sizes and content."""

    depth: int = 2
    """Levels of directories below the root."""
    branching: int = 10
    """Directories in every directory that is not a leaf."""
    files_per_dir: int = 100
    """Files in every leaf."""
    name_length: int = 16
    file_size: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            if not 0 <= value < 2**63:
                raise UserError(f"tree: {key}: {value}: wanted 0 or more, below 2^63")
        try:
            treebuilder.counts(self.shape)
        except ValueError as error:
            raise UserError(f"tree: {error}") from None

    @cached_property
    def shape(self) -> treebuilder.Shape:
        """The spec as the native parts take it."""
        return (
            self.depth,
            self.branching,
            self.files_per_dir,
            self.name_length,
            self.file_size,
            self.seed,
        )

    @cached_property
    def _counts(self) -> tuple[int, int, int, int]:
        return treebuilder.counts(self.shape)

    @property
    def dir_count(self) -> int:
        """Directories, the root included."""
        return self._counts[0]

    @property
    def first_leaf(self) -> int:
        """Index of the first directory that holds files; all after it do."""
        return self._counts[1]

    @property
    def leaf_count(self) -> int:
        return self._counts[2]

    @property
    def file_count(self) -> int:
        return self._counts[3]

    @property
    def name(self) -> str:
        """The preset's name, or ``custom``."""
        return next((name for name, spec in PRESETS.items() if spec == self), "custom")

    @cached_property
    def hash(self) -> str:
        """Names the directory a tree of this spec is kept in."""
        text = json.dumps({"layout": LAYOUT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_mapping(self) -> dict[str, int | str]:
        """What a run records; ``from_mapping`` reads it."""
        counts = {"name": self.name, "files": self.file_count, "dirs": self.dir_count}
        return {**counts, **asdict(self), "hash": self.hash}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, int | str]) -> TreeSpec:
        return cls(**{key.name: int(mapping[key.name]) for key in fields(cls)})

    def dir_path(self, index: int) -> str:
        return self.dir_paths(index, 1)[0]

    def file_path(self, index: int) -> str:
        return self.file_paths(index, 1)[0]

    def missing_path(self, index: int) -> str:
        """A name that is never made, in the directory of file ``index`` (modulo their number)."""
        return self.missing_paths(index, 1)[0]

    def dir_paths(self, start: int = 0, count: int | None = None, stride: int = 1) -> list[str]:
        """Paths of directories by index; without ``count`` to the last one."""
        return self._paths("d", self.dir_count, start, count, stride)

    def file_paths(self, start: int = 0, count: int | None = None, stride: int = 1) -> list[str]:
        return self._paths("f", self.file_count, start, count, stride)

    def missing_paths(self, start: int = 0, count: int | None = None, stride: int = 1) -> list[str]:
        """Without ``count`` as many as there are files."""
        return self._paths("m", self.file_count, start, count, stride)

    def _paths(
        self, kind: treebuilder.Kind, total: int, start: int, count: int | None, stride: int
    ) -> list[str]:
        if count is None:
            count = len(range(start, total, stride))
        return treebuilder.paths(self.shape, kind, start, count, stride)

    def packed(self, kind: treebuilder.Kind, start: int, count: int, stride: int = 1) -> bytes:
        """Paths in one piece, for ``opdriver.Driver``: 10^6 of them without 10^6 objects."""
        return treebuilder.packed(self.shape, kind, start, count, stride)

    def dirs(self) -> Iterator[str]:
        """Paths of all directories, parents before children."""
        return self._iterate("d", self.dir_count)

    def files(self) -> Iterator[str]:
        """Paths of all files, directory by directory."""
        return self._iterate("f", self.file_count)

    def _iterate(self, kind: treebuilder.Kind, total: int) -> Iterator[str]:
        step = 4096
        for start in range(0, total, step):
            yield from treebuilder.paths(self.shape, kind, start, min(step, total - start))

    def children(self, dir_index: int) -> Children:
        """How many directories and files directory ``dir_index`` holds."""
        if not 0 <= dir_index < self.dir_count:
            raise IndexError(f"directory {dir_index}: there are {self.dir_count}")
        if dir_index >= self.first_leaf:
            return Children(0, self.files_per_dir)
        return Children(self.branching, 0)

    def dir_of_file(self, file_index: int) -> int:
        """Index of the directory that holds a file."""
        return self.first_leaf + file_index // self.files_per_dir


# All of one depth, so that a path costs the same number of steps in each of them.
PRESETS: Mapping[str, TreeSpec] = {
    "tiny": TreeSpec(branching=10, files_per_dir=10),  # 1 000 files, 111 directories
    "small": TreeSpec(branching=10, files_per_dir=100),  # 10 000 files, 111 directories
    "medium": TreeSpec(branching=10, files_per_dir=1000),  # 100 000 files, 111 directories
    "large": TreeSpec(branching=100, files_per_dir=100),  # 1 000 000 files, 10 101 directories
    "huge": TreeSpec(branching=100, files_per_dir=1000),  # 10 000 000 files, 10 101 directories
}


def parse_tree(text: str) -> TreeSpec:
    """A preset, ``key=value,...`` on top of ``small``, or a preset and then keys."""
    values = asdict(TreeSpec())
    for position, part in enumerate(text.split(",")):
        key, equals, number = part.strip().partition("=")
        if not equals:
            if position:
                raise UserError(f"tree: {part}: wanted key=value")
            values = asdict(_preset(key))
            continue
        if key not in values:
            raise UserError(f"tree: {key}: unknown key{_nearest(key, values)}")
        try:
            values[key] = int(number.replace("_", ""))
        except ValueError:
            raise UserError(f"tree: {key}: {number}: not a whole number") from None
    return TreeSpec(**values)


def _preset(name: str) -> TreeSpec:
    if name not in PRESETS:
        raise UserError(f"tree: {name}: no such preset{_nearest(name, PRESETS)}")
    return PRESETS[name]


def _nearest(name: str, known: Mapping[str, object]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    choices = ", ".join(known)
    return f"; did you mean {nearest[0]}? ({choices})" if nearest else f" ({choices})"
