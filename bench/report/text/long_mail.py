"""The long mail, with every row, and the robot's: plain ASCII of 72 columns, computed from the samples.

One table for each pair of arms: before, a server without passthrough; after, the same with it.
Rows that cannot be right, or show nothing, stay out, with the reason.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.model import UserError, Verdict
from bench.report import about, costs, units, words
from bench.report.row import Line, Row
from bench.report.studies.answer import answer
from bench.report.targets import TargetInRow, baseline_of, baselines, targets
from bench.report.text import kernels_beside
from bench.report.text.mail import command
from bench.stats.frame import Run
from bench.stats.verdicts import Finding, Judgement

WIDTH = 72
WIDTHS = (10, 10, 19, 3, 7, 7, 9)
HEADS = ("before", "after", "ratio", "n", "req/op", "after", "shows")
OUT = (Finding.IMPLAUSIBLE, Finding.TOO_FEW)
"""Findings that keep a row out of the table."""


@dataclass(frozen=True)
class Arm:
    """One row of a pair: what is before, what is after, and what that shows."""

    row: Row
    before: Line
    after: Line
    baseline: str

    @property
    def judgement(self) -> Judgement | None:
        """None where there was nothing to judge."""
        return self.after.judgements.get(self.baseline)

    @property
    def control(self) -> bool:
        """No level of the run touches what the row does: it must not move."""
        return self.after.control

    @property
    def moved(self) -> bool:
        """Whether it differs although nothing in it may."""
        seen = any(flag.word == "control moved" for flag in self.after.flags)
        return self.control and (seen or bool(self.judgement and self.judgement.decided))

    @property
    def slower(self) -> bool:
        """Whether the row was shown to get slower."""
        return bool(self.judgement and self.judgement.finding is Finding.SLOWER)

    @property
    def out(self) -> str:
        """Why the row is not in the table; empty when it is."""
        if self.moved:
            return ""
        if self.after.verdict in (Verdict.NOT_AVAILABLE, Verdict.NOT_ENGAGED):
            # What would raise the level is the table's to say; a mail has no room for it.
            return self.after.verdict_reason.partition(":")[0] or self.after.verdict
        if not self.after.time.known or not self.before.time.known:
            return "; ".join(self.after.trouble or self.before.trouble) or "no trial"
        judged = self.judgement
        if judged is None or judged.finding in OUT:
            return judged.reason if judged else "not judged"
        return ""


def block(run: Run, rows: Sequence[Row], wanted: Sequence[str] = ()) -> str:
    """The whole block, for the targets named, or for all that pass something through.

    Raises UserError where there is no baseline, or no such target.
    """
    against = baselines(run)
    if not against or not rows:
        raise UserError(f"{run.path}: nothing to compare: no baseline was measured")
    known = targets(run)
    lines: list[str] = []
    for target in _after(run, against, wanted):
        base = baseline_of(target, known, against)
        lines += _pair(target, arms(target, rows, base), base)
    lines += [*_blank(answer(run, rows)), *_blank(kernels_beside.lines(rows))]
    lines += ["Method", *_indented(method(run)), "", *_cost(run), "To reproduce", *command(run)]
    return units.ascii_only("\n".join(lines).rstrip() + "\n")


def _blank(lines: Sequence[str]) -> list[str]:
    return [*lines, ""] if lines else []


def _after(run: Run, against: Sequence[str], wanted: Sequence[str]) -> list[TargetInRow]:
    known = targets(run)
    if wanted:
        names = {target.name: target for target in known}
        if missing := [name for name in wanted if name not in names]:
            raise UserError(f"no target {', '.join(missing)}: the run has {', '.join(names)}")
        return [names[name] for name in wanted]
    found = [one for one in known if one.passes and one.base not in against]
    if not found:
        raise UserError(f"{run.path}: no target passes anything through; name one: --mail TARGET")
    return found


def arms(target: TargetInRow, rows: Sequence[Row], baseline: str) -> list[Arm]:
    """The pair's rows: those in which both were measured, or were to be."""
    found = []
    for row in rows:
        after = next((line for line in row.lines if line.target == target), None)
        before = next(
            (
                line
                for line in row.lines
                if line.target.base == baseline and line.target.kernel == target.kernel
            ),
            None,
        )
        if after is not None and before is not None:
            found.append(Arm(row, before, after, baseline))
    return found


def _pair(target: TargetInRow, pair: Sequence[Arm], baseline: str) -> Iterator[str]:
    told = [arm for arm in pair if not arm.out and not arm.control]
    controls = [arm for arm in pair if not arm.out and arm.control]
    left = [arm for arm in pair if arm.out]
    hidden = sum(_engaged(arm) and not arm.control for arm in left)
    yield from _wrapped(claim(target, told, controls, baseline, hidden))
    yield ""
    if told or controls:
        level = f" ({target.level})" if target.level and ":" not in target.name else ""
        yield from _wrapped(f"before: {baseline}   after: {target.name}{level}")
        yield _cells(HEADS)
        yield "-" * WIDTH
    yield from _sections(told, controls)
    if left:
        yield "left out:"
        for reason in dict.fromkeys(arm.out for arm in left):
            names = units.listing(arm.row.name for arm in left if arm.out == reason)
            yield from _wrapped(f"  {names}: {reason}", 4)
    yield ""


def _sections(told: Sequence[Arm], controls: Sequence[Arm]) -> Iterator[str]:
    """The rows by what they are there for; of controls that stand still the names will do."""
    still = [arm for arm in controls if not arm.moved]
    for title, some in (
        ("", [arm for arm in told if _engaged(arm) and not arm.slower]),
        (f"what gets {words.shown(Finding.SLOWER)}:", [arm for arm in told if arm.slower]),
        (
            "rows in which nothing is passed through:",
            [arm for arm in told if not _engaged(arm) and not arm.slower],
        ),
        ("controls, which no level touches, that moved:", [arm for arm in controls if arm.moved]),
    ):
        if some and title:
            yield title
        for arm in some:
            yield from _row(arm)
    if still:
        yield "controls, which no level touches:"
        names = units.listing(arm.row.name for arm in still)
        yield from _wrapped(f"  {names}: not shown to differ", 4)


def _engaged(arm: Arm) -> bool:
    return arm.after.verdict == Verdict.ENGAGED


def claim(
    target: TargetInRow, told: Sequence[Arm], controls: Sequence[Arm], baseline: str, hidden: int
) -> str:
    """One line: what was shown, with its best and its worst row; or that there is nothing to claim.

    ``hidden`` engaged rows are left out below.
    """
    engaged = [arm for arm in told if _engaged(arm)]
    moved = [arm for arm in controls if arm.moved]
    slower = units.times(sum(arm.slower for arm in told), "row")
    fixed = f"{units.times(len(controls), 'control')}, {len(moved)} moved"
    kept = f"{slower} {words.shown(Finding.SLOWER)}; {fixed}"
    if not engaged:
        out = f" is shown, {hidden} left out below" if hidden else ""
        return (
            f"{target.name} against {baseline}: no row in which passthrough engaged{out}; {kept}."
        )
    counts = {
        finding: sum(bool(arm.judgement and arm.judgement.finding == finding) for arm in engaged)
        for finding in Finding
    }
    said = ", ".join(
        f"{count} {words.shown(finding)}" for finding, count in counts.items() if count
    )
    ordered = sorted(engaged, key=lambda arm: arm.after.ratios[baseline].value)
    extremes = [ordered[0]] if ordered[0] is ordered[-1] else [ordered[0], ordered[-1]]
    best = "; ".join(
        f"{arm.row.name} {words.ratio_text(arm.after.ratios[baseline], baseline)}"
        for arm in extremes
    )
    return (
        f"{target.name} against {baseline}, {units.times(len(engaged), 'row')} with passthrough "
        f"engaged: {said} ({best}); {kept}."
    )


def _row(arm: Arm) -> Iterator[str]:
    said = f", {units.listing(arm.row.own)} with timeouts of its own" if arm.row.own else ""
    yield from _wrapped(f"{arm.row.name}{said}", 2)
    judged = arm.judgement
    yield _cells(
        (
            units.duration(arm.before.time.value),
            units.duration(arm.after.time.value),
            words.ratio_text(arm.after.ratios[arm.baseline], arm.baseline),
            str(arm.after.ratios[arm.baseline].n),
            _requests(arm.before),
            _requests(arm.after),
            _shown(arm, judged),
        )
    )
    if judged and judged.finding in (Finding.SAME, Finding.NOISY):
        yield from _wrapped(f"    {judged.reason}", 4)


def _shown(arm: Arm, judged: Judgement | None) -> str:
    if arm.moved:
        return "moved"
    return words.shown(judged.finding) if judged else ""


def _requests(line: Line) -> str:
    return "-" if line.requests is None else units.per_op(line.requests.total)


def method(run: Run) -> list[str]:
    """How it was measured, on what, and where: a line each."""
    settings = run.about.get("settings") or {}
    what = units.quantity()
    held = "held" if str(run.about.get("cpu_dma_latency", "")).startswith("held") else "not held"
    where = run.about.get("placement") or {}
    spec = run.about.get("tree") or {}
    disturbed = int(((run.trials["disturbed"] != "") & ~run.trials["superseded"]).sum())
    counted = what is units.INSTRUCTIONS
    rounds, holm = ("boots", "") if counted else ("rounds", ", Holm")
    return [
        f"{settings.get('trials', '?')} {rounds}, shuffled (seed {settings.get('seed', '?')}), fresh "
        f"mounts; {what.noun} paired, {what.ratios}{holm}",
        f"{about.kernel(run)}, {about.machine(run)}; placement {where.get('mode', '?')}, cpu_dma_latency "
        f"{held}",
        f"tree {spec.get('name', '?')}, {spec.get('files', '?')} files on "
        f"{(run.about.get('backing') or {}).get('filesystem', '?')}; requests by tracepoint; "
        f"{disturbed} trials disturbed",
    ]


def _indented(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in _wrapped(f"  {text}", 4)]


def _cost(run: Run) -> Iterator[str]:
    """The cost paragraph, or that it is missing and how to have it."""
    if run.costs:
        yield from costs.lines(run)
    else:
        yield "Costs"
        yield from _wrapped("  not measured in this run: --cost adds the cost sheet", 2)
    yield ""


def zero_day(run: Run, rows: Sequence[Row], wanted: Sequence[str] = ()) -> str:
    """Pairs of targets in the row layout of the 0-day robot: value, change, value, metric.

    Spread is the standard deviation of the trial medians relative to their mean, blank under 2 %.
    """
    against = baselines(run)
    if not against:
        raise UserError(f"{run.path}: nothing to compare: no baseline was measured")
    known = targets(run)
    lines: list[str] = []
    for target in _after(run, against, wanted):
        base = baseline_of(target, known, against)
        lines += [
            f"{base} -> {target.name}",
            f"{'%stddev':>17} {'%change':>9} {'%stddev':>17}",
        ]
        lines += ["-" * WIDTH]
        for arm in arms(target, rows, base):
            if not arm.out:
                lines += _zero_day_rows(arm)
        lines.append("")
    return units.ascii_only("\n".join(lines).rstrip() + "\n")


def _zero_day_rows(arm: Arm) -> Iterator[str]:
    what = units.quantity()
    scale, unit = (1e9, "ns") if what is units.WALL else (1.0, "insn")
    sides = (arm.before.time, arm.after.time)
    values = [
        f"{units.digits(side.value * scale, 4):>10} {_stddev(side.points):>6}" for side in sides
    ]
    change = f"{100 * (arm.after.ratios[arm.baseline].value - 1):>+8.1f}%"
    name = arm.row.name
    yield from _metric(f"{values[0]} {change} {values[1]}", f"{name} {unit}_per_op")
    if arm.before.requests and arm.after.requests:
        old, new = arm.before.requests.total, arm.after.requests.total
        moved = f"{100 * (new / old - 1):>+8.1f}%" if old else " " * 9
        yield from _metric(
            f"{old:>10.2f} {'':>6} {moved} {new:>10.2f} {'':>6}", f"{name} requests_per_op"
        )


def _metric(values: str, metric: str) -> Iterator[str]:
    if len(values) + 2 + len(metric) <= WIDTH:
        yield f"{values}  {metric}"
    else:
        yield values.rstrip()
        yield f"{metric:>{WIDTH}}"


def _stddev(points: Sequence[float]) -> str:
    mean = sum(points) / len(points) if points else 0.0
    if len(points) < 2 or not mean:
        return ""
    spread = (sum((point - mean) ** 2 for point in points) / (len(points) - 1)) ** 0.5 / mean
    return f"+-{100 * spread:3.0f}%" if spread >= 0.02 else ""


def _cells(cells: Sequence[str]) -> str:
    first, *rest = (f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
    return " ".join([first, *rest])


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)
