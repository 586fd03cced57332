"""`bench` on guests as a person runs it: faults, probe, a disk beneath the mounts, `kernel diff`."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.model import Exit
from bench.regression import diff

from .conftest import lab_image
from .hosts import COMMIT, Processes
from .running import bench, qemus_sharing, trials

pytestmark = pytest.mark.vm


def test_a_kernel_that_never_reaches_user_space_is_one_line(tmp_path: Path) -> None:
    """A kernel's header and nothing behind it: exit 3, a reason, no qemu left."""
    image = tmp_path / "bzImage"
    image.write_bytes(b"\0" * 0x202 + b"HdrS" + b"\0" * 65536)
    done = bench(
        "run", "--kernel", str(image), "--workload", "readdir", "--no-report",
        "--output", str(tmp_path / "run"), module="tests.vm.impatient",
    )  # fmt: skip
    assert done.returncode == Exit.NOTHING
    assert "does not get as far as a trial" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not qemus_sharing(tmp_path)


def test_an_unknown_kernel_says_how_to_get_one(tmp_path: Path) -> None:
    """Neither a file nor built here."""
    done = bench("run", "--kernel", "nosuch", "--output", str(tmp_path / "run"))
    assert done.returncode == Exit.USAGE
    assert "kernel build" in done.stderr


def test_probe_names_every_variant() -> None:
    """What `kernel probe lab` prints is found by behaviour; who asks again waits for no guest."""
    done = bench("kernel", "probe", str(lab_image().path), "--json", "--again")
    assert done.returncode == Exit.MEASURED, done.stderr
    found = json.loads(done.stdout)["variants"]
    assert [(entry["variant"], entry["level"], entry["readdir"]) for entry in found] == [
        ("mainline", "rw", False),
        ("attach-getattr", "attach-getattr", True),
        ("attach-lookup", "attach-lookup", True),
        ("lookup", "lookup", True),
    ]
    known = bench("kernel", "probe", str(lab_image().path), "--json", module="tests.vm.impatient")
    assert known.stdout == done.stdout, known.stderr


def test_a_disk_beneath_the_mounts_can_be_made_cold(tmp_path: Path) -> None:
    """ext4 on a virtio disk, caches dropped before every mount; told in run.json, image gone."""
    output = tmp_path / "run"
    done = bench(
        "run", "--daemon", "native", "--daemon", "passthrough-c", "--only",
        "--kernel", str(lab_image().path), "--backing-fs", "ext4", "--cache", "cold-all",
        "--workload", "lookup-cold", "--trials", "1", "--no-report", "--output", str(output),
    )  # fmt: skip
    assert done.returncode == Exit.MEASURED, done.stderr
    backing = json.loads((output / "run.json").read_text())["backing"]
    assert backing["filesystem"] == "ext4"
    assert "rw" in backing["options"].split(",")
    assert "virtio-blk" in backing["device"]
    assert {trial["target"] for trial in trials(output)} == {"native", "passthrough-c"}
    for trial in trials(output):
        assert (trial["outcome"], trial["cache"]) == ("ok", "cold-all"), trial["reason"]
        assert "drop_caches" in trial["cache_how"]
        if trial["requests"]:
            assert trial["requests"]["kernel"] == {"LOOKUP": trial["requests"]["ops"]}
    assert not list(output.rglob("*.part"))


@pytest.mark.parametrize(
    ("parameter", "code"),
    [("", Exit.MEASURED), (",fuse.iops=mainline", diff.SLOWER)],
)
def test_kernel_diff_is_a_verdict(tmp_path: Path, parameter: str, code: int) -> None:
    """A kernel beside itself: 0; one that passes nothing through beside one that does: 1."""
    image = lab_image().path
    done = bench(
        "kernel", "diff", f"a={image}", f"b={image}{parameter}", "--only", "--json", "--trials", "1",
        "--daemon", "passthrough-c", "--workload", "getattr-storm/fd", "--workload", "readdir",
        "--output", str(tmp_path / "run"),
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    assert [row["row"] for row in found["rows"]] == ["getattr-storm/fd", "readdir"]
    for row in found["rows"]:
        worse = code != Exit.MEASURED
        assert row["regressed"] is worse
        assert (row["new"]["requests"] > row["old"]["requests"]) is worse


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Processes]:
    """A scheduler and two workers that boot real guests."""
    made = Processes(tmp_path)
    try:
        for _ in range(2):
            made.worker(script=("-m", "bench"))
        yield made
    finally:
        made.end()


def test_boots_side_by_side_do_what_they_do_one_by_one(tmp_path: Path, fleet: Processes) -> None:
    """Two boots of one kernel: the same trials in the same order with one job, with two, and by two
    workers of a scheduler; the same requests to the last one, the same instructions window by window;
    no boot is left.
    """
    found = {}
    ways = {"1": ("--jobs", "1"), "2": ("--jobs", "2"), "fleet": ("--scheduler", fleet.address)}
    for way, options in ways.items():
        output = tmp_path / way
        done = bench(
            "run", "--kernel", str(lab_image().path), "--clock", "instructions", *options,
            "--daemon", "passthrough-c", "--daemon", "plain-c", "--only", "--seed", "5",
            "--workload", "getattr-storm/fd", "--workload", "lookup-cold", "--no-report",
            "--output", str(output), env={**os.environ, "FUSE_BENCH_COMMIT": COMMIT},
        )  # fmt: skip
        assert done.returncode == Exit.MEASURED, done.stderr
        header = json.loads((output / "run.json").read_text())
        assert sorted(header["boots"]) == [["bzImage", 0, 0], ["bzImage", 1, 0]]
        lines = sorted(trials(output), key=lambda line: (line["round"], line["position"]))
        found[way] = {(line["round"], line["position"]): line for line in lines}
    assert not qemus_sharing(tmp_path)
    one = found.pop("1")
    for way, others in found.items():
        assert one.keys() == others.keys()
        for key, line in one.items():
            same_work(line, others[key], way)


def same_work(line: dict[str, Any], other: dict[str, Any], way: str) -> None:
    """Two lines of one trial: seed, loops, requests alike, and instructions, window by window.

    Half of the windows at least: the cold ones have names of their own, so they differ from one another
    by up to 1.2 %, but from their like in another boot by 0.01 %. Now and then one of them takes some 7000
    instructions more, whatever else the host does, which moves a median over windows by 0.2 %.
    """
    for what in ("series", "seed", "loops", "requests"):
        assert line[what] == other[what], way
    ratios = [one / two for one, two in zip(line["values"], other["values"], strict=True)]
    assert statistics.median(ratios) == pytest.approx(1, rel=0.001), (way, line["series"], ratios)
