"""A run in one file: whole, the same bytes each time, and nothing in it is trusted."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from fakes import make_run

from bench.commands.main import main
from bench.model import Exit, UserError
from bench.results import bundle
from bench.results.store import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A finished run with one series file."""
    path = make_run(tmp_path / "made", rows=2)
    (path / "series").mkdir()
    (path / "series" / "readdir--warm--t1--passthrough-c:lookup@base.json").write_text("{}\n")
    (path / "logs").mkdir()
    (path / "logs" / "secret.log").write_text("not for others")
    return RunDirectory.open(path)


@pytest.fixture
def packed(run: RunDirectory, tmp_path: Path) -> Path:
    """The bundle of a run."""
    bundle.pack(run, tmp_path / "one.tar.gz")
    return tmp_path / "one.tar.gz"


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A tar.gz of these members."""
    with tarfile.open(path, "w:gz") as file:
        for member, data in members:
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def test_a_bundle_holds_the_run_and_nothing_else(
    run: RunDirectory, packed: Path, tmp_path: Path
) -> None:
    """run.json, trials and series come out as they went in; logs stay at home."""
    again = bundle.unpack(packed, tmp_path / "again")
    for name in ("run.json", "trials.jsonl"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()
    assert len(list((again.path / "series").iterdir())) == 1
    assert not (again.path / "logs").exists()


def test_the_same_run_gives_the_same_bytes(run: RunDirectory, packed: Path, tmp_path: Path) -> None:
    """Neither the time nor the place nor the name of the file is in it."""
    (run.path / "run.json").touch()
    bundle.pack(run, tmp_path / "other-name.tar.gz")
    assert (tmp_path / "other-name.tar.gz").read_bytes() == packed.read_bytes()


def test_an_unfinished_run_is_not_bundled(run: RunDirectory, tmp_path: Path) -> None:
    """Others would run to the end what was never there."""
    run.update_header(finished=None)
    with pytest.raises(UserError, match="not finished"):
        bundle.pack(run, tmp_path / "x.tar.gz")


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/etc/evil", "series/../../evil.json", "series/a/b.json", "logs/x.log",
     "series/.json/../x.json", "run.json\n", "trials.jsonl/"],
)  # fmt: skip
def test_names_that_a_run_does_not_have_are_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written, inside or outside of the directory."""
    bad = archive(tmp_path / "bad.tar.gz", (tarfile.TarInfo(name), b"evil"))
    with pytest.raises(UserError, match="nothing that a run holds"):
        bundle.unpack(bad, tmp_path / "out" / "deep")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_only_plain_files_are_taken(tmp_path: Path, kind: bytes) -> None:
    """A link of a good name would read or write what it points to."""
    member = tarfile.TarInfo("run.json")
    member.type, member.linkname = kind, "/etc/passwd"
    bad = archive(tmp_path / "bad.tar.gz", (member, b""))
    with pytest.raises(UserError, match="nothing that a run holds"):
        bundle.unpack(bad, tmp_path / "out")


def test_a_bundle_that_unpacks_to_too_much_is_refused(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes can stand for a full disk."""
    monkeypatch.setattr(bundle, "LARGEST_BYTES", 1000)
    with pytest.raises(UserError, match="unpacked"):
        bundle.unpack(packed, tmp_path / "out")


def test_a_changed_file_is_named(packed: Path, tmp_path: Path) -> None:
    """The manifest's sums are checked before anything is written."""
    with tarfile.open(packed) as file:
        members = [(m, (file.extractfile(m) or io.BytesIO()).read()) for m in file.getmembers()]
    changed = [(m, d.replace(b"ok", b"OK") if m.name == "trials.jsonl" else d) for m, d in members]
    bad = archive(tmp_path / "bad.tar.gz", *changed)
    with pytest.raises(UserError, match=r"not as it was packed: trials\.jsonl"):
        bundle.unpack(bad, tmp_path / "out")
    missing = archive(tmp_path / "less.tar.gz", *members[:-1])
    with pytest.raises(UserError, match="not as it was packed: series/"):
        bundle.unpack(missing, tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 1, 40, -400])
def test_a_truncated_bundle_is_one_line(packed: Path, tmp_path: Path, keep: int) -> None:
    """Wherever it was cut."""
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(packed.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"cut\.tar\.gz: ") as caught:
        bundle.unpack(cut, tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("manifest", [b"{", b"[]", b'{"bundle": 2, "schema": 1, "sha256": {}}'])
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, manifest: bytes) -> None:
    """Not JSON, not an object, or of a later version."""
    bad = archive(tmp_path / "bad.tar.gz", (tarfile.TarInfo("bundle.json"), manifest))
    with pytest.raises(UserError, match=r"bad\.tar\.gz: (not a bundle|bundle 2)"):
        bundle.unpack(bad, tmp_path / "out")


def test_the_command_names_the_file(
    run: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints the file's name, and how others run it again."""
    output = tmp_path / "x.tar.gz"
    assert main(["bundle", str(run.path), "-o", str(output)]) == Exit.MEASURED
    assert f"bench verify {output}" in capsys.readouterr().out
    assert main(["bundle", str(run.path), "-o", str(tmp_path / "no" / "x")]) == Exit.USAGE
    assert json.loads((run.path / "run.json").read_text())["finished"]
