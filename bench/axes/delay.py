"""Requests that a server holds back, as people write them: ``GETATTR=5us``, ``LOOKUP=1ms+GETATTR=1ms``."""

from __future__ import annotations

import re

from bench.model import Delay, Opcode, UserError

UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000}
LONGEST_NS = 1_000_000_000
"""DELAY_MAX_NS of daemons/_native/delay.h."""
_ASKED = re.compile(r"(\w+)=(\d+(?:\.\d+)?)(ns|us|ms)")


def parse(text: str) -> Delay:
    """``GETATTR=5us`` as ((Opcode.GETATTR, 5000),), several joined by ``+``; UserError for anything else."""
    delay = tuple(_parse(part, text) for part in text.split("+"))
    if len({opcode for opcode, _ in delay}) != len(delay):
        raise UserError(f"--delay {text}: an opcode is named twice")
    return delay


def _parse(part: str, text: str) -> tuple[Opcode, int]:
    asked = _ASKED.fullmatch(part)
    if not asked or asked[1].upper() not in Opcode.__members__:
        raise UserError(
            f"--delay {text}: wanted OPCODE=TIME in ns, us or ms, e.g. GETATTR=5us, several joined by +"
        )
    delay_ns = round(float(asked[2]) * UNITS_NS[asked[3]])
    if delay_ns > LONGEST_NS:
        raise UserError(f"--delay {text}: wanted at most {LONGEST_NS / 1e9:g} s")
    return Opcode[asked[1].upper()], delay_ns


def words(delay: Delay) -> list[str]:
    """What of a target's name says which requests it holds back: ``delay-getattr-5us``; opcodes held
    back alike stand together."""
    alike: dict[int, list[str]] = {}
    for opcode, delay_ns in delay:
        alike.setdefault(delay_ns, []).append(opcode.name.lower())
    return [f"delay-{'-'.join(names)}-{ns / 1000:g}us" for ns, names in alike.items()]


def written(delay: Delay) -> str:
    """The inverse of parse, in whole nanoseconds."""
    return "+".join(f"{opcode.name}={delay_ns}ns" for opcode, delay_ns in delay)
