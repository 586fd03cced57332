"""fleet.json: which machines did a fleet run, and where the run of each is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import plain
from bench.model import UserError
from bench.results.json_text import contents

FILE = "fleet.json"
VERSION = 1


@dataclass(frozen=True)
class Member:
    """One machine: its run's directory, or the reason why it has none."""

    run: str
    machine: str
    code: int
    reason: str

    def as_json(self) -> dict[str, Any]:
        """As in the file."""
        return asdict(self)


def is_fleet(path: Path) -> bool:
    """Whether a directory holds a fleet run."""
    return (path / FILE).is_file()


def members(path: Path) -> list[Member]:
    """The machines of a fleet run; raises UserError where the file is none."""
    try:
        about = plain.loads(contents(path / FILE))
        if about["fleet"] != VERSION:
            raise UserError(f"{path}/{FILE}: version {about['fleet']!r}; this one reads {VERSION}")
        return [_member(one) for one in about["machines"]]
    except OSError as error:
        raise UserError(f"{path}/{FILE}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, json.JSONDecodeError):
        raise UserError(f"{path}/{FILE}: not a fleet run's") from None


def _member(raw: Any) -> Member:
    name = str(raw["run"])
    if "/" in name or name in (".", ".."):
        raise ValueError(name)
    return Member(name, str(raw["machine"]), int(raw["code"]), str(raw["reason"]))


def runs(path: Path) -> list[Path]:
    """The run directories of a fleet run, in the order of the file."""
    return [path / member.run for member in members(path) if member.run]
