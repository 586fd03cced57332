"""The lab kernel's switch follows the mount's level, never above what the kernel was booted as."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine import lab_switch
from bench.model import Level


@pytest.fixture
def switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A switch and a command line of the test's own."""
    monkeypatch.setattr(lab_switch, "SWITCH", tmp_path / "iops")
    monkeypatch.setattr(lab_switch, "COMMAND_LINE", tmp_path / "cmdline")
    (tmp_path / "iops").write_text("attach-lookup\n")
    return tmp_path / "iops"


@pytest.mark.parametrize(
    ("command_line", "asked", "played"),
    [
        ("quiet", Level.LOOKUP, "lookup"),
        ("quiet", Level.RW, "mainline"),
        ("quiet fuse.iops=mainline", Level.LOOKUP, "mainline"),
        ("fuse.iops=attach-getattr quiet", Level.LOOKUP, "attach-getattr"),
        ("fuse.iops=attach-lookup", Level.ATTACH_GETATTR, "attach-getattr"),
        ("fuse.iops=lookup fuse.iops=mainline", Level.ATTACH_LOOKUP, "mainline"),
        ("fuse.iops_getattr=N", Level.LOOKUP, "lookup"),
    ],
)
def test_a_kernel_booted_as_a_variant_stays_at_or_below_it(
    switch: Path, command_line: str, asked: Level, played: str
) -> None:
    """base=lab,fuse.iops=mainline stands for an unpatched kernel throughout a run."""
    switch.with_name("cmdline").write_text(command_line + "\n")
    lab_switch.select(asked)
    assert lab_switch.variant() == played


def test_other_kernels_have_no_switch(switch: Path) -> None:
    """Kernels without the switch are given no value."""
    switch.unlink()
    lab_switch.select(Level.LOOKUP)
    assert lab_switch.variant() == ""
    assert not switch.exists()


def test_its_other_parameters_are_told_by_name(switch: Path) -> None:
    """Parameters that a kernel does not have are left out."""
    switch.with_name("iops_perm").write_text("rcu\n")
    switch.with_name("readdir_buffer").write_text("page\n")
    assert lab_switch.settings() == {"iops_perm": "rcu", "readdir_buffer": "page"}
