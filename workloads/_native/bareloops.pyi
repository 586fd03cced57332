"""Bare C loops, for results/self/ to compare with; each returns the nanoseconds it took."""

def statx(root: str, packed_names: bytes, repeat: int, /) -> int:
    """statx of each name, ``repeat`` times over."""

def scan(root: str, packed_names: bytes, repeat: int, /) -> int:
    """open, getdents64 to the end and close of each directory, ``repeat`` times over."""

def create(
    directory: str, depth: int, branching: int, files_per_dir: int, name_length: int, /
) -> int:
    """A tree of that shape by mkdirat, openat and mknodat."""
