"""A profile on its way through a run: asked for, made in a window, read by the host, told in one line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_cli import refused
from test_guests import a_run, put, record
from test_profile_reader import KALLSYMS, MAPS, WINDOW

from bench.guests import host
from bench.kernels import vm
from bench.kernels.images import Image
from bench.model import Window
from bench.plan.settings import Settings
from bench.profile import blocks, inside, plugin, resolve, select, store
from bench.regression import diff, where
from bench.results.store import RunDirectory
from bench.run.view import View

NUMBER = 77
TOLD = {"number": NUMBER, "ops": 5, "clock": 155.0, "maps": {"client": MAPS, "server": MAPS}}


def boot_folder(folder: Path, window: str = WINDOW, symbols: str | None = KALLSYMS) -> Path:
    """What one boot with one profiled window leaves."""
    (folder / inside.BLOCKS).mkdir(parents=True)
    if symbols is not None:
        (folder / inside.KALLSYMS).write_text(symbols)
    blocks.path_of(folder / inside.BLOCKS, NUMBER).write_text(window)
    return folder


def test_a_window_under_the_emulators_eye_tells_the_host_what_it_needs() -> None:
    """Ops, the clock's figure in instructions, and where code lies in this process."""
    found = inside.window(lambda: Window(10, 4000), NUMBER, 2.0)
    assert (found["number"], found["ops"], found["clock"]) == (NUMBER, 10, 2000.0)
    assert "marks.cpython" in found["maps"]["client"]
    assert all(" r-x" in line for line in found["maps"]["client"].splitlines()[:3])


def test_numbers_of_windows_differ_by_series_attempt_and_phase_only() -> None:
    """Each window has a number of its own, which fits what a mark can carry."""
    numbers = {inside.number_of(series, attempt) for series in ("a", "b") for attempt in (0, 1)}
    assert len(numbers) == 4
    assert all(number < 1 << 32 for number in numbers)
    assert inside.number_of("a", 0) == inside.number_of("a", 0)


def test_the_host_makes_a_profile_of_it(tmp_path: Path) -> None:
    """In the run's directory, with its counts; the addresses are gone."""
    share = boot_folder(tmp_path / "boot")
    said = resolve.BootSymbols(share).keep(TOLD, tmp_path, "row--r0")
    assert (said["error"], said["instructions"], said["ops"]) == ("", 155, 5)
    assert said["unnamed"] == pytest.approx(2 / 155, abs=1e-5)
    assert set(said["counts"]) == set(resolve.COUNTED)
    assert store.read(tmp_path, said).instructions == 155
    assert not list((share / inside.BLOCKS).iterdir())


@pytest.mark.parametrize(
    ("changes", "symbols", "why"),
    [
        ({"number": 99}, KALLSYMS, "disk full"),
        ({}, None, "CONFIG_KALLSYMS"),
        ({}, "0000000000000000 T vfs_statx\n", "kptr_restrict"),
        ({"clock": 156.0}, KALLSYMS, "0.64 % apart from the clock's"),
    ],
)
def test_what_keeps_a_profile_away_is_one_line(
    changes: dict[str, Any], symbols: str | None, why: str, tmp_path: Path
) -> None:
    """No window's file, no symbols, hidden addresses, a sum that is not the clock's."""
    share = boot_folder(tmp_path / "boot", symbols=symbols)
    said = resolve.BootSymbols(share).keep(TOLD | changes, tmp_path, "row--r0")
    assert why in said["error"]
    assert "\n" not in said["error"]
    assert "file" not in said


def test_a_profile_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The run's disk is full, or its folder is a file."""
    (tmp_path / store.FOLDER).write_text("")
    said = resolve.BootSymbols(boot_folder(tmp_path / "boot")).keep(TOLD, tmp_path, "row--r0")
    assert said["error"].startswith("cannot be written: ")


def test_a_trial_without_its_profile_is_as_good(tmp_path: Path) -> None:
    """Said once for all trials of a kernel; the measurement goes on."""
    run, listener, events = a_run(tmp_path)
    for number in range(2):
        put(events, "end", record=record(number) | {"attempt": 0, "profile": dict(TOLD)}, pyperf="")
    listener.listen()
    trials = list(run.directory.trials())
    assert [trial["outcome"] for trial in trials] == ["ok", "ok"]
    assert all("CONFIG_KALLSYMS" in trial["profile"]["error"] or "disk" in trial["profile"]["error"]
               for trial in trials)  # fmt: skip
    assert len(run.told) == 1
    assert select.profiled(trials) == []


def test_an_emulator_without_plugins_measures_without_profiles(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says why, and the settings of the guest ask for none."""
    monkeypatch.setattr(plugin, "why_not", lambda: "this qemu has none")
    settings = host.profiling(Settings(profile=True), View())
    assert settings.profile is False
    assert "no profiles: this qemu has none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "said", "why"),
    [
        (0, "", ""),
        (1, "qemu: -plugin: invalid option", "was built without plugins"),
        (1, "qemu: Could not load plugin x.so: no symbol", "does not load profiler.so"),
        (1, "", "exit 1"),
    ],
)
def test_why_a_plugin_does_not_load(
    code: int, said: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Found by loading it once; the emulator's last line is the reason."""
    monkeypatch.setattr(
        subprocess, "run", lambda argv, **_: subprocess.CompletedProcess(argv, code, "", said)
    )
    there = tmp_path / "profiler.so"
    there.touch()
    found = plugin.why_not.__wrapped__(there)
    assert why in found
    assert bool(found) is bool(why)


def test_a_plugin_that_was_not_built_says_so(tmp_path: Path) -> None:
    """As after a checkout without make setup."""
    assert "make setup" in plugin.why_not.__wrapped__(tmp_path / "profiler.so")


def test_the_plugin_is_loaded_on_the_instruction_clock_alone(tmp_path: Path) -> None:
    """Without --profile qemu's options are those of before."""

    def argv(clock: str, option: str) -> str:
        image = Image("lab", tmp_path / "bzImage")
        return " ".join(vm._argv(image, "true", tmp_path, vm.TCG, 512, 1, clock, (), (), option))

    option = plugin.option(tmp_path)
    assert f"{vm._ICOUNT} {option}" in argv(vm.INSTRUCTIONS, option)
    assert "-plugin" not in argv(vm.INSTRUCTIONS, "") + argv(vm.WALL, "")


def test_a_profile_needs_the_instruction_clock(capsys: pytest.CaptureFixture[str]) -> None:
    """Wall time has no instructions to count."""
    assert "--clock instructions" in refused(capsys, "run", "--profile")


def profiles(run: Path) -> list[dict[str, Any]]:
    made = []
    for kernel, count in (("base", 100), ("patched", 160)):
        folded = {("client", "opdriver:drive", "entry_SYSCALL_64", "fuse_do_getattr"): count}
        kept = store.write(run, kernel, store.Profile(folded, 2), float(count))
        made.append({
            "outcome": "ok", "workload": "getattr-storm", "variant": "fd", "round": 0,
            "target": f"plain@{kernel}", "kernel": kernel, "values": [count / 2], "level": "rw",
            "requests": None, "profile": kept,
        })  # fmt: skip
    return made


def test_kernel_diff_names_the_function_below_the_row(tmp_path: Path) -> None:
    """With its subsystem; for programs, too."""
    records = profiles(tmp_path)
    rows = diff.compare(diff.summarize(records), "base", "patched", 1.0)
    found = where.differences(tmp_path, records, "base", "patched")
    lines = diff.table(rows, "base", "patched", found)
    assert lines[-1].strip() == "+30 in fuse_do_getattr (FUSE)"
    told = json.loads(json.dumps(diff.as_object(rows, "base", "patched", tmp_path, found)))
    assert told["rows"][0]["functions"] == [
        {"function": "fuse_do_getattr", "subsystem": "FUSE", "change": 30.0}
    ]


def test_a_bisections_bad_step_names_the_functions(tmp_path: Path) -> None:
    """Beside how much worse it is; without profiles it says what it said before."""
    header = {"settings": {}, "targets": []}
    run = RunDirectory.create(tmp_path / "step-01", header)
    assert where.largest(run.path, "base", "patched") == ""
    assert where.largest(tmp_path / "none", "base", "patched") == ""
    for record_ in profiles(run.path):
        run.append_trial(record_)
    assert where.largest(run.path, "base", "patched") == "+30 in fuse_do_getattr (FUSE)"


def test_a_profile_that_cannot_be_read_leaves_the_verdict_as_it_is(tmp_path: Path) -> None:
    """No names beside the row; no error either."""
    records = profiles(tmp_path)
    (tmp_path / records[0]["profile"]["file"]).unlink()
    assert where.differences(tmp_path, records, "base", "patched") == {}
