"""Every target compared with its backing before it is measured, and its cost sheet."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import registry
from bench.model import FOREVER_S
from bench.mounts.mount import TrialError
from bench.plan.schedule import Plan
from bench.plan.series import Series
from bench.results.cost_line import CostLine
from bench.results.store import RunDirectory
from bench.run import conformance, cost, side_mounts, watch
from bench.run.bench import Bench
from bench.run.prepare import Voice

if TYPE_CHECKING:
    pass


CONFORMANCE_SAMPLE = 200
"""Files asked for twice with every timeout at 0: the second time is what passthrough answers."""


def sheet(
    run: RunDirectory, planned: Plan, bench: Bench, view: Voice, broken: dict[str, str]
) -> None:
    """The cost sheet of every target that has no line in it yet."""
    done = {record["target"] for record in run.costs()}
    for record in costs(planned, bench, view, {*broken, *done}):
        run.append_cost(record)


def costs(
    planned: Plan, bench: Bench, view: Voice, leave_out: Collection[str]
) -> Iterator[CostLine]:
    """A cost record for each target of the plan but those named."""
    for name, series in one_each(planned).items():
        if name not in leave_out:
            view.status(f"costs of {name}: every file of the tree, once")
            yield cost.measure(bench, series)


def one_each(planned: Plan) -> dict[str, Series]:
    """A series of each target, by the target's name."""
    return {one.series.target: one.series for one in planned.trials}


def check_targets(planned: Plan, bench: Bench, view: Voice) -> dict[str, str]:
    """Compare every target with the backing on mounts of its own; returns reasons by target.

    This is not done on a trial's mount: it would show the mount every name a cold row needs unseen.
    """
    broken: dict[str, str] = {}
    for name, series in one_each(planned).items():
        if registry.daemon(series.daemon).argv is None:
            continue
        view.status(f"comparing {name} with the backing, entry by entry")
        try:
            reason = check_target(bench, series, view)
        except (TrialError, OSError) as error:
            reason = f"conformance: {error}"
        if reason:
            broken[name] = reason
            view.warn(f"{name}: {reason}")
    return broken


def check_target(bench: Bench, series: Series, view: Voice) -> str:
    """What is wrong with a target's answers; empty when nothing is.

    Once over the whole tree, as lookups and listings first tell it; then a sample of entries on a
    mount whose timeouts are 0, so that every field comes from a GETATTR (or its passthrough).
    """
    whole, data, sample = _compared(bench, series)
    exempt = registry.daemon(series.daemon).exempt
    spared = f"; left aside: {', '.join(sorted(exempt))}" if exempt else ""
    view.say(f"{series.target}: {whole}, {data.contents} data files{spared}")
    different = (*whole.differences, *data.differences, *sample.differences)
    return f"answers differ from the backing: {different[0]}" if different else ""


def _compared(
    bench: Bench, series: Series
) -> tuple[conformance.Report, conformance.Report, conformance.Report]:
    """The tree, the data files, and a sample of the tree asked again, at timeouts of 0."""
    from workloads import tree

    daemon = registry.daemon(series.daemon)
    with side_mounts.mounted(bench, series, "conformance", FOREVER_S) as mount:
        compare = partial(
            conformance.compare,
            bench.backing / "tree",
            mount.root / "tree",
            limit=bench.settings.conformance,
            seed=bench.settings.seed,
            exempt=daemon.exempt,
        )
        whole = watch.look(bench, mount, _log(bench, series), "comparison", compare)
        compare_data = partial(
            conformance.compare_data,
            bench.backing,
            mount.root,
            tree.Data().paths(),
            seed=bench.settings.seed,
            exempt=daemon.exempt,
        )
        data = watch.look(bench, mount, _log(bench, series), "comparison", compare_data)
    with side_mounts.mounted(bench, series, "conformance", 0.0) as mount:
        paths = bench.paths(min(CONFORMANCE_SAMPLE, bench.settings.names), bench.settings.seed)
        check = partial(
            conformance.spot_check, bench.backing, mount.root, paths * 2, exempt=daemon.exempt
        )
        sample = watch.look(bench, mount, _log(bench, series), "comparison", check)
    return whole, data, sample


def _log(bench: Bench, series: Series) -> Path:
    """The log of the side mounts a target is compared on."""
    return bench.logs / f"conformance-{series.target}.log"
