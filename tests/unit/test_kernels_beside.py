"""Several kernels in one table: each ratio of a target's own kernel, and no table where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import SLOWER_KERNEL, make_run

from bench.report.rows import rows
from bench.report.text import kernels_beside
from bench.report.text.text import table
from bench.stats.frame import load

SERVERS = ("native", "plain", "passthrough")


def test_each_kernel_has_a_column(tmp_path: Path) -> None:
    """Divided by the plain server of the same kernel: a kernel that is slower all over changes nothing."""
    targets = tuple(f"{name}@{kernel}" for kernel in ("base", "slow") for name in SERVERS)
    run = load(make_run(tmp_path, targets=targets, rows=1, effect=0.5, troubles=False))
    assert SLOWER_KERNEL > 1
    told = kernels_beside.lines(rows(run))
    heads = next(line.split() for line in told if "slow" in line)
    assert heads == ["base", "slow"]
    name, *ratios = told[-1].split()
    assert name == "passthrough"
    assert [float(one) for one in ratios] == pytest.approx([0.5, 0.5], rel=0.1)
    assert told[0] in table(run, rows(run))
    assert max(map(len, told)) <= 72


def test_one_kernel_has_no_table(tmp_path: Path) -> None:
    """Nothing to put beside it."""
    assert not kernels_beside.lines(rows(load(make_run(tmp_path, targets=SERVERS, rows=1))))
