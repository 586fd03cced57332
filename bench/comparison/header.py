"""What run.json says, read as something that others have written: no shape is taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def entries(about: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects of a list in run.json, which others have written: what is none is left out."""
    found = about.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def part_of(about: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object in run.json; empty where there is none."""
    found = about.get(key)
    return found if isinstance(found, Mapping) else {}


def kernel_labels(about: Mapping[str, Any]) -> list[str]:
    """What the kernels of a run are called; none where it ran on its machine's own."""
    return [str(entry.get("label")) for entry in entries(about, "kernels")]


def release(about: Mapping[str, Any], kernel: str) -> str:
    """The release of the kernel with this label; without a label, that of the environment."""
    kernels = entries(about, "kernels")
    of_label = [entry.get("release") for entry in kernels if entry.get("label") == kernel]
    own = part_of(about, "environment").get("kernel_release")
    return str((of_label or [own])[0] or "")


def parameters(about: Mapping[str, Any], kernel: str) -> str:
    """What the command line named gives the kernel with this label, or the only one of a run."""
    kernels = entries(about, "kernels")
    given = [
        one.get("parameters") for one in kernels if len(kernels) == 1 or one.get("label") == kernel
    ]
    return " ".join(map(str, given[0])) if given and isinstance(given[0], list) else ""
