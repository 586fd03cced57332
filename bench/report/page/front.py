"""The first screen of a page: who wins when, the break-even table, proof, and what gets slower."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from bench.axes.rows import CLOCK, PLACEMENT
from bench.axes.timeouts import written
from bench.model import UserError
from bench.report import units
from bench.report.charts.answer_chart import claim
from bench.report.posting import Posting, of_run
from bench.report.row import Row
from bench.report.studies.answer import OPPONENTS, PROGRAMS, Win, unanswered, usual, wins
from bench.report.studies.breakeven import studies
from bench.report.text import mail, terminal
from bench.report.text.cells import Cell, CellGrid
from bench.stats.frame import Run


@dataclass(frozen=True)
class Front:
    """What is seen before anything is unfolded."""

    claim: str
    """One sentence."""
    grid: CellGrid | None
    """Break-even; none where the run does not answer."""
    proof: Sequence[str]
    slower: Sequence[str]
    mail: str
    bundle: str
    reproduce: str


def front(run: Run, rows: Sequence[Row], mail_text: str = "") -> Front:
    """The first screen of any run: one without passthrough says so; ``mail_text`` is its mail.txt."""
    told = usual(wins(run))
    posting = _posting(run, rows)
    return Front(
        claim=_claim(run, told, rows),
        grid=_grid(told) if told else None,
        proof=[
            *terminal.engaged(run, rows),
            *([" ".join(mail.checks(run, posting))] if posting else []),
        ],
        slower=list(terminal.slower(rows)),
        mail=mail_text,
        bundle=f"python -m bench bundle {run.path}",
        reproduce=" ".join(line.strip().rstrip("\\").strip() for line in mail.command(run)),
    )


def _posting(run: Run, rows: Sequence[Row]) -> Posting | None:
    try:
        return of_run(run, rows)
    except UserError:
        return None


def _claim(run: Run, told: Sequence[Win], rows: Sequence[Row]) -> str:
    if told:
        study, kernel = told[0].study, told[0].way.kernel
        state = study.key.without(CLOCK, PLACEMENT).state
        own = [win for win in told if win.study is study and win.way.kernel == kernel]
        return f"{claim(own)} ({state}{f', kernel {kernel}' if kernel else ''})."
    best = [line.strip() for line in terminal.findings(rows)]
    said = f"{best[0].rstrip(':')}: {best[1]}" if len(best) > 1 else best[0]
    return f"{said}. {unanswered(run)}" if studies(run) else f"{said}."


def _grid(told: Sequence[Win]) -> CellGrid:
    """A line for each level in each setting, what holds against each opponent beside it."""
    key = told[0].study.key
    heads = ["program, timeouts", "level", *OPPONENTS.values()]
    groups = itertools.groupby(told, _asked)
    lines = [line for asked, group in groups for line in _lines(asked, list(group))]
    return CellGrid(
        f"Needs {units.quantity().less} while the share stat'ed is ({key.cache}, {key.entries} entries)",
        heads,
        lines,
    )


def _lines(asked: str, group: Sequence[Win]) -> list[list[Cell]]:
    """One for each level; a single one where all say the same."""
    lines = [[_cell(win, mode) for mode in OPPONENTS] for win in group]
    if len({cell.text for line in lines for cell in line}) == 1 and len(lines) > 1:
        return [[Cell(asked), Cell("every level"), *lines[0]]]
    return [[Cell(asked), Cell(_level(win)), *line] for win, line in zip(group, lines, strict=True)]


def _level(win: Win) -> str:
    """``attach-lookup``, with its kernel where a run has several."""
    kernel = win.way.kernel
    return f"{win.way.level.value} ({kernel})" if kernel else win.way.level.value


def _asked(win: Win) -> str:
    """``ls -l, forever``."""
    pair = win.study.key.timeouts
    return f"{PROGRAMS[win.study.order].partition(':')[0]}, {written(pair) if pair else 'not recorded'}"


def _cell(win: Win, mode: object) -> Cell:
    one = win.against.get(mode)  # type: ignore[call-overload]
    return Cell(one.share if one else "not measured")
