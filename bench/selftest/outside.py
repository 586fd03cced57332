"""Do perf and fio, where installed, count the same operations that we say we make?

One storm of a prime number of operations, on the native file system: perf counts our system
calls; fio makes a storm of its own (engine filestat), which perf counts as well. Times stand side
by side for information: fio resolves a path and allocates inside its window.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.selftest.check import Check, CheckRequest, CheckResult, held, skipped
from bench.selftest.storm import FILES

EVENT = "syscalls:sys_enter_statx"
FEW, MANY = 1_009, 101_009
"""Operations of two storms; their difference leaves out what a program does to start."""
FIO_FILES = 1_009
TIMEOUT_S = 120


class Unable(Exception):
    """Why something outside of us cannot count here."""


def run(_request: CheckRequest) -> CheckResult:
    """Count the same storm twice from outside."""
    lines: list[str] = []
    figures: dict[str, Any] = {}
    met: list[bool] = []
    with tempfile.TemporaryDirectory(prefix="bench-selftest-") as folder:
        for one in (ours, fios):
            try:
                found = one(Path(folder))
            except Unable as error:
                lines.append(str(error))
                continue
            lines.append(found.pop("said"))
            met.append(found["counted"] == found["made"])
            figures[one.__name__] = found
    if not met:
        return skipped("; ".join(lines))
    return CheckResult(held(all(met)), tuple(lines), figures)


def ours(folder: Path) -> dict[str, Any]:
    """Our own storm, counted by perf."""
    for number in range(FILES):
        (folder / str(number)).touch()
    storm = [sys.executable, "-m", "bench.selftest.storm", str(folder)]
    few, _ = counted([*storm, str(FEW)])
    many, output = counted([*storm, str(MANY)])
    ns = json.loads(output)["ns"] / MANY
    made = MANY - FEW
    return {
        "made": made,
        "counted": many - few,
        "ns": ns,
        "said": f"our storm of {made} ops: perf counts {many - few} statx; {ns:.0f} ns/op",
    }


def fios(folder: Path) -> dict[str, Any]:
    """fio's storm, counted by fio and by perf."""
    if shutil.which("fio") is None:
        raise Unable("fio is not installed (apt install fio)")
    job = [
        "fio", "--name=storm", "--ioengine=filestat", "--stat_type=statx", "--rw=read", "--bs=4k",
        "--filesize=4k", f"--nrfiles={FIO_FILES}", f"--directory={folder}",
        "--output-format=json",
    ]  # fmt: skip
    count, output = counted(job)
    (found,) = json.loads(output[output.index("{") :])["jobs"]
    made, ns = int(found["read"]["total_ios"]), float(found["read"]["clat_ns"]["mean"])
    return {
        "made": made,
        "counted": count,
        "ns": ns,
        "said": f"fio's storm of {made} ops: perf counts {count} statx; {ns:.0f} ns/op",
    }


def counted(command: list[str]) -> tuple[int, str]:
    """Run a command under perf; its statx system calls and its output. Unable where perf is."""
    if shutil.which("perf") is None:
        raise Unable("perf is not installed (apt install linux-perf)")
    with tempfile.NamedTemporaryFile("r", prefix="bench-perf-") as counts:
        perf = ["perf", "stat", "-x,", "-e", EVENT, "-o", counts.name, "--", *command]
        done = subprocess.run(perf, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        lines = [line for line in numbers(counts.read()) if EVENT in line]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unable(f"{command[0]} under perf failed ({done.returncode}): {last}"[:72])
    value = lines[0].split(",")[0] if lines else "nothing"
    if not value.isdigit():
        raise Unable(f"perf cannot count {EVENT} here: {value}")
    return int(value), done.stdout


def numbers(text: str) -> Iterator[str]:
    """Lines of perf's output that hold a count."""
    return (line for line in text.splitlines() if line and not line.startswith("#"))


CHECK = Check("outside", "perf and fio count the operations that we count", run, order=6)
