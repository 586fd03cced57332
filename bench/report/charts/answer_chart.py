"""The one chart a page begins with: cost per listed entry by share stat'ed, each line named at its end."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from bench.model import Level, ReaddirMode
from bench.report import units
from bench.report.charts.figures import GRID, MUTED, Sheet
from bench.report.charts.looks import look
from bench.report.charts.panels import AXIS_IN, curve, tick
from bench.report.studies.answer import OPPONENTS, PROGRAMS, Against, Win, usual, wins
from bench.report.studies.breakeven import Study
from bench.stats.frame import Run

WIDTH_IN, BODY_IN, NAMES_IN = 6.0, 3.4, 1.45
APART = 0.062
"""Least distance between two names, as a share of the axis."""
NAMES = {ReaddirMode.READDIRPLUS: "READDIRPLUS", ReaddirMode.AUTO: "adaptive"}


def chart(run: Run) -> Sheet | None:
    """The chart, its title being its claim; None where the run has no answer."""
    told = usual(wins(run))
    if not told:
        return None
    study, kernel = told[0].study, told[0].way.kernel
    own = [win for win in told if win.study is study and win.way.kernel == kernel]
    sheet = Sheet(claim(own), (), WIDTH_IN, BODY_IN)
    axes = sheet.panel(left=0.62, top=0.0, right=NAMES_IN, bottom=AXIS_IN)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    names = [*_opponents(own), *((win.way.name, win.way.level.value) for win in own)]
    for name, _ in names:
        costs = [(100 * share, study.cost(name, share)) for share in sorted(study.curves[name])]
        curve(axes, costs, look(name), name, fuse=True)
    axes.set_xlim(-2, 102)
    axes.set_ylim(bottom=0)
    axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    where = f"{study.key.cache}, kernel {kernel}" if kernel else study.key.cache
    axes.set_xlabel(f"share of the listed entries then stat'ed ({where})", fontsize=8)
    axes.set_ylabel(f"{units.quantity().noun} per listed entry", fontsize=8)
    _name(axes, study, names)
    _crossings(axes, own)
    sheet.alt = f"{sheet.title}: {units.quantity().noun} per listed entry by share stat'ed"
    return sheet


def claim(own: Sequence[Win]) -> str:
    """``attach-lookup costs less than READDIRPLUS while fewer than 40 % are stat'ed``."""
    win = posted(own)
    one = win.against.get(ReaddirMode.READDIRPLUS) or next(iter(win.against.values()))
    program = PROGRAMS[win.study.order].partition(":")[0]
    level = win.way.level.value
    if one.share in ("always", "never"):
        word = "less" if one.share == "always" else "more"
        return f"{program}: {level} costs {word} than READDIRPLUS, whatever is stat'ed"
    side = "fewer" if one.met.rising else "more"
    share = _share(one)
    return f"{program}: {level} costs less than READDIRPLUS while {side} than {share} are stat'ed"


def posted(own: Sequence[Win]) -> Win:
    """The level that is posted, or the nearest below what is experimental."""
    usual_first = sorted(own, key=lambda win: (win.way.level is Level.LOOKUP, -win.way.level.rank))
    return usual_first[0]


def _opponents(own: Sequence[Win]) -> list[tuple[str, str]]:
    found = {}
    for mode in OPPONENTS:
        for win in own:
            if mode in win.against:
                found[win.against[mode].met.opponent] = NAMES[mode]
    return list(found.items())


def _name(axes: Axes, study: Study, names: Sequence[tuple[str, str]]) -> None:
    """Each line's name at its end, pushed apart where ends lie close."""
    top = axes.get_ylim()[1]
    ends = sorted(
        (study.cost(name, study.fractions[-1]).value / top, name, said) for name, said in names
    )
    last = -1.0
    for place, name, said in ends:
        last = max(place, last + APART)
        axes.annotate(
            said, (1.0, place), xycoords="axes fraction", textcoords="axes fraction",
            xytext=(1.03, last), va="center", fontsize=8, color=look(name).colour, weight="bold",
            arrowprops={"arrowstyle": "-", "color": look(name).colour, "linewidth": 0.6},
        )  # fmt: skip


def _share(one: Against) -> str:
    """``39 %``: where they meet, without side and interval."""
    return one.share.partition(" [")[0].lstrip("<>")


def _crossings(axes: Axes, own: Sequence[Win]) -> None:
    """A dashed line at each share at which the posted level stops to pay, named once where they meet."""
    places: dict[str, list[tuple[float, str]]] = {}
    for mode, one in posted(own).against.items():
        if one.met.crosses:
            places.setdefault(_share(one), []).append((100 * one.met.value, NAMES[mode]))
    for share, met in places.items():
        place = met[0][0]
        axes.axvline(place, color=MUTED, linewidth=1.0, linestyle=(0, (4, 2)))
        axes.annotate(
            f" {share} {units.listing([name for _, name in met])}", (place, 0.99),
            xycoords=axes.get_xaxis_transform(), va="top", fontsize=7, color=MUTED, rotation=90,
            ha="right",
        )  # fmt: skip
