"""Servers that claim what they do not do: counts tell, and the page cache does not help them."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_faults import backing, run

from bench.model import Exit, Verdict
from bench.stats.frame import load
from daemons._command import MIRROR

__all__ = ["backing"]

TIMEOUTS = "--attr-timeout {attr_timeout} --entry-timeout {entry_timeout}"
OURS = f"liar:rw={MIRROR} --level none {TIMEOUTS} {{backing}} {{mountpoint}}"
BINDFS = "liar:rw=bindfs -f {backing} {mountpoint}"


def verdicts(run_directory: Path, target: str) -> set[str]:
    """What the run's readers say of a target, trial by trial."""
    trials = load(run_directory).trials
    return set(trials[trials["target"] == target]["verdict"])


@pytest.mark.parametrize("liar", [OURS, BINDFS])
def test_a_page_cache_that_answers_is_no_passthrough(
    tmp_path: Path, backing: Path, liar: str
) -> None:
    """Warm, no READ reaches a server that passes nothing through; nor does one reach plain-c."""
    code, trials, errors = run(
        tmp_path, backing, "--daemon", liar, "--workload", "read-random", "--cache", "warm",
        module="bench",
    )  # fmt: skip
    assert code == Exit.MEASURED, errors
    assert {one["target"] for one in trials} == {"liar", "native", "plain-c"}
    assert not verdicts(tmp_path / "run", "liar") & {Verdict.ENGAGED}


def test_cold_its_requests_give_it_away(tmp_path: Path, backing: Path) -> None:
    """Claimed, and every READ arrives."""
    code, _, errors = run(
        tmp_path, backing, "--daemon", OURS, "--workload", "read-random", module="bench"
    )  # fmt: skip
    assert code == Exit.PROOF_FAILED, errors
    assert verdicts(tmp_path / "run", "liar") == {Verdict.NOT_ENGAGED}


def test_a_server_that_reads_out_other_bytes_is_refused(tmp_path: Path, backing: Path) -> None:
    """As gocryptfs -reverse does: names and attributes of the tree are right, data/ is ciphertext."""
    other = tmp_path / "encrypted"
    text = (
        f"mkdir -p {other}/tree && mount --bind $1/tree {other}/tree && rm -rf {other}/data && "
        f"cp -r $1/data {other}/data && for file in {other}/data/*; do echo 8 bytes >> $file; done; "
        f"exec {MIRROR} --level none {other} $2"
    )
    code, trials, errors = run(
        tmp_path, backing, "--daemon", f"cipher=sh -c '{text}' sh {{backing}} {{mountpoint}}",
        "--workload", "read-random", module="bench",
    )  # fmt: skip
    assert code == Exit.NOTHING, errors
    assert {one["target"] for one in trials} == {"native", "plain-c"}
    said = [line for line in errors.splitlines() if "data/00: " in line]
    assert said and all("\n" not in line for line in said), errors


def test_what_is_passed_through_is_engaged(tmp_path: Path, backing: Path) -> None:
    """A server with the switch on engages, against itself with the switch off."""
    honest = OURS.replace("--level none", "--level rw").replace("liar:rw", "honest:rw/off")
    off = OURS.replace("liar:rw", "off")
    code, _, errors = run(
        tmp_path, backing, "--daemon", honest, "--daemon", off, "--workload", "read-random",
        module="bench",
    )  # fmt: skip
    assert code == Exit.MEASURED, errors
    assert verdicts(tmp_path / "run", "honest") == {Verdict.ENGAGED}
    trials = load(tmp_path / "run").trials
    said = trials[trials["target"] == "honest"]["verdict_reason"].iloc[0]
    assert "(off: READ 1.00 to 0.00)" in said
