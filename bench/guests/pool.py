"""Boots side by side: each has a thread that waits for it, and a CPU of its own."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from bench.guests.session import Boot, Stopped
from bench.machine.placement import usable_cpus
from bench.model import Clock, UserError
from bench.plan.settings import Settings

SPARE_MB = 512
"""What a guest takes beside its memory: qemu's own, and the page cache beneath its root."""


def width(settings: Settings, asked: int | None) -> int:
    """How many boots run at a time.

    On the instruction clock as many as there are usable CPUs and memory for; on the wall clock one,
    since guests beside one another would time one another: more is refused with UserError.
    """
    if settings.clock != Clock.INSTRUCTIONS:
        if asked not in (None, 1):
            raise UserError(
                f"--jobs {asked}: guests on the wall clock run alone: use --clock instructions"
            )
        return 1
    return asked or max(1, min(len(usable_cpus()), memory_mb() // (settings.memory_mb + SPARE_MB)))


def memory_mb() -> int:
    """Memory of this machine that nobody uses."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20


class Pool:
    """Runs boots, ``jobs`` at a time; what goes wrong in one ends all, each in order."""

    def __init__(self, jobs: int, *, pinned: bool = True) -> None:
        self._stop = threading.Event()
        self._cpus: queue.SimpleQueue[tuple[int, ...]] = queue.SimpleQueue()
        usable = sorted(usable_cpus())
        for number in range(jobs):
            self._cpus.put((usable[number % len(usable)],) if pinned and jobs > 1 else ())
        self.jobs = jobs

    def run(
        self,
        boots: Sequence[Boot],
        do: Callable[[Boot, tuple[int, ...]], None],
        stop: threading.Event,
    ) -> None:
        """Do every boot; raises what the first that failed raised, or KeyboardInterrupt.

        One at a time they run in this thread, in the order given. ``stop`` is set when no boot shall
        go on.
        """
        self._stop = stop
        if self.jobs == 1:
            for boot in boots:
                do(boot, ())
            return
        with ThreadPoolExecutor(self.jobs, thread_name_prefix="boot") as threads:
            futures = [threads.submit(self._one, boot, do) for boot in boots]
            try:
                self._until_done(futures)
            except BaseException:
                self._stop.set()
                for future in futures:
                    future.cancel()
                raise
        self._raise_first(futures)

    def _one(self, boot: Boot, do: Callable[[Boot, tuple[int, ...]], None]) -> None:
        if self._stop.is_set():
            raise Stopped
        cpus = self._cpus.get()
        try:
            do(boot, cpus)
        except BaseException:
            self._stop.set()
            raise
        finally:
            self._cpus.put(cpus)

    def _until_done(self, futures: Iterable[Future[None]]) -> None:
        """Wait in small steps, so that a signal is acted on."""
        pending = set(futures)
        while pending:
            _, pending = wait(pending, timeout=0.5)

    @staticmethod
    def _raise_first(futures: Iterable[Future[None]]) -> None:
        errors = [one.exception() for one in futures if not one.cancelled()]
        for error in errors:
            if error is not None and not isinstance(error, Stopped):
                raise error
