"""run.json as others have written it: what each key may be; what is wrong in it is named and left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.axes import OPTIONS
from bench.axes.axis import Axis
from bench.model import NOT_KNOWN, SCHEMA, Clock, Level, ReaddirMode, UserError
from bench.results.json_text import contents, fit, parse
from bench.results.kinds import Kind, Name, Number, Text, TrueOrFalse, Whole, Word, Wrong
from bench.results.objects import Anything, Entries, Facts, ListOf, MapOf

NAME, TEXT, WHOLE, FLAG = Name(), Text(), Whole(), TrueOrFalse()
TEXTS, CPUS = ListOf(TEXT), ListOf(Whole(0, 10**6))
NAMED = 20
"""Sentences about what was left out, at most."""


@dataclass(frozen=True)
class Places:
    """What was asked for of an axis: a list of its places; older runs may have a single one."""

    axis: Axis[Any]

    @property
    def said(self) -> str:
        """The kind in words, for a table of keys."""
        return f"list of places on the axis {self.axis.name}"

    def read(self, value: object, _left_out: list[str] | None) -> Any:
        """The value as it is; raises Wrong."""
        for one in value if isinstance(value, list) else [value]:
            try:
                self.axis.values([one])
            except UserError:
                raise Wrong(f"no places on the axis {self.axis.name}") from None
        return value


AXES: dict[str, Kind] = {
    **dict.fromkeys(("daemons", "workloads"), TEXTS),
    **{axis.name: Places(axis) for axis in OPTIONS},
}
SETTINGS = Facts(
    {
        **AXES,
        "foreign": TEXTS,
        "kernels": TEXTS,
        "clock": Word(Clock),
        "trials": WHOLE,
        "values": WHOLE,
        "seed": WHOLE,
        "parts": Entries(Facts(AXES)),
    }
)
TARGET = Facts(
    {
        "name": NAME,
        "daemon": NAME,
        "kernel": NAME,
        "summary": TEXT,
        "kind": Name(20),
        "exempt": TEXTS,
        "python": FLAG,
        "level_asked": Word(Level),
        "level": Word(Level),
        "level_reason": TEXT,
        "readdir": FLAG,
        "readdir_mode": Word(ReaddirMode, (NOT_KNOWN,)),
        "server_threads": WHOLE,
        "clone_fd": FLAG,
    },
    needs=("name",),
)
KERNEL = Facts(
    {
        "label": NAME,
        "image": TEXT,
        "release": TEXT,
        "parameters": TEXTS,
        "accelerator": TEXT,
        "level": Anything(),
    },
    needs=("label",),
)
CPUS_OF: dict[str, Kind] = {
    "mode": Name(20),
    "client": CPUS,
    "daemon": CPUS,
    "runner": CPUS,
    "note": TEXT,
}
PLACEMENT = Facts({**CPUS_OF, "threads": MapOf(Name(20), Facts(CPUS_OF))})
ENVIRONMENT = Facts(
    {
        "kernel_release": TEXT,
        "cpu_model": TEXT,
        "machine": TEXT,
        "scheduling": TEXT,
        "cpu_count": Whole(1, 10**6),
        "versions": Facts(),
    }
)
TREE = Facts(
    {
        "name": TEXT,
        "hash": TEXT,
        **dict.fromkeys(("files", "dirs", "depth", "branching", "files_per_dir"), WHOLE),
        **dict.fromkeys(("name_length", "file_size", "seed"), WHOLE),
    }
)
TUNED = Facts(
    dict.fromkeys(("knob", "path", "before", "after", "refused"), TEXT),
    needs=("knob", "before", "after"),
)
HEADER = Facts(
    {
        "schema": WHOLE,
        "revision": WHOLE,
        "run": NAME,
        "started": TEXT,
        "finished": TEXT,
        "argv": TEXTS,
        "settings": SETTINGS,
        "clock": Word(Clock),
        "targets": Entries(TARGET),
        "kernels": Entries(KERNEL),
        "tree": TREE,
        "backing": Facts(dict.fromkeys(("path", "filesystem", "options", "device"), TEXT)),
        "kernel_level": Facts({"level": Word(Level), "readdir": FLAG, "reasons": TEXTS}),
        "environment": ENVIRONMENT,
        "cpu_dma_latency": TEXT,
        "knobs": Entries(Facts()),
        "tuned": Entries(TUNED),
        "placement": PLACEMENT,
        "skipped": Entries(Facts({"what": TEXT, "reason": TEXT})),
        "controls": TEXTS,
        "refused": MapOf(Name(), TEXT),
        "phases": MapOf(Name(), Number(-1e12, 1e12)),
    }
)
"""Keys that it does not name are read as they are: they are only told."""


def raw(path: Path) -> dict[str, Any]:
    """run.json of the run in ``path`` as it stands; UserError where there is none that can be read."""
    file = path / "run.json"
    try:
        about = parse(contents(file))
    except FileNotFoundError:
        raise UserError(f"{path}: not a run, it has no run.json") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except Wrong as wrong:
        raise UserError(f"{file}: cut short or not readable: {wrong}") from None
    if not isinstance(about, dict):
        raise UserError(f"{file}: not a JSON object")
    return about


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """What run.json says, and a sentence about each part of it that was left out.

    Raises UserError where there is none, or one of another schema.
    """
    about = raw(path)
    if type(about.get("schema")) is not int or about["schema"] != SCHEMA:
        found = about.get("schema")
        told = isinstance(found, (int, float, str))
        said = ascii(found) if told else type(found).__name__
        raise UserError(
            f"{path / 'run.json'}: schema {said[:20]}, this program reads {SCHEMA}; "
            "use the version of the suite that wrote the run"
        )
    left_out: list[str] = []
    try:
        found = HEADER.read(fit(about), left_out)
    except Wrong as wrong:
        raise UserError(f"{path / 'run.json'}: cannot be read: {wrong}") from None
    problems = [f"run.json: left out: {sentence}" for sentence in left_out[:NAMED]]
    if len(left_out) > NAMED:
        problems.append(f"run.json: {len(left_out) - NAMED} more parts of it are left out")
    return _two_of_a_name(found, problems), problems


def _two_of_a_name(about: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Targets and kernels are told apart by their names: of two the first counts."""
    unlike = dict(about)
    for key, name in (("targets", "name"), ("kernels", "label")):
        first: dict[str, Any] = {}
        for one in about.get(key, ()):
            if one[name] in first:
                problems.append(f"run.json: left out: {key}: a second {one[name]!a}")
            first.setdefault(one[name], one)
        if key in about:
            unlike[key] = list(first.values())
    return unlike
