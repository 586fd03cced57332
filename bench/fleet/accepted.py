"""What of a message a worker does: what the suite itself defines, and no command or path of a stranger's."""

from __future__ import annotations

from bench.model import UserError
from bench.plan.settings import Settings


def refuse_foreign(settings: Settings) -> None:
    """Raises UserError for settings that would have a worker run or write what the suite does not bring."""
    reasons = {
        "a server of your own": bool(settings.foreign),
        "--libfuse-examples": bool(settings.libfuse_examples),
        "--backing": bool(settings.backing),
        "--tune": settings.tune,
    }
    if settings.profile:
        raise UserError(
            "--scheduler: no --profile: windows lie where their boot was; profile on one machine"
        )
    for what, given in reasons.items():
        if given:
            raise UserError(f"--scheduler: {what} cannot travel: workers do what the suite brings")
