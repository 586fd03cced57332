"""Numbers as people read them: three digits, a unit on each, plain ASCII."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from bench.model import Clock

WIDTH = 72
"""Columns of a line in a mail."""
ASCII = {
    "\N{MICRO SIGN}": "u",
    "\N{GREEK SMALL LETTER MU}": "u",
    "\N{PLUS-MINUS SIGN}": "+-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
}


@dataclass(frozen=True)
class Quantity:
    """What a run's values are: words for it, its column head, and the units it is printed in."""

    noun: str
    said: str
    column: str
    scales: tuple[tuple[float, str], ...]
    interval: str
    """What the interval beside a number is."""
    below: str
    """What a ratio below 1 means, and above."""
    above: str
    ratios: str
    """What the interval beside a ratio is."""

    @property
    def less(self) -> str:
        """``less time``, ``fewer instructions``: what a claim says."""
        return f"{'less' if self.noun == 'time' else self.below} {self.noun}"


WALL = Quantity(
    "time",
    "wall-clock time",
    "time/op",
    ((1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1.0, "s")),
    "95 % interval",
    "faster",
    "slower",
    "95 % interval",
)
INSTRUCTIONS = Quantity(
    "instructions",
    "executed instructions of the whole guest (not time: no caches, no wake-up latency)",
    "insn/op",
    ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")),
    "range over the boots",
    "fewer",
    "more",
    "range over the boots, widened by what one boot of an A/A pair differs by",
)
_quantities = {Clock.WALL.value: WALL, Clock.INSTRUCTIONS.value: INSTRUCTIONS}
_current = [WALL]


def measure_in(clock: object) -> None:
    """Say once, before a run is drawn, what its values are; a run has one clock."""
    _current[0] = _quantities.get(str(clock), WALL)


def quantity() -> Quantity:
    """What the values of the run that is being drawn are."""
    return _current[0]


def digits(value: float, count: int = 3) -> str:
    """``value`` with ``count`` significant digits and no exponent."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{count - 1}e}")
    decimals = count - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(decimals, 0)}f}"


def ratio_of(baseline: str) -> str:
    """What a ratio divides by what, for an axis."""
    return f"{quantity().noun} / {quantity().noun} of {baseline}"


def scale_of(value: float) -> tuple[float, str]:
    """The unit in which a value has one to three digits before the point: (size, name)."""
    rounded = float(f"{value:.2e}")
    scales = quantity().scales
    return max((scale for scale in scales if scale[0] <= rounded), default=scales[0])


def duration(value: float) -> str:
    """A value per operation with its unit: ``13.1 us``, ``5.64 kinsn``."""
    if not math.isfinite(value):
        return "-"
    size, unit = scale_of(value)
    return f"{digits(value / size)} {unit}".rstrip()


def seconds(value: object) -> str:
    """A setting in seconds as it was given: ``0 s``, ``0.25 s``."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return f"{value:g} s"
    return "not recorded"


def ratio(value: float, like: float | None = None) -> str:
    """A ratio in at most six characters, with as many decimals as ``like`` has in three digits.

    Below 0.1 the zero before the point gives way to a digit that says something: ``.0234``.
    """
    if not math.isfinite(value):
        return "-"
    if value < 0.1:
        return f"{value:.4f}"[1:] if value >= 5e-4 else "<.0005"
    if value >= 9_995:
        return f"{digits(value / 1e3)}k"
    whole = math.floor(math.log10(float(f"{like or value:.2e}")))
    return f"{value:.{min(max(2 - whole, 0), 3)}f}"


def bounds(low: float, high: float, value: float) -> str:
    """``[0.231,0.255]`` with the decimals of the value; empty where it is no wider than the last digit."""
    ends = [ratio(end, value) for end in (low, high)]
    return "" if set(ends) == {ratio(value)} else f"[{','.join(ends)}]"


def percent(share: float) -> str:
    """A relative half width: ``0.4%``, ``12%``."""
    if not math.isfinite(share):
        return "-"
    return f"{100 * share:.1f}%" if share < 0.0995 else f"{100 * share:.0f}%"


def per_op(count: float) -> str:
    """Requests per operation: two decimals, fewer once they stop meaning anything."""
    if count and count < 0.005:
        return "<0.01"
    return f"{count:.2f}" if count < 100 else digits(count, 4)


def bound(low: float, high: float) -> str:
    """Requests per operation expected: ``1`` or ``1 to 3``."""
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def two(ratio: float) -> str:
    """A ratio in two digits: ``.036``, ``1.9``, ``12``."""
    return digits(ratio, 2).removeprefix("0") if ratio < 1 else digits(ratio, 2)


def times(count: int, noun: str) -> str:
    """``1 trial``, ``5 trials``, ``9 entries``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def listing(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Lines fit for a mail, all but the first indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def ascii_only(text: str) -> str:
    """``text`` without a character that a mail could mangle."""
    for fancy, plain in ASCII.items():
        text = text.replace(fancy, plain)
    return text.encode("ascii", "replace").decode("ascii")
