"""``python -m tests.vm.impatient`` is ``python -m bench`` with little patience for guests."""

from __future__ import annotations

import sys

from bench.commands import main
from bench.kernels import vm

if __name__ == "__main__":
    vm.BOOT_TIMEOUT_S = 5.0
    sys.exit(main.main(sys.argv[1:]))
