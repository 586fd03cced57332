"""The options of ``python -m bench run``, group by group."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bench.axes import OPTIONS
from bench.axes.axis import Axis
from bench.commands import run_fleet, strangers
from bench.commands.parser import folder, given, positive, seconds, share, timeout
from bench.kernels import disk
from bench.model import Clock, Placement, UserError

if TYPE_CHECKING:
    from bench.commands.parser import Parser


def add(command: Parser) -> None:
    """Every option of ``bench run``, in its groups."""
    what = command.add_argument_group("what to measure")
    axes = command.add_argument_group(
        "axes", "of each, several values make several targets or rows, all in one run"
    )
    where = command.add_argument_group("on what")
    how = command.add_argument_group("how")
    _targets_and_rows(what)
    for group in (_place, _guests):
        group(where)
    for group in (_windows, _mounts, _passes, _ends, _machine):
        group(how)
    _axes({group.title: group for group in (what, axes, where, how)})
    _results(command.add_argument_group("results"))


def _targets_and_rows(group: argparse._ArgumentGroup) -> None:
    """What is measured: servers and workloads, or a matrix that says both."""
    group.add_argument(
        "--daemon",
        action="append",
        metavar="NAME",
        help="target to measure, or NAME[:LEVEL[:files]][/TWIN]='COMMAND {backing} {mountpoint}' for "
        "a server of your own that passes LEVEL through (of regular files alone), TWIN being the "
        "same without; repeatable (default: passthrough)",
    )
    group.add_argument(
        "--libfuse-examples",
        metavar="DIR",
        help="where passthrough_ll and passthrough_hp were built (default: on PATH)",
    )
    group.add_argument(
        "--only",
        action="store_true",
        help="without the targets a daemon brings along for comparison",
    )
    group.add_argument(
        "--workload",
        action="append",
        metavar="NAME",
        help="workload, or workload/variant; repeatable (default: all)",
    )
    group.add_argument(
        "--matrix",
        metavar="NAME",
        help="a matrix of `list`, or a TOML file: says all of this group and of the axes",
    )


def _place(group: argparse._ArgumentGroup) -> None:
    """The tree, and the directory it lies in."""
    group.add_argument(
        "--tree",
        metavar="SPEC",
        help="tiny, small, medium, large, huge, or depth=3,branching=10,... (default: small)",
    )
    group.add_argument(
        "--backing",
        type=given,
        metavar="DIR",
        help="directory beneath the mounts (default: a tmpfs)",
    )


def _guests(group: argparse._ArgumentGroup) -> None:
    """Virtual machines that other kernels are measured in."""
    group.add_argument(
        "--kernel",
        action="append",
        metavar="[LABEL=]IMAGE[,PARAMETER]",
        help="boot this kernel in a virtual machine and measure there (a name from `kernel list`, "
        "or a bzImage); repeatable: kernels alternate boot by boot",
    )
    group.add_argument(
        "--backing-fs",
        choices=disk.CHOICES,
        help="file system beneath a guest's mounts, any but tmpfs on a virtio disk (default: tmpfs)",
    )
    group.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="guests booted side by side (default: one for each CPU on the instruction clock, else 1)",
    )
    group.add_argument(
        "--conform",
        action="store_true",
        help="compare servers with their backing in the guest though it is known how they answer there",
    )
    run_fleet.add_options(group)
    group.add_argument("--memory", type=positive, metavar="MIB", help="of a guest (default: 2048)")


def _windows(group: argparse._ArgumentGroup) -> None:
    """The clock, how many windows it times, and on which CPUs."""
    group.add_argument(
        "--clock",
        choices=[clock.value for clock in Clock],
        help="wall time, or executed instructions of a guest (default: wall)",
    )
    group.add_argument(
        "--trials",
        type=positive,
        metavar="N",
        help="rounds; every series gets one fresh mount in each (default: 5)",
    )
    group.add_argument(
        "--values", type=positive, metavar="N", help="timed windows per trial (default: 5)"
    )
    group.add_argument(
        "--placement",
        choices=[mode.value for mode in Placement],
        help="CPUs of client and daemon (default: same)",
    )


def _mounts(group: argparse._ArgumentGroup) -> None:
    """What a mount may keep, and how its directories are read."""
    group.add_argument(
        "--attr-timeout",
        type=timeout,
        metavar="S",
        help="attribute timeout of every mount (default: each workload's, mostly 0)",
    )
    group.add_argument(
        "--entry-timeout",
        type=timeout,
        metavar="S",
        help="entry timeout of every mount (default: each workload's, mostly 0)",
    )
    group.add_argument(
        "--nocache",
        action="store_true",
        help="both timeouts 0 for every workload, the 2025 demo's setting",
    )
    group.add_argument(
        "--buffer",
        type=positive,
        metavar="BYTES",
        help="of one getdents64 call (default: 32768, what glibc asks for)",
    )


def _passes(group: argparse._ArgumentGroup) -> None:
    """What is looked at in windows of its own, apart from the timed ones."""
    group.add_argument(
        "--rate",
        type=seconds,
        metavar="OPS",
        help="one more window of every storm, in which an op begins when it is due, so many a "
        "second; latencies count from then",
    )
    group.add_argument(
        "--histogram",
        action="store_true",
        help="record the latency of each op in a pass of its own",
    )
    group.add_argument(
        "--cost",
        action="store_true",
        help="the cost sheet too: memory, descriptors, backing ids and CPU time per inode "
        "(--tree medium: of 100 000 inodes)",
    )
    group.add_argument(
        "--attribution",
        action="store_true",
        help="find where each op's time goes, in a pass of its own: server, queue, client's kernel",
    )
    group.add_argument(
        "--profile",
        action="store_true",
        help="with --clock instructions: which functions the instructions go to, in a window of its "
        "own (see: bench profile)",
    )


def _ends(group: argparse._ArgumentGroup) -> None:
    """When a run, or a trial of it, is given up or has enough."""
    group.add_argument(
        "--precision",
        type=share,
        metavar="PERCENT",
        help="add rounds until every ratio's interval is +- this narrow, e.g. 2%%",
    )
    group.add_argument(
        "--max-time",
        type=seconds,
        metavar="S",
        help="with --precision: add no round after this long (default: 3600)",
    )
    group.add_argument(
        "--stall",
        type=seconds,
        metavar="S",
        help="give a server, or its client, up after so long without an answer (default: 30)",
    )


def _machine(group: argparse._ArgumentGroup) -> None:
    """The state of the machine and of chance, and how thorough a run is."""
    group.add_argument(
        "--tune",
        action="store_true",
        help="set the machine's knobs for the run and put them back (see: probe --tune)",
    )
    group.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of order and names (default: drawn and recorded)",
    )
    group.add_argument(
        "--quick",
        action="store_true",
        help="tiny tree, few and short trials, no real programs (macro-*) unless named: a minute, "
        "not a result to post",
    )


def _results(group: argparse._ArgumentGroup) -> None:
    """Where a run goes, and what is said of it."""
    group.add_argument(
        "--output", type=folder, metavar="DIR", help="run directory (default: results/local/<time>)"
    )
    group.add_argument("--resume", type=given, metavar="RUN", help="finish an interrupted run")
    strangers.add(group)
    group.add_argument("--no-report", action="store_true", help="leave report.py to be run later")
    group.add_argument(
        "--table", action="store_true", help="print the whole table, then the summary"
    )
    group.add_argument(
        "--json", action="store_true", help="every trial's record on stdout, one JSON object a line"
    )
    group.add_argument("--quiet", action="store_true", help="no progress, no news")
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be measured, how long it takes and what is left out; measure nothing",
    )


def _axes(groups: Mapping[str | None, argparse._ArgumentGroup]) -> None:
    """What can be multiplied; every combination is measured, or skipped with its reason."""
    for axis in OPTIONS:
        told: dict[str, Any] = {"choices": axis.words} if axis.words else {"type": _checked(axis)}
        groups[axis.group].add_argument(
            axis.flag,
            dest=axis.dest,
            action="append",
            metavar=axis.metavar or None,
            help=axis.about,
            **told,
        )


def _checked(axis: Axis[Any]) -> Callable[[str], str]:
    """A word of an axis as it is, known to be right."""

    def check(text: str) -> str:
        try:
            axis.values(text.split(","))
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return check
