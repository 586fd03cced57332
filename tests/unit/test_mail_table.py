"""Wide figures and little room: rows of a mail stay within 72 columns, and are told whole or not at all."""

from __future__ import annotations

import pytest

from bench.axes.rowkey import RowKey
from bench.report import shortnames
from bench.report.headlines import Headline
from bench.report.posting import Column, PostedCell, Posting
from bench.report.text import mail, mail_answer
from bench.report.text.mail_table import WIDTH
from bench.stats.estimates import Estimate
from bench.stats.verdicts import Finding

ROWS = [f"a-workload-of-quite-a-long-name-{at}" if at % 2 else f"short-{at}" for at in range(10)]


def cell(value: float, *, ratio: float | None, finding: Finding = Finding.SLOWER) -> PostedCell:
    """A cell as wide as they come: thousands with requests, a ratio with a range."""
    ends = None if ratio is None else Estimate(ratio, ratio * 0.98, ratio * 1.02, 2)
    return PostedCell(Estimate(value, value, value, 2), 10.24, ends, finding)


@pytest.fixture
def pair() -> Posting:
    """One server on two kernels, and another beside it, which did not change."""
    keys = [RowKey.of(name) for name in ROWS]
    base = {key: cell(0.000134, ratio=None) for key in keys}
    main = {key: cell(0.000234, ratio=0.1385 + at) for at, key in enumerate(keys)}
    others = {key: cell(0.0001, ratio=0.9996, finding=Finding.SAME) for key in keys}
    columns = (Column("s", ("patched",), main), Column("p", ("", "plain-c"), others, beside=True))
    return Posting("s", Column("s", ("base",), base), columns, Headline(tuple(keys), "all"))


@pytest.mark.parametrize("room", range(14, 50))
def test_no_row_is_cut_in_two(pair: Posting, room: int) -> None:
    """A long name stands on a line of its own, its figures on the next; both, or none of them."""
    lines = mail._rows(pair, room)
    assert max(map(len, lines)) <= WIDTH
    names = [shortnames.short(RowKey.of(name)) for name in ROWS]
    told = [at for at, line in enumerate(lines) if line in names]
    assert told, "no name was long enough for a line of its own"
    for at in told:
        assert lines[at + 1].startswith(" ") and "x " in lines[at + 1]
    slower = next(line for line in lines if line.startswith("What gets"))
    after = [line.split()[0] for line in lines[lines.index(slower) :]]
    assert f"worst of {sum(word in ROWS for word in after)} of" in slower


def test_a_kernel_pair_is_told_by_its_kernel() -> None:
    """The server's name and the kernel's would not fit into the column of levels."""
    assert mail_answer._level("passthrough-c:attach-lookup@cheap") == "attach-lookup"
    assert mail_answer._level("attach-lookup@cheap") == "attach-lookup"
    assert mail_answer._level("passthrough-c@patched") == "patched"
    assert mail_answer._level("passthrough-c") == "passthrough-c"
    for name in ("patched", "a-server-of-a-very-long-name"):
        lines = mail_answer._two_lines(f"  {name}", ["<39 %", "-", "<39 % [38,39]", "always"])
        assert max(map(len, lines)) <= WIDTH
        assert lines[0].startswith(f"  {name}")
