"""Fixtures of the mount tests: a daemon on a mount, gone at the end of the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Mounted

from bench.model import Daemon
from tests.mount.targets import (
    Difference,
    Target,
    documented,
    open_folder,
    uncached,
    upper_like,
    writable,
)

Serve = Callable[..., Mounted]


@pytest.fixture
def backing(tmp_path: Path) -> Path:
    """An empty backing directory."""
    folder = tmp_path / "backing"
    folder.mkdir()
    return folder


@pytest.fixture
def serve(tmp_path: Path, backing: Path) -> Iterator[Serve]:
    """serve(daemon, *further arguments) mounts the backing; a test that passes leaves exit code 0.

    A daemon the test has not stopped is stopped here and must end well; after a failure it is
    only removed.
    """
    assert backing.is_dir()
    running: list[Mounted] = []

    def start(daemon: Daemon, *extra: str) -> Mounted:
        running.append(Mounted(daemon, tmp_path, extra))
        return running[-1]

    yield start
    try:
        for mounted in running:
            if mounted.process.returncode is None:
                mounted.stop()
    finally:
        for mounted in running:
            mounted.end()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``served``: every target one can write through; ``shown``: every one there is.

    A test marked ``differs`` must fail where the difference is documented, with the document as
    the reason.
    """
    found = {"served": writable, "shown": uncached}
    differences = [
        difference
        for marker in metafunc.definition.iter_markers("differs")
        for difference in marker.args
    ]
    for name, scan in found.items():
        if name in metafunc.fixturenames:
            parameters = [_parameter(target, differences) for target in scan()]
            metafunc.parametrize(name, parameters, indirect=True, scope="module")


def _parameter(target: Target, differences: list[Difference]) -> object:
    known = documented(target.daemon, target.timeout_s > 0)
    sources = [f"{known[one]} ({one})" for one in differences if one in known]
    marks = [pytest.mark.xfail(strict=True, reason=source) for source in sources[:1]]
    return pytest.param(target, marks=marks, id=target.id)


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest) -> Iterator[Mounted]:
    """One mount of a writable target for all tests of a module."""
    target: Target = request.param
    with open_folder() as folder:
        (folder / "backing").mkdir()
        mounted = target.mount(folder)
        try:
            yield mounted
            mounted.stop()
        finally:
            mounted.end()


_places = itertools.count()


@pytest.fixture
def place(served: Mounted) -> Path:
    """An empty directory of this test's own on the mount, open to everybody."""
    folder = served.root / f"place{next(_places)}"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def below(served: Mounted, place: Path) -> Path:
    """A directory of the mount, in the backing."""
    return served.backing / place.name


@pytest.fixture
def twin(served: Mounted, place: Path) -> Iterator[Path]:
    """An empty native directory, on a file system like the one the target writes to."""
    folder = served.root.parent / f"twin-of-{place.name}"
    folder.mkdir()
    with upper_like(served.daemon, folder) as native:
        native.chmod(0o777)
        yield native


@pytest.fixture(scope="module")
def shown(request: pytest.FixtureRequest) -> Target:
    """A target of any kind, yet to be mounted."""
    target: Target = request.param
    return target
