"""``python -m bench run``: its words turned into settings, the run, its report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.axes import OPTIONS
from bench.axes.axis import Axis
from bench.commands import strangers
from bench.commands.parser import positive, seconds, share
from bench.commands.run_settings import settings_from
from bench.commands.worker import add_tls
from bench.kernels import disk
from bench.model import Clock, Placement, UserError

if TYPE_CHECKING:
    from bench.commands.parser import Parser


RUN_EXAMPLES = """examples:
  python -m bench run --daemon passthrough
      the main comparison: native, overlayfs, plain-c, plain and passthrough, every workload
  python -m bench run --daemon passthrough --quick
      the same in a minute: tiny tree, two rounds, no macro-*; for trying things, not for posting
  python -m bench run --daemon plain --workload readdir --workload getattr-storm/fd --trials 20
  python -m bench run --daemon passthrough --tree medium --backing /mnt/ext4 --cache cold-all
  python -m bench run --daemon passthrough-c --readdir-mode readdirplus,readdir,auto \
          --timeouts own,1,forever --workload walk-du --workload getattr-storm/path
  python -m bench run --matrix patch-posting --dry-run
      what to run before posting: first how much it is, then without --dry-run
  python -m bench run --daemon passthrough --kernel lab --clock instructions
      on the lab kernel, in a virtual machine, counting instructions (see: kernel build)
  python -m bench run --daemon bindfs --daemon mine='./server -f {backing} {mountpoint}'
      a packaged server, and one of your own; braces also: {attr_timeout} {entry_timeout}
  python -m bench run --daemon plain-c --workload getattr-storm --attribution
      where the time of each op goes: requests, server, queue and switch, client's kernel
  python -m bench run --kernel base=old/bzImage --kernel patched=new/bzImage
  python -m bench run --kernel lab --backing-fs ext4 --cache cold-all
      on ext4 on a virtio disk, the guest's caches dropped before every mount
  python -m bench run --daemon passthrough-c --tune --precision 2% --max-time 1800
  python -m bench run --resume results/local/20260101-120000
"""
CODES = """exit codes:
  0 measured   1 bug   2 usage   3 nothing could be measured here (reasons printed)
  4 measured, but a trial failed or a proof did not hold   130 interrupted
"""


def add_run(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench run``."""
    command = commands.add_parser(
        "run",
        help="measure, and write a report",
        description="Measure workloads on targets, side by side, and write a report.",
        epilog=RUN_EXAMPLES + "\n" + CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = command.add_argument_group("what to measure")
    what.add_argument(
        "--daemon",
        action="append",
        metavar="NAME",
        help="target to measure, or NAME[:LEVEL[:files]][/TWIN]='COMMAND {backing} {mountpoint}' for "
        "a server of your own that passes LEVEL through (of regular files alone), TWIN being the "
        "same without; repeatable (default: passthrough)",
    )
    what.add_argument(
        "--libfuse-examples",
        metavar="DIR",
        help="where passthrough_ll and passthrough_hp were built (default: on PATH)",
    )
    what.add_argument(
        "--only",
        action="store_true",
        help="without the targets a daemon brings along for comparison",
    )
    what.add_argument(
        "--workload",
        action="append",
        metavar="NAME",
        help="workload, or workload/variant; repeatable (default: all)",
    )
    what.add_argument(
        "--matrix",
        metavar="NAME",
        help="a matrix of `list`, or a TOML file: says all of this group and of the axes",
    )
    axes = command.add_argument_group(
        "axes", "of each, several values make several targets or rows, all in one run"
    )
    where = command.add_argument_group("on what")
    where.add_argument(
        "--tree",
        metavar="SPEC",
        help="tiny, small, medium, large, huge, or depth=3,branching=10,... (default: small)",
    )
    where.add_argument(
        "--backing", metavar="DIR", help="directory beneath the mounts (default: a tmpfs)"
    )
    where.add_argument(
        "--kernel",
        action="append",
        metavar="[LABEL=]IMAGE[,PARAMETER]",
        help="boot this kernel in a virtual machine and measure there (a name from `kernel list`, "
        "or a bzImage); repeatable: kernels alternate boot by boot",
    )
    where.add_argument(
        "--backing-fs",
        choices=disk.CHOICES,
        help="file system beneath a guest's mounts, any but tmpfs on a virtio disk (default: tmpfs)",
    )
    where.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="guests booted side by side (default: one for each CPU on the instruction clock, else 1)",
    )
    where.add_argument(
        "--conform",
        action="store_true",
        help="compare servers with their backing in the guest though it is known how they answer there",
    )
    where.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="of Dask: its workers (`bench worker`) make the boots of --clock instructions; on the "
        "wall clock each does the whole run by itself",
    )
    add_tls(where)
    where.add_argument("--memory", type=positive, metavar="MIB", help="of a guest (default: 2048)")
    how = command.add_argument_group("how")
    how.add_argument(
        "--clock",
        choices=[clock.value for clock in Clock],
        help="wall time, or executed instructions of a guest (default: wall)",
    )
    how.add_argument(
        "--trials",
        type=positive,
        metavar="N",
        help="rounds; every series gets one fresh mount in each (default: 5)",
    )
    how.add_argument(
        "--values", type=positive, metavar="N", help="timed windows per trial (default: 5)"
    )
    how.add_argument(
        "--placement",
        choices=[mode.value for mode in Placement],
        help="CPUs of client and daemon (default: same)",
    )
    how.add_argument(
        "--attr-timeout",
        type=seconds,
        metavar="S",
        help="attribute timeout of every mount (default: each workload's, mostly 0)",
    )
    how.add_argument(
        "--entry-timeout",
        type=seconds,
        metavar="S",
        help="entry timeout of every mount (default: each workload's, mostly 0)",
    )
    how.add_argument(
        "--nocache",
        action="store_true",
        help="both timeouts 0 for every workload, the 2025 demo's setting",
    )
    how.add_argument(
        "--buffer",
        type=positive,
        metavar="BYTES",
        help="of one getdents64 call (default: 32768, what glibc asks for)",
    )
    how.add_argument(
        "--rate",
        type=seconds,
        metavar="OPS",
        help="one more window of every storm, in which an op begins when it is due, so many a "
        "second; latencies count from then",
    )
    how.add_argument(
        "--histogram",
        action="store_true",
        help="record the latency of each op in a pass of its own",
    )
    how.add_argument(
        "--cost",
        action="store_true",
        help="the cost sheet too: memory, descriptors, backing ids and CPU time per inode "
        "(--tree medium: of 100 000 inodes)",
    )
    how.add_argument(
        "--precision",
        type=share,
        metavar="PERCENT",
        help="add rounds until every ratio's interval is +- this narrow, e.g. 2%%",
    )
    how.add_argument(
        "--max-time",
        type=seconds,
        metavar="S",
        help="with --precision: add no round after this long (default: 3600)",
    )
    how.add_argument(
        "--stall",
        type=seconds,
        metavar="S",
        help="give a server, or its client, up after so long without an answer (default: 30)",
    )
    how.add_argument(
        "--tune",
        action="store_true",
        help="set the machine's knobs for the run and put them back (see: probe --tune)",
    )
    how.add_argument(
        "--attribution",
        action="store_true",
        help="find where each op's time goes, in a pass of its own: server, queue, client's kernel",
    )
    how.add_argument(
        "--profile",
        action="store_true",
        help="with --clock instructions: which functions the instructions go to, in a window of its "
        "own (see: bench profile)",
    )
    how.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of order and names (default: drawn and recorded)",
    )
    how.add_argument(
        "--quick",
        action="store_true",
        help="tiny tree, few and short trials, no real programs (macro-*) unless named: a minute, "
        "not a result to post",
    )
    add_axes({group.title: group for group in (what, axes, where, how)})
    result = command.add_argument_group("results")
    result.add_argument(
        "--output", type=Path, metavar="DIR", help="run directory (default: results/local/<time>)"
    )
    result.add_argument("--resume", metavar="RUN", help="finish an interrupted run")
    strangers.add(result)
    result.add_argument("--no-report", action="store_true", help="leave report.py to be run later")
    result.add_argument(
        "--json", action="store_true", help="every trial's record on stdout, one JSON object a line"
    )
    result.add_argument("--quiet", action="store_true", help="no progress, no news")
    result.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be measured, how long it takes and what is left out; measure nothing",
    )
    command.set_defaults(command=command_run)


def add_axes(groups: Mapping[str | None, argparse._ArgumentGroup]) -> None:
    """What can be multiplied; every combination is measured, or skipped with its reason."""
    for axis in OPTIONS:
        told: dict[str, Any] = {"choices": axis.words} if axis.words else {"type": checked(axis)}
        groups[axis.group].add_argument(
            axis.flag,
            dest=axis.dest,
            action="append",
            metavar=axis.metavar or None,
            help=axis.about,
            **told,
        )


def checked(axis: Axis[Any]) -> Callable[[str], str]:
    """A word of an axis as it is, known to be right."""

    def check(text: str) -> str:
        try:
            axis.values(text.split(","))
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return check


def command_run(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Measure, then report; the exit code is the worse of the two."""
    from bench.commands import run_start
    from bench.run.view import View

    view = View(quiet=arguments.quiet, as_json=arguments.json)
    if arguments.dry_run and not arguments.resume:
        from bench.plan import dry_run

        return dry_run.show(settings_from(arguments), as_json=arguments.json)
    if arguments.resume:
        return run_start.told(run_start.resumed(arguments, view), arguments, view)
    refuse_bad_output(arguments.output)
    settings, command = settings_from(arguments), ["python", "-m", "bench", *argv]
    if arguments.scheduler and settings.clock != Clock.INSTRUCTIONS:
        return run_start.on_every_machine(settings, command, arguments, view)
    return run_start.told(run_start.started(settings, command, arguments, view), arguments, view)


def refuse_bad_output(output: Path | None) -> None:
    """Raises UserError for what cannot become a run's folder."""
    from bench.machine import own
    from bench.results.store import refuse_output

    if output is not None:
        refuse_output(output)
        if output.is_dir():
            own.refuse_open(output, f"--output {output}")
