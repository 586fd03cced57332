"""``python -m bench``: the command line, with a person's errors told in one line."""

from __future__ import annotations

import sys

from bench.commands.main import console

if __name__ == "__main__":
    sys.exit(console())
