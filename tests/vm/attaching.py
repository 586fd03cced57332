"""What our servers attach with ``--attach files`` and ``all``: GETATTR by type, in a guest of the lab kernel.

    python -m tests.vm.attaching SHARE

Leaves attaching.json in the shared folder.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from bench.model import Daemon, Opcode
from daemons.passthrough import DAEMON as IN_PYTHON
from daemons.passthrough_c import DAEMON as IN_C
from tests.mount.serving import Mounted
from tests.vm.parties import SWITCH

LEVELS = ("attach-getattr", "attach-lookup")
LOOKS = 50


def getattrs(mounted: Mounted, descriptor: int) -> int:
    """Requests that LOOKS times fstat send, after what attaches."""
    os.fstat(descriptor)
    before = mounted.counters().requests.get(Opcode.GETATTR, 0)
    for _ in range(LOOKS):
        os.fstat(descriptor)
    return mounted.counters().requests.get(Opcode.GETATTR, 0) - before


def served(daemon: Daemon, folder: Path, level: str, what: str) -> dict[str, int]:
    """GETATTR that come from the root, a directory, a symbolic link and a file."""
    backing = folder / "backing"
    (backing / "d").mkdir(parents=True)
    (backing / "f").write_text("content")
    (backing / "s").symlink_to("f")
    SWITCH.write_text(level)
    mounted = Mounted(daemon, folder, ["--level", level, "--attach", what])
    try:
        found = {}
        for name in (".", "d", "s", "f"):
            flags = os.O_PATH | os.O_NOFOLLOW if name != "f" else os.O_RDONLY
            descriptor = os.open(mounted.root / name, flags)
            found[name] = getattrs(mounted, descriptor)
            os.close(descriptor)
        mounted.stop()
        return found
    finally:
        mounted.end()


def main(share: str) -> int:
    """Every server, level and choice."""
    before, found = SWITCH.read_text(), []
    with tempfile.TemporaryDirectory(dir="/run") as scratch:
        for daemon in (IN_C, IN_PYTHON):
            for level in LEVELS:
                for what in ("files", "all"):
                    folder = Path(scratch) / f"{daemon.name}-{level}-{what}"
                    counts = served(daemon, folder, level, what)
                    found.append([daemon.name, level, what, counts])
    SWITCH.write_text(before)
    (Path(share) / "attaching.json").write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
