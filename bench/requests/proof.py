"""What request counts prove: pure functions over counts, no machine touched.

The counts come from bench.requests.tracepoint (kernel) and from a daemon's own counters (server).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from bench.model import Bound, Level, Opcode, Verdict
from bench.requests.sources import NotCounted
from bench.requests.tracepoint import RequestCounter, keep_tracepoint, quiesce

__all__ = [
    "NotCounted",
    "RequestCounter",
    "agree",
    "check_expected",
    "keep_tracepoint",
    "quiesce",
    "verdict",
]

SERVER_ONLY = frozenset({Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT})
"""Requests that reach a server without passing the tracepoint: they are queued by
fuse_queue_forget and fuse_dev_queue_interrupt (fs/fuse/dev.c), not by fuse_send_one. The rare
FORGET that does pass it (fuse_force_forget) makes it useless for comparing too."""

KERNEL_ONLY = frozenset({Opcode.INIT})
"""INIT is answered before a server's own counting is set up."""


def agree(
    kernel: Mapping[Opcode, int] | None, server: Mapping[Opcode, int] | None
) -> tuple[bool | None, str]:
    """Whether both sources saw the same requests, leaving out what only one of them can see.

    None where a source is missing. Everything outside SERVER_ONLY and KERNEL_ONLY must be equal
    to the last request, so read both after quiesce: the kernel counts a request when it is
    queued, the server when it has read it. A request that its client gave up on in between
    (a signal) is seen by the kernel alone and shows as a difference, as it should.
    """
    if kernel is None or server is None:
        missing = " and ".join(
            name for name, counts in (("kernel", kernel), ("server", server)) if counts is None
        )
        return None, f"no {missing} counts to compare"
    ignored = SERVER_ONLY | KERNEL_ONLY
    differences = [
        f"{op.name} kernel {kernel.get(op, 0)} server {server.get(op, 0)}"
        for op in Opcode
        if op not in ignored and kernel.get(op, 0) != server.get(op, 0)
    ]
    if differences:
        return False, "request counts differ: " + ", ".join(differences)
    return True, ""


def check_expected(
    bounds: Mapping[Opcode, Bound], counts: Mapping[Opcode, int], ops: int
) -> list[str]:
    """One line for each opcode whose requests per operation are outside its bounds.

    Empty if all hold. Opcodes without a bound are not checked. Raises ValueError for ops < 1.
    """
    if ops < 1:
        raise ValueError(f"requests per operation over {ops} operations")
    problems = []
    for op, bound in sorted(bounds.items()):
        count = counts.get(op, 0)
        # Compared as counts, so that a bound like 1/3 does not fail on the last bit.
        slack = 1e-9 * ops
        if not bound.low * ops - slack <= count <= bound.high * ops + slack:
            problems.append(
                f"{op.name}: {_figure(count / ops)} requests per operation ({count} over {ops}), "
                f"expected {_range(bound)}"
            )
    return problems


def verdict(
    *,
    subject: Collection[Opcode],
    claims: Mapping[Level, Collection[Opcode]],
    counts: Mapping[Opcode, int] | None,
    level: Level,
    asked: Level,
    available: Level,
    why: str = "",
    plain: Mapping[Opcode, Bound] | None = None,
    allowed: Mapping[Opcode, float] | None = None,
    unseen: Collection[Opcode] = (),
) -> tuple[Verdict, str, bool]:
    """What a trial's own counts say of passthrough: the verdict, its reason, and whether it failed.

    ``subject`` are the opcodes passthrough could take from the workload; ``claims`` what the
    daemon says must not arrive, for every level it knows (nothing at all: a plain target);
    ``counts`` the requests of the counting pass, None if there are none, and ``why`` then says so
    (also why the kernel gives no more than ``available``). ``level`` is in force, ``asked`` was
    wanted, ``available`` is what the kernel gives. ``plain`` are the bounds on a plain server: a
    claim about a request that a plain server would not get either proves nothing. ``allowed`` are
    requests that may arrive all the same, as they are not about the inodes attached; ``unseen``
    are opcodes whose requests can pass the tracepoint by.

    Engaged here means that nothing speaks against it. Whether the twin gets what the target does
    not is seen when the run is read (bench.stats.twins). Failed is true only for a claimed request
    that arrived, whatever the row is about.
    """
    if not any(claims.values()):
        return Verdict.BASELINE, "", False
    claimed = frozenset(claims.get(level, ()))
    arrived = arrived_all_the_same(claimed, counts or {}, allowed or {})
    if arrived:
        return Verdict.NOT_ENGAGED, f"claimed at {level.value}, yet {arrived} arrived", True
    mine = frozenset(subject)
    if not mine & claimed:
        return (*_unclaimed(mine, claims, level, asked, available, why, plain or {}), False)
    if hidden := mine & claimed & frozenset(unseen):
        return Verdict.UNCOUNTED, f"{_names(hidden)} can pass the tracepoint by (io_uring)", False
    return (*_claimed(mine, claimed, counts, level, why, plain or {}), False)


def arrived_all_the_same(
    claimed: Collection[Opcode], counts: Mapping[Opcode, int], allowed: Mapping[Opcode, float]
) -> str:
    """``3 READ, 1 GETATTR``: what is claimed and arrived, more often than allowed; or nothing."""
    return ", ".join(
        f"{count} {op.name}"
        for op, count in sorted(counts.items())
        if op in claimed and count > allowed.get(op, 0) * (1 + 1e-9)
    )


def telling(
    subject: Collection[Opcode], claimed: Collection[Opcode], plain: Mapping[Opcode, Bound]
) -> frozenset[Opcode]:
    """What a row can prove: claimed of its subject, and not answered by a cache on any server."""
    mine = frozenset(subject) & frozenset(claimed)
    return frozenset(op for op in mine if op not in plain or plain[op].high > 0)


def _claimed(
    subject: frozenset[Opcode],
    claimed: frozenset[Opcode],
    counts: Mapping[Opcode, int] | None,
    level: Level,
    why: str,
    plain: Mapping[Opcode, Bound],
) -> tuple[Verdict, str]:
    if counts is None:
        return Verdict.UNCOUNTED, f"no request counts ({why or 'no source'})"
    told = telling(subject, claimed, plain)
    if not told:
        return Verdict.NOTHING, _cached(subject & claimed)
    rest = [op for op in sorted(subject - claimed) if counts.get(op, 0)]
    reason = f"no {_names(told)} arrived"
    if rest:
        listed = ", ".join(f"{counts[op]} {op.name}" for op in rest)
        reason += f"; not passed through at {level.value}: {listed}"
    return Verdict.ENGAGED, reason


def _unclaimed(
    subject: frozenset[Opcode],
    claims: Mapping[Level, Collection[Opcode]],
    level: Level,
    asked: Level,
    available: Level,
    why: str,
    plain: Mapping[Opcode, Bound],
) -> tuple[Verdict, str]:
    higher = [
        candidate
        for candidate in sorted(claims, key=lambda candidate: candidate.rank)
        if candidate.rank > level.rank and subject & frozenset(claims[candidate])
    ]
    if not higher:
        return Verdict.NO_CLAIM, ""
    needed = higher[0]
    mine = subject & frozenset(claims[needed])
    told = telling(subject, claims[needed], plain)
    if not told:
        return Verdict.NOTHING, _cached(mine)
    names = _names(told)
    if needed.rank > available.rank:
        reason = f"{names} needs {needed.value}, this kernel gives {available.value}"
        return Verdict.NOT_AVAILABLE, f"{reason}: {why}" if why else reason
    return (
        Verdict.NOT_ENGAGED,
        f"{names} needs {needed.value}; the run asked for {asked.value} and got {level.value}",
    )


def _cached(opcodes: Collection[Opcode]) -> str:
    return f"a plain server gets no {_names(opcodes)} here either (cached)"


def _names(opcodes: Collection[Opcode]) -> str:
    return " and ".join(op.name for op in sorted(opcodes))


def _range(bound: Bound) -> str:
    if bound.low == bound.high:
        return _figure(bound.low)
    if math.isinf(bound.high):
        return f"at least {_figure(bound.low)}"
    return f"{_figure(bound.low)} to {_figure(bound.high)}"


def _figure(value: float) -> str:
    return f"{value:.4g}"
