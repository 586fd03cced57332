"""The runner's side of a worker: forked, waited for, and its answer read."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO, Any

from bench.machine import isolate
from bench.mounts.mount import Mount, TrialError, describe_exit
from bench.run.bench import Bench
from bench.run.job import Job
from bench.run.watch import Watch
from bench.run.worker import serve


def run_worker(bench: Bench, job: Job, log: Path, mount: Mount) -> tuple[dict[str, Any], str]:
    """Start the worker pinned as planned and wait for its answer, watching the daemon meanwhile.

    Raises TrialError when the worker reports an error, dies, or hangs, or the daemon dies.
    """
    result_read, result_write = os.pipe()
    pipe_read, pipe_write = os.pipe()
    job = replace(job, pipe=pipe_write, result=result_write)
    with log.open("ab") as stderr:
        process = bench.start_worker(job, bench.cpus_for(job.context.threads).client, stderr)
    os.close(result_write)
    os.close(pipe_write)
    with os.fdopen(result_read, "rb") as result, os.fdopen(pipe_read, "rb") as pipe:
        watch = Watch(bench, mount, log, "worker")
        try:
            texts = drain([result, pipe], watch, process.pid)
        except BaseException:
            watch.give_up(process)
            raise
    if (status := process.wait()) != 0:
        raise TrialError(f"the worker {describe_exit(status)}; see {log.name}")
    answer = json.loads(texts[0] or b"{}")
    if "error" in answer:
        mount.check_alive(after=answer.get("errno"))
        raise TrialError(answer["error"])
    return answer, texts[1].decode()


def preload() -> None:
    """Load what every worker needs, once: a forked one begins after 5 ms, a new Python after 110."""
    import argparse  # noqa: F401 -- pyperf's Runner loads it when it is made
    import importlib.metadata

    import pyperf

    # For the metadata of every trial Python would start uname(1) and file(1): once, here, will do.
    platform.architecture = cache(platform.architecture)
    # Its Runner looks for hooks in the metadata of every package, 73 files; none is asked for.
    importlib.metadata.entry_points = importlib.metadata.EntryPoints  # type: ignore[assignment]
    pyperf.Run([1.0])


def fork_worker(job: Job, cpus: Collection[int], stderr: IO[bytes]) -> isolate.Child:
    """A worker as a child of this process, which has called preload()."""
    return isolate.fork(lambda: serve(job), cpus=cpus, stderr=stderr, name="bench-worker")


def drain(pipes: list[Any], watch: Watch, pid: int) -> list[bytes]:
    """Read all pipes of a worker to their end; raises TrialError if it stalls or the daemon dies."""
    import selectors

    texts = [b""] * len(pipes)
    with selectors.DefaultSelector() as selector:
        for number, pipe in enumerate(pipes):
            selector.register(pipe, selectors.EVENT_READ, number)
        while selector.get_map():
            for key, _ in selector.select(timeout=watch.bench.look_every_s):
                chunk = os.read(key.fd, 1 << 20)
                texts[key.data] += chunk
                if not chunk:
                    selector.unregister(key.fileobj)
            watch.check(pid)
    return texts
