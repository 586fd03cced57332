"""Bare C loops, for results/self/ to compare with; each returns the nanoseconds it took."""

from typing import final

@final
class _Names: ...

def names(packed: bytes, /) -> _Names:
    """NUL-ended names laid out for the loops."""

def statx(root: str, names: _Names, first: int, count: int, /) -> int:
    """statx of ``count`` names."""

def scan(root: str, names: _Names, first: int, count: int, /) -> int:
    """open, getdents64 to the end and close of ``count`` directories."""

def mknod(root: str, names: _Names, first: int, count: int, /) -> int:
    """mknodat of ``count`` new regular files."""

def unlink(root: str, names: _Names, first: int, count: int, /) -> int:
    """unlinkat of ``count`` names."""

def chmod(root: str, names: _Names, first: int, count: int, /) -> int:
    """fchmodat of ``count`` names."""

def utimes(root: str, names: _Names, first: int, count: int, /) -> int:
    """utimensat of ``count`` names."""

def create(
    directory: str, depth: int, branching: int, files_per_dir: int, name_length: int, /
) -> int:
    """A tree of that shape by mkdirat, openat and mknodat."""
