"""`bench` as a person runs it on the lab kernel, and what it left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 1500


def command(*arguments: str, module: str = "bench") -> list[str]:
    """The command line of a bench."""
    return [sys.executable, "-m", module, *arguments]


def bench(
    *arguments: str, module: str = "bench", **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(*arguments, module=module),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        **options,
    )


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start one, to be disturbed."""
    return subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trials(output: Path) -> list[dict[str, Any]]:
    """The lines of a run's trials.jsonl."""
    return [json.loads(line) for line in (output / "trials.jsonl").read_text().splitlines()]


def qemus_sharing(directory: Path) -> str:
    """Command lines of qemu processes that share this directory or one below it."""
    run = subprocess.run(
        ["pgrep", "-af", f"qemu.*path={directory}"], capture_output=True, text=True
    )
    return run.stdout
