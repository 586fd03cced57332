"""Ten thousand random operations into every writable target and into a native copy: no difference."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mount import differential
from tests.mount.targets import Difference, Target, documented, open_folder, writable

OPERATIONS = 10_000
SEED = 20261124

pytestmark = pytest.mark.mount


def parameters() -> Iterator[object]:
    """Every writable target; one that is known to differ at once is not run to find it again."""
    for target in writable():
        why = documented(target.daemon).get(Difference.SEQUENCES)
        marks = [pytest.mark.xfail(run=False, reason=why)] if why else []
        yield pytest.param(target, marks=marks, id=target.id)


@pytest.mark.parametrize("target", list(parameters()))
def test_no_difference(target: Target, record_property: Callable[[str, object], None]) -> None:
    """Ops are shared by the two settings of a target's caches; the count is in the summary."""
    operations = int(os.environ.get("DIFFERENTIAL_OPERATIONS", OPERATIONS))
    if target.daemon.is_fuse:
        operations //= 2
    with open_folder() as folder:
        done = differential.run(target, folder, operations, SEED)
    assert done >= operations
    record_property("differential", f"{done} operations, seed {SEED}, no difference")


def test_a_difference_is_found_and_shrunk(tmp_path: Path) -> None:
    """The fuzzer itself: a server that loses the set-uid bit, say, is not let through."""
    native = tmp_path / "native"
    code = """
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tests.mount import differential, operations
from tests.mount.targets import targets
chmod = operations.chmod
def forgetful(side, path, mode):
    return chmod(side, path, mode & 0o777 if b"/mnt/" in side.root else mode)
differential.do.chmod = forgetful
target = next(one for one in targets() if one.id == "bind")
differential.run(target, Path(sys.argv[1]), 10_000, 1)
"""
    native.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, native], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "state.chmod(" in done.stderr
    assert "AssertionError" in done.stderr


def test_by_hand(tmp_path: Path) -> None:
    """The command for a longer run says how many operations it made, and with which seed."""
    command = [sys.executable, "-m", "tests.mount.differential", "--daemon", "bind"]
    command += ["--operations", "100", "--seed", "7", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "operations, seed 7, no difference" in done.stdout
    assert not list(tmp_path.iterdir())
