"""``bench worker``: a Dask worker that offers boots of this suite, and the machine for whole runs.

It is Dask's own worker with the resources that a client asks for: one boot for each CPU and for the
memory there is, under a name made of the suite's identity; and ``machine``, once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.fleet import identity, task
from bench.fleet.client import MACHINE, Tls, quiet_dask, require
from bench.guests.pool import SPARE_MB, memory_mb
from bench.machine.placement import usable_cpus
from bench.model import Exit, UserError

if TYPE_CHECKING:
    from distributed import Worker

GUEST_MB = 2048
END_WITHIN_S = 20.0


@dataclass(frozen=True)
class Offer:
    """What a worker offers, and to whom."""

    scheduler: str
    host: str = ""
    """Address to listen at; empty: where the scheduler is reached from."""
    boots: int | None = None
    machine: bool = True
    tls: Tls = field(default_factory=Tls)


def boots_here() -> int:
    """One for each CPU that has the memory of a guest."""
    return max(1, min(len(usable_cpus()), memory_mb() // (GUEST_MB + SPARE_MB)))


def serve(offer: Offer) -> int:
    """Work until told to end, or until the scheduler is gone; raises UserError without one."""
    require()
    quiet_dask()
    with tempfile.TemporaryDirectory(prefix="bench-worker-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_serve(offer, folder))


async def _serve(offer: Offer, folder: str) -> int:
    from distributed import Worker

    boots = offer.boots or boots_here()
    label = identity.resource(identity.identity())
    resources: dict[str, float] = {label: boots, **({MACHINE: 1} if offer.machine else {})}
    options: dict[str, Any] = {"host": offer.host} if offer.host else {}
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    worker = Worker(
        offer.scheduler,
        nthreads=boots + 2,  # a whole run, and images that are passed on, wait for no boot
        resources=resources,
        memory_limit=0,
        local_directory=folder,
        death_timeout=30,
        dashboard=False,
        security=offer.tls.security(offer.scheduler),
        **options,
    )
    try:
        await worker
    except (OSError, TimeoutError, ValueError) as error:
        raise UserError(f"{offer.scheduler}: no scheduler there: {error}", Exit.NOTHING) from None
    print(f"worker {worker.address}: {boots} boots at a time, {label}", file=sys.stderr, flush=True)
    return await _until_ended(worker, ended)


async def _until_ended(worker: Worker, ended: asyncio.Event) -> int:
    told = asyncio.create_task(ended.wait())
    gone = asyncio.create_task(worker.finished())
    await asyncio.wait({told, gone}, return_when=asyncio.FIRST_COMPLETED)
    task.STOP.set()  # guests end at their next look
    lost = gone.done()
    if not lost:
        await worker.close(timeout=END_WITHIN_S, nanny=False)
    print("worker: " + ("the scheduler is gone" if lost else "ended"), file=sys.stderr, flush=True)
    await _guests_ended()
    return Exit.NOTHING if lost else Exit.MEASURED


async def _guests_ended() -> None:
    """Wait for the threads of tasks; what is left dies with this process."""
    for _ in range(int(END_WITHIN_S / 0.1)):
        if not task.UNDER_WAY:
            return
        await asyncio.sleep(0.1)


def end_now(code: int) -> None:
    """Leave at once: Dask's threads may still wait for what will not come."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
