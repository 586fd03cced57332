"""Break-even and the answer: what was put into the numbers comes out of them, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from additive import LISTING, LOOKUP, NATIVE, PLAIN, Cell, Target, curve, write

import report
from bench.model import Clock
from bench.report.charts.draw import draw
from bench.report.rows import rows
from bench.report.studies.answer import COMMAND, OPPONENTS, answer, hints, wins
from bench.report.studies.breakeven import studies
from bench.report.studies.crossing import crossing, crossings
from bench.report.text.sections import sections
from bench.stats.frame import load

PLAIN_CURVE = curve(PLAIN, 20, 2)
UNPATCHED = Target("passthrough-c", level="rw", asked="attach-lookup")


def study_of(path: Path, *cells: Cell, rounds: int = 5):  # type: ignore[no-untyped-def]
    """The one study of a run of these cells."""
    [study] = studies(load(write(path, cells, rounds=rounds)))
    return study


@pytest.mark.parametrize("share", [0.04, 0.3, 0.75])
def test_the_crossing_is_found_again(tmp_path: Path, share: float) -> None:
    """Two straight lines meet where they were made to, between the fractions measured."""
    through = curve(LISTING, 8, 2 + 12 / share, engaged=True)
    met = crossing(study_of(tmp_path, *PLAIN_CURVE, *through), LISTING.name, PLAIN.name)
    assert met.rising and met.crosses
    assert met.value == pytest.approx(share)
    assert met.low == pytest.approx(share) and met.high == pytest.approx(share)


def test_a_line_that_falls_below_counts_from_the_crossing_on(tmp_path: Path) -> None:
    """Dearer to list and cheaper to stat: worth it above the crossing."""
    through = curve(LISTING, 21, 0, engaged=True)
    met = crossing(study_of(tmp_path, *PLAIN_CURVE, *through), LISTING.name, PLAIN.name)
    assert not met.rising
    assert met.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("start", "slope", "said"),
    [(8, 1, "always"), (8, 3, "always"), (25, 10, "never"), (25, 1, "never")],
)
def test_lines_that_do_not_cross_are_always_or_never_cheaper(
    tmp_path: Path, start: float, slope: float, said: str
) -> None:
    """Whichever way they lean."""
    through = curve(LISTING, start, slope, engaged=True)
    met = crossing(study_of(tmp_path, *PLAIN_CURVE, *through), LISTING.name, PLAIN.name)
    assert not met.crosses
    assert {met.cheaper(end) for end in (met.value, met.low, met.high)} == {said}


@pytest.mark.parametrize("rounds", [1, 2])
def test_too_few_rounds_have_no_interval(tmp_path: Path, rounds: int) -> None:
    """An estimate, and the reason why there is no interval."""
    through = curve(LISTING, 8, 42, engaged=True)
    study = study_of(tmp_path, *PLAIN_CURVE, *through, rounds=rounds)
    met = crossing(study, LISTING.name, PLAIN.name)
    assert met.crosses and not met.has_interval
    assert met.note == f"n={rounds}: too few"


def test_a_target_whose_requests_arrived_is_no_challenger(tmp_path: Path) -> None:
    """Configuration proves nothing: only rows that the counts call engaged are compared."""
    study = study_of(tmp_path, *PLAIN_CURVE, *curve(LISTING, 8, 42))
    assert crossings(study) == []


def test_every_size_is_a_study_in_order(tmp_path: Path) -> None:
    """Sorted as numbers, not as words."""
    cells = [cell for size in (1000, 10, 100) for cell in curve(PLAIN, 20, 2, entries=size)]
    found = studies(load(write(tmp_path, cells)))
    assert [study.key.entries for study in found] == [10, 100, 1000]


def said_of(path: Path) -> str:
    """The answer of a run as one line."""
    run = load(path)
    return " ".join(" ".join(answer(run, rows(run))).split())


def test_the_answer_is_a_table_of_levels_and_opponents(tmp_path: Path) -> None:
    """Each level for itself: the highest does not speak for all."""
    low = Target("passthrough-c:attach-getattr", level="attach-getattr")
    auto = Target("plain-c:auto", mode="auto")
    cells = [*PLAIN_CURVE, *curve(auto, 18, 8), *curve(low, 8, 42, engaged=True)]
    cells += [*curve(LISTING, 10, 42, engaged=True), *curve(LOOKUP, 4, 6, engaged=True)]
    run = load(write(tmp_path, cells))
    made = wins(run)
    assert [one.way.level.value for one in made] == ["attach-getattr", "attach-lookup", "lookup"]
    told = [[one.against[mode].share for mode in OPPONENTS] for one in made]
    assert told == [["<30 %", "<29 %"], ["<25 %", "<24 %"], ["always", "always"]]
    text = answer(run, rows(run))
    assert "find, du: stat'ed after (cold-fuse, timeouts forever, 1000 entries)" in text
    assert max(map(len, text)) <= 72
    line = next(one for one in text if one.lstrip().startswith("attach-getattr"))
    assert line.split() == [
        "attach-getattr",
        "<30",
        "%",
        "0.400,",
        "2.27",
        "<29",
        "%",
        "0.444,",
        "1.92",
    ]


def test_both_orders_are_answered_and_ls_comes_first(tmp_path: Path) -> None:
    """Each order is a study of its own: what adaptive READDIRPLUS does differs between them."""
    plain, through = curve(PLAIN, 20, 2, order="alternate-"), curve(LISTING, 8, 22, engaged=True)
    as_ls = curve(LISTING, 8, 42, engaged=True, order="alternate-")
    path = write(tmp_path, [*PLAIN_CURVE, *through, *plain, *as_ls])
    assert {study.order.value for study in studies(load(path))} == {"alternate", "after"}
    assert len({study.key.slug for study in studies(load(path))}) == 2
    said = said_of(path)
    first, second = said.index("ls -l: stat'ed as listed"), said.index("find, du: stat'ed after")
    assert first < said.index("<30 %") < second < said.index("<60 %")


def test_what_was_not_measured_is_named_with_the_command(tmp_path: Path) -> None:
    """An order, or the adaptive mode."""
    said = said_of(write(tmp_path, [*PLAIN_CURVE, *curve(LISTING, 8, 42, engaged=True)]))
    assert f"Not measured in this run: ls -l and adaptive; {COMMAND}" in said


def test_a_perfect_hint_takes_the_better_of_both_modes(tmp_path: Path) -> None:
    """At each share of its own, by the cost of adaptive."""
    modes = [Target(f"plain-c:{mode}", mode=mode) for mode in ("readdir", "auto")]
    cells = [*PLAIN_CURVE, *curve(modes[0], 10, 40), *curve(modes[1], 16, 16)]
    [hint] = hints(load(write(tmp_path, cells)))
    assert hint.savings[0.0] == ("READDIR", pytest.approx(10 / 16))
    assert hint.savings[1.0] == ("READDIRPLUS", pytest.approx(22 / 32))
    assert "R 0.625" in said_of(tmp_path / "additive")


def test_without_passthrough_the_question_stays_open(tmp_path: Path) -> None:
    """On a stock kernel it says so, and which command answers it."""
    said = said_of(write(tmp_path, [*PLAIN_CURVE, *curve(UNPATCHED, 20, 2)]))
    assert "this kernel passes nothing beyond reads and writes through" in said
    assert f"{COMMAND} answers it" in said


def test_a_run_of_plain_servers_says_what_is_missing(tmp_path: Path) -> None:
    """Nobody asked for passthrough."""
    said = said_of(write(tmp_path, [*PLAIN_CURVE, *curve(NATIVE, 1, 1)]))
    assert "no target of this run passes anything through" in said


def test_a_run_without_the_workload_says_nothing(tmp_path: Path) -> None:
    """No list-stat row, no answer and no section."""
    run = load(write(tmp_path, [Cell(PLAIN, "readdir", 1e-6)]))
    assert answer(run, rows(run)) == []
    assert sections(run, rows(run)) == []


def test_missing_fractions_and_odd_variants_are_no_traceback(tmp_path: Path) -> None:
    """One fraction alone crosses nothing."""
    lone = [cell for cell in PLAIN_CURVE if cell.variant == "10"]
    odd = [Cell(PLAIN, "list-stat", 1e-6, variant="half", cache="cold-fuse", entries=1000)]
    through = curve(LISTING, 8, 42, engaged=True)
    study = study_of(tmp_path, *lone, *odd, *through)
    met = crossing(study, LISTING.name, PLAIN.name)
    assert met.note == "not measured"
    run = load(tmp_path / "additive")
    assert sections(run, rows(run))


@pytest.mark.parametrize("clock", list(Clock))
def test_text_fits_a_mail_and_charts_are_drawn(tmp_path: Path, clock: Clock) -> None:
    """72 columns of ASCII on both clocks, the answer in table.txt; curves for each size, one map."""
    cells = [*PLAIN_CURVE, *curve(LISTING, 8, 42, engaged=True), *curve(NATIVE, 0.5, 1)]
    path = write(tmp_path, cells, clock=clock.value)
    run = load(path)
    table = report.text_table(path)
    lines = sections(run, rows(run))
    made = draw(run, rows(run), tmp_path, ("svg",))
    assert all(line.isascii() for line in lines)
    assert max(len(line) for line in lines) <= 72
    assert "Is readdir + getattr passthrough a win over READDIRPLUS?" in " ".join(table.split())
    assert {
        "breakeven-map",
        "breakeven-list-stat--cold-fuse--t1--to3600-3600--n1000--same"
        + ("--instructions" if clock is Clock.INSTRUCTIONS else ""),
    } <= made.keys()
