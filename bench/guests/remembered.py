"""Findings kept in the cache of kernels: each a JSON object in a file, named by what it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.kernels.images import cache_dir
from bench.results.store import write_atomically


def file_of(kind: str, depends_on: Mapping[str, Any]) -> Path:
    """The file of a kind of finding, for all that could change it."""
    key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir() / kind / f"{key}.json"


def read(file: Path) -> dict[str, Any]:
    """What is kept there; empty where nothing is, or nothing that can be read."""
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def keep(file: Path, found: Mapping[str, Any]) -> None:
    """Write it, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(found, indent=1) + "\n")
