"""A fleet run: the same run on the wall clock by two hosts (network namespaces), each for itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.model import Exit
from bench.results import fleet as fleet_run
from bench.results.store import RunDirectory
from tests.vm.hosts import Processes, Wire

RUN = (
    "run", "--quick", "--only", "--daemon", "plain-c", "--daemon", "native", "--workload",
    "getattr-storm/fd", "--trials", "3",
)  # fmt: skip


@pytest.fixture
def wires() -> Iterator[list[Wire]]:
    """Two other hosts, as far as the network goes."""
    made: list[Wire] = []
    try:
        for number in range(2):
            wire = Wire(number)
            wire.make()
            made.append(wire)
        yield made
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs network namespaces and iproute2: {error}")
    finally:
        for wire in made:
            wire.remove()


def test_every_machine_does_the_whole_run(wires: list[Wire], tmp_path: Path) -> None:
    """Two runs of one plan, their trials not mixed, and a report over both."""
    fleet = Processes(tmp_path)
    try:
        fleet.start_scheduler(host="0.0.0.0")
        port = fleet.address.rpartition(":")[2]
        for wire in wires:
            fleet.address = f"tcp://{wire.here}:{port}"
            fleet.worker(host=wire.there, prefix=wire.prefix, script=("-m", "bench"))
        output = tmp_path / "fleet"
        client = fleet.start(
            "-m", "bench", *RUN, "--scheduler", fleet.address, "--output", str(output)
        )
        said, words = client.communicate(timeout=300)
        assert client.returncode == Exit.MEASURED, words
        assert "2 machines of this suite" in words
        assert "fleet run fleet: 2 machines of 2 measured" in said
        assert f"table: {output}" in said
    finally:
        fleet.end()
    runs = [RunDirectory.open(path) for path in fleet_run.runs(output)]
    assert len(runs) == 2
    for run in runs:
        trials = run.trials()
        assert len({(line["series"], line["round"]) for line in trials}) == len(trials) == 6
        assert {line["outcome"] for line in trials} == {"ok"}
    seeds = {json.dumps([line["seed"] for line in run.trials()]) for run in runs}
    assert len(seeds) == 1
    assert (output / "report" / "machines.csv").exists()
