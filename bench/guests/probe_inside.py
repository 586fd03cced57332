"""Inside a guest: what its kernel passes through, for every variant the lab's switch offers."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bench.machine import lab_switch
from bench.model import Level
from bench.probe import probe


def main() -> int:
    """Write probe.json into the folder named on the command line."""
    before = lab_switch.variant()
    variants = []
    levels = (
        [Level.RW, Level.ATTACH_GETATTR, Level.ATTACH_LOOKUP, Level.LOOKUP] if before else [None]
    )
    for level in levels:
        if level is not None:
            lab_switch.select(level)
        ability = probe.probe()
        variants.append(
            {
                "variant": lab_switch.variant(),
                "level": ability.level.value,
                "readdir": ability.readdir,
                "xattrs": ability.xattrs,
                "reasons": list(ability.reasons),
            }
        )
    answer = {
        "release": os.uname().release,
        "settings": lab_switch.settings(),
        "variants": variants,
    }
    (Path(sys.argv[1]) / "probe.json").write_text(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
