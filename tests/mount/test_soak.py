"""The soak, for some seconds; that it sees what grows."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOAK = Path(__file__).parents[2] / "results" / "self" / "soak.py"


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    """The benchmark as a module; it imports one that lies beside it."""
    sys.path.insert(0, str(SOAK.parent))
    try:
        spec = importlib.util.spec_from_file_location("soak", SOAK)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["soak"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SOAK.parent))
    return module


def test_some_seconds_of_it() -> None:
    """Samples, a verdict on each figure; nothing but memory, which has to settle, may grow."""
    command = [sys.executable, str(SOAK), "--minutes", "0.02", "--every", "0.1", "--turn", "0.02"]
    done = subprocess.run([*command, "--daemon", "plain-c"], capture_output=True, text=True)
    assert done.returncode in (0, 4), done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("$ python results/self/soak.py --minutes 0.02")
    assert lines[-1] in ("all flat", "NOT FLAT") or lines[-1].endswith("too few to tell what grows")
    assert [line for line in lines if line.endswith("GROWS") and "memory" not in line] == []


def seen(what: str, values: list[float]) -> list[tuple[float, dict[tuple[str, str], float]]]:
    """A sample a minute of one figure."""
    return [(60.0 * number, {("server", what): value}) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("what", "values", "flat"),
    [
        ("memory", [1000, *[2000.0] * 9], True),
        ("memory", [2000.0 + 30 * minute for minute in range(10)], True),
        ("memory", [2000.0 + 60 * minute for minute in range(10)], False),
        ("memory", [100_000.0 + 100 * minute for minute in range(10)], True),
        ("memory", [100_000.0 - 900 * minute for minute in range(10)], True),
        ("descriptors", [5, 9, 9, 9, 9, 9, 9, 9, 9, 9], True),
        ("descriptors", [9, 9, 9, 9, 9, 9, 9, 10, 10, 10], False),
        ("ids", [0, 200, 200, 200, 200, 200, 200, 0, 0, 0], True),
    ],
)
def test_what_grows_is_seen(soak: ModuleType, what: str, values: list[float], flat: bool) -> None:
    """By the medians of the thirds, the first sample left out; what shrinks does not grow."""
    rows, found = soak.verdicts(seen(what, values))
    assert found is flat
    assert rows[1][-1] == ("flat" if flat else "GROWS")
