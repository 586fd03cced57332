"""Several machines as one claim: the mean ratio, the spread between them, and on how many it holds."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from edits import Json, about, changed, slower
from fakes import make_run

import report
from bench.model import Exit, UserError
from bench.report.overlay import over, overlay
from bench.report.overlay.overlay import Overlay
from bench.results import fleet
from bench.results.fleet import Member
from bench.stats.estimates import Estimate
from bench.stats.frame import load
from bench.stats.machines import combined, log_se, over_machines
from bench.stats.verdicts import Finding

# Trials of a vaccine (Colditz and others 1994): cases and others, vaccinated and not. The usual example
# of meta-analysis, whose results every package for it prints.
VACCINE = (
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619),
    (33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892),
    (29, 7470, 45, 7232), (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
)  # fmt: skip
MACHINES = (("a", 0.50), ("b", 0.55), ("c", 0.60), ("d", 1.0))


def test_the_usual_example_comes_out() -> None:
    """Paule-Mandel's tau^2 0.318, mean -0.715, Q 152.23 on 12 degrees of freedom."""
    effects = [math.log((a / (a + b)) / (c / (c + d))) for a, b, c, d in VACCINE]
    variances = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in VACCINE]
    found = combined(np.array(effects), np.array(variances))
    assert found.tau**2 == pytest.approx(0.318, abs=0.001)
    assert math.log(found.mean.value) == pytest.approx(-0.715, abs=0.001)
    assert found.q == pytest.approx(152.233, abs=0.001)
    assert found.p < 1e-20
    assert found.low < found.mean.low < found.mean.value < found.mean.high < found.high


def test_machines_that_are_alike_have_no_spread() -> None:
    """The mean of such machines is known better than any one's ratio, by t's measure."""
    found = combined(np.log(np.full(6, 0.5)), np.full(6, 0.01**2))
    assert (found.tau, found.p) == (0.0, 1.0)
    assert found.mean.value == pytest.approx(0.5)
    assert found.mean.high / found.mean.value < 1.02


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Five machines 5 % apart, each known to 2 %: 95 in 100 within what 400 draws may give."""
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        effects = chance.normal(0.0, 0.05, 5) + chance.normal(0.0, 0.02, 5)
        found = combined(effects, np.full(5, 0.02**2))
        held += found.mean.low <= 1 <= found.mean.high
    assert 370 <= held <= 396


def test_a_standard_error_is_what_its_interval_was_made_of() -> None:
    """Half of it over t with n - 1 degrees of freedom, in logarithms."""
    ratio = Estimate(1.0, math.exp(-0.0277645), math.exp(0.0277645), 5)
    assert log_se(ratio) == pytest.approx(0.01, rel=1e-4)


def test_one_machine_is_no_sample() -> None:
    """Nor are two of which one has no interval."""
    sure, unsure = Estimate(0.5, 0.4, 0.6, 5), Estimate(0.5, math.nan, math.nan, 2)
    assert over_machines([sure]) is over_machines([sure, unsure]) is None
    assert over_machines([sure, sure]) is not None


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A fleet run of four machines; passthrough takes half to all of plain's time."""
    root = tmp_path / "fleet"
    members = []
    for number, (name, effect) in enumerate(MACHINES):
        run = make_run(
            tmp_path / f"made-{name}", seed=number, effect=effect, trials=8,
            noise=0.01, troubles=False,
        )  # fmt: skip
        about(run, "environment.cpu_model", f"CPU {name}")
        root.mkdir(exist_ok=True)
        run.rename(root / name)
        about(root / name, "run", name)
        members.append(Member(name, name, 0, ""))
    members.append(Member("", "tcp://e", 3, "its worker is gone"))
    text = json.dumps({"fleet": 1, "machines": [one.as_json() for one in members]})
    (root / fleet.FILE).write_text(text)
    return root


def engaged(made: Overlay) -> over.Claim:
    """The claim of the one row in which passthrough does the work."""
    return next(
        one
        for one in over.claims(made)
        if one.row.target == "passthrough" and one.row.row.key.workload == "read-random"
    )


def made_of(place: Path) -> Overlay:
    return overlay.overlay([load(run) for run in fleet.runs(place)], fleet=True)


def test_machines_far_apart_decide_nothing(place: Path) -> None:
    """Three are faster by half, one is not: the spread is in the mean's interval."""
    made = made_of(place)
    assert made.noun == "machine"
    claim = engaged(made)
    assert [source.cpu for source in claim.holds if claim.finding in over.DECIDED] in (
        [], ["CPU a", "CPU b", "CPU c"],
    )  # fmt: skip
    assert claim.over.differ
    assert 0.5 < claim.over.mean.value < 1.0
    assert claim.over.mean.n == 4
    assert claim.over.tau > 0.1


def test_a_claim_names_the_machines_it_does_not_hold_on(place: Path) -> None:
    """One machine's run is too noisy to say anything by itself."""
    noisy = place / "d"
    changed(noisy, slower(0.5, "--passthrough"))
    chance = np.random.default_rng(3)
    changed(noisy, lambda line: slower(math.exp(chance.normal(0, 1.5)), "")(line))
    made = made_of(place)
    claim = engaged(made)
    assert claim.said == "faster on 3 of 4 machines, not on CPU d"


def unengaged(line: Json) -> None:
    """A server that did the work after all."""
    if line["workload"] == "read-random" and line["target"] == "passthrough":
        line["verdict"], line["requests"]["kernel"] = "not available here", {"READ": 1000}


def test_what_cannot_be_right_is_in_no_mean(place: Path) -> None:
    """A row that the guards of one machine refuse is not averaged, and does not hold there."""
    made = made_of(place)
    claim = engaged(made)
    about(place / "a", "controls", [claim.row.row.work])
    changed(place / "a", unengaged)
    less = engaged(made_of(place))
    assert (claim.over.mean.n, less.over.mean.n) == (4, 3)
    assert "CPU a" in [source.cpu for source in less.fails]


def test_a_claim_that_holds_everywhere_says_so(place: Path) -> None:
    """Without the machine on which nothing changes."""
    made = overlay.overlay([load(run) for run in fleet.runs(place)[:3]], fleet=True)
    claim = engaged(made)
    assert claim.finding is Finding.FASTER
    assert claim.said == "faster on 3 of 3 machines"


def test_the_report_of_a_fleet_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, both tables and a forest plot; lines of 72 columns."""
    assert report.main([str(place), "--print"]) == Exit.MEASURED
    said = capsys.readouterr().out
    assert "Over 4 machines (CPU a, CPU b, CPU c and CPU d)" in " ".join(said.split())
    assert all(len(line) <= 72 for line in said.splitlines())
    rows = list(csv.DictReader((place / "report" / "machines.csv").open()))
    assert {row["target"] for row in rows} >= {"passthrough"}
    assert all(int(row["machines"]) == 4 for row in rows)
    assert "all together" in (place / "report" / "overlay.svg").read_text()


def test_the_mail_of_a_fleet_run_has_three_sentences_on_its_machines(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which machines, what holds, where they differ: within the first machine's mail of 45 lines."""
    assert report.main([str(place), "--mail", "passthrough"]) == Exit.MEASURED
    lines = capsys.readouterr().out.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("Machines: 4 (CPU a"))
    first = [line.split()[0] for line in lines[begin:] if not line.startswith(" ")]
    assert first[:3] == ["Machines:", "Of", "Machines"]
    assert "FUSE" in lines[0]
    assert len(lines) <= 45
    assert all(len(line) <= 72 for line in lines)
    assert report.main([str(place), "--format", "text"]) == Exit.MEASURED
    assert "Machines: 4 (CPU a" in (place / "report" / "mail.txt").read_text()


def test_a_fleet_run_ends_in_a_summary(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At most 30 lines: machines that are missing, what all say together, and the files."""
    assert report.main([str(place), "--summary"]) == Exit.MEASURED
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "fleet run fleet: 4 machines of 5 measured",
        "not tcp://e: its worker is gone",
    ]
    assert "Machines: 4 (CPU a" in "\n".join(lines)
    assert [line.split(":")[0] for line in lines[-3:]] == ["page", "mail", "table"]
    assert len(lines) <= 30
    assert all(len(line) <= 79 for line in lines[:-3])


def test_kernels_of_one_run_are_no_machines(tmp_path: Path) -> None:
    """Over what shares a machine there is no mean."""
    targets = ("native@stock", "plain@stock", "native@slow", "plain@slow")
    run = make_run(tmp_path, targets=targets, rows=1, trials=5)
    made = overlay.overlay([load(run)])
    assert made.noun == "kernel"
    assert over.claims(made) == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"fleet": 2, "machines": []}', '{"fleet": 1, "machines": [{"run": "../x"}]}'],
)
def test_a_fleet_file_that_is_none_is_said_in_a_line(tmp_path: Path, text: str) -> None:
    """A stranger's may name what it likes."""
    (tmp_path / fleet.FILE).write_text(text)
    with pytest.raises(UserError):
        fleet.runs(tmp_path)
