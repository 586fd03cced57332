"""What a kernel passes through, for a person to read."""

from __future__ import annotations

from collections.abc import Mapping

from bench.probe.decide import KernelAbility


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
