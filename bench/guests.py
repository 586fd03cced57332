"""Runs whose kernel is not this machine's: one boot per kernel and round, told by the guest's events.

The boot is the top unit of replication: kernels alternate boot by boot, in an order shuffled by the
seed. A guest that panics or hangs costs the trial it was in; the rest of the round gets a new boot.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import kernel, runner, tune, vm
from bench.guest import EVENTS, JOB
from bench.knobs import KNOBS
from bench.model import Clock, Exit, Outcome, UserError
from bench.plan import Settings
from bench.store import RunDirectory
from bench.view import View

GUEST_TIMEOUT_S = 3 * 3600.0
TRIAL_TIMEOUT_S = 420.0
"""After this long without its end a trial counts as hung, and costs its guest."""


class Hung(Exception):
    """The guest is alive, but a trial in it does not end."""


@dataclass(frozen=True)
class Guest:
    """A kernel as the command line names it: ``[label=]image[,parameter...]``."""

    label: str
    image: kernel.Image
    parameters: tuple[str, ...] = ()
    accelerator: str = vm.TCG
    why: str = ""


@dataclass
class Run:
    """A run under way: where it is written, what is known of its targets."""

    settings: Settings
    directory: RunDirectory
    view: View
    guests: list[Guest]
    timer: runner.Timer = field(default_factory=runner.Timer)
    broken: dict[str, dict[str, str]] = field(default_factory=dict)
    """By kernel: targets whose answers differ from the backing, and how."""
    greeted: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def label_in_tables(self, guest: Guest) -> str:
        """Targets carry the kernel's label only where there are several."""
        return guest.label if len(self.guests) > 1 else ""


def parse(text: str) -> tuple[str, str, tuple[str, ...]]:
    """(label, image, kernel parameters) of a --kernel argument; raises UserError."""
    head, *parameters = text.split(",")
    label, equals, image = head.partition("=")
    if not equals:
        label, image = "", head
    if not image:
        raise UserError(f"--kernel {text}: wanted [LABEL=]IMAGE[,PARAMETER...]")
    return label or Path(image).name, image, tuple(parameters)


def find(settings: Settings) -> list[Guest]:
    """The kernels of a run, each with the accelerator it boots with; raises UserError."""
    found = []
    for text in settings.kernels:
        label, name, parameters = parse(text)
        image = kernel.locate(name)
        if settings.clock == Clock.INSTRUCTIONS:
            accelerator, why = vm.TCG, "the instruction clock needs it"
        else:
            accelerator, why = vm.accelerator_for(image)
        found.append(Guest(label, image, parameters, accelerator, why))
    labels = [guest.label for guest in found]
    if len(set(labels)) < len(labels):
        raise UserError(f"two kernels are called alike: {', '.join(labels)}; label them with NAME=")
    return found


def start(settings: Settings, output: Path, argv: list[str], view: View) -> runner.Result:
    """Make a new run in guests; raises UserError when nothing can be measured."""
    guests = find(settings)
    header = runner.make_header(settings, argv, {"targets": [], "kernels": []}, ())
    run = Run(settings, RunDirectory.create(output, header), view, guests)
    with tune.applied(KNOBS if settings.tune else ()) as tuned:
        run.directory.update_header(tuned=tuned)
        return rounds(run)


def resume(directory: RunDirectory, settings: Settings, view: View) -> runner.Result:
    """Finish a run in guests: what has no line in trials.jsonl yet."""
    run = Run(settings, directory, view, find(settings))
    run.greeted = {entry["label"] for entry in directory.header().get("kernels", [])}
    return rounds(run)


def rounds(run: Run) -> runner.Result:
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
            runner.until_precise(
                run.settings, run.directory, run.view, lambda number, _wide: boots(run, number)
            )
    except KeyboardInterrupt:
        interrupted = True
        run.view.warn(
            f"interrupted; finish it with: python -m bench run --resume {run.directory.path}"
        )
    finished = None if interrupted else runner.now()
    run.directory.update_header(finished=finished, phases=run.timer.summary())
    return runner.Result(run.directory, dict(run.counts), interrupted)


def boots(run: Run, number: int) -> bool:
    """One round on every kernel, in an order drawn from the seed; always more where there is time."""
    chance = random.Random(f"{run.settings.seed}/boots/{number}")
    for guest in chance.sample(run.guests, len(run.guests)):
        one_round(run, guest, number)
    return True


def one_round(run: Run, guest: Guest, number: int) -> None:
    """Boot until every trial of the round has its line, or a boot brought none."""
    attempt = 0
    while True:
        share = run.directory.path / "boots" / f"{number:02}-{guest.label}-{attempt}"
        listener = Listener(run, guest, share)
        with run.timer("boots"):
            reason = boot(run, guest, number, share, listener)
        listener.listen()
        if listener.finished:
            tidy(share)
            return
        run.view.warn(f"kernel {guest.label}, round {number + 1}: {reason}")
        if not listener.lost(reason):
            raise UserError(
                f"kernel {guest.label} does not get as far as a trial: {reason}; its console is in "
                f"{share}",
                Exit.NOTHING,
            )
        attempt += 1


def boot(run: Run, guest: Guest, number: int, share: Path, listener: Listener) -> str:
    """One boot that does what is left of a round; how it ended, in a line."""
    share.mkdir(parents=True, exist_ok=True)
    label = run.label_in_tables(guest)
    job = {
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
        "conformance": guest.label not in run.broken,
        "broken": run.broken.get(guest.label, {}),
    }
    (share / JOB).write_text(json.dumps(job))
    run.view.status(f"booting kernel {guest.label}, round {number + 1} of {run.settings.trials}")
    instructions = run.settings.clock == Clock.INSTRUCTIONS
    try:
        result = vm.boot(
            guest.image,
            ["env", "PYTHONHASHSEED=0", sys.executable, "-m", "bench.guest", str(share.resolve())],
            share=share,
            timeout_s=GUEST_TIMEOUT_S,
            memory_mb=run.settings.memory_mb,
            cpus=1 if instructions else 2,
            clock=vm.INSTRUCTIONS if instructions else vm.WALL,
            # On the instruction clock two boots shall differ in nothing: no random layout either.
            kernel_args=(*guest.parameters, *(["norandmaps"] if instructions else [])),
            accelerator=guest.accelerator,
            tick=listener.watch,
        )
    except Hung as hung:
        return str(hung)
    words = last_line(result.stdout) if result.outcome == vm.EXITED else ""
    return f"guest {result.outcome}: {result.reason}{words and f': {words}'}"


def last_line(path: Path) -> str:
    """What a program said last, where it went wrong."""
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


class Listener:
    """Reads a guest's events as they come, and writes its trials down on the host."""

    def __init__(self, run: Run, guest: Guest, share: Path) -> None:
        self.run, self.guest = run, guest
        self.path = share / EVENTS
        self.position = 0
        self.begun: dict[str, Any] | None = None
        self.finished = False
        self.since = time.monotonic()

    def watch(self) -> None:
        """Listen, and raise Hung when the trial under way takes too long."""
        self.listen()
        if self.begun is not None and time.monotonic() - self.since > TRIAL_TIMEOUT_S:
            raise Hung(f"guest hung: no end of the trial after {TRIAL_TIMEOUT_S:.0f} s")

    def listen(self) -> None:
        """Take in what has been written since the last time; a half line waits for its end."""
        self.run.view.tick()
        for event in self._new():
            getattr(self, f"on_{event.pop('event')}")(**event)

    def lost(self, reason: str) -> bool:
        """The guest is gone: fail the trial it was in. False when it was in none."""
        if self.begun is None:
            return False
        self._keep(self.begun | {"outcome": Outcome.FAILED.value, "reason": reason}, "")
        return True

    def on_hello(self, facts: dict[str, Any], skipped: list[dict[str, str]]) -> None:
        """The guest is up: what kernel and targets it has."""
        if self.guest.label in self.run.greeted:
            return
        self.run.greeted.add(self.guest.label)
        header = self.run.directory.header()
        entry = {
            "label": self.guest.label,
            "image": self.guest.image.key or self.guest.image.path.name,
            "parameters": list(self.guest.parameters),
            "accelerator": f"{self.guest.accelerator} ({self.guest.why})",
            "release": facts["environment"].get("kernel_release"),
            "level": facts["kernel_level"],
        }
        known = [target for target in header["targets"] if target not in facts["targets"]]
        self.run.directory.update_header(
            **{
                key: header.get(key, value)
                for key, value in facts.items()
                if key not in ("targets", "tuned")
            },
            targets=[*known, *facts["targets"]],
            kernels=[*header["kernels"], entry],
            skipped=[*header["skipped"], *skipped],
        )

    def on_say(self, text: str) -> None:
        """News."""
        self.run.view.say(f"{self.guest.label}: {text}")

    def on_warn(self, text: str) -> None:
        """A warning."""
        self.run.view.warn(f"{self.guest.label}: {text}")

    def on_broken(self, targets: dict[str, str]) -> None:
        """Conformance is done."""
        self.run.broken[self.guest.label] = targets

    def on_cost(self, record: dict[str, Any]) -> None:
        """A target's line of the cost sheet."""
        self.run.directory.append_cost(record)

    def on_begin(self, record: dict[str, Any]) -> None:
        """A trial begins: if the guest dies now, this is the one it costs."""
        self.begun, self.since = record, time.monotonic()
        self.run.view.status(
            f"round {record['round'] + 1}: {record['series']} on {self.guest.label}"
        )

    def on_end(self, record: dict[str, Any], pyperf: str) -> None:
        """A trial has ended."""
        self._keep(record, pyperf)

    def on_refused(self, reason: str, code: int) -> None:
        """The guest cannot measure what was asked."""
        raise UserError(f"kernel {self.guest.label}: {reason}", Exit(code))

    def on_done(self) -> None:
        """All of the round's trials were tried."""
        self.finished = True

    def _keep(self, record: dict[str, Any], pyperf_json: str) -> None:
        self.begun = None
        runner.keep(self.run.directory, record, pyperf_json)
        self.run.counts[record["outcome"]] += 1
        self.run.view.ended(record)

    def _new(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open("rb") as file:
                file.seek(self.position)
                text = file.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self.position += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)


def tidy(share: Path) -> None:
    """Of a boot that went well only logs that say something are kept, and the console."""
    for path in share.iterdir():
        if path.name in (EVENTS, JOB) or (path.is_file() and path.stat().st_size == 0):
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
