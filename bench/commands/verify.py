"""``python -m bench bundle | verify``: a run in one file, and somebody's run measured again."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands import strangers
from bench.commands.parser import percent, positive
from bench.commands.readers import analyse, command_parser
from bench.commands.words import SUMMARY
from bench.model import Exit, UserError
from bench.results.store import RESULTS

if TYPE_CHECKING:
    from bench.commands.parser import Parser
    from bench.plan.settings import Settings

MARGIN_PERCENT = 10.0

BUNDLE_EXAMPLES = """examples:
  python -m bench bundle results/epyc-6.18/default -o default.tar.gz
"""
VERIFY_EXAMPLES = """examples:
  python -m bench verify default.tar.gz
  python -m bench verify default.tar.gz --margin 5 --trials 20
  python -m bench verify default.tar.gz --run results/local/20260101-120000
      hold a run already made against it; nothing is measured

What is compared is each target's ratio to its baseline, never a time: another
machine has others. Of their settings all are taken but what touches this
machine: it is not tuned, and where their backing was not the usual tmpfs,
--backing names the directory to use here.

exit codes:
  0 confirmed: three quarters of the ratios are shown to be the same within the
    margin, and none to differ
  1 contradicted: a ratio is shown to differ by more
  2 usage   3 cannot tell (or nothing could be measured here)   130 interrupted
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add both commands."""
    _add_bundle(commands)
    _add_verify(commands)


def _add_bundle(commands: argparse._SubParsersAction[Parser]) -> None:
    command = command_parser(commands, "bundle", SUMMARY["bundle"], BUNDLE_EXAMPLES)
    command.add_argument("run", metavar="RUN", help="a directory, or a name under results/")
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: <run>.bundle.tar.gz here"
    )
    command.set_defaults(command=command_bundle)


def _add_verify(commands: argparse._SubParsersAction[Parser]) -> None:
    command = command_parser(commands, "verify", SUMMARY["verify"], VERIFY_EXAMPLES)
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="made by `bench bundle`")
    command.add_argument(
        "--margin",
        type=percent,
        default=MARGIN_PERCENT,
        metavar="PERCENT",
        help="ratios no further apart than this are the same (default: 10)",
    )
    command.add_argument("--run", metavar="RUN", help="do not measure: judge by this run")
    command.add_argument(
        "--trials", type=positive, metavar="N", help="rounds (default: as many as theirs)"
    )
    command.add_argument(
        "--backing", metavar="DIR", help="directory of yours beneath the mounts (default: a tmpfs)"
    )
    command.add_argument(
        "--kernel",
        action="append",
        metavar="LABEL=IMAGE",
        help="image for a kernel of theirs, where they ran on guests; repeatable",
    )
    command.add_argument("--output", type=Path, metavar="DIR", help="directory of the new run")
    strangers.add(command)
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(command=command_verify)


def command_bundle(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Write the one file."""
    from bench.results import bundle
    from bench.results.store import RunDirectory, find_run

    run = RunDirectory.open(find_run(arguments.run, RESULTS))
    output = arguments.output or Path(f"{run.path.resolve().name}.bundle.tar.gz")
    size = bundle.pack(run, output)
    print(f"{output}: {size / 1024:.0f} KiB; run it again with: python -m bench verify {output}")
    return Exit.MEASURED


def command_verify(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Unpack, measure with their settings, and judge."""
    from bench.measure import start
    from bench.plan import foreign
    from bench.results import bundle
    from bench.results.store import find_run
    from bench.run.view import View

    with tempfile.TemporaryDirectory(prefix="bench-verify-") as folder:
        theirs = bundle.unpack(arguments.bundle, Path(folder))
        if arguments.run:
            ours = find_run(arguments.run, RESULTS)
        else:
            view, settings = View(), settings_like(theirs.header(), arguments)
            strangers.ask(settings, str(arguments.bundle), allowed=arguments.allow_commands)
            settings = foreign.introduce(settings)
            for line in other_here(theirs.about(), settings):
                view.warn(line)
            command = ["python", "-m", "bench", *argv]
            result = start(settings, arguments.output, command, view)
            ours = result.run.path
            if result.interrupted:
                view.warn(f"then: python -m bench verify {arguments.bundle} --run {ours}")
                return Exit.INTERRUPTED
        options = ["--json"] if arguments.json else []
        margin = ["--margin", str(arguments.margin)]
        return analyse(arguments, ["verify", folder, "--run", str(ours), *margin, *options])


def settings_like(header: dict[str, Any], arguments: argparse.Namespace) -> Settings:
    """Settings of a run like theirs, on this machine's backing and kernels.

    Raises UserError where this version does not know a setting, or would build another tree.
    """
    from dataclasses import replace

    from bench.guests.kernels import parse
    from bench.plan.settings import Settings
    from workloads import tree

    raw, theirs = header.get("settings"), header.get("tree")
    if not isinstance(raw, dict) or not isinstance(theirs, dict):
        raise UserError(f"{arguments.bundle}: its run.json has no settings or no tree to run again")
    settings = Settings.from_json(raw)
    images = {parse(text)[0]: text for text in arguments.kernel or ()}
    labels = [parse(text)[0] for text in settings.kernels]
    if unknown := sorted(set(images) - set(labels)):
        known = ", ".join(labels) or "none"
        raise UserError(f"--kernel {unknown[0]}: their run has no such kernel; it has {known}")
    kernels = tuple(
        images.get(label, text) for label, text in zip(labels, settings.kernels, strict=True)
    )
    if settings.backing and not arguments.backing:
        there = f"{settings.backing} ({filesystem_of(header)})"
        raise UserError(f"their tree lay in {there}: name a directory of yours with --backing")
    spec = tree.parse_tree(settings.tree).as_mapping()
    if spec["hash"] != theirs.get("hash"):
        raise UserError(
            f"{arguments.bundle}: tree {settings.tree} is {theirs.get('hash')} there and "
            f"{spec['hash']} here: use the version of the suite that made it"
        )
    return replace(
        settings,
        kernels=kernels,
        backing=arguments.backing or "",
        trials=arguments.trials or settings.trials,
        tune=False,
    )


def other_here(header: dict[str, Any], settings: Settings) -> list[str]:
    """How the kernels and the CPU here differ from theirs, to be told before anything is measured."""
    from bench.guests.kernels import parse
    from bench.kernels import images
    from bench.machine import environment

    if settings.kernels:
        there = {one["label"]: one.get("image") for one in header.get("kernels") or ()}
        here = {label: image for label, image, _ in map(parse, settings.kernels)}
        located = {label: images.locate(name) for label, name in here.items()}
        pairs = [
            (f"kernel {label}", there.get(label), image.key or image.path.name)
            for label, image in located.items()
        ]
    else:
        theirs = header.get("environment") or {}
        pairs = [
            ("kernel", theirs.get("kernel_release"), os.uname().release),
            ("CPU", theirs.get("cpu_model"), environment.cpu_model() or "unknown"),
        ]
    return [f"{what}: {one} there, {two} here" for what, one, two in pairs if one != two]


def filesystem_of(header: dict[str, Any]) -> str:
    """What their backing was on."""
    backing = header.get("backing")
    found = backing.get("filesystem") if isinstance(backing, dict) else None
    return str(found or "file system not recorded")
