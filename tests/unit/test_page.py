"""The page as people see it: its order, its tables, its script in a browser; and the CSV files."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from additive import LISTING, LOOKUP, NATIVE, OVERLAY, PLAIN, curve, write
from additive import rows as added
from fakes import make_run

import report
from bench.axes.rows import AXES
from bench.model import Exit, Level
from bench.report.charts import answer_chart
from bench.report.page import front
from bench.report.studies.answer import OPPONENTS

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ALONE = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
HOOK = "<script>window.onerror = (text) => { document.title = 'error: ' + text; };</script>"
CLICKS = """<script>
const all = document.querySelector("[aria-label='time per operation'] table");
const head = all.tHead.rows[0].cells[1];
const seen = [];
for (let turn = 0; turn < 2; turn++) {
  head.querySelector("button").click();
  seen.push(head.getAttribute("aria-sort"), all.tBodies[0].rows[0].cells[1].dataset.sort);
}
if (!document.title.startsWith("error")) document.title = seen.join(" ");
</script>"""
WIDE = """<script>
for (const one of document.querySelectorAll("details")) one.open = true;
document.title = `${document.documentElement.scrollWidth} ${innerWidth} `
  + [...document.querySelectorAll("figure svg")]
    .filter((one) => one.getBoundingClientRect().width < 100).length;
</script>"""


HEARD = """<script>
const skipped = [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1]))
  .filter((level, at, all) => at && level > all[at - 1] + 1);
const nameless = [...document.querySelectorAll("figure svg")].filter((one) => !one.ariaLabel);
const unscoped = [...document.querySelectorAll("th")].filter((one) => !one.scope);
const silent = [...document.querySelectorAll("thead th")]
  .filter((one) => one.querySelector("button")?.tabIndex !== 0);
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
document.title += [skipped, nameless, unscoped, silent].map((one) => ` ${one.length}`).join("")
  + ` ${ids.length - new Set(ids).size} ${document.querySelectorAll("thead button").length > 20}`;
</script>"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with break-even, projections and a few rows; its page and CSV files."""
    targets = (NATIVE, OVERLAY, PLAIN, LISTING, LOOKUP)
    curves = [curve(PLAIN, 20, 2), curve(LISTING, 8, 42, engaged=True)]
    cells = [*added(targets), *(cell for one in curves for cell in one)]
    path = write(tmp_path_factory.mktemp("whole"), cells, rounds=3)
    assert report.main([str(path), "--format", "html", "csv"]) == Exit.MEASURED
    return path / "report"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run without list-stat and without a cost sheet."""
    path = make_run(tmp_path_factory.mktemp("plain"), rows=2, targets=("plain", "passthrough"))
    assert report.main([str(path), "--format", "html", "csv"]) == Exit.MEASURED
    return path / "report"


def heads(page: Path) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", page.read_text())


def labels(page: Path) -> list[str]:
    return re.findall(r'<svg role="img" aria-label="([^"]*)"', page.read_text())


def table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def test_the_answer_and_its_chart_come_first(whole: Path) -> None:
    """Then summary, rows, break-even, projection, each row, and what it ran on."""
    found = heads(whole / "index.html")
    assert found == [
        "Needs less time while the share stat&#39;ed is (cold-fuse, 1000 entries)", "Proof",
        "What gets slower", "Mail, bundle, command", "Every row, with its verdict", "Summary", "All rows",
        "Break-even", "Projection", "Scaling", "Row by row", "Environment",
    ]  # fmt: skip
    shown = labels(whole / "index.html")
    assert "costs less than READDIRPLUS while fewer than" in shown[0]
    assert re.fullmatch(
        r"passthrough-c?:?\S* takes less time than plain(-c)? in \d+ of \d+ rows", shown[1]
    )


def test_every_chart_is_shown_once(whole: Path) -> None:
    """The headline's chart is not there again in its chapter."""
    shown = labels(whole / "index.html")
    assert len(shown) == len(set(shown))


def test_what_a_run_has_not_leaves_nothing_behind(plain: Path) -> None:
    """No list-stat, no projection, no cost sheet: neither chapter nor link nor CSV file."""
    found = heads(plain / "index.html")
    assert found == [
        "Proof", "What gets slower", "Mail, bundle, command", "Every row, with its verdict", "Summary",
        "All rows", "Scaling", "Row by row", "Environment",
    ]  # fmt: skip
    page = (plain / "index.html").read_text()
    assert "#break-even" not in page and "#costs" not in page and "#answer" not in page
    made = {file.name for file in plain.iterdir() if file.suffix == ".csv"}
    assert made == {"rows.csv"}


def test_links_of_the_contents_lead_somewhere(whole: Path, plain: Path) -> None:
    """Every link of a page is to a part of it."""
    for report_dir in (whole, plain):
        page = (report_dir / "index.html").read_text()
        links = re.findall(r'href="#([^"]+)"', page)
        ids = re.findall(r' id="([^"]+)"', page)
        assert set(re.findall(r'<a href="#([^"]+)"', page)) <= set(ids)
        assert len(links) > 5


def test_one_script_and_nothing_from_elsewhere(whole: Path) -> None:
    """No address at all, no external script, style, font or picture."""
    page = (whole / "index.html").read_text()
    assert page.count("<script") == 1 and page.count('setAttribute("aria-sort"') == 1
    assert "http" not in page and "src=" not in page and "@import" not in page
    assert "url(http" not in page and "<link" not in page


def test_numbers_are_sorted_by_value(whole: Path) -> None:
    """A cell carries its number, however it is printed."""
    page = (whole / "index.html").read_text()
    numbers = [float(text) for text in re.findall(r'data-sort="([^"]+)"', page)]
    assert len(numbers) > 100
    assert "@media print" in page and "prefers-color-scheme: dark" in page


def test_rows_as_csv(whole: Path) -> None:
    """A line for each row and target, with the ratio that the numbers were made with."""
    lines = table(whole / "rows.csv")
    columns = [column for axis in AXES for column in axis.columns(axis.none)]
    columns = [*columns[:2], "attr_timeout", "entry_timeout", *columns[2:]]
    assert list(lines[0]) [: len(columns) + 10] == [
        "row", "workload", "variant", *columns, "timeouts", "target", "level",
        "unit", "value", "low", "high",
    ]  # fmt: skip
    keys = [(line["row"], line["target"]) for line in lines]
    assert len(keys) == len(set(keys))
    [found] = [
        line
        for line in lines
        if (line["workload"], line["variant"], line["target"]) == ("list-stat", "0", LISTING.name)
    ]
    assert float(found["ratio_to_plain-c"]) == pytest.approx(0.4)
    assert found["verdict"] == "engaged"
    assert found["n"] == "3"


def test_breakeven_and_projections_as_csv(whole: Path) -> None:
    """The crossing that was put in, and every prediction with its error where it was measured."""
    crossings = table(whole / "breakeven.csv")
    [met] = [line for line in crossings if line["opponent"] == PLAIN.name]
    assert float(met["fraction"]) == pytest.approx(0.3)
    assert met["order"] == "after"
    predicted = table(whole / "projections.csv")
    assert {line["passthrough"] for line in predicted} >= {"readdir + getattr", "LOOKUP"}
    assert any(line["error"] for line in predicted)


def title_in_browser(page: Path, script: str, width: int, folder: Path) -> str:
    """The title that a copy of the page has once a further script has run in it."""
    content = (
        page.read_text().replace("<head>", f"<head>{HOOK}").replace("</body>", f"{script}</body>")
    )
    copy = folder / "page.html"
    copy.write_text(content)
    command = [
        str(BROWSER), *ALONE, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900",
        "--dump-dom", copy.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return re.search(r"<title>(.*?)</title>", done.stdout).group(1)  # type: ignore[union-attr]


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
def test_tables_sort_in_a_browser(whole: Path, tmp_path: Path) -> None:
    """Smallest first, then largest first; no script error."""
    said = title_in_browser(whole / "index.html", CLICKS, 1600, tmp_path).split()
    assert said[0] == "ascending" and said[2] == "descending"
    assert float(said[1]) < float(said[3])


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
def test_the_page_can_be_heard_and_used_from_the_keyboard(whole: Path, tmp_path: Path) -> None:
    """No heading skips a level, every chart has words, every head a scope and a button, ids are single."""
    said = title_in_browser(whole / "index.html", HEARD, 1600, tmp_path)
    assert said.endswith(" 0 0 0 0 0 true") and "error" not in said


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
@pytest.mark.parametrize("width", [400, 1600])
def test_the_page_is_as_wide_as_its_window(whole: Path, tmp_path: Path, width: int) -> None:
    """Nothing but tables and charts scrolls sideways, and every chart has a size."""
    page, window, hidden = title_in_browser(whole / "index.html", WIDE, width, tmp_path).split()
    assert int(page) <= int(window)
    assert hidden == "0"


FILTERED = """<script>
const field = document.querySelector("input[type=search]");
field.value = "readdir plain-c";
field.dispatchEvent(new Event("input"));
const shown = [...document.querySelectorAll("#every tbody tr")].filter((one) => !one.hidden);
document.title = `${shown.length} ${shown.every((one) => one.textContent.includes("readdir"))} `
  + document.getElementById("left").textContent;
</script>"""
FIRST = """<script>
const seen = [".claim", ".copies", ".front table", ".front figure"]
  .map((name) => Math.round(document.querySelector(name).getBoundingClientRect().top));
const folded = [...document.querySelectorAll("main > details")].filter((one) => !one.open).length;
document.title = `${seen.every((top) => top < 900)} ${folded > 5}`;
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
def test_rows_are_filtered_by_every_word(whole: Path, tmp_path: Path) -> None:
    """How many are left is told beside the field."""
    count, right, left, *_ = title_in_browser(
        whole / "index.html", FILTERED, 1600, tmp_path
    ).split()
    assert int(count) > 0 and right == "true" and left == count


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
def test_the_first_screen_has_claim_buttons_table_and_chart(whole: Path, tmp_path: Path) -> None:
    """Everything else is folded below."""
    assert title_in_browser(whole / "index.html", FIRST, 1600, tmp_path) == "true true"


def test_what_the_buttons_copy_is_there(whole: Path) -> None:
    """The mail of at most 45 lines, and both commands."""
    page = (whole / "index.html").read_text()
    for what in ("mail", "bundle", "reproduce"):
        assert f'data-copy="{what}"' in page and f'<pre id="{what}">' in page
    mail = page.partition('<pre id="mail">')[2].partition("</pre>")[0]
    assert len(mail.splitlines()) <= 45


def test_levels_that_say_the_same_are_one_line() -> None:
    """Timeouts of 0: always, at every level; what differs stands level by level, named with its kernel."""

    def win(level: Level, kernel: str, *shares: str) -> Any:
        against = {
            mode: SimpleNamespace(share=one) for mode, one in zip(OPPONENTS, shares, strict=True)
        }
        return SimpleNamespace(way=SimpleNamespace(level=level, kernel=kernel), against=against)

    same = [win(level, "", "always", "always") for level in (Level.ATTACH_LOOKUP, Level.LOOKUP)]
    [line] = front._lines("ls -l, 0", same)
    assert [cell.text for cell in line] == ["ls -l, 0", "every level", "always", "always"]
    other = [*same[:1], win(Level.LOOKUP, "dear", "always", "<30 %")]
    assert [line[1].text for line in front._lines("ls -l, 0", other)] == [
        "attach-lookup", "lookup (dear)",
    ]  # fmt: skip


def test_the_claim_of_several_kernels_is_of_the_first() -> None:
    """Which it names; the chart beneath has that kernel's lines and no other's."""
    run, measured = report.read(Path(__file__).parents[2] / "results/lab-6.12/bounds")
    assert front.front(run, measured).claim.endswith("1000 entries, kernel cheap).")
    sheet = answer_chart.chart(run)
    assert sheet is not None
    names = [text.get_text() for text in sheet.figure.axes[0].texts[:-1]]
    assert sorted(names) == ["READDIRPLUS", "adaptive", "attach-getattr", "attach-lookup", "lookup"]


def test_a_single_share_is_no_break_even() -> None:
    """The published profiles have ls -l at 100 % alone: nothing is claimed of where curves meet there."""
    path = Path(__file__).parents[2] / "results/lab-6.12/profile"
    run, measured = report.read(path)
    said = front.front(run, measured, report.mail_of(run, measured))
    assert said.claim.startswith("find, du: attach-lookup costs less than READDIRPLUS while fewer")
    assert "not measured" not in said.claim
    assert "ls -l was not measured in this run" in said.mail
