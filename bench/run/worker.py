"""One trial's work in a process of its own: prepare, warm, count, time with pyperf, report.

Forked by bench.run.workers.
The phases never overlap: requests are counted in a window of their own, so that armed
tracepoints are not inside what is timed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from bench import registry
from bench.model import (
    Body,
    Bound,
    Cache,
    Clock,
    Opcode,
    Requests,
    Shape,
    UserError,
    Window,
    Workload,
)
from bench.requests import attribution, counters, proof, tracepoint
from bench.requests.sources import NotCounted
from bench.run.job import Job
from bench.run.steady import align, same_loops, settle, used_up

COUNT_OPS = 251
"""At least this many operations are counted (a prime: an accidental multiple would show)."""
MAX_LOOPS = 1 << 24


def serve(job: Job) -> int:
    """Do a job; the result goes to the descriptor it names, as one JSON object."""
    try:
        answer = work(job)
    except OSError as error:
        name = os.fsdecode(error.filename) if error.filename else ""
        words = f"{name}: {error.strerror}" if name else str(error.strerror or error)
        answer = {"error": words, "errno": error.errno}
    except (ValueError, RuntimeError, NotCounted, UserError) as error:
        answer = {"error": str(error)}
    with os.fdopen(job.result, "w") as file:
        json.dump(answer, file)
    return 0


def work(job: Job) -> dict[str, Any]:
    """Run the job's phases; returns what the runner writes into the trial's line."""
    workload = registry.workloads()[job.workload]
    began = time.monotonic()
    body = workload.prepare(job.context)
    answer: dict[str, Any] = {
        "op": workload.op,
        "unit": workload.unit,
        "ops_per_loop": body.ops_per_loop,
    }
    try:
        if job.context.cache is Cache.WARM:
            body.warm()
        counted = time.monotonic()
        if job.count and job.connection is not None:
            answer["requests"] = requests_as_json(count(job, workload, body, job.connection))
        measured = time.monotonic()
        if job.measure:
            answer |= measure(job, workload, body)
        answer["empty_loop_ns"] = body.empty_loop_ns()
        answer["expected"] = bounds_as_json(workload.expect(job.context))
        if workload.shape is Shape.REPEAT and job.measure:
            answer |= latencies(job, body, answer["loops"])
        attributed = time.monotonic()
        if job.attribution:
            answer["attribution"] = attribution.attribute(
                body, workload.shape, job.context.threads, job.connection, job.counters
            )
        looked_at = time.monotonic()
        if job.profile is not None:
            answer["profile"] = profiled(job, body, answer.get("loops", 1))
    finally:
        body.close()
    end = time.monotonic()
    answer["phases"] = {
        "prepare": counted - began,
        "count": measured - counted,
        "measure": attributed - measured,
        "attribute": looked_at - attributed,
        "profile": end - looked_at,
    }
    return answer


def count(job: Job, workload: Workload, body: Body, connection: int) -> Requests:
    """One window with the tracepoints armed; the server's own counters are read around it."""
    loops = 1
    if workload.shape is Shape.REPEAT:
        loops = -(-COUNT_OPS // body.ops_per_loop)
    served = partial(counters.read, job.counters) if job.counters else None
    with tracepoint.RequestCounter(connection) as counter:
        body.before()
        tracepoint.quiesce(connection, counter=counter, served=served)
        before = counters.read(job.counters) if job.counters else None
        if counter.source:
            counter.start()
        window = body.window(loops)
        why = (
            []
            if tracepoint.quiesce(connection, counter=counter, served=served)
            else ["requests were still under way"]
        )
        kernel, server = None, None
        if counter.source:
            counter.stop()
            kernel = counter.read()
        else:
            why.append(counter.why)
        if job.counters and before is not None:
            server = counters.read(job.counters).since(before).requests
    check_window(body, loops, window)
    return Requests(window.ops, kernel, server, "; ".join(why))


def measure(job: Job, workload: Workload, body: Body) -> dict[str, Any]:
    """Time ``job.values`` windows as one pyperf run, sent through the job's pipe."""
    import pyperf

    loops = calibrate(body, job.window_s) if workload.shape is Shape.REPEAT else 1
    if job.clock is Clock.INSTRUCTIONS:
        loops = same_loops(loops)
    values = 1 if used_up(job, workload) else job.values
    if body.most_windows is not None:
        values = min(values, body.most_windows - 1 - (job.profile is not None))
    taken: list[float] = []

    def timed(asked: int) -> float:
        body.before()
        if job.clock is Clock.INSTRUCTIONS:
            align()
        window = body.window(asked)
        check_window(body, asked, window)
        return window.ns / job.clock.unit_ns

    def time_func(asked: int) -> float:
        taken.append(timed(asked))
        return taken[-1]

    if values > 1:
        settle(job, workload, lambda: timed(loops))
    runner = pyperf.Runner(metadata=metadata(job))
    runner.parse_args(
        f"--worker --pipe {job.pipe} --loops {loops} --values {values} --warmups 0".split()
    )
    runner.bench_time_func(job.label, time_func, inner_loops=body.ops_per_loop)
    per_window = loops * body.ops_per_loop
    return {"loops": loops, "values": [window / per_window for window in taken]}


def profiled(job: Job, body: Body, loops: int) -> dict[str, Any]:
    """One more window like those timed, under the emulator's eye."""
    from bench.profile import inside

    assert job.profile is not None
    body.before()
    align()
    found = inside.window(lambda: body.window(loops), job.profile, job.clock.unit_ns)
    if found["ops"] != loops * body.ops_per_loop:
        raise RuntimeError(f"did {found['ops']} operations in the profiled window")
    return found


def calibrate(body: Body, window_s: float) -> int:
    """How many loops fill a window of ``window_s`` seconds; what it runs also settles the caches."""
    loops = 1
    while True:
        body.before()
        window = body.window(loops)
        taken = window.ns / 1e9
        if taken >= window_s / 4 or loops >= MAX_LOOPS:
            return max(1, round(loops * window_s / taken)) if taken else loops
        loops *= 4


def check_window(body: Body, loops: int, window: Window) -> None:
    """A window that did other than it was asked must not become a number."""
    if window.ops != loops * body.ops_per_loop:
        raise RuntimeError(
            f"did {window.ops} operations where {loops * body.ops_per_loop} were asked for"
        )
    if window.ns <= 0:
        raise RuntimeError("the clock did not advance during a window")


def latencies(job: Job, body: Body, loops: int) -> dict[str, Any]:
    """The latency of each operation, in the passes that were asked for."""
    found: dict[str, Any] = {}
    if job.context.histogram:
        found["histogram"] = sampled_pass(body, loops)
    if job.context.rate:
        found["open_loop"] = paced_pass(body, loops, job.context.rate)
    return found


def sampled_pass(body: Body, loops: int) -> dict[str, int]:
    """Latency of every operation of one more window, apart from the timed ones."""
    window = body.window(loops, sampled=True)
    return {str(bound): number for bound, number in (window.histogram or {}).items()}


def paced_pass(body: Body, loops: int, rate: float) -> dict[str, Any] | None:
    """One more window of as many operations as a timed one, each begun when it is due, at least
    a few hundred of them: what latencies are where load comes from outside and does not wait.
    """
    enough = -(-COUNT_OPS // body.ops_per_loop)
    window = body.paced(max(loops, enough), rate)
    if window is None:
        return None
    latencies = {str(bound): number for bound, number in (window.histogram or {}).items()}
    return {"asked": rate, "kept": window.ops / window.ns * 1e9, "histogram": latencies}


def metadata(job: Job) -> dict[str, Any]:
    """What pyperf stores with the run, for people who open the series file alone."""
    context = job.context
    unit = {} if job.clock is Clock.WALL else {"unit": "integer", "clock": "instructions"}
    return {
        **unit,
        # A published file shall not tell whose machine it was, nor where things lay on it.
        **dict.fromkeys(("hostname", "python_executable", "python_config_args"), "-"),
        "workload": job.workload,
        "variant": context.variant or "-",
        "cache": context.cache.value,
        "threads": context.threads,
        "attr_timeout_s": context.attr_timeout,
        "entry_timeout_s": context.entry_timeout,
    }


def requests_as_json(requests: Requests) -> dict[str, Any]:
    """Counts keyed by opcode name, and whether the two sources agree."""
    agree, why = proof.agree(requests.kernel, requests.server)
    return {
        "ops": requests.ops,
        "kernel": by_name(requests.kernel),
        "server": by_name(requests.server),
        "agree": agree,
        "why": "; ".join(text for text in (requests.why, why) if text),
    }


def by_name(counts: Mapping[Opcode, int] | None) -> dict[str, int] | None:
    """{Opcode.GETATTR: 3} as {"GETATTR": 3}, without zeros."""
    return None if counts is None else {opcode.name: n for opcode, n in counts.items() if n}


def bounds_as_json(bounds: Mapping[Opcode, Bound]) -> dict[str, list[float]]:
    """{Opcode.GETATTR: Bound(1, 1)} as {"GETATTR": [1, 1]}."""
    return {opcode.name: [bound.low, bound.high] for opcode, bound in bounds.items()}
