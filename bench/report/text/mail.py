"""A posting-ready block: plain ASCII, at most 45 lines of 72 columns, every digit computed from samples.

Claim and unit first, then headline rows by level, what gets slower and what it takes of memory, where
it stops to pay against READDIRPLUS, and how that was shown. ``bench.report.text.long_mail`` has all rows.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence

from bench.model import Level, Outcome
from bench.report import about, costs, shortnames, units
from bench.report.posting import LEVELS, Column, Posting, of_run
from bench.report.row import Row
from bench.report.studies.answer import unanswered, wins
from bench.report.studies.breakeven import studies
from bench.report.text import mail_answer, mail_kernels, mail_table
from bench.report.text.mail_table import WIDTH
from bench.stats.frame import Run, records

LINES = 45
"""A mail's: what stands below it nobody reads."""
FEWEST_ROWS = 3
NOT_REPRODUCED = ("--output", "--no-report", "--quiet", "--json")
"""Options that change nothing of what is measured."""


def block(
    run: Run, rows: Sequence[Row], wanted: Sequence[str] = (), machines: Sequence[str] = ()
) -> str:
    """The mail of a run, for the targets named, or for all that pass something through.

    ``machines``: lines on what others that did the same run found. Raises UserError where there is no
    baseline, or no such target.
    """
    made = of_run(run, rows, wanted)
    return mail(run, made, (*machines, *mail_kernels.lines(rows, made)))


def mail(run: Run, made: Posting, machines: Sequence[str] = ()) -> str:
    """The mail of a posting that was put together elsewhere; facts and costs are those of ``run``."""
    head = [*wrapped(made.claim), *_levels(made.columns), *_results(made)]
    tail = [*_memory(run, made), "", *_win(run), *checks(run, made), *_machine(run)]
    tail += [*machines, *_reproduce(run)]
    room = LINES - len(head) - len(tail) - 1
    lines = [*head, "", *_rows(made, room), *tail]
    return units.ascii_only("\n".join(lines).rstrip() + "\n")


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Lines of a mail, all but the first indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def _results(made: Posting) -> list[str]:
    """For each column how many rows take less, and its best and worst; of one row a sentence."""
    if len(made.keys) == 1:
        told = [column for column in made.columns if not column.beside]
        return [line for column in told for line in wrapped(closing(made, column))]
    return [line for column in made.columns if not column.beside for line in _result(column)]


def _result(column: Column) -> list[str]:
    what = units.quantity()
    told = {key: cell for key, cell in column.cells.items() if cell.sound and not cell.control}
    if not told:
        return wrapped(f"  {_level(column)}: no row from which anything can be said", 4)
    ratios = sorted(cell.ratio.value for cell in told.values() if cell.ratio)
    less, more = (len(column.found(one)) for one in mail_table.BOTH)
    best, worst = (units.two(end) for end in (ratios[0], ratios[-1]))
    ends = f"best x{best}, worst x{worst}" if len(told) > 1 else f"x {best}"
    return wrapped(
        f"  {_level(column)}: {less} of {units.times(len(told), 'row')} {what.below}, {more} "
        f"{what.above}; {ends}",
        4,
    )


def closing(made: Posting, column: Column) -> str:
    """``passthrough-c needs 5.6 times fewer instructions than plain-c in getattr-storm/fd (warm)``."""
    [key] = made.keys
    if key not in column.cells:
        return f"{column.name} was not measured in {key.name}."
    cell, what = column.cells[key], units.quantity()
    if not cell.sound or cell.ratio is None or cell.finding not in mail_table.BOTH:
        return (
            f"Too noisy to say whether {column.name} differs from {made.base.name} in {key.name}."
        )
    fewer = cell.ratio.value < 1
    factor = 1 / cell.ratio.value if fewer else cell.ratio.value
    noun = what.noun if what is units.INSTRUCTIONS else "time"
    word = (what.below if fewer else what.above) if what is units.INSTRUCTIONS else ""
    kind = word or ("less" if fewer else "more")
    return (
        f"{column.name} needs {units.digits(factor, 2)} times {kind} {noun} than {made.base.name} in "
        f"{key.name}."
    )


def _rows(made: Posting, room: int) -> list[str]:
    """The table and what gets slower; the last headline rows give way where there is no room."""
    table, most = mail_table.table(made), mail_table.MOST_SLOWER
    shown, slower = list(table.rows), mail_table.slower(made)
    while _height(table.head, *shown, slower) + 2 > room:
        if len(shown) > 2 * FEWEST_ROWS or (most < FEWEST_ROWS and len(shown) > FEWEST_ROWS):
            shown.pop()
        elif most > 1:
            most -= 1
            slower = mail_table.slower(made, most)
        else:
            break
    hidden = len(made.keys) - len(shown)
    more = f"; {units.times(hidden, 'more row')}: --mail --all" if hidden else ""
    table_lines = [line for row in shown for line in row]
    told = f"Rows: {made.headline.rule}{more}."
    return [*table.head, *table_lines, *slower, told, f"{shortnames.LEGEND}."]


def _height(*parts: Sequence[str]) -> int:
    return sum(map(len, parts))


def _memory(run: Run, made: Posting) -> Iterator[str]:
    """Bytes of slab per inode that is held, beside the gains."""
    sheet = {cost.target: cost for cost in costs.costs(run)}
    base = sheet.get(made.base.target or made.base.name)
    if base is None or base.parts is None:
        yield "Memory per inode: not measured in this run; --cost adds it."
        return
    told = [
        f"{_level(column)} {sheet[name].slab - base.slab:+.0f}"
        for column in made.columns
        if (name := column.target or column.name) in sheet and not column.beside
    ]
    said = f"Kernel memory per inode, bytes of slab: {base.slab:.0f} ({made.base.name}); "
    yield from wrapped(f"{said}{', '.join(told)}", 2)


def _level(column: Column) -> str:
    return column.name if column.level in ("", Level.NONE) else column.level


def _win(run: Run) -> list[str]:
    """Where it stops to pay; nothing where the run never asked."""
    if not studies(run):
        return []
    found = wins(run)
    return [*(mail_answer.lines(found) if found else wrapped(unanswered(run), 2)), ""]


def checks(run: Run, made: Posting) -> list[str]:
    """What bears the numbers out, and how sure they are."""
    trials = [one for one in records(run.trials) if not one["superseded"]]
    counted = [one["requests"] for one in trials if isinstance(one["requests"], dict)]
    apart = sum(one.get("agree") is False for one in counted)
    lost = sum(one["outcome"] != Outcome.OK for one in trials)
    disturbed = sum(bool(one["disturbed"]) for one in trials)
    said = [
        "Proof: requests counted by the kernel's tracepoint and by the server, "
        f"{'alike' if not apart else f'which differ in {apart}'} in {units.times(len(counted), 'trial')}",
        _engaged(made),
        mail_table.controls(made),
        mail_table.certainty(made),
    ]
    trouble = [f"{lost} trials lost"] if lost else []
    trouble += [f"{disturbed} noisy trials kept: repeats were no quieter"] if disturbed else []
    return wrapped(". ".join(filter(None, [*said, *made.notes, *trouble])) + ".", 0)


def _engaged(made: Posting) -> str:
    """In how many rows of each column the requests went away."""
    told = [
        f"{sum(cell.engaged for cell in column.cells.values())} of {len(column.cells)}"
        for column in made.columns
        if not column.beside and column.cells
    ]
    each = ", column by column" if len(told) > 1 else ""
    return f"Passthrough engaged in {units.listing(told)} rows{each}" if told else ""


def _machine(run: Run) -> list[str]:
    settings, spec = run.about.get("settings") or {}, run.about.get("tree") or {}
    where = (run.about.get("placement") or {}).get("mode", "?")
    counting = units.quantity() is units.INSTRUCTIONS
    machine = "qemu TCG -icount, 1 CPU (no time: no cache misses, no wake-ups)"
    clock = machine if counting else f"{about.machine(run)}, wall clock"
    backing = (run.about.get("backing") or {}).get("filesystem", "?")
    return wrapped(
        f"{about.kernel(run)}; {clock}; tree {spec.get('name', '?')}, "
        f"{spec.get('files', '?')} files on {backing}; placement {where}; "
        f"{units.times(settings.get('trials', 0), 'boot' if counting else 'round')}, seed "
        f"{settings.get('seed', '?')}.",
        0,
    )


def _reproduce(run: Run) -> list[str]:
    lines = command(run)
    first = f"To reproduce: {lines[0].strip()}"
    made = [first, *lines[1:]] if len(first) <= WIDTH else ["To reproduce:", *lines]
    return [*made, *wrapped(f"To check mine: python -m bench verify {run.path.name}.tar.gz", 2)]


def command(run: Run) -> list[str]:
    """The command line as a shell would take it, at most 72 columns wide."""
    argv = run.about.get("argv")
    words = [str(word) for word in argv] if isinstance(argv, list) else [str(argv)]
    kept: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if word.partition("=")[0] not in NOT_REPRODUCED and before != "--output":
            kept.append(word)
    lines, line = [], " "
    for word in map(shlex.quote, kept):
        if len(line) + 1 + len(word) > WIDTH - 2 and line.strip():
            lines.append(f"{line} \\")
            line = "   "
        line = f"{line} {word}"
    return [*lines, line]


def _levels(columns: Sequence[Column]) -> list[str]:
    """What the levels of these columns pass through."""
    told = [text for level, text in LEVELS.items() if level in {one.level for one in columns}]
    return wrapped(f"Passed through at {'; '.join(told)}.") if told else []
