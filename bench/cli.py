"""The command line: words in, exit code out; what is done is done elsewhere."""

from __future__ import annotations

import argparse
import difflib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bench import disk, kernel_cli
from bench.model import Cache, Clock, Exit, Level, Placement, Sync, UserError

if TYPE_CHECKING:
    from bench.plan import Settings

RESULTS = Path("results")
READDIR = {"on": (True,), "off": (False,), "both": (True, False)}
GUEST_ROUNDS = {Clock.WALL.value: 3, Clock.INSTRUCTIONS.value: 2}
"""Two boots suffice where they agree to 0.1 %."""
QUICK = {"quick": True, "tree": "tiny", "trials": 2, "values": 3, "window_s": 0.01}

RUN_EXAMPLES = """examples:
  python -m bench run --daemon passthrough
      the main comparison: native, overlayfs, plain-c, plain and passthrough, every workload
  python -m bench run --daemon passthrough --quick
      the same in a minute: tiny tree, two rounds; for trying things, not for posting
  python -m bench run --daemon plain --workload readdir --workload getattr-storm/fd --trials 20
  python -m bench run --daemon passthrough --tree medium --backing /mnt/ext4 --cache cold-all
  python -m bench run --daemon passthrough --kernel lab --clock instructions
      on the lab kernel, in a virtual machine, counting instructions (see: kernel build)
  python -m bench run --kernel base=old/bzImage --kernel patched=new/bzImage
  python -m bench run --kernel lab --backing-fs ext4 --cache cold-all
      on ext4 on a virtio disk, the guest's caches dropped before every mount
  python -m bench run --resume results/local/20260101-120000
"""
CODES = """exit codes:
  0 measured   1 bug   2 usage   3 nothing could be measured here (reasons printed)
  4 measured, but a trial failed or a proof did not hold   130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one lower-case line and name the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and exit with Exit.USAGE."""
        print(f"{self.prog}: {message}{self._nearest(message)} (see --help)", file=sys.stderr)
        sys.exit(Exit.USAGE)

    def _nearest(self, message: str) -> str:
        prefix, _, word = message.partition("unrecognized arguments: ")
        if prefix or not word:
            return ""
        close = difflib.get_close_matches(word.split()[0].partition("=")[0], self.options(), n=1)
        return f"; did you mean {close[0]}?" if close else ""

    def options(self) -> list[str]:
        """Every option of this command and of those below it."""
        known: list[str] = []
        for action in self._actions:
            known += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                known += [
                    option for command in action.choices.values() for option in command.options()
                ]
        return known


def main(argv: list[str]) -> int:
    """Run one command; returns its exit code (bench.model.Exit)."""
    arguments = parser().parse_args(argv)
    # Told to end, or left by its terminal, a run ends as it does on Ctrl-C: in order.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
    try:
        return int(arguments.command(arguments, argv))
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED


def interrupt(_number: int, _frame: object) -> NoReturn:
    """Signal handler: as Ctrl-C."""
    raise KeyboardInterrupt


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="bench",
        description="Measure metadata operations over plain FUSE, FUSE passthrough and native.",
        epilog=RUN_EXAMPLES + "\n" + CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    add_run(commands)
    add_list(commands)
    add_probe(commands)
    add_show(commands)
    add_clean(commands)
    kernel_cli.add(commands)
    return top


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
        help="target to measure; repeatable (default: passthrough)",
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
        choices=list(READDIR),
        help="readdir passthrough, without it, or both (default: on)",
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
        "--threads",
        type=thread_counts,
        metavar="N[,N]",
        help="client threads of storms (default: 1)",
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
        "--seed",
        type=int,
        metavar="N",
        help="seed of order and names (default: drawn and recorded)",
    )
    how.add_argument(
        "--quick",
        action="store_true",
        help="tiny tree, few and short trials: a minute, not a result to post",
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
    command.set_defaults(command=command_run)


def add_list(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench list``."""
    command = commands.add_parser("list", help="daemons, workloads and trees there are")
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(command=command_list)


def add_probe(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench probe``."""
    command = commands.add_parser("probe", help="what this kernel passes through, found by trying")
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(command=command_probe)


def add_show(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench show``."""
    command = commands.add_parser("show", help="what a run holds, and its table")
    command.add_argument(
        "run", nargs="?", metavar="RUN", help="run directory (default: the newest)"
    )
    command.add_argument(
        "--json", action="store_true", help="run.json and trial counts as one JSON object"
    )
    command.set_defaults(command=command_show)


def add_clean(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench clean``."""
    command = commands.add_parser(
        "clean",
        help="unmount and remove what a killed run left",
        description="Kill processes of runs whose runner is gone, unmount what they mounted, "
        "remove half-written files. Finished results and complete trees stay (but see --trees).",
    )
    command.add_argument("--dry-run", action="store_true", help="say what would be done")
    command.add_argument(
        "--trees", action="store_true", help="remove the generated trees of the default backing too"
    )
    command.add_argument(
        "--backing", type=Path, metavar="DIR", help="backing directory to look at (default: as run)"
    )
    command.set_defaults(command=command_clean)


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
    from bench import plan, registry
    from workloads import tree

    refuse_contradictions(arguments)
    asked: dict[str, Any] = dict(QUICK) if arguments.quick else {}
    if arguments.kernel:
        asked = plan.GUEST | {"trials": GUEST_ROUNDS[arguments.clock or Clock.WALL.value]} | asked
    for name in ("tree", "backing", "cache", "trials", "values", "placement", "threads"):
        asked[name] = getattr(arguments, name) or asked.get(name)
    asked |= {
        "daemons": tuple(arguments.daemon or ()) or None,
        "workloads": tuple(arguments.workload or ()) or None,
        "attr_timeout": 0.0 if arguments.nocache else arguments.attr_timeout,
        "entry_timeout": 0.0 if arguments.nocache else arguments.entry_timeout,
        "sync": arguments.sync,
        "clock": arguments.clock,
        "kernels": tuple(arguments.kernel or ()) or None,
        "memory_mb": arguments.memory,
        "backing_fs": arguments.backing_fs,
        "only": arguments.only,
        "levels": tuple(arguments.level or ()) or None,
        "readdir": READDIR[arguments.readdir] if arguments.readdir else None,
        "histogram": arguments.histogram,
        "seed": drawn_seed() if arguments.seed is None else arguments.seed,
    }
    chosen = plan.Settings.from_json({k: v for k, v in asked.items() if v is not None})
    for name in chosen.daemons:
        registry.daemon(name)
    registry.rows(chosen.workloads)
    tree.parse_tree(chosen.tree)
    return chosen


def refuse_contradictions(arguments: argparse.Namespace) -> None:
    """Raises UserError for what only a guest has, and for wishes that exclude one another."""
    counting = arguments.clock == Clock.INSTRUCTIONS.value
    if arguments.backing and arguments.backing_fs:
        raise UserError("--backing and --backing-fs both say where the backing lies: leave out one")
    if counting and arguments.cache == Cache.COLD_ALL.value:
        raise UserError(
            "--cache cold-all waits for the disk, and while a guest waits its instruction clock "
            "leaps: use --clock wall"
        )
    if counting and not arguments.kernel:
        raise UserError("--clock instructions needs a guest: name one with --kernel")
    if arguments.backing_fs and not arguments.kernel:
        raise UserError(
            "--backing-fs makes a disk for a guest: name its kernel with --kernel, or without one "
            "give --backing a directory on such a file system"
        )


def drawn_seed() -> int:
    """A seed nobody chose; it is recorded."""
    return random.SystemRandom().getrandbits(31)


def refuse_with_resume(arguments: argparse.Namespace) -> None:
    """A resumed run keeps its settings; raises UserError for options that would change them."""
    free = {"command", "resume", "no_report", "json", "quiet"}
    given = [
        name
        for name, value in vars(arguments).items()
        if name not in free and value not in (None, False)
    ]
    if given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UserError(f"--resume keeps the run's own settings: leave out {options}")


def report(run: Path, *options: str, quiet_stdout: bool = False) -> int:
    """Run report.py in a process of its own, so that pandas is never in the runner."""
    stdout = subprocess.DEVNULL if quiet_stdout else None
    return subprocess.run(
        [sys.executable, "-m", "report", str(run), *options], stdout=stdout
    ).returncode


def command_list(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Daemons, workloads and trees, by name."""
    from bench import registry
    from workloads import tree

    found = {
        "daemons": {daemon.name: daemon.summary for daemon in registry.daemons().values()},
        "workloads": {
            registry.row_name(
                workload, variant
            ): f"{workload.summary} [{', '.join(workload.caches)}]"
            for workload in registry.workloads().values()
            for variant in workload.variants
        },
        "trees": {
            name: f"{spec.file_count} files in {spec.dir_count} directories"
            for name, spec in tree.PRESETS.items()
        },
    }
    if arguments.json:
        print(json.dumps(found, indent=1))
        return Exit.MEASURED
    for title, names in found.items():
        print(title)
        for name, summary in names.items():
            print(f"  {name:<20} {summary}")
    return Exit.MEASURED


def command_probe(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """What the kernel passes through; Exit.NOTHING when FUSE cannot be used at all."""
    from bench import probe

    ability = probe.probe()
    print(json.dumps(ability.as_json(), indent=1) if arguments.json else probe.human(ability))
    return ability.exit_code


def command_show(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """A run's state, then its table."""
    from collections import Counter

    from bench.store import RunDirectory, find_run

    run = RunDirectory.open(find_run(arguments.run, RESULTS))
    header = run.header()
    counts = dict(Counter(str(record.get("outcome")) for record in run.trials()))
    if arguments.json:
        print(json.dumps({"path": str(run.path), "run": header, "outcomes": counts}, indent=1))
        return Exit.MEASURED
    print(f"run       {run.path}")
    print(
        f"started   {header['started']}, finished {header['finished'] or 'no: --resume finishes it'}"
    )
    print(f"command   {' '.join(header['argv'])}")
    print(
        f"trials    {', '.join(f'{number} {outcome}' for outcome, number in counts.items()) or 'none'}"
    )
    sys.stdout.flush()
    return report(run.path, "--format", "text", "--print")


def command_clean(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Remove what a killed run left."""
    from bench import backing, cleanup

    directory = arguments.backing or backing.default_directory()
    for line in cleanup.clean(RESULTS, directory, dry_run=arguments.dry_run, trees=arguments.trees):
        print(line)
    return Exit.MEASURED


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


def thread_counts(text: str) -> tuple[int, ...]:
    """``1,2,4`` as numbers."""
    return tuple(positive(part) for part in text.split(","))
