"""What is read from a console, without a guest."""

from __future__ import annotations

import pytest

from bench import console, vm
from bench.kernel import Image
from bench.model import UserError

PANIC = """\
[    3.120000] sysrq: Trigger a crash
[    3.121000] Kernel panic - not syncing: sysrq triggered crash
[    3.122000] CPU: 0 PID: 77 Comm: sh Not tainted 6.12.0 #1
[    3.123000] Kernel panic - not syncing: a second one
"""

SPLATS = """\
[    1.0] virtme-ng-init: WARNING is only a word here
[    9.100000] ======================================================
[    9.100001] WARNING: possible circular locking dependency detected
[    9.200000] [   T77] BUG: KASAN: slab-use-after-free in fuse_evict_inode+0x1/0x2
"""


def test_panic_line_is_the_first_one() -> None:
    assert console.panic_line(PANIC) == "Kernel panic - not syncing: sysrq triggered crash"
    assert console.panic_line("all is well") is None


def test_splats_are_first_lines_without_their_time() -> None:
    assert console.splats_in(SPLATS) == (
        "WARNING: possible circular locking dependency detected",
        "BUG: KASAN: slab-use-after-free in fuse_evict_inode+0x1/0x2",
    )


@pytest.mark.parametrize(
    ("killed", "status", "text", "outcome"),
    [
        (None, 0, "done", console.EXITED),
        (None, 3, "done", console.EXITED),
        (None, None, "reboot: Power down", console.DIED),
        ("no end after 5 s", None, "stuck", console.HUNG),
        (None, None, PANIC, console.PANICKED),
        ("no end after 5 s", None, PANIC, console.PANICKED),
    ],
)
def test_verdict(killed: str | None, status: int | None, text: str, outcome: str) -> None:
    assert console.judge(killed, status, text)[0] == outcome


def test_unknown_clock(tmp_path) -> None:
    with pytest.raises(UserError, match="no clock 'sundial'"):
        vm.boot(Image("x", tmp_path / "x"), ["true"], share=tmp_path, clock="sundial")


def test_share_that_qemu_cannot_be_told_of(tmp_path) -> None:
    with pytest.raises(UserError, match="cannot share a directory"):
        vm.boot(Image("x", tmp_path / "x"), ["true"], share=tmp_path / "a,b", accelerator=vm.TCG)
