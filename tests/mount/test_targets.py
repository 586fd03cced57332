"""The table of differences is about targets there are, and none is left out without a word."""

from __future__ import annotations

import pytest

from bench import registry
from bench.model import Daemon
from tests.mount.targets import DOCUMENTED, TWINS, targets

pytestmark = pytest.mark.mount


@pytest.mark.parametrize("daemon", registry.daemons().values(), ids=lambda daemon: daemon.name)
def test_every_daemon_is_a_target(daemon: Daemon) -> None:
    """The suites run over all that mounts something; what is not installed is named once, here."""
    if missing := daemon.missing():
        pytest.skip(missing)
    ids = {one.id for one in targets() if one.daemon == daemon}
    assert (daemon.name in ids) == (daemon.argv is not None)


def test_differences_are_of_known_daemons_and_have_a_source() -> None:
    """No entry for a daemon that has gone; a document with every difference."""
    known = registry.daemons()
    names = {name.removesuffix("-cached") for name in DOCUMENTED}
    assert names | set(TWINS) | set(TWINS.values()) <= set(known)
    assert all(source for sources in DOCUMENTED.values() for source in sources.values())
