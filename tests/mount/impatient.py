"""``python -m tests.mount.impatient`` is ``python -m bench`` with little patience for servers."""

from __future__ import annotations

import sys

from bench import cli, mount

if __name__ == "__main__":
    mount.READY_TIMEOUT_S = mount.UNMOUNT_TIMEOUT_S = 3.0
    sys.exit(cli.main(sys.argv[1:]))
