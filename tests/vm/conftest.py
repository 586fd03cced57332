"""One boot per variant, made when the first of its tests is asked for."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.kernels import images, vm
from bench.kernels.build import build

HERE = Path(__file__).resolve().parent

# A debug kernel is ten times slower: LAB_PATIENCE=10
PATIENCE = float(os.environ.get("LAB_PATIENCE", "1"))
BOOT_TIMEOUT_S = 180.0 * PATIENCE
GUEST_TIMEOUT_S = 600.0 * PATIENCE


@dataclass
class Boot:
    """What one boot of the guest tests left behind."""

    result: vm.GuestResult
    header: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: int | None = None
    leaks: list[str] = field(default_factory=list)


@functools.cache
def lab_image() -> images.Image:
    """The lab kernel, built if need be; $LAB_KERNEL names another image."""
    chosen = os.environ.get("LAB_KERNEL")
    return images.locate(chosen) if chosen else build()


def read_results(path: Path, boot: Boot) -> None:
    for line in path.read_text().splitlines() if path.exists() else []:
        entry = json.loads(line)
        if "test" in entry:
            boot.tests[entry["test"]] = entry
        elif "done" in entry:
            boot.done, boot.leaks = entry["done"], entry["leaks"]
        else:
            boot.header = entry


def run_variant(variant: str, share: Path, image: images.Image | None = None) -> Boot:
    """Run the guest tests of a variant in one boot, with the files in `share`."""
    for path in HERE.glob("*.py"):
        shutil.copy(path, share)
    result = vm.boot(
        image or lab_image(),
        ["python3", "guest_all.py", variant, "results.jsonl"],
        share=share,
        timeout_s=GUEST_TIMEOUT_S,
        boot_timeout_s=BOOT_TIMEOUT_S,
        cpus=2,
        kernel_args=[f"fuse.iops={variant}", *os.environ.get("LAB_KERNEL_ARGS", "").split()],
    )
    boot = Boot(result)
    read_results(share / "results.jsonl", boot)
    return boot


@pytest.fixture(scope="session")
def boot_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Boot]]:
    """variant -> its boot; consoles are kept under $LAB_LOGS if that is set."""
    boots: dict[str, Boot] = {}

    def get(variant: str) -> Boot:
        if variant not in boots:
            boots[variant] = run_variant(variant, tmp_path_factory.mktemp(variant))
        return boots[variant]

    yield get
    logs = os.environ.get("LAB_LOGS")
    for variant, boot in boots.items():
        if logs:
            Path(logs).mkdir(parents=True, exist_ok=True)
            shutil.copy(boot.result.console, Path(logs) / f"{variant}.console")
