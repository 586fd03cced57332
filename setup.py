"""Native parts: op driver, marks and tree builder (Python extensions), shim and qemu's plugin (plain
shared libraries), and the C mirror (an executable)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

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
SHIM = ("shim", "reply_ids", "edit", "pending", "backing", "counters", "delay")
MIRROR = sorted(path.stem for path in Path("daemons/_native").glob("server*.c"))
# Python's own headers are not -Wconversion clean: system headers are exempt from warnings.
PYTHON = ["-isystem", sysconfig.get_paths()["include"]]
NATIVE = "workloads/_native"
OPS = sorted(path.stem for path in Path(NATIVE).glob("ops*.c"))


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


class Program(Extension):
    """An executable that is built and placed like an extension module."""


class NativeParts(build_ext):
    """build_ext that also links executables, and gives what Python does not import a plain name."""

    def get_ext_filename(self, fullname: str) -> str:
        # Setuptools asks with the full name and with its last part alone.
        name = fullname.rpartition(".")[2]
        if name in ("shim", "profiler"):
            return fullname.replace(".", os.sep) + ".so"
        if name == "mirror":
            return fullname.replace(".", os.sep)
        return super().get_ext_filename(fullname)

    def build_extension(self, ext: Extension) -> None:
        if not isinstance(ext, Program):
            super().build_extension(ext)
            return
        objects = self.compiler.compile(
            ext.sources,
            output_dir=self.build_temp,
            extra_postargs=ext.extra_compile_args,
            depends=ext.depends,
        )
        target = Path(self.get_ext_fullpath(ext.name))
        self.compiler.link_executable(
            objects,
            target.name,
            output_dir=str(target.parent),
            extra_postargs=ext.extra_link_args,
        )


def extension(
    name: str,
    *sources: str,
    cflags: list[str] | None = None,
    libs: list[str] | None = None,
    kind: type[Extension] = Extension,
) -> Extension:
    return kind(
        name,
        sources=list(sources),
        depends=[str(header) for header in Path().glob("**/_native/*.h")],
        extra_compile_args=[*WARNINGS, *(cflags or []), *EXTRA],
        extra_link_args=[*LINK, *(libs or []), *EXTRA],
    )


def native(module: str, *parts: str) -> Extension:
    """A Python extension of ``workloads._native``: its face and the C files behind it."""
    sources = [f"{NATIVE}/{part}.c" for part in (module, *parts)]
    return extension(f"workloads._native.{module}", *sources, cflags=PYTHON)


def fuse_part(name: str, *parts: str, kind: type[Extension] = Extension) -> Extension:
    """A part of ``daemons._native``, linked with libfuse."""
    return extension(
        f"daemons._native.{name}",
        *(f"daemons/_native/{part}.c" for part in parts),
        cflags=["-DFUSE_USE_VERSION=314", "-fvisibility=hidden", *pkg_config("--cflags")],
        libs=[*pkg_config("--libs"), "-ldl"],
        kind=kind,
    )


class WithCommit(build_py):
    """build_py that also writes down which commit the package is built from."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        try:
            commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return  # built outside of a checkout: nobody knows
        file = Path(self.build_lib, "bench", "data", "commit")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(commit, encoding="ascii")


# What a checkout has at its top and an installed suite needs too: see bench.machine.suite.
DATA = {"bench.data.matrices": ["*.toml"], "bench.data.kernel": ["*", "patches/*"]}
if "editable_wheel" in sys.argv:
    DATA = {}

setup(
    cmdclass={"build_ext": NativeParts, "build_py": WithCommit},
    packages=[*find_packages(include=["bench*", "daemons*", "workloads*"]), *DATA],
    package_dir={name: name.rpartition(".")[2] for name in DATA},
    package_data={
        **DATA,
        "bench.report.page": ["templates/*"],
        "workloads._native": ["*.pyi"],
    },
    ext_modules=[
        native(
            "opdriver",
            "driver",
            "driver_windows",
            "pyvalues",
            "specs",
            "items",
            "layout",
            "window",
            *OPS,
            "walk",
            "thread_group",
        ),
        native("treebuilder", "trees", "removal", "names", "thread_group"),
        native("bareloops"),
        native("marks"),
        extension(
            "bench.profile._native.profiler",
            *(f"bench/profile/_native/{part}.c" for part in ("plugin", "stacks", "tree")),
            cflags=["-fvisibility=hidden", f"-I{NATIVE}"],
        ),
        fuse_part("shim", *SHIM),
        fuse_part("mirror", *MIRROR, *SHIM, kind=Program),
    ],
)
