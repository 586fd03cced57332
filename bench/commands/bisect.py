"""``python -m bench bisect``: the words, and the real builds and boots behind them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.parser import percent
from bench.commands.words import SUMMARY
from bench.model import Exit, UserError

if TYPE_CHECKING:
    from bench.commands.parser import Parser
    from bench.regression.bisect import BisectResult, Figures, StepJob

NAME = "bisect"
"""Name of the images it builds."""
BOOTS = 2
"""Boots of each kernel in a step: their spread says how sure the step can be."""
EXAMPLES = """examples:
  python -m bench bisect --good v6.12 --bad my-series --source ~/linux
  python -m bench bisect --good HEAD~20 --bad HEAD --source ~/linux \\
      --workload getattr-storm/path --threshold 0.5

Every step builds a kernel (ten minutes on two CPUs) and boots it twice beside
the good one, on the instruction clock. A revision that does not build, does
not boot, or is not clearly on one side of the threshold is skipped. The
bisection has a worktree of its own; yours is not touched.

exit codes:
  0 the first bad revision was found   2 usage   130 interrupted
  3 not found: the bad revision is not bad, or only skipped ones are left
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = commands.add_parser(
        "bisect",
        help=SUMMARY["bisect"],
        description="Drive git bisect over a kernel tree by instructions per operation.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--good", metavar="REV", help="revision that is as it should be")
    command.add_argument("--bad", metavar="REV", help="later revision that is slower")
    command.add_argument("--source", type=Path, metavar="DIR", help="git repository of the kernel")
    command.add_argument(
        "--workload", action="append", metavar="NAME", help="repeatable (default: getattr-storm)"
    )
    command.add_argument(
        "--daemon", default="plain-c", metavar="NAME", help="server (default: plain-c)"
    )
    command.add_argument(
        "--threshold",
        type=percent,
        default=1.0,
        metavar="PERCENT",
        help="more instructions per operation than this are bad (default: 1)",
    )
    command.add_argument(
        "--config",
        type=Path,
        metavar="FRAGMENT",
        help="configuration fragment (default: the lab's)",
    )
    command.add_argument("--output", type=Path, metavar="DIR", help="where steps and runs are kept")
    command.add_argument("--json", action="store_true", help="result and steps as one JSON object")
    command.add_argument("--step", type=Path, metavar="JOB", help=argparse.SUPPRESS)
    command.set_defaults(command=command_bisect)


def command_bisect(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Bisect, or, called by git, judge one revision."""
    from bench import registry
    from bench.kernels import images
    from bench.regression import bisect
    from bench.run import headers

    if arguments.step:
        return bisect.step(arguments.step, build, measure)
    if not (arguments.good and arguments.bad and arguments.source):
        raise UserError("bisect needs --good REV, --bad REV and --source DIR")
    workloads = tuple(arguments.workload or ("getattr-storm",))
    registry.daemon(arguments.daemon)
    registry.rows(workloads)
    output = (arguments.output or headers.default_output()).resolve()
    if (output / bisect.JOB).exists():
        raise UserError(f"{output} holds a bisection already: choose another --output")
    output.mkdir(parents=True, exist_ok=True)
    images.cache_dir().mkdir(parents=True, exist_ok=True)
    job = bisect.StepJob(
        tree=str(images.cache_dir() / f"bisect-{os.getpid()}"),
        output=str(output),
        daemon=arguments.daemon,
        workloads=workloads,
        threshold=arguments.threshold,
        config=str(arguments.config.resolve()) if arguments.config else None,
    )
    found = bisect.find(
        job, arguments.source, arguments.good, arguments.bad, bisect.command(), build, say
    )
    return report(found, arguments.source, as_json=arguments.json)


def build(job: StepJob) -> str:
    """Build what the worktree is at; the image's key."""
    from bench.kernels.build import build

    config = Path(job.config) if job.config else None
    return build(NAME, source=Path(job.tree), config=config).key


def measure(job: StepJob, image: str, run: Path) -> Figures:
    """Boot the good kernel and this one, twice each, in turn."""
    from bench.measure import start
    from bench.regression import bisect, diff
    from bench.run.view import View

    wish = diff.Wish(
        base=f"{bisect.BASE}={job.base}",
        patched=f"{bisect.TRIED}={image}",
        daemon=job.daemon,
        only=True,
        workloads=job.workloads,
        trials=BOOTS,
        threshold=job.threshold,
        profile=True,
    )
    result = start(diff.settings_of(wish), run, [*bisect.command(), bisect.JOB], View())
    if result.interrupted:
        raise KeyboardInterrupt
    return diff.summarize(result.run.trials())


def say(line: str) -> None:
    """Progress, beside the result on stdout."""
    print(line, file=sys.stderr, flush=True)


def report(found: BisectResult, source: Path, *, as_json: bool) -> int:
    """The first bad revision, or those it may be."""
    code = Exit.MEASURED if len(found.candidates) == 1 else Exit.NOTHING
    if as_json:
        facts = {"candidates": list(found.candidates), "steps": list(found.steps)}
        print(json.dumps(facts, indent=1))
        return code
    for number, line in enumerate(found.steps, 1):
        print(f"{number:2} {str(line['revision'])[:12]} {line['verdict']:<4} {line['reason']}")
    if code is Exit.MEASURED:
        print(f"first bad revision: {found.candidates[0]}")
        return code
    print(
        "cannot be told apart, as what lies between was skipped; the first bad revision is one of"
    )
    for revision in found.candidates:
        print(f"  {revision}")
    print(f"to look at them: git -C {source} log --no-walk REVISION")
    return code
