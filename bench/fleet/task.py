"""What a worker does: the functions that a client names, each from one JSON message to another.

Run in threads of the worker's process. A task that Dask no longer wants of this worker (its client has
gone, or gave up) ends at its next look, with its guest.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.fleet import identity
from bench.fleet.accepted import refuse_foreign
from bench.fleet.message import BootOrder, BootReport, News, RunOrder, RunReport
from bench.guests.host import ending, guest_boot
from bench.guests.listener import MIN_FREE_BYTES, TRIAL_TIMEOUT_S
from bench.guests.protocol import EVENTS, JOB
from bench.guests.session import Guest
from bench.kernels.images import Image, cache_dir
from bench.machine import environment
from bench.machine.alone import on_this_machine
from bench.model import Exit, UserError
from bench.plan.settings import Settings

if TYPE_CHECKING:
    from distributed import Worker

NEWS_EVERY_S = 0.5
LOCK_EVERY_S = 1.0
OUT_OF_DISK = (errno.ENOSPC, errno.EDQUOT)
LONGEST_CONSOLE = 1 << 20
STOP = threading.Event()
"""Set when the worker ends."""
UNDER_WAY: set[str] = set()
"""Tasks that hold a guest or a run."""


class Unwanted(Exception):
    """The task is not to be done any more."""


class Unfit(Exception):
    """This worker cannot do it, another might: it offers no more boots."""


def image(content: bytes) -> bytes:
    """A kernel image, so that Dask brings it to whoever boots it, and again when a worker is lost."""
    return content


def boot(order: str, content: bytes) -> str:
    """Boot as a BootOrder says, with the image's content; a BootReport."""
    from distributed import Reschedule, get_worker

    asked = BootOrder.loads(order)
    here = BootOnWorker(get_worker(), asked)
    UNDER_WAY.add(here.attempt)
    try:
        here.refuse_unlike()
        return here.boot(content).dumps()
    except Unfit as unfit:
        here.offer_no_more(str(unfit))
        raise Reschedule from None
    except Unwanted:
        raise Reschedule from None
    finally:
        UNDER_WAY.discard(here.attempt)


class BootOnWorker:
    """One boot on this worker."""

    def __init__(self, worker: Worker, order: BootOrder) -> None:
        self.worker, self.order = worker, order
        self.key = worker.get_current_task()
        self.attempt = secrets.token_hex(8)
        self.lines: list[str] = []
        self._read = 0
        self._told = 0
        self._last = time.monotonic()
        self._begun: float | None = None

    def wanted(self) -> bool:
        """Whether Dask still waits for the task here."""
        return still_wanted(self.worker, self.key)

    def refuse_unlike(self) -> None:
        """Raises Unfit where suite, qemu or plugin are not the client's."""
        if said := identity.differences(self.order.identity, identity.identity()):
            raise Unfit(f"is not of the client's suite: {said}")

    def offer_no_more(self, why: str) -> None:
        """Take this worker out, and tell the client."""
        name = identity.resource(self.order.identity)
        self.worker.loop.add_callback(self.worker.set_resources, **{name: 0})
        self.worker.log_event(
            self.order.topic,
            {"worker": self.worker.address, "said": f"{why}; it gets no more boots"},
        )

    def boot(self, content: bytes) -> BootReport:
        """Do it; raises Unwanted, or Unfit on a full disk."""
        settings = Settings.from_json(self.order.job["settings"])
        refuse_foreign(settings)
        with scratch() as share, machine(self.order.clock, self.wanted):
            try:
                guest = Guest(
                    "",
                    kept(self.order.image, content),
                    tuple(self.order.parameters),
                    self.order.accelerator,
                )
                (share / JOB).write_text(json.dumps(self.order.job))
                result = guest_boot(guest, settings, share, lambda: self.look(share), cpu())
                self.look(share)
                return self.report(share, ending(result))
            except TrialHung:
                self.take(share)
                return self.report(
                    share, f"guest hung: no end of the trial after {TRIAL_TIMEOUT_S:.0f} s"
                )
            except OSError as error:
                if error.errno in OUT_OF_DISK:
                    raise Unfit(f"disk is full ({error.strerror})") from None
                raise

    def look(self, share: Path) -> None:
        """Five times a second: whether to go on, and what is new."""
        if not self.wanted():
            raise Unwanted
        if (free := shutil.disk_usage(share).free) < MIN_FREE_BYTES:
            raise Unfit(f"disk is full ({free >> 10} KiB left)")
        self.take(share)
        if self._begun is not None and time.monotonic() - self._begun > TRIAL_TIMEOUT_S:
            raise TrialHung
        if time.monotonic() - self._last > NEWS_EVERY_S and self._told < len(self.lines):
            self.tell()

    def take(self, share: Path) -> None:
        """Read the lines that the guest has written since."""
        with contextlib.suppress(FileNotFoundError), (share / EVENTS).open("rb") as file:
            file.seek(self._read)
            text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                self.lines.append(line)
                if '"event": "begin"' in line[:40]:
                    self._begun = time.monotonic()
                elif '"event": "end"' in line[:40]:
                    self._begun = None

    def tell(self) -> None:
        """Send what was not yet told."""
        news = News(self.order.boot, self.attempt, self._told, tuple(self.lines[self._told :]))
        self._told, self._last = len(self.lines), time.monotonic()
        self.worker.log_event(self.order.topic, {"news": news.dumps()})

    def report(self, share: Path, reason: str) -> BootReport:
        """All of it."""
        logs = {path.name: path.read_text(errors="replace") for path in share.glob("*.log")}
        return BootReport(
            attempt=self.attempt,
            lines=tuple(self.lines),
            reason=reason,
            console=tail(share / "guest.console"),
            logs={name: text for name, text in logs.items() if text},
            worker=self.worker.address,
            identity=identity.identity(),
        )


class TrialHung(Exception):
    """A trial does not end."""


_FREE = threading.Lock()
_BUSY: dict[int, int] = {}


def cpu() -> tuple[int, ...]:
    """The CPU for the boot of this thread: each thread keeps its own, the least taken."""
    with _FREE:
        mine = getattr(_THREAD, "cpu", None)
        if mine is None:
            usable = sorted(os.sched_getaffinity(0))
            mine = _THREAD.cpu = min(usable, key=lambda one: _BUSY.get(one, 0))
            _BUSY[mine] = _BUSY.get(mine, 0) + 1
    return (mine,)


_THREAD = threading.local()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one boot, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-fleet-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextlib.contextmanager
def machine(clock: str, wanted: Callable[[], bool]) -> Iterator[None]:
    """Hold the machine's lock, once it is to be had; raises Unwanted when nobody waits any more."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(on_this_machine(clock))
                break
            except UserError:
                time.sleep(LOCK_EVERY_S)
                if not wanted():
                    raise Unwanted from None
        yield


def kept(sha256: str, content: bytes) -> Image:
    """The image on this machine's disk, named by its content; raises UserError for another content."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"fleet: an image is not what its hash {sha256[:12]} says")
    folder = cache_dir().parent / "fleet"
    path = folder / f"{sha256}.bzImage"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{sha256}.{secrets.token_hex(4)}"
        part.write_bytes(content)
        part.replace(path)
    return Image(name=path.name, path=path)


def tail(path: Path) -> str:
    """The end of a console, as text."""
    try:
        return path.read_text(errors="replace")[-LONGEST_CONSOLE:]
    except OSError:
        return ""


def whole_run(order: str, *contents: bytes) -> str:
    """A whole run on this machine as a RunOrder says, with the images it names; a RunReport."""
    from distributed import Reschedule, get_worker

    from bench.fleet import whole

    asked = RunOrder.loads(order)
    worker = get_worker()
    key, mark = worker.get_current_task(), secrets.token_hex(8)
    UNDER_WAY.add(mark)
    try:
        if said := identity.differences(asked.identity, identity.identity()):
            return refused(worker, f"is not of the client's suite: {said}").dumps()
        refuse_foreign(Settings.from_json(asked.settings))
        images = dict(zip(asked.images, contents, strict=True))
        with scratch() as folder:
            report = whole.measured(
                asked, images, folder, worker.address, lambda: still_wanted(worker, key)
            )
        if not still_wanted(worker, key):
            raise Reschedule
        return report.dumps()
    finally:
        UNDER_WAY.discard(mark)


def refused(worker: Worker, why: str) -> RunReport:
    """The report of a machine that did nothing."""
    return RunReport(
        environment.machine_id(), worker.address, identity.identity(), "", Exit.NOTHING, why
    )


def still_wanted(worker: Worker, key: Any) -> bool:
    """Whether Dask still waits for a task here."""
    task = worker.state.tasks.get(key)
    return not STOP.is_set() and task is not None and task.state != "cancelled"
