"""Native parts: op driver and tree builder (Python extensions), shim (a plain shared library)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

WARNINGS = [
    "-std=c11",
    "-O2",
    "-pthread",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Werror",
]
# Symbols are bound at load: resolving one at its first call would fall into a timed window.
LINK = ["-pthread", "-Wl,-z,now"]
# FUSE_BENCH_CFLAGS adds flags for a sanitizer build, e.g. "-fsanitize=address,undefined -O1".
EXTRA = shlex.split(os.environ.get("FUSE_BENCH_CFLAGS", ""))
SHIM = ("shim", "edit", "flight", "backing", "counters")
# Python's own headers are not -Wconversion clean: system headers are exempt from warnings.
PYTHON = ["-isystem", sysconfig.get_paths()["include"]]
NATIVE = "workloads/_native"


def pkg_config(*arguments: str) -> list[str]:
    """Flags of libfuse 3, or an error that says which package supplies it."""
    try:
        output = subprocess.run(
            ["pkg-config", *arguments, "fuse3"], check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"libfuse 3 headers not found ({error}): apt-get install libfuse3-dev pkg-config"
        ) from None
    return shlex.split(output)


class SharedLibraries(build_ext):
    """build_ext that gives ``daemons._native.shim`` a plain name, as it is loaded with ctypes."""

    def get_ext_filename(self, fullname: str) -> str:
        if fullname.endswith("shim"):
            return fullname.replace(".", os.sep) + ".so"
        return super().get_ext_filename(fullname)


def extension(
    name: str, *sources: str, cflags: list[str] | None = None, libs: list[str] | None = None
) -> Extension:
    return Extension(
        name,
        sources=list(sources),
        depends=[str(header) for header in Path().glob("*/_native/*.h")],
        extra_compile_args=[*WARNINGS, *(cflags or []), *EXTRA],
        extra_link_args=[*LINK, *(libs or []), *EXTRA],
    )


def native(module: str, *parts: str) -> Extension:
    """A Python extension of ``workloads._native``: its face and the C files behind it."""
    sources = [f"{NATIVE}/{part}.c" for part in (module, *parts)]
    return extension(f"workloads._native.{module}", *sources, cflags=PYTHON)


setup(
    cmdclass={"build_ext": SharedLibraries},
    ext_modules=[
        native("opdriver", "layout", "ops", "walk", "gang"),
        native("treebuilder", "trees", "names", "gang"),
        native("bareloops"),
        extension(
            "daemons._native.shim",
            *(f"daemons/_native/{part}.c" for part in SHIM),
            cflags=["-DFUSE_USE_VERSION=314", "-fvisibility=hidden", *pkg_config("--cflags")],
            libs=[*pkg_config("--libs"), "-ldl"],
        ),
    ],
)
