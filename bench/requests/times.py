"""How long each FUSE request took in the kernel's eyes: from fuse:fuse_request_send to _end.

Perf writes one record for each of the two tracepoints (Linux 6.12 and later) into a ring per CPU,
with CLOCK_MONOTONIC; they are read after the window, where the fields lie by the events' own
``format`` files. What passes the tracepoints is said in bench.requests.tracepoint.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.machine import syscalls
from bench.machine.placement import online_cpus
from bench.model import Opcode
from bench.requests.sources import NotCounted, no_tracepoint, read_at, tracefs_root, why_no_perf

SEND, END = "events/fuse/fuse_request_send", "events/fuse/fuse_request_end"
RING_BYTES = 4 << 20
"""Bytes of ring buffer for each CPU, a power of two of pages; a request takes some 140: 30 000 fit."""

# include/uapi/linux/perf_event.h
_TRACEPOINT = 2
_SAMPLE_TIME, _SAMPLE_RAW = 1 << 2, 1 << 10
_FLAGS = 1 << 0 | 1 << 25
"""disabled, use_clockid"""
_ATTR = struct.Struct("<IIQQQQQIIQQQQIi")
"""struct perf_event_attr as of 96 bytes (PERF_ATTR_SIZE_VER3); ``clockid`` is its last word."""
_CLOCK_MONOTONIC = 1
_ENABLE, _DISABLE, _RESET, _SET_OUTPUT, _SET_FILTER = 0x2400, 0x2401, 0x2403, 0x2405, 0x40082406
_HEAD_AT, _TAIL_AT, _DATA_AT = 1024, 1032, 1040
"""data_head, data_tail, data_offset in struct perf_event_mmap_page."""
_RECORD = struct.Struct("<IHH")
"""struct perf_event_header: type, misc, size."""
_RECORD_SAMPLE = 9
_TIME_AND_LENGTH = struct.Struct("<QI")

_FIELD = re.compile(r"field:[^;]*?(\w+);\s*offset:(\d+);\s*size:(\d+);\s*signed:(\d)")


@dataclass(frozen=True)
class Timed:
    """One request: when it was given to the server's queue and when its answer had been taken.

    Both are nanoseconds of CLOCK_MONOTONIC.
    """

    opcode: Opcode
    sent_ns: int
    ended_ns: int

    @property
    def took_ns(self) -> int:
        """From send to end."""
        return self.ended_ns - self.sent_ns


@dataclass(frozen=True)
class Layout:
    """Where the fields of a tracepoint's record lie, by name: (offset, size)."""

    event: int
    fields: Mapping[str, tuple[int, int]]

    def read(self, raw: bytes, name: str) -> int:
        """An unsigned field of a record; NotCounted if this kernel's event has none such."""
        if name not in self.fields:
            raise NotCounted(f"this kernel's FUSE tracepoint has no field {name}")
        offset, size = self.fields[name]
        return int.from_bytes(raw[offset : offset + size], "little")


def parse_format(event: int, text: str) -> Layout:
    """The layout out of the text of an event's ``format`` file."""
    found = {name: (int(at), int(size)) for name, at, size, _ in _FIELD.findall(text)}
    return Layout(event, found)


class RequestTimes:
    """Requests of one connection with their times, between ``start`` and ``stop``.

    As a context it opens two events for each CPU; raises NotCounted where perf or the tracepoints
    are missing. Cost while armed: see results/self/attribution_cost.txt; nothing before ``start`` and
    after ``stop``.
    """

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._rings: list[_Ring] = []
        self._send = self._end = Layout(0, {})

    def __enter__(self) -> RequestTimes:
        self._send, self._end = _layouts()
        text = f"connection == {self._connection}"
        try:
            for cpu in online_cpus():
                self._rings.append(_Ring(cpu))
                for layout in (self._send, self._end):
                    self._rings[-1].add(layout.event, text)
        except OSError as error:
            self.__exit__()
            raise NotCounted(why_no_perf(error)) from error
        return self

    def __exit__(self, *_error: object) -> None:
        for ring in self._rings:
            ring.close()
        self._rings = []

    def start(self) -> None:
        """Forget what was recorded and record; no request should be under way."""
        for ring in self._rings:
            ring.start()

    def stop(self) -> None:
        """Record no more."""
        for ring in self._rings:
            ring.stop()

    def read(self) -> list[Timed]:
        """Every request in the order they were sent, after ``stop``.

        Raises NotCounted if a record was lost, or a request has not ended.
        """
        records = [record for ring in self._rings for record in ring.records()]
        records.sort(key=lambda record: record[0])
        sent = [(time, raw) for time, event, raw in records if event == self._send.event]
        ended = [(time, raw) for time, event, raw in records if event == self._end.event]
        return match(sent, ended, self._send, self._end)


Records = Sequence[tuple[int, bytes]]


def match(sent: Records, ended: Records, send: Layout, end: Layout) -> list[Timed]:
    """Requests out of the records of both tracepoints, each in the order of its times.

    Linux 6.12 numbers a request only after its send is traced, so that its ``unique`` is 0 there
    (fs/fuse/dev.c, fuse_send_one and fuse_dev_queue_req; 6.18 does so before). Then the n-th send
    is the one with the n-th number, for a single client's requests are numbered as they are sent.
    """
    if len(sent) != len(ended):
        raise NotCounted(f"{len(sent)} requests sent, {len(ended)} ended: some were under way")
    numbers = [send.read(raw, "unique") for _, raw in sent]
    ends = {end.read(raw, "unique"): time for time, raw in ended}
    if not all(numbers):
        numbers = sorted(ends)
    if set(numbers) != ends.keys():
        raise NotCounted("the requests that ended are not those that were sent")
    return [
        Timed(_opcode(send.read(raw, "opcode")), time, ends[number])
        for (time, raw), number in zip(sent, numbers, strict=True)
    ]


def _opcode(number: int) -> Opcode:
    try:
        return Opcode(number)
    except ValueError:
        raise NotCounted(f"requests of opcode {number}, which has no name here") from None


def _layouts() -> tuple[Layout, Layout]:
    root = tracefs_root()
    try:
        send, end = (
            parse_format(int(read_at(root, f"{event}/id")), read_at(root, f"{event}/format"))
            for event in (SEND, END)
        )
    except OSError as error:
        raise no_tracepoint() from error
    finally:
        os.close(root)
    return send, end


class _Ring:
    """The events of one CPU and the ring they share."""

    def __init__(self, cpu: int) -> None:
        self._cpu = cpu
        self._fds: list[int] = []
        self._memory: mmap.mmap | None = None

    def add(self, event: int, text: str) -> None:
        """Another tracepoint, filtered; OSError as perf_event_open."""
        kinds = _SAMPLE_TIME | _SAMPLE_RAW
        attributes = _ATTR.pack(
            _TRACEPOINT, _ATTR.size, event, 1, kinds, 0, _FLAGS, 0, 0, 0, 0, 0, 0, 0,
            _CLOCK_MONOTONIC,
        )  # fmt: skip
        fd = syscalls.perf_event_open(attributes, -1, self._cpu)
        self._fds.append(fd)
        fcntl.ioctl(fd, _SET_FILTER, text.encode() + b"\0")
        if self._memory is None:
            self._memory = mmap.mmap(fd, mmap.PAGESIZE + RING_BYTES)
        else:
            fcntl.ioctl(fd, _SET_OUTPUT, self._fds[0])

    def start(self) -> None:
        self._word(_TAIL_AT, self._word(_HEAD_AT))
        for request in (_RESET, _ENABLE):
            for fd in self._fds:
                fcntl.ioctl(fd, request, 0)

    def stop(self) -> None:
        for fd in self._fds:
            fcntl.ioctl(fd, _DISABLE, 0)

    def records(self) -> list[tuple[int, int, bytes]]:
        """(time in ns, event, raw data) of every sample since ``start``; NotCounted if any is lost."""
        found = list(self._samples())
        counted = sum(int.from_bytes(os.read(fd, 8), "little") for fd in self._fds)
        if len(found) != counted:
            raise NotCounted(f"the ring of a CPU overran: {counted - len(found)} records lost")
        return found

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
        for fd in self._fds:
            os.close(fd)
        self._fds, self._memory = [], None

    def _samples(self) -> Iterator[tuple[int, int, bytes]]:
        data, position = self._unread(), 0
        while position < len(data):
            kind, _misc, size = _RECORD.unpack_from(data, position)
            if kind == _RECORD_SAMPLE:
                time, length = _TIME_AND_LENGTH.unpack_from(data, position + _RECORD.size)
                start = position + _RECORD.size + _TIME_AND_LENGTH.size
                raw = data[start : start + length]
                # A record begins with the number of its event, common_type.
                yield time, int.from_bytes(raw[:2], "little"), raw
            position += size

    def _unread(self) -> bytes:
        assert self._memory is not None
        start, tail, head = self._word(_DATA_AT), self._word(_TAIL_AT), self._word(_HEAD_AT)
        first, past = tail % RING_BYTES, tail % RING_BYTES + head - tail
        wrapped = max(past - RING_BYTES, 0)
        return (
            self._memory[start + first : start + past - wrapped]
            + self._memory[start : start + wrapped]
        )

    def _word(self, at: int, value: int | None = None) -> int:
        assert self._memory is not None
        if value is not None:
            self._memory[at : at + 8] = value.to_bytes(8, "little")
        return int.from_bytes(self._memory[at : at + 8], "little")
