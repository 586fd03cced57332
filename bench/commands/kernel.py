"""``python -m bench kernel``: build, list, probe and compare kernels."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ci import told
from bench.commands.parser import percent, positive
from bench.commands.words import SUMMARY
from bench.model import Exit

if TYPE_CHECKING:
    from bench.commands.parser import Parser
    from bench.kernels.build import BuildProgress

EXAMPLES = """examples:
  python -m bench kernel build
      the lab kernel: Debian's linux-source-6.12 and the patches of kernel/
  python -m bench kernel build mine --source ~/linux
      a tree of your own, with the lab's configuration
  python -m bench kernel probe lab
      boot it and say what it passes through, variant by variant
  python -m bench kernel diff base=lab,fuse.iops=mainline lab --threshold 2
      instructions and requests per op side by side; exit 1 on a regression over 2 %
  python -m bench kernel diff old/bzImage new/bzImage --daemon passthrough-c --only --json
  python -m bench kernel diff old/bzImage new/bzImage --ktap --junit diff.xml
      as test results for CI (docs/ci.md)
"""
DRAW_EVERY_S = 0.5


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command and its sub-commands."""
    top = commands.add_parser(
        "kernel",
        help=SUMMARY["kernel"],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = top.add_subparsers(metavar="ACTION", required=True, parser_class=type(top))
    _add_build(below)
    listing = below.add_parser("list", help="kernels built here")
    listing.add_argument("--json", action="store_true", help="as one JSON list")
    listing.set_defaults(command=command_list)
    _add_probe(below)
    add_diff(below)


def _add_build(below: argparse._SubParsersAction[Parser]) -> None:
    """``bench kernel build``."""
    build = _action(
        below,
        "build",
        "build a kernel for guests, or reuse one already built",
        """examples:
  python -m bench kernel build                                  the lab kernel, 6 to 10 minutes
  python -m bench kernel build mine --source ~/linux            a tree of your own, as it is
  python -m bench kernel build mine --source linux.tar.xz --patches series/
""",
    )
    build.add_argument("name", nargs="?", default="lab", metavar="NAME", help="default: lab")
    build.add_argument("--source", type=Path, metavar="DIR", help="source tree or tarball")
    build.add_argument("--config", type=Path, metavar="FRAGMENT", help="configuration fragment")
    build.add_argument("--patches", type=Path, metavar="DIR", help="patches to apply")
    build.set_defaults(command=command_build)


def _add_probe(below: argparse._SubParsersAction[Parser]) -> None:
    """``bench kernel probe``."""
    probe = _action(
        below,
        "probe",
        "boot a kernel and say what it passes through",
        """examples:
  python -m bench kernel probe lab                  every variant of the lab kernel's switch
  python -m bench kernel probe ~/linux/arch/x86/boot/bzImage --json
""",
    )
    probe.add_argument("name", metavar="NAME", help="a name from `kernel list`, or a bzImage")
    probe.add_argument("--json", action="store_true", help="as one JSON object per variant")
    probe.add_argument(
        "--again", action="store_true", help="boot it though it is known what this image does"
    )
    probe.set_defaults(command=command_probe)


def _action(
    below: argparse._SubParsersAction[Parser], name: str, summary: str, examples: str
) -> Parser:
    """An action with its examples."""
    return below.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_diff(below: argparse._SubParsersAction[Parser]) -> None:
    """``bench kernel diff``."""
    diff = _action(
        below,
        "diff",
        "instructions and requests per op of two kernels",
        """examples:
  python -m bench kernel diff old/bzImage new/bzImage --daemon passthrough-c --only
  python -m bench kernel diff base=lab,fuse.iops=mainline lab --threshold 2 --profile
  python -m bench kernel diff lab new/bzImage --workload readdir --workload getattr-storm --json

exit codes: 0 no regression beyond the threshold; 1 one; 2 usage; 3 nothing could be compared
""",
    )
    diff.add_argument("base", metavar="BASE", help="[LABEL=]IMAGE[,PARAMETER]")
    diff.add_argument("patched", metavar="PATCHED", help="[LABEL=]IMAGE[,PARAMETER]")
    diff.add_argument("--daemon", default="plain", metavar="NAME", help="server (default: plain)")
    diff.add_argument(
        "--only", action="store_true", help="without the targets it brings along for comparison"
    )
    diff.add_argument(
        "--workload", action="append", metavar="NAME", help="default: those of a usual run"
    )
    _add_verdict(diff)
    shape = diff.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="as one JSON object")
    told.add_options(shape, diff)
    diff.set_defaults(command=command_diff)


def _add_verdict(diff: Parser) -> None:
    """How much is measured, and what counts as a regression."""
    diff.add_argument(
        "--threshold",
        type=percent,
        default=0.01,
        metavar="PERCENT",
        help="exit 1 when a row needs more instructions by more than this (default: 1)",
    )
    diff.add_argument(
        "--trials", type=positive, default=2, metavar="N", help="boots of each kernel (default: 2)"
    )
    diff.add_argument(
        "--profile",
        action="store_true",
        help="name the functions that account for each change (see: bench profile)",
    )
    diff.add_argument("--output", type=Path, metavar="DIR", help="run directory")


def command_build(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Build, showing where it stands; prints the image."""
    from bench.kernels.build import build

    drawn = 0.0
    shown = ""

    def progress(now: BuildProgress) -> None:
        nonlocal drawn, shown
        live = sys.stderr.isatty()
        if live and time.monotonic() - drawn > DRAW_EVERY_S:
            drawn = time.monotonic()
            print(
                f"\r{now.stage}: {now.steps} steps, {now.elapsed_s:.0f} s ", end="", file=sys.stderr
            )
        elif not live and now.stage != shown:
            print(f"{now.stage} ({now.elapsed_s:.0f} s)", file=sys.stderr)
        shown = now.stage

    image = build(
        arguments.name,
        source=arguments.source,
        config=arguments.config,
        patches=arguments.patches,
        progress=progress,
    )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{image.name}: Linux {image.release}, built in {image.build_s:.0f} s: {image.path}")
    return Exit.MEASURED


def command_list(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """What is in the cache."""
    from bench.kernels import images

    found = images.list_images()
    if arguments.json:
        facts = [
            {"name": i.name, "key": i.key, "release": i.release, "path": str(i.path)} for i in found
        ]
        print(json.dumps(facts, indent=1))
        return Exit.MEASURED
    for image in found:
        print(f"{image.name:<12} {image.key[:12]}  Linux {image.release}  {image.path}")
    if not found:
        print("no kernel built here: python -m bench kernel build")
    return Exit.MEASURED


def command_probe(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """What the kernel passes through; where it has the lab's switch, in every variant of it."""
    from bench.guests import probed
    from bench.kernels import images

    found = probed.probed(images.locate(arguments.name), again=arguments.again)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return Exit.MEASURED
    print(f"{arguments.name}: Linux {found['release']}, booted with {found['accelerator']}")
    for name, value in found["settings"].items():
        print(f"  fuse.{name}={value}")
    for entry in found["variants"]:
        title = f"fuse.iops={entry['variant']}" if entry["variant"] else "as booted"
        listing = "passed through" if entry["readdir"] else "by the server"
        print(f"\n{title}: level {entry['level']}, readdir {listing}")
        for reason in entry["reasons"]:
            print(f"  {reason}")
    return Exit.MEASURED


def command_diff(arguments: argparse.Namespace, argv: list[str]) -> int:
    """A run of two kernels on the instruction clock, and its comparison."""
    from bench import registry
    from bench.regression import diff

    registry.daemon(arguments.daemon)
    workloads = tuple(arguments.workload or ())
    registry.rows(workloads)
    return diff.run(
        diff.Wish(
            base=arguments.base,
            patched=arguments.patched,
            daemon=arguments.daemon,
            only=arguments.only,
            workloads=workloads,
            trials=arguments.trials,
            threshold=arguments.threshold,
            profile=arguments.profile,
        ),
        arguments.output,
        ["python", "-m", "bench", *argv],
        as_json=arguments.json,
        tests=told.wanted(arguments),
    )
