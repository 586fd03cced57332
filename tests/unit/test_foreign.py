"""Servers named on the command line: what their text makes of them, and what it is refused for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import registry
from bench.axes.targets import MODE
from bench.model import (
    LIBFUSE_EXAMPLES,
    Cache,
    Daemon,
    DaemonOptions,
    Exit,
    Level,
    Opcode,
    Serving,
    TimeoutControl,
    UserError,
)
from bench.plan import foreign, schedule
from bench.plan.grid import KernelGives, targets, why_lower
from bench.plan.settings import Settings
from bench.run.judge import about_files
from daemons import _libfuse

OPTIONS = DaemonOptions(attr_timeout=0.5, entry_timeout=3600.0)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test makes known to the registry is unknown again after it."""
    known = dict(registry.daemons())
    yield
    registry.daemons().clear()
    registry.daemons().update(known)


def argv(made: Daemon) -> list[str]:
    assert made.argv is not None
    return made.argv(Path("/b a"), Path("/mnt"), OPTIONS)


def test_a_text_becomes_a_daemon() -> None:
    """Words are split as a shell does, before anything is filled in: a path stays one word."""
    made = foreign.parse("mine=server -o 'x y,at={attr_timeout}' {backing} --at={mountpoint}")
    assert made.name == "mine"
    assert argv(made) == ["server", "-o", "x y,at=0.5", "/b a", "--at=/mnt"]


def test_nothing_is_claimed_of_a_stranger() -> None:
    """No level, no listing mode, no counters; it may leave the foreground."""
    made = foreign.parse("mine=server {mountpoint}")
    assert made.levels == (Level.NONE,)
    assert made.claims(OPTIONS, Cache.WARM) == frozenset()
    assert made.mode(Serving()) == "not known"
    assert not made.has_counters
    assert not made.foreground


@pytest.mark.parametrize(
    ("extra", "control"),
    [
        ("", TimeoutControl.NONE),
        ("{attr_timeout}", TimeoutControl.NONE),
        ("{attr_timeout} {entry_timeout}", TimeoutControl.EACH),
    ],
)
def test_its_timeouts_are_ours_only_if_the_command_takes_both(
    extra: str, control: TimeoutControl
) -> None:
    """One of the two says nothing of the other."""
    assert foreign.parse(f"mine=server {{mountpoint}} {extra}").timeouts is control


def test_a_level_is_claimed_where_it_is_stated() -> None:
    """Behind the name; the name itself stays."""
    settings = foreign.introduce(Settings(daemons=("mine:rw=server {mountpoint}",), only=True))
    assert settings.daemons == ("mine",)
    (target,) = targets(settings)
    assert (target.name, target.asked) == ("mine", Level.RW)
    given = replace(OPTIONS, level=Level.RW)
    made = registry.daemon("mine")
    assert made.claims(given, Cache.WARM) == {Opcode.READ, Opcode.WRITE}


def test_a_twin_and_what_is_attached_are_said_behind_the_level() -> None:
    """The twin comes along; a claim of files alone leaves directories out."""
    made = foreign.parse("mine:attach-lookup:files/off=server {mountpoint}")
    assert (made.name, made.twin, made.files_only) == ("mine", "off", True)
    assert "off" in made.companions
    assert not foreign.parse("mine:rw=server {mountpoint}").files_only


@pytest.mark.parametrize(
    ("option", "files"),
    [("--attach files", True), ("--attach=files", True), ("--attach all", False)],
)
def test_our_server_told_to_attach_files_claims_no_directory(option: str, files: bool) -> None:
    """GETATTRs of parents and of the root then arrive, and it is engaged for the files all the same."""
    made = foreign.parse(f"mine:attach-lookup=python3 -m daemons._serve {option} {{mountpoint}}")
    assert made.files_only is files
    given = replace(OPTIONS, level=Level.ATTACH_LOOKUP)
    claimed = made.claims(given, Cache.WARM)
    assert {Opcode.GETATTR, Opcode.READDIR} <= claimed
    kept = claimed & about_files(registry.workloads()["getattr-storm"])
    assert Opcode.GETATTR in kept and Opcode.READDIR not in kept


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("mine:rw:names", "behind the level; there is: files"),
        ("mine/off", "a twin without a claim"),
    ],
)
def test_what_cannot_be_said_of_a_claim(head: str, words: str) -> None:
    """In a line each."""
    with pytest.raises(UserError, match=words):
        foreign.parse(f"{head}=server {{mountpoint}}")


def test_a_level_is_stated_of_texts_alone() -> None:
    """A daemon of the suite has its levels; what looks like one is no name."""
    settings = foreign.introduce(Settings(daemons=("plain:rw",)))
    assert settings.daemons == ("plain:rw",)


def test_doubled_braces_are_braces() -> None:
    """For commands that have some of their own."""
    made = foreign.parse("mine=sh -c 'x=${{1}}' {mountpoint}")
    assert argv(made)[2] == "x=${1}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("=server {mountpoint}", "got ''"),
        ("two words=server {mountpoint}", "got 'two words'"),
        ("a--b=server {mountpoint}", "got 'a--b'"),
        ("../up=server {mountpoint}", "got '../up'"),
        ("mine:wr=server {mountpoint}", "unknown level 'wr'"),
        ("mine=", "there is no command"),
        ("mine=  ", "there is no command"),
        ("mine=server {backing}", "no {mountpoint}"),
        ("mine=server '{mountpoint}", "no closing quotation"),
        ("mine=server {mountpoint", "expected '}'"),
        ("mine=server {mountpoint} }", "write {{ for a brace"),
        ("mine=server {mountpoint} {nope}", "unknown placeholder {nope}"),
        ("mine=server {mountpoint} {}", "unknown placeholder {}"),
        ("mine=server {mountpoint} {backing.parent}", "unknown placeholder {backing.parent}"),
        ("mine=server {mountpoint} {backing!r}", "unknown placeholder {backing!r}"),
        ("mine=server {mountpoint} {attr_timeout:.0f}", "unknown placeholder {attr_timeout:.0f}"),
    ],
)
def test_what_a_text_is_refused_for(text: str, words: str) -> None:
    """One line each, exit 2, naming the daemon."""
    with pytest.raises(UserError) as caught:
        foreign.parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.code is Exit.USAGE


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("plain=server {mountpoint}",), "called 'plain' already"),
        (("mine=server {mountpoint}", "mine=other {mountpoint}"), "two daemons are called 'mine'"),
    ],
)
def test_names_that_are_taken(texts: tuple[str, ...], words: str) -> None:
    """Neither a daemon of the suite nor another text may be meant."""
    with pytest.raises(UserError, match=words):
        foreign.introduce(Settings(daemons=texts))


def test_settings_survive_run_json() -> None:
    """The text is in them: whoever reads them can make the daemon again, a second time too."""
    given = Settings(daemons=("mine=server {backing} {mountpoint}", "native"), only=True)
    settings = foreign.introduce(given)
    assert settings.daemons == ("mine", "native")
    registry.daemons().pop("mine")
    again = foreign.introduce(Settings.from_json(settings.to_json()))
    assert again == settings
    assert {target.name for target in targets(again)} == {"mine", "native"}
    assert argv(registry.daemon("mine")) == ["server", "/b a", "/mnt"]


def test_a_program_that_is_not_there_is_said_before_anything_runs() -> None:
    """Exit 3: asked for by name, nothing of it can be measured."""
    foreign.introduce(Settings(daemons=("mine=no-such-program {mountpoint}",)))
    with pytest.raises(UserError, match="mine: no-such-program is not on PATH") as caught:
        registry.startable("mine")
    assert caught.value.code is Exit.NOTHING


def test_what_is_missing_is_left_out_with_its_reason() -> None:
    """As a companion, in a matrix, or on resuming: the rest of the plan stands."""
    given = Settings(
        daemons=("mine=no-such-program {mountpoint}",), workloads=("readdir",), trials=1
    )
    planned = schedule.make(foreign.introduce(given), KernelGives(Level.RW))
    assert {one.series.target for one in planned.trials} == {"native", "plain-c"}
    assert [item.what for item in planned.skipped] == ["mine"]
    assert "not on PATH" in planned.skipped[0].reason


def test_rows_about_timeouts_are_left_out_where_the_server_gives_its_own() -> None:
    """Told neither, what would such a row be about? Other rows stay, and so do other targets."""
    given = Settings(
        daemons=("mine=true {mountpoint}",),
        workloads=("stat-expired", "getattr-storm/fd"),
        trials=2,
    )
    planned = schedule.make(foreign.introduce(given), KernelGives(Level.RW))
    mine = [one.series.row for one in planned.trials if one.series.target == "mine"]
    assert mine == ["getattr-storm/fd"] * 2
    assert [item.what for item in planned.skipped] == ["stat-expired on mine"]
    others = [one.series.row for one in planned.trials if one.series.target == "plain-c"]
    assert sorted(others) == ["getattr-storm/fd"] * 2 + ["stat-expired"] * 2


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        (("readdirplus",), {"mine": "not known", "bindfs": "readdir", "fuse-overlayfs": "auto"}),
        (("readdir",), {"mine": "not known", "bindfs": "readdir"}),
        (("readdirplus", "auto"), {"mine": "not known", "fuse-overlayfs": "auto"}),
    ],
)
def test_the_listing_requests_of_other_peoples_servers(
    modes: tuple[str, ...], expected: dict[str, str]
) -> None:
    """Each by its usual ones, and by its name alone, unless others were asked for."""
    daemons = ("mine=server {mountpoint}", "bindfs", "fuse-overlayfs")
    settings = foreign.introduce(
        Settings(daemons=daemons, only=True, axes={"modes": MODE.values(modes)})
    )
    got = {
        target.name: registry.daemon(target.daemon).mode(target.serving)
        for target in targets(settings)
    }
    assert got == expected


@pytest.mark.parametrize(
    ("control", "held"),
    [
        (TimeoutControl.EACH, {(0, 0), (1, 1), (1, 0)}),
        (TimeoutControl.ONE, {(0, 0), (1, 1)}),
        (TimeoutControl.ZERO, {(0, 0)}),
        (TimeoutControl.NONE, set()),
    ],
)
def test_which_timeouts_a_server_holds(control: TimeoutControl, held: set[tuple[int, int]]) -> None:
    """By what it can be told."""
    pairs = {(0, 0), (1, 1), (1, 0)}
    assert {pair for pair in pairs if control.holds(*pair)} == held


def test_why_a_level_is_lower() -> None:
    """A lower level is the kernel's doing, or the server's."""
    example = registry.daemon("passthrough_hp")
    kernel = KernelGives(Level.RW, "mainline")
    assert why_lower(example, Level.RW, kernel) == ""
    assert "this kernel gives rw: mainline" in why_lower(example, Level.LOOKUP, kernel)
    higher = why_lower(example, Level.LOOKUP, replace(kernel, level=Level.LOOKUP))
    assert higher == "passthrough_hp passes nothing through above level rw"


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for libfuse's examples, and nothing else on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setenv(LIBFUSE_EXAMPLES, str(tmp_path))
    return tmp_path


def build(folder: Path, name: str, *options: str) -> None:
    """A program that says which options it knows."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {' '.join(options)}\n")
    program.chmod(0o755)


def test_an_example_that_is_not_here(examples: Path) -> None:
    """What supplies it is said."""
    assert "--libfuse-examples" in registry.daemon("passthrough_ll").missing()
    build(examples, "passthrough_ll")
    assert registry.daemon("passthrough_ll").missing() == ""


def test_an_example_too_old_for_what_is_asked_of_it(examples: Path) -> None:
    """Debian 12's passthrough_hp knows no passthrough: it serves as a mirror alone."""
    build(examples, "passthrough_hp", "--nocache")
    for name in ("passthrough_hp", "passthrough_hp-readdir"):
        assert "this build of passthrough_hp knows no" in registry.daemon(name).missing()
    mirror = registry.daemon("passthrough_hp-nopassthrough")
    assert mirror.missing() == ""
    assert argv(mirror)[1:] == ["--foreground", "/b a", "/mnt"]


def test_a_newer_example_is_told_what_not_to_do(examples: Path) -> None:
    """Below level rw --nopassthrough, with both timeouts 0 --nocache."""
    build(examples, "passthrough_hp", "--nocache", "--nopassthrough", "-o io_uring")
    program = registry.daemon("passthrough_hp")
    assert program.missing() == ""
    assert program.argv is not None
    plain = program.argv(Path("/b"), Path("/m"), DaemonOptions(serving=Serving(threads=1)))
    assert plain[1:] == ["--foreground", "--nocache", "--nopassthrough", "--single", "/b", "/m"]
    rings = registry.daemon("passthrough_hp-uring")
    assert rings.argv is not None
    told = rings.argv(Path("/b"), Path("/m"), DaemonOptions(level=Level.RW))
    assert told[1:] == ["--foreground", "--nocache", "-o", "io_uring", "/b", "/m"]


def test_without_enable_uring_it_says_how_to_set_it(
    examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command to copy; a kernel without the feature is another matter."""
    build(examples, "passthrough_hp", "-o io_uring")
    switch = examples / "enable_uring"
    monkeypatch.setattr(_libfuse, "ENABLE_URING", switch)
    rings = registry.daemon("passthrough_hp-uring")
    assert "CONFIG_FUSE_IO_URING" in rings.missing()
    switch.write_text("N\n")
    assert rings.missing() == f"enable_uring is N: echo 1 > {switch}"
    switch.write_text("Y\n")
    assert rings.missing() == ""
