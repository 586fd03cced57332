"""What a step of ``bench bisect`` measures, with real boots; kernels are not built here.

A whole bisection builds a kernel at each step and is no matter of minutes: tests/unit/test_bisect.py
has the search itself, over a real git repository.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import bisect, bisect_cli
from bench.bisect import Verdict

from .conftest import lab_image

pytestmark = pytest.mark.vm


def test_a_kernel_that_passes_less_through_is_bad(tmp_path: Path) -> None:
    """The lab kernel with its series switched off costs more instructions, far beyond the noise."""
    image = str(lab_image().path)
    job = bisect.Job(
        tree="",
        output=str(tmp_path),
        daemon="passthrough-c",
        workloads=("getattr-storm/fd",),
        threshold=1.0,
        base=image,
    )
    figures = bisect_cli.measure(job, f"{image},fuse.iops=mainline", tmp_path / "run")
    assert set(figures) == {
        ("getattr-storm/fd", "passthrough-c", label) for label in (bisect.BASE, bisect.TRIED)
    }
    assert bisect.judge(figures, job.threshold)[0] is Verdict.BAD
    turned = {
        (row, target, bisect.TRIED if label == bisect.BASE else bisect.BASE): figure
        for (row, target, label), figure in figures.items()
    }
    assert bisect.judge(turned, job.threshold)[0] is Verdict.GOOD
