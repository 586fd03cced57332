"""``python -m bench.selftest``: runs the checks, prints what they found, keeps it as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bench.selftest
from bench.commands.selftest import add_options
from bench.model import Exit, UserError
from bench.results.json_text import parse_text
from bench.results.kinds import Wrong
from bench.results.store import find_run, write_atomically
from bench.selftest.check import Check, CheckRequest, CheckResult, Held
from bench.stats.noise_floor import FILE, KEYS

WIDTH = 78
SCHEMA = 1


def main(argv: list[str]) -> int:
    """Run what was asked for; 0 when every bar was met, 4 when one was missed."""
    parser = argparse.ArgumentParser(prog="bench selftest")
    add_options(parser)
    arguments = parser.parse_args(argv)
    try:
        found = run(arguments)
        if arguments.save:
            save(arguments.save, found, argv)
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    if arguments.json:
        print(json.dumps(as_json(found, argv), indent=1))
    missed = [check.name for check, result in found.items() if result.held is Held.NO]
    if not arguments.json:
        print(f"bars missed: {', '.join(missed)}" if missed else "every bar that was tried is met")
    return Exit.PROOF_FAILED if missed else Exit.MEASURED


def checks() -> list[Check]:
    """Every module of the package with a CHECK, in order."""
    names = [info.name for info in pkgutil.iter_modules(bench.selftest.__path__)]
    modules = [
        importlib.import_module(f"bench.selftest.{name}") for name in names if name[0] != "_"
    ]
    found = [one for module in modules if isinstance(one := getattr(module, "CHECK", None), Check)]
    return sorted(found, key=lambda check: (check.order, check.name))


def run(arguments: argparse.Namespace) -> dict[Check, CheckResult]:
    """The checks that were asked for, each printed as it ends."""
    known = {check.name: check for check in checks()}
    if unknown := set(arguments.only or ()) - known.keys():
        raise UserError(f"no check {sorted(unknown)[0]!r}; there is: {', '.join(known)}")
    results = Path("results")
    recorded = tuple(find_run(name, results) for name in arguments.recorded or ())
    first, second = [find_run(name, results) for name in arguments.runs or ()] or (None, None)
    request = CheckRequest(arguments.quick, recorded, (first, second) if first and second else None)
    found: dict[Check, CheckResult] = {}
    for name in arguments.only or known:
        if sys.stderr.isatty():
            print(f"{name} ...\r", end="", file=sys.stderr, flush=True)
        found[known[name]] = known[name].run(request)
        if not arguments.json:
            print("\n".join(told(known[name], found[known[name]])), flush=True)
    return found


def told(check: Check, result: CheckResult) -> list[str]:
    """A result as lines of at most 78 columns."""
    lines = [f"{check.name:<13}{result.held:<9}{check.bar}"]
    for line in result.lines:
        lines += textwrap.wrap(f"    {line}", WIDTH, subsequent_indent=" " * 6)
    return [*lines, ""]


def as_json(found: Mapping[Check, CheckResult], argv: list[str]) -> dict[str, Any]:
    """Everything that was found; noise, by clock, is what every report of this machine shows."""
    noise = {
        key: result.figures[key]
        for result in found.values()
        for key in KEYS.values()
        if key in result.figures
    }
    return {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "argv": ["python", "-m", "bench", "selftest", *argv],
        "checks": [
            {"name": check.name, "bar": check.bar, "held": result.held.value}
            | {"lines": list(result.lines)}
            | {key: value for key, value in result.figures.items() if key not in KEYS.values()}
            for check, result in found.items()
        ],
        **noise,
    }


def save(directory: Path, found: Mapping[Check, CheckResult], argv: list[str]) -> None:
    """selftest.json of a machine's directory; the noise of a clock that was not tried stays."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        known = {**kept(directory / FILE), **as_json(found, argv)}
        write_atomically(directory / FILE, json.dumps(known, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"{directory / FILE}: cannot be written: {error.strerror}") from None


def kept(file: Path) -> dict[str, Any]:
    """The noise that is on file, by clock; what cannot be read is not kept."""
    try:
        known = parse_text(file.read_bytes())
    except (FileNotFoundError, Wrong):
        return {}
    known = known if isinstance(known, dict) else {}
    return {key: known[key] for key in KEYS.values() if key in known}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
