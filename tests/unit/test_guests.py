"""A guest's events become trials on the host; a guest that dies costs the trial it was in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.guests import bytecode, host
from bench.guests.kernels import parse
from bench.guests.listener import Hung, Listener
from bench.guests.pool import Pool, width
from bench.guests.protocol import EVENTS, Purpose
from bench.guests.session import Boot, Guest, GuestRun, Stopped
from bench.kernels import images
from bench.model import Clock, Exit, Outcome, UserError
from bench.plan.settings import Settings
from bench.results.store import RunDirectory
from bench.run import headers
from bench.run.view import View

FACTS = {
    "targets": [{"name": "native", "kind": "native"}],
    "environment": {"kernel_release": "6.12-lab"},
    "kernel_level": {"level": "lookup", "readdir": True, "reasons": []},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lab", ("lab", "lab", ())),
        ("base=lab,fuse.iops=mainline", ("base", "lab", ("fuse.iops=mainline",))),
        ("lab,fuse.iops=lookup,quiet", ("lab", "lab", ("fuse.iops=lookup", "quiet"))),
        ("new=/tmp/a/bzImage", ("new", "/tmp/a/bzImage", ())),
        ("/tmp/a/bzImage", ("bzImage", "/tmp/a/bzImage", ())),
    ],
)
def test_kernel_arguments(text: str, expected: tuple[str, str, tuple[str, ...]]) -> None:
    """[LABEL=]IMAGE[,PARAMETER...]; a parameter's own = is no label's."""
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "base=", ",quiet"])
def test_a_kernel_without_an_image_is_refused(text: str) -> None:
    """One line that says what was wanted."""
    with pytest.raises(UserError, match="IMAGE"):
        parse(text)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of kernels is remembered for one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def a_run(tmp_path: Path) -> tuple[GuestRun, Listener, Path]:
    settings = Settings(kernels=("lab",))
    directory = RunDirectory.create(
        tmp_path / "run", headers.make_header(settings, [], {"targets": [], "kernels": []}, ())
    )
    (tmp_path / "bzImage").write_bytes(b"kernel")
    guest = Guest("lab", images.Image("lab", tmp_path / "bzImage"))
    run = GuestRun(settings, directory, View(quiet=True), [guest])
    share = tmp_path / "share"
    share.mkdir()
    return run, Listener(run, Boot(guest, Purpose.MEASURE), share), share / EVENTS


def put(file: Path, event: str, **content: Any) -> None:
    with file.open("a") as stream:
        stream.write(json.dumps({"event": event, **content}) + "\n")


def record(number: int, outcome: str = "ok") -> dict[str, Any]:
    return {
        "series": f"row{number}", "target": "plain", "round": 0, "kernel": "", "clock": "wall",
        "outcome": outcome, "reason": "", "values": [1e-6],
    }  # fmt: skip


def test_trials_are_written_down_as_they_end(tmp_path: Path) -> None:
    """Each event is taken in once, whenever it is read."""
    run, listener, events = a_run(tmp_path)
    listener.listen()  # nothing there yet
    put(events, "hello", facts=FACTS, skipped=[{"what": "x", "reason": "y"}])
    put(events, "begin", record=record(1))
    put(events, "end", record=record(1), pyperf="")
    listener.listen()
    put(events, "done")
    listener.listen()
    assert [trial["series"] for trial in run.directory.trials()] == ["row1"]
    assert listener.finished
    header = run.directory.header()
    assert header["environment"]["kernel_release"] == "6.12-lab"
    assert [entry["label"] for entry in header["kernels"]] == ["lab"]
    assert header["skipped"] == [{"what": "x", "reason": "y"}]


def test_every_boot_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """A resumed run must not hear again what the interrupted boot told."""
    first = host.fresh_folder(tmp_path, "00-lab")
    first.mkdir()
    assert host.fresh_folder(tmp_path, "00-lab") != first


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    """The host may read while the guest writes."""
    run, listener, events = a_run(tmp_path)
    text = json.dumps({"event": "end", "record": record(1), "pyperf": ""}) + "\n"
    events.write_text(text[:20])
    listener.listen()
    assert list(run.directory.trials()) == []
    with events.open("a") as stream:
        stream.write(text[20:])
    listener.listen()
    assert len(list(run.directory.trials())) == 1


def test_a_guest_that_dies_costs_the_trial_it_was_in(tmp_path: Path) -> None:
    """That one is failed with the reason; what had ended stays."""
    run, listener, events = a_run(tmp_path)
    put(events, "end", record=record(1), pyperf="")
    put(events, "begin", record=record(2))
    listener.listen()
    assert listener.lost("guest panicked: Kernel panic - not syncing: on purpose")
    first, second = run.directory.trials()
    assert (first["outcome"], second["outcome"]) == ("ok", "failed")
    assert "on purpose" in second["reason"]


def test_a_guest_that_dies_before_its_first_trial_is_no_trials_fault(tmp_path: Path) -> None:
    """Booting again would not help: the run says so instead."""
    _run, listener, _events = a_run(tmp_path)
    assert not listener.lost("guest hung")


def test_a_boot_that_brings_nothing_costs_what_it_was_to_measure(tmp_path: Path) -> None:
    """Other boots of the kernel measured: the run goes on, is not finished, and --resume does the rest."""
    run, listener, events = a_run(tmp_path)
    boot = replace(listener.boot, shard=7)
    with pytest.raises(UserError, match="does not get as far as a trial: guest exited") as caught:
        host.give_up(run, boot, "guest exited: exit code 1", Exit.NOTHING)
    assert caught.value.code == Exit.NOTHING
    put(events, "end", record=record(1), pyperf="")
    listener.listen()
    host.give_up(run, boot, "guest exited: exit code 1", Exit.NOTHING)
    assert run.given_up == [boot.name]
    assert run.counts == {Outcome.OK: 1, Outcome.FAILED: 1}
    assert boot in host.not_done(run, [boot])


def test_a_trial_without_an_end_is_hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time counts from its beginning, and only while one is under way."""
    _run, listener, events = a_run(tmp_path)
    monkeypatch.setattr("bench.guests.listener.TRIAL_TIMEOUT_S", -1.0)
    listener.watch()
    put(events, "begin", record=record(1))
    with pytest.raises(Hung, match="no end of the trial"):
        listener.watch()
    assert listener.lost("guest hung")


def test_a_guest_that_says_nothing_is_hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too little memory it reads the same pages over and over; one word, and it is alive."""
    _run, listener, events = a_run(tmp_path)
    listener.watch()
    monkeypatch.setattr("bench.guests.listener.FIRST_WORD_TIMEOUT_S", -1.0)
    with pytest.raises(Hung, match=r"not a word .* is it short of memory.*--memory"):
        listener.watch()
    (listener.share / "guest.console").write_text(
        "[ 9.1] Out of memory: Killed process 71 (python)"
    )
    with pytest.raises(Hung, match=r"not a word .* guest out of memory: Out of memory: Killed"):
        listener.watch()
    put(events, "up")
    listener.watch()


def test_making_a_tree_may_take_longer_than_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository of 10^5 files is made in silence, by an emulated guest in minutes; not for ever."""
    _run, listener, events = a_run(tmp_path)
    put(events, "up")
    monkeypatch.setattr("bench.guests.listener.FIRST_WORD_TIMEOUT_S", -1.0)
    listener.watch()
    monkeypatch.setattr("bench.guests.listener.PREPARING_TIMEOUT_S", -1.0)
    with pytest.raises(Hung, match="tree and fixtures not made"):
        listener.watch()
    put(events, "hello", facts=FACTS, skipped=[])
    listener.watch()


def test_what_the_guest_refuses_is_told_as_its_own_line(tmp_path: Path) -> None:
    """A UserError inside is one outside."""
    _run, listener, events = a_run(tmp_path)
    put(events, "refused", reason="no FUSE in this kernel", code=3)
    with pytest.raises(UserError, match="kernel lab: no FUSE") as caught:
        listener.listen()
    assert caught.value.code == 3


def test_a_trial_killed_for_want_of_memory_says_so(tmp_path: Path) -> None:
    """The guest sees a SIGKILL; its console knows whose."""
    run, listener, events = a_run(tmp_path)
    events.with_name("guest.console").write_text("Out of memory: Killed process 7 (mirror)\n")
    put(events, "end", record=record(1) | {"outcome": "failed", "reason": "killed"}, pyperf="")
    put(events, "end", record=record(2), pyperf="")
    listener.listen()
    failed, fine = run.directory.trials()
    assert failed["reason"].startswith("killed; guest out of memory: Out of memory: Killed process")
    assert failed["reason"].endswith("--memory")
    assert fine["reason"] == ""


@pytest.mark.parametrize(("done", "code"), [(0, Exit.NOTHING), (1, Exit.PROOF_FAILED)])
def test_a_full_disk_ends_the_run_with_a_line(
    done: int, code: Exit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a guest hangs on it; what has ended is taken in first."""
    run, listener, events = a_run(tmp_path)
    for number in range(done):
        put(events, "end", record=record(number), pyperf="")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=2048))
    with pytest.raises(UserError, match=r"2 KiB left.*--resume") as caught:
        listener.watch()
    assert caught.value.code is code
    assert len(list(run.directory.trials())) == done


def test_a_mirror_of_ones_own_is_known_in_the_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FUSE_BENCH_MIRROR (a sanitizer build, say) means the same there; nothing else is passed on."""
    monkeypatch.setenv("FUSE_BENCH_MIRROR", "/opt/mirror")
    monkeypatch.setenv("FUSE_BENCH_COMMIT", "abc")
    words = host.command(tmp_path)
    told = ["FUSE_BENCH_MIRROR=/opt/mirror", "FUSE_BENCH_COMMIT=abc"]
    assert words[:5] == ["env", "PYTHONHASHSEED=0", *told, sys.executable]
    monkeypatch.delenv("FUSE_BENCH_MIRROR")
    assert host.command(tmp_path)[2:4] == [told[1], sys.executable]


LOADED = """
import subprocess
import sys
from bench.guests import inside
from bench.plan.settings import Settings
from bench.run import workers
workers.preload()
inside.preload_daemons(Settings(daemons=(sys.argv[1],), only=True))
print([name for name in ("pyperf", "trio", "pyfuse3", "pandas", "scipy") if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("daemon", "loaded"),
    [("plain-c", "['pyperf']"), ("plain", "['pyperf', 'trio', 'pyfuse3']")],
)
def test_a_guest_loads_what_its_servers_need(daemon: str, loaded: str) -> None:
    """Python takes seconds for it there: nothing of pyfuse3 for a server in C."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, daemon], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == loaded


def test_no_boot_that_measures_compares_trees(tmp_path: Path) -> None:
    """One that compared first finds other memory: that is a boot of its own, where it is needed."""
    run, _, _ = a_run(tmp_path)
    assert [boot.work for boot in host.checks(run)] == [Purpose.CHECK]
    assert {boot.work for boot in host.round_of(run, 0)} == {Purpose.MEASURE}


def test_targets_are_compared_once_for_a_kernel(tmp_path: Path) -> None:
    """Until the image, our servers or the tree change; --conform compares all the same."""
    run, listener, events = a_run(tmp_path)
    put(events, "broken", targets={"plain": "readlink differs"})
    listener.listen()
    again = GuestRun(run.settings, run.directory, run.view, run.guests)
    assert list(host.checks(again)) == []
    assert again.broken == {"lab": {"plain": "readlink differs"}}
    again.conform = True
    assert len(list(host.checks(again))) == 1
    again.conform = False
    run.guests[0].image.path.write_bytes(b"another kernel")
    assert len(list(host.checks(again))) == 1


def test_a_strangers_server_is_compared_in_every_run(tmp_path: Path) -> None:
    """Nobody knows when it changes."""
    run, listener, events = a_run(tmp_path)
    run.settings = replace(run.settings, daemons=("bindfs",))
    put(events, "broken", targets={})
    listener.listen()
    assert len(list(host.checks(run))) == 1


def test_a_boot_that_is_done_is_not_made_again(tmp_path: Path) -> None:
    """--resume looks into run.json, not into a guest."""
    run, listener, events = a_run(tmp_path)
    rounds = [boot for number in range(3) for boot in host.round_of(run, number)]
    assert host.not_done(run, rounds) == rounds
    put(events, "done")
    listener.listen()
    assert host.not_done(run, rounds) == rounds[1:]


def test_kernels_and_targets_stand_in_the_order_of_the_command_line(tmp_path: Path) -> None:
    """Whichever boot is the first to greet."""
    run, _, _ = a_run(tmp_path)
    image = run.guests[0].image
    run.guests = [Guest("base", image), Guest("patched", image)]
    for label in ("patched", "base"):
        guest = next(one for one in run.guests if one.label == label)
        share = tmp_path / label
        share.mkdir()
        facts = FACTS | {"targets": [{"name": f"plain@{label}", "kernel": label}]}
        put(share / EVENTS, "hello", facts=facts, skipped=[])
        Listener(run, Boot(guest, Purpose.MEASURE), share).listen()
    header = run.directory.header()
    assert [one["label"] for one in header["kernels"]] == ["base", "patched"]
    assert [one["name"] for one in header["targets"]] == ["plain@base", "plain@patched"]


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b"7", b'{"event": "end"}', b'{"event": "hup"}', b"\xff", b'{"event": []}']
)
def test_a_line_a_dying_guest_has_spoilt_is_passed_over(line: bytes, tmp_path: Path) -> None:
    """What stands after it is still taken in."""
    run, listener, events = a_run(tmp_path)
    events.write_bytes(line + b"\n")
    put(events, "end", record=record(1), pyperf="")
    listener.listen()
    assert len(list(run.directory.trials())) == 1


def boots(tmp_path: Path, count: int) -> list[Boot]:
    guest = Guest("lab", images.Image("lab", tmp_path / "bzImage"))
    return [Boot(guest, Purpose.MEASURE, number) for number in range(count)]


def test_boots_run_side_by_side(tmp_path: Path) -> None:
    """As many as there are jobs at the same time, each boot once: three meet at a barrier twice."""
    meeting = threading.Barrier(3, timeout=30)
    seen: list[int] = []

    def do(boot: Boot, _cpus: tuple[int, ...]) -> None:
        meeting.wait()
        seen.append(boot.round)

    Pool(3).run(boots(tmp_path, 6), do, threading.Event())
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]


def test_one_boot_at_a_time_keeps_the_order(tmp_path: Path) -> None:
    """In the thread of the caller, and free to run on any CPU."""
    seen: list[tuple[int, tuple[int, ...], str]] = []

    def do(boot: Boot, cpus: tuple[int, ...]) -> None:
        seen.append((boot.round, cpus, threading.current_thread().name))

    Pool(1).run(boots(tmp_path, 3), do, threading.Event())
    assert seen == [(number, (), threading.current_thread().name) for number in range(3)]


def test_a_boot_that_fails_ends_the_others(tmp_path: Path) -> None:
    """Boots under way are told to stop, others are not begun; the error is the first one's."""
    stop = threading.Event()
    ended: list[int] = []

    def do(boot: Boot, _cpus: tuple[int, ...]) -> None:
        if boot.round == 0:
            raise UserError("no FUSE in this kernel", Exit.NOTHING)
        assert stop.wait(30)
        ended.append(boot.round)
        raise Stopped

    with pytest.raises(UserError, match="no FUSE"):
        Pool(2).run(boots(tmp_path, 8), do, stop)
    assert len(ended) <= 1


def test_a_guest_that_is_told_to_stop_stops(tmp_path: Path) -> None:
    """At its next tick: qemu is killed on the way out."""
    run, listener, _ = a_run(tmp_path)
    run.stop.set()
    with pytest.raises(Stopped):
        listener.watch()


def test_guests_on_the_wall_clock_run_alone() -> None:
    """Beside one another they would time one another."""
    wall, counted = Settings(), Settings(clock=Clock.INSTRUCTIONS.value)
    assert width(wall, None) == width(wall, 1) == 1
    assert width(counted, 7) == 7
    assert width(counted, None) >= 1
    with pytest.raises(UserError, match="wall clock run alone"):
        width(wall, 2)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [(Clock.WALL, ("quiet",)), (Clock.INSTRUCTIONS, (*host.ALIKE, "quiet"))],
)
def test_parameters_that_make_boots_alike(
    clock: Clock, expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the instruction clock alone, and ahead of one's own, which win."""
    seen: list[tuple[str, ...]] = []

    def boot(*_arguments: object, kernel_args: tuple[str, ...], **_others: object) -> object:
        seen.append(kernel_args)
        return SimpleNamespace(ok=True, reason="", outcome="exited")

    run, listener, events = a_run(tmp_path)
    run.settings = replace(run.settings, clock=clock)
    monkeypatch.setattr("bench.kernels.vm.boot", boot)
    monkeypatch.setattr("bench.guests.host.ending", lambda _result: "")
    boot_of = Boot(replace(run.guests[0], parameters=("quiet",)), Purpose.MEASURE)
    assert host.once(run, boot_of, events.parent, listener, ()) == ""
    assert seen == [expected]


def test_guests_find_bytecode_of_what_they_load(tmp_path: Path) -> None:
    """Modules without any get it, and those changed since; what does not compile is passed over."""
    module, broken = tmp_path / "module.py", tmp_path / "broken.py"
    module.write_text("A = 1\n")
    broken.write_text("A =\n")
    bytecode.write(tmp_path)
    (kept,) = (tmp_path / "__pycache__").iterdir()
    first = kept.read_bytes()
    module.write_text("A = 22\n")
    os.utime(module, (1, 1))  # looked at by the second
    bytecode.write(tmp_path)
    assert kept.read_bytes() != first
