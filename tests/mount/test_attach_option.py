"""``--attach`` of our servers: what it accepts. What it attaches is proven in tests/vm."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Serve
from serving import ours, run_daemon

from bench.model import Daemon

each_daemon = pytest.mark.parametrize("daemon", ours(), ids=lambda daemon: daemon.name)
pytestmark = [pytest.mark.mount, each_daemon]


@pytest.mark.parametrize("what", ["files", "all"])
def test_a_kernel_that_attaches_nothing_serves_all_the_same(
    daemon: Daemon, backing: Path, serve: Serve, what: str
) -> None:
    """The option is about ids, which this kernel may not take."""
    (backing / "file").write_text("content")
    root = serve(daemon, "--attach", what, "--level", "attach-lookup").root
    assert (root / "file").read_text() == "content"
    assert [path.name for path in root.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "arguments", [("--attach", "some"), ("--attach", "files", "--level", "lookup")]
)
def test_what_cannot_be_attached_is_refused(
    daemon: Daemon, tmp_path: Path, backing: Path, arguments: tuple[str, ...]
) -> None:
    """Exit 2, the option named; looking up needs attached directories."""
    done = run_daemon(daemon, backing, tmp_path, *arguments)
    assert done.returncode == 2
    assert "--attach" in done.stderr
