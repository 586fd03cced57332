"""The latency histogram: fixed memory, and never more than 1 % above an exact value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workloads._native.opdriver import histogram_of

LONGEST_NS = 100 * 10**9


@given(st.integers(1, LONGEST_NS))
def test_a_bucket_is_reported_at_most_one_percent_above_its_value(value: int) -> None:
    [(upper, count)] = histogram_of([value]).items()
    assert count == 1
    assert value <= upper <= value * 1.01


@given(st.lists(st.integers(0, 2 * LONGEST_NS), max_size=50))
def test_no_value_is_lost(values: list[int]) -> None:
    assert sum(histogram_of(values).values()) == len(values)


def test_percentiles_agree_with_exact_ones_within_one_percent() -> None:
    values = sorted(int(1.07**i) + 300 for i in range(331))
    cumulated: list[int] = []
    for upper, count in sorted(histogram_of(values).items()):
        cumulated += [upper] * count
    assert all(exact <= told <= exact * 1.01 for exact, told in zip(values, cumulated, strict=True))


def test_a_bucket_never_holds_values_of_its_neighbour() -> None:
    uppers = [next(iter(histogram_of([value]))) for value in range(1, 5000)]
    assert uppers == sorted(uppers)
    assert uppers[:255] == list(range(1, 256))


def test_what_is_out_of_range_counts_at_the_ends() -> None:
    assert histogram_of([0]) == {1: 1}
    assert histogram_of([2 * LONGEST_NS, LONGEST_NS]) == {LONGEST_NS: 2}
