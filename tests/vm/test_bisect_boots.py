"""What a step of ``bench bisect`` measures, with real boots; kernels are not built here.

A whole bisection builds a kernel at each step and is no matter of minutes: tests/unit/test_bisect.py
has the search itself, over a real git repository.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands import bisect as bisect_command
from bench.regression import bisect
from bench.regression.bisect import StepVerdict

from .conftest import lab_image

pytestmark = pytest.mark.vm


@pytest.mark.parametrize(
    ("parameter", "verdict"), [("", StepVerdict.GOOD), (",init_on_alloc=1", StepVerdict.BAD)]
)
def test_a_kernel_that_does_more_is_bad(
    tmp_path: Path, parameter: str, verdict: StepVerdict
) -> None:
    """An image is good; told to clear what it allocates, it clears 4 KiB for every path, and is bad.

    Not ``fuse.iops``: the runner turns that switch itself, to what each mount is to see.
    """
    image = str(lab_image().path)
    job = bisect.StepJob(
        tree="",
        output=str(tmp_path),
        daemon="native",
        workloads=("getattr-storm/path",),
        threshold=1.0,
        base=image,
    )
    figures = bisect_command.measure(job, f"{image}{parameter}", tmp_path / "run")
    assert set(figures) == {
        ("getattr-storm/path", "native", label) for label in (bisect.BASE, bisect.TRIED)
    }
    assert bisect.judge(figures, job.threshold)[0] is verdict, figures
