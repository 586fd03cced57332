"""Imports point one way, packages have an order, and the runner stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"pandas", "matplotlib", "scipy", "numpy", "pyfuse3", "trio", "jinja2"}
HEAVY_PACKAGES = {"stats", "report", "comparison", "selftest"}
"""The only packages of bench/ that may load what is slow to load."""

FLOORS: tuple[tuple[str, ...], ...] = (
    ("model",),
    ("machine", "registry"),
    ("axes", "ci"),
    ("results",),
    ("requests", "probe", "mounts", "kernels", "profile"),
    ("plan",),
    ("run",),
    ("guests",),
    ("measure",),
    ("fleet",),
    ("regression",),
    ("commands",),
    ("__main__",),
    ("stats",),
    ("report",),
    ("comparison", "selftest"),
)
"""Bottom-up. An import may stay in its package or go to a lower floor, wherever it stands."""
REPORT_FLOORS: tuple[tuple[str, ...], ...] = (
    ("core",),
    ("studies",),
    ("text", "charts"),
    ("page",),
    ("overlay",),
)
"""The parts of bench/report, bottom-up as well; ``core`` is the files that lie in no part."""


def modules(folder: str) -> Iterator[Path]:
    yield from sorted((ROOT / folder).rglob("*.py"))


def dotted(path: Path) -> str:
    """bench/plan/axes.py as bench.plan.axes; a package by its own name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


BENCH = {dotted(path): path for path in modules("bench")}


def imported(path: Path) -> set[str]:
    """Every module named in an import statement of a file, wherever it stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files_imported(name: str) -> set[str]:
    """The files of bench/ that a module imports; of a package only what is named of it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(BENCH[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in BENCH else node.module)
    return (found & set(BENCH)) - {name}


def package(name: str) -> str:
    """bench.plan.axes is of ``plan``; a file right below bench/ is a package of its own."""
    return name.split(".")[1] if "." in name else ""


def part(name: str) -> str:
    """bench.report.text.mail is of ``text``, bench.report.rows of ``core``."""
    words = name.split(".")
    parts = {one for floor in REPORT_FLOORS for one in floor}
    return words[2] if len(words) > 2 and words[2] in parts else "core"


def floor(floors: tuple[tuple[str, ...], ...], name: str) -> int:
    """On which floor a package lies; one that nobody placed fails the test."""
    return next(number for number, names in enumerate(floors) if name in names)


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Files that import one another, directly or by way of others (Tarjan's algorithm)."""
    found: list[list[str]] = []
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def test_no_circle_between_files() -> None:
    """Imports under TYPE_CHECKING and inside functions count."""
    assert circles({name: files_imported(name) for name in BENCH}) == []


def test_a_circle_is_found() -> None:
    """One of two files, one of three, and nothing else."""
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"e"}, "e": {"c"}, "f": {"a"}}
    assert sorted(circles(graph)) == [["a", "b"], ["c", "d", "e"]]


@pytest.mark.parametrize("name", [name for name in sorted(BENCH) if name != "bench"])
def test_imports_go_down_or_stay(name: str) -> None:
    """From package to package, and inside bench/report from part to part."""
    for other in files_imported(name) - {"bench"}:
        ours, theirs = package(name), package(other)
        if ours != theirs:
            assert floor(FLOORS, theirs) < floor(FLOORS, ours), f"{name} imports {other}"
        elif ours == "report" and part(name) != part(other):
            below, here = floor(REPORT_FLOORS, part(other)), floor(REPORT_FLOORS, part(name))
            assert below < here, f"{name} imports {other}"


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
    allowed = ("bench.model", "bench.requests.counters")
    assert all(name in ("bench", "bench.requests") or name.startswith(allowed) for name in ours), (
        ours
    )


@pytest.mark.parametrize("name", [n for n in sorted(BENCH) if package(n) not in HEAVY_PACKAGES])
def test_the_runner_imports_nothing_heavy(name: str) -> None:
    """Only reading packages may import pandas, SciPy or a plotting library, and only daemons pyfuse3."""
    names = imported(BENCH[name])
    assert not {one.split(".")[0] for one in names} & HEAVY
    assert not {package(one) for one in names if one.startswith("bench.")} & HEAVY_PACKAGES


def test_a_run_loads_nothing_heavy() -> None:
    """What ``python -m bench run`` imports before it measures has no heavy module in it."""
    code = (
        "import sys, bench.commands.main, bench.measure, bench.registry as r; r.daemons(); "
        "r.workloads(); print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(loaded.stdout.split()) & (HEAVY | {"distributed", "dask", "junitparser"})


@pytest.mark.parametrize(
    "folder",
    sorted(
        BENCH[name].parent.name
        for name in BENCH
        if name.count(".") == 1 and BENCH[name].stem == "__init__"
    ),
)
def test_the_map_says_what_a_package_says(folder: str) -> None:
    """CONTRIBUTING's map has one line for each package: the first sentence of its docstring."""
    docstring = ast.get_docstring(ast.parse((ROOT / "bench" / folder / "__init__.py").read_text()))
    assert docstring is not None
    sentence = docstring.partition("\n")[0].rstrip(".")
    mapped = next(
        line
        for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines()
        if line.startswith(f"    bench/{folder}/ ")
    )
    assert sentence in mapped


def test_a_class_name_has_one_meaning() -> None:
    """No two classes of the suite are called alike, wherever they stand."""
    found: dict[str, list[str]] = {}
    for folder in ("bench", "daemons", "workloads"):
        for path in modules(folder):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, []).append(
                        f"{path.relative_to(ROOT)}:{node.lineno}"
                    )
    assert len(found) > 200
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


HANGING = (
    "Of ", "These", "Those ", "And ", "Or ", "Also ", "But ", "Whether a row says", "The same", "Its ",
    "Their ",
)  # fmt: skip
"""How a docstring begins that cannot be read alone."""


@pytest.mark.parametrize("folder", ["bench", "daemons", "workloads", "tests"])
def test_docstrings_stand_alone(folder: str) -> None:
    """No docstring hangs on the line above it, those of attributes included."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules(folder)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and node.value.value.startswith(HANGING)
    ]
    assert found == []
