"""Named matrices: TOML files that say, part by part, which axes of a run are multiplied."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import registry
from bench.axes import OPTIONS, readers
from bench.machine import suite
from bench.model import Clock, Placement, UserError
from workloads import tree

FOLDER = suite.folder("matrices")

Reader = Callable[[Any], Any]
"""Turns what a file says into what Settings hold; raises UserError."""


@dataclass(frozen=True)
class Matrix:
    """A matrix as read: ``settings`` and ``parts`` are fields of bench.plan.schedule.Settings."""

    name: str
    summary: str
    settings: Mapping[str, Any]
    """Settings of the whole run."""
    parts: tuple[Mapping[str, Any], ...]
    """Axes; the run is the union of all."""


def find(name: str) -> Path:
    """The file of a matrix, named by its path or as in FOLDER; raises UserError."""
    path = Path(name)
    if path.suffix == ".toml" or "/" in name:
        return path
    known = [file.stem for file in files()]
    if name not in known:
        raise UserError(f"unknown matrix {name!r}: {registry.nearest(name, known)}")
    return FOLDER / f"{name}.toml"


def files() -> list[Path]:
    """The matrices that come with the suite."""
    return sorted(FOLDER.glob("*.toml"))


def load(path: Path) -> Matrix:
    """Read a matrix; raises UserError in one line, with the file, the part and the nearest name."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--matrix {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"--matrix {path}: not TOML: {error}") from None
    parts = raw.pop("part", [])
    if not (isinstance(parts, list) and parts and all(isinstance(part, dict) for part in parts)):
        raise UserError(f"--matrix {path}: it has no [[part]]")
    # An axis above the parts goes for every part that does not say otherwise.
    shared = {key: raw.pop(key) for key in AXES if key in raw and key != "trials"}
    top = _read(raw, SETTINGS, str(path))
    name, summary = top.pop("name", path.stem), top.pop("summary", "")
    made = [
        _read(shared | part, AXES, f"{path}: part {number}") for number, part in enumerate(parts, 1)
    ]
    for number, part in enumerate(made, 1):
        if "daemons" not in part:
            raise UserError(f"--matrix {path}: part {number}: no daemons")
    return Matrix(name, summary, top, tuple(made))


def _read(raw: Mapping[str, Any], known: Mapping[str, Reader], where: str) -> dict[str, Any]:
    found = {}
    for key, value in raw.items():
        if key not in known:
            near = registry.nearest(key, known)
            raise UserError(f"--matrix {where}: unknown key {key!r}: {near}")
        try:
            found[key] = known[key](value)
        except UserError as error:
            raise UserError(f"--matrix {where}: {key}: {error}") from None
    return found


def _daemon(value: Any) -> str:
    return registry.daemon(readers.text(value)).name


def _workload(value: Any) -> str:
    registry.rows([readers.text(value)])
    return str(value)


def _row(value: Any) -> str:
    """A row's name, as tables have it: ``readdir (warm, timeouts 0)``."""
    registry.rows([readers.text(value).partition(" (")[0]])
    return str(value)


def _tree(value: Any) -> str:
    tree.parse_tree(readers.text(value))
    return str(value)


def _count(value: Any) -> int:
    if isinstance(value, str):
        raise UserError(f"{value!r} is not a whole number above 0")
    return readers.number(value)[0]


def _several(read: Reader) -> Reader:
    """One value or a list of them."""

    def each(value: Any) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        if not values:
            raise UserError("an empty list measures nothing")
        return tuple(dict.fromkeys(read(one) for one in values))

    return each


AXES: Mapping[str, Reader] = {
    "daemons": _several(_daemon),
    "workloads": _several(_workload),
    **{axis.name: axis.values for axis in OPTIONS},
    "trials": _count,
}
"""Keys of a part; ``trials`` are the rounds it takes part in, at most the run's."""

SETTINGS: Mapping[str, Reader] = {
    "name": readers.text,
    "summary": readers.text,
    "tree": _tree,
    "trials": _count,
    "values": _count,
    "placement": lambda value: Placement(readers.one_of(Placement)(value)),
    "kernels": _several(readers.text),
    "headline": _several(_row),
    "clock": lambda value: Clock(readers.one_of(Clock)(value)),
}
"""Keys above the parts, beside the axes."""
