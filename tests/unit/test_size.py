"""What is read in one go stays short: modules and functions have a length that nothing exceeds."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE, LONGEST_FUNCTION = 400, 40
NINE_OF_TEN = 16
"""Lines that nine of ten function bodies have at most."""
FOLDERS = ("bench", "daemons", "workloads")


def sources(*endings: str) -> list[Path]:
    """The source files of the suite."""
    return sorted(
        path for folder in FOLDERS for end in endings for path in (ROOT / folder).rglob(f"*.{end}")
    )


def python_bodies() -> Iterator[tuple[int, str]]:
    """How many lines each function's body has, its docstring not counted, and where it is."""
    for path in (*sources("py"), ROOT / "report.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :]
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                yield lines, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def c_bodies() -> Iterator[tuple[int, str]]:
    """How many lines each body in C has: a brace alone at the left margin begins one and ends it."""
    for path in sources("c"):
        began = 0
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line == "{":
                began = number
            elif line == "}" and began:
                yield number - began - 1, f"{path.relative_to(ROOT)}:{began}"
                began = 0


@pytest.mark.parametrize("ending", ["py", "c", "h"])
def test_no_module_is_too_long(ending: str) -> None:
    """A module over 400 lines is about more than one thing."""
    found = sources(ending)
    long = {
        path.name: n for path in found if (n := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert len(found) > 10
    assert not long


@pytest.mark.parametrize("bodies", [python_bodies, c_bodies])
def test_no_function_is_too_long(bodies: Callable[[], Iterator[tuple[int, str]]]) -> None:
    """No body is over 40 lines."""
    found = list(bodies())
    assert len(found) > 300
    assert [where for lines, where in found if lines > LONGEST_FUNCTION] == []


def test_nine_of_ten_functions_are_short() -> None:
    """The 90th percentile of function bodies in Python is at most 16 lines."""
    lines = sorted(lines for lines, _ in python_bodies())
    assert lines[len(lines) * 9 // 10] <= NINE_OF_TEN
