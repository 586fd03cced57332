"""A fake server and a fake worker at the boundary of a run, so that a whole run takes milliseconds.

The server "mounts" by a link to the backing and a line in a mount table of its own; the worker
answers at once. Everything between is the suite's.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pyperf
import pytest

from bench import measure
from bench.machine import child, disturbance, isolate, mountinfo, placement
from bench.model import Level, Placement
from bench.mounts import mount
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings
from bench.probe.decide import KernelAbility
from bench.run import headers, trial
from bench.run.bench import Bench
from bench.run.job import Job
from bench.run.trials import RunResult
from bench.run.view import View
from workloads import tree

GUESS = {
    "environment": {"kernel_release": "6.0-fake", "cpu_model": "fake"},
    "kernel_level": {"level": "rw"}, "tree": {"hash": "0"}, "backing": {"filesystem": "tmpfs"},
    "cpu_dma_latency": "held at 0 us",
}  # fmt: skip


@dataclass
class Process:
    """A child that was never started; ``status`` None while it runs."""

    pid: int = field(default_factory=os.getpid)
    status: int | None = None

    def poll(self) -> int | None:
        """The child's exit status."""
        return self.status

    def wait(self, timeout: float | None = None) -> int:
        """Ends at once."""
        del timeout
        self.status = self.status or 0
        return self.status

    def kill(self) -> None:
        """Killed it is."""
        self.status = -9


class Machine:
    """Where the fake run happens. What goes wrong in it is set by tests.

    ``order`` are the jobs in the order they were asked for; ``before`` is called ahead of each.
    """

    def __init__(self, folder: Path, settings: Settings, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.settings = folder, settings
        self.order: list[Job] = []
        self.before: Callable[[Job], None] = lambda _job: None
        self.answers: Callable[[Job], dict[str, Any]] = lambda _job: {}
        self.refuses_to_mount: set[str] = set()
        """Targets whose next trial fails at its mount."""
        self.disturbed: set[int] = set()
        """Numbers of jobs beside which something else went on."""
        self.table = folder / "mountinfo"
        self.table.write_text("")
        self.mounts: dict[Path, Process] = {}
        for name in ("file0", "file1"):
            (folder / "backing" / "tree").mkdir(parents=True, exist_ok=True)
            (folder / "backing" / "tree" / name).write_text(name)
        for path in tree.Data().paths():
            (folder / "backing" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "backing" / path).write_text("data")
        self._patch(patch)

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(isolate, "RUNTIME", self.folder / "runtime")
        isolate.runtime().mkdir(parents=True)
        patch.setattr(mountinfo, "MOUNTINFO", self.table)
        patch.setattr(isolate, "umount", self.umount)
        patch.setattr(child, "ask", lambda function, *_, **__: function())
        patch.setattr(mount, "abort_connection", lambda _connection: None)
        patch.setattr(disturbance, "take", lambda *_: None)
        patch.setattr(trial, "look", lambda *_: SimpleNamespace())
        patch.setattr(disturbance, "between", lambda *_: {"others": 0.0})
        patch.setattr(disturbance, "causes", self.causes)
        patch.setattr(measure, "prepared", self.prepared)
        patch.setattr(measure, "on_this_machine", lambda _clock: nullcontext())
        patch.setattr(headers, "facts", lambda *_: {**GUESS, "targets": []})

    def causes(self, _seen: object) -> str:
        """What went on beside the job that was asked for last."""
        return "others took 50 %" if len(self.order) - 1 in self.disturbed else ""

    def start_daemon(self, argv: list[str], _cpus: Collection[int], log: IO[bytes]) -> Process:
        """A server that has mounted, or one that has ended with a word."""
        mountpoint = next(
            Path(word) for word in argv if "/runtime/" in word and Path(word).is_dir()
        )
        if mountpoint.name in self.refuses_to_mount:
            self.refuses_to_mount.remove(mountpoint.name)
            log.write(b"no such luck\n")
            return Process(status=1)
        mountpoint.rmdir()
        mountpoint.symlink_to(self.folder / "backing")
        self.mounts[mountpoint] = process = Process()
        self._tell()
        return process

    def umount(self, path: Path, *, lazy: bool = False) -> int:
        """The link goes, and the server with it."""
        del lazy
        if (process := self.mounts.pop(path, None)) is None:
            return 22
        process.status = process.status or 0
        path.unlink()
        self._tell()
        return 0

    def _tell(self) -> None:
        lines = [
            f"{90 + n} 1 0:{900_000 + n} / {path} rw - fuse.fake fake rw\n"
            for n, path in enumerate(self.mounts)
        ]
        self.table.write_text("".join(lines))

    def start_worker(self, job: Job, _cpus: Collection[int], _log: IO[bytes]) -> Process:
        """A worker that has answered."""
        self.order.append(job)
        self.before(job)
        answer = {
            "op": "one op", "unit": "op", "ops_per_loop": 10, "loops": 1, "values": [1e-6, 2e-6, 3e-6],
            "requests": counted() if job.connection is not None else None,
            "expected": {}, "empty_loop_ns": 1.0, "phases": {},
        } | self.answers(job)  # fmt: skip
        os.write(job.result, json.dumps(answer).encode())
        os.write(job.pipe, benchmark(job.label).encode())
        return Process(status=0)

    @contextmanager
    def prepared(
        self, settings: Settings, view: View, *_: object
    ) -> Iterator[tuple[Bench, KernelGives]]:
        """In the place of bench.run.prepare.prepared."""
        cpus = placement.Cpus(Placement.SAME, *[tuple(sorted(os.sched_getaffinity(0)))] * 3)
        bench = Bench(
            settings=settings,
            backing=self.folder / "backing",
            tree={"files": 2},
            paths=lambda count, _seed: ["tree/file0"][:count],
            logs=self.folder,
            cpus=cpus,
            ability=KernelAbility(Level.RW, False, ("a fake",)),
            filled=SimpleNamespace(),  # type: ignore[arg-type]
            latency="",
            start_worker=self.start_worker,
            start_daemon=self.start_daemon,
            tick=view.tick,
        )
        yield bench, KernelGives(Level.RW, "a fake")

    def run(self) -> RunResult:
        """A new run."""
        return measure.start(self.settings, self.folder / "run", ["bench"], View(quiet=True))


def counted() -> dict[str, Any]:
    """A counting pass in which nothing was sent."""
    return {"ops": 10, "kernel": {}, "server": {}, "agree": True, "why": ""}


def benchmark(label: str) -> str:
    """What pyperf writes of one run."""
    text = io.StringIO()
    metadata = {"name": label, "unit": "second", "loops": 1, "inner_loops": 10}
    run = pyperf.Run([1e-6, 2e-6, 3e-6], metadata=metadata, collect_metadata=False)
    pyperf.Benchmark([run]).dump(text)
    return text.getvalue()
