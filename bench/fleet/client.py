"""The client's side of Dask: who is there, and boots that they do as if they were done here."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.fleet import identity, task
from bench.fleet.message import BootOrder, BootReport, News
from bench.fleet.mirror import EventMirror
from bench.guests.session import Guest
from bench.model import Clock, Exit, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed import Client, Future

    from bench.run.view import View

POLL_S = 0.2
LOOK_EVERY_S = 5.0
NOBODY_S, AT_FIRST_S = 30.0, 10.0
"""After so long without a worker that may do it a run is given up, or not begun."""
MOST_AT_A_TIME = 256
MACHINE = "machine"
"""The Dask resource of a worker that may have its machine for a whole run: ``machine=1``."""


@dataclass(frozen=True)
class Tls:
    """Files for Dask's TLS; all empty: none."""

    ca: str = ""
    cert: str = ""
    key: str = ""

    def security(self, address: str) -> Any:
        """Dask's own object for a scheduler there, None without TLS.

        Raises UserError where only some files are named, or none for tls://, or all for tcp://.
        """
        from distributed.security import Security

        given = {
            "tls_ca_file": self.ca,
            "tls_client_cert": self.cert,
            "tls_client_key": self.key,
            "tls_worker_cert": self.cert,
            "tls_worker_key": self.key,
        }
        encrypted = address.startswith("tls://")
        if not any(given.values()) and not encrypted:
            return None
        if not all(given.values()):
            said = f"{address} needs all of them" if encrypted else "they belong together"
            raise UserError(f"--tls-ca, --tls-cert and --tls-key: {said}")
        if not encrypted:
            raise UserError(f"{address}: with --tls-ca, --tls-cert and --tls-key it is tls://")
        return Security(require_encryption=True, **given)


def require() -> None:
    """Raises UserError where Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise UserError(
            "--scheduler needs Dask: pip install 'fuse-passthrough-bench[fleet]'", Exit.NOTHING
        ) from None


@contextmanager
def connected(address: str, tls: Tls, view: View) -> Iterator[Fleet]:
    """A fleet at a scheduler; raises UserError where there is none."""
    require()
    from distributed import Client

    quiet_dask()
    security = tls.security(address)
    try:
        client = Client(address, security=security, timeout="10s", set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"--scheduler {address}: cannot be reached: {error}", Exit.NOTHING
        ) from None
    try:
        yield Fleet(client, address, view)
    finally:
        client.close(timeout=5)


def quiet_dask() -> None:
    """Dask's logs are of its own affairs: what concerns a run is told by the run."""
    import logging

    logging.disable(logging.CRITICAL)


@dataclass
class Fleet:
    """Machines behind one scheduler."""

    client: Client
    address: str
    view: View
    topic: str = field(default_factory=lambda: f"bench-{secrets.token_hex(8)}")
    mirrors: dict[str, EventMirror] = field(default_factory=dict)
    images: dict[str, Future[Any]] = field(default_factory=dict)
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Listen to what workers tell."""
        self.client.subscribe_topic(self.topic, self._told)

    @property
    def label(self) -> str:
        """The resource of workers that are like this machine."""
        return identity.resource(identity.identity())

    def workers(self) -> dict[str, Mapping[str, Any]]:
        """Every worker by its address, as Dask describes it; raises UserError without a scheduler."""
        try:
            return dict(self.client.scheduler_info(n_workers=-1)["workers"])
        except Exception as error:
            raise self.gone(error) from None

    def alike(self) -> dict[str, Mapping[str, Any]]:
        """The workers of this machine's identity that offer boots."""
        return self._offering(self.workers())

    def _offering(self, workers: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        return {
            address: worker
            for address, worker in workers.items()
            if worker.get("resources", {}).get(self.label, 0) >= 1
        }

    def refuse_nobody(self) -> dict[str, Mapping[str, Any]]:
        """The workers that are alike, once there is one; names the others; UserError after AT_FIRST_S."""
        deadline = time.monotonic() + AT_FIRST_S
        while not (found := self._offering(there := self.workers())):
            if time.monotonic() > deadline:
                raise UserError(self.nobody(), Exit.NOTHING)
            time.sleep(POLL_S)
        if others := len(there) - len(found):
            self.view.warn(
                f"{others} workers are not of this suite, qemu and plugin: {self.unlike()}"
            )
        return found

    def nobody(self) -> str:
        """Why nobody does it."""
        there = self.workers()
        if not there:
            return (
                f"{self.address}: no worker: start one with python -m bench worker {self.address}"
            )
        return f"{self.address}: none of {len(there)} workers may do it: {self.unlike()}"

    def unlike(self) -> str:
        """How those that may not do it differ from this machine."""
        ours = identity.identity()
        told = self.client.run(_identity, on_error="return", workers=None)
        said = {
            identity.differences(ours, one) if isinstance(one, dict) else "does not know the suite"
            for one in told.values()
        }
        return " / ".join(sorted(said - {""})) or "they have no place left for boots"

    @property
    def boots_at_a_time(self) -> int:
        """How many boots all workers together do at a time."""
        offered = sum(int(one["resources"][self.label]) for one in self.alike().values())
        return max(1, min(MOST_AT_A_TIME, offered))

    def boot(
        self, guest: Guest, job: Mapping[str, Any], share: Path, attend: Callable[[], None]
    ) -> str:
        """See bench.guests.session.Elsewhere."""
        called = share.name
        mirror = self.mirrors[called] = EventMirror(share)
        order = self._order(guest, called, job)
        with self._sending:
            image = self._image(guest.image.path, order.image)
            future = self.client.submit(
                task.boot,
                order.dumps(),
                image,
                key=f"boot-{self.topic}-{called}",
                resources=self._needs(),
                pure=False,
            )
        try:
            report = BootReport.loads(self.wait(future, attend))
        finally:
            future.cancel()
            self.mirrors.pop(called, None)
        self._refuse_liar(report)
        mirror.report(report)
        return report.reason

    def _order(self, guest: Guest, called: str, job: Mapping[str, Any]) -> BootOrder:
        return BootOrder(
            topic=self.topic,
            boot=called,
            image=hashlib.sha256(guest.image.path.read_bytes()).hexdigest(),
            parameters=guest.parameters,
            accelerator=guest.accelerator,
            job=job,
            identity=identity.identity(),
            clock=Clock.INSTRUCTIONS.value,
        )

    def _needs(self) -> dict[str, float]:
        return {self.label: 1}

    def _image(self, path: Path, sha256: str) -> Future[Any]:
        """The image as a task of its own: its content is sent once, and made again where it is lost."""
        if sha256 not in self.images:
            self.images[sha256] = self.client.submit(
                task.image,
                path.read_bytes(),
                key=f"image-{sha256}",
                resources=self._needs(),
                pure=True,
            )
        return self.images[sha256]

    def wait(self, future: Future[Any], attend: Callable[[], None]) -> str:
        """The answer of a task; raises UserError where there will be none."""
        looked = time.monotonic()
        alone_since: float | None = None
        while not future.done():
            attend()
            time.sleep(POLL_S)
            if time.monotonic() - looked > LOOK_EVERY_S:
                looked = time.monotonic()
                alone_since = None if self.alike() else (alone_since or looked)
                if alone_since and looked - alone_since > NOBODY_S:
                    raise UserError(self.nobody(), Exit.NOTHING)
        return self.answer(future)

    def answer(self, future: Future[Any]) -> str:
        """What a task that has ended gave; raises UserError for one that failed."""
        try:
            return str(future.result(timeout=POLL_S * 50))
        except UserError:
            raise
        except Exception as error:
            if future.cancelled() or self.client.status != "running":
                raise self.gone(error) from None
            raise UserError(f"{self.address}: {_said(error)}", Exit.PROOF_FAILED) from None

    def gone(self, error: Exception) -> UserError:
        """The error for a scheduler that does not answer."""
        return UserError(
            f"{self.address}: the scheduler is gone ({_said(error)}); finished trials are kept: "
            "finish the run with --resume, with or without a scheduler",
            Exit.PROOF_FAILED,
        )

    def _refuse_liar(self, report: BootReport) -> None:
        if said := identity.differences(identity.identity(), report.identity):
            raise UserError(
                f"worker {report.worker} is not what it said it is: {said}", Exit.NOTHING
            )

    def _told(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Something a worker tells while it works, in Dask's own thread."""
        _, told = event
        if "said" in told:
            self.view.warn(f"worker {told.get('worker')}: {told['said']}")
            return
        try:
            news = News.loads(told["news"])
        except (UserError, KeyError):
            return
        if mirror := self.mirrors.get(news.boot):
            mirror.news(news)


def _identity() -> dict[str, str]:
    return identity.identity()


def _said(error: BaseException) -> str:
    words: Sequence[str] = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
