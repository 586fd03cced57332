"""Everything that a trial needs, held until the run ends."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench import registry
from bench.axes.rows import THREADS
from bench.axes.targets import SERVER_THREADS
from bench.machine import isolate, lab_switch, placement, tune
from bench.machine.knobs import KNOBS
from bench.machine.userns import Mounter
from bench.model import Clock, Level
from bench.mounts import backing
from bench.plan import unprivileged
from bench.plan.grid import KernelGives, targets
from bench.plan.needs import wanted_fixtures, wanted_sizes
from bench.plan.settings import Settings
from bench.probe import probe
from bench.probe.decide import KernelAbility
from bench.requests import tracepoint
from bench.run.bench import Bench
from bench.run.phases import Phases
from bench.run.workers import fork_worker, preload

if TYPE_CHECKING:
    pass


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


@contextmanager
def prepared(
    settings: Settings, view: Voice, clock: Phases, kernel: str = ""
) -> Iterator[tuple[Bench, KernelGives]]:
    """Everything a trial needs, held until the run ends: namespace, lock, latency, tree, placement.

    ``kernel`` is the label this kernel has in the run's tables.
    """
    fuse = any(registry.daemon(target.daemon).is_fuse for target in targets(settings))
    unprivileged.refuse(settings)
    standing = isolate.enter_private_namespace()
    with ExitStack() as stack:
        stack.callback(isolate.leave_runtime)
        directory = Path(settings.backing) if settings.backing else backing.default_directory()
        backing.check_directory(directory)
        stack.enter_context(backing.locked(directory))
        with clock("probe"):
            stack.callback(lab_switch.restore, lab_switch.variant())
            lab_switch.select(Level.LOOKUP)
            # On the instruction clock waiting takes no time at all, or any.
            limit_s = math.inf if settings.clock == Clock.INSTRUCTIONS else probe.PROBE_LIMIT_S
            ability = probe.probe_in_child(limit_s)
        if fuse:
            probe.require_fuse(ability)
        ability = replace(ability, standing=standing)
        if standing.mounter is Mounter.ROOT:
            announce_level(settings, ability, view)
        filled = filled_backing(settings, directory, view, clock)
        stack.enter_context(tracepoint.keep_tracepoint())
        tuned = stack.enter_context(tune.applied(KNOBS if settings.tune else ()))
        latency = stack.enter_context(placement.hold_cpu_dma_latency())
        cpus = place(settings)
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        placement.pin(0, cpus[1].runner)
        bench = make_bench(settings, filled, cpus, ability, latency, view)
        bench.tuned = tuned
        if told := unprivileged.line(ability, latency):
            view.warn(told)
        preload()
        yield bench, kernel_gives(ability, filled, kernel)


def kernel_gives(ability: KernelAbility, filled: backing.Backing, kernel: str) -> KernelGives:
    """What planning has to know of this kernel and this backing."""
    return KernelGives(
        ability.level,
        "; ".join(ability.reasons),
        filled.cache_refusals(),
        kernel,
        filled.lacking,
        unprivileged.withheld(ability),
        ability.xattrs,
    )


def filled_backing(
    settings: Settings, directory: Path, view: Voice, clock: Phases
) -> backing.Backing:
    """The backing with its tree, fixtures and flat directories: made, or found whole."""
    from workloads import tree

    with clock("tree"), view.building(settings.tree) as progress:
        filled = backing.fill(directory, tree.parse_tree(settings.tree), progress)
        filled = backing.furnish(filled, wanted_fixtures(settings))
    for size in wanted_sizes(settings):
        with clock("tree"), view.building(f"directories of {size:,} entries") as progress:
            backing.fill_flat(filled, size, progress)
    return filled


def place(settings: Settings) -> dict[int, placement.Cpus]:
    """CPUs for client, daemon and runner, among those this process may use, by client threads."""
    usable = placement.usable_cpus()
    siblings = placement.smt_siblings(usable)
    parts = settings.each()
    servers = max(1, *(count for part in parts for count in SERVER_THREADS.of(part.axes)))
    return {
        threads: placement.choose(settings.placement, usable, threads, siblings, servers=servers)
        for threads in sorted({1, *(count for part in parts for count in THREADS.of(part.axes))})
    }


def make_bench(
    settings: Settings,
    filled: backing.Backing,
    cpus: dict[int, placement.Cpus],
    ability: KernelAbility,
    latency: str,
    view: Voice,
) -> Bench:
    """What all trials share."""
    spec = filled.spec

    def paths(count: int, seed: int) -> list[str]:
        chance = random.Random(seed)
        numbers = chance.sample(range(spec.file_count), min(count, spec.file_count))
        return [spec.file_path(number) for number in numbers]

    return Bench(
        settings=settings,
        backing=filled.path,
        tree=spec.as_mapping(),
        paths=paths,
        logs=Path(),
        cpus=cpus[1],
        crowds={threads: schedule for threads, schedule in cpus.items() if threads > 1},
        ability=ability,
        filled=filled,
        latency=latency,
        start_worker=fork_worker,
        tick=view.tick,
        warm_backing=warmer(filled),
    )


def warmer(filled: backing.Backing) -> Callable[[], None]:
    """What makes the backing warm, natively, before every mount: once and for all where it is memory."""
    if filled.filesystem in backing.MEMORY_BACKED:
        backing.touch(filled)
        return lambda: None
    return lambda: backing.touch(filled)


def announce_level(settings: Settings, ability: KernelAbility, view: Voice) -> None:
    """Say before anything is measured when the kernel gives less than was asked for."""
    wanting = [target for target in targets(settings) if target.asked.rank > ability.level.rank]
    if wanting:
        names = ", ".join(f"{target.name} asked for level {target.asked}" for target in wanting)
        view.warn(f"{names}, this kernel gives {ability.level}: " + "; ".join(ability.reasons))
