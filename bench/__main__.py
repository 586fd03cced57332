"""``python -m bench``: the command line, with a person's errors told in one line."""

from __future__ import annotations

import sys

from bench.commands.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
