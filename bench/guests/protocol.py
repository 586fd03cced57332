"""What host and guest tell one another: the job file, and one JSON line for each event."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

JOB, EVENTS = "job.json", "events.jsonl"


class Events:
    """Tells the host what happens, one JSON object a line, on disk at once."""

    def __init__(self, share: Path) -> None:
        self._fd = os.open(share / EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def put(self, event: str, **content: Any) -> None:
        """One event."""
        os.write(self._fd, (json.dumps({"event": event, **content}) + "\n").encode())
        os.fsync(self._fd)
