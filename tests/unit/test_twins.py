"""Engaged is what the twin gets and the target does not: the rule, row by row, on written counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.model import Verdict
from bench.requests import rings
from bench.stats.frame import load
from bench.stats.twins import twins_of

PLAIN = {"name": "plain-c", "daemon": "plain-c", "kind": "fuse", "level_asked": "none"}
MINE = {"name": "mine", "daemon": "mine", "kind": "fuse", "level_asked": "rw", "level": "rw"}
OFF = {"name": "off", "daemon": "off", "kind": "fuse", "level_asked": "none"}
COUNTS = dict[str, int]


def verdict(
    folder: Path, trials: list[dict[str, Any]], *targets: dict[str, Any]
) -> tuple[str, str]:
    """What the last trial's verdict is when the run is read."""
    about = {"schema": 1, "run": "r", "targets": list(targets)}
    (folder / "run.json").write_text(json.dumps(about))
    (folder / "trials.jsonl").write_text("".join(json.dumps(one) + "\n" for one in trials))
    last = load(folder).trials.iloc[-1]
    return str(last["verdict"]), str(last["verdict_reason"])


def trial(target: str, counts: COUNTS, given: str = "baseline", **more: Any) -> dict[str, Any]:
    """A counted trial of a row, 100 operations."""
    return {
        "series": f"read--cold-fuse--t1--{target}", "target": target, "workload": "read",
        "cache": "cold-fuse", "outcome": "ok", "verdict": given, "values": [1e-6],
        "requests": {"ops": 100, "kernel": counts, "server": None, "agree": None, "why": ""},
    } | more  # fmt: skip


def mine(counts: COUNTS, given: str = "engaged", **more: Any) -> dict[str, Any]:
    return trial("mine", counts, given, **{"verdict_reason": "no READ arrived"} | more)


@pytest.mark.parametrize(
    ("twin", "expected", "words"),
    [
        ({"READ": 100}, Verdict.ENGAGED, "plain-c: READ 1.00 to 0.00"),
        ({}, Verdict.NOTHING, "plain-c gets no READ here either"),
        ({"LOOKUP": 100}, Verdict.NOTHING, "plain-c gets no READ here either"),
    ],
)
def test_engaged_is_what_the_twin_gets(
    tmp_path: Path, twin: COUNTS, expected: Verdict, words: str
) -> None:
    """A page cache that answers on both sides proves nothing."""
    found, reason = verdict(tmp_path, [trial("plain-c", twin), mine({})], PLAIN, MINE)
    assert found == expected and words in reason


def test_without_a_twin_nothing_is_claimed(tmp_path: Path) -> None:
    """One of another row, or none, is no twin."""
    elsewhere = trial("plain-c", {"READ": 100}, series="read--warm--t1--plain-c", cache="warm")
    for others in ([], [elsewhere]):
        found, reason = verdict(tmp_path, [*others, mine({})], PLAIN, MINE)
        assert found == Verdict.NO_TWIN and "counted in this row" in reason


def test_a_failed_twin_counts_for_nothing(tmp_path: Path) -> None:
    """The requests of a failed twin were those of something that went wrong."""
    failed = trial("plain-c", {"READ": 100}, outcome="failed")
    assert verdict(tmp_path, [failed, mine({})], PLAIN, MINE)[0] == Verdict.NO_TWIN


def test_its_own_twin_goes_before_plain_c(tmp_path: Path) -> None:
    """A server with passthrough off answers from its caches, too: it gets no READ either."""
    trials = [trial("plain-c", {"READ": 100}), trial("off", {}), mine({})]
    found, reason = verdict(tmp_path, trials, PLAIN, OFF, MINE | {"twin": "off"})
    assert found == Verdict.NOTHING and reason.startswith("off gets no READ")


def test_a_stranger_with_caches_of_its_own_needs_its_own_twin(tmp_path: Path) -> None:
    """No GETATTR within a stranger's own timeout is no work of passthrough; data never read is."""
    attributes = mine(
        {},
        claimed={"GETATTR": 0.0},
        verdict_reason="no GETATTR arrived",
        timeouts="the server's own",
    )
    trials = [trial("plain-c", {"GETATTR": 200, "READ": 100}), attributes]
    assert verdict(tmp_path, trials, PLAIN, MINE)[0] == Verdict.NO_TWIN
    trials[-1] = mine({}, claimed={"READ": 0.0}, timeouts="the server's own")
    assert verdict(tmp_path, trials, PLAIN, MINE)[0] == Verdict.ENGAGED


@pytest.mark.parametrize(("left", "expected"), [(200, "engaged"), (300, "not engaged")])
def test_files_alone_attached(tmp_path: Path, left: int, expected: str) -> None:
    """One of three GETATTR an op is the file's, and that one has to be gone."""
    own = mine({"GETATTR": left}, claimed={"GETATTR": 1.0})
    found, _ = verdict(tmp_path, [trial("plain-c", {"GETATTR": 300}), own], PLAIN, MINE)
    assert found == expected


def test_what_changed_without_a_claim_is_said(tmp_path: Path) -> None:
    """No claim does not mean no difference."""
    own = trial("mine", {"READ": 100}, "no claim")
    trials = [trial("plain-c", {"READ": 100, "LOOKUP": 100}), own]
    found, reason = verdict(tmp_path, trials, PLAIN, MINE)
    assert (found, reason) == ("no claim", "requests differ from plain-c: LOOKUP 1.00 to 0.00")
    assert verdict(tmp_path, [trials[0], trial("mine", {"READ": 100, "LOOKUP": 100}, "no claim")],
                   PLAIN, MINE) == ("no claim", "")  # fmt: skip


def test_the_twin_is_of_the_same_kernel_and_lists_the_same_way() -> None:
    """The nearest first; a target with passthrough is nobody's twin."""
    way = {"readdir_mode": "readdir"}
    known = [
        PLAIN | {"name": "plain-c@a"}, PLAIN | {"name": "plain-c@b"},
        PLAIN | way | {"name": "plain-c:readdir@a"}, OFF | {"name": "off@a"}, MINE,
    ]  # fmt: skip
    target = MINE | way | {"name": "mine@a", "twin": "off"}
    names = [twin.name for twin in twins_of(target, known)]
    assert names == ["off@a", "plain-c:readdir@a", "plain-c@a"]


def test_a_published_run_is_read_by_the_rule() -> None:
    """Every engaged line of the lab's table has a twin that gets some of the requests it does not get."""
    lab = Path(__file__).parents[2] / "results/lab-6.12/instructions"
    trials = load(lab).trials
    lines = trials.drop_duplicates(["group", "target"])
    engaged = lines[lines["verdict"] == "engaged"]
    assert len(engaged) > 100
    assert (
        engaged["verdict_reason"].str.contains(r"\((?:plain|plain-c)\S*: .* to ", regex=True).all()
    )


def test_a_server_with_a_ring_is_known_by_it(tmp_path: Path) -> None:
    """By the link in its descriptors, where the kernel offers FUSE over io_uring at all."""
    enabled, held = tmp_path / "enable_uring", tmp_path / "7/fd"
    held.mkdir(parents=True)
    (held / "3").symlink_to("anon_inode:[io_uring]")
    for state, expected in (("Y", True), ("N", False)):
        enabled.write_text(state)
        assert rings.uses_rings(7, enabled, tmp_path) is expected
    (held / "3").unlink()
    enabled.write_text("Y")
    assert not rings.uses_rings(7, enabled, tmp_path)
    assert not rings.uses_rings(8, enabled, tmp_path)


ON_BASE = {"name": "mine@base", "daemon": "mine", "level_asked": "attach-lookup", "level": "rw"}
ON_PATCHED = ON_BASE | {"name": "mine@patched", "level": "attach-lookup"}


@pytest.mark.parametrize(
    ("claim", "base", "expected", "words"),
    [
        ("GETATTR", {"GETATTR": 100}, Verdict.ENGAGED, "mine@base: GETATTR 1.00 to 0.00"),
        ("GETATTR", {}, Verdict.NOTHING, "mine@base gets no GETATTR here either"),
        ("READ", {"READ": 100}, Verdict.NO_TWIN, "mine@base passes reads and writes through, too"),
    ],
)
def test_a_server_on_the_base_kernel_is_its_own_twin(
    tmp_path: Path, claim: str, base: COUNTS, expected: Verdict, words: str
) -> None:
    """A kernel pair needs no other server, but for what both kernels pass through."""
    patched = trial("mine@patched", {}, "engaged", verdict_reason=f"no {claim} arrived")
    found, reason = verdict(tmp_path, [trial("mine@base", base), patched], ON_BASE, ON_PATCHED)
    assert found == expected and words in reason


def test_a_plain_server_on_the_same_kernel_comes_first() -> None:
    """A server on another kernel that passes as much through is no twin."""
    plain = PLAIN | {"name": "plain-c@patched"}
    names = [
        one.name for one in twins_of(ON_PATCHED | {"twin": "plain-c"}, [ON_BASE, ON_PATCHED, plain])
    ]
    assert names == ["plain-c@patched", "mine@base"]
    same = ON_PATCHED | {"name": "mine@dear"}
    assert not twins_of(ON_PATCHED, [same, ON_PATCHED])
