"""``bench run --scheduler``: boots of the instruction clock on any worker, wall time on every machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.fleet.accepted import refuse_foreign
from bench.fleet.client import Tls, connected
from bench.guests import host
from bench.measure import settings_of
from bench.model import Clock, UserError
from bench.plan.settings import Settings
from bench.results.store import RunDirectory
from bench.run import headers

if TYPE_CHECKING:
    from bench.run.trials import RunResult
    from bench.run.view import View


def start(
    settings: Settings,
    output: Path | None,
    argv: list[str],
    view: View,
    scheduler: str,
    tls: Tls,
    *,
    jobs: int | None = None,
    conform: bool = False,
) -> RunResult:
    """A run in guests that other machines boot; raises UserError when nothing can be measured."""
    refuse_foreign(settings)
    with connected(scheduler, tls, view) as fleet:
        view.say(f"{scheduler}: {len(fleet.refuse_nobody())} workers of this suite")
        return host.start(
            settings,
            output or headers.default_output(),
            argv,
            view,
            jobs=jobs,
            conform=conform,
            elsewhere=fleet,
        )


def resume(
    run: RunDirectory, view: View, scheduler: str, tls: Tls, *, jobs: int | None = None
) -> RunResult:
    """Finish a run in guests on other machines, wherever it was begun."""
    settings = Settings.from_json(settings_of(run, run.header()))
    refuse_foreign(settings)
    if not settings.kernels or settings.clock != Clock.INSTRUCTIONS:
        raise UserError("--resume --scheduler is for runs on the instruction clock")
    with connected(scheduler, tls, view) as fleet:
        view.say(f"{scheduler}: {len(fleet.refuse_nobody())} workers of this suite")
        return host.resume(run, settings, view, jobs=jobs, elsewhere=fleet)
