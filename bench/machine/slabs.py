"""The kernel's slab caches as /proc/slabinfo tells them: bytes by cache, and their growth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

SLABINFO = Path("/proc/slabinfo")
"""Root only; there with CONFIG_SLUB_DEBUG (mm/slab_common.c, "slabinfo - version: 2.1")."""


def read() -> dict[str, int] | None:
    """Bytes of live objects by cache, their share of unused slab space included; None: no such file."""
    try:
        return parse(SLABINFO.read_text(), os.sysconf("SC_PAGESIZE"))
    except OSError:
        return None


def parse(text: str, page: int) -> dict[str, int]:
    """``name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> ...`` lines as bytes.

    An object costs its share of the slab, not its own size: what does not fit in is lost too.
    """
    found: dict[str, int] = {}
    for line in text.splitlines()[2:]:
        name, active, _total, _size, per_slab, pages, *_ = line.split()
        found[name] = int(active) * int(pages) * page // int(per_slab)
    return found


def growth(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Bytes by which each cache grew (negative: shrank), where it changed."""
    names = before.keys() | after.keys()
    changes = {name: after.get(name, 0) - before.get(name, 0) for name in names}
    return {name: change for name, change in sorted(changes.items()) if change}
