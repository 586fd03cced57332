"""What became of the daemons a run was asked for by name, whatever came along for comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bench.model import Outcome
from bench.results.store import RunDirectory


def not_measured(run: RunDirectory) -> tuple[dict[str, str], dict[str, str]]:
    """Named daemons of which nothing was measured, and those of which not all was, with reasons.

    A matrix names its daemons itself: what of them is not to be had here is no failure of a run.
    """
    header = run.header()
    settings = header.get("settings") or {}
    skipped = {str(item["what"]) for item in header.get("skipped") or ()}
    named = [] if settings.get("parts") else list(settings.get("daemons") or ())
    if not settings.get("named", True):
        named = [daemon for daemon in named if daemon not in skipped]
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in named}
    measured: Counter[str] = Counter()
    reasons = _refused(header)
    for record in run.trials():
        if record.get("daemon") in outcomes:
            outcomes[record["daemon"]][record["outcome"]] += 1
            # A trial whose proof did not hold was measured; one that broke off has no values.
            ended = record["outcome"] == Outcome.OK or bool(record.get("values"))
            measured[record["daemon"]] += ended
            if record["outcome"] != Outcome.OK:
                reasons.setdefault(record["daemon"], str(record["reason"]))
    for item in header.get("skipped") or ():
        reasons.setdefault(str(item["what"]), str(item["reason"]))
    nothing = {name for name in named if not measured[name]}
    some = {
        name for name in named if set(outcomes[name]) - {Outcome.OK} or name in _refused(header)
    } - nothing
    told = {name: reasons.get(name) or "no trial of it in this run" for name in named}
    return {name: told[name] for name in nothing}, {name: told[name] for name in some}


def _refused(header: Mapping[str, Any]) -> dict[str, str]:
    """Why targets were refused before they were measured, by their daemons."""
    daemons = {entry["name"]: entry["daemon"] for entry in header.get("targets") or ()}
    refused = header.get("refused") or {}
    return {daemons.get(target, target): reason for target, reason in refused.items()}
