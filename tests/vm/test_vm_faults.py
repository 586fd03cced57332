"""A guest that panics, hangs or never comes up costs its boot, and leaves no qemu."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.kernels import console, images, vm
from bench.model import UserError

from .conftest import lab_image
from .running import qemus_sharing

pytestmark = pytest.mark.vm


@pytest.fixture
def image() -> images.Image:
    return lab_image()


def test_command_runs_and_its_exit_code_comes_back(image: images.Image, tmp_path: Path) -> None:
    command = ["sh", "-c", "uname -r > release; echo out; exit 7"]
    result = vm.boot(image, command, share=tmp_path, accelerator=vm.TCG)
    assert (result.outcome, result.exit_code) == (console.EXITED, 7)
    assert not result.ok
    assert (tmp_path / "release").read_text().startswith("6.12.")
    assert result.stdout.read_text().strip() == "out"
    assert not qemus_sharing(tmp_path)


def test_panic_on_purpose_is_told_by_its_first_line(image: images.Image, tmp_path: Path) -> None:
    command = ["sh", "-c", "echo kept > before; echo c > /proc/sysrq-trigger; sleep 60"]
    result = vm.boot(image, command, share=tmp_path, accelerator=vm.TCG)
    assert result.outcome == console.PANICKED
    assert result.reason == "Kernel panic - not syncing: sysrq triggered crash"
    assert (tmp_path / "before").read_text() == "kept\n"
    assert not qemus_sharing(tmp_path)


def test_hang_is_killed_when_its_time_is_over(image: images.Image, tmp_path: Path) -> None:
    result = vm.boot(image, ["sleep", "1000"], share=tmp_path, accelerator=vm.TCG, timeout_s=25.0)
    assert result.outcome == console.HUNG
    assert result.reason.startswith("no end after 25 s")
    assert result.elapsed_s < 40
    assert not qemus_sharing(tmp_path)


def test_kernel_that_never_reaches_user_space(image: images.Image, tmp_path: Path) -> None:
    result = vm.boot(
        image,
        ["true"],
        share=tmp_path,
        accelerator=vm.TCG,
        boot_timeout_s=5.0,
        kernel_args=["root=/dev/nowhere", "rootwait"],
    )
    assert result.outcome == console.HUNG
    assert result.reason.startswith("no user space after 5 s")
    assert not qemus_sharing(tmp_path)


def test_file_that_is_no_kernel(tmp_path: Path) -> None:
    path = tmp_path / "bzImage"
    path.write_bytes(b"no kernel" * 1000)
    result = vm.boot(
        images.locate(str(path)),
        ["true"],
        share=tmp_path,
        accelerator=vm.TCG,
        boot_timeout_s=5.0,
    )
    assert result.outcome in (console.DIED, console.HUNG)
    assert result.exit_code is None
    assert not qemus_sharing(tmp_path)


def test_interrupted_boot_leaves_no_qemu(
    image: images.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = time.monotonic()

    def interrupt(_watch: object, elapsed_s: float) -> None:
        if elapsed_s > 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(vm._Watch, "verdict", interrupt)
    with pytest.raises(KeyboardInterrupt):
        vm.boot(image, ["sleep", "1000"], share=tmp_path, accelerator=vm.TCG)
    assert time.monotonic() - begin < 20
    assert not qemus_sharing(tmp_path)


def test_instruction_clock_agrees_between_two_boots(image: images.Image, tmp_path: Path) -> None:
    loop = (
        "import os,time\n"
        "def run(n):\n"
        "    begin = time.monotonic_ns()\n"
        "    for _ in range(n):\n"
        "        os.stat('/proc')\n"
        "    return time.monotonic_ns() - begin\n"
        "run(2000)\n"
        "print(min(run(4000) for _ in range(5)), file=open('ns', 'w'))\n"
    )
    took = []
    for _ in range(2):
        result = vm.boot(
            image,
            ["env", "PYTHONHASHSEED=0", "python3", "-c", loop],
            share=tmp_path,
            clock=vm.INSTRUCTIONS,
        )
        assert result.ok, result.reason
        took.append(int((tmp_path / "ns").read_text()))
    # /proc, not /: a path on 9p waits for the host. Python's memory layout differs from
    # boot to boot; a native loop is closer.
    assert abs(took[0] - took[1]) / took[0] < 0.01, took


def test_instruction_clock_wants_one_cpu(image: images.Image, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one CPU"):
        vm.boot(image, ["true"], share=tmp_path, clock=vm.INSTRUCTIONS, cpus=2)
