"""One boot's work, inside the guest: a check of the targets, or trials, each told to the host as it ends.

The host reads ``events.jsonl`` in the shared folder; a guest that panics has told everything up to
the trial it died in. Python takes seconds to start here, so servers in Python are forked as workers
are, and nothing is imported that a trial does not need.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from bench import registry
from bench.guests.protocol import (
    JOB,
    Begin,
    Broken,
    CannotMeasure,
    Done,
    End,
    Events,
    Hello,
    Purpose,
    Say,
    TargetCost,
    Up,
    Warn,
)
from bench.kernels import disk
from bench.machine import isolate
from bench.model import Clock, Outcome, UserError
from bench.mounts.mount import spawn
from bench.plan import foreign, schedule, shards
from bench.plan.grid import targets
from bench.plan.schedule import Plan, refuse_empty
from bench.plan.series import Trial
from bench.plan.settings import Settings
from bench.profile.inside import keep_symbols
from bench.results.record import TrialLine
from bench.run import headers, trial, trials
from bench.run.bench import Bench
from bench.run.checks import check_targets, costs
from bench.run.phases import Phases
from bench.run.prepare import prepared
from bench.run.record import header

SETTLE_S = 2.0
"""On the instruction clock the guest's time leaps to its next timer whenever it waits for the host
(a file over 9p): no timeout in it means anything. The closes of a dying daemon run on into the next
window, by up to a fifth of it, unless the guest idles for a while, which costs the host nothing."""


class GuestVoice:
    """The run's face inside a guest: everything a person should see goes to the host."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def say(self, text: str) -> None:
        """News."""
        self._events.put(Say(text))

    def status(self, text: str) -> None:
        """Not worth a line to the host."""

    def warn(self, text: str) -> None:
        """A warning."""
        self._events.put(Warn(text))

    def tick(self) -> None:
        """No bar here."""

    @contextmanager
    def building(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """No bar here either."""
        del name
        yield lambda _done, _total: None


def main() -> int:
    """Do the job found in the shared folder named on the command line."""
    share = Path(sys.argv[1])
    job = json.loads((share / JOB).read_text())
    settings = foreign.introduce(Settings.from_json(job["settings"]))
    events = Events(share)
    events.put(Up())
    preload_daemons(settings)
    try:
        with (
            disk.mounted(settings.backing_fs) as folder,
            prepared(
                replace(settings, backing=folder or settings.backing),
                GuestVoice(events),
                Phases(),
                job["kernel"],
            ) as (bench, gives),
        ):
            bench.logs = share
            bench.start_daemon = fork_daemon
            if settings.profile:
                keep_symbols(share)
            if settings.clock is Clock.INSTRUCTIONS:
                never_preempt_by_waking()
                bench.settle = lambda: time.sleep(SETTLE_S)
                bench.patience = math.inf  # the host watches
            do_work(job, bench, schedule.make(settings, gives), events)
    except UserError as error:
        events.put(CannotMeasure(str(error), int(error.code)))
    events.put(Done())
    return 0


def never_preempt_by_waking() -> None:
    """SCHED_BATCH for this process and those it starts: who is woken waits until the CPU is left to it.

    Else the scheduler's arrears decide whether a server takes the CPU at every RELEASE, which nobody
    waits for, or serves it on the way to the next request: windows of walk-find on passthrough-c fell
    by a tenth from one to the next, boots were 0.6 % apart. They are 0.003 % apart since.
    """
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def fork_daemon(argv: list[str], cpus: Collection[int], log: IO[bytes]) -> isolate.Child:
    """A daemon of ours as a child of this process, which has loaded what it needs; others as they are."""
    if argv[:3] != [sys.executable, "-m", "daemons._serve"]:
        return spawn(argv, cpus, log)
    from daemons import _serve

    return isolate.fork(lambda: _serve.main(argv[3:]), cpus=cpus, stderr=log)


def preload_daemons(settings: Settings) -> None:
    """Load what servers in Python need, once, so that their forks start at once."""
    if any(registry.daemon(target.daemon).python for target in targets(settings)):
        from daemons import _serve

        _serve.preload()


def do_work(job: dict[str, Any], bench: Bench, planned: Plan, events: Events) -> None:
    """What the boot is for: comparing and costs, or the trials of its shard that are not done yet."""
    refuse_empty(planned)
    skipped = [asdict(item) for item in planned.skipped]
    events.put(Hello(headers.facts(bench, planned), skipped))
    if job["work"] == Purpose.CHECK:
        check(job, bench, planned, events)
    else:
        measure(job, bench, planned, events)


def check(job: dict[str, Any], bench: Bench, planned: Plan, events: Events) -> None:
    """Compare every target with its backing; then the cost sheet, where it is wanted."""
    voice = GuestVoice(events)
    broken = check_targets(planned, bench, voice)
    events.put(Broken(broken))
    if bench.settings.cost:
        for record in costs(planned, bench, voice, {*broken, *job["costed"]}):
            events.put(TargetCost(record))


def measure(job: dict[str, Any], bench: Bench, planned: Plan, events: Events) -> None:
    """The trials of the job's shard and round that have no line yet, then what was disturbed."""
    done, broken = set(job["done"]), dict(job["broken"])
    whole = [one for one in planned.trials if one.round == job["round"]]
    ours = shards.shard(whole, job["shard"], bench.settings)
    left = tuple(
        one for one in ours if one.series.label not in done and one.series.target not in broken
    )
    if left and bench.settings.clock is Clock.INSTRUCTIONS:
        trial.run(bench, left[0])  # the first window after a boot differs: not counted
    records = [do(bench, one, events) for one in left]
    good = [record for record in records if record["outcome"] == Outcome.OK]
    for one in () if bench.settings.quick else schedule.repeats(left, good):
        do(bench, one, events)


def do(bench: Bench, one: Trial, events: Events) -> TrialLine:
    """One trial, with the host told of its begin and end."""
    events.put(Begin(header(bench, one)))
    record, pyperf_json = trials.do(bench, one)
    events.put(End(record, pyperf_json))
    return record


if __name__ == "__main__":
    sys.exit(main())
