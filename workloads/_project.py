"""A C project to build, and a folder of Python modules to import: generated, the same everywhere."""

from __future__ import annotations

import os
import py_compile
import random
import shutil
import subprocess
from pathlib import Path

from bench.model import Fixture, Lacking

SOURCES, HEADERS, INCLUDED = 200, 300, 30
"""C files, header files, and how many of these each C file includes."""
FILES = SOURCES + HEADERS + 1
"""Files of the project, the makefile included."""
PACKAGES, MODULES = 30, 100
"""Python packages, and modules in each; one module of every ten is imported."""
IMPORT_EVERY = 10
OLD = 1_600_000_000
"""mtime of every source: older than anything made of it."""

MAKEFILE = """\
objects := $(patsubst %.c,%.o,$(wildcard *.c))
all: library.a
library.a: $(objects)
\t$(AR) rcs $@ $(objects)
%.o: %.c
\t$(CC) -O0 -Iinclude -MMD -c -o $@ $<
clean:
\trm -f *.o *.d library.a
-include $(objects:.o=.d)
"""


def sources(folder: Path) -> None:
    """The project, nothing built; raises Lacking without make or a compiler."""
    for program in ("make", "cc", "ar"):
        if shutil.which(program) is None:
            raise Lacking(f"not installed: {program}")
    chance = random.Random(1)
    (folder / "include").mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    for number in range(HEADERS):
        text = (
            f"#pragma once\nstatic inline int header_{number}(int x) {{ return x + {number}; }}\n"
        )
        (folder / f"include/header_{number:03}.h").write_text(text)
    for number in range(SOURCES):
        chosen = sorted(chance.sample(range(HEADERS), INCLUDED))
        lines = [f'#include "header_{header:03}.h"' for header in chosen]
        calls = " + ".join(f"header_{header}(x)" for header in chosen)
        lines += [f"int source_{number}(int x)", "{", f"\treturn {calls};", "}", ""]
        (folder / f"source_{number:03}.c").write_text("\n".join(lines))
    for path in folder.rglob("*"):
        os.utime(path, (OLD, OLD))


def built(folder: Path) -> None:
    """The project with everything made: ``make`` has nothing to do."""
    sources(folder)
    done = subprocess.run(
        ["make", "-s", f"-j{os.cpu_count() or 1}"], cwd=folder, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise OSError(0, f"make failed: {done.stderr.strip()}")


def modules(folder: Path) -> None:
    """Packages of modules that define one name each, compiled; and ``everything``, which imports."""
    imports = []
    for package in range(PACKAGES):
        place = folder / f"package_{package:02}"
        place.mkdir()
        (place / "__init__.py").write_text("")
        for module in range(MODULES):
            (place / f"module_{module:03}.py").write_text(f"value = {package * MODULES + module}\n")
        imports += [
            f"import package_{package:02}.module_{module:03}"
            for module in range(0, MODULES, IMPORT_EVERY)
        ]
    (folder / "everything.py").write_text("\n".join([*imports, ""]))
    for path in folder.rglob("*.py"):
        os.utime(path, (OLD, OLD))
        py_compile.compile(str(path), doraise=True)


PROJECT = Fixture("project", sources)
MADE = Fixture("made", built)
MODULES_TREE = Fixture("modules", modules)
