"""What a kernel was found to pass through, variant by variant: asked once, remembered by its image.

Kept in the cache of kernels, under a hash of the image and of everything here that asks it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import bench.probe
from bench.kernels import images, vm
from bench.kernels.recipe import sha256_of
from bench.machine import lab_switch
from bench.model import Exit, UserError
from bench.results.store import write_atomically

ACCELERATOR = "accelerator"


def probed(image: images.Image, *, again: bool = False) -> dict[str, Any]:
    """Release, settings and variants, as remembered or (with ``again``, always) from a boot.

    ``accelerator`` says how it was booted. Raises UserError when the guest does not get that far.
    """
    file = images.cache_dir() / "probes" / f"{_key(image)}.json"
    if not again and (known := _read(file)):
        return known
    found = _booted(image)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(found, indent=1) + "\n")
    return found


def _booted(image: images.Image) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-probe-") as folder:
        share = Path(folder)
        accelerator, why = vm.accelerator_for(image)
        command = [sys.executable, "-m", "bench.guests.probe_inside", folder]
        result = vm.boot(image, command, share=share, accelerator=accelerator, timeout_s=300)
        answers = share / "probe.json"
        if not result.ok or not answers.exists():
            raise UserError(f"{image.name}: guest {result.outcome}: {result.reason}", Exit.NOTHING)
        found: dict[str, Any] = json.loads(answers.read_text())
    return {**found, ACCELERATOR: f"{accelerator} ({why})"}


def _read(file: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    whole = isinstance(known, dict) and {"release", "settings", "variants", ACCELERATOR} <= set(
        known
    )
    return known if whole else None


def _key(image: images.Image) -> str:
    what = f"{image.key or sha256_of(image.path)} {_questions()}"
    return hashlib.sha256(what.encode()).hexdigest()[:16]


@functools.cache
def _questions() -> str:
    """A hash over the modules that probe."""
    files = [
        *sorted(Path(bench.probe.__path__[0]).glob("*.py")),
        Path(lab_switch.__file__),
        Path(__file__).with_name("probe_inside.py"),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
