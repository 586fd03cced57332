"""``--attach`` of our servers on the lab kernel: with ``files`` directories cost what they always did."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.kernels import vm
from tests.vm.attaching import LOOKS

from .conftest import BOOT_TIMEOUT_S, GUEST_TIMEOUT_S, lab_image
from .running import ROOT

pytestmark = pytest.mark.vm


def test_files_attaches_regular_files_and_nothing_else(tmp_path: Path) -> None:
    """The root, a directory and a symbolic link take one GETATTR for each look, or none with ``all``."""
    command = f"cd {ROOT} && exec {sys.executable} -m tests.vm.attaching {tmp_path}"
    done = vm.boot(
        lab_image(), ["sh", "-c", command], share=tmp_path, cpus=2,
        timeout_s=GUEST_TIMEOUT_S, boot_timeout_s=BOOT_TIMEOUT_S,
    )  # fmt: skip
    assert done.ok, f"{done.outcome}: {done.reason}\n{done.stdout.read_text()[-2000:]}"
    found = json.loads((tmp_path / "attaching.json").read_text())
    assert len(found) == 8
    others = {"files": LOOKS, "all": 0}
    for name, level, what, counts in found:
        wanted = {".": others[what], "d": others[what], "s": others[what], "f": 0}
        assert counts == wanted, f"{name} at {level}, --attach {what}"
