"""The plugin's half that needs no emulator: what it writes of a window, and to a disk that is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.profile import blocks, plugin

WRITE = """
import ctypes, resource, sys
library, folder, most = ctypes.CDLL(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
library.tree_cell.restype = ctypes.POINTER(ctypes.c_uint64)
library.tree_write.restype = ctypes.c_bool
site = ctypes.c_uint64(0xffffffff81000000)
assert library.tree_init()
cell = library.tree_cell(library.tree_path(0, site), site)
cell[1], cell[2] = 41, 2
library.tree_close()
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
print(library.tree_write(folder, 7))
"""
"""As a program of its own: what it may write is limited, like on a full disk (EFBIG for ENOSPC)."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as a library."""
    source = plugin.PLUGIN.with_name("tree.c")
    made = tmp_path_factory.mktemp("tree") / "tree.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, source], check=True)
    return made


def wrote(tree: Path, folder: Path, most: int) -> bool:
    argv = [sys.executable, "-c", WRITE, str(tree), str(folder), str(most)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def test_a_window_is_written_as_the_reader_reads_it(tree: Path, tmp_path: Path) -> None:
    """One path, one block of 41 instructions, run twice."""
    assert wrote(tree, tmp_path, 1 << 20)
    window = blocks.read(blocks.path_of(tmp_path, 7))
    assert window.instructions == 41
    assert window.runs == {0xFFFFFFFF81000000: 2}


def test_a_full_disk_leaves_no_half_of_a_window(tree: Path, tmp_path: Path) -> None:
    """Nothing at all, which is one line for the reader."""
    assert not wrote(tree, tmp_path, 10)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(blocks.Unreadable, match="disk full"):
        blocks.read(blocks.path_of(tmp_path, 7))
