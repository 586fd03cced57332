"""Bytes of a file turned into a JSON value, and every text in it fit for a terminal."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from bench.machine import plain
from bench.results.kinds import Wrong

LARGEST_BYTES = 1 << 28
"""No file of a run is larger: a trial's line has 2 KiB."""


def contents(file: Path) -> bytes:
    """What is in a file that others may have made: no pipe is waited for, and memory has an end.

    Raises Wrong for what is no file, or larger than a run's ever is; OSError for what is not there.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Wrong("not a regular file")
    with os.fdopen(descriptor, "rb") as stream:
        data = stream.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise Wrong(f"more than {LARGEST_BYTES >> 20} MiB")
    return data


def parse(data: bytes) -> Any:
    """JSON as a value; raises Wrong for what is none, or is nested as no program would."""
    try:
        return json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Wrong(f"not UTF-8 (byte {error.start + 1})") from None
    except RecursionError:
        raise Wrong("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Wrong(f"not JSON ({error})") from None
    except ValueError:
        raise Wrong("a number of too many digits") from None


def parse_text(data: bytes) -> Any:
    """JSON as a value with every text in it fit for a terminal: others have written it; raises Wrong."""
    whole = parse(data)
    return whole if data.isascii() and b"\\" not in data else fit(whole)


def fit(whole: Any) -> Any:
    """A value with every text in it fit for a terminal; raises Wrong."""
    try:
        return plain.value(whole)
    except RecursionError:
        raise Wrong("nested too deeply") from None
