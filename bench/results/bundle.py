"""A published run in one file: configuration, tree seed and samples, for others to run again.

A bundle is a tar.gz of run.json, *.jsonl and series/*.json with a manifest of their SHA-256.
The same run gives the same bytes. Reading trusts nothing: only these names, only plain files.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.model import SCHEMA, UserError
from bench.results import plain_tar
from bench.results.json_text import parse_text
from bench.results.kinds import Text, Whole, Wrong
from bench.results.objects import Facts, MapOf
from bench.results.store import RunDirectory

VERSION = 1
"""Schema of the bundle; what is in it has the schema of results/README.md."""
MANIFEST = "bundle.json"
NAMES = re.compile(r"(?:bundle\.json|run\.json|[a-z]+\.jsonl|series/[\w@:.,=+-]+\.json)")
MANIFEST_KEYS = Facts(
    {"bundle": Whole(), "schema": Whole(), "run": Text(), "sha256": MapOf(Text(300), Text(64))},
    needs=("bundle", "schema", "sha256"),
)
LARGEST_BYTES = 1 << 27
"""Most bytes of everything in a bundle, unpacked: a run of 10^6 samples is a sixth of it."""
LARGEST_TEXT = 1 << 22
"""Most bytes of what is read at once: JSON that says nothing takes twenty times as much memory."""
MOST_FILES = 20_000
"""Most files in it: a run has one for each series."""
LONGEST_NAME = 255
"""Most bytes of a name, of Linux's."""
NAMED = 3
"""Files that a message names."""


def pack(run: RunDirectory, output: Path) -> int:
    """Write the bundle of a finished run; returns its size in bytes. Raises UserError."""
    if not run.header().get("finished"):
        raise UserError(
            f"{run.path} is not finished: python -m bench run --resume {run.path}, then bundle it"
        )
    patterns = ("run.json", "*.jsonl", "series/*.json")
    files = [path for pattern in patterns for path in sorted(run.path.glob(pattern))]
    contents = {str(path.relative_to(run.path)): path.read_bytes() for path in files}
    for name in contents:
        if not NAMES.fullmatch(name):
            raise UserError(f"{run.path}/{name}: a bundle cannot hold a file of this name")
    if sum(map(len, contents.values())) > LARGEST_BYTES or len(contents) >= MOST_FILES:
        limit = f"{LARGEST_BYTES >> 20} MiB in {MOST_FILES} files"
        raise UserError(f"{run.path}: too much for a bundle, which holds {limit}")
    manifest = {
        "bundle": VERSION,
        "schema": SCHEMA,
        "run": str(run.header().get("run", run.path.name)),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    }
    text = json.dumps(manifest, indent=1) + "\n"
    try:
        output.write_bytes(_archive({MANIFEST: text.encode(), **contents}))
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; give -o FILE") from None
    return output.stat().st_size


def _archive(contents: dict[str, bytes]) -> bytes:
    """A tar.gz in which nothing depends on when, where and by whom it was made."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=buffer, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def unpack(file: Path, directory: Path) -> RunDirectory:
    """Write what is in a bundle into ``directory``, as a run.

    The file is read twice: nothing is written before all of it was seen. Raises UserError for a file that
    is no bundle, is cut short, was tampered with, is of another schema, or holds anything a run does not.
    """
    sums = _checked(file)
    written: dict[str, str] = {}
    try:
        (directory / "series").mkdir(parents=True, exist_ok=True)
        for name, content in _members(file):
            if name != MANIFEST:
                with (directory / name).open("wb") as opened:
                    written[name] = _digest(content, opened.write)
            else:
                _digest(content)
    except OSError as error:
        raise UserError(f"{file}: cannot be unpacked to {directory}: {error.strerror}") from None
    if written != sums:
        raise UserError(f"{file}: it changed while it was read")
    try:
        return RunDirectory.open(directory)
    except UserError as error:
        raise UserError(str(error).replace(str(directory), str(file))) from None


def _checked(file: Path) -> dict[str, str]:
    """Sums of all files in a bundle, which are those of its manifest; writes nothing."""
    manifest, found = bytearray(), {}
    try:
        for name, content in _members(file):
            if name in found:
                raise UserError(f"{file}: refused: two files {plain_tar.shown(name)}")
            found[name] = _digest(content, manifest.extend if name == MANIFEST else _nothing)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or 'not a bundle'}") from None
    found.pop(MANIFEST, None)
    _check(file, bytes(manifest), found)
    return found


def _members(file: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and content of every file in a bundle; raises UserError, and OSError where it cannot be read."""
    with gzip.open(file) as stream, _in_words(file):
        for name, size, content in plain_tar.files(stream, LARGEST_BYTES, MOST_FILES):
            if not NAMES.fullmatch(name) or len(os.fsencode(Path(name).name)) > LONGEST_NAME:
                raise plain_tar.NotTaken(f"{plain_tar.shown(name)} is nothing that a run holds")
            if name in (MANIFEST, "run.json") and size > LARGEST_TEXT:
                raise plain_tar.NotTaken(f"{name} of more than {LARGEST_TEXT >> 20} MiB")
            yield name, _content(file, content)


def _content(file: Path, content: Iterator[bytes]) -> Iterator[bytes]:
    with _in_words(file):
        yield from content


@contextmanager
def _in_words(file: Path) -> Iterator[None]:
    """What is wrong with a bundle becomes a UserError."""
    try:
        yield
    except plain_tar.NotTaken as refused:
        raise UserError(f"{file}: refused: {refused}") from None
    except (plain_tar.CutShort, EOFError, zlib.error) as error:
        raise UserError(f"{file}: cut short or not a bundle ({str(error)!a})") from None


def _nothing(_data: bytes) -> None:
    """Hand on to nobody."""


def _digest(content: Iterator[bytes], take: Callable[[bytes], object] = _nothing) -> str:
    """The SHA-256 of a content, each piece of which is handed on."""
    digest = hashlib.sha256()
    for data in content:
        digest.update(data)
        take(data)
    return digest.hexdigest()


def _check(file: Path, text: bytes, found: Mapping[str, str]) -> None:
    """The manifest: known version and schema, and every file as it was packed."""
    try:
        manifest = MANIFEST_KEYS.read(parse_text(text), None)
    except Wrong as wrong:
        raise UserError(f"{file}: not a bundle: no readable {MANIFEST} ({wrong})") from None
    version, schema, sums = (manifest[key] for key in ("bundle", "schema", "sha256"))
    if (version, schema) != (VERSION, SCHEMA):
        raise UserError(
            f"{file}: bundle {version!r} of schema {schema!r}; this version reads bundle {VERSION} "
            f"of schema {SCHEMA}"
        )
    if changed := sorted(name for name in found.keys() | sums if found.get(name) != sums.get(name)):
        names = ", ".join(plain_tar.shown(name).strip("'") for name in changed[:NAMED])
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        raise UserError(f"{file}: not as it was packed: {names}{more}")
