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
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.guests.kernels import find
from bench.guests.listener import Hung, Listener, tidy
from bench.guests.protocol import JOB
from bench.guests.session import Guest, GuestRun
from bench.kernels import disk, vm
from bench.kernels.console import EXITED, last_line
from bench.machine import suite, tune
from bench.machine.knobs import KNOBS
from bench.model import Clock, UserError
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
PASSED_ON = ("FUSE_BENCH_MIRROR",)
"""Environment variables that mean in a guest what they mean here."""


def start(settings: Settings, output: Path, argv: list[str], view: View) -> RunResult:
    """Make a new run in guests; raises UserError when nothing can be measured."""
    guests = find(settings)
    settings = profiling(settings, view)
    header = headers.make_header(settings, argv, {"targets": [], "kernels": []}, ())
    run = GuestRun(settings, RunDirectory.create(output, header), view, guests)
    with tune.applied(KNOBS if settings.tune else ()) as tuned:
        run.directory.update_header(tuned=tuned)
        return rounds(run)


def resume(directory: RunDirectory, settings: Settings, view: View) -> RunResult:
    """Finish a run in guests: what has no line in trials.jsonl yet."""
    run = GuestRun(profiling(settings, view), directory, view, find(settings))
    run.greeted = {entry["label"] for entry in directory.header().get("kernels", [])}
    return rounds(run)


def profiling(settings: Settings, view: View) -> Settings:
    """Where qemu does not load the plugin, a run without profiles, and its reason."""
    if settings.profile and (why := plugin.why_not()):
        view.warn(f"no profiles: {why}")
        return replace(settings, profile=False)
    return settings


def rounds(run: GuestRun) -> RunResult:
    """Every round on every kernel, boot by boot."""
    interrupted = False
    for guest in run.guests:
        run.view.say(
            f"kernel {guest.label}: {guest.image.path.name}, {guest.accelerator} ({guest.why})"
        )
    try:
        for number in range(run.settings.trials):
            boots(run, number)
        if run.settings.precision is not None:
            trials.until_precise(
                run.settings, run.directory, run.view, lambda number, _wide: boots(run, number)
            )
    except KeyboardInterrupt:
        interrupted = True
        run.view.warn(
            f"interrupted; finish it with: python -m bench run --resume {run.directory.path}"
        )
    finished = None if interrupted else headers.now()
    run.directory.update_header(finished=finished, phases=run.timer.summary())
    return RunResult(run.directory, dict(run.counts), interrupted)


def boots(run: GuestRun, number: int) -> bool:
    """One round on every kernel, in an order drawn from the seed; always more where there is time."""
    chance = random.Random(f"{run.settings.seed}/boots/{number}")
    for guest in chance.sample(run.guests, len(run.guests)):
        one_round(run, guest, number)
    return True


def one_round(run: GuestRun, guest: Guest, number: int) -> None:
    """Boot until every trial of the round has its line, or a boot brought none."""
    while True:
        share = fresh_folder(run.directory.path / "boots", f"{number:02}-{guest.label}")
        listener = Listener(run, guest, share)
        with run.timer("boots"):
            reason = boot(run, guest, number, share, listener)
        listener.listen()
        listener.refuse_full()
        if listener.finished:
            tidy(share)
            return
        if not listener.lost(reason):
            raise UserError(
                f"kernel {guest.label} does not get as far as a trial: {reason}; its console is in "
                f"{share}",
                listener.stopped,
            )


def fresh_folder(boots: Path, name: str) -> Path:
    """A folder that no boot has used: what one before the resume told must not be heard again."""
    candidates = (boots / f"{name}-{attempt}" for attempt in itertools.count())
    return next(path for path in candidates if not path.exists())


def boot(run: GuestRun, guest: Guest, number: int, share: Path, listener: Listener) -> str:
    """One boot that does what is left of a round; how it ended, in a line.

    Raises UserError when the run's directory cannot be written.
    """
    instructions = run.settings.clock is Clock.INSTRUCTIONS
    run.view.status(f"booting kernel {guest.label}, round {number + 1} of {run.settings.trials}")
    try:
        (share / BLOCKS).mkdir(parents=True, exist_ok=True)
        (share / JOB).write_text(json.dumps(job(run, guest, number)))
        with disk.image(run.settings.backing_fs, share) as disks:
            result = vm.boot(
                guest.image,
                command(share),
                share=share,
                timeout_s=GUEST_TIMEOUT_S,
                memory_mb=run.settings.memory_mb,
                cpus=1 if instructions else 2,
                clock=vm.INSTRUCTIONS if instructions else vm.WALL,
                kernel_args=(*(ALIKE if instructions else ()), *guest.parameters),
                disks=disks,
                accelerator=guest.accelerator,
                plugin=plugin.option((share / BLOCKS).resolve()) if run.settings.profile else "",
                tick=listener.watch,
            )
    except Hung as hung:
        return str(hung)
    except OSError as error:
        raise listener.cannot_write(error.strerror or str(error)) from None
    return ending(result)


def job(run: GuestRun, guest: Guest, number: int) -> dict[str, Any]:
    """What a boot is to do: see bench.guests.inside."""
    label = run.label_in_tables(guest)
    return {
        "settings": replace(
            run.settings, kernels=(), tune=False, trials=max(number + 1, run.settings.trials)
        ).to_json(),
        "kernel": label,
        "round": number,
        "done": [
            record["series"]
            for record in run.directory.trials()
            if record["round"] == number and record["kernel"] == label
        ],
        "costed": [record["target"] for record in run.directory.costs()],
        # A boot that has not compared trees has other free pages and slabs: on the instruction clock
        # lookup-negative on plain-c was 0.1 % less in the second, so every boot compares.
        "conformance": guest.label not in run.broken or run.settings.clock is Clock.INSTRUCTIONS,
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
