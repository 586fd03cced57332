"""A whole run: probe, tree, plan, conformance, trials round by round, and what is written down."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench import (
    aside,
    backing,
    conformance,
    cost,
    foreign,
    headers,
    isolate,
    labkernel,
    placement,
    plan,
    probe,
    registry,
    tracing,
    trial,
    tune,
)
from bench.knobs import KNOBS
from bench.model import (
    Exit,
    Level,
    Outcome,
    Placement,
    Series,
    Trial,
    UserError,
)
from bench.mount import TrialError
from bench.plan import Plan, Settings
from bench.store import RunDirectory
from bench.work import Timer, Work, until_precise

if TYPE_CHECKING:
    from bench.view import View


class Voice(Protocol):
    """The face of a run as far as preparing and checking need it; guests have one of their own."""

    def say(self, text: str) -> None:
        """One line of news."""

    def status(self, text: str) -> None:
        """What is being done now."""

    def warn(self, text: str) -> None:
        """One line that must not be overlooked."""

    def tick(self) -> None:
        """Time passes."""

    def building(self, name: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Progress of the tree builder."""


CONFORMANCE_SAMPLE = 200
"""Files asked for twice with every timeout at 0: the second time is what passthrough answers."""


@dataclass
class Result:
    """What a run came to: its directory, and how many trials ended how."""

    run: RunDirectory
    counts: dict[str, int]
    interrupted: bool = False

    @property
    def exit(self) -> Exit:
        """The process's exit code."""
        if self.interrupted:
            return Exit.INTERRUPTED
        if not self.counts.get(Outcome.OK):
            return Exit.NOTHING
        return Exit.PROOF_FAILED if self.counts.get(Outcome.FAILED) else Exit.MEASURED


def start(settings: Settings, output: Path | None, argv: list[str], view: View) -> Result:
    """Make a new run; raises UserError when nothing can be measured."""
    if settings.kernels:
        from bench import guests

        return guests.start(settings, output or headers.default_output(), argv, view)
    clock = Timer()
    with prepared(settings, view, clock) as (bench, ground):
        planned = plan.make(settings, ground)
        refuse_empty(planned)
        for item in planned.skipped:
            view.say(f"skipped {item.what}: {item.reason}")
        header = headers.make_header(settings, argv, headers.facts(bench, planned), planned.skipped)
        run = RunDirectory.create(output or headers.default_output(), header)
        return go(run, ground, planned, bench, view, clock)


def resume(run: RunDirectory, view: View) -> Result:
    """Finish a run: do the trials of its plan that have no line yet."""
    header = run.header()
    settings = foreign.introduce(Settings.from_json(header["settings"]))
    if settings.kernels:
        from bench import guests

        return guests.resume(run, settings, view)
    clock = Timer()
    with prepared(settings, view, clock) as (bench, ground):
        planned = plan.make(settings, ground)
        headers.refuse_other_machine(header, headers.facts(bench, planned))
        left = len(not_done(planned.trials, run))
        view.say(f"resuming {run.path.name}: {left} of {len(planned.trials)} trials to do")
        return go(run, ground, planned, bench, view, clock)


def not_done(trials: tuple[Trial, ...], run: RunDirectory) -> tuple[Trial, ...]:
    """The trials that have no line in trials.jsonl."""
    done = {(record["series"], record["round"]) for record in run.trials()}
    return tuple(one for one in trials if (one.series.label, one.round) not in done)


def refuse_empty(planned: Plan) -> None:
    """Raises UserError with the reasons when a plan holds no trial."""
    if not planned.trials:
        reasons = "; ".join(f"{item.what}: {item.reason}" for item in planned.skipped)
        raise UserError(f"nothing to measure: {reasons}", Exit.NOTHING)


@contextmanager
def prepared(
    settings: Settings, view: Voice, clock: Timer, kernel: str = ""
) -> Iterator[tuple[trial.Bench, plan.Ground]]:
    """Everything a trial needs, held until the run ends: namespace, lock, latency, tree, placement.

    ``kernel`` is the label this kernel has in the run's tables.
    """
    from workloads import tree

    fuse = any(registry.daemon(target.daemon).is_fuse for target in plan.targets(settings))
    spec = tree.parse_tree(settings.tree)
    isolate.enter_private_namespace()
    with ExitStack() as stack:
        stack.callback(isolate.leave_runtime)
        directory = Path(settings.backing) if settings.backing else backing.default_directory()
        backing.check_directory(directory)
        stack.enter_context(backing.locked(directory))
        with clock("probe"):
            stack.callback(labkernel.restore, labkernel.variant())
            labkernel.select(Level.LOOKUP)
            ability = probe.probe()
        if fuse:
            probe.require_fuse(ability)
        announce_level(settings, ability, view)
        with clock("tree"), view.building(settings.tree) as progress:
            filled = backing.fill(directory, spec, progress, git=wants_git(settings))
        for size in wanted_sizes(settings):
            with clock("tree"), view.building(f"directories of {size:,} entries") as progress:
                backing.fill_flat(filled, size, progress)
        stack.enter_context(tracing.keep_tracepoint())
        tuned = stack.enter_context(tune.applied(KNOBS if settings.tune else ()))
        latency = stack.enter_context(placement.hold_cpu_dma_latency())
        cpus = place(settings)
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        placement.pin(0, cpus[1].runner)
        bench = make_bench(settings, filled, cpus, ability, latency, view)
        bench.tuned = tuned
        why = "; ".join(ability.reasons)
        yield bench, plan.Ground(ability.level, why, filled.cache_refusals(), kernel)


def wants_git(settings: Settings) -> bool:
    """Whether a workload of the run needs the generated repository."""
    wanted = [row for part in settings.each() for row in registry.rows(part.workloads)]
    return any("git" in workload.needs for workload, _ in wanted)


def wanted_sizes(settings: Settings) -> tuple[int, ...]:
    """Directory sizes of the run, of those parts whose workloads have them as an axis."""
    sizes = {
        size
        for part in settings.each()
        if any(workload.sized for workload, _ in registry.rows(part.workloads))
        for size in part.entries
    }
    return tuple(sorted(sizes))


def place(settings: Settings) -> dict[int, placement.Plan]:
    """CPUs for client, daemon and runner, among those this process may use, by client threads."""
    usable = placement.usable_cpus()
    siblings = placement.smt_siblings(usable)
    parts = settings.each()
    servers = max(1, *(count for part in parts for count in part.server_threads))
    return {
        threads: placement.choose(
            Placement(settings.placement), usable, threads, siblings, servers=servers
        )
        for threads in sorted({1, *(count for part in parts for count in part.threads)})
    }


def make_bench(
    settings: Settings,
    filled: backing.Backing,
    cpus: dict[int, placement.Plan],
    ability: probe.KernelAbility,
    latency: str,
    view: Voice,
) -> trial.Bench:
    """What all trials share."""
    spec = filled.spec

    def paths(count: int, seed: int) -> list[str]:
        chance = random.Random(seed)
        numbers = chance.sample(range(spec.file_count), min(count, spec.file_count))
        return [spec.file_path(number) for number in numbers]

    return trial.Bench(
        settings=settings,
        backing=filled.path,
        tree=spec.as_mapping(),
        paths=paths,
        logs=Path(),
        cpus=cpus[1],
        crowds={threads: plan for threads, plan in cpus.items() if threads > 1},
        ability=ability,
        filled=filled,
        latency=latency,
        start_worker=trial.spawn_worker,
        tick=view.tick,
        warm_backing=warmer(filled),
    )


def warmer(filled: backing.Backing) -> Callable[[], None]:
    """Walk a disk-backed tree natively before every mount; memory-backed ones are always warm."""
    if filled.filesystem in backing.MEMORY_BACKED:
        return lambda: None
    from workloads._native import opdriver

    return lambda: (opdriver.walk(os.fsencode(filled.path), stat=True), None)[1]


def go(
    run: RunDirectory,
    ground: plan.Ground,
    planned: Plan,
    bench: trial.Bench,
    view: View,
    clock: Timer,
) -> Result:
    """Conformance, then every trial that has no line yet; the directory is right after each of them.

    Then what was disturbed, once more, and more rounds until the precision asked for is reached.
    """
    bench.logs = run.path / "logs"
    work = Work(run, bench, view, clock)
    interrupted = False
    try:
        with clock("conformance"):
            work.broken = check_targets(planned, bench, view)
        if bench.settings.cost:
            with clock("cost"):
                sheet(run, planned, bench, view, work.broken)
        work.all(not_done(planned.trials, run))
        work.again(planned.trials)
        if bench.settings.precision is not None:
            until_precise(bench.settings, run, view, partial(work.another, ground))
    except KeyboardInterrupt:
        interrupted = True
        view.warn(f"interrupted; finish it with: python -m bench run --resume {run.path}")
    finished = None if interrupted else headers.now()
    run.update_header(finished=finished, phases=clock.summary())
    return Result(run, work.counts, interrupted)


def sheet(
    run: RunDirectory, planned: Plan, bench: trial.Bench, view: Voice, broken: dict[str, str]
) -> None:
    """The cost sheet of every target that has no line in it yet."""
    done = {record["target"] for record in run.costs()}
    for record in costs(planned, bench, view, {*broken, *done}):
        run.append_cost(record)


def costs(
    planned: Plan, bench: trial.Bench, view: Voice, leave_out: Collection[str]
) -> Iterator[dict[str, Any]]:
    """A cost record for each target of the plan but those named."""
    for name, series in one_each(planned).items():
        if name not in leave_out:
            view.status(f"costs of {name}: every file of the tree, once")
            yield cost.measure(bench, series)


def one_each(planned: Plan) -> dict[str, Series]:
    """A series of each target, by the target's name."""
    return {one.series.target: one.series for one in planned.trials}


def check_targets(planned: Plan, bench: trial.Bench, view: Voice) -> dict[str, str]:
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


def check_target(bench: trial.Bench, series: Series, view: Voice) -> str:
    """What is wrong with a target's answers; empty when nothing is.

    Once over the whole tree, as lookups and listings first tell it; then a sample of entries on a
    mount whose timeouts are 0, so that every field comes from a GETATTR (or its passthrough).
    Where the server runs: across CPUs each of thousands of requests would wake an idle one.
    """
    with placement.pinned(bench.cpus.daemon):
        whole, sample = _compared(bench, series)
    exempt = registry.daemon(series.daemon).exempt
    spared = f"; left aside: {', '.join(sorted(exempt))}" if exempt else ""
    view.say(f"{series.target}: {whole}{spared}")
    different = (*whole.differences, *sample.differences)
    return f"answers differ from the backing: {different[0]}" if different else ""


def _compared(bench: trial.Bench, series: Series) -> tuple[conformance.Report, conformance.Report]:
    daemon = registry.daemon(series.daemon)
    with aside.mounted(bench, series, "conformance", aside.FOREVER_S) as mount:
        whole = conformance.compare(
            bench.backing / "tree",
            mount.root / "tree",
            limit=bench.settings.conformance,
            seed=bench.settings.seed,
            exempt=daemon.exempt,
        )
    with aside.mounted(bench, series, "conformance", 0.0) as mount:
        paths = bench.paths(min(CONFORMANCE_SAMPLE, bench.settings.names), bench.settings.seed)
        sample = conformance.spot_check(bench.backing, mount.root, paths * 2, exempt=daemon.exempt)
    return whole, sample


def announce_level(settings: Settings, ability: probe.KernelAbility, view: Voice) -> None:
    """Say before anything is measured when the kernel gives less than was asked for."""
    wanting = [
        target for target in plan.targets(settings) if target.asked.rank > ability.level.rank
    ]
    if wanting:
        names = ", ".join(f"{target.name} asked for level {target.asked}" for target in wanting)
        view.warn(f"{names}, this kernel gives {ability.level}: " + "; ".join(ability.reasons))
