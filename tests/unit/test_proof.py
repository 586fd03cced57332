"""Verdicts, agreement of two sources and expected counts, case by case."""

from __future__ import annotations

import math

import pytest

from bench.model import Bound, Level, Opcode, Verdict
from bench.requests import proof, tracepoint
from bench.requests.sources import NotCounted
from bench.run.judge import _of_directories

GETATTR, READ, READDIR, LOOKUP = Opcode.GETATTR, Opcode.READ, Opcode.READDIR, Opcode.LOOKUP
CLAIMS = {
    Level.NONE: frozenset[Opcode](),
    Level.RW: frozenset({READ}),
    Level.ATTACH_GETATTR: frozenset({READ, GETATTR}),
}
RW, ATTACH = Level.RW, Level.ATTACH_GETATTR


@pytest.mark.parametrize(
    ("subject", "counts", "level", "asked", "available", "expected", "words", "failed"),
    [
        ({READ}, {}, RW, RW, RW, Verdict.ENGAGED, "no READ arrived", False),
        ({READ}, {READ: 3}, RW, RW, RW, Verdict.NOT_ENGAGED, "yet 3 READ arrived", True),
        ({LOOKUP}, {READ: 1}, RW, RW, RW, Verdict.NOT_ENGAGED, "1 READ", True),
        ({GETATTR}, {GETATTR: 9}, RW, ATTACH, RW, Verdict.NOT_AVAILABLE, "gives rw: mainline", 0),
        ({GETATTR}, {GETATTR: 9}, RW, RW, ATTACH, Verdict.NOT_ENGAGED, "asked for rw", False),
        ({READ}, {READ: 9}, Level.NONE, Level.NONE, RW, Verdict.NOT_ENGAGED, "for none", False),
        ({LOOKUP}, {LOOKUP: 9}, ATTACH, ATTACH, ATTACH, Verdict.NO_CLAIM, "", False),
        (set(), {GETATTR: 9}, RW, RW, RW, Verdict.NO_CLAIM, "", False),
        ({READ}, None, RW, RW, RW, Verdict.UNCOUNTED, "no request counts", False),
        (
            {GETATTR, READDIR},
            {READDIR: 4},
            ATTACH,
            ATTACH,
            ATTACH,
            Verdict.ENGAGED,
            "not passed through at attach-getattr: 4 READDIR",
            False,
        ),
    ],
)
def test_verdict_table(
    subject: set[Opcode],
    counts: dict[Opcode, int] | None,
    level: Level,
    asked: Level,
    available: Level,
    expected: Verdict,
    words: str,
    failed: bool,
) -> None:
    """Who claimed what, what arrived, what was asked for, what the kernel gives."""
    found, reason, broken = proof.verdict(
        subject=subject,
        claims=CLAIMS,
        counts=counts,
        level=level,
        asked=asked,
        available=available,
        why="mainline",
    )
    assert (found, broken) == (expected, bool(failed))
    assert words in reason


def test_a_target_without_passthrough_is_a_baseline() -> None:
    """Whatever arrives there."""
    found = proof.verdict(
        subject={READ},
        claims={Level.NONE: ()},
        counts={READ: 5},
        level=Level.NONE,
        asked=RW,
        available=RW,
    )
    assert found == (Verdict.BASELINE, "", False)


def test_zero_requests_prove_nothing_where_a_cache_answers() -> None:
    """With long timeouts a plain server gets no GETATTR either: not a win of passthrough."""
    found, reason, failed = proof.verdict(
        subject={GETATTR},
        claims=CLAIMS,
        counts={},
        level=ATTACH,
        asked=ATTACH,
        available=ATTACH,
        plain={GETATTR: Bound(0, 0)},
    )
    assert found is Verdict.NOTHING and "cached" in reason and not failed


def test_what_passes_the_tracepoint_by_is_not_proven_by_it() -> None:
    """No READ was counted, and over io_uring none need have been; other opcodes are all counted."""
    found, reason, failed = proof.verdict(
        subject={READ},
        claims=CLAIMS,
        counts={},
        level=RW,
        asked=RW,
        available=RW,
        unseen={READ, Opcode.WRITE},
    )
    assert found is Verdict.UNCOUNTED and "io_uring" in reason and not failed


@pytest.mark.parametrize(("arrived", "failed"), [(300, False), (301, True)])
def test_a_claim_speaks_of_the_inodes_attached(arrived: int, failed: bool) -> None:
    """Three GETATTR an op are about directories, which are not attached; a fourth is the file's."""
    found = proof.verdict(
        subject={GETATTR},
        claims=CLAIMS,
        counts={GETATTR: arrived},
        level=ATTACH,
        asked=ATTACH,
        available=ATTACH,
        plain={GETATTR: Bound(4, 4)},
        allowed={GETATTR: 300},
    )
    assert found[2] is failed
    assert found[0] is (Verdict.NOT_ENGAGED if failed else Verdict.ENGAGED)


def test_sources_agree_apart_from_what_only_one_can_see() -> None:
    """FORGET, BATCH_FORGET and INTERRUPT pass no tracepoint; INIT passes no daemon's counter."""
    kernel = {GETATTR: 7, Opcode.INIT: 1}
    server = {GETATTR: 7, Opcode.FORGET: 3, Opcode.BATCH_FORGET: 2, Opcode.INTERRUPT: 1}
    assert proof.agree(kernel, server) == (True, "")


@pytest.mark.parametrize("op", [op for op in Opcode if op not in proof.SERVER_ONLY])
def test_any_other_difference_is_named(op: Opcode) -> None:
    """One request more on one side, and the line says which."""
    same, why = proof.agree({op: 2}, {op: 1})
    if op in proof.KERNEL_ONLY:
        assert same
    else:
        assert same is False and f"{op.name} kernel 2 server 1" in why


def test_a_missing_source_is_neither_agreement_nor_difference() -> None:
    """None, with the source named."""
    assert proof.agree(None, {}) == (None, "no kernel counts to compare")
    assert proof.agree({}, None) == (None, "no server counts to compare")


@pytest.mark.parametrize(
    ("bound", "count", "ops", "words"),
    [
        (Bound(2, 2), 200, 100, None),
        (Bound(2, 2), 201, 100, "2.01 requests per operation (201 over 100), expected 2"),
        (Bound(0, 0.1), 11, 100, "expected 0 to 0.1"),
        (Bound(0, 0.1), 10, 100, None),
        (Bound(1, math.inf), 99, 100, "at least 1"),
        (Bound(1, math.inf), 5000, 100, None),
        (Bound(1 / 3, 1 / 3), 1, 3, None),
        (Bound(1, 1), 0, 100, "0 requests"),
    ],
)
def test_expected_requests_per_operation(
    bound: Bound, count: int, ops: int, words: str | None
) -> None:
    """Bounds are inclusive, and a line gives got and wanted."""
    problems = proof.check_expected({GETATTR: bound}, {GETATTR: count, READ: 7}, ops)
    if words is None:
        assert problems == []
    else:
        assert len(problems) == 1 and words in problems[0]


def test_requests_per_no_operation_is_an_error() -> None:
    """Not a division by zero."""
    with pytest.raises(ValueError, match="0 operations"):
        proof.check_expected({}, {}, 0)


def test_a_counter_without_source_says_why_and_does_not_count() -> None:
    """No source: every use raises with the reason."""
    with tracepoint.RequestCounter(40, sources=()) as counter:
        assert counter.source == "" and counter.why
        with pytest.raises(NotCounted, match="no source"):
            counter.start()


class _Fake:
    """A source that has counted already."""

    def __init__(self, counts: dict[int, int], total: int) -> None:
        self.counts, self.total = counts, total

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...

    def read(self) -> tuple[dict[int, int], int]:
        return self.counts, self.total


def test_a_sum_that_is_not_the_total_is_not_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opcode 53 exists since protocol 7.45: unnamed requests must not vanish."""
    monkeypatch.setattr(tracepoint.RequestCounter, "_perf", lambda _self: _Fake({3: 7, 4: 0}, 7))
    with tracepoint.RequestCounter(40, sources=("perf",)) as counter:
        assert counter.read() == {GETATTR: 7}
    monkeypatch.setattr(tracepoint.RequestCounter, "_perf", lambda _self: _Fake({3: 7}, 8))
    with (
        tracepoint.RequestCounter(40, sources=("perf",)) as counter,
        pytest.raises(NotCounted, match="8 requests in all, 7"),
    ):
        counter.read()


def test_refused_perf_falls_back_and_both_reasons_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """perf first, tracefs second, and a reason for each that failed."""

    def refuse(reason: str) -> object:
        def method(_self: object) -> object:
            raise NotCounted(reason)

        return method

    monkeypatch.setattr(tracepoint.RequestCounter, "_perf", refuse("perf refused"))
    monkeypatch.setattr(tracepoint.RequestCounter, "_tracefs", lambda _self: _Fake({}, 0))
    with tracepoint.RequestCounter(40) as counter:
        assert counter.source == "tracefs"
    monkeypatch.setattr(tracepoint.RequestCounter, "_tracefs", refuse("no tracefs"))
    with tracepoint.RequestCounter(40) as counter:
        assert (counter.source, counter.why) == ("", "perf refused; no tracefs")


def test_what_caches_answer_leaves_nothing_that_may_arrive() -> None:
    """``--attach files``, timeouts forever: a plain server gets no GETATTR, so no directory's may come."""
    of_files = {Opcode.GETATTR: 1.0}
    cached = {Opcode.GETATTR: Bound(0, 0)}
    allowed = _of_directories(of_files, cached, 100)
    assert allowed == {Opcode.GETATTR: 0}
    assert proof.arrived_all_the_same({Opcode.GETATTR}, {}, allowed) == ""
    assert proof.arrived_all_the_same({Opcode.GETATTR}, {Opcode.GETATTR: 2}, allowed) == "2 GETATTR"
    assert proof.arrived_all_the_same({Opcode.GETATTR}, {}, {Opcode.GETATTR: -1.0}) == ""
