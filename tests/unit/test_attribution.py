"""Where the time goes: records become requests, requests become shares, and shares add up."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from fakes import make_run

import report
from bench.model import Exit, Opcode, Window
from bench.report.attribution import BOTH, CLIENT, QUEUE, SERVER, lines, parts_of
from bench.report.rows import rows
from bench.requests import attribution
from bench.requests.sources import NotCounted
from bench.requests.times import Layout, Timed, match, parse_format
from bench.stats.frame import load

SEND_FORMAT = """name: fuse_request_send
ID: 7
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:dev_t connection;\toffset:8;\tsize:4;\tsigned:0;
\tfield:uint64_t unique;\toffset:16;\tsize:8;\tsigned:0;
\tfield:enum fuse_opcode opcode;\toffset:24;\tsize:4;\tsigned:0;

print fmt: "connection %u", REC->connection
"""
SEND = parse_format(7, SEND_FORMAT)
END = Layout(8, {"unique": (16, 8)})


def sent(time: int, unique: int, opcode: int = Opcode.GETATTR) -> tuple[int, bytes]:
    """A record of fuse_request_send as SEND_FORMAT lays it out."""
    return time, struct.pack("<HHiIIQI", 7, 0, 0, 5, 0, unique, opcode)


def ended(time: int, unique: int) -> tuple[int, bytes]:
    """A record of fuse_request_end."""
    return time, struct.pack("<HHiIIQ", 8, 0, 0, 5, 0, unique)


def test_a_format_says_where_the_fields_are() -> None:
    """Names, offsets and sizes as the kernel prints them, types of several words too."""
    assert SEND.fields["opcode"] == (24, 4)
    assert SEND.read(sent(1, 2**40, Opcode.LOOKUP)[1], "unique") == 2**40
    with pytest.raises(NotCounted, match="no field nodeid"):
        SEND.read(sent(1, 2)[1], "nodeid")


def test_requests_are_matched_by_their_number() -> None:
    """In whatever order they end."""
    found = match(
        [sent(10, 2), sent(20, 4, Opcode.RELEASE)], [ended(25, 4), ended(30, 2)], SEND, END
    )
    assert found == [Timed(Opcode.GETATTR, 10, 30), Timed(Opcode.RELEASE, 20, 25)]


def test_without_numbers_at_the_send_their_order_tells() -> None:
    """6.12 numbers a request after its send was traced."""
    found = match([sent(10, 0), sent(20, 0)], [ended(25, 14), ended(30, 12)], SEND, END)
    assert [(one.sent_ns, one.ended_ns) for one in found] == [(10, 30), (20, 25)]


@pytest.mark.parametrize(
    ("ends", "reason"),
    [([], "under way"), ([ended(30, 6)], "not those that were sent")],
)
def test_requests_that_do_not_fit_are_no_numbers(
    ends: list[tuple[int, bytes]], reason: str
) -> None:
    """One that has not ended, and one that was sent before."""
    with pytest.raises(NotCounted, match=reason):
        match([sent(10, 2)], ends, SEND, END)


WINDOW = Window(ops=2, ns=100)
TIMED = [
    Timed(Opcode.GETATTR, 0, 30),
    Timed(Opcode.RELEASE, 31, 80),
    Timed(Opcode.GETATTR, 40, 60),
]
SERVED = {Opcode.GETATTR: (2, 20), Opcode.RELEASE: (1, 5)}


def test_what_nobody_waits_for_is_kept_apart() -> None:
    """A RELEASE may overlap with the next request and is no part of an operation."""
    assert attribution.judge(WINDOW, TIMED, SERVED).as_json() == {
        "ops": 2,
        "window_ns": 100,
        "by_opcode": {"GETATTR": {"count": 2, "server_ns": 20, "total_ns": 50}},
        "behind": {"RELEASE": {"count": 1, "server_ns": 5, "total_ns": 49}},
        "why": "",
    }


def test_overlapping_requests_have_no_shares() -> None:
    """The sum of requests that overlap could exceed the window."""
    found = attribution.judge(WINDOW, [*TIMED, Timed(Opcode.READ, 59, 70)], SERVED).as_json()
    assert found["by_opcode"] == {}
    assert found["why"] == "1 of 3 requests were sent before another had ended"


def test_a_server_that_timed_other_requests_is_not_believed() -> None:
    """The kernel's times stand; the server's are left out."""
    found = attribution.judge(WINDOW, TIMED, {Opcode.GETATTR: (1, 20)}).as_json()
    assert found["by_opcode"]["GETATTR"] == {"count": 2, "server_ns": None, "total_ns": 50}
    assert "other requests" in found["why"]


def attributed(tmp_path: Path, **entries: dict[str, Any] | None) -> Path:
    """A fake run of one row with this attribution by target."""
    path = make_run(tmp_path, rows=1, trials=3)
    file = path / "trials.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for record in records:
        record["attribution"] = entries.get(record["target"])
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


GETATTR = {"GETATTR": {"count": 20, "server_ns": 2_000, "total_ns": 10_000}}
UNTIMED = {"GETATTR": {"count": 20, "server_ns": None, "total_ns": 10_000}}
WHOLE = {"ops": 10, "window_ns": 15_000, "behind": {}, "why": ""}


def test_shares_add_up_to_the_window(tmp_path: Path) -> None:
    """Server, queue and the client's rest, per operation; the floor is all the client's."""
    run = load(
        attributed(tmp_path, native=WHOLE | {"by_opcode": {}}, plain=WHOLE | {"by_opcode": GETATTR})
    )
    [native, plain] = parts_of(run, rows(run))[0]
    assert native.shares == pytest.approx({CLIENT: 1500e-9})
    assert plain.shares == pytest.approx({SERVER: 200e-9, QUEUE: 800e-9, CLIENT: 500e-9})
    assert plain.total == pytest.approx(1500e-9)
    [request] = plain.requests
    assert (request.opcode, request.per_op) == ("GETATTR", 2.0)
    assert request.shares == pytest.approx({SERVER: 100e-9, QUEUE: 400e-9})


def test_a_server_without_a_clock_has_two_shares_in_one(tmp_path: Path) -> None:
    """Any server can be looked at; only ours can be looked into."""
    run = load(attributed(tmp_path, plain=WHOLE | {"by_opcode": UNTIMED}))
    [plain] = parts_of(run, rows(run))[0]
    assert plain.shares == pytest.approx({BOTH: 1000e-9, CLIENT: 500e-9})
    assert any("together" in line for line in lines(run, rows(run)))


def test_the_table_fits_a_mail_and_gives_reasons(tmp_path: Path) -> None:
    """72 columns of ASCII; a target without shares says why."""
    refused = {"ops": 0, "window_ns": 0, "by_opcode": {}, "behind": {}, "why": "2 client threads"}
    path = attributed(tmp_path, plain=WHOLE | {"by_opcode": GETATTR}, passthrough=refused)
    run = load(path)
    text = lines(run, rows(run))
    assert max(map(len, text)) <= 72
    assert "\n".join(text).isascii()
    assert "  passthrough: 2 client threads" in text
    assert report.main([str(path), "--charts", "all"]) == Exit.MEASURED
    assert (path / "report" / "attribution.txt").read_text() == "\n".join(text)
    assert list((path / "report" / "charts").glob("*-attribution.svg"))


def test_a_run_without_attribution_has_no_table(tmp_path: Path) -> None:
    """Nothing is said rather than an empty table."""
    path = make_run(tmp_path, rows=1)
    assert lines(load(path), rows(load(path))) == []
    assert report.main([str(path)]) == Exit.MEASURED
    assert not (path / "report" / "attribution.txt").exists()
    assert not list((path / "report" / "charts").glob("*-attribution.*"))
