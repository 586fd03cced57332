"""A whole run: probe, tree, plan, conformance, trials round by round, and what is written down."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench import (
    aside,
    backing,
    conformance,
    cost,
    environment,
    foreign,
    isolate,
    knobs,
    labkernel,
    placement,
    plan,
    probe,
    registry,
    tracing,
    trial,
    tune,
)
from bench.axes import Skipped
from bench.knobs import KNOBS
from bench.model import (
    Daemon,
    Exit,
    Level,
    Outcome,
    Placement,
    Series,
    Target,
    Trial,
    UserError,
)
from bench.mount import TrialError
from bench.plan import Plan, Settings
from bench.store import RunDirectory

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


class Timer:
    """Wall-clock seconds of the run's phases; what no phase accounts for is orchestration."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.add(phase, time.monotonic() - began)

    def add(self, phase: str, seconds: float) -> None:
        """Account seconds to a phase."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def summary(self) -> dict[str, float]:
        """Seconds per phase, with ``orchestration`` and ``total``."""
        total = time.monotonic() - self.began
        accounted = sum(self.seconds.values())
        phases = {**self.seconds, "orchestration": total - accounted, "total": total}
        return {name: round(seconds, 3) for name, seconds in phases.items()}


def start(settings: Settings, output: Path | None, argv: list[str], view: View) -> Result:
    """Make a new run; raises UserError when nothing can be measured."""
    if settings.kernels:
        from bench import guests

        return guests.start(settings, output or default_output(), argv, view)
    clock = Timer()
    with prepared(settings, view, clock) as (bench, ground):
        planned = plan.make(settings, ground)
        refuse_empty(planned)
        for item in planned.skipped:
            view.say(f"skipped {item.what}: {item.reason}")
        header = make_header(settings, argv, facts(bench, planned), planned.skipped)
        run = RunDirectory.create(output or default_output(), header)
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
        refuse_other_machine(header, facts(bench, planned))
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
    finished = None if interrupted else now()
    run.update_header(finished=finished, phases=clock.summary())
    return Result(run, work.counts, interrupted)


@dataclass
class Work:
    """Trials as they are done: one after another, each on disk before the next begins."""

    run: RunDirectory
    bench: trial.Bench
    view: View
    clock: Timer
    broken: dict[str, str] = field(default_factory=dict)
    """Targets whose answers differ from the backing, and how."""
    counts: Counter[str] = field(default_factory=Counter)

    def all(self, trials: Sequence[Trial]) -> None:
        """These, in this order."""
        with self.view.trials(len(trials)) as progress:
            for one in trials:
                progress.begin(one)
                with self.clock("trials"):
                    record, pyperf_json = do(self.bench, one, self.broken)
                keep(self.run, record, pyperf_json)
                self.counts[record["outcome"]] += 1
                progress.end(record)

    def another(self, ground: plan.Ground, number: int, wide: Collection[str]) -> bool:
        """One more round of these comparisons; whether there was anything to do."""
        more = plan.one_round(self.bench.settings, ground, number)
        more = [one for one in more if one.series.comparison in wide]
        self.all(more)
        self.again(more)
        return bool(more)

    def again(self, trials: Sequence[Trial]) -> None:
        """Of these, what was disturbed: once more, with what it is compared with."""
        if self.bench.settings.quick:
            return
        ours = {(one.series.label, one.round) for one in trials}
        records = [
            line
            for line in self.run.trials()
            if (line["series"], line["round"]) in ours and line["outcome"] == Outcome.OK
        ]
        if not any(line["disturbed"] for line in records):
            return
        more = plan.repeats(trials, records)
        count = sum(bool(line["disturbed"]) for line in records)
        said = f"{count} of {len(records)} trials were disturbed by something else"
        if more:
            self.view.say(f"{said}: {len(more)} trials are made again")
            self.all(more)
        else:
            self.view.warn(f"{said}: this machine is not quiet, nothing is made again")


def until_precise(
    settings: Settings, run: RunDirectory, view: View, another: Callable[[int, list[str]], bool]
) -> None:
    """More rounds, until the intervals of every comparison are narrow enough.

    ``another`` makes round ``number`` of the comparisons named, and says whether there was any.
    Stops on width or on time, never on what the numbers say: a verdict that may stop a run makes itself.
    """
    assert settings.precision is not None
    began = time.monotonic()
    while wide := too_wide(run, settings.precision):
        if time.monotonic() - began > settings.max_time_s:
            view.warn(
                f"after {settings.max_time_s:.0f} s {len(wide)} comparisons are still wider than "
                f"+-{settings.precision:.1%}: give it more --max-time, or a quieter machine"
            )
            return
        number = 1 + max((line["round"] for line in run.trials()), default=-1)
        view.say(f"round {number + 1}: {len(wide)} comparisons are not yet precise enough")
        if not another(number, wide):
            return


def too_wide(run: RunDirectory, precision: float) -> list[str]:
    """Comparisons with a ratio whose interval is wider; by a process of its own, as it takes NumPy."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.report.precision", str(run.path), repr(precision)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return list(json.loads(done.stdout))


def do(bench: trial.Bench, one: Trial, broken: dict[str, str]) -> tuple[dict[str, Any], str]:
    """One trial, or the record that says why its target is not tried."""
    if reason := broken.get(one.series.target):
        return trial.skipped(bench, one, reason), ""
    if not bench.backing.is_dir():
        return trial.skipped(bench, one, f"the backing directory {bench.backing} has vanished"), ""
    return trial.run(bench, one)


def keep(run: RunDirectory, record: dict[str, Any], pyperf_json: str) -> None:
    """Write a trial down; the line first, as it is the truth the pyperf file follows."""
    try:
        run.append_trial(record)
        if pyperf_json:
            run.add_pyperf_run(record["series"], pyperf_json)
    except OSError as error:
        raise UserError(
            f"cannot write results to {run.path}: {error.strerror}; what was written before is whole",
            Exit.PROOF_FAILED,
        ) from None
    except ValueError as error:  # pyperf refuses to mix runs of different machines
        raise UserError(f"{run.path}: {record['series']} was begun elsewhere: {error}") from None


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
    """
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
    spared = f"; left aside: {', '.join(sorted(daemon.exempt))}" if daemon.exempt else ""
    view.say(f"{series.target}: {whole}{spared}")
    different = (*whole.differences, *sample.differences)
    return f"answers differ from the backing: {different[0]}" if different else ""


def announce_level(settings: Settings, ability: probe.KernelAbility, view: Voice) -> None:
    """Say before anything is measured when the kernel gives less than was asked for."""
    wanting = [
        target for target in plan.targets(settings) if target.asked.rank > ability.level.rank
    ]
    if wanting:
        names = ", ".join(f"{target.name} asked for level {target.asked}" for target in wanting)
        view.warn(f"{names}, this kernel gives {ability.level}: " + "; ".join(ability.reasons))


def facts(bench: trial.Bench, planned: Plan) -> dict[str, Any]:
    """What run.json says of the kernel and machine the trials run on, and of their targets."""
    ability = bench.ability
    return {
        "targets": [target_record(target, planned, bench) for target in planned.targets],
        "tree": bench.filled.spec.as_mapping(),
        "backing": bench.filled.describe(),
        "kernel_level": {
            "level": ability.level.value,
            "readdir": ability.readdir,
            "reasons": list(ability.reasons),
        },
        "environment": {
            **environment.collect(bench.filled.path),
            "fuse": dict(ability.facts),
        },
        "cpu_dma_latency": bench.latency,
        "knobs": knobs.as_json(knobs.states()),
        "tuned": bench.tuned,
        "placement": bench.cpus.as_json()
        | {"threads": {str(n): cpus.as_json() for n, cpus in bench.crowds.items()}},
    }


def make_header(
    settings: Settings, argv: list[str], found: dict[str, Any], skipped: tuple[Skipped, ...]
) -> dict[str, Any]:
    """run.json as it stands before the first trial."""
    return {
        "started": now(),
        "finished": None,
        "argv": argv,
        "settings": settings.to_json(),
        "clock": settings.clock,
        **found,
        "skipped": [asdict(item) for item in skipped],
        "phases": {},
    }


def target_record(target: Target, planned: Plan, bench: trial.Bench) -> dict[str, Any]:
    """One entry of run.json's ``targets``."""
    daemon = registry.daemon(target.daemon)
    series = next(one.series for one in planned.trials if one.series.way == target.way)
    ground = plan.Ground(bench.ability.level, "; ".join(bench.ability.reasons))
    return {
        "name": series.target,
        "daemon": daemon.name,
        "kernel": series.kernel,
        "summary": daemon.summary,
        "kind": kind(daemon),
        "exempt": sorted(daemon.exempt),
        "python": daemon.python,
        "level_asked": target.asked.value,
        "level": series.level.value,
        "level_reason": plan.why_lower(daemon, target.asked, ground),
        "readdir": series.readdir,
        "readdir_mode": daemon.mode(series.serving),
        "server_threads": series.serving.threads,
        "clone_fd": series.serving.clone_fd,
    }


def kind(daemon: Daemon) -> str:
    """What stands behind a target."""
    if daemon.argv is None:
        return "native"
    return "fuse" if daemon.is_fuse else "kernel"


def refuse_other_machine(old: dict[str, Any], new: dict[str, Any]) -> None:
    """A run is finished where it was begun; raises UserError naming what differs."""
    checks: dict[str, Callable[[dict[str, Any]], Any]] = {
        "kernel": lambda header: header["environment"].get("kernel_release"),
        "CPU": lambda header: header["environment"].get("cpu_model"),
        "passthrough level": lambda header: header["kernel_level"]["level"],
        "tree": lambda header: header["tree"]["hash"],
        "backing file system": lambda header: header["backing"]["filesystem"],
        "cpu_dma_latency": lambda header: header["cpu_dma_latency"],
    }
    different = [name for name, pick in checks.items() if pick(old) != pick(new)]
    if different:
        raise UserError(
            f"cannot resume here: {', '.join(different)} differ from the run's; start a new run"
        )


def default_output() -> Path:
    """results/local/<date>-<time> below the current directory; a second within the second waits."""
    while True:
        name = datetime.now(UTC).astimezone().strftime("%Y%m%d-%H%M%S")
        path = Path("results/local") / name
        if not path.exists():
            return path
        time.sleep(0.1)


def now() -> str:
    """The time with its zone, as ISO 8601."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
