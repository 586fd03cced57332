"""Fixtures of the mount tests: a daemon on a mount, gone at the end of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Mounted

from bench.model import Daemon

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
