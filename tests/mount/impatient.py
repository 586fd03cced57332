"""``python -m tests.mount.impatient`` is ``python -m bench`` with little patience for servers."""

from __future__ import annotations

import sys

from bench.commands import main
from bench.mounts import mount

if __name__ == "__main__":
    mount.READY_TIMEOUT_S = mount.UNMOUNT_TIMEOUT_S = 3.0
    sys.exit(main.main(sys.argv[1:]))
