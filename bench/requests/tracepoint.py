"""Counting FUSE requests in the kernel: the tracepoint fuse:fuse_request_send, by opcode.

Works for any server, ours or not. First choice are filtered perf events, which count in place;
second a tracefs instance of our own, read as text. Neither leaves a mount behind: tracefs is
mounted detached (bench.machine.syscalls), and perf descriptors outlive it.

What the tracepoint sees (fs/fuse/dev.c, 6.12 to 6.18): every request given to the queue of the
server, at that moment; INIT, RELEASE and DESTROY among them. It does not see FORGET and
BATCH_FORGET (queued by fuse_queue_forget) nor INTERRUPT (fuse_dev_queue_interrupt); one rare
FORGET, after a READDIRPLUS entry that could not be linked (fuse_force_forget), does pass it. A
background request (RELEASE, readahead) of a server using FUSE over io_uring bypasses it.

Cost: see ``RequestCounter``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection

from bench.machine import syscalls
from bench.model import Opcode
from bench.requests.sources import (
    NotCounted,
    PerfSource,
    Source,
    TracefsSource,
    read_at,
    tracepoint_id,
)


class RequestCounter:
    """Requests of one connection by opcode, between ``start`` and ``stop``.

    ``connection`` is MountEntry.connection (st_dev of the mount). As a context it opens one of
    two sources and never raises for want of both: ``source`` is ``perf``, ``tracefs`` or empty,
    and ``why`` then says what is missing. CPUs x (opcodes + 1) descriptors are held with perf;
    the soft limit of open files is raised for the time if they do not fit.

    Cost while counting: 1.8 us per request with all 47 opcodes armed (median of 60 paired blocks
    of 2000 requests, Linux 6.18, one CPU; 15.2 against 13.4 us), about 37 ns for each opcode, and
    nothing measurable between ``stop`` and ``start``. So count outside of timed windows, or name
    the opcodes. Opening takes 1-3 ms on 2 CPUs, start 2, read 1; closing the last event of the
    tracepoint waits 43 ms for RCU, which ``keep_tracepoint`` spares a run.
    """

    def __init__(
        self,
        connection: int,
        *,
        opcodes: Collection[Opcode] = tuple(Opcode),
        sources: Collection[str] = ("perf", "tracefs"),
    ) -> None:
        self.connection = connection
        self.opcodes = tuple(opcodes)
        self.source = ""
        self.why = ""
        self._sources = tuple(sources)
        self._open: Source | None = None

    def __enter__(self) -> RequestCounter:
        makers = {"perf": self._perf, "tracefs": self._tracefs}
        reasons = []
        for name in self._sources:
            try:
                self._open = makers[name]()
            except NotCounted as problem:
                reasons.append(str(problem))
                continue
            self.source = name
            return self
        self.why = "; ".join(dict.fromkeys(reasons)) or "no source asked for"
        return self

    def __exit__(self, *_error: object) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def start(self) -> None:
        """Set to zero and count. Raises NotCounted where there is no source."""
        self._needed().start()

    def stop(self) -> None:
        """Stop counting; what was counted can be read. Raises NotCounted."""
        self._needed().stop()

    def read(self) -> dict[Opcode, int]:
        """Requests so far by opcode, those at zero left out.

        Raises NotCounted if there is no source, if events were lost, or if the sum over the
        opcodes is not the total of the connection (an opcode newer than this suite).
        """
        counts, total = self._needed().read()
        known = {op: counts[op] for op in self.opcodes if counts.get(op)}
        if sum(known.values()) != total:
            raise NotCounted(
                f"{total} requests in all, {sum(known.values())} of opcodes known here: counting "
                "stopped while requests were under way, or the kernel has newer opcodes"
            )
        return known

    def _needed(self) -> Source:
        if self._open is None:
            raise NotCounted(self.why or "the counter is not open")
        return self._open

    def _perf(self) -> Source:
        return PerfSource(tracepoint_id(), self.connection, self.opcodes)

    def _tracefs(self) -> Source:
        return TracefsSource(self.connection)


def keep_tracepoint() -> RequestCounter:
    """A context that keeps the tracepoint registered, so that closing a counter inside it takes
    1 ms instead of 43. It counts nothing; no connection has number 0."""
    return RequestCounter(0, opcodes=(), sources=("perf",))


def waiting(connection: int) -> int | None:
    """Requests not yet answered on a connection (fusectl); None where that cannot be read.

    RELEASE counts although nobody waits for it; FORGET does not (fs/fuse/control.c, num_waiting).
    """
    try:
        control = syscalls.fusectl()
    except OSError:
        return None
    try:
        return int(read_at(control, f"{connection}/waiting"))
    except OSError:
        return None
    finally:
        os.close(control)


def quiesce(
    connection: int,
    *,
    timeout_s: float = 2.0,
    counter: RequestCounter | None = None,
    served: Callable[[], object] | None = None,
) -> bool:
    """Wait until no request of the connection is under way; False if that took too long.

    A RELEASE is queued by the close that causes it and answered later, so a count is read only
    after this. Without fusectl the counter, or what the server says it has ``served``, if given,
    must stand still for 20 ms instead.
    """
    deadline = time.monotonic() + timeout_s
    pause = 0.0002
    quiet = 0
    previous: object = None
    while True:
        number = waiting(connection)
        if number is None:
            look = counter.read if counter is not None and counter.source == "perf" else served
            if look is None:
                return False
            current = look()
            quiet, pause = (quiet + 1 if current == previous else 0), 0.01
            previous = current
        else:
            quiet = quiet + 1 if number == 0 else 0
        if quiet >= 2:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
