"""Profiles of real guests: nothing lost, the same from boot to boot, the culprit named first."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.kernels import images
from bench.kernels.build import build
from bench.kernels.recipe import KERNEL_DIR
from bench.model import Exit
from bench.profile import difference, store
from bench.profile.resolve import MOST_APART
from bench.profile.store import Profile
from bench.regression.diff import SLOWER

from .conftest import lab_image
from .running import bench, trials

pytestmark = pytest.mark.vm

LEAST_NAMED = 0.98
"""The share of every profile that has a name, at least."""


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two boots: two rows, cold and warm, on native and the C servers."""
    output = tmp_path_factory.mktemp("profiled") / "run"
    done = bench(
        "run", "--only", "--daemon", "native", "--daemon", "plain-c", "--daemon", "passthrough-c",
        "--kernel", str(lab_image().path), "--clock", "instructions", "--profile", "--trials", "2",
        "--workload", "getattr-storm/path", "--workload", "walk-du", "--output", str(output),
    )  # fmt: skip
    assert done.returncode == Exit.MEASURED, done.stderr
    assert "no profile" not in done.stderr
    return output


def read(run: Path) -> dict[tuple[str, int], tuple[dict[str, Any], Profile]]:
    """(series, round) -> the trial and its profile."""
    return {
        (trial["series"], trial["round"]): (trial, store.read(run, trial["profile"]))
        for trial in trials(run)
    }


def test_every_instruction_of_a_window_is_in_its_profile(profiled: Path) -> None:
    """The sum is the instruction clock's figure for that window, within a thousandth; names for 98 %."""
    found = read(profiled)
    assert len(found) >= 12
    for (series, _), (trial, profile) in found.items():
        clock = trial["profile"]["clock"]
        assert abs(profile.instructions / clock - 1) <= MOST_APART, series
        assert profile.unnamed <= 1 - LEAST_NAMED, series


def test_the_profiled_window_does_what_the_timed_ones_do(profiled: Path) -> None:
    """Instructions per operation are those of the trial's values."""
    for (series, _), (trial, profile) in read(profiled).items():
        if trial["cache"] == "warm":
            middle = sorted(trial["values"])[len(trial["values"]) // 2]
            assert profile.per_op == pytest.approx(middle, rel=0.01), series


def test_two_boots_profiles_agree_function_by_function(profiled: Path) -> None:
    """Warm rows: no function is farther apart than a thousandth of the whole."""
    found = read(profiled)
    compared = 0
    for (series, number), (trial, profile) in found.items():
        if number or trial["cache"] != "warm":
            continue
        other = found[series, 1][1]
        apart = difference.between(profile, other).functions[0]
        assert abs(apart.change) <= 0.001 * profile.per_op, (series, apart)
        compared += 1
    assert compared >= 3


def test_client_and_server_are_told_apart(profiled: Path) -> None:
    """A request's path: system call, FUSE, wake-up; the server's read, its own functions, its stat."""
    (_, profile) = next(
        entry
        for (series, _), entry in read(profiled).items()
        if series == "getattr-storm--path--warm--t1--to0-0--plain-c"
    )
    contexts = profile.by_context()
    assert contexts["client"] > 1000
    assert contexts["server"] > 1000
    stacks = [" ".join(stack) for stack in profile.folded]
    for kind, *frames in (
        ("client", "opdriver:", "do_syscall_64", "vfs_statx", "fuse_", "__schedule"),
        ("server", "mirror:", "do_syscall_64", "fuse_dev_do_read", "__schedule"),
        ("server", "mirror:", "do_syscall_64", "vfs_statx"),
    ):
        at = [stack for stack in stacks if stack.startswith(kind)]
        for frame in frames:
            at = [stack for stack in at if frame in stack]
        assert at, (kind, frames)


def test_native_has_no_server(profiled: Path) -> None:
    """No server and no FUSE are in the stacks of native."""
    for (series, _), (_, profile) in read(profiled).items():
        if series.endswith("--native"):
            assert "server" not in profile.by_context()
            assert profile.by_subsystem().get("FUSE", 0.0) < 1.0, series


def test_the_command_shows_what_the_files_hold(profiled: Path, tmp_path: Path) -> None:
    """Text, JSON, folded stacks, a flame graph; the report has tables and pictures."""
    row, files = "getattr-storm--path", {kind: tmp_path / kind for kind in ("folded", "svg")}
    done = bench(
        "profile", str(profiled), row, "native", "passthrough-c", "--json",
        "--folded", str(files["folded"]), "--svg", str(files["svg"]),
    )  # fmt: skip
    assert done.returncode == Exit.MEASURED, done.stderr
    told = json.loads(done.stdout)
    whole = told["difference"]["new"] - told["difference"]["old"]
    assert sum(line["new"] - line["old"] for line in told["difference"]["functions"]) == (
        pytest.approx(whole)
    )
    assert files["folded"].read_text().startswith("client;")
    assert files["svg"].read_text().startswith("<svg ")
    report = profiled / "report"
    assert "passthrough-c less native" in (report / "profiles.txt").read_text()
    assert 'id="profile"' in (report / "index.html").read_text()


def test_without_profile_nothing_is_loaded_or_kept(tmp_path: Path) -> None:
    """A row without --profile has the same instructions, no plugin, no folder."""
    figures = []
    for number, option in enumerate(((), ("--profile",))):
        output = tmp_path / str(number)
        done = bench(
            "run", "--only", "--daemon", "native", "--kernel", str(lab_image().path),
            "--clock", "instructions", "--trials", "1", "--workload", "getattr-storm/fd",
            "--seed", "5", "--no-report", "--output", str(output), *option,
        )  # fmt: skip
        assert done.returncode == Exit.MEASURED, done.stderr
        (trial,) = trials(output)
        figures.append(sorted(trial["values"])[2])
    assert not (tmp_path / "0" / store.FOLDER).exists()
    assert figures[0] == pytest.approx(figures[1], rel=0.001)


def slower_lab(folder: Path) -> images.Image:
    """The lab kernel with one line more; built once, ten minutes, and kept like the lab kernel.

    $LAB_SLOWER_KERNEL names an image of it, where $LAB_KERNEL names one of the lab kernel.
    """
    if chosen := os.environ.get("LAB_SLOWER_KERNEL"):
        return images.locate(chosen)
    shutil.copytree(KERNEL_DIR / "patches", folder)
    shutil.copy(Path(__file__).with_name("slower.patch"), folder / "9999-slower-on-purpose.patch")
    return build("lab-slower", patches=folder)


def test_a_slow_line_put_into_the_kernel_is_named_first(tmp_path: Path) -> None:
    """By kernel diff --profile, as function and subsystem, ahead of all else."""
    slower = slower_lab(tmp_path / "patches")
    done = bench(
        "kernel", "diff", f"base={lab_image().path}", f"patched={slower.path}", "--profile",
        "--daemon", "plain-c", "--only", "--workload", "getattr-storm/fd", "--trials", "1",
        "--json", "--output", str(tmp_path / "run"),
    )  # fmt: skip
    assert done.returncode == SLOWER, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    first, *others = row["functions"]
    assert (first["function"], first["subsystem"]) == ("fuse_change_attributes_common", "FUSE")
    assert first["change"] > 10 * abs(others[0]["change"])
