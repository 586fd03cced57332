"""Where the time of an operation goes: one window with its requests timed by kernel and server.

A pass of its own, behind the timed windows: both clocks run only here. What it takes longer than
those is what looking costs, and both totals are kept.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.model import Body, Opcode, Shape, Window
from bench.requests import counters, tracepoint
from bench.requests.sources import NotCounted
from bench.requests.times import RequestTimes, Timed

OPS = 1009
"""At least this many operations are attributed where a window can have any number (a prime)."""
BEHIND = frozenset({Opcode.RELEASE, Opcode.RELEASEDIR})
"""Requests that nobody waits for (fs/fuse/file.c, fuse_file_put): no part of an operation's latency.
FORGET and INTERRUPT are none either, but pass no tracepoint. What the server does meanwhile is seen
as queue of the requests that follow."""


@dataclass(frozen=True)
class Attribution:
    """One window of ``ops`` operations and its requests; all times in ns.

    ``timed`` are the kernel's times, ``served`` the server's: (requests, sum) by opcode, None for
    a server without our shim. ``why`` says what is missing; without ``timed`` there is no answer.
    """

    ops: int
    window_ns: int
    timed: Sequence[Timed] | None
    served: Mapping[Opcode, tuple[int, int]] | None
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """What a trial's record keeps; see results/README.md."""
        totals = self._by_opcode()
        return {
            "ops": self.ops,
            "window_ns": self.window_ns,
            "by_opcode": {op.name: totals[op] for op in totals if op not in BEHIND},
            "behind": {op.name: totals[op] for op in totals if op in BEHIND},
            "why": self.why,
        }

    def _by_opcode(self) -> dict[Opcode, dict[str, int | None]]:
        counts = Counter(request.opcode for request in self.timed or ())
        total_ns: Counter[Opcode] = Counter()
        for request in self.timed or ():
            total_ns[request.opcode] += request.took_ns
        served = self.served
        return {
            opcode: {
                "count": counts[opcode],
                "server_ns": None if served is None else served.get(opcode, (0, 0))[1],
                "total_ns": total_ns[opcode],
            }
            for opcode in sorted(counts)
        }


def refused(why: str) -> dict[str, Any]:
    """The record of a window that was not attributed."""
    return Attribution(0, 0, None, None, why).as_json()


def attribute(
    body: Body, shape: Shape, threads: int, connection: int | None, file: Path | None
) -> dict[str, Any]:
    """Do the pass; returns the trial's ``attribution``. Raises OSError as ``body.window`` does.

    ``connection`` None: nothing makes requests, so that all is the kernel's. ``file`` are the
    server's counters.
    """
    if threads > 1:
        return refused(f"{threads} client threads: their requests overlap")
    if shape is Shape.ONCE:
        return refused("a window uses the mount up: it would take a third one")
    loops = -(-OPS // body.ops_per_loop) if shape is Shape.REPEAT else 1
    body.before()
    if connection is None:
        window = body.window(loops)
        return Attribution(window.ops, window.ns, (), None).as_json()
    try:
        with RequestTimes(connection) as times:
            return _look(body, loops, connection, times, file).as_json()
    except NotCounted as problem:
        return refused(str(problem))


def _look(
    body: Body, loops: int, connection: int, times: RequestTimes, file: Path | None
) -> Attribution:
    tracepoint.quiesce(connection)
    before = counters.read(file) if file else None
    with counters.timing(file) if file else nullcontext(), _recording(times, connection):
        window = body.window(loops)
    served = None
    if file and before is not None:
        grown = counters.read(file).since(before)
        served = {op: (grown.timed[op], grown.server_ns[op]) for op in grown.timed}
    return judge(window, times.read(), served)


@contextmanager
def _recording(times: RequestTimes, connection: int) -> Iterator[None]:
    times.start()
    try:
        yield
        if not tracepoint.quiesce(connection):
            raise NotCounted("requests were still under way")
    finally:
        times.stop()


def judge(
    window: Window, timed: Sequence[Timed], served: Mapping[Opcode, tuple[int, int]] | None
) -> Attribution:
    """The window, unless its parts would not add up: then without them, and with the reason."""
    waited = [request for request in timed if request.opcode not in BEHIND]
    overlaps = sum(
        later.sent_ns < earlier.ended_ns for earlier, later in itertools.pairwise(waited)
    )
    if overlaps:
        why = f"{overlaps} of {len(waited)} requests were sent before another had ended"
        return Attribution(window.ops, window.ns, None, None, why)
    counts = Counter(request.opcode for request in timed)
    if served is not None and {op: number for op, (number, _) in served.items()} != counts:
        why = "the server timed other requests than the kernel"
        return Attribution(window.ops, window.ns, timed, None, why)
    return Attribution(window.ops, window.ns, timed, served)
