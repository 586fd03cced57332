"""Every workload on real mounts: its requests are those it is expected to make, no more and no fewer.

On a plain server the bounds of the workload itself; on one that passes through, what the kernel
answers by itself is counted as 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Serve
from serving import Mounted, mainline_level

from bench import mountinfo, proof, registry, worker
from bench.model import (
    Bound,
    Cache,
    Clock,
    Context,
    DaemonOptions,
    Lacking,
    Opcode,
    Order,
    Sync,
    Workload,
)
from workloads import flat, tree

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount"),
]

ENTRIES = 100
TREE = tree.PRESETS["tiny"]


def cases() -> Iterator[tuple[Workload, str, Cache, str]]:
    """Every row there is, in every cache state but those that need a disk."""
    for workload, variant in registry.rows(()):
        if workload.changing_programs if hasattr(workload, "changing_programs") else False:
            continue
        for cache in workload.caches:
            if cache is Cache.COLD_ALL:
                continue
            for order in workload.orders(variant) or ("",):
                yield workload, variant, cache, str(order)


def named(case: object) -> str:
    return case.name if isinstance(case, Workload) else str(case)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backing with the tree, directories of one size, and every fixture."""
    folder = tmp_path_factory.mktemp("filled")
    backing = folder / "backing"
    backing.mkdir()
    tree.build(TREE, backing)
    flat.build_in(backing, ENTRIES)
    return folder


def context_of(mounted: Mounted, workload: Workload, variant: str, cache: Cache) -> Context:
    """What the worker is given, at the workload's own timeouts."""
    timeouts = workload.timeouts
    return Context(
        root=mounted.root,
        tree=TREE.as_mapping(),
        variant=variant,
        cache=cache,
        threads=1,
        seed=7,
        sync=Sync.AS_STAT,
        attr_timeout=timeouts.attr if timeouts else 0.0,
        entry_timeout=timeouts.entry if timeouts else 0.0,
        names=50,
        entries=ENTRIES if workload.sized else 0,
        windows=2,
        backing=mounted.backing,
    )
