"""Draws a run: tables, charts, a page and its samples, into the directory ``report`` of the run.

    python report.py                     the newest run under results/
    python report.py RUN --print         this run, and its table on the terminal
    python report.py RUN --format text   only table.txt, in a second
    python report.py RUN --mail          a block for a posting, on the terminal
    python report.py RUN --mail --all    the same with every row
    python report.py RUN --mail --layout 0-day
    python report.py BASE PATCHED --mail one kernel against the other
    python report.py RUN RUN...          the rows that runs share, over one another
    python report.py FLEET               the machines of a fleet run, and all of them together
    python report.py FLEET --mail        the first machine's mail, with what all of them say

Needs neither FUSE nor privilege: a run can be drawn again on any machine. Exit codes: 0 drawn,
2 no such run or not readable, 3 drawn, but nothing was measured in it, 130 interrupted.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from bench.comparison import mail as pair_mail
from bench.comparison import unlike
from bench.comparison.compare import compare
from bench.comparison.sides import refuse_empty, side
from bench.machine import plain, streams
from bench.model import Exit, UserError
from bench.report import attribution, units
from bench.report.overlay import over, overlay
from bench.report.overlay import summary as fleet_summary
from bench.report.row import Row
from bench.report.rows import rows
from bench.report.studies.scaling import scalings
from bench.report.text import (
    long_mail,
    mail,
    markdown,
    open_loop,
    profiles,
    samples,
    scaling_tables,
    tables,
    terminal,
    text,
)
from bench.results import fleet
from bench.results.store import RESULTS, find_run
from bench.stats.frame import Run, load

FORMATS = ("text", "md", "csv", "svg", "png", "html")
CHARTS = {"svg", "png", "html"}
"""Formats with charts in them."""
LAYOUTS = ("table", "0-day")


def main(argv: Sequence[str] | None = None) -> int:
    """Make the artefacts that were asked for; returns the exit code."""
    with streams.prepared():
        return streams.finish(_done(arguments(argv)))


def _done(asked: argparse.Namespace) -> int:
    try:
        if asked.all and asked.mail is None:
            raise UserError("--all is of --mail")
        if len(asked.run) > 1:
            return overlaid(asked) if asked.mail is None else pair_posted(asked)
        if asked.run and (place := fleet_of(asked.run[0])):
            return of_fleet(asked, place)
        path = find_run(asked.run[0] if asked.run else None)
        return drawn(asked, path) if asked.mail is None else posted(asked, path)
    except UserError as error:
        print(f"report.py: {plain.text(str(error))}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("report.py: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return streams.PIPE


def drawn(asked: argparse.Namespace, path: Path) -> int:
    """The artefacts of one run, its charts drawn while its tables are written."""
    with artists(path, asked.format) as drawing:
        run, measured = read(path)
        output = directory(asked.output or run.path / "report")
        charts = draw_charts(run, measured, output, asked, drawing)
        write_tables(run, measured, output, asked.format)
        posting = mail_of(run, measured)
        if "text" in asked.format and posting:
            write(output / "mail.txt", posting)
        if "html" in asked.format:
            write_page(run, measured, output, charts(), posting)
    say(run, measured, output, asked)
    return exit_code(run)


def posted(asked: argparse.Namespace, path: Path) -> int:
    """A block for a posting."""
    run, measured = read(path)
    if asked.layout == "0-day":
        print(long_mail.zero_day(run, measured, asked.mail), end="")
    elif asked.all:
        print(long_mail.block(run, measured, asked.mail), end="")
    else:
        print(short_mail(run, measured, asked.mail), end="")
    return exit_code(run)


def short_mail(run: Run, measured: Sequence[Row], wanted: Sequence[str] = ()) -> str:
    """The mail of a run: of two kernels one against the other, of more the first with the others beside."""
    if pair_mail.is_pair(run):
        return pair_mail.of_run(run, "".join(wanted[:1]))
    return mail.block(run, measured, wanted)


def pair_posted(asked: argparse.Namespace) -> int:
    """A block for a posting of two runs, patched against base."""
    if len(asked.run) != 2 or asked.all or asked.layout != "table":
        raise UserError("--mail of several runs is of two: report.py BASE PATCHED --mail")
    base, patched = (side(name) for name in asked.run)
    refuse_empty([base, patched])
    made = compare(base, patched, 1.0, frozenset(unlike.WORDS) - {unlike.CLOCK})
    print(pair_mail.of_sides(made, "".join(asked.mail[:1])), end="")
    return Exit.MEASURED


def read(path: Path) -> tuple[Run, list[Row]]:
    """A run and its rows, in the units of its clock."""
    run = load(path)
    units.measure_in(run.about.get("clock"))
    return run, rows(run)


def fleet_of(name: str) -> Path | None:
    """The directory of a fleet run of this name, None where it is none."""
    return next((path for path in (Path(name), RESULTS / name) if fleet.is_fleet(path)), None)


def overlaid(asked: argparse.Namespace) -> int:
    """overlay.txt, .csv, .svg, .png and .html of several runs."""
    made = overlay.overlay([load(find_run(name)) for name in asked.run])
    output = directory(asked.output or Path("report-overlay"))
    write_overlay(made, output, asked.format)
    return told(made, output, asked)


def of_fleet(asked: argparse.Namespace, place: Path) -> int:
    """The machines of a fleet run over one another, or a mail."""
    paths = fleet.runs(place)
    if not paths:
        raise UserError(f"{place}: no machine of it has measured anything", Exit.NOTHING)
    if len(paths) == 1:
        return drawn(asked, paths[0]) if asked.mail is None else posted(asked, paths[0])
    runs = [load(path) for path in paths]
    made = overlay.overlay(runs, fleet=True)
    if asked.mail is not None:
        print(fleet_mail(made, runs[0], asked.mail), end="")
        return Exit.MEASURED
    output = directory(asked.output or place / "report")
    if "text" in asked.format:
        write(output / "mail.txt", fleet_mail(made, runs[0]))
    write_overlay(made, output, asked.format)
    if not asked.summary:
        return told(made, output, asked)
    print(fleet_summary.summary(made, place.name, fleet.members(place), output), end="")
    return Exit.MEASURED


def fleet_mail(made: overlay.Overlay, first: Run, wanted: Sequence[str] = ()) -> str:
    """The mail of the first machine, with what all of them say; these alone where it has none."""
    machines = over.mail(made, wanted)
    try:
        return mail.block(first, rows(first), wanted, machines)
    except UserError:
        return "\n".join(machines) + "\n"


def write_overlay(made: overlay.Overlay, output: Path, formats: Sequence[str]) -> None:
    """Tables, chart and page of several runs."""
    if "text" in formats:
        write(output / "overlay.txt", over.text(made))
    if "csv" in formats:
        write(output / "overlay.csv", overlay.sheet(made))
        if over.claims(made):
            write(output / "machines.csv", over.sheet(made))
    if CHARTS & set(formats):
        from bench.report.overlay import chart

        drawn = chart.chart(made).save(output / "overlay", formats)
        if "html" in formats:
            write(output / "overlay.html", chart.page(made, drawn))


def told(made: overlay.Overlay, output: Path, asked: argparse.Namespace) -> int:
    """Say where it is, or with --print what it says."""
    print(over.text(made) if asked.print else output, end="" if asked.print else "\n")
    return Exit.MEASURED


def text_table(run_dir: Path) -> str:
    """The plain text table of a run."""
    return text.table(*read(run_dir))


def write_tables(run: Run, measured: Sequence[Row], output: Path, formats: Sequence[str]) -> None:
    """table.txt, table.md, samples.csv.gz, every table as CSV; more where there is more to tell."""
    writers = {"text": ("table.txt", text), "md": ("table.md", markdown)}
    for name, (file, writer) in writers.items():
        if name in formats:
            write(output / file, writer.table(run, measured))
    if "text" in formats and (said := attribution.lines(run, measured)):
        write(output / "attribution.txt", "\n".join(said))
    if "text" in formats and (said := scaling_tables.lines(scalings(run, measured))):
        write(output / "scaling.txt", "\n".join(said))
    if "text" in formats and (said := open_loop.lines(run)):
        write(output / "open_loop.txt", "\n".join(said))
    if "text" in formats and (said := profiles.lines(run, measured)):
        write(output / "profiles.txt", "\n".join(said))
    if "csv" in formats:
        write_lines(output / "samples.csv.gz", samples.lines(run, measured))
        for name, content in tables.tables(run, measured).items():
            write(output / name, content)


def mail_of(run: Run, measured: Sequence[Row]) -> str:
    """mail.txt; empty where a run has nothing to post."""
    try:
        return short_mail(run, measured)
    except UserError:
        return ""


def artists(path: Path, formats: Sequence[str]) -> AbstractContextManager[Executor | None]:
    """Who draws the charts of a run; nobody where none are asked for."""
    if not CHARTS & set(formats):
        return nullcontext()
    # Matplotlib takes longer to import than a text table takes to make.
    from bench.report.charts import draw

    return draw.artists(path)


def draw_charts(
    run: Run,
    measured: Sequence[Row],
    output: Path,
    asked: argparse.Namespace,
    drawing: Executor | None,
) -> Callable[[], Mapping[str, str]]:
    """Begin the charts as files; returns what waits for them, and gives them as SVG, by name."""
    if drawing is None:
        return dict
    from bench.report.charts import draw

    every = asked.charts == "all"
    return draw.begin(run, measured, output, asked.format, drawing, every=every).charts


def write_page(
    run: Run,
    measured: Sequence[Row],
    output: Path,
    charts: Mapping[str, str],
    posting: str,
) -> None:
    """index.html, with the mail that its button copies."""
    from bench.report.page.page import page

    write(output / "index.html", page(run, measured, charts, posting))


def say(run: Run, measured: Sequence[Row], output: Path, asked: argparse.Namespace) -> None:
    """What was read badly, the table or the summary if it was asked for, else where everything is."""
    for problem in run.problems:
        print(f"report.py: {run.path}: {problem}", file=sys.stderr)
    if asked.print:
        print(text.table(run, measured), end="")
    if asked.summary:
        print(terminal.summary(run, measured, output), end="")
    elif asked.print:
        return
    else:
        print(output)


def exit_code(run: Run) -> int:
    """3 where not a single sample can be read."""
    if run.samples["seconds"].notna().any():
        return Exit.MEASURED
    print(f"report.py: {run.path}: nothing was measured in this run", file=sys.stderr)
    return Exit.NOTHING


def directory(path: Path) -> Path:
    """The directory for the artefacts, made if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be made: {error.strerror}; give --output") from None
    return path


def write(file: Path, content: str) -> None:
    """Write one artefact."""
    write_lines(file, [content])


def _packed(raw: IO[bytes]) -> gzip.GzipFile:
    """Without name and time, which would differ."""
    return gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0)


def write_lines(file: Path, lines: Iterable[str]) -> None:
    """Write one artefact, piece by piece; what ends in .gz compressed, the same lines to the same bytes."""
    try:
        with file.open("wb") as raw, _packed(raw) if file.suffix == ".gz" else raw as opened:
            opened.writelines(line.encode() for line in lines)
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}; give --output") from None


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="report.py",
        description="Draw a run: tables, charts, a page and its samples.",
        epilog="exit codes: 0 drawn; 2 no such run or not readable; 3 nothing was measured in it; "
        "130 interrupted",
    )
    parser.add_argument(
        "run",
        nargs="*",
        metavar="RUN",
        help="a run (default: the newest); of several the rows they share, as ratios to each run's "
        "own baseline",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="default: RUN/report, of several runs report-overlay",
    )
    parser.add_argument("--print", action="store_true", help="print the table when all is written")
    parser.add_argument(
        "--summary", action="store_true", help="print what was found, in 30 lines, and the files"
    )
    _mail_arguments(parser)
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=FORMATS,
        help="what to make (default: everything)",
    )
    return parser.parse_args(argv)


def _mail_arguments(parser: argparse.ArgumentParser) -> None:
    """What is printed for a posting."""
    parser.add_argument(
        "--mail",
        nargs="*",
        metavar="TARGET",
        help="print a posting of at most 45 lines of 72 columns for these targets (default: all that "
        "pass something through; of two kernels, or of BASE and PATCHED, one against the other), and "
        "draw nothing",
    )
    parser.add_argument(
        "--charts",
        choices=("few", "all"),
        default="few",
        help="all: those of every row, too (default: few)",
    )
    parser.add_argument("--all", action="store_true", help="with --mail: every row, however long")
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="table",
        help="of --mail: our table, or the 0-day robot's rows (default: table)",
    )


if __name__ == "__main__":
    sys.exit(main())
