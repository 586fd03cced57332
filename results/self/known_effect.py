"""Does a run find a difference that is known to be there? See bench/known_effect.py.

    python results/self/known_effect.py [--budget 900] [--runs DIR] [--backing DIR]

Writes known_effect.txt and known_effect.json beside this file. Exit 4 if fewer than 95 % of the
intervals hold the effect.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from paired import publish

from bench import delayed, known_effect
from bench.model import Exit, UserError


def main() -> int:
    """Measure for as long as the budget lasts, then judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--budget", type=float, default=900.0, metavar="S", help="seconds (default: 900)"
    )
    parser.add_argument(
        "--runs", type=Path, metavar="DIR", help="keep the runs here (default: nowhere)"
    )
    parser.add_argument("--backing", type=Path, metavar="DIR", help="as of bench run")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = delayed.measure(
            asked.runs or Path(folder),
            asked.budget,
            say=lambda line: print(line, file=sys.stderr),
            backing=asked.backing,
        )
        repeats = [delayed.read(run) for run in runs]
    result = known_effect.analyse(repeats)
    publish("known_effect", known_effect.text(result), known_effect.as_json(result, repeats))
    return Exit.MEASURED if result.met else Exit.PROOF_FAILED


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"known_effect: {error}")
