"""``python -m bench run``: its words turned into settings, the run, its report."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import disk
from bench.model import Cache, Clock, Exit, Level, Placement, ReaddirMode, Sync, UserError

if TYPE_CHECKING:
    from bench.cli import Parser
    from bench.plan import Settings

RESULTS = Path("results")
SWITCH = ("on", "off", "both")
AXES = (
    "daemon", "only", "workload", "level", "readdir", "cache", "readdir_mode", "server_threads",
    "clone_fd", "timeouts", "attr_timeout", "entry_timeout", "nocache", "threads", "entries",
)  # fmt: skip
"""What a matrix says in the place of the command line."""
GUEST_ROUNDS = {Clock.WALL.value: 3, Clock.INSTRUCTIONS.value: 2}
"""Two boots suffice where they agree to 0.1 %."""
QUICK = {"quick": True, "tree": "tiny", "trials": 2, "values": 3, "window_s": 0.01}

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
        help="target to measure, or NAME[:LEVEL]='COMMAND {backing} {mountpoint}' for a server of "
        "your own; repeatable (default: passthrough)",
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
        "--level",
        action="append",
        choices=[level.value for level in Level],
        help="highest passthrough level to use; repeated, each is a target (default: attach-lookup)",
    )
    what.add_argument(
        "--readdir",
        choices=SWITCH,
        help="readdir passthrough, without it, or both (default: on)",
    )
    what.add_argument(
        "--matrix",
        metavar="NAME",
        help="a matrix of `list`, or a TOML file: says all of this group and of the axes",
    )
    add_axes(command)
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
        "--cache",
        choices=[cache.value for cache in Cache],
        help="cache state (default: each workload's own)",
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
        "--sync",
        choices=[sync.value for sync in Sync],
        help="AT_STATX_SYNC_* flag of statx (default: as-stat)",
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
        type=percentage,
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
        "--delay",
        action="append",
        metavar="OPCODE=TIME",
        help="one more target for each of our servers, which holds these requests back so long "
        "(GETATTR=5us): a known cost, to see whether it is found; repeatable",
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
    result = command.add_argument_group("results")
    result.add_argument(
        "--output", type=Path, metavar="DIR", help="run directory (default: results/local/<time>)"
    )
    result.add_argument("--resume", metavar="RUN", help="finish an interrupted run")
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


def add_axes(command: Parser) -> None:
    """What can be multiplied; every combination is measured, or skipped with its reason."""
    axes = command.add_argument_group(
        "axes", "of each, several values make several targets or rows, all in one run"
    )
    axes.add_argument(
        "--readdir-mode",
        action="extend",
        type=readdir_modes,
        metavar="MODE[,MODE]",
        help="readdirplus, readdir or auto: listing requests of the server (default: readdirplus)",
    )
    axes.add_argument(
        "--server-threads",
        type=counts_or_0,
        metavar="N[,N]",
        help="threads the server answers with, 0: one per CPU it has (default: 0)",
    )
    axes.add_argument(
        "--clone-fd", choices=SWITCH, help="a /dev/fuse descriptor for each of them (default: off)"
    )
    axes.add_argument(
        "--timeouts",
        action="extend",
        type=timeout_pairs,
        metavar="T[,T]",
        help="cache timeouts: own (each workload's), seconds, forever, or ATTR/ENTRY (default: own)",
    )
    axes.add_argument(
        "--threads",
        type=counts,
        metavar="N[,N]",
        help="client threads of storms (default: 1)",
    )
    axes.add_argument(
        "--entries",
        type=counts,
        metavar="N[,N]",
        help="entries of a directory, of workloads that are about its size (default: 1000)",
    )


def command_run(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Measure, then report; the exit code is the worse of the two."""
    from bench import runner
    from bench.store import RunDirectory, find_run
    from bench.view import View

    view = View(quiet=arguments.quiet, as_json=arguments.json)
    command = ["python", "-m", "bench", *argv]
    if arguments.resume:
        refuse_with_resume(arguments)
        result = runner.resume(RunDirectory.open(find_run(arguments.resume, RESULTS)), view)
    elif arguments.dry_run:
        from bench import forecast

        return forecast.show(settings_from(arguments), as_json=arguments.json)
    else:
        result = runner.start(settings_from(arguments), arguments.output, command, view)
    code = result.exit
    if code is not Exit.NOTHING and not arguments.no_report:
        reported = report(result.run.path, "--print", quiet_stdout=arguments.json)
        code = code or Exit(reported)
    if not arguments.quiet:
        view.say(f"run: {result.run.path}")
    return code


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Settings of a new run; raises UserError for names that do not exist."""
    from bench import delay, foreign, matrix, plan, registry
    from workloads import tree

    if arguments.timeouts and (
        arguments.nocache or (arguments.attr_timeout, arguments.entry_timeout) != (None, None)
    ):
        raise UserError("--timeouts leaves no room for --attr-timeout, --entry-timeout, --nocache")
    asked = defaults(arguments)
    for name in ("tree", "backing", "backing_fs", "cache", "trials", "values", "placement"):
        asked[name] = getattr(arguments, name) or asked.get(name)
    refuse_contradictions(asked)
    asked |= {name: getattr(arguments, name) for name in ("threads", "entries", "server_threads")}
    asked |= {
        "modes": tuple(arguments.readdir_mode or ()) or None,
        "timeouts": tuple(arguments.timeouts or ()) or None,
        "clone_fd": matrix.CLONE_FD[arguments.clone_fd] if arguments.clone_fd else None,
        "daemons": tuple(arguments.daemon or ()) or None,
        "libfuse_examples": examples_folder(arguments.libfuse_examples),
        "workloads": tuple(arguments.workload or ()) or None,
        "attr_timeout": 0.0 if arguments.nocache else arguments.attr_timeout,
        "entry_timeout": 0.0 if arguments.nocache else arguments.entry_timeout,
        "sync": arguments.sync,
        "memory_mb": arguments.memory,
        "only": arguments.only,
        "levels": tuple(arguments.level or ()) or None,
        "readdir": matrix.READDIR[arguments.readdir] if arguments.readdir else None,
        "histogram": arguments.histogram,
        "attribution": arguments.attribution,
        "delays": tuple(arguments.delay or ()) or None,
        "cost": arguments.cost,
        "precision": arguments.precision,
        "max_time_s": arguments.max_time,
        "tune": arguments.tune,
        "seed": drawn_seed() if arguments.seed is None else arguments.seed,
    }
    chosen = plan.Settings.from_json({k: v for k, v in asked.items() if v is not None})
    chosen = foreign.introduce(chosen)
    for name in chosen.daemons:  # what a guest's kernel lacks is for the guest to say
        registry.daemon(name) if chosen.kernels else registry.startable(name)
    registry.rows(chosen.workloads)
    for text in chosen.delays:
        delay.parse(text)
    tree.parse_tree(chosen.tree)
    return chosen


def refuse_contradictions(asked: Mapping[str, Any]) -> None:
    """Raises UserError for what only a guest has, and for wishes that exclude one another."""
    counting = asked.get("clock") == Clock.INSTRUCTIONS.value
    if asked.get("backing") and asked.get("backing_fs"):
        raise UserError("--backing and --backing-fs both say where the backing lies: leave out one")
    if counting and asked.get("cache") == Cache.COLD_ALL.value:
        raise UserError(
            "--cache cold-all waits for the disk, and while a guest waits its instruction clock "
            "leaps: use --clock wall"
        )
    if counting and not asked.get("kernels"):
        raise UserError("--clock instructions needs a guest: name one with --kernel")
    if asked.get("backing_fs") and not asked.get("kernels"):
        raise UserError(
            "--backing-fs makes a disk for a guest: name its kernel with --kernel, or without one "
            "give --backing a directory on such a file system"
        )


def defaults(arguments: argparse.Namespace) -> dict[str, Any]:
    """What goes for this kind of run before single options are looked at: guest, matrix, quick."""
    from bench import matrix, plan

    asked: dict[str, Any] = {}
    if arguments.matrix:
        refuse(arguments, AXES, "--matrix says what is measured")
        found = matrix.load(matrix.find(arguments.matrix))
        asked = {**found.settings, "matrix": found.name, "parts": found.parts}
    kernels = tuple(arguments.kernel or ()) or asked.get("kernels")
    clock = arguments.clock or asked.get("clock", Clock.WALL.value)
    if kernels:
        as_guest = plan.guest(clock) | {"trials": GUEST_ROUNDS[clock]}
        # Where a matrix names its own kernels it knows what they take.
        asked = asked | as_guest if arguments.kernel else as_guest | asked
    return asked | (QUICK if arguments.quick else {}) | {"kernels": kernels, "clock": clock}


def examples_folder(folder: str | None) -> str | None:
    """An absolute path; raises UserError for what is no directory."""
    if folder is not None and not Path(folder).is_dir():
        raise UserError(f"--libfuse-examples {folder}: no such directory")
    return str(Path(folder).resolve()) if folder is not None else None


def drawn_seed() -> int:
    """A seed nobody chose; it is recorded."""
    return random.SystemRandom().getrandbits(31)


def refuse_with_resume(arguments: argparse.Namespace) -> None:
    """A resumed run keeps its settings; raises UserError for options that would change them."""
    free = {"command", "resume", "no_report", "json", "quiet"}
    others = [name for name in vars(arguments) if name not in free]
    refuse(arguments, others, "--resume keeps the run's own settings")


def refuse(arguments: argparse.Namespace, names: Iterable[str], why: str) -> None:
    """Raises UserError if any of these options was given."""
    given = [
        name for name in names if not any(getattr(arguments, name) is no for no in (None, False))
    ]
    if given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UserError(f"{why}: leave out {options}")


def report(run: Path, *options: str, quiet_stdout: bool = False) -> int:
    """Run report.py in a process of its own, so that pandas is never in the runner."""
    stdout = subprocess.DEVNULL if quiet_stdout else None
    return subprocess.run(
        [sys.executable, "-m", "report", str(run), *options], stdout=stdout
    ).returncode


def positive(text: str) -> int:
    """A whole number above 0."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def seconds(text: str) -> float:
    """A time in seconds, 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds, 0 or more")
    return number


def percentage(text: str) -> float:
    """``2%`` or ``2`` as 0.02, above 0."""
    try:
        number = float(text.removesuffix("%")) / 100
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage above 0 and below 100")
    return number


def counts(text: str) -> tuple[int, ...]:
    """``1,2,4`` as numbers."""
    return tuple(dict.fromkeys(positive(part) for part in text.split(",")))


def counts_or_0(text: str) -> tuple[int, ...]:
    """``0,1,2`` as numbers."""
    return tuple(dict.fromkeys(0 if part == "0" else positive(part) for part in text.split(",")))


def readdir_modes(text: str) -> tuple[str, ...]:
    """``readdir,auto``; each the value of a ReaddirMode."""
    modes = text.split(",")
    for mode in modes:
        if mode not in list(ReaddirMode):
            known = ", ".join(ReaddirMode)
            raise argparse.ArgumentTypeError(f"unknown mode {mode!r}: there is {known}")
    return tuple(modes)


def timeout_pairs(text: str) -> tuple[str, ...]:
    """``own,0,1/60,forever``, checked."""
    from bench import matrix

    try:
        return tuple(matrix.timeouts(part) for part in text.split(","))
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
