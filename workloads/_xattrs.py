"""Files with one extended attribute each, and what the kernel makes of the servers' answers."""

from __future__ import annotations

import os
from pathlib import Path

from bench.model import Body, Context, Fixture, Lacking, XattrWay
from workloads._bodies import CHUNK, Driven
from workloads._native.opdriver import Driver

FOLDER = "xattrs"
FILES = 1000
NAME = "user.x"
VALUE = b"sixteen bytes..."


def build(folder: Path) -> None:
    """The files, each with the same attribute; raises Lacking on a file system that has none."""
    for number in range(FILES):
        file = folder / f"{number:04}"
        file.touch()
        try:
            os.setxattr(file, NAME, VALUE)
        except OSError as error:
            raise Lacking(f"no user.* attributes on the backing: {error.strerror}") from error


FIXTURE = Fixture(FOLDER, build)


def storm(context: Context, op: str, text: str | None = None, expected: int | None = None) -> Body:
    """Windows of an op that asks for attributes of files opened before, in random order."""
    paths = [f"{FOLDER}/{number:04}" for number in range(min(context.names, FILES))]
    driver = Driver(
        op,
        context.root,
        paths,
        threads=context.threads,
        order="random",
        seed=context.seed,
        expected=expected,
        text=text,
    )
    return Driven(driver, CHUNK)


def has_any(context: Context) -> bool:
    """Whether the server gives attributes at all."""
    return XattrWay(context.xattr).has_any
