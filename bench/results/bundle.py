"""A published run in one file: configuration, tree seed and samples, for others to run again.

A bundle is a tar.gz of run.json, *.jsonl and series/*.json with a manifest of their SHA-256.
The same run gives the same bytes. Reading trusts nothing: only these names, only plain files.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from bench.model import SCHEMA, UserError
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
LARGEST_BYTES = 1 << 30
"""Most bytes of everything in a bundle, unpacked: a run of 10^6 samples is a fiftieth of it."""
MOST_FILES = 100_000
"""Most files in it: a run has one for each series."""


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

    Raises UserError for a file that is no bundle, is cut short, was tampered with, is of another
    schema, or holds anything a run does not.
    """
    try:
        with tarfile.open(file, "r:gz") as archive:
            contents = dict(_members(file, archive))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or 'not a bundle'}") from None
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise UserError(f"{file}: cut short or not a bundle ({str(error)!a})") from None
    _check(file, contents)
    (directory / "series").mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (directory / name).write_bytes(data)
    return RunDirectory.open(directory)


def _members(file: Path, archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Every member by name, each refused before a byte of it is written."""
    left = LARGEST_BYTES
    for number, member in enumerate(archive):
        if not member.isreg() or not NAMES.fullmatch(member.name):
            raise UserError(f"{file}: refused: {member.name!a} is nothing that a run holds")
        left -= member.size
        if left < 0 or member.size < 0 or number > MOST_FILES:
            raise UserError(f"{file}: refused: more than {LARGEST_BYTES >> 20} MiB unpacked")
        content = archive.extractfile(member)
        assert content  # a regular file has some
        yield member.name, content.read()


def _check(file: Path, contents: dict[str, bytes]) -> None:
    """The manifest: known version and schema, and every file as it was packed."""
    try:
        manifest = MANIFEST_KEYS.read(parse_text(contents.pop(MANIFEST, b"")), None)
    except Wrong as wrong:
        raise UserError(f"{file}: not a bundle: no readable {MANIFEST} ({wrong})") from None
    version, schema, sums = (manifest[key] for key in ("bundle", "schema", "sha256"))
    if (version, schema) != (VERSION, SCHEMA):
        raise UserError(
            f"{file}: bundle {version!r} of schema {schema!r}; this version reads bundle {VERSION} "
            f"of schema {SCHEMA}"
        )
    found = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    if changed := sorted(name for name in found.keys() | sums if found.get(name) != sums.get(name)):
        raise UserError(f"{file}: not as it was packed: {', '.join(changed)}")
