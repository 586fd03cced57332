"""Sequences, wrong replies and stress on the lab kernel, one guest for all: nothing that is not documented.

Longer runs by hand: see kernel/README.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.kernels import vm
from tests.vm import campaigns

from .conftest import BOOT_TIMEOUT_S, GUEST_TIMEOUT_S, lab_image
from .running import ROOT

pytestmark = pytest.mark.vm


class Guest:
    """The boot, and what each campaign left."""

    def __init__(self, share: Path) -> None:
        command = f"cd {ROOT} && exec {sys.executable} -m tests.vm.campaigns {share}"
        self.share = share
        self.result = vm.boot(
            lab_image(), ["sh", "-c", command], share=share, cpus=2,
            timeout_s=GUEST_TIMEOUT_S, boot_timeout_s=BOOT_TIMEOUT_S,
        )  # fmt: skip

    def figures(self, name: str) -> dict[str, Any]:
        """What one came to; fails with what became of the guest if it did not come so far."""
        path = self.share / f"{name}.json"
        if not path.exists():
            pytest.fail(f"{name}: did not end: {self.result.outcome}, {self.result.reason}")
        found: dict[str, Any] = json.loads(path.read_text())
        return found


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return Guest(tmp_path_factory.mktemp("campaigns"))


def test_sequences_are_answered_as_natively(guest: Guest) -> None:
    """Whatever changed underneath, at every level, with and without timeouts."""
    figures = guest.figures("sequences")
    assert not figures["differences"], "\n".join(figures["differences"])
    assert figures["sequences"] == campaigns.SEQUENCES
    assert figures["operations"] > 20 * campaigns.SEQUENCES


def test_wrong_replies_leave_no_client_behind(guest: Guest) -> None:
    figures = guest.figures("replies")
    assert figures["wrong"] == []
    assert figures["replies"] >= 3 * campaigns.REPLIES
    assert figures["refused"] > 0, "nothing that was sent was wrong"


def test_stress_ends_and_leaves_no_mount(guest: Guest) -> None:
    figures = guest.figures("stress")
    assert figures["wrong"] == []
    assert figures["mounts"] == 3


def test_the_kernel_did_not_complain(guest: Guest) -> None:
    assert guest.result.ok, f"{guest.result.outcome}: {guest.result.reason}"
    assert guest.result.splats == ()
