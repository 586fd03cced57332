"""What is read from a console, without a guest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.kernels import console, vm
from bench.kernels.images import Image
from bench.model import Exit, UserError

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


OOM = "Out of memory: Killed process 77 (python)"
DEADLOCK = "Kernel panic - not syncing: System is deadlocked on memory"
NO_ROOT = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (137, f"[    9.1] {OOM} total-vm:9kB", f"guest out of memory: {OOM}; exit code 137; give"),
        (None, f"[    1.0] {DEADLOCK}", f"guest out of memory: {DEADLOCK}; give the guest more"),
    ],
)
def test_want_of_memory_names_the_option(status: int | None, text: str, words: str) -> None:
    """Whatever else the boot came to."""
    reason = console.judge(None, status, text)[2]
    assert reason.startswith(words)
    assert reason.endswith("--memory")


def test_memory_that_sufficed_in_the_end_is_not_a_reason() -> None:
    """A kill that the command survived is told elsewhere."""
    assert console.judge(None, 0, OOM) == (console.EXITED, 0, "exit code 0")
    assert console.oom_line(f"[    9.1] {OOM} total-vm:9kB") == OOM


def test_a_root_that_does_not_mount_names_9p() -> None:
    """The usual fault of a configuration that was not made for guests."""
    outcome, _, reason = console.judge(None, None, f"[    1.0] {NO_ROOT}")
    assert outcome == console.PANICKED
    assert "CONFIG_9P_FS" in reason


@pytest.mark.parametrize(
    ("there", "words"), [([], "pip install virtme-ng"), (["vng"], "install qemu-system-x86")]
)
def test_missing_programs_are_named(
    there: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3: nothing can be measured in a guest here."""
    for name in there:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(UserError, match=words) as caught:
        vm.vng()
    assert caught.value.code is Exit.NOTHING


@pytest.mark.parametrize(
    ("script", "outcome", "boots"),
    [
        ("test -e $again && echo 7 > $state/status", console.EXITED, 2),
        ("true", console.DIED, 2),
        ("touch $state/started", console.DIED, 1),
        ("echo Kernel panic - not syncing: no >&2", console.PANICKED, 1),
    ],
)
def test_a_qemu_that_dies_before_user_space_gets_one_more_boot(
    script: str, outcome: str, boots: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest that came up, or said why not, gets no second boot."""
    here = f"state={tmp_path}/.guest.state; again={tmp_path}/again; boots={tmp_path}/boots;"
    words = ["sh", "-c", f"{here} echo >> $boots; {script}; touch $again"]
    monkeypatch.setattr(vm, "_argv", lambda *_arguments: words)
    monkeypatch.setattr(vm, "cage", tuple)
    result = vm.boot(Image("x", tmp_path / "x"), [], share=tmp_path, accelerator=vm.TCG)
    assert result.outcome == outcome
    assert len((tmp_path / "boots").read_text().splitlines()) == boots


def test_unknown_clock(tmp_path) -> None:
    with pytest.raises(UserError, match="no clock 'sundial'"):
        vm.boot(Image("x", tmp_path / "x"), ["true"], share=tmp_path, clock="sundial")


def test_share_that_qemu_cannot_be_told_of(tmp_path) -> None:
    with pytest.raises(UserError, match="cannot share a directory"):
        vm.boot(Image("x", tmp_path / "x"), ["true"], share=tmp_path / "a,b", accelerator=vm.TCG)


def test_a_guest_does_not_run_systemd_tmpfiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What starts qemu covers it, where nobody else sees that, and does not need it to be there."""
    program = tmp_path / "systemd-tmpfiles"
    program.write_text("#!/bin/sh\necho made files\n")
    program.chmod(0o755)
    monkeypatch.setattr(vm, "_CAGE", ())
    monkeypatch.setattr(vm.shutil, "which", {"true": "/bin/true"}.get)
    vm.cage.cache_clear()
    assert vm.cage() == ()
    monkeypatch.setattr(vm.shutil, "which", {"true": "/bin/true", program.name: str(program)}.get)
    monkeypatch.setattr(vm, "_CAGE", ("env", "PATH=" + str(tmp_path) + ":/usr/bin:/bin"))
    (tmp_path / "mount").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "mount").chmod(0o755)
    vm.cage.cache_clear()
    done = subprocess.run([*vm.cage(), "echo", "two words"], capture_output=True, text=True)
    vm.cage.cache_clear()
    assert done.stdout == f"--bind /bin/true {program}\ntwo words\n"
