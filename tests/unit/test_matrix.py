"""A matrix is a file: what it says is what is planned, and a slip of the pen costs one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands.main import main
from bench.model import Exit, UserError
from bench.plan import matrix

PART = '[[part]]\ndaemons = ["native"]\nworkloads = "readdir"\n'


def written(folder: Path, text: str) -> Path:
    """A matrix file."""
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", matrix.files(), ids=lambda path: path.stem)
def test_the_matrices_of_the_suite_are_whole(path: Path) -> None:
    """Each can be read, has a summary, and is called as its file."""
    found = matrix.load(path)
    assert found.name == path.stem
    assert found.summary and found.parts


def test_the_suite_has_the_matrix_to_run_before_posting() -> None:
    """By its name alone."""
    assert matrix.find("patch-posting").is_file()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no [[part]]"),
        ("part = 3\n", "no [[part]]"),
        ("[[part]\n", "not TOML"),
        ('[[part]]\nworkloads = "readdir"\n', "part 1: no daemons"),
        (PART + PART + "deamons = 1\n", "part 2: unknown key 'deamons': did you mean 'daemons'?"),
        ("triols = 3\n" + PART, "unknown key 'triols': did you mean 'trials'?"),
        (
            PART + 'modes = "readdirs"\n',
            "part 1: modes: unknown 'readdirs': did you mean 'readdir'?",
        ),
        (PART.replace("native", "nativ"), "did you mean 'native'?"),
        (PART.replace('"readdir"', '["readdirr"]'), "workloads: unknown workload 'readdirr'"),
        (PART + 'levels = ["rx"]\n', "levels: unknown 'rx'"),
        (PART + "threads = [1, 0]\n", "threads: 0 is not a whole number above 0"),
        (PART + "threads = []\n", "threads: an empty list measures nothing"),
        (PART + "trials = true\n", "trials: True is not a whole number above 0"),
        (PART + 'clone_fd = "yes"\n', "clone_fd: unknown 'yes'"),
        (PART + 'timeouts = "soon"\n', "timeouts: timeouts 'soon'"),
        ("summary = 3\n" + PART, "summary: wanted a text, got 3"),
        ('tree = "smal"\n' + PART, "did you mean small"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    """File, part, key, and the nearest name, in one line."""
    with pytest.raises(UserError) as error:
        matrix.load(written(tmp_path, text))
    assert words in str(error.value)
    assert "mine.toml" in str(error.value) and "\n" not in str(error.value)
    assert error.value.code is Exit.USAGE


def test_an_axis_above_the_parts_goes_for_those_that_do_not_say_otherwise(tmp_path: Path) -> None:
    """What all parts share is written once."""
    found = matrix.load(written(tmp_path, "threads = [1, 2]\n" + PART + PART + "threads = 4\n"))
    assert [part["threads"] for part in found.parts] == [(1, 2), (4,)]
    assert "threads" not in found.settings


def test_unknown_matrices_get_the_nearest_name() -> None:
    """A name without a path is one of the suite's."""
    with pytest.raises(UserError, match="did you mean 'patch-posting'"):
        matrix.find("patch-postin")
    with pytest.raises(UserError, match="No such file"):
        matrix.load(matrix.find("./nowhere.toml"))


def test_a_dry_run_says_what_would_be_measured_and_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts, reasons, exit 0, under 80 columns, and no run directory."""
    image = tmp_path / "bzImage"
    image.write_bytes(b"\x7fELF")
    path = written(
        tmp_path, f'trials = 2\nkernels = "mine={image}"\n' + PART + 'timeouts = ["0", "1"]\n'
    )
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--matrix", str(path), "--dry-run"]) == Exit.MEASURED
    said = capsys.readouterr().out
    assert "4 in 2 rounds" in said
    assert max(len(line) for line in said.splitlines()) < 80
    assert not (tmp_path / "results").exists()
