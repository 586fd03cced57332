"""``bench worker`` and ``bench run --scheduler`` in processes of their own, with guests that boot nothing.

    python tests/vm/fake_fleet.py worker tcp://... --host ...
    python tests/vm/fake_fleet.py run --scheduler tcp://... --kernel FILE ...

All of Dask is real, and so is the suite but for the guest: it does the trials of its job, one in
FAKE_TRIAL_S seconds, with figures that are a function of the series. FAKE_LIE makes a worker claim
the identity that clients ask for while its own is another.
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.commands.main import main
from bench.fleet import identity, task, worker
from bench.guests import host
from bench.guests.protocol import JOB, Begin, Broken, Done, End, Events, Hello, Purpose
from bench.guests.session import Guest
from bench.kernels import vm
from bench.model import Level
from bench.plan import schedule, shards
from bench.plan.grid import KernelGives
from bench.plan.series import Trial
from bench.plan.settings import Settings

TRIAL_S = float(os.environ.get("FAKE_TRIAL_S", "0.1"))
STEP_S = 0.05


def guest_boot(
    guest: Guest,
    settings: Settings,
    share: Path,
    tick: Callable[[], None],
    cpus: tuple[int, ...],
    **_: Any,
) -> Any:
    """What bench.guests.inside would tell."""
    assert guest.image.path.read_bytes() == b"\x7fELF a kernel" and len(cpus) <= 1
    job = json.loads((share / JOB).read_text())
    planned = schedule.make(settings, KernelGives(Level.LOOKUP, kernel=job["kernel"]))
    events = Events(share)
    events.put(Hello(facts(planned, job["kernel"]), []))
    if job["work"] == Purpose.CHECK:
        events.put(Broken({}))
    else:
        whole = [one for one in planned.trials if one.round == job["round"]]
        for one in shards.shard(whole, job["shard"], settings):
            if one.series.label not in job["done"]:
                do(one, job["kernel"], events, tick)
    events.put(Done())
    console, words = share / "guest.console", share / "guest.stdout"
    console.write_text("booted nothing\n")
    words.write_text("")
    return SimpleNamespace(outcome="exited", reason="exit 0", stdout=words, ok=True)


def do(one: Trial, kernel: str, events: Events, tick: Callable[[], None]) -> None:
    """One trial."""
    record = {
        "series": one.series.label, "target": one.series.target, "round": one.round,
        "daemon": one.series.daemon, "ops_per_loop": 1, "loops": 1, "threads": 1, "cache": "warm",
        "attr_timeout": 0.0, "entry_timeout": 0.0,
        "kernel": kernel, "clock": "instructions", "outcome": "ok", "reason": "",
        "workload": one.series.workload, "variant": one.series.key.variant, "seed": one.seed,
        "position": one.position, "values": [float(1000 + zlib.crc32(one.series.label.encode()) % 1000)],
    }  # fmt: skip
    events.put(Begin(record))
    until = time.monotonic() + TRIAL_S
    while time.monotonic() < until:
        tick()
        time.sleep(STEP_S)
    events.put(End(record, ""))


def facts(planned: schedule.Plan, kernel: str) -> dict[str, Any]:
    """Facts of a kernel that is none."""
    names = dict.fromkeys((one.series.target, one.series.daemon) for one in planned.trials)
    return {
        "targets": [
            {"name": name, "daemon": daemon, "kind": "fuse", "kernel": kernel}
            for name, daemon in names
        ],
        "environment": {"kernel_release": "6.12-fake"},
        "kernel_level": {"level": "lookup", "readdir": True, "reasons": []},
    }


if __name__ == "__main__":
    task.guest_boot = guest_boot
    host.guest_boot = guest_boot
    vm.vng = lambda: "vng"
    if "FAKE_LIE" in os.environ:
        honest = identity.identity()
        worker.identity = SimpleNamespace(identity=lambda: honest, resource=identity.resource)  # type: ignore[attr-defined]
        identity.identity = lambda: {**honest, "qemu": os.environ["FAKE_LIE"]}
    sys.exit(main(sys.argv[1:]))
