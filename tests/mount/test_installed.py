"""The suite as somebody else installs it: a wheel, in an environment of its own, used from anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Bench = Callable[..., subprocess.CompletedProcess[str]]


def git(*words: str) -> str:
    """What git says of this checkout."""
    return subprocess.run(
        ["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; what the suite depends on is taken from this one.

    A path file does not run the path files of the folder it names, so the editable install of this
    checkout stays unseen.
    """
    folder = tmp_path_factory.mktemp("installed")
    wheels, fresh = folder / "wheels", folder / "environment"
    quiet = ("-q", "--disable-pip-version-check", "--no-deps")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *quiet, "-w", str(wheels), str(ROOT)],
        check=True,
        capture_output=True,
    )
    subprocess.run([sys.executable, "-m", "venv", str(fresh)], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run(
        [fresh / "bin/python", "-m", "pip", "install", *quiet, str(wheel)],
        check=True,
        capture_output=True,
    )
    site = next(fresh.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return fresh


@pytest.fixture
def bench(environment: Path, tmp_path: Path) -> Bench:
    """bench(words...) runs the console command in a folder that has nothing to do with the checkout."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(environment / "bin/fuse-bench"), *words],
            cwd=tmp_path,
            env={name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
        )

    return run


def test_it_is_not_this_checkout(environment: Path, tmp_path: Path) -> None:
    """Else the other tests would prove nothing."""
    code = "import bench; print(bench.__file__)"
    done = subprocess.run(
        [environment / "bin/python", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.startswith(str(environment))


def test_everything_is_listed(bench: Bench) -> None:
    """Daemons, workloads, trees and every matrix of matrices/."""
    found = json.loads(bench("list", "--json").stdout)
    assert set(found["matrices"]) == {file.stem for file in (ROOT / "matrices").glob("*.toml")}
    assert {"plain-c", "passthrough"} <= set(found["daemons"])


@pytest.mark.parametrize(
    "matrix", [file.stem for file in sorted((ROOT / "matrices").glob("*.toml"))]
)
def test_every_matrix_can_be_planned(bench: Bench, matrix: str) -> None:
    """The dry run of each; one that names a kernel may say that there is none here."""
    done = bench("run", "--matrix", matrix, "--dry-run")
    assert done.returncode in (0, 2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert "unknown matrix" not in done.stderr


def test_the_lab_series_comes_along(bench: Bench, environment: Path) -> None:
    """Patches and configuration lie beside the code; `kernel list` works without any kernel."""
    assert bench("kernel", "list").returncode == 0
    data = next(environment.glob("lib/python*/site-packages/bench/data/kernel"))
    ours = {path.name for path in (ROOT / "kernel/patches").glob("*.patch")}
    assert {path.name for path in (data / "patches").glob("*.patch")} == ours
    assert (data / "config").read_bytes() == (ROOT / "kernel/config").read_bytes()


def test_a_quick_run_and_its_report(bench: Bench, tmp_path: Path) -> None:
    """From another directory, with version and commit in run.json and a page in the end."""
    (tmp_path / "backing").mkdir()
    done = bench(
        "run", "--daemon", "plain-c", "--only", "--quick", "--workload", "getattr-storm/fd",
        "--backing", "backing", "--output", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "run/run.json").read_text())
    assert about["environment"]["suite_commit"].removesuffix("-dirty") == git("rev-parse", "HEAD")
    assert about["environment"]["suite_version"] == "0.1.0"
    assert (tmp_path / "run/report/index.html").is_file()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_names_the_command(bench: Bench, shell: str) -> None:
    """The script is argcomplete's; the words come from the parsers."""
    assert "fuse-bench" in bench("completion", shell).stdout


def test_bash_completes_names(environment: Path, tmp_path: Path) -> None:
    """``--daemon pl`` becomes plain or plain-c, as the registry has them."""
    line = "fuse-bench run --daemon plain"
    done = subprocess.run(
        [environment / "bin/fuse-bench"],
        env={
            **os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)),
            "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "words"), "_ARGCOMPLETE_IFS": "\n",
            "COMP_TYPE": "9",
        },
        cwd=tmp_path,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert {"plain", "plain-c"} <= {
        word.strip() for word in (tmp_path / "words").read_text().split("\n")
    }
