"""What a fleet run ends with on a terminal: at most 30 lines, and where everything else is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.report import units
from bench.report.overlay import over
from bench.report.overlay.overlay import Overlay, wrap
from bench.results.fleet import Member
from bench.stats.verdicts import Finding

LINES = 30
STRONGEST, WORST = 4, 2
FILES = (("page", "overlay.html"), ("mail", "mail.txt"), ("table", "overlay.txt"))


def summary(made: Overlay, name: str, members: Sequence[Member], output: Path) -> str:
    """The lines, the paths last."""
    missing = [one for one in members if not one.run]
    lines = [
        f"fleet run {name}: {units.times(len(made.sources), 'machine')} of {len(members)} measured",
        *(line for one in missing for line in wrap(f"not {one.machine}: {one.reason}", 2)[:2]),
        *over.mail(made),
        *_strongest(made),
    ]
    paths = [f"{kind + ':':7}{output / file}" for kind, file in FILES if (output / file).exists()]
    if len(lines) > LINES - len(paths):
        lines = [*lines[: LINES - len(paths) - 1], "  and more: see the page"]
    return units.ascii_only("\n".join([*lines, *paths]) + "\n")


def _strongest(made: Overlay) -> Iterator[str]:
    """The largest of what the machines show together, each way."""
    found = over.claims(made)
    for finding, most, head in (
        (Finding.FASTER, STRONGEST, "less time over the machines, most of all:"),
        (Finding.SLOWER, WORST, "more time over the machines, the worst:"),
    ):
        own = [one for one in found if one.finding is finding]
        own.sort(key=lambda one: one.over.mean.value, reverse=finding is Finding.SLOWER)
        if own:
            yield head
        for one in own[:most]:
            said = f"  {one.row.row.name}, {one.row.target}: {over.figures(one.over)}; {one.said}"
            yield from wrap(said, 4)[:2]
