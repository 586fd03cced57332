"""Is a known effect found: the arithmetic of the check, on rounds nobody measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.model import SCHEMA, Opcode
from bench.run.delayed import BASE_NS, DAEMON, DelayedTarget, Repeat, cut, pairs_of, read
from bench.selftest.check import CheckRequest, Held
from bench.selftest.known_effect import CHECK, EffectComparison, analyse, figures, lines
from bench.stats.estimates import Estimate, paired_difference

ROUNDS = 8
NOISE_S = (0.0, 3e-8, -2e-8, 1e-8, -4e-8, 2e-8, -1e-8, 4e-8)


def arm(delay_ns: int, found_s: float, took_s: float = 5.0) -> DelayedTarget:
    """A server 13 us slow and slower by ``found_s``, its rounds a little apart."""
    noise = NOISE_S if delay_ns else (0.0,) * ROUNDS
    seconds = {n: 13e-6 + found_s + noise[n] for n in range(ROUNDS)}
    return DelayedTarget(delay_ns, seconds, dict.fromkeys(range(ROUNDS), took_s), 2.0)


def repeat(found_s: Mapping[int, float]) -> Repeat:
    """A run: the server as it is, the base, and what each D in ns was measured to add to that."""
    base_s = 2e-9 * BASE_NS + 1e-6
    held = {f"{DAEMON}:{ns}": arm(BASE_NS + ns, base_s + s) for ns, s in found_s.items()}
    base = DelayedTarget(
        BASE_NS, dict.fromkeys(range(ROUNDS), 13e-6 + base_s), arm(0, 0.0).took_s, 2.0
    )
    return {DAEMON: arm(0, 0.0), f"{DAEMON}:base": base} | held


def test_a_difference_is_paired_by_round() -> None:
    """What a round adds to both is not in it; the interval is in the rounds' own unit."""
    base = {n: 10e-6 * (n + 1) for n in range(ROUNDS)}
    found = paired_difference({n: value + 2e-6 + NOISE_S[n] for n, value in base.items()}, base)
    assert found.value == pytest.approx(2.005e-6)
    assert 1.9e-6 < found.low < found.value < found.high < 2.1e-6
    assert found.n == ROUNDS


def test_the_effect_is_the_delay_times_the_requests() -> None:
    """Two requests per operation are each held back."""
    result = analyse([repeat({1_000: 2e-6, 5_000: 10e-6})])
    assert [one.expected for one in result.comparisons] == pytest.approx([2e-6, 10e-6])
    assert all(one.holds for one in result.comparisons)
    assert result.met


def test_what_follows_a_wait_is_no_part_of_the_effect() -> None:
    """Waiting at all costs the base 1 us more than it waits for, and no D is charged with it."""
    result = analyse([repeat({1_000: 2e-6})])
    assert [one.value for one in result.cooling] == pytest.approx([1e-6])
    assert any("500 us take 1.00 us more than themselves" in line for line in lines(result))


def test_an_effect_that_is_not_found_counts_against() -> None:
    """One of two intervals is 50 %, where 95 are wanted."""
    result = analyse([repeat({1_000: 2e-6, 5_000: 12e-6})])
    assert result.holding == 1
    assert not result.met
    assert any(line.startswith("1 of 2 = 50%") for line in lines(result))


def test_no_interval_holds_nothing() -> None:
    """Two rounds give none, and that is not a success."""
    assert not EffectComparison(1_000, 1e-6, Estimate(1e-6, float("nan"), float("nan"), 2)).holds
    assert not analyse([]).met


def test_the_smallest_resolved_delay_has_no_unresolved_one_above_it() -> None:
    """A lucky small one does not count, where a larger one was missed."""
    found = analyse([repeat({1_000: 2e-6, 2_000: 0.0, 5_000: 10e-6, 10_000: 20e-6})])
    assert [one.resolved for one in found.resolutions] == [1, 0, 1, 1]
    assert found.smallest_ns == 5_000
    assert analyse([repeat({1_000: 0.0})]).smallest_ns is None


def test_spans_hold_what_fits_into_the_time() -> None:
    """Both trials of a round count; the rest at the end is no span, unless it is all there is."""
    pairs = pairs_of([repeat({1_000: 2e-6})], BASE_NS + 1_000, BASE_NS)
    assert [took for *_, took in pairs] == [10.0] * ROUNDS
    assert [(len(over), took) for over, _, took in cut(pairs, 30.0)] == [(3, 30.0), (3, 30.0)]
    assert [(len(over), took) for over, _, took in cut(pairs, 100.0)] == [(ROUNDS, 80.0)]


def test_a_twin_without_delay_is_not_paired_with_itself() -> None:
    """The server under another name, held back for 0, is the pair of an A/A comparison."""
    run = {DAEMON: arm(0, 0.0), f"{DAEMON}:twin": arm(0, 1e-6)}
    assert len(pairs_of([run], 0)) == ROUNDS


def test_text_fits_a_mail_and_json_has_the_rounds() -> None:
    """Below 72 columns, negative differences too; the raw rounds travel with the result."""
    repeats = [repeat({1_000: -2.508e-6, 50_000: 100e-6})]
    result = analyse(repeats)
    said = lines(result)
    assert max(map(len, said)) <= 72
    assert any(" -2.50 us" in line for line in said)
    again = json.loads(json.dumps(figures(result, repeats)))
    assert again["repeats"][0][DAEMON]["requests_per_op"] == 2.0


def test_a_runs_records_become_arms(tmp_path: Path) -> None:
    """By target; medians by round; failed trials and other servers are left out."""
    (tmp_path / "run.json").write_text(json.dumps({"schema": SCHEMA}))
    record = {
        "target": DAEMON, "daemon": DAEMON, "workload": "getattr-storm", "variant": "fd",
        "outcome": "ok", "round": 0, "values": [3e-6, 1e-6, 2e-6],
        "phases": {"mount": 0.5, "worker": 0.25}, "delay_ns": {},
        "requests": {"ops": 10, "kernel": {"GETATTR": 20, "LOOKUP": 1}, "server": None},
    }  # fmt: skip
    delayed = record | {"target": "slow", "delay_ns": {Opcode.GETATTR.name: 5_000}}
    failed = record | {"round": 1, "outcome": "failed"}
    other = record | {"target": "native", "daemon": "native", "requests": None}
    text = "".join(json.dumps(one) + "\n" for one in (record, failed, delayed, other))
    (tmp_path / "trials.jsonl").write_text(text)
    assert read(tmp_path) == {
        DAEMON: DelayedTarget(0, {0: 2e-6}, {0: 0.75}, 2.0),
        "slow": DelayedTarget(5_000, {0: 2e-6}, {0: 0.75}, 2.0),
    }


def test_without_a_delayed_run_the_check_is_skipped() -> None:
    """A skipped check says what makes a delayed run."""
    result = CHECK.run(CheckRequest())
    assert result.held is Held.SKIPPED
    assert "--effect" in result.lines[0]
