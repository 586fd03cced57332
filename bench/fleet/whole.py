"""A whole run by one machine for itself: the worker's side, in a process of its own.

    python -m bench.fleet.whole FOLDER

does the run of ``order.json`` there into ``run``, once the machine's lock is to be had, and writes it as
``bundle.tar.gz``. A run enters namespaces and forks: the worker's process, full of threads, cannot.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.fleet import identity
from bench.fleet.accepted import refuse_foreign
from bench.fleet.message import RunOrder, RunReport
from bench.machine import environment, isolate
from bench.machine.alone import on_this_machine
from bench.measure import start
from bench.model import Exit, UserError
from bench.plan.settings import Settings
from bench.results import bundle
from bench.run.view import View

ORDER, RUN, BUNDLE = "order.json", "run", "bundle.tar.gz"
LOCK_EVERY_S = 1.0
END_WITHIN_S = 30.0


def main(argv: list[str]) -> int:
    """Do the run; the exit code is the run's."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    folder = Path(argv[0])
    try:
        return done(folder, RunOrder.loads((folder / ORDER).read_text()))
    except UserError as error:
        print(error, file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def done(folder: Path, order: RunOrder) -> int:
    """Measure, once nothing else does, and pack."""
    settings = Settings.from_json(order.settings)
    refuse_foreign(settings)
    if order.images:
        paths = {name: str(folder / f"{name}.bzImage") for name in order.images}
        settings = replace(settings, kernels=tuple(_local(one, paths) for one in settings.kernels))
    _wait_for_the_machine(settings)
    result = start(settings, folder / RUN, list(order.argv), View(quiet=True))
    if not result.interrupted and result.run.trials():
        bundle.pack(result.run, folder / BUNDLE)
    return result.exit


def _local(kernel: str, paths: Mapping[str, str]) -> str:
    """``LABEL=SHA256[,PARAMETER]`` as a kernel whose image is a file here."""
    head, comma, parameters = kernel.partition(",")
    label, _, image = head.partition("=")
    if image not in paths:
        raise UserError(f"fleet: no image {image[:12]} came with the order")
    return f"{label}={paths[image]}{comma}{parameters}"


def _wait_for_the_machine(settings: Settings) -> None:
    while True:
        try:
            with on_this_machine(settings.clock):
                return
        except UserError:
            time.sleep(LOCK_EVERY_S)


def measured(
    order: RunOrder,
    images: Mapping[str, bytes],
    folder: Path,
    worker: str,
    wanted: Callable[[], bool],
) -> RunReport:
    """Start the process and wait for it; it ends with this one, and when nobody waits any more."""
    (folder / ORDER).write_text(order.dumps())
    for name, content in images.items():
        (folder / f"{name}.bzImage").write_bytes(content)
    with (folder / "words").open("wb") as words:
        process = isolate.start(
            [sys.executable, "-m", "bench.fleet.whole", str(folder)],
            cpus=(),
            stdout=subprocess.DEVNULL,
            stderr=words,
            session=True,
        )
        try:
            while process.poll() is None and wanted():
                time.sleep(0.2)
        finally:
            ended(process)
    return _report(folder, worker, process.returncode)


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, in order, or else at once."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _report(folder: Path, worker: str, code: int) -> RunReport:
    packed = folder / BUNDLE
    content = base64.b64encode(packed.read_bytes()).decode() if packed.exists() else ""
    words = (folder / "words").read_text(errors="replace").strip().splitlines()
    error = "" if content else (words[-1] if words else f"exit {code}")
    return RunReport(environment.machine_id(), worker, identity.identity(), content, code, error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
