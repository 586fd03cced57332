"""Takes in what a guest tells of its trials, and writes them down on the host as they end."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.guests.protocol import EVENTS, JOB
from bench.kernels import disk
from bench.kernels.console import MORE_MEMORY, oom_line
from bench.model import Exit, Outcome, UserError
from bench.profile.inside import KALLSYMS
from bench.profile.resolve import Boot
from bench.run import trials

if TYPE_CHECKING:
    from bench.guests.session import Guest, GuestRun

TRIAL_TIMEOUT_S = 420.0
"""After this long without its end a trial counts as hung, and costs its guest."""
MIN_FREE_BYTES = 1 << 20
"""With less than this left where the results are, a run ends while it still can say so."""


class Hung(Exception):
    """The guest is alive, but a trial in it does not end."""


class Listener:
    """Reads a guest's events as they come, and writes its trials down on the host."""

    def __init__(self, run: GuestRun, guest: Guest, share: Path) -> None:
        self.run, self.guest = run, guest
        self.path = share / EVENTS
        self.position = 0
        self.begun: dict[str, Any] | None = None
        self.finished = False
        self.since = time.monotonic()
        self.profiles = Boot(share)

    def watch(self) -> None:
        """Listen; raises Hung when the trial under way takes too long, UserError on a full disk."""
        self.listen()
        self.refuse_full()
        if self.begun is not None and time.monotonic() - self.since > TRIAL_TIMEOUT_S:
            raise Hung(f"guest hung: no end of the trial after {TRIAL_TIMEOUT_S:.0f} s")

    def listen(self) -> None:
        """Take in what has been written since the last time; a half line waits for its end."""
        self.run.view.tick()
        for event in self._new():
            getattr(self, f"on_{event.pop('event')}")(**event)

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
        if self.run.settings.backing_fs != disk.TMPFS:
            facts["backing"]["device"] = disk.HOW
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
        line = f"{self.guest.label}: {text}"
        if line not in self.run.told:
            self.run.told.add(line)
            self.run.view.warn(line)

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
        """A trial has ended; one that failed may have been killed for want of memory."""
        oom = record["outcome"] == Outcome.FAILED and oom_line(self._console())
        if oom:
            record["reason"] += f"; guest out of memory: {oom}; {MORE_MEMORY}"
        if record.get("profile"):
            self._keep_profile(record)
        self._keep(record, pyperf)

    def on_refused(self, reason: str, code: int) -> None:
        """The guest cannot measure what was asked."""
        raise UserError(f"kernel {self.guest.label}: {reason}", Exit(code))

    def on_done(self) -> None:
        """All of the round's trials were tried."""
        self.finished = True

    def _console(self) -> str:
        try:
            return self.path.with_name("guest.console").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _keep_profile(self, record: dict[str, Any]) -> None:
        name = f"{record['series']}--r{record['round']}"
        name += f"-{record['attempt']}" if record["attempt"] else ""
        record["profile"] = self.profiles.keep(record["profile"], self.run.directory.path, name)
        if why := record["profile"]["error"]:
            self.on_warn(f"no profile: {why}")

    def _keep(self, record: dict[str, Any], pyperf_json: str) -> None:
        self.begun = None
        trials.keep(self.run.directory, record, pyperf_json)
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
        if path.name in (EVENTS, JOB, KALLSYMS) or (path.is_file() and path.stat().st_size == 0):
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
