"""A run in one file: whole, the same bytes each time, and nothing in it is trusted."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import damaged_bundles as damaged
import pytest
from fakes import make_run

from bench.commands.main import main
from bench.model import Exit, UserError
from bench.results import bundle, plain_tar
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
    with pytest.raises(UserError, match=r"'run.json/?' is no plain file"):
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


def bad_bundle(path: Path, *blocks: damaged.Member) -> Path:
    """A bundle of these members."""
    path.write_bytes(damaged.archive(blocks))
    return path


def test_headers_that_tell_of_headers_are_no_recursion(tmp_path: Path) -> None:
    """tarfile reads one inside the other, and ends in a RecursionError."""
    chain = [damaged.pax(damaged.record(b"path", b"run.json"))] * 3000
    bad = bad_bundle(tmp_path / "bad.tar.gz", *chain, damaged.Member(b"run.json"))
    with pytest.raises(UserError, match="no plain file"):
        bundle.unpack(bad, tmp_path / "out")


@pytest.mark.parametrize(
    "data", [b"1" * 1_000_000, b"1" * 4096, b"12 size=9999\n", b"", b"9" * 999]
)
def test_a_pax_header_is_one_name(tmp_path: Path, data: bytes) -> None:
    """Over digits upon digits tarfile searches again from each (CVE-2024-6232); no other record is read."""
    told = damaged.Member(b"pax", data, damaged.PAX)
    bad = bad_bundle(tmp_path / "bad.tar.gz", told, damaged.Member(b"run.json"))
    with pytest.raises(UserError, match=r"refused: .*a pax header"):
        bundle.unpack(bad, tmp_path / "out")


def test_nothing_is_read_at_once_that_a_header_says_is_huge() -> None:
    """Nor a content: what is asked of the file is a piece at a time."""

    class Zeros:
        """A file that never ends, behind a header."""

        def __init__(self, kind: bytes) -> None:
            self.head = damaged.Member(b"run.json", kind=kind, size=b"00100000000\0").raw()
            self.asked: list[int] = []

        def read(self, size: int, /) -> bytes:
            """The header, then zeros."""
            self.asked.append(size)
            head, self.head = self.head[:size], self.head[size:]
            return head + bytes(size - len(head))

    pax = Zeros(damaged.PAX)
    with pytest.raises(plain_tar.NotTaken, match="size of a pax header"):
        next(plain_tar.files(pax, 1 << 30, 9))
    regular = Zeros(damaged.REGULAR)
    _name, size, content = next(plain_tar.files(regular, 1 << 30, 9))
    assert sum(map(len, content)) == size == 1 << 24
    assert max(pax.asked + regular.asked) == plain_tar.CHUNK


@pytest.mark.parametrize("letter", ["n", "\u6f22"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, letter: str) -> None:
    """Longer than 255 bytes: it was told by the manifest, and ended in a traceback."""
    name = f"series/{letter * 251}.json"
    files = {"run.json": b"{}", name: b"{}"}
    bad = tmp_path / "bad.tar.gz"
    first, second, _long = damaged.members(files)
    told = damaged.pax(damaged.record(b"path", name.encode()))
    bad.write_bytes(damaged.archive([first, second, told, damaged.Member(b"x", b"{}")]))
    with pytest.raises(UserError, match="nothing that a run holds") as caught:
        bundle.unpack(bad, tmp_path / "out")
    assert len(str(caught.value)) < 1000
    assert not (tmp_path / "out").exists()


def test_a_long_name_that_a_file_can_have_is_kept(run: RunDirectory, tmp_path: Path) -> None:
    """Names of more than a hundred bytes, and of other letters, have a header of their own."""
    names = [f"{'n' * 250}.json", f"{chr(0xE9) * 60}.json"]
    for name in names:
        (run.path / "series" / name).write_text("{}\n")
    bundle.pack(run, tmp_path / "long.tar.gz")
    again = bundle.unpack(tmp_path / "long.tar.gz", tmp_path / "again")
    assert {path.name for path in (again.path / "series").iterdir()} > set(names)


def test_two_files_of_a_name_are_refused(tmp_path: Path) -> None:
    """Whichever of them has the sum that the manifest tells."""
    twice = [*damaged.members({"run.json": b"{}"}), damaged.Member(b"run.json", b"{}")]
    with pytest.raises(UserError, match=r"two files 'run\.json'"):
        bundle.unpack(bad_bundle(tmp_path / "bad.tar.gz", *twice), tmp_path / "out")


def test_thousands_of_changed_files_are_one_short_line(tmp_path: Path) -> None:
    """Three names and a number."""
    told = {f"{number}": "0" * 64 for number in range(5000)}
    bad = bad_bundle(tmp_path / "bad.tar.gz", *damaged.members({}, sha256=told))
    with pytest.raises(UserError, match=r"as it was packed: 0, 1, 10 and 4997 more$"):
        bundle.unpack(bad, tmp_path / "out")


def test_a_schema_that_is_text_is_told_in_one_line(tmp_path: Path) -> None:
    """What is named is the bundle, not the folder it was unpacked to."""
    header = b'{"schema": "\\u001b[31m\\n"}'
    bad = bad_bundle(tmp_path / "bad.tar.gz", *damaged.members({"run.json": header}))
    with pytest.raises(
        UserError, match=r"bad\.tar\.gz/run\.json: schema '\\x1b\[31m\\n', this"
    ) as caught:
        bundle.unpack(bad, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_what_is_read_at_once_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON takes twenty times its own size: run.json and the manifest have limits of their own."""
    monkeypatch.setattr(bundle, "LARGEST_TEXT", 1000)
    for name in ("run.json", "bundle.json"):
        bad = bad_bundle(tmp_path / "bad.tar.gz", damaged.Member(name.encode(), bytes(2000)))
        with pytest.raises(UserError, match=f"refused: {name} of more than"):
            bundle.unpack(bad, tmp_path / "out")


def test_a_run_too_large_is_not_packed(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody could unpack is not written."""
    monkeypatch.setattr(bundle, "LARGEST_BYTES", 1000)
    with pytest.raises(UserError, match="too much for a bundle"):
        bundle.pack(run, tmp_path / "x.tar.gz")


def test_a_folder_that_cannot_be_written_is_one_line(packed: Path, tmp_path: Path) -> None:
    """A file in the place of the folder."""
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(UserError, match="cannot be unpacked to"):
        bundle.unpack(packed, tmp_path / "out")
