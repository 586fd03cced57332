"""A stranger's run directory or bundle runs no command unasked."""

from __future__ import annotations

import pytest

from bench.commands import strangers
from bench.model import UserError
from bench.plan.settings import Settings

COMMAND = "mine=touch /tmp/here\x1b[2K {mountpoint}"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(foreign=(COMMAND,)),
        Settings(daemons=(COMMAND,)),
        Settings(parts=({"daemons": (COMMAND,)},)),
        Settings(libfuse_examples="/tmp/theirs"),
    ],
)
def test_without_a_terminal_it_is_refused_and_shown(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    """Wherever it stands, and nothing of it drives the terminal; the option allows it."""
    with pytest.raises(UserError, match="--allow-commands runs them"):
        strangers.ask(settings, "RUN", allowed=False, terminal=lambda: False)
    shown = capsys.readouterr().err
    assert "RUN runs, as root:" in shown and "\x1b" not in shown
    strangers.ask(settings, "RUN", allowed=True, terminal=lambda: False)
    assert "RUN runs, as root:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "allowed"), [("y", True), ("yes", True), ("", False), ("n", False)]
)
def test_on_a_terminal_it_asks(said: str, allowed: bool) -> None:
    """Only a yes is one."""
    asked = Settings(foreign=(COMMAND,))
    if allowed:
        strangers.ask(asked, "RUN", allowed=False, terminal=lambda: True, answer=lambda: said)
        return
    with pytest.raises(UserError, match="not allowed"):
        strangers.ask(asked, "RUN", allowed=False, terminal=lambda: True, answer=lambda: said)


def test_where_there_is_no_command_nothing_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """The suite's own daemons are nobody's commands."""
    strangers.ask(Settings(daemons=("passthrough",)), "RUN", allowed=False)
    assert capsys.readouterr().err == ""
