"""The short mail: at most 45 lines of 72 columns, rows chosen beforehand, what gets slower beside gains."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from additive import LISTING, LOOKUP, NATIVE, PLAIN, Cell, Target, curve, write
from fakes import make_run
from published import with_a_mail

import report
from bench.axes.rowkey import RowKey
from bench.comparison.__main__ import main as comparison
from bench.machine import suite
from bench.model import Exit
from bench.report import headlines, shortnames
from bench.report.text.mail_table import requests
from bench.stats.frame import load

PUBLISHED = with_a_mail()
ATTACH = Target("passthrough-c:attach-getattr", level="attach-getattr")
AUTO = Target("plain-c:auto", mode="auto")


def mail(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What report.py --mail prints."""
    assert report.main([*map(str, words), "--mail"]) == Exit.MEASURED
    return capsys.readouterr().out


def fits(text: str) -> None:
    """45 lines of 72 columns of ASCII."""
    assert text.isascii()
    assert len(text.splitlines()) <= 45
    assert max(map(len, text.splitlines())) <= 72


def levels(tmp_path: Path, **more: object) -> Path:
    """Two levels beside a plain server that lists in two ways, on the instruction clock."""
    cells = [*curve(NATIVE, 1, 1), *curve(PLAIN, 20, 2), *curve(AUTO, 18, 8)]
    cells += [*curve(ATTACH, 8, 42, engaged=True), *curve(LOOKUP, 4, 6, engaged=True)]
    return write(tmp_path, cells, rounds=2, clock="instructions", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("about", PUBLISHED, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_the_mail_of_every_published_run_fits(
    about: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was measured, on whichever clock."""
    text = mail(capsys, about.parent)
    fits(text)
    assert "To reproduce" in text
    assert f"verify {about.parent.name}.tar.gz" in text


def test_levels_are_columns_and_what_needs_more_stands_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Operations as rows, requests in brackets, the worst row as a ratio."""
    text = mail(capsys, levels(tmp_path))
    fits(text)
    head = next(line for line in text.splitlines() if line.startswith("op"))
    assert head.split() == ["op", "plain-c", "getattr", "lookup"]
    row = next(line for line in text.splitlines() if line.startswith("ls;statx 1k cold inf"))
    assert "(.02)" in row and "(0)" in row
    _, _, slower = text.partition("What needs more")
    assert "x 2.27" in slower.splitlines()[1]


def test_break_even_is_told_for_every_level_and_opponent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lower level differs from the higher one, and adaptive from forced."""
    lines = mail(capsys, levels(tmp_path)).splitlines()
    assert ["attach-getattr", "<30", "%", "<29", "%"] in [line.split() for line in lines]
    assert ["lookup", "always", "always"] in [line.split() for line in lines]


def test_no_python_beside_a_server_in_c(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are there only where there is nothing else."""
    plain, through = Target("plain"), Target("passthrough", level="attach-lookup")
    python = [Cell(plain, "readdir", 9e-6), Cell(through, "readdir", 8e-6, engaged=True)]
    both = [Cell(PLAIN, "readdir", 2e-6), Cell(LISTING, "readdir", 1e-6, engaged=True)]
    with_c = mail(capsys, write(tmp_path / "both", [*both, *python]))
    assert "passthrough-c against plain-c (the same server without)" in " ".join(with_c.split())
    alone = mail(capsys, write(tmp_path / "alone", python))
    assert "passthrough against plain (the same server without)" in " ".join(alone.split())


def test_a_run_of_one_row_closes_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many times fewer, or that too little is known."""
    cells = [
        Cell(PLAIN, "getattr-storm", 5.6e-6, {"GETATTR": 1}, "fd"),
        Cell(LISTING, "getattr-storm", 1e-6, {}, "fd", engaged=True),
    ]
    text = mail(capsys, write(tmp_path, cells, rounds=2, clock="instructions"))
    said = "passthrough-c:attach-lookup needs 5.6 times fewer instructions than plain-c"
    assert said in " ".join(text.split())
    few = mail(capsys, write(tmp_path / "few", cells, rounds=2))
    assert "to say whether passthrough-c:attach-lookup differs" in " ".join(few.split())


def test_rows_are_those_named_beforehand(tmp_path: Path) -> None:
    """By the matrix, else by the suite; others follow only where hardly any were measured."""
    cells = [
        Cell(PLAIN, name, 1e-6) for name in ("readdir", "walk-du", "open-close", "unlink", "link")
    ]
    keys = [trial["key"] for _, trial in load(write(tmp_path, cells, rounds=1)).trials.iterrows()]
    names = [headlines.plain_name(key) for key in keys]
    asked = {"settings": {"matrix": "mine", "headline": names[1:5]}}
    named = headlines.headline(asked, keys)
    assert list(named.keys) == keys[1:5]
    assert named.rule == "named by matrix mine"
    few = headlines.headline({"settings": {"headline": names[4:], "matrix": "mine"}}, keys)
    assert list(few.keys) == [keys[4], *keys[:4]]
    assert "in the run's order" in few.rule


def test_headlines_of_our_matrices_are_rows() -> None:
    """No name is a row's that nobody could measure: each names a workload there is."""
    from bench import registry

    for file in sorted(suite.folder("matrices").glob("*.toml")):
        for name in headlines.of_matrix(file.stem) or headlines.USUAL:
            registry.rows([name.partition(" ")[0]])


def pair(tmp_path: Path) -> Path:
    """A run on two kernels, the second of which is half as fast."""
    names = ("native", "plain-c", "passthrough")
    targets = tuple(f"{name}@{kernel}" for kernel in ("base", "slow") for name in names)
    path = make_run(tmp_path, targets=targets, troubles=False)
    about = json.loads((path / "run.json").read_text())
    about["kernels"] = [
        {"label": label, "release": f"6.12-{label}", "parameters": given}
        for label, given in (("base", []), ("slow", ["fuse.x=1"]))
    ]
    (path / "run.json").write_text(json.dumps(about))
    return path


def test_a_kernel_pair_is_patched_against_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One server on both kernels, with the ratio between them; both kernels named."""
    text = mail(capsys, pair(tmp_path))
    fits(text)
    assert "slow against base, same server (plain-c)" in " ".join(text.split())
    assert "x 1.50 [" in text
    assert (
        "Paired boot by boot; base: Linux 6.12-base and slow: Linux 6.12-slow (fuse.x=1)"
        in " ".join(text.split())
    )


def test_more_kernels_than_a_pair_stand_beside_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The published bounds: levels on the cheap kernel, and what the dear one and one page change."""
    text = mail(capsys, Path(__file__).parents[2] / "results/lab-6.12/bounds")
    fits(text)
    said = " ".join(text.split())
    assert "(the same server without) on kernel cheap: instructions" in said
    assert re.search(r"attach-lookup( +<39-47 %){3} +<22-33 %", text)
    assert re.search(r"attach-getattr( +<45-55 %){3} +<56 %-always", text)
    assert "least to most over kernels cheap, dear and page" in said
    assert (
        "By kernel (cheap, dear, page), attach-lookup by plain-c on the same: fstat 0 x .139 .204"
        in said
    )


def test_the_page_copies_the_mail_of_the_pair(tmp_path: Path) -> None:
    """What its button copies is mail.txt, to the letter."""
    path = pair(tmp_path)
    assert report.main([str(path), "--format", "text", "html"]) == Exit.MEASURED
    posting = (path / "report" / "mail.txt").read_text()
    [copied] = re.findall(
        r'<pre id="mail">(.*?)</pre>', (path / "report" / "index.html").read_text(), re.DOTALL
    )
    assert html.unescape(copied) == posting


def test_two_runs_are_a_pair_and_said_not_to_be_paired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By report.py and by compare, in the same words."""
    base = make_run(tmp_path / "old", troubles=False)
    patched = make_run(tmp_path / "new", troubles=False, seed=2)
    text = mail(capsys, base, patched)
    fits(text)
    assert "patched against base, same server (passthrough)" in " ".join(text.split())
    assert "Two separate runs, not paired" in " ".join(text.split())
    comparison(["compare", str(base), str(patched), "--mail"])
    assert capsys.readouterr().out == text


def test_more_than_a_pair_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three runs have no base and patched; --all alone is of nothing."""
    run = str(make_run(tmp_path))
    assert report.main([run, run, run, "--mail"]) == Exit.USAGE
    assert "report.py BASE PATCHED --mail" in capsys.readouterr().err
    assert report.main([run, "--all"]) == Exit.USAGE


def test_every_report_has_its_mail(tmp_path: Path) -> None:
    """As --mail prints it; a run that has nothing to post has none."""
    path = make_run(tmp_path, troubles=False)
    assert report.main([str(path), "--format", "text"]) == Exit.MEASURED
    fits((path / "report" / "mail.txt").read_text())
    nothing = make_run(tmp_path / "plain", targets=("native", "plain"), troubles=False)
    assert report.main([str(nothing), "--format", "text"]) == Exit.MEASURED
    assert not (nothing / "report" / "mail.txt").exists()


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0"), (0.001, "<.01"), (0.05, ".05"), (0.5, ".5"), (1, "1"), (3.05, "3"), (12, "12")],
)
def test_requests_in_few_characters(count: float, said: str) -> None:
    """None at all is 0, and nothing else is."""
    assert requests(count) == said


def test_short_names_tell_orders_and_timeouts_apart() -> None:
    """ls -l is not find, and half is not all."""
    names = {
        shortnames.short(RowKey.of("list-stat", variant, entries=1000))
        for variant in ("100", "alternate-100", "50", "alternate-50", "0")
    }
    assert names == {"ls;statx 1k", "ls -l 1k", "ls;50% 1k", "ls+50% 1k", "ls 1k"}
