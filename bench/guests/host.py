"""Runs whose kernel is not this machine's: one boot per kernel and round, told by the guest's events.

The boot is the top unit of replication: kernels alternate boot by boot, in an order shuffled by the
seed. A guest that panics or hangs costs the trial it was in; the rest of the round gets a new boot.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.guests import bytecode, conformed, recorded
from bench.guests.kernels import find
from bench.guests.listener import Hung, Listener, tidy
from bench.guests.pool import Pool, width
from bench.guests.progress import BootProgress
from bench.guests.protocol import JOB, Purpose
from bench.guests.session import PASSED_ON, Boot, Elsewhere, Guest, GuestRun
from bench.kernels import disk, vm
from bench.kernels.console import EXITED, last_line
from bench.machine import suite, tune
from bench.machine.knobs import KNOBS
from bench.model import Clock, Exit, Level, Outcome, UserError
from bench.plan import forecast, schedule, shards
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings
from bench.profile import plugin
from bench.profile.inside import BLOCKS
from bench.results.store import RunDirectory
from bench.run import headers, trials
from bench.run.trials import RunResult
from bench.run.view import View

GUEST_TIMEOUT_S = 3 * 3600.0
ALIKE = ("norandmaps", "nokaslr", "rcutree.blimit=20000")
"""What makes two boots alike on the instruction clock; --kernel NAME,PARAMETER overrides.

No random layout of programs and kernel, though three boots without nokaslr were not farther apart
(0.04 % at most, lookup-negative on plain-c). What RCU may free it frees at once: with ten at a time,
the kernel's own measure, windows of lookup-negative lay up to 1.4 % apart within a boot, with this
0.24 %."""


def start(
    settings: Settings,
    output: Path,
    argv: list[str],
    view: View,
    *,
    jobs: int | None = None,
    conform: bool = False,
    elsewhere: Elsewhere | None = None,
) -> RunResult:
    """Make a new run in guests; raises UserError when nothing can be measured.

    ``jobs`` boots at a time, None: as many as make sense. ``conform``: compare every target with its
    backing though that is known. ``elsewhere``: who boots, where it is not this machine.
    """
    guests = find(settings)
    pool = pool_of(settings, jobs, elsewhere)
    offered = elsewhere.boots_at_a_time if elsewhere else 1
    settings = shards.with_number(profiling(settings, view), offered)
    header = headers.make_header(settings, argv, {"targets": [], "kernels": []}, ())
    run = GuestRun(settings, RunDirectory.create(output, header), view, guests, conform=conform)
    run.elsewhere = elsewhere
    with tune.applied(KNOBS if settings.tune else ()) as tuned:
        run.directory.update_header(tuned=tuned)
        return rounds(run, pool)


def resume(
    directory: RunDirectory,
    settings: Settings,
    view: View,
    *,
    jobs: int | None = None,
    elsewhere: Elsewhere | None = None,
) -> RunResult:
    """Finish a run in guests: what has no line in trials.jsonl yet."""
    run = GuestRun(profiling(settings, view), directory, view, find(settings))
    run.elsewhere = elsewhere
    run.counts.update(trials.outcomes(directory))
    run.greeted = {entry["label"] for entry in directory.about().get("kernels", [])}
    return rounds(run, pool_of(settings, jobs, elsewhere))


def pool_of(settings: Settings, jobs: int | None, elsewhere: Elsewhere | None) -> Pool:
    """Threads for the boots of a run: pinned to CPUs, or as many as other machines offer."""
    if elsewhere:
        return Pool(jobs or 2 * elsewhere.boots_at_a_time, pinned=False)  # who joins later, too
    return Pool(width(settings, jobs))


def profiling(settings: Settings, view: View) -> Settings:
    """Where qemu does not load the plugin, a run without profiles, and its reason."""
    if settings.profile and (why := plugin.why_not()):
        view.warn(f"no profiles: {why}")
        return replace(settings, profile=False)
    return settings


def rounds(run: GuestRun, pool: Pool) -> RunResult:
    """Every round on every kernel, boot by boot, as many at a time as the pool has threads."""
    interrupted = False
    for guest in run.guests:
        run.view.say(
            f"kernel {guest.label}: {guest.image.path.name}, {guest.accelerator} ({guest.why})"
        )
    try:
        run_boots(run, pool, list(checks(run)))
        wanted = [boot for number in range(run.settings.trials) for boot in round_of(run, number)]
        run_boots(run, pool, not_done(run, wanted))
        if run.settings.precision is not None:
            trials.until_precise(
                run.settings,
                run.directory,
                run.view,
                lambda number, _wide: run_boots(run, pool, round_of(run, number)),
            )
    except KeyboardInterrupt:
        interrupted = True
        run.view.warn(
            f"interrupted; finish it with: python -m bench run --resume {run.directory.path}"
        )
    finished = None if interrupted or run.given_up else headers.now()
    refused = {name: why for targets in run.broken.values() for name, why in targets.items()}
    run.directory.update_header(finished=finished, phases=run.timer.summary(), refused=refused)
    return RunResult(run.directory, dict(run.counts), interrupted)


def checks(run: GuestRun) -> Iterator[Boot]:
    """A boot for each kernel of which it is not known that all targets answer as their backing does."""
    for guest in run.guests:
        wanted = conformed.targets(run.settings, run.label_in_tables(guest))
        known = None if run.conform else conformed.recall(run.settings, guest, wanted)
        costed = {record["target"] for record in run.directory.costs()}
        if known is None or (run.settings.cost and not costed):
            yield Boot(guest, Purpose.CHECK)
        else:
            run.broken[guest.label] = known


def round_of(run: GuestRun, number: int) -> list[Boot]:
    """The boots of one round: every shard on every kernel, kernels in an order drawn from the seed."""
    chance = random.Random(f"{run.settings.seed}/boots/{number}")
    return [
        Boot(guest, Purpose.MEASURE, number, shard)
        for shard in range(max(1, run.settings.shards))
        for guest in chance.sample(run.guests, len(run.guests))
    ]


def not_done(run: GuestRun, boots: list[Boot]) -> list[Boot]:
    """The boots of which run.json does not say that they went to their end.

    Another commit of the suite may divide rounds otherwise: its boots say nothing of ours.
    """
    header = run.directory.header()
    theirs = header.get("environment", {}).get("suite_commit")
    done = header.get("boots", []) if theirs in (None, suite.commit()) else []
    return [boot for boot in boots if boot.key not in done]


def run_boots(run: GuestRun, pool: Pool, boots: list[Boot]) -> bool:
    """Make these boots; always true, as there is always more to measure where there is time."""
    if len(boots) > pool.jobs > 1:
        boots = longest_first(run, boots)
    progress = BootProgress(run.view, len(boots), pool.jobs)

    def one(boot: Boot, cpus: tuple[int, ...]) -> None:
        until_done(run, boot, cpus)
        with run.lock:
            progress.ended()

    pool.run(boots, one, run.stop)
    return True


def longest_first(run: GuestRun, boots: list[Boot]) -> list[Boot]:
    """Round by round, each with its longest boots first, so that all CPUs end together."""
    numbers = {boot.round for boot in boots if boot.work is Purpose.MEASURE}
    longer = replace(run.settings, trials=max(numbers, default=0) + 1)
    planned = schedule.make(longer, KernelGives(Level.LOOKUP))
    expected = forecast.boots(longer, planned, forecast.Known(recorded.seconds_of(longer)))
    return sorted(boots, key=lambda one: (one.round, -expected.get((one.round, one.shard), 0.0)))


def until_done(run: GuestRun, boot: Boot, cpus: tuple[int, ...]) -> None:
    """Boot until all of its work is done, or a boot brought nothing."""
    while True:
        share = fresh_folder(run.directory.path / "boots", boot.name)
        listener = Listener(run, boot, share)
        begun = time.monotonic()
        reason = once(run, boot, share, listener, cpus)
        elapsed_s = time.monotonic() - begun
        with run.lock:
            run.timer.add("boots", elapsed_s)
        listener.listen()
        listener.refuse_full()
        if listener.finished:
            with run.lock:
                listener.stopwatch.kept(run, boot, elapsed_s)
            tidy(share)
            return
        if not listener.lost(reason):
            give_up(run, boot, f"{reason}; its console is in {share}", listener.stopped)
            return


def give_up(run: GuestRun, boot: Boot, why: str, code: Exit) -> None:
    """A boot that brought nothing costs what it was to measure, where its kernel has brought trials.

    Raises UserError where it has not: then nothing can be expected of the boots to come.
    """
    label = run.label_in_tables(boot.guest)
    brought = (one for one in run.directory.trials() if one["kernel"] == label)
    if not any(one["outcome"] == Outcome.OK for one in brought):
        raise UserError(f"kernel {boot.guest.label} does not get as far as a trial: {why}", code)
    with run.lock:
        run.given_up.append(boot.name)
        run.counts[Outcome.FAILED] += 1
        run.view.warn(
            f"kernel {boot.guest.label}, boot {boot.name}: no trial: {why}; to make it again: "
            f"python -m bench run --resume {run.directory.path}"
        )


def fresh_folder(boots: Path, name: str) -> Path:
    """A folder that no boot has used: what one before the resume told must not be heard again."""
    candidates = (boots / f"{name}-{attempt}" for attempt in itertools.count())
    return next(path for path in candidates if not path.exists())


def once(run: GuestRun, boot: Boot, share: Path, listener: Listener, cpus: tuple[int, ...]) -> str:
    """One boot that does what is left of its work; how it ended, in a line.

    Raises UserError when the run's directory cannot be written.
    """
    guest = boot.guest
    profiled = run.settings.profile and boot.work is Purpose.MEASURE
    with run.lock:
        run.view.status(f"booting kernel {guest.label}: {boot.name}")
        what = job(run, boot)
    try:
        share.mkdir(parents=True, exist_ok=True)
        (share / JOB).write_text(json.dumps(what))
        if run.elsewhere:
            return run.elsewhere.boot(guest, what, share, listener.attend)
        return ending(
            guest_boot(guest, run.settings, share, listener.watch, cpus, profiled=profiled)
        )
    except Hung as hung:
        return str(hung)
    except OSError as error:
        raise listener.cannot_write(error.strerror or str(error)) from None


def guest_boot(
    guest: Guest,
    settings: Settings,
    share: Path,
    tick: Callable[[], None],
    cpus: tuple[int, ...],
    *,
    profiled: bool = False,
) -> vm.GuestResult:
    """Boot a guest that does the job in ``share``."""
    bytecode.written()
    instructions = settings.clock is Clock.INSTRUCTIONS
    (share / BLOCKS).mkdir(parents=True, exist_ok=True)
    with disk.image(settings.backing_fs, share) as disks:
        return vm.boot(
            guest.image,
            command(share),
            share=share,
            timeout_s=GUEST_TIMEOUT_S,
            memory_mb=settings.memory_mb,
            cpus=1 if instructions else 2,
            clock=vm.INSTRUCTIONS if instructions else vm.WALL,
            kernel_args=(*(ALIKE if instructions else ()), *guest.parameters),
            disks=disks,
            accelerator=guest.accelerator,
            plugin=plugin.option((share / BLOCKS).resolve()) if profiled else "",
            tick=tick,
            host_cpus=cpus,
        )


def job(run: GuestRun, boot: Boot) -> dict[str, Any]:
    """What a boot is to do: see bench.guests.inside."""
    guest, number = boot.guest, boot.round
    label = run.label_in_tables(guest)
    return {
        "work": boot.work.value,
        "settings": replace(
            run.settings, kernels=(), tune=False, trials=max(number + 1, run.settings.trials)
        ).to_json(),
        "kernel": label,
        "round": number,
        "shard": boot.shard,
        "done": [
            record["series"]
            for record in run.directory.trials()
            if record["round"] == number and record["kernel"] == label
        ],
        "costed": [record["target"] for record in run.directory.costs()],
        "broken": run.broken.get(guest.label, {}),
    }


def command(share: Path) -> list[str]:
    """What the guest runs: the job in ``share``, with the variables it is to know of."""
    passed = [f"{name}={os.environ[name]}" for name in PASSED_ON if name in os.environ]
    passed.append(f"{suite.COMMIT}={suite.commit() or ''}")
    python = [sys.executable, "-m", "bench.guests.inside", str(share.resolve())]
    return ["env", "PYTHONHASHSEED=0", *passed, *python]


def ending(result: vm.GuestResult) -> str:
    """How a boot ended, in a line: with the last words of what ran in it, where it got that far."""
    told = f"guest {result.outcome}: {result.reason}"
    words = result.stdout.read_text(errors="replace").strip()
    return f"{told}: {last_line(words)}" if words and result.outcome == EXITED else told
