"""What a kernel passes through, for a person to read."""

from __future__ import annotations

from collections.abc import Mapping

from bench.machine.userns import Mounter, Standing
from bench.probe.decide import KernelAbility

AS_ROOT = "as root"


def human(ability: KernelAbility) -> str:
    """The probe's result for a person, under 80 columns."""
    lines = [f"passthrough level  {ability.level.value}"]
    lines.append(f"readdir            {'passed through' if ability.readdir else 'by the server'}")
    lines += _wrapped("why", ability.reasons)
    if ability.xattrs:
        lines.append("xattrs             passed through, if asked for")
    for name, value in ability.facts.items():
        lines += _wrapped(name.replace("_", " "), _texts(value))
    return "\n".join(lines)


def mounts(standing: Standing) -> str:
    """By whose leave this process mounts."""
    if standing.mounter is Mounter.FUSERMOUNT:
        return f"by fusermount3: no user namespace ({standing.why})"
    return AS_ROOT if standing.mounter is Mounter.ROOT else "in a user namespace"


def mounted(facts: object) -> str:
    """By whose leave a run mounted, from its record; older ones were root's."""
    return str(facts.get("mounts", AS_ROOT)) if isinstance(facts, Mapping) else AS_ROOT


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return (" ".join(str(item).removeprefix("FUSE_") for item in value) or "none",)
    if isinstance(value, Mapping):
        return (", ".join(f"{name} {number}" for name, number in value.items()),)
    return (str(value),)


def _wrapped(label: str, texts: tuple[str, ...]) -> list[str]:
    """Each text on lines of at most 78 columns, the first line after its label."""
    lines: list[str] = []
    for text in texts:
        line = ""
        for word in text.split():
            if line and len(line) + 1 + len(word) > 59:
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
        lines.append(line)
    return [f"{label if index == 0 else '':<19}{line}" for index, line in enumerate(lines)]
