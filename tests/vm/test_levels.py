"""One run at every level of the lab kernel: engaged where it passes through, by every count there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.model import Exit

from .conftest import lab_image
from .running import bench, trials

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run at every level the lab kernel plays, with the server in C."""
    output = tmp_path_factory.mktemp("levels") / "run"
    every = [
        option
        for level in ("attach-getattr", "attach-lookup", "lookup")
        for option in ("--level", level)
    ]
    done = bench(
        "run", "--daemon", "passthrough-c", *every, "--kernel", str(lab_image().path),
        "--workload", "getattr-storm/fd", "--workload", "readdir", "--trials", "1", "--no-report",
        "--attribution", "--output", str(output),
    )  # fmt: skip
    assert done.returncode == Exit.MEASURED, done.stderr
    return output


def test_its_requests_have_their_times(levels: Path) -> None:
    """Linux 6.12 numbers a request after its send was traced; what passes through makes none."""
    plain, passing = (
        trial["attribution"]
        for name in ("plain-c", "passthrough-c:attach-lookup")
        for trial in trials(levels)
        if (trial["target"], trial["workload"], trial["attempt"]) == (name, "getattr-storm", 0)
    )
    assert (plain["why"], passing["why"]) == ("", "")
    request = plain["by_opcode"]["GETATTR"]
    assert request["count"] == plain["ops"]
    assert 0 < request["server_ns"] < request["total_ns"] < plain["window_ns"]
    assert passing["by_opcode"] == {}


@pytest.mark.parametrize("level", ["attach-getattr", "attach-lookup", "lookup"])
def test_getattr_and_readdir_stay_in_the_kernel(levels: Path, level: str) -> None:
    """Engaged by the kernel's and the server's own counts; plain beside it makes the requests."""
    mine = [trial for trial in trials(levels) if trial["target"] == f"passthrough-c:{level}"]
    assert {trial["workload"] for trial in mine} == {"getattr-storm", "readdir"}
    for trial in mine:
        assert trial["verdict"] == "engaged", trial
        assert trial["requests"]["agree"] is True
        assert not {"GETATTR", "READDIR", "READDIRPLUS"} & set(trial["requests"]["kernel"])


def test_the_plain_server_beside_it_gets_every_request(levels: Path) -> None:
    """The baseline is proven like the feature: on a lab kernel it plays mainline."""
    plain = {t["workload"]: t["requests"] for t in trials(levels) if t["target"] == "plain-c"}
    storm, listing = plain["getattr-storm"], plain["readdir"]
    assert storm["kernel"]["GETATTR"] >= storm["ops"]
    assert set(listing["kernel"]) & {"READDIR", "READDIRPLUS"}


def test_the_run_says_what_it_ran_on(levels: Path) -> None:
    """Kernel, accelerator and level are in run.json."""
    header = json.loads((levels / "run.json").read_text())
    (kernel,) = header["kernels"]
    assert kernel["release"].startswith("6.12.")
    assert kernel["accelerator"].startswith(("tcg", "kvm"))
    assert header["finished"]
