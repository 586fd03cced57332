"""``python -m bench worker``: this machine's boots, and the machine itself, for runs of others."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench.commands.parser import positive
from bench.commands.words import SUMMARY

if TYPE_CHECKING:
    from bench.commands.parser import Parser
    from bench.fleet.client import Tls

EXAMPLES = """examples:
  dask scheduler --host 10.0.0.1 --port 8786
      Dask's own, from the suite's environment (pip install 'fuse-passthrough-bench[fleet]')
  python -m bench worker tcp://10.0.0.1:8786
      one boot at a time for each CPU, and the machine for whole runs
  python -m bench run --matrix iops --kernel lab --clock instructions \\
          --scheduler tcp://10.0.0.1:8786

whoever reaches Dask's ports can run anything there: see docs/fleet.md, and use TLS
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = commands.add_parser(
        "worker",
        help=SUMMARY["worker"],
        description="Offer this machine to the runs of a Dask scheduler, until told to end.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("scheduler", metavar="tcp://HOST:PORT", help="Dask's scheduler")
    command.add_argument(
        "--host",
        default="",
        metavar="ADDRESS",
        help="address to listen at (default: Dask's choice)",
    )
    command.add_argument(
        "--boots", type=positive, metavar="N", help="at a time (default: one for each CPU)"
    )
    command.add_argument(
        "--no-machine", action="store_true", help="boots only: no whole runs on the wall clock"
    )
    add_tls(command)
    command.set_defaults(command=command_worker)


def add_tls(command: argparse._ActionsContainer) -> None:
    """The files of Dask's TLS."""
    for name, what in (("ca", "authorities"), ("cert", "certificate"), ("key", "key")):
        command.add_argument(
            f"--tls-{name}", default="", metavar="FILE", help=f"PEM file of the {what} (tls://)"
        )


def tls_of(arguments: argparse.Namespace) -> Tls:
    """What was named."""
    from bench.fleet.client import Tls

    return Tls(arguments.tls_ca, arguments.tls_cert, arguments.tls_key)


def command_worker(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Serve; ends the process itself, as Dask's threads outlive their use."""
    from bench.fleet import worker

    offer = worker.Offer(
        arguments.scheduler,
        arguments.host,
        arguments.boots,
        machine=not arguments.no_machine,
        tls=tls_of(arguments),
    )
    code = worker.serve(offer)
    worker.end_now(code)
    return code
