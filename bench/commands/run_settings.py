"""The words of ``python -m bench run`` turned into the settings of a run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.axes import OPTIONS
from bench.axes.rows import CACHE
from bench.model import Cache, Clock, Placement, UserError
from bench.plan.settings import drawn_seed

if TYPE_CHECKING:
    from bench.plan.settings import Settings


AXES = (
    "daemon", "only", "workload", "attr_timeout", "entry_timeout", "nocache",
    *(axis.dest for axis in OPTIONS),
)  # fmt: skip
"""What a matrix says in the place of the command line."""
GUEST_ROUNDS = {Clock.WALL: 3, Clock.INSTRUCTIONS: 2}
"""Two boots suffice where they agree to 0.1 %."""
QUICK = {"quick": True, "tree": "tiny", "trials": 2, "values": 3, "window_s": 0.01}


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Settings of a new run; raises UserError for names that do not exist."""
    from bench import registry
    from bench.plan import foreign
    from bench.plan.settings import FILL_S, Settings
    from workloads import tree

    refuse_two_timeouts(arguments)
    # In a guest the directory is one of the guest's.
    if arguments.backing and not arguments.kernel and not Path(arguments.backing).is_dir():
        raise UserError(f"--backing {arguments.backing}: does not exist")
    asked = defaults(arguments)
    for name in ("tree", "backing", "backing_fs", "trials", "values"):
        asked[name] = getattr(arguments, name) or asked.get(name)
    if arguments.placement:
        asked["placement"] = Placement(arguments.placement)
    asked |= axes_asked(arguments)
    refuse_contradictions(asked | {"profile": arguments.profile})
    asked |= told(arguments)
    if fills(arguments, asked):
        asked["fill_s"] = FILL_S
    chosen = Settings.of({k: v for k, v in asked.items() if v is not None})
    chosen = foreign.introduce(chosen)
    for name in chosen.daemons:  # what a guest's kernel lacks is for the guest to say
        registry.daemon(name) if chosen.kernels else registry.startable(name)
    registry.rows(chosen.workloads)
    tree.parse_tree(chosen.tree)
    return chosen


def fills(arguments: argparse.Namespace, asked: Mapping[str, Any]) -> bool:
    """Whether nothing was said of how long the run is to be: more rounds then, where time allows."""
    said = arguments.trials or arguments.quick or arguments.matrix or arguments.precision
    return not (said or asked.get("kernels"))


def refuse_two_timeouts(arguments: argparse.Namespace) -> None:
    """Raises UserError where timeouts are said both as an axis and for every row."""
    if arguments.timeouts and (
        arguments.nocache or (arguments.attr_timeout, arguments.entry_timeout) != (None, None)
    ):
        raise UserError("--timeouts leaves no room for --attr-timeout, --entry-timeout, --nocache")


def told(arguments: argparse.Namespace) -> dict[str, Any]:
    """Settings that no matrix says: each as its option has it; None where it has nothing."""
    return {
        "buffer": arguments.buffer,
        "rate": arguments.rate,
        "daemons": tuple(arguments.daemon or ()) or None,
        "named": bool(arguments.daemon),
        "libfuse_examples": examples_folder(arguments.libfuse_examples),
        "workloads": tuple(arguments.workload or ()) or None,
        "attr_timeout": 0.0 if arguments.nocache else arguments.attr_timeout,
        "entry_timeout": 0.0 if arguments.nocache else arguments.entry_timeout,
        "memory_mb": arguments.memory,
        "only": arguments.only,
        "histogram": arguments.histogram,
        "attribution": arguments.attribution,
        "profile": arguments.profile,
        "cost": arguments.cost,
        "precision": arguments.precision,
        "max_time_s": arguments.max_time,
        "stall_s": arguments.stall,
        "tune": arguments.tune,
        "seed": drawn_seed() if arguments.seed is None else arguments.seed,
    }


def axes_asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """The values of every axis that was named on the command line; raises UserError."""
    asked = {}
    for axis in OPTIONS:
        if texts := getattr(arguments, axis.dest):
            try:
                asked[axis.name] = axis.values([part for text in texts for part in text.split(",")])
            except UserError as error:
                raise UserError(f"{axis.flag}: {error}") from None
    return asked


def refuse_contradictions(asked: Mapping[str, Any]) -> None:
    """Raises UserError for what only a guest has, and for wishes that exclude one another."""
    counting = asked.get("clock") == Clock.INSTRUCTIONS
    if asked.get("backing") and asked.get("backing_fs"):
        raise UserError("--backing and --backing-fs both say where the backing lies: leave out one")
    if counting and Cache.COLD_ALL in asked.get(CACHE.name, ()):
        raise UserError(
            "--cache cold-all waits for the disk, and while a guest waits its instruction clock "
            "leaps: use --clock wall"
        )
    if asked.get("profile") and not counting:
        raise UserError("--profile counts instructions: it needs --clock instructions")
    if counting and not asked.get("kernels"):
        raise UserError("--clock instructions needs a guest: name one with --kernel")
    if asked.get("backing_fs") and not asked.get("kernels"):
        raise UserError(
            "--backing-fs makes a disk for a guest: name its kernel with --kernel, or without one "
            "give --backing a directory on such a file system"
        )


def defaults(arguments: argparse.Namespace) -> dict[str, Any]:
    """What goes for this kind of run before single options are looked at: guest, matrix, quick."""
    from bench.plan import matrix
    from bench.plan.settings import guest

    asked: dict[str, Any] = {}
    if arguments.matrix:
        refuse(arguments, AXES, "--matrix says what is measured")
        found = matrix.load(matrix.find(arguments.matrix))
        asked = {**found.settings, "matrix": found.name, "parts": found.parts}
    kernels = tuple(arguments.kernel or ()) or asked.get("kernels")
    clock = Clock(arguments.clock or asked.get("clock", Clock.WALL))
    if kernels:
        as_guest = guest(clock) | {"trials": GUEST_ROUNDS[clock]}
        # Where a matrix names its own kernels it knows what they take.
        asked = asked | as_guest if arguments.kernel else as_guest | asked
    return asked | (QUICK if arguments.quick else {}) | {"kernels": kernels, "clock": clock}


def examples_folder(folder: str | None) -> str | None:
    """An absolute path; raises UserError for what is no directory."""
    if folder is not None and not Path(folder).is_dir():
        raise UserError(f"--libfuse-examples {folder}: no such directory")
    return str(Path(folder).resolve()) if folder is not None else None


def refuse(arguments: argparse.Namespace, names: Iterable[str], why: str) -> None:
    """Raises UserError if any of these options was given."""
    given = [
        name for name in names if not any(getattr(arguments, name) is no for no in (None, False))
    ]
    if given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UserError(f"{why}: leave out {options}")
