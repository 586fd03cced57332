"""What a boot runs: the guest tests of every file here.

python3 guest_all.py VARIANT RESULTS [NAME...]
"""

from __future__ import annotations

import sys

import guest
import guest_coherency  # noqa: F401
import guest_series  # noqa: F401
import guest_xattr  # noqa: F401

TESTS = guest.TESTS

if __name__ == "__main__":
    sys.exit(guest.main(*sys.argv[1:]))
