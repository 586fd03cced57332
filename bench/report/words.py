"""Cells that several artefacts share: an estimate, a ratio, requests and a verdict as text."""

from __future__ import annotations

from collections.abc import Sequence

from bench.model import Verdict
from bench.report import units
from bench.report.row import Line, Row
from bench.report.targets import TWIN
from bench.stats.estimates import Estimate
from bench.stats.verdicts import Finding

RATIO_WIDTH = 19
"""Characters a ratio with its interval may take in the mail table."""


def time_text(time: Estimate) -> str:
    """``13.1 us +-2.0%``, or the time and why it has no interval."""
    if not time.known:
        return time.note
    said = spread(time)
    spread_text = f"+-{said}" if time.has_interval and said else time.note and f"({time.note})"
    return f"{units.duration(time.value)} {spread_text}".rstrip()


def spread(time: Estimate) -> str:
    """Half the interval relative to the value; instructions differ in the second decimal."""
    if not time.has_interval:
        return f"n={time.n}"
    if units.quantity() is units.INSTRUCTIONS and time.half_width < 0.00995:
        said = f"{100 * time.half_width:.2f}%".removeprefix("0")
        return "" if said == ".00%" else said
    return units.percent(time.half_width)


def floor_text(row: Row) -> str:
    """``, A/A 0.02%``: what a target differs by from itself in this row; empty where that is not known."""
    if not row.floor:
        return ""
    return f", A/A {100 * row.floor:.2g}%"


def ratio_text(ratio: Estimate, baseline: str) -> str:
    """``0.241 [0.231,0.255]``, or the ratio and why it has no interval."""
    if not ratio.known:
        said = f"no pair with {baseline}"
        return said if len(said) <= RATIO_WIDTH else "no pair"
    if not ratio.has_interval:
        return f"{units.ratio(ratio.value)} {ratio.note}"
    text = f"{units.ratio(ratio.value)} {units.bounds(ratio.low, ratio.high, ratio.value)}".rstrip()
    if len(text) <= RATIO_WIDTH:
        return text
    return f"{units.ratio(ratio.value)} [{units.ratio(ratio.low)},{units.ratio(ratio.high)}]"


def ratio_cell(line: Line, baseline: str) -> str:
    """A ratio to a baseline; 1 of a baseline to itself, nothing of what has one of its own."""
    if line.target.base == baseline:
        return "1"
    return ratio_text(line.ratios[baseline], baseline) if baseline in line.ratios else ""


def against(baseline: str) -> str:
    """A baseline as headings name it: one in Python, which flatters, says that it is."""
    return f"{baseline} (Python)" if baseline == TWIN else baseline


def other_ratios(row: Row, against: Sequence[str]) -> list[str]:
    """``passthrough / plain (both Python): 0.99 [0.98,1.01]``: ratios that no column has."""
    own = [
        f"{pair_name(line)}: {ratio_text(line.ratios[line.baseline], line.baseline)}"
        for line in row.lines
        if line.baseline in line.ratios and line.baseline not in against
    ]
    kernels = [
        f"{line.target.name} / {label}: {ratio_text(ratio, label)}"
        for line in row.lines
        for label, ratio in line.other_ratios.items()
    ]
    return own + kernels


def pair_name(line: Line) -> str:
    """``passthrough / plain (both Python)``: a target and what it is divided by."""
    both = " (both Python)" if line.target.python and line.baseline == TWIN else ""
    return f"{line.target.name} / {line.baseline}{both}"


def requests_text(line: Line) -> str:
    """Requests per operation by opcode: ``GETATTR 2.00, LOOKUP 1.00``."""
    requests = line.requests
    if requests is None:
        return "none: no FUSE"
    if not requests.per_op:
        return requests.note or "0.00"
    counts = ", ".join(f"{op} {units.per_op(count)}" for op, count in requests.per_op.items())
    return f"{counts} ({requests.note})" if requests.note else counts


def expected_text(line: Line) -> str:
    """What a plain server is expected to be asked: ``GETATTR 1 to 3``."""
    expected = line.requests.expected if line.requests else {}
    return ", ".join(f"{op} {units.bound(*limits)}" for op, limits in expected.items())


def verdict_text(line: Line) -> str:
    """The verdict with its reason."""
    if line.verdict_reason and line.verdict != Verdict.BASELINE:
        return f"{line.verdict}: {line.verdict_reason}"
    return line.verdict or "none recorded"


def shown(finding: Finding) -> str:
    """A finding in the words of the run's clock: fewer instructions are not faster."""
    what = units.quantity()
    return {Finding.FASTER: what.below, Finding.SLOWER: what.above}.get(finding, finding.value)


def finding_text(line: Line) -> str:
    """What the ratio to its baseline shows, with how much: ``faster: by 12% at least``; or nothing."""
    judged = line.judgement
    if judged is None or judged.finding is Finding.NOT_ENGAGED:  # the proof's verdict says it
        return ""
    return f"{shown(judged.finding)}: {judged.reason}" if judged.reason else shown(judged.finding)
