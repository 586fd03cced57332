"""Finds daemons and workloads by scanning their folders: one file adds one thing."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import NoReturn

from bench.model import Daemon, Exit, UserError, Workload

TARGET_ORDER = (
    "native",
    "bind",
    "overlayfs",
    "overlayfs-rw",
    "plain-c",
    "passthrough-c",
    "plain",
    "passthrough",
)
"""The order tables name known targets in, the floor first; others follow by name."""


@cache
def daemons() -> dict[str, Daemon]:
    """Every module of ``daemons`` with a DAEMON constant, by name, in table order."""
    import daemons as package

    found: dict[str, Daemon] = {}
    for module in _modules(package):
        if isinstance(constant := getattr(module, "DAEMON", None), Daemon):
            found[constant.name] = constant
    return {name: found[name] for name in sorted(found, key=target_rank)}


@cache
def workloads() -> dict[str, Workload]:
    """Every module of ``workloads`` with a WORKLOAD constant, by name."""
    import workloads as package

    found: dict[str, Workload] = {}
    for module in _modules(package):
        if isinstance(constant := getattr(module, "WORKLOAD", None), Workload):
            found[constant.name] = constant
    return dict(sorted(found.items()))


def target_rank(name: str) -> tuple[int, str]:
    """Sort key that puts the floor and the plain servers before what is compared with them."""
    known = TARGET_ORDER.index(name) if name in TARGET_ORDER else len(TARGET_ORDER)
    return known, name


def daemon(name: str) -> Daemon:
    """The daemon of that name; raises UserError with the nearest name."""
    return daemons().get(name) or _unknown("daemon", name, daemons())


def startable(name: str) -> Daemon:
    """The daemon of that name; raises UserError (exit 3) where it cannot be started here."""
    found = daemon(name)
    if reason := found.missing():
        raise UserError(f"{name}: {reason}", Exit.NOTHING)
    return found


def add(made: Daemon) -> None:
    """Make a daemon known that has no file; raises UserError where its name is taken by another."""
    known = daemons().setdefault(made.name, made)
    if not known.foreign:
        raise UserError(f"there is a daemon called {made.name!r} already: choose another name")
    daemons()[made.name] = made


def rows(names: Iterable[str]) -> list[tuple[Workload, str]]:
    """(workload, variant) pairs for names such as ``readdir``, ``getattr-storm``, ``getattr-storm/fd``.

    An empty ``names`` means those of a usual run, the name of a workload all its variants, unless one row
    has just that name. Raises UserError with the nearest name.
    """
    every = every_row()
    wanted = list(names)
    if not wanted:
        return [pair for pair in every if is_usual(*pair)]
    chosen: list[tuple[Workload, str]] = []
    for name in wanted:
        matching = [pair for pair in every if name == row_name(*pair)]
        matching = matching or [pair for pair in every if name == pair[0].name]
        if not matching:
            _unknown("workload", name, [*workloads(), *(row_name(*pair) for pair in every)])
        chosen.extend(pair for pair in matching if pair not in chosen)
    return chosen


def every_row() -> list[tuple[Workload, str]]:
    """All (workload, variant) pairs."""
    return [
        (workload, variant) for workload in workloads().values() for variant in workload.variants
    ]


def is_usual(workload: Workload, variant: str) -> bool:
    """Whether a run measures this one that names no workload."""
    return workload.usual is None or variant in workload.usual


def row_name(workload: Workload, variant: str) -> str:
    """Workload and variant as tables and the command line name them."""
    return f"{workload.name}/{variant}" if variant else workload.name


def nearest(name: str, names: Iterable[str]) -> str:
    """``; did you mean X?`` when something is near, else the list of what there is."""
    known = sorted(set(names))
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there is: {', '.join(known)}"


def _unknown(kind: str, name: str, names: Iterable[str]) -> NoReturn:
    raise UserError(f"unknown {kind} {name!r}: {nearest(name, names)}")


def _modules(package: ModuleType) -> list[ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    return [
        importlib.import_module(f"{package.__name__}.{name}")
        for name in sorted(names)
        if not name.startswith("_")
    ]
