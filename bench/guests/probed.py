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
from bench.guests import remembered
from bench.kernels import images, vm
from bench.kernels.recipe import sha256_of
from bench.machine import lab_switch
from bench.model import Exit, UserError

ACCELERATOR = "accelerator"


def probed(image: images.Image, *, again: bool = False) -> dict[str, Any]:
    """Release, settings and variants, as remembered or (with ``again``, always) from a boot.

    ``accelerator`` says how it was booted. Raises UserError when the guest does not get that far.
    """
    depends_on = {"image": image.key or sha256_of(image.path), "questions": _questions()}
    file = remembered.file_of("probes", depends_on)
    known = remembered.read(file)
    if not again and {"release", "settings", "variants", ACCELERATOR} <= known.keys():
        return known
    found = _booted(image)
    remembered.keep(file, found)
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


@functools.cache
def _questions() -> str:
    """A hash over the modules that probe."""
    files = [
        *sorted(Path(bench.probe.__path__[0]).glob("*.py")),
        Path(lab_switch.__file__),
        Path(__file__).with_name("probe_inside.py"),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
