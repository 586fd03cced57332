"""Named matrices: TOML files that say, part by part, which axes of a run are multiplied."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import registry
from bench.machine import suite
from bench.model import Cache, Clock, Level, Order, Placement, ReaddirMode, UserError, XattrWay
from bench.plan import delay
from bench.plan.timeouts import OWN, parse_timeouts
from workloads import tree

FOLDER = suite.folder("matrices")
READDIR = {"on": (True,), "off": (False,), "both": (True, False)}
CLONE_FD = {"on": (True,), "off": (False,), "both": (False, True)}

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


def _read(raw: Mapping[str, Any], readers: Mapping[str, Reader], where: str) -> dict[str, Any]:
    found = {}
    for key, value in raw.items():
        if key not in readers:
            near = registry.nearest(key, readers)
            raise UserError(f"--matrix {where}: unknown key {key!r}: {near}")
        try:
            found[key] = readers[key](value)
        except UserError as error:
            raise UserError(f"--matrix {where}: {key}: {error}") from None
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UserError(f"wanted a text, got {value!r}")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{value!r} is not a whole number above 0")
    return value


def _number_or_0(value: Any) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else _number(value)


def _one_of(names: Iterable[str]) -> Reader:
    known = [str(name) for name in names]

    def read(value: Any) -> str:
        if value not in known:
            raise UserError(f"unknown {value!r}: {registry.nearest(str(value), known)}")
        return str(value)

    return read


def _several(read: Reader) -> Reader:
    """One value or a list of them."""

    def each(value: Any) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        if not values:
            raise UserError("an empty list measures nothing")
        return tuple(dict.fromkeys(read(one) for one in values))

    return each


def _switch(words: Mapping[str, tuple[bool, ...]]) -> Reader:
    read = _one_of(words)
    return lambda value: words[read(value)]


def _daemon(value: Any) -> str:
    return registry.daemon(_text(value)).name


def _workload(value: Any) -> str:
    registry.rows([_text(value)])
    return str(value)


def timeouts(value: Any) -> str:
    """A value of the timeouts axis, checked; raises UserError."""
    text = str(value)
    if text != OWN:
        parse_timeouts(text)
    return text


def _tree(value: Any) -> str:
    tree.parse_tree(_text(value))
    return str(value)


def _delay(value: Any) -> str:
    delay.parse(_text(value))
    return str(value)


AXES: Mapping[str, Reader] = {
    "daemons": _several(_daemon),
    "workloads": _several(_workload),
    "levels": _several(_one_of(Level)),
    "readdir": _switch(READDIR),
    "modes": _several(_one_of(ReaddirMode)),
    "server_threads": _several(_number_or_0),
    "clone_fd": _switch(CLONE_FD),
    "timeouts": _several(timeouts),
    "threads": _several(_number),
    "entries": _several(_number),
    "orders": _several(_one_of(Order)),
    "xattrs": _several(_one_of(XattrWay)),
    "delays": _several(_delay),
    "cache": _one_of(Cache),
    "trials": _number,
}
"""Keys of a part; ``trials`` are the rounds it takes part in, at most the run's."""

SETTINGS: Mapping[str, Reader] = {
    "name": _text,
    "summary": _text,
    "tree": _tree,
    "trials": _number,
    "values": _number,
    "placement": _one_of(Placement),
    "kernels": _several(_text),
    "clock": _one_of(Clock),
}
"""Keys above the parts, beside the axes."""
