"""One key, one order, one name: two rows never print alike, and a new axis needs no other file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from fakes import make_run
from hypothesis import example, given
from hypothesis import strategies as st

from bench.axes import OPTIONS
from bench.axes.axis import RowAxis
from bench.axes.rowkey import RowKey
from bench.axes.rows import AXES, CACHE, ORDER, THREADS, TIMEOUTS
from bench.commands.main import parser
from bench.commands.run_settings import settings_from
from bench.model import Cache, Clock, Level, Placement, Timeouts
from bench.plan import matrix, schedule
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings
from bench.report.rows import rows
from bench.report.text import long_mail, tables
from bench.stats.frame import load

SECONDS = st.floats(0, 1e6, allow_nan=False) | st.sampled_from([0.0, 1.0, 3600.0])
PLACES: dict[str, st.SearchStrategy[Any]] = {
    "threads": st.integers(1, 10_000),
    "entries": st.integers(0, 10**8),
    "timeouts": st.none() | st.builds(Timeouts, SECONDS, SECONDS),
}
WORDS = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True)


def place(axis: RowAxis[Any]) -> st.SearchStrategy[Any]:
    """Anywhere on an axis: of one whose values are a few words, at any of them."""
    if axis.name in PLACES:
        return PLACES[axis.name]
    return st.booleans() if isinstance(axis.none, bool) else st.sampled_from(list(type(axis.none)))


KEYS = st.builds(
    RowKey, WORDS, st.just("") | WORDS | st.integers(0, 100).map(str), st.tuples(*map(place, AXES))
)


@given(KEYS, KEYS)
@example(
    RowKey.of("a", timeouts=Timeouts(1.0, 1.0)), RowKey.of("a", timeouts=Timeouts(1.0000001, 1.0))
)
@example(RowKey.of("list-stat", "50"), RowKey.of("list-stat", "50", entries=1))
def test_two_rows_never_print_alike(one: RowKey, other: RowKey) -> None:
    """In tables, in file names, and in what they are sorted by."""
    same = one == other
    assert (one.name == other.name) is same
    assert (one.slug == other.slug) is same
    assert (one.order == other.order) is same


@given(KEYS)
def test_a_record_gives_its_key_back(key: RowKey) -> None:
    """By way of JSON, as trials are stored."""
    record = {"workload": key.workload, "variant": key.variant, **key.columns()}
    assert RowKey.from_record(json.loads(json.dumps(record))) == key


@given(KEYS, KEYS)
def test_without_an_axis_only_the_others_tell(one: RowKey, other: RowKey) -> None:
    """Rows that differ in an axis and nothing else are equal without it."""
    for number, axis in enumerate(AXES):
        moved = one.at(axis, other.places[number])
        assert moved.without(axis) == one.without(axis)
        assert moved.without(axis).name == one.without(axis).name


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({}, "timeouts not recorded"),
        ({"cache": "lukewarm"}, "cache not recorded"),
        ({"threads": "many"}, "threads not recorded"),
        ({"attr_timeout": math.nan, "entry_timeout": 0}, "timeouts not recorded"),
    ],
)
def test_what_a_record_does_not_say_is_said(record: dict[str, Any], name: str) -> None:
    """Never taken for something that was measured."""
    assert name in RowKey.from_record({"workload": "readdir", **record}).name


def test_the_label_is_that_of_runs_already_written() -> None:
    """series/*.json and selftest.json of older runs are found by it."""
    key = RowKey.of("list-stat", "50", cache=Cache.COLD_FUSE, threads=2,
                    timeouts=Timeouts(3600.0, 0.0), entries=1000)  # fmt: skip
    assert key.label == "list-stat--50--cold-fuse--t2--to3600-0--n1000"
    assert key.slug == f"{key.label}--same"
    assert key.name == "list-stat/50 (cold-fuse, 2 threads, timeouts forever/0, 1000 entries)"


SEVERAL = {
    "cache": ["warm", "cold-fuse"], "threads": ["1", "2"], "timeouts": ["own", "1", "forever"],
    "entries": ["10", "100"], "levels": ["rw", "attach-lookup"], "readdir": ["both"],
    "modes": ["readdirplus", "auto"], "server_threads": ["0", "2"], "clone_fd": ["both"],
    "delays": ["GETATTR=5us"], "xattrs": ["answer", "off"], "orders": ["after"],
}  # fmt: skip
"""Values of axes that are not simply all the words of an enumeration."""


def texts(axis: Any) -> list[str]:
    """Several values of an axis, as they are typed."""
    return SEVERAL.get(axis.name) or [str(word) for word in axis.words]


@pytest.mark.parametrize("axis", OPTIONS, ids=lambda axis: axis.name)
def test_an_axis_multiplies_headings(axis: Any) -> None:
    """Several values make as many rows and targets, each with a heading of its own."""
    words = [word for text in texts(axis) for word in (axis.flag, text)]
    daemon = ["--daemon", "passthrough-c", "--only", "--trials", "1", "--seed", "1"]
    settings = settings_from(parser().parse_args(["run", *daemon, *words]))
    one = settings_from(parser().parse_args(["run", *daemon]))
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert matrix.AXES[axis.name](texts(axis)) == axis.of(settings.axes)
    gives = KernelGives(Level.LOOKUP)
    made, single = (schedule.make(each, gives).trials for each in (settings, one))
    headings = {(trial.series.key.name, trial.series.target) for trial in made}
    assert len(headings) == len({(t.series.key, t.series.way) for t in made}) == len(made)
    assert len({trial.series.label for trial in made}) == len(made)
    if axis is ORDER:  # it chooses among rows
        assert 0 < len(made) < len(single)
    else:
        assert len(made) > len(single)


def several(path: Path) -> Path:
    """A run whose one row was measured in six ways that the 0-day layout told alike."""
    file = path / "trials.jsonl"
    ways = [(entries, timeout) for entries in (0, 10, 100) for timeout in (0.0, 1.0)]
    lines = [
        json.loads(line)
        | {"entries": n, "attr_timeout": timeout, "entry_timeout": timeout, "series": ""}
        for line in file.read_text().splitlines()
        for n, timeout in ways
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_one_name_wherever_a_row_is_told(tmp_path: Path) -> None:
    """CSV and both mails; in the layout of the robot no metric comes twice for one target."""
    run = load(several(make_run(tmp_path, rows=1, troubles=False, spoil={"verdict": "engaged"})))
    made = rows(run)
    names = [row.name for row in made]
    assert len(set(names)) == 6
    sheet = tables.tables(run, made)["rows.csv"]
    posted = " ".join(long_mail.block(run, made).split())
    robot = long_mail.zero_day(run, made)
    metrics = [line.split("  ")[-1].strip() for line in robot.splitlines() if "_per_op" in line]
    assert len(metrics) == len(set(metrics))
    for name in names:
        assert name in sheet and name in posted and name in robot


def test_keys_hold_enumerations() -> None:
    """Read from text, and compared by identity."""
    key = RowKey.from_record(
        {"workload": "a", "cache": "cold-all", "placement": "split", "clock": "wall"}
    )
    assert (key.cache, key.placement, key.clock) == (Cache.COLD_ALL, Placement.SPLIT, Clock.WALL)
    assert key[CACHE] is Cache.COLD_ALL and key[THREADS] == 1 and key[TIMEOUTS] is None
