"""What each target of a run passes through, and how it lists: the words of break-even and projection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.model import Level, ReaddirMode
from bench.stats.frame import Run

Word = TypeVar("Word", Level, ReaddirMode)

LISTED = {
    ReaddirMode.READDIRPLUS: "READDIRPLUS",
    ReaddirMode.READDIR: "READDIR",
    ReaddirMode.AUTO: "adaptive READDIRPLUS",
}


@dataclass(frozen=True)
class Traits:
    """One target: the level in force, whether listings are passed through, and how it lists else."""

    name: str
    daemon: str
    kernel: str
    """Label of the kernel, where a run has several."""
    kind: str
    """``fuse``, ``kernel`` (overlayfs, bind) or ``native``."""
    level: Level
    readdir: bool
    mode: ReaddirMode

    @property
    def usual(self) -> bool:
        """Whether it lists as our servers do unless told otherwise."""
        return self.mode is ReaddirMode.READDIRPLUS

    @property
    def attached(self) -> bool:
        """Whether getattr is passed through."""
        return self.kind == "fuse" and self.level.rank >= Level.ATTACH_GETATTR.rank

    @property
    def listing(self) -> bool:
        """Whether readdir is passed through."""
        return self.attached and self.readdir

    @property
    def lookup(self) -> bool:
        """Whether LOOKUP is passed through as well as listings."""
        return self.listing and self.level is Level.LOOKUP

    @property
    def said(self) -> str:
        """``readdir + getattr passthrough``, ``READDIRPLUS``, ``getattr passthrough, READDIRPLUS``."""
        if self.kind != "fuse":
            return self.name
        what = ["readdir"] if self.listing else []
        what += ["getattr"] if self.attached else []
        what += ["LOOKUP"] if self.level is Level.LOOKUP else []
        passed = [f"{' + '.join(what)} passthrough"] if what else []
        return ", ".join(passed + ([] if self.listing else [LISTED[self.mode]]))

    @property
    def plain(self) -> bool:
        """A FUSE server whose metadata requests all reach it."""
        return self.kind == "fuse" and not self.attached

    @property
    def bulk(self) -> bool:
        """Whether the server answers READDIRPLUS: always, or in the kernel's adaptive mode."""
        return self.kind == "fuse" and not self.listing and self.mode is not ReaddirMode.READDIR


def ways(run: Run) -> dict[str, Traits]:
    """Every target that run.json names, by name, in table order."""
    listed = [_way(entry) for entry in run.about.get("targets") or () if "name" in entry]
    return {way.name: way for way in listed}


def _way(entry: Mapping[str, Any]) -> Traits:
    name = str(entry["name"])
    return Traits(
        name=name,
        daemon=str(entry.get("daemon") or name),
        kernel=name.partition("@")[2],
        kind=str(entry.get("kind") or ("native" if name == "native" else "fuse")),
        level=_known(Level, entry.get("level"), Level.NONE),
        readdir=bool(entry.get("readdir", True)),
        mode=_known(ReaddirMode, entry.get("readdir_mode"), ReaddirMode.READDIRPLUS),
    )


def _known(kind: type[Word], value: object, other: Word) -> Word:
    return next((word for word in kind if word == value), other)
