"""Trees whose names follow from their shape, built by several threads in C; see workloads.tree."""

from collections.abc import Callable
from typing import Literal, TypeAlias

Shape: TypeAlias = tuple[int, int, int, int, int, int]
"""depth, branching, files_per_dir, name_length, file_size, seed"""
Kind: TypeAlias = Literal["d", "f", "m"]
"""Directory, file, or a name that is never made."""

def counts(shape: Shape, /) -> tuple[int, int, int, int]:
    """``(dirs, first_leaf, leaves, files)``; ValueError says what is wrong with a shape."""

def paths(shape: Shape, kind: Kind, start: int, count: int, stride: int = 1, /) -> list[str]:
    """Paths from the directory that holds ``tree/``, by index."""

def packed(shape: Shape, kind: Kind, start: int, count: int, stride: int = 1, /) -> bytes:
    """The same, each path ended by NUL, as ``opdriver.Driver`` takes them."""

def build(
    fd: int,
    shape: Shape,
    threads: int,
    data_files: int,
    data_bytes: int,
    progress: Callable[[int, int], object] | None,
    /,
) -> None:
    """Make ``tree/`` and ``data/`` in the directory ``fd``; OSError names what failed."""

def remove(fd: int, name: str, threads: int = 1, /) -> None:
    """Remove ``name`` in the directory ``fd`` and everything below, on this file system only."""

def check(fd: int, shape: Shape, dirs: int, files: int, built_ns: int, /) -> str | None:
    """Look at that many directories and files; what is not as it was built, or None."""

def filesystem(fd: int, /) -> int:
    """The magic number of the file system (statfs f_type)."""
