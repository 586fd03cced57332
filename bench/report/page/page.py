"""index.html: one self-contained page per run, charts inside, nothing fetched from anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.model import Exit, UserError
from bench.report import about, costs, units, words
from bench.report.charts.draw import ANSWER, BREAKEVEN, OVERVIEW, PROJECTION, SCALING
from bench.report.charts.inline import SharedShapes, share
from bench.report.page import grids
from bench.report.page.front import front
from bench.report.page.wanted import Want, wanting
from bench.report.row import Row
from bench.report.studies.answer import hint_lines
from bench.report.studies.breakeven import studies
from bench.report.studies.projection import projections
from bench.report.studies.projection_text import method, missing
from bench.report.studies.row_profiles import RowProfiles
from bench.report.studies.row_profiles import profiles as row_profiles
from bench.report.studies.scaling import scalings
from bench.report.summary import sentences
from bench.report.targets import baselines, targets
from bench.report.text import cells, profiles, scaling_tables
from bench.report.text.cells import CellGrid
from bench.report.text.sections import meetings
from bench.stats.frame import Run

MICRO = "\N{MICRO SIGN}"
UNIT = re.compile(r"(?<=\d) (k|M|G|[num]?s)\b")
"""Between a number and its unit no line shall end."""
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Part:
    """A chapter over several rows: its tables with the words under each, and its charts."""

    title: str
    words: Sequence[str] = ()
    tables: Sequence[tuple[CellGrid, Sequence[str]]] = ()
    charts: Sequence[Markup] = ()
    wants: Sequence[Want] = ()
    """What it has nothing to draw of, with the runs that would give it."""


@dataclass(frozen=True)
class Section:
    """A row as the page shows it: its charts and its table."""

    row: Row
    grid: CellGrid
    charts: Sequence[Markup]
    other_ratios: Sequence[str]

    @property
    def floor(self) -> str:
        """What an A/A run showed of the row."""
        return words.floor_text(self.row)

    @property
    def trouble(self) -> list[str]:
        """What went wrong, by target."""
        return [f"{line.target.name}: {text}" for line in self.row.lines for text in line.trouble]


@dataclass
class Charts:
    """The charts of a run as SVG, each shown once on a page: who takes one has it."""

    left: dict[str, str] = field(default_factory=dict)

    def take(self, *starts: str) -> list[Markup]:
        """The charts whose names start with one of the words, in the words' order."""
        names = [name for start in starts for name in self.left if name.startswith(start)]
        return [Markup(self.left.pop(name)) for name in dict.fromkeys(names)]

    def first(self, *starts: str) -> Markup:
        """The first of these, or nothing."""
        names = [name for start in starts for name in self.left if name.startswith(start)]
        return Markup(self.left.pop(names[0])) if names else Markup()


def page(run: Run, rows: Sequence[Row], charts: Mapping[str, str], mail_text: str = "") -> str:
    """The whole page; ``mail_text`` is what its button copies."""
    shared = share(charts)
    left = Charts(dict(shared.charts))
    return render(
        "page.html.j2",
        shared,
        run=run,
        kernel=about.kernel(run),
        quantity=units.quantity(),
        front=front(run, rows, mail_text),
        chart=left.first(ANSWER, OVERVIEW),
        verdicts=grids.verdicts(rows),
        hints=hint_lines(run),
        sentences=sentences(run, rows),
        overviews=left.take(OVERVIEW),
        facts=about.facts(run, rows),
        everything=list(grids.overview(run, rows)),
        parts=_parts(run, rows, left),
        costs=_costs(run),
        sections=[_section(row, baselines(run), left) for row in rows],
        environment=_flat(run.about.get("environment") or {}),
        phases=[(name, _seconds(value)) for name, value in _phases(run).items()],
        targets=targets(run),
    )


def render(name: str, shared: SharedShapes, **values: Any) -> str:
    """A page by its template, with what its charts share, and the style and script of all pages."""
    # Autoescaping, since reasons and command lines come from outside; the SVGs are our own.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = _typeset
    try:
        template = environment.get_template(name)
        style, script = (
            Markup((TEMPLATES / file).read_text(encoding="utf-8"))
            for file in ("style.css", "page.js")
        )
    except OSError as error:
        raise UserError(f"{TEMPLATES}: {error}; install the package again", Exit.BUG) from None
    return template.render(
        style=style + Markup(shared.style),
        definitions=Markup(shared.definitions),
        script=script,
        **values,
    )


def _parts(run: Run, rows: Sequence[Row], charts: Charts) -> list[Part]:
    """The chapters that this run has something for; scaling says what run would give it."""
    made = (
        _breakeven(run, charts),
        _projection(run, rows, charts),
        _profile(run, rows),
        _scaling(run, rows, charts),
    )
    return [part for part in made if part]


def _breakeven(run: Run, charts: Charts) -> Part | None:
    found = studies(run)
    if not found:
        return None
    return Part(
        "Break-even",
        ["Cost per listed entry, by the share of the listed entries that is then stat'ed."],
        [(grids.breakeven(study), meetings(study)) for study in found],
        charts.take(f"{BREAKEVEN}-map", BREAKEVEN),
    )


def _projection(run: Run, rows: Sequence[Row], charts: Charts) -> Part | None:
    found = projections(run, rows)
    tables = [
        (grid, ()) for one in found for grid in (*grids.predictions(one), *grids.request_costs(one))
    ]
    if not found:
        return None
    told = [text for one in found if one.predictions for text in method(one)]
    lacking = [text for one in found for text in missing(one)]
    return Part("Projection", [*told, *lacking], tables, charts.take(PROJECTION))


def _scaling(run: Run, rows: Sequence[Row], charts: Charts) -> Part:
    made = scalings(run, rows)
    tables = [(scaling_tables.grid(scaling), ()) for scaling in made]
    return Part("Scaling", (), tables, charts.take(SCALING), wanting(run, made))


def _profile(run: Run, rows: Sequence[Row]) -> Part | None:
    found = profiles.chief(row_profiles(run, rows))
    if not found:
        return None
    against = baselines(run)
    return Part(
        "Profile",
        [profiles.NOTE, "bench profile shows every row, function by function."],
        [table for one in found for table in _profile_tables(one, against)],
        [
            Markup(drawn)
            for drawn in (
                *profiles.bars(found).values(),
                *profiles.flames(found, against).values(),
            )
        ],
    )


def _profile_tables(
    one: RowProfiles, against: Sequence[str]
) -> Iterator[tuple[CellGrid, Sequence[str]]]:
    """A row target beside target, and what one request of it costs."""
    yield profiles.grid(one), profiles.sentences(one, against)
    if asked := profiles.request_grid(one, against):
        yield asked, ()


def _costs(run: Run) -> Part | None:
    if not run.costs:
        return None
    told = [costs.legend(run)] if costs.costs(run) else []
    said = [*told, *costs.troubles(run), *costs.prices(run)]
    return Part("Cost sheet", said, [(grids.sheet(run), ())] if told else [])


def _section(row: Row, against: Sequence[str], charts: Charts) -> Section:
    heads, lines = cells.heads(row, against), [cells.cells(line, against) for line in row.lines]
    return Section(
        row=row,
        grid=CellGrid(row.name, heads, lines),
        charts=charts.take(f"{row.slug}/"),
        other_ratios=words.other_ratios(row, against),
    )


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
    text = text.replace("+-", "\N{PLUS-MINUS SIGN}")
    return UNIT.sub(lambda unit: f"\N{NO-BREAK SPACE}{unit[1].replace('u', MICRO)}", text)
