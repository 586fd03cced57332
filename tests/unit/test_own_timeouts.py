"""Servers with timeouts of their own: said once for a run, and at each row whose figures hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.report import about
from bench.report.row import Row
from bench.report.rows import rows
from bench.stats.frame import Run, load

OWN = "the server's own"


def target(name: str, kind: str = "fuse") -> dict[str, Any]:
    """A target as run.json has it."""
    return {"name": name, "daemon": name, "kind": kind, "level_asked": "none", "level": "none"}


@pytest.fixture
def read(tmp_path: Path) -> tuple[Run, list[Row]]:
    """Three rows on plain-c and two strangers, one of which can be told its timeouts."""
    targets = [target("native", "native"), target("plain-c"), target("one"), target("two")]
    about_run = {"schema": 1, "run": "r", "targets": targets}
    (tmp_path / "run.json").write_text(json.dumps(about_run))
    lines = []
    for pair in ((0.0, 0.0), (1.0, 1.0), (3600.0, 3600.0)):
        for name in ("native", "plain-c", "one", "two"):
            for number in range(3):
                told = {"one": OWN, "two": OWN if pair[0] else "as asked"}.get(name, "as asked")
                label = f"fstat--warm--t1--to{pair[0]:g}-{pair[1]:g}--{name}"
                lines.append(
                    {
                        "series": label, "target": name, "workload": "fstat", "cache": "warm",
                        "attr_timeout": pair[0], "entry_timeout": pair[1], "outcome": "ok",
                        "round": number, "position": number, "values": [1e-6], "timeouts": told,
                    }
                )  # fmt: skip
    (tmp_path / "trials.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    run = load(tmp_path)
    return run, rows(run)


def test_a_run_says_it_once(read: tuple[Run, list[Row]]) -> None:
    """Whatever rows there are."""
    run, made = read
    (fact,) = [one.text for one in about.facts(run, made) if one.name == "timeouts"]
    assert fact == (
        "attr/entry 0 s/0 s, 1 s/1 s and 3600 s/3600 s; one and two: the server's own in rows that say so"
    )
    assert sum(line.count(OWN) for line in about.footer(run, made)) == 1


def test_a_row_names_whose_figures_hold_them(read: tuple[Run, list[Row]]) -> None:
    """Not the others."""
    _, made = read
    assert [row.own for row in made] == [("one",), ("one", "two"), ("one", "two")]
    assert made[0].setting.endswith("(one: the server's own)")
