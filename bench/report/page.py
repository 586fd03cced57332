"""index.html: one self-contained page per run, charts inside, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.frame import Run
from bench.model import Exit, UserError
from bench.report import about, cells, costs, units, words
from bench.report.draw import OVERVIEW
from bench.report.rows import Row, Target, baselines, targets
from bench.report.summary import sentences

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    """A row as the page shows it: its charts and its cells."""

    row: Row
    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    charts: tuple[Markup, ...]
    asides: tuple[str, ...]
    troubled: bool

    @property
    def title(self) -> str:
        """``getattr-storm/path, warm``."""
        return f"{self.row.name}, {self.row.state}"


def page(run: Run, rows: Sequence[Row], charts: Mapping[str, str]) -> str:
    """The whole page."""
    # Autoescaping, since reasons and command lines come from outside; the SVGs are our own.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    try:
        template = environment.get_template("page.html.j2")
        style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{TEMPLATES}: {error}; install the package again", Exit.BUG) from None
    against = baselines(run)
    return template.render(
        run=run,
        quantity=units.quantity(),
        style=Markup(style),
        sentences=sentences(run, rows),
        facts=about.facts(run, rows),
        overview=Markup(charts.get(OVERVIEW, "")),
        overview_head=_overview_head(run, against),
        overview_rows=[(row, _overview_cells(row, targets(run), against)) for row in rows],
        costs=[costs.cells(cost) for cost in costs.costs(run)],
        cost_heads=costs.HEADS,
        cost_words=[costs.legend(run), *costs.troubles(run), *costs.prices(run)]
        if run.costs
        else [],
        sections=[_section(row, against, charts) for row in rows],
        environment=_flat(run.about.get("environment") or {}),
        phases=[(name, _seconds(value)) for name, value in _phases(run).items()],
        targets=targets(run),
        kernel=about.kernel(run),
    )


def _section(row: Row, against: Sequence[str], charts: Mapping[str, str]) -> Section:
    return Section(
        row=row,
        head=tuple(cells.heads(row, against)),
        cells=tuple(
            tuple(_typeset(cell) for cell in cells.cells(line, against)) for line in row.lines
        ),
        charts=tuple(Markup(svg) for name, svg in charts.items() if name.startswith(f"{row.key}/")),
        asides=tuple(_typeset(text) for text in words.asides(row)),
        troubled=any(line.trouble for line in row.lines),
    )


def _overview_head(run: Run, against: Sequence[str]) -> list[str]:
    named = targets(run)
    heads = ["row", *(f"{target.name}, {units.quantity().noun} per op" for target in named)]
    compared = [t.name for t in named if not t.native and t.base not in against]
    return heads + [
        f"{name} / {words.against(baseline)}" for name in compared for baseline in against
    ]


def _overview_cells(row: Row, known: Sequence[Target], against: Sequence[str]) -> list[str]:
    lines = {line.target: line for line in row.lines}
    cells = [
        _typeset(words.time_text(lines[target].time)) if target in lines else "" for target in known
    ]
    for target in known:
        if not target.native and target.base not in against:
            cells += [
                words.ratio_text(lines[target].ratios[name], name) if target in lines else ""
                for name in against
            ]
    return cells


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as lines of name and value."""
    flat: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", str(value)))
    return flat


def _phases(run: Run) -> Mapping[str, Any]:
    phases = run.about.get("phases")
    return phases if isinstance(phases, Mapping) else {}


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, (int, float)) else "not recorded"


def _typeset(text: str) -> str:
    """A cell as a page can show it, which need not be ASCII."""
    return text.replace("+-", "\N{PLUS-MINUS SIGN}").replace(" us ", " \N{MICRO SIGN}s ")
