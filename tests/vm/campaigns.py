"""What `make test` does of sequences, replies and stress, in one guest.

    python -m tests.vm.campaigns SHARE [SCALE]

Leaves a JSON file of each in the shared folder; SCALE makes all three longer.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.vm import replies, sequences, stress

SEED = 20261127
SEQUENCES, REPLIES, TIMES = 10, 300, 8
"""How many: of all variants together; of each variant; of each worker on one mount of each variant."""


def main(share: str, scale: str = "1") -> int:
    """Do all three, whatever becomes of the one before."""
    times = float(scale)
    seed = ["--seed", str(SEED)]
    for name, part, arguments in (
        ("sequences", sequences.main, ["--count", str(int(SEQUENCES * times))]),
        ("replies", replies.main, ["--replies", str(int(REPLIES * times))]),
        (
            "stress",
            stress.main,
            ["--one-each", "--seconds", "0", "--times", str(int(TIMES * times))],
        ),
    ):
        begun = time.monotonic(), sum(os.times()[:4])
        part([*arguments, *seed, "--json", str(Path(share) / f"{name}.json")])
        took = time.monotonic() - begun[0], sum(os.times()[:4]) - begun[1]
        print(f"{name}: {took[0]:.1f} s, {took[1]:.1f} s of a CPU", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
