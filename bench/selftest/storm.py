"""A bare storm, to be counted from outside: ``python -m bench.selftest.storm DIR OPS``."""

from __future__ import annotations

import json
import sys

from workloads._native.opdriver import Driver

FILES = 499


def main(directory: str, ops: int) -> int:
    """statx of the FILES files ``0``, ``1``, ... of a directory, round and round; prints JSON."""
    with Driver("statx-path", directory, [str(number) for number in range(FILES)]) as driver:
        done, ns, _ = driver.run(ops)
    print(json.dumps({"ops": done, "ns": ns}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
