"""A trial's line in trials.jsonl as a type: it is written and read through this table, and
results/README.md is held against it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict, cast

from bench.axes import rows, targets
from bench.axes.axis import Axis
from bench.model import (
    NOT_KNOWN,
    Cache,
    Clock,
    Level,
    Outcome,
    Placement,
    ReaddirMode,
    UserError,
    Verdict,
    XattrWay,
)
from bench.results.kinds import Name, Number, Text, TrueOrFalse, Values, Whole, Word, Wrong
from bench.results.objects import (
    FURTHER,
    REQUIRED,
    Facts,
    Key,
    ListOf,
    MapOf,
    Object,
    Opcodes,
    keys,
    line_of,
)

REVISIONS = (
    "the first",
    "the clock",
    "axes of servers and directories, whose timeouts held, trials made again",
    "attribution",
    "requests held back on purpose",
    "profiles",
    "what a target claims, how it answers about extended attributes, open loops",
    "axes that are no more than a record in bench.axes",
)
"""Schema 1 grew by keys that older readers pass over; run.json says which revision wrote it."""
REVISION = len(REVISIONS) - 1
AS_ASKED, THE_SERVERS_OWN = "as asked", "the server's own"
"""Whose timeouts held during a trial."""
PROFILE = re.compile(r"profiles/[^/]+")
LONGEST = 1e15
"""Seconds or instructions per operation that nothing takes, nor their inverse."""

NAME, LABEL, TEXT, WHOLE, FLAG = Name(), Name(200), Text(), Whole(), TrueOrFalse()
COUNT = Whole(0, 10**9)
NS = Number(-1e18, 1e18)
HISTOGRAM = MapOf(Text(40, "upper bound ns"), WHOLE)
CPUS = ListOf(Whole(0, 10**6))


class CountedRequests(TypedDict):
    """What a counting pass saw, outside the timed windows."""

    ops: Annotated[int, Key(WHOLE, 0)]
    kernel: Annotated[dict[str, int] | None, Key(Opcodes(WHOLE), None)]
    server: Annotated[dict[str, int] | None, Key(Opcodes(WHOLE), None)]
    agree: Annotated[bool | None, Key(FLAG, None)]
    why: Annotated[str, Key(TEXT, "")]


class OpcodeTimes(TypedDict):
    """Requests of one opcode in an attributed window; sums in ns."""

    count: Annotated[int, Key(Whole(1), REQUIRED)]
    server_ns: Annotated[float | None, Key(NS, None)]
    total_ns: Annotated[float, Key(NS, REQUIRED)]


class AttributedWindow(TypedDict):
    """Where the time of one more window went."""

    ops: Annotated[int, Key(WHOLE, REQUIRED)]
    window_ns: Annotated[float, Key(NS, 0)]
    by_opcode: Annotated[dict[str, OpcodeTimes], Key(Opcodes(Object(OpcodeTimes)), {})]
    behind: Annotated[dict[str, OpcodeTimes], Key(Opcodes(Object(OpcodeTimes)), {})]
    why: Annotated[str, Key(TEXT, "")]


class ProfileLine(TypedDict):
    """What a profile comes to; without one only ``error``."""

    file: Annotated[str, Key(Text(300), "")]
    ops: Annotated[int, Key(WHOLE, 0)]
    instructions: Annotated[float, Key(Number(), 0)]
    clock: Annotated[float, Key(Number(), 0.0)]
    unnamed: Annotated[float, Key(Number(), 0.0)]
    counts: Annotated[dict[str, int], Key(MapOf(Name(), WHOLE), {})]
    error: Annotated[str, Key(TEXT, "")]


class OpenLoop(TypedDict):
    """A window whose operations begin when they are due."""

    asked: Annotated[float, Key(Number(), REQUIRED)]
    kept: Annotated[float, Key(Number(), REQUIRED)]
    histogram: Annotated[dict[str, int], Key(HISTOGRAM, {})]


class CpuLists(TypedDict):
    """Where client and daemon ran."""

    client: Annotated[list[int], Key(CPUS, [])]
    daemon: Annotated[list[int], Key(CPUS, [])]


class ServerUse(TypedDict):
    """What a daemon had used when it was unmounted."""

    exit: Annotated[int | None, Key(Whole(-1000, 1000), None)]
    rss_kib: Annotated[int | None, Key(WHOLE, None)]
    cpu_s: Annotated[float | None, Key(Number(), None)]


class TrialLine(TypedDict):
    """One trial: a line of trials.jsonl. The order is that of a table of samples."""

    series: Annotated[
        str, Key(LABEL, "", "label; also the name of `series/<label>.json`", sampled=True)
    ]
    target: Annotated[
        str, Key(NAME, "(unnamed)", "what was measured, as tables name it", sampled=True)
    ]
    daemon: Annotated[str, Key(NAME, "", "the server's name, without level and kernel")]
    kernel: Annotated[str, Key(NAME, "", "label of the kernel, where a run has several")]
    workload: Annotated[str, Key(NAME, "(unnamed)", "what was done", sampled=True)]
    variant: Annotated[str, Key(NAME, "", "and which kind of it", sampled=True)]
    cache: Annotated[str, Key(Word(Cache), Cache.WARM.value, "cache state", sampled=True)]
    threads: Annotated[int, Key(Whole(1, 10**6), 1, "of the client", sampled=True)]
    placement: Annotated[
        str, Key(Word(Placement), Placement.SAME.value, "CPUs of client and daemon", sampled=True)
    ]
    level: Annotated[
        str, Key(Word(Level), Level.NONE.value, "passthrough level in force", sampled=True)
    ]
    readdir: Annotated[
        bool, Key(FLAG, True, "whether listings are passed through, at a level that does")
    ]
    readdir_mode: Annotated[
        str,
        Key(
            Word(ReaddirMode, (NOT_KNOWN,)),
            ReaddirMode.READDIRPLUS.value,
            "listing requests of the server",
            2,
            sampled=True,
        ),
    ]
    server_threads: Annotated[
        int, Key(Whole(0, 10**6), 0, "the server's; 0 as many as it has CPUs", 2, sampled=True)
    ]
    clone_fd: Annotated[
        bool, Key(FLAG, False, "a /dev/fuse descriptor for each of them", 2, sampled=True)
    ]
    delay_ns: Annotated[
        dict[str, int],
        Key(Opcodes(WHOLE), {}, "how long the server held these requests back, on purpose", 4),
    ]
    xattr: Annotated[
        str,
        Key(
            Word(XattrWay),
            XattrWay.ANSWER.value,
            "what a server of ours said to requests about extended attributes",
            6,
        ),
    ]
    entries: Annotated[
        int,
        Key(COUNT, 0, "directory size, for workloads that have that axis, else 0", 2, sampled=True),
    ]
    clock: Annotated[
        str, Key(Word(Clock, ("",)), "", "what values are measured in; empty: as run.json says", 1)
    ]
    attr_timeout: Annotated[
        float, Key(Number(), math.nan, "attribute timeout, in seconds", sampled=True)
    ]
    entry_timeout: Annotated[
        float, Key(Number(), math.nan, "entry timeout, in seconds", sampled=True)
    ]
    timeouts: Annotated[
        str,
        Key(
            TEXT,
            AS_ASKED,
            "`as asked`, or `the server's own` where it cannot be told these: then `expected` is empty",
            2,
        ),
    ]
    round: Annotated[int, Key(Whole(0, 10**6), 0, "which repetition", sampled=True)]
    position: Annotated[int, Key(COUNT, 0, "when in the round it ran", sampled=True)]
    seed: Annotated[int, Key(WHOLE, 0, "of its names and their order")]
    attempt: Annotated[
        int,
        Key(
            Whole(0, 1000),
            0,
            "0, or 1 for a trial made again because something disturbed its comparison; a reader "
            "counts one attempt of a comparison and round, that with fewer disturbed trials",
            2,
        ),
    ]
    started: Annotated[str, Key(TEXT, "", "ISO 8601 with zone")]
    outcome: Annotated[str, Key(Word(Outcome), Outcome.FAILED.value, "how it ended")]
    reason: Annotated[str, Key(TEXT, "", "why it did not end well; empty when ok")]
    op: Annotated[str, Key(TEXT, "", "what one operation is, in words", sampled=True)]
    unit: Annotated[str, Key(Name(40), "op", "its unit: `op`, `entry`, `run`", sampled=True)]
    loops: Annotated[
        float, Key(WHOLE, math.nan, "of every timed window of the trial", sampled=True)
    ]
    ops_per_loop: Annotated[float, Key(WHOLE, math.nan, "operations of each", sampled=True)]
    values: Annotated[
        list[float],
        Key(
            Values(),
            [],
            "seconds (or instructions) per operation, one per timed window, in order; fewer than "
            "asked for where a mount has not that many directories to list for the first time",
        ),
    ]
    empty_loop_ns: Annotated[
        float | None,
        Key(
            Number(-1e18, 1e18),
            math.nan,
            "what the op driver's loop costs per operation without the operation; null for real programs",
        ),
    ]
    requests: Annotated[
        CountedRequests | None,
        Key(
            Object(CountedRequests),
            None,
            "counting pass, outside the timed windows; null for native",
        ),
    ]
    expected: Annotated[
        dict[str, list[float]] | None,
        Key(
            Opcodes(ListOf(Number(0.0, math.inf), 2, 2)),
            None,
            "lowest and highest requests per operation expected of the target; null for native. "
            "Of `:files` targets older runs have a plain server's",
        ),
    ]
    claimed: Annotated[
        dict[str, float] | None,
        Key(
            Opcodes(Number()),
            None,
            "what the target claims of the row's subject: requests per op that must be gone, where only "
            "those about files are claimed, else 0",
            6,
        ),
    ]
    verdict: Annotated[str, Key(Word(Verdict, ("",)), "", "whether passthrough did the work")]
    verdict_reason: Annotated[str, Key(TEXT, "", "why")]
    histogram: Annotated[
        dict[str, int] | None,
        Key(
            HISTOGRAM,
            None,
            "operations by latency, summed over a separate sampled pass",
        ),
    ]
    open_loop: Annotated[
        OpenLoop | None,
        Key(
            Object(OpenLoop),
            None,
            "with `--rate`: one more window in which each operation begins when it is due; operations per "
            "second asked for and reached, latencies from when they were due",
            6,
        ),
    ]
    attribution: Annotated[
        AttributedWindow | None,
        Key(
            Object(AttributedWindow),
            None,
            "with `--attribution`: one more window, apart from the timed ones; by opcode "
            "`{count, server_ns, total_ns}`, sums in ns. `server_ns` (null without our shim) is from "
            "the read of a request to the write of its reply, `total_ns` from fuse_request_send to "
            "fuse_request_end. `behind` are requests nobody waits for. `ops` 0, or no opcodes: `why`",
            3,
        ),
    ]
    profile: Annotated[
        ProfileLine | None,
        Key(
            Object(ProfileLine),
            None,
            "with `--profile`: one more window: folded stacks in `profiles/` (gzip; `zcat FILE` is what "
            "flame graph tools read), their sum, the instruction clock's figure for the same window, the "
            "share that no symbol table names, and how often it had `system_calls`, `switches`, "
            "`page_faults`, `interrupts`. Without a profile only `error`, which says why",
            5,
        ),
    ]
    cache_how: Annotated[str, Key(TEXT, "", "how the cache state was made and verified, in words")]
    cpus: Annotated[CpuLists | None, Key(Object(CpuLists), None, "where they ran")]
    server: Annotated[ServerUse | None, Key(Object(ServerUse), None, "the daemon's, at unmount")]
    noise: Annotated[
        dict[str, Any] | None,
        Key(
            Facts(),
            None,
            "what others did beside the windows: `{elapsed_s, others, elsewhere, steal, stalled, disk_kib_s, "
            "swapped_pages, writeback_kib, mhz}`, shares of the time of the trial's CPUs (elsewhere: of one "
            "CPU); null on the instruction clock",
            2,
        ),
    ]
    disturbed: Annotated[
        str, Key(TEXT, "", "why that is too much, in words; empty when it is not", 2)
    ]
    phases: Annotated[
        dict[str, float], Key(MapOf(Name(), Number(-1e9, 1e9)), {}, "seconds by phase")
    ]


@dataclass(frozen=True)
class Place:
    """A place on an axis: what the axis reads."""

    axis: Axis[Any]

    @property
    def said(self) -> str:
        """The kind in words, for a table of keys."""
        return ", ".join(f"`{word}`" for word in self.axis.words) or self.axis.metavar

    def read(self, value: object, _left_out: list[str] | None) -> Any:
        """The value as it is written; raises Wrong."""
        try:
            (place,) = self.axis.values(value)
        except (UserError, ValueError):
            raise Wrong(f"no place on the axis {self.axis.name}") from None
        return self.axis.write(place)


FURTHER[TrialLine] = {
    axis.column: Key(
        Place(axis), None, f"{axis.about}; where it is missing, the run's setting", 7, sampled=True
    )
    for axis in (*(one for one in rows.AXES if not one.split), *targets.SERVING)
    if axis.column not in TrialLine.__annotations__
}
"""Axes that are no more than a record in bench.axes."""


def trial(raw: object) -> TrialLine:
    """A trial as it was read of a line; raises Wrong where a key is not what it should be."""
    found = cast(TrialLine, line_of(TrialLine, raw, "no trial"))
    kept = found["profile"]
    if kept and kept["file"] and not (kept["ops"] and PROFILE.fullmatch(kept["file"])):
        raise Wrong(f"profile.file: {ascii(kept['file'])[:40]} is none of this run's")
    return found


def checked(raw: Mapping[str, Any]) -> TrialLine:
    """A trial as it is about to be written; raises Wrong where it could not be read again."""
    trial(raw)
    return cast(TrialLine, raw)


def times(line: TrialLine) -> list[float]:
    """The values of a trial that can be what a window took."""
    return [value for value in line["values"] if 1 / LONGEST < value < LONGEST]


SAMPLED = tuple(name for name, key in keys(TrialLine).items() if key.sampled)
"""The keys that stand beside every sample, in the order of the columns."""
DEFAULTS: Mapping[str, Any] = {name: key.default for name, key in keys(TrialLine).items()}
"""What a trial's keys are read as where they are missing or null."""
