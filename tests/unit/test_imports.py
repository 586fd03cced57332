"""Imports point one way, and the runner stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"pandas", "matplotlib", "scipy", "numpy", "pyfuse3", "trio", "jinja2"}
REPORT_ONLY = {
    "bench.frame",
    "bench.stats",
    "bench.intervals",
    "bench.verdicts",
    "bench.guards",
    "bench.report",
    "bench.selftest.",
}


def imported(path: Path) -> set[str]:
    """Every module named in an import statement of a file, wherever it stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def of_report(path: Path) -> bool:
    files = ("frame.py", "stats.py", "intervals.py", "verdicts.py", "guards.py")
    return path.name in files or bool({"report", "selftest"} & set(path.parts))


def modules(folder: str) -> Iterator[Path]:
    yield from sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", list(modules("workloads")), ids=lambda path: path.name)
def test_workloads_know_only_the_model(path: Path) -> None:
    """A workload imports bench.model and its own package, nothing else of the project."""
    ours = {name for name in imported(path) if name.split(".")[0] in ("bench", "daemons", "report")}
    assert all(name == "bench" or name.startswith("bench.model") for name in ours), ours


@pytest.mark.parametrize("path", list(modules("daemons")), ids=lambda path: path.name)
def test_daemons_know_only_the_model(path: Path) -> None:
    """A daemon imports bench.model, the counters file's reader and its own package, no more."""
    ours = {
        name for name in imported(path) if name.split(".")[0] in ("bench", "workloads", "report")
    }
    allowed = ("bench.model", "bench.counters")
    assert all(name == "bench" or name.startswith(allowed) for name in ours), ours


@pytest.mark.parametrize(
    "path",
    [p for p in modules("bench") if not of_report(p.relative_to(ROOT))],
    ids=lambda path: path.name,
)
def test_the_runner_imports_nothing_heavy(path: Path) -> None:
    """Only the report may import pandas, SciPy or a plotting library, and only daemons pyfuse3."""
    names = imported(path)
    assert not {name.split(".")[0] for name in names} & HEAVY
    assert not any(name.startswith(module) for name in names for module in REPORT_ONLY)


def test_a_run_loads_nothing_heavy() -> None:
    """What ``python -m bench run`` imports before it measures has no heavy module in it."""
    code = (
        "import sys, bench.cli, bench.runner, bench.registry as r; r.daemons(); r.workloads();"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(loaded.stdout.split()) & HEAVY
