"""Bytecode of what guests load, written ahead: they cannot keep it, as their root is read-only.

A module compiled in an emulated guest is compiled in every boot anew.
"""

from __future__ import annotations

import compileall
import functools
from pathlib import Path


@functools.cache
def written() -> None:
    """Once in this process: the bytecode of the suite's packages; where it cannot be, guests compile."""
    import bench
    import daemons
    import workloads

    for package in (bench, daemons, workloads):
        write(Path(package.__path__[0]))


def write(folder: Path) -> None:
    """The bytecode of all modules below, of those that have none or an old one."""
    compileall.compile_dir(folder, quiet=2)
