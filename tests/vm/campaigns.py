"""What `make test` does of sequences, replies and stress, in one guest.

    python -m tests.vm.campaigns SHARE [SCALE]

Leaves a JSON file of each in the shared folder; SCALE makes all three longer.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.vm import replies, sequences, stress

SEED = 20261127
SEQUENCES_S, REPLIES, STRESS_S, CYCLE_S = 12.0, 1_000, 2.2, 2.2
"""Of all variants together, of each variant, of each variant and shape, of each mount."""


def main(share: str, scale: str = "1") -> int:
    """Do all three, whatever becomes of the one before."""
    times = float(scale)
    seed = ["--seed", str(SEED)]
    for name, part, arguments in (
        ("sequences", sequences.main, ["--seconds", str(SEQUENCES_S * times)]),
        ("replies", replies.main, ["--replies", str(int(REPLIES * times))]),
        ("stress", stress.main, ["--seconds", str(STRESS_S * times), "--cycle", str(CYCLE_S)]),
    ):
        begun = time.monotonic()
        part([*arguments, *seed, "--json", str(Path(share) / f"{name}.json")])
        print(f"{name}: {time.monotonic() - begun:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
