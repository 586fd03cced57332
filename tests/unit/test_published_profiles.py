"""Profiles that are published: every one can be read, and next to nothing of them has no name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.profile import select, store
from bench.profile.fold import StackOwner

RESULTS = Path(__file__).parents[2] / "results"
MOST_UNNAMED = 0.02
ANSWER = (
    "getattr-storm/fd", "getattr-storm/path", "list-stat/alternate-100", "list-stat/100", "readdir",
    "lookup-cold",
)  # fmt: skip
LEVELS = ("attach-getattr", "attach-lookup", "lookup")


def published() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every trial with a profile, of every run that is published."""
    for file in RESULTS.rglob("trials.jsonl"):
        if "local" not in file.relative_to(RESULTS).parts:
            lines = (json.loads(line) for line in file.read_text().splitlines())
            for record in select.profiled(lines):
                yield file.parent, record


def test_what_has_no_name_is_one_line_of_two_percent_at_most() -> None:
    """In each row on each target, by the files themselves; their sums are those of their trials."""
    rows = 0
    for run, record in published():
        profile = store.read(run, record["profile"])
        assert profile.unnamed <= MOST_UNNAMED, record["series"]
        nameless = [name for name in profile.by_function() if name.startswith("[unnamed")]
        assert len(nameless) <= 1, record["series"]
        rows += 1
    assert rows >= len(ANSWER) * (3 + len(LEVELS))


def test_the_answers_rows_are_published_level_beside_level() -> None:
    """Each of the six on native, overlayfs, the plain server and every level."""
    there: dict[str, set[str]] = {}
    for _, record in published():
        work = "/".join(part for part in (record["workload"], record["variant"]) if part)
        there.setdefault(work, set()).add(record["target"])
    for work in ANSWER:
        wanted = {"native", "overlayfs", "plain-c", *(f"passthrough-c:{name}" for name in LEVELS)}
        assert wanted <= there.get(work, set()), work


def test_published_servers_have_functions() -> None:
    """The C server's functions are told apart: its part is not one name."""
    for run, record in published():
        if record["target"] == "plain-c" and record["workload"] == "getattr-storm":
            folded = store.read(run, record["profile"]).folded
            own = {name for kind, *names in folded if kind == StackOwner.SERVER for name in names}
            assert "mirror:op_getattr" in own, record["series"]
