"""Changes to a run that is written already: keys of run.json, lines of trials.jsonl."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def changed(run: Path, change: Callable[[Json], None]) -> Path:
    """The run with every line of its trials changed."""
    file = run / "trials.jsonl"
    trials = [json.loads(line) for line in file.read_text().splitlines()]
    for trial in trials:
        change(trial)
    file.write_text("".join(f"{json.dumps(trial)}\n" for trial in trials))
    return run


def slower(factor: float, series: str) -> Callable[[Json], None]:
    """Multiplies the values of the series whose label holds these words."""

    def change(trial: Json) -> None:
        if series in trial["series"]:
            trial["values"] = [value * factor for value in trial["values"]]

    return change


def about(run: Path, path: str, value: object) -> Path:
    """The run with a key of run.json (dots between) set to a value."""
    header = json.loads((run / "run.json").read_text())
    *above, last = path.split(".")
    inner = header
    for key in above:
        inner = inner.setdefault(key, {})
    inner[last] = value
    (run / "run.json").write_text(json.dumps(header))
    return run
