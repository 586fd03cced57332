"""The lab kernel's operations, proven in the guest: see guest.py and guest_*.py for the tests.

Each guest test is one test here, and fails here with the guest's own message, or
with the first line of the panic that kept it from running.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import guest_all  # type: ignore[import-not-found]
from guest_all import guest

pytestmark = pytest.mark.vm

CASES = [(variant, test.__name__) for test, names in guest_all.TESTS for variant in names]
CASES.sort(key=lambda case: guest.ALL.index(case[0]))


@pytest.mark.parametrize(("variant", "name"), CASES, ids=[f"{v}-{n[5:]}" for v, n in CASES])
def test_in_guest(boot_of, variant: str, name: str) -> None:
    boot = boot_of(variant)
    entry = boot.tests.get(name)
    if entry is None:
        pytest.fail(f"did not run: {boot.result.outcome}, {boot.result.reason}")
    assert entry["outcome"] == "passed", entry["detail"]


@pytest.mark.parametrize("variant", guest.ALL)
def test_boot_ran_every_test_and_the_kernel_did_not_complain(boot_of, variant: str) -> None:
    boot = boot_of(variant)
    assert boot.result.ok, f"{boot.result.outcome}: {boot.result.reason}"
    wanted = sum(variant in names for _, names in guest_all.TESTS)
    assert (boot.done, len(boot.tests)) == (wanted, wanted)
    assert boot.header["variant"] == variant
    assert boot.result.splats == ()
    assert boot.leaks == []
