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
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """A kernel's header and nothing behind it: exit 3, a reason, no qemu left."""
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  image = tmp_path / "bzImage"
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  image.write_bytes(b"\0" * 0x202 + b"HdrS" + b"\0" * 65536)
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  done = bench(
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      "run", "--kernel", str(image), "--workload", "readdir", "--no-report",
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      "--output", str(tmp_path / "run"), module="tests.vm.impatient",
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  )  # fmt: skip
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert done.returncode == Exit.NOTHING
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert "does not get as far as a trial" in done.stderr.splitlines()[-1]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert "Traceback" not in done.stderr
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert not qemus_sharing(tmp_path)


def test_an_unknown_kernel_says_how_to_get_one(tmp_path: Path) -> None:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """Neither a file nor built here."""
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  done = bench("run", "--kernel", "nosuch", "--output", str(tmp_path / "run"))
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert done.returncode == Exit.USAGE
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert "kernel build" in done.stderr


def test_probe_names_every_variant() -> None:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """What `kernel probe lab` prints is found by behaviour; who asks again waits for no guest."""
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  done = bench("kernel", "probe", str(lab_image().path), "--json", "--again")
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert done.returncode == Exit.MEASURED, done.stderr
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  found = json.loads(done.stdout)["variants"]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert [(entry["variant"], entry["level"], entry["readdir"]) for entry in found] == [
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      ("mainline", "rw", False),
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      ("attach-getattr", "attach-getattr", True),
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      ("attach-lookup", "attach-lookup", True),
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      ("lookup", "lookup", True),
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  ]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  known = bench("kernel", "probe", str(lab_image().path), "--json", module="tests.vm.impatient")
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert known.stdout == done.stdout, known.stderr


def test_a_disk_beneath_the_mounts_can_be_made_cold(tmp_path: Path) -> None:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """ext4 on a virtio disk, caches dropped before every mount; told in run.json, image gone."""
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  output = tmp_path / "run"
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  done = bench(
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      "run", "--daemon", "native", "--daemon", "passthrough-c", "--only",
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      "--kernel", str(lab_image().path), "--backing-fs", "ext4", "--cache", "cold-all",
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      "--workload", "lookup-cold", "--trials", "1", "--no-report", "--output", str(output),
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  )  # fmt: skip
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert done.returncode == Exit.MEASURED, done.stderr
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  backing = json.loads((output / "run.json").read_text())["backing"]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert backing["filesystem"] == "ext4"
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert "rw" in backing["options"].split(",")
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert "virtio-blk" in backing["device"]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert {trial["target"] for trial in trials(output)} == {"native", "passthrough-c"}
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  for trial in trials(output):
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      assert (trial["outcome"], trial["cache"]) == ("ok", "cold-all"), trial["reason"]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      assert "drop_caches" in trial["cache_how"]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      if trial["requests"]:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests          assert trial["requests"]["kernel"] == {"LOOKUP": trial["requests"]["ops"]}
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert not list(output.rglob("*.part"))


@pytest.mark.parametrize(
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  ("parameter", "code"),
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  [("", Exit.MEASURED), (",fuse.iops=mainline", diff.SLOWER)],
)
def test_kernel_diff_is_a_verdict(tmp_path: Path, parameter: str, code: int) -> None:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """A kernel beside itself: 0; one that passes nothing through beside one that does: 1."""
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  image = lab_image().path
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  done = bench(
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      "kernel", "diff", f"a={image}", f"b={image}{parameter}", "--only", "--json", "--trials", "1",
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      "--daemon", "passthrough-c", "--workload", "getattr-storm/fd", "--workload", "readdir",
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      "--output", str(tmp_path / "run"),
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  )  # fmt: skip
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert done.returncode == code, done.stderr
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  found = json.loads(done.stdout)
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert [row["row"] for row in found["rows"]] == ["getattr-storm/fd", "readdir"]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  for row in found["rows"]:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      worse = code != Exit.MEASURED
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      assert row["regressed"] is worse
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      assert (row["new"]["requests"] > row["old"]["requests"]) is worse


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Processes]:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """A scheduler and two workers that boot real guests."""
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  made = Processes(tmp_path)
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  try:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      for _ in range(2):
 cold windows of passthrough-c were up to 0.4 % apart beside other tests          made.worker(script=("-m", "bench"))
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      yield made
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  finally:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      made.end()


@pytest.mark.alone cold windows of passthrough-c were up to 0.4 % apart beside other tests# cold windows of passthrough-c were up to 0.4 % apart beside other tests
def test_boots_side_by_side_do_what_they_do_one_by_one(tmp_path: Path, fleet: Processes) -> None:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """Two boots of one kernel: the same trials in the same order with one job, with two, and by two
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  workers of a scheduler; the same requests to the last one, and instructions within what two boots
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  differ by; no boot is left.
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  found = {}
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  ways = {"1": ("--jobs", "1"), "2": ("--jobs", "2"), "fleet": ("--scheduler", fleet.address)}
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  for way, options in ways.items():
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      output = tmp_path / way
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      done = bench(
 cold windows of passthrough-c were up to 0.4 % apart beside other tests          "run", "--kernel", str(lab_image().path), "--clock", "instructions", *options,
 cold windows of passthrough-c were up to 0.4 % apart beside other tests          "--daemon", "passthrough-c", "--daemon", "plain-c", "--only", "--seed", "5",
 cold windows of passthrough-c were up to 0.4 % apart beside other tests          "--workload", "getattr-storm/fd", "--workload", "lookup-cold", "--no-report",
 cold windows of passthrough-c were up to 0.4 % apart beside other tests          "--output", str(output), env={**os.environ, "FUSE_BENCH_COMMIT": COMMIT},
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      )  # fmt: skip
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      assert done.returncode == Exit.MEASURED, done.stderr
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      header = json.loads((output / "run.json").read_text())
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      assert sorted(header["boots"]) == [["bzImage", 0, 0], ["bzImage", 1, 0]]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      lines = sorted(trials(output), key=lambda line: (line["round"], line["position"]))
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      found[way] = {(line["round"], line["position"]): line for line in lines}
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert not qemus_sharing(tmp_path)
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  one = found.pop("1")
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  for way, others in found.items():
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      assert one.keys() == others.keys()
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      for key, line in one.items():
 cold windows of passthrough-c were up to 0.4 % apart beside other tests          same_work(line, others[key], way)


def same_work(line: dict[str, Any], other: dict[str, Any], way: str) -> None:
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  """Two lines of one trial: seed, loops, requests alike; instructions within what two boots differ by."""
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  for what in ("series", "seed", "loops", "requests"):
 cold windows of passthrough-c were up to 0.4 % apart beside other tests      assert line[what] == other[what], way
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  medians = [statistics.median(each["values"]) for each in (line, other)]
 cold windows of passthrough-c were up to 0.4 % apart beside other tests  assert medians[0] == pytest.approx(medians[1], rel=0.002), (way, line["series"])
