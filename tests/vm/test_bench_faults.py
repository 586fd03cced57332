"""Faults under `bench run --kernel`: one clear line, finished trials kept, no qemu left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.model import Exit

from .conftest import lab_image
from .running import ROOT, bench, qemus_sharing, start, trials

pytestmark = pytest.mark.vm

ROWS = ("--workload", "getattr-storm/fd", "--workload", "getattr-storm/at", "--workload", "readdir")


def lab(*parameters: str) -> str:
    """The lab kernel, called lab, as --kernel takes it."""
    return ",".join([f"lab={lab_image().path}", *parameters])


def run(output: Path, *options: str, parameters: tuple[str, ...] = ()) -> list[str]:
    """A run of one round with one server in C; --quick, so that no trial is made again."""
    return [
        "run", "--quick", "--daemon", "passthrough-c", "--only", "--kernel", lab(*parameters),
        "--trials", "1", "--no-report", "--output", str(output), *options,
    ]  # fmt: skip


def mirror(name: str) -> dict[str, str]:
    """The environment in which the C mirror is one that goes wrong."""
    return {**os.environ, "FUSE_BENCH_MIRROR": str(ROOT / "tests" / "vm" / name)}


def test_a_panic_costs_one_trial_and_the_run_goes_on(tmp_path: Path) -> None:
    """A server that brings the kernel down: the trial before it is kept, the one after it is done."""
    output = tmp_path / "run"
    done = bench(*run(output, *ROWS), env=mirror("mirror_that_panics.sh"))
    assert done.returncode == Exit.PROOF_FAILED, done.stderr
    assert [trial["outcome"] for trial in trials(output)] == ["ok", "failed", "ok"]
    reason = trials(output)[1]["reason"]
    assert reason == "guest panicked: Kernel panic - not syncing: sysrq triggered crash"
    assert len({trial["series"] for trial in trials(output)}) == 3
    console = output / "boots" / "00-lab-0" / "guest.console"
    assert "Kernel panic" in console.read_text(errors="replace")
    assert json.loads((output / "run.json").read_text())["finished"]
    assert not qemus_sharing(tmp_path)


def test_a_guest_out_of_memory_costs_one_trial_and_names_the_option(tmp_path: Path) -> None:
    """A server killed by its kernel for want of memory, which the guest survives."""
    output = tmp_path / "run"
    done = bench(*run(output, *ROWS), env=mirror("mirror_out_of_memory.sh"))
    assert done.returncode == Exit.PROOF_FAILED, done.stderr
    assert [trial["outcome"] for trial in trials(output)] == ["ok", "failed", "ok"]
    reason = trials(output)[1]["reason"]
    assert "guest out of memory: Out of memory: Killed process" in reason
    assert reason.endswith("give the guest more with --memory")
    assert [path.name for path in (output / "boots").glob("00-*")] == ["00-lab-0"]


def test_too_little_memory_to_boot_names_the_option(tmp_path: Path) -> None:
    """Exit 3, one line."""
    done = bench(*run(tmp_path / "run", *ROWS, "--memory", "44"))
    assert done.returncode == Exit.NOTHING
    last = done.stderr.splitlines()[-1]
    assert "guest out of memory" in last
    assert "give the guest more with --memory" in last
    assert not qemus_sharing(tmp_path)


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("initcall_blacklist=fuse_init", "CONFIG_FUSE_FS"),
        ("initcall_blacklist=init_v9fs", "CONFIG_9P_FS"),
        ("initcall_blacklist=p9_virtio_init", "CONFIG_NET_9P_VIRTIO"),
    ],
)
def test_a_kernel_without_what_a_guest_needs_is_told_so(
    tmp_path: Path, parameter: str, words: str
) -> None:
    """Neither FUSE nor 9p came up: exit 3, and the option that is missing."""
    done = bench(*run(tmp_path / "run", *ROWS, parameters=(parameter,)))
    assert done.returncode == Exit.NOTHING
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not qemus_sharing(tmp_path)


def test_ctrl_c_keeps_what_is_done_and_resume_finishes_it(tmp_path: Path) -> None:
    """Between two trials of a boot: exit 130, no qemu; the rest is done once, in a new boot."""
    output = tmp_path / "run"
    process = start(*run(output, "--json", *ROWS))
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    assert "--resume" in words
    assert not qemus_sharing(tmp_path)
    kept = trials(output)
    assert kept
    done = bench("run", "--no-report", "--resume", str(output))
    assert done.returncode == Exit.MEASURED, done.stderr
    assert trials(output)[: len(kept)] == kept
    assert len({trial["series"] for trial in trials(output)}) == len(trials(output)) == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of its own for the results."""
    place = tmp_path / "results"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "bench-test", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(directory: Path) -> None:
    """Leave no byte free."""
    with (directory / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            return


def test_a_full_disk_under_the_results_ends_the_run_with_a_line(small_disk: Path) -> None:
    """What was written before is whole, and a run with room again finishes it."""
    process = start(*run(small_disk / "run", "--json", *ROWS))
    assert process.stdout is not None
    assert process.stdout.readline()
    fill(small_disk)
    _, words = process.communicate(timeout=120)
    assert process.returncode == Exit.PROOF_FAILED, words
    assert "cannot write results" in words.splitlines()[-1]
    assert "--resume" in words.splitlines()[-1]
    assert "Traceback" not in words
    assert not qemus_sharing(small_disk)
    kept, *_ = trials(small_disk / "run")
    assert kept["outcome"] == "ok"
