"""Tables of keys for results/README.md, made of the types that files are read through."""

from __future__ import annotations

from typing import Any

from bench.results.kinds import Kind
from bench.results.objects import REQUIRED, keys


def markdown(table: Any) -> str:
    """A table of keys for results/README.md."""
    rows = [
        f"| `{name}` | {_kind(key.kind)} | {_default(key.default)} | 1.{key.since} | {key.said} |"
        for name, key in keys(table).items()
    ]
    head = ["| key | type | missing or null | since | value |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _kind(kind: Kind) -> str:
    """A kind, objects as code."""
    return f"`{kind.said}`" if kind.said.startswith("{") else kind.said


def _default(default: Any) -> str:
    if default is REQUIRED:
        return "refused"
    if default is None or default != default:
        return "unknown"
    if isinstance(default, (str, list, dict)) and not default:
        return "empty"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
