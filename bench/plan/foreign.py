"""Other people's servers, named on the command line: ``--daemon NAME='COMMAND {backing} {mountpoint}'``.

Such a daemon is made of its text, which run.json keeps: a resumed run and a guest make it again.
Of a stranger nothing is known that was not said: no passthrough level (unless it is said behind the
name, ``NAME:rw=...``, and then the counts must bear it out), no listing mode, no timeout unless the
command takes it, no counters of its own. ``NAME:attach-lookup:files`` attaches regular files alone;
``NAME:rw/TWIN`` names the daemon that is the same server without passthrough.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import registry
from bench.model import LIBFUSE_EXAMPLES, Daemon, DaemonOptions, Level, TimeoutControl, UserError

if TYPE_CHECKING:
    from bench.plan.settings import Settings

FILES = "files"
"""Says behind a level that only regular files are attached."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")
PLACEHOLDERS: Mapping[str, Callable[[Path, Path, DaemonOptions], str]] = {
    "backing": lambda backing, _mountpoint, _options: str(backing),
    "mountpoint": lambda _backing, mountpoint, _options: str(mountpoint),
    "attr_timeout": lambda _backing, _mountpoint, options: f"{options.attr_timeout:g}",
    "entry_timeout": lambda _backing, _mountpoint, options: f"{options.entry_timeout:g}",
}
"""What may stand in braces in a command; times are seconds."""


def introduce(settings: Settings) -> Settings:
    """Make the settings' foreign daemons known to the registry.

    ``daemons`` may hold texts (``NAME=COMMAND``): they move to ``foreign``, their names stay.
    Raises UserError for a text that does not do.
    """
    texts: dict[str, str] = {}
    for text in (*settings.foreign, *(text for text in settings.daemons if "=" in text)):
        made = parse(text)
        if texts.setdefault(made.name, text) != text:
            raise UserError(f"two daemons are called {made.name!r}: give them names of their own")
        registry.add(made)
    names = dict.fromkeys(parse(text).name if "=" in text else text for text in settings.daemons)
    if settings.libfuse_examples:
        os.environ[LIBFUSE_EXAMPLES] = settings.libfuse_examples
    return replace(settings, daemons=tuple(names), foreign=tuple(texts.values()))


def parse(text: str) -> Daemon:
    """The daemon of a text ``NAME[:LEVEL[:files]][/TWIN]=COMMAND``. Raises UserError for a text that
    does not do."""
    from daemons import _claims

    head, _, command = text.partition("=")
    named = claimed(text, head)
    where = f"--daemon {named.name}"
    words = split(where, command)
    found = {field for word in words for field in fields(where, word)}
    if "mountpoint" not in found:
        raise UserError(f"{where}: no {{mountpoint}} in its command, so it cannot be told where")
    both = {"attr_timeout", "entry_timeout"} <= found
    return Daemon(
        name=named.name,
        summary=f"foreign: {command.strip()}",
        argv=lambda backing, mountpoint, options: [
            filled(word, backing, mountpoint, options) for word in words
        ],
        levels=(named.level,),
        claims=_claims.claims,
        modes=(),
        timeouts=TimeoutControl.EACH if both else TimeoutControl.NONE,
        foreground=False,
        missing=lambda: no_program(words[0]),
        companions=("native", "plain-c", *([named.twin] if named.twin else [])),
        foreign=True,
        twin=named.twin,
        files_only=named.files_only or attaches_files(words),
    )


def attaches_files(words: Sequence[str]) -> bool:
    """Whether a command is one of our servers' that is told to attach regular files alone."""
    told = itertools.pairwise(words)
    return "--attach=files" in words or ("--attach", FILES) in told


class Claimed(NamedTuple):
    """What is said of a stranger before its command."""

    name: str
    level: Level
    files_only: bool
    twin: str


def claimed(text: str, head: str) -> Claimed:
    """What ``NAME[:LEVEL[:files]][/TWIN]`` says. Raises UserError for what does not do."""
    said, _, twin = head.strip().partition("/")
    name, _, claim = said.partition(":")
    level, _, inodes = claim.partition(":")
    if not NAME.fullmatch(name) or "--" in name:
        raise UserError(
            f"--daemon {text!r}: a name is letters, digits and . _ + -, at most 40, "
            f"got {head.strip().partition(':')[0]!r}; want NAME='COMMAND {{backing}} {{mountpoint}}'"
        )
    if level not in ("", *Level):
        raise UserError(f"--daemon {head}: unknown level {level!r}; there is: {', '.join(Level)}")
    if inodes not in ("", FILES):
        raise UserError(f"--daemon {head}: {inodes!r} behind the level; there is: {FILES}")
    if twin and not level:
        raise UserError(
            f"--daemon {head}: a twin without a claim; want {name}:LEVEL/{twin}=COMMAND"
        )
    return Claimed(name, Level(level or Level.NONE), inodes == FILES, twin)


def split(where: str, command: str) -> list[str]:
    """A command as words, quoted as in a shell (but no shell runs it)."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"{where}: cannot be split into words: {str(error).lower()}") from None
    if not words:
        raise UserError(f"{where}: there is no command after the =")
    return words


def fields(where: str, word: str) -> set[str]:
    """The placeholders of a word. Raises UserError for one that does not exist, or a stray brace."""
    try:
        parts = list(string.Formatter().parse(word))
    except ValueError as error:
        raise UserError(f"{where}: {word!r}: {error}; write {{{{ for a brace itself") from None
    found = set()
    for _text, field, spec, conversion in parts:
        if field is None:
            continue
        if field not in PLACEHOLDERS or spec or conversion:
            known = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            shown = field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise UserError(
                f"{where}: unknown placeholder {{{shown}}}; there is: {known} "
                "({{ and }} for braces themselves)"
            )
        found.add(field)
    return found


def filled(word: str, backing: Path, mountpoint: Path, options: DaemonOptions) -> str:
    """A word of a command with its placeholders filled in."""
    values = {name: value(backing, mountpoint, options) for name, value in PLACEHOLDERS.items()}
    return word.format_map(values)


def no_program(program: str) -> str:
    """Why a program cannot be started; empty when it can."""
    if shutil.which(program) is not None:
        return ""
    if os.sep in program:
        return f"{program} is no program that can be started here"
    return f"{program} is not on PATH: install it, or give its path"
