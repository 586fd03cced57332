"""Takes in what a guest tells of its trials, and writes them down on the host as they end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.guests import conformed
from bench.guests.protocol import (
    EVENTS,
    JOB,
    Begin,
    Broken,
    CannotMeasure,
    Done,
    End,
    Event,
    Hello,
    Purpose,
    Reader,
    Say,
    TargetCost,
    Up,
    Warn,
)
from bench.guests.recorded import Stopwatch
from bench.guests.session import Boot, GuestRun, Stopped
from bench.kernels import disk
from bench.kernels.console import MORE_MEMORY, want_of_memory
from bench.model import Exit, Outcome, UserError
from bench.profile import resolve
from bench.profile.inside import KALLSYMS
from bench.results.cost_line import checked_cost
from bench.results.kinds import Wrong
from bench.results.record import TrialLine, checked
from bench.run import trials

TRIAL_TIMEOUT_S = 420.0
"""After this long without its end a trial counts as hung, and costs its guest."""
FIRST_WORD_TIMEOUT_S = 300.0
"""After this long a guest that has said nothing hangs: with too little memory, say, it reads the same pages
over and over."""
PREPARING_TIMEOUT_S = 3600.0
"""After this long without an end of tree and fixtures. A repository of 10^5 files takes an emulated guest
many minutes."""
MIN_FREE_BYTES = 1 << 20
"""With less than this left where the results are, a run ends while it still can say so."""


class Hung(Exception):
    """The guest is alive, but a trial in it does not end."""


class Listener:
    """Reads a guest's events as they come, and writes its trials down on the host."""

    def __init__(self, run: GuestRun, boot: Boot, share: Path) -> None:
        self.run, self.boot, self.guest = run, boot, boot.guest
        self.share = share
        self.reader = Reader(share)
        self.begun: TrialLine | None = None
        self.prepared = self.finished = False
        self.since = time.monotonic()
        self.profiles = resolve.BootSymbols(share)
        self.stopwatch = Stopwatch()

    def attend(self) -> None:
        """Listen; raises UserError on a full disk, Stopped when no boot shall go on."""
        if self.run.stop.is_set():
            raise Stopped
        self.listen()
        self.refuse_full()

    def watch(self) -> None:
        """Attend; raises Hung when the trial under way takes too long, or the guest says nothing at all."""
        self.attend()
        silent_s = time.monotonic() - self.since
        if not self.reader.heard and silent_s > FIRST_WORD_TIMEOUT_S:
            why = want_of_memory(self._console()) or f"is it short of memory? {MORE_MEMORY}"
            raise Hung(f"guest hung: not a word in {FIRST_WORD_TIMEOUT_S:.0f} s; {why}")
        if not self.prepared and silent_s > PREPARING_TIMEOUT_S:
            raise Hung(f"guest hung: tree and fixtures not made after {PREPARING_TIMEOUT_S:.0f} s")
        if self.begun is not None and silent_s > TRIAL_TIMEOUT_S:
            raise Hung(f"guest hung: no end of the trial after {TRIAL_TIMEOUT_S:.0f} s")

    def listen(self) -> None:
        """Take in what has been written since the last time."""
        with self.run.lock:
            self.run.view.tick()
            for event in self.reader.new():
                try:
                    self.take(event)
                except Wrong as wrong:
                    self._warn_once(f"{self.guest.label}: what it told cannot be read: {wrong}")

    def take(self, event: Event) -> None:
        """Act on one event; raises UserError for a guest that cannot measure what was asked."""
        match event:
            case Up():
                pass
            case Hello(facts, skipped):
                self.prepared = True
                self._greet(facts, skipped)
            case Say(text):
                self.run.view.say(f"{self.guest.label}: {text}")
            case Warn(text):
                self._warn_once(f"{self.guest.label}: {text}")
            case Broken(targets):
                self._compared(targets)
            case TargetCost(record):
                self.run.directory.append_cost(checked_cost(record))
            case Begin(record):
                self._begin(record)
            case End(record, pyperf):
                self._end(record, pyperf)
            case CannotMeasure(reason, code):
                why = "; ".join(filter(None, (reason, want_of_memory(self._console()))))
                raise UserError(f"kernel {self.guest.label}: {why}", Exit(code))
            case Done():
                self._done()

    def refuse_full(self) -> None:
        """Raises UserError before the disk is full: a guest would only be seen to hang."""
        free = shutil.disk_usage(self.run.directory.path).free
        if free < MIN_FREE_BYTES:
            raise self.cannot_write(f"{free >> 10} KiB left on its disk")

    def cannot_write(self, why: str) -> UserError:
        """The error for results that cannot be written."""
        path = self.run.directory.path
        return UserError(
            f"cannot write results to {path}: {why}; the trials before are whole: make room, then "
            f"python -m bench run --resume {path}",
            self.stopped,
        )

    @property
    def stopped(self) -> Exit:
        """Exit code of a run that cannot go on."""
        return Exit.PROOF_FAILED if self.run.counts else Exit.NOTHING

    def lost(self, reason: str) -> bool:
        """The guest is gone: fail the trial it was in. False when it was in none."""
        if self.begun is None:
            return False
        self._keep({**self.begun, "outcome": Outcome.FAILED.value, "reason": reason}, "")
        return True

    def _greet(self, facts: dict[str, Any], skipped: list[dict[str, str]]) -> None:
        """The first boot of a kernel: what kernel and targets it has, in the order of the command line."""
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
        if self.run.settings.backing_fs != disk.TMPFS:
            facts["backing"]["device"] = disk.HOW
        found = facts.get("controls") or []
        place = {guest.label: number for number, guest in enumerate(self.run.guests)}
        self.run.directory.update_header(
            **{
                key: header.get(key, value)
                for key, value in facts.items()
                if key not in ("targets", "tuned", "controls")
            },
            # A control is one on every kernel of the run.
            controls=sorted(set(header.get("controls", found)) & set(found)),
            targets=sorted(
                [*known, *facts["targets"]], key=lambda target: place.get(target.get("kernel"), 0)
            ),
            kernels=sorted([*header["kernels"], entry], key=lambda one: place.get(one["label"], 0)),
            skipped=[*header["skipped"], *skipped],
        )

    def _warn_once(self, line: str) -> None:
        """Every boot of a kernel has the same warnings."""
        if line not in self.run.told:
            self.run.told.add(line)
            self.run.view.warn(line)

    def _compared(self, broken: dict[str, str]) -> None:
        """Conformance is done: kept for this run and, of our own servers, for those to come."""
        run = self.run
        run.broken[self.guest.label] = broken
        wanted = conformed.targets(run.settings, run.label_in_tables(self.guest))
        conformed.remember(run.settings, self.guest, wanted, broken)

    def _begin(self, record: Mapping[str, Any]) -> None:
        self.begun, self.since = checked(record), time.monotonic()
        self.run.view.status(
            f"round {record['round'] + 1}: {record['series']} on {self.guest.label}"
        )

    def _end(self, told: Mapping[str, Any], pyperf: str) -> None:
        """A trial that failed may have been killed for want of memory."""
        record = dict(told)
        if self.begun is not None:
            self.stopwatch.add(self.begun["series"], time.monotonic() - self.since)
        try:
            if record.get("profile"):
                self._keep_profile(record)
            line = checked(record)
        except Wrong as wrong:
            if not self.lost(f"the guest's record of it cannot be read: {wrong}"):
                raise
            return
        if line["outcome"] == Outcome.FAILED and (why := want_of_memory(self._console())):
            line["reason"] += f"; {why}"
        self._keep(line, pyperf)

    def _done(self) -> None:
        """All of the boot's work was tried: a resumed run need not boot for it again."""
        self.finished = True
        if self.boot.work is Purpose.MEASURE:
            done = self.run.directory.header().get("boots", [])
            self.run.directory.update_header(boots=[*done, self.boot.key])

    def _console(self) -> str:
        try:
            return (self.share / "guest.console").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _keep_profile(self, record: dict[str, Any]) -> None:
        name = f"{record['series']}--r{record['round']}"
        name += f"-{record['attempt']}" if record["attempt"] else ""
        record["profile"] = self.profiles.keep(record["profile"], self.run.directory.path, name)
        if why := record["profile"]["error"]:
            self._warn_once(f"{self.guest.label}: no profile: {why}")

    def _keep(self, record: TrialLine, pyperf_json: str) -> None:
        self.begun = None
        trials.keep(self.run.directory, record, pyperf_json)
        self.run.counts[record["outcome"]] += 1
        self.run.view.ended(record)


def tidy(share: Path) -> None:
    """Remove what a boot that went well left, but for its console and logs that say something."""
    for path in share.iterdir():
        if path.name in (EVENTS, JOB, KALLSYMS) or (path.is_file() and path.stat().st_size == 0):
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
