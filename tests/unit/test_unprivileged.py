"""What is left out for an ordinary user, and what is said of it: pure functions of what was found."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import registry
from bench.machine import fusermount, isolate, own, runs, userns
from bench.machine.userns import Mounter, Standing
from bench.model import Exit, Level, UserError
from bench.plan import schedule, unprivileged
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings
from bench.plan.unprivileged import Withheld
from bench.probe.decide import KernelAbility, Observations, What, decide
from bench.run import cleanup

FACTS = {"fuse_flags": ["FUSE_PASSTHROUGH"], "tracepoint": "not available: no tracefs (EPERM)"}
IN_NAMESPACE = KernelAbility(
    Level.NONE, False, ("no",), FACTS, standing=Standing(Mounter.NAMESPACE)
)
BY_FUSERMOUNT = replace(IN_NAMESPACE, standing=Standing(Mounter.FUSERMOUNT, "because"))
AS_ROOT = KernelAbility(Level.RW, False, (), {"tracepoint": "available"})


@pytest.mark.parametrize(
    ("ability", "left"),
    [
        (AS_ROOT, {"native", "plain", "plain-c", "passthrough-c", "overlayfs", "bind", "bindfs"}),
        (IN_NAMESPACE, {"native", "plain", "plain-c", "overlayfs", "bind"}),
        (BY_FUSERMOUNT, {"native", "plain", "plain-c"}),
    ],
    ids=["root", "namespace", "fusermount3"],
)
def test_targets_by_privilege(ability: KernelAbility, left: set[str]) -> None:
    """Each left out has a reason, of its own."""
    withheld = unprivileged.withheld(ability)
    names = ("native", "plain", "plain-c", "passthrough-c", "overlayfs", "bind", "bindfs")
    why = {name: withheld.of(registry.daemon(name), Level.RW) for name in names}
    assert {name for name, reason in why.items() if not reason} == left


def test_at_level_none_a_passthrough_server_is_one_like_others() -> None:
    """It registers nothing."""
    withheld = unprivileged.withheld(IN_NAMESPACE)
    assert withheld.of(registry.daemon("passthrough-c"), Level.NONE) == ""


def test_a_plan_names_what_is_withheld() -> None:
    """Once a target."""
    gives = KernelGives(Level.NONE, withheld=Withheld(passthrough="needs root"))
    planned = schedule.make(Settings(workloads=("getattr-storm",)), gives)
    skipped = {item.what: item.reason for item in planned.skipped if "root" in item.reason}
    assert skipped == {"passthrough": "needs root", "passthrough-c": "needs root"}
    assert {one.daemon for one in planned.targets} >= {"native", "plain", "plain-c", "overlayfs"}


def test_root_is_told_nothing_but_that_nobody_counts() -> None:
    """As on a kernel without FTRACE."""
    assert unprivileged.line(AS_ROOT, "held at 0 us") == ""
    uncounted = replace(AS_ROOT, facts={"tracepoint": "not available: no tracefs (ENODEV)"})
    said = unprivileged.line(uncounted, "held at 0 us")
    assert said == "requests are counted by our servers alone: no tracefs (ENODEV)"


def test_the_line_says_how_and_what_root_would_add() -> None:
    """What is held, or the kernel does not offer, is not among it."""
    said = unprivileged.line(IN_NAMESPACE, "not held: no permission")
    assert "in a user namespace" in said and "cpu_dma_latency" in said and "overlayfs" not in said
    assert "cpu_dma_latency" not in unprivileged.line(IN_NAMESPACE, "held at 0 us")
    assert "fusermount3, as there is no user namespace (because)" in unprivileged.line(
        BY_FUSERMOUNT, ""
    )
    without = replace(IN_NAMESPACE, facts={**FACTS, "fuse_flags": []})
    assert "passthrough" not in unprivileged.line(without, "")


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Observations(errno.EACCES, What.DEVICE), "chmod 666"),
        (Observations(errno.EACCES, What.DEVICE, mode_allows=True), "security module"),
        (Observations(errno.EPERM, What.DEVICE), "--device /dev/fuse"),
        (Observations(errno.ENODEV, What.NO_DEVICE), "mknod /dev/fuse"),
        (Observations(errno.ENOENT, What.FUSERMOUNT), "apt install fuse3"),
        (Observations(errno.EPERM, What.FUSERMOUNT, "its words"), "EPERM: its words): it may not"),
    ],
)
def test_no_mount_is_told_by_what_was_tried(seen: Observations, words: str) -> None:
    """One errno has several causes."""
    found = decide(seen)
    assert words in found.reasons[0] and not found.usable


def test_only_root_sets_knobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 3, before anything is touched."""
    unprivileged.refuse(Settings())
    monkeypatch.setattr(own, "ROOT", False)
    with pytest.raises(UserError, match="--tune") as caught:
        unprivileged.refuse(Settings(tune=True))
    assert caught.value.code is Exit.NOTHING


def test_every_user_has_places_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's are of old; a session's folder that is not there, or another's, is passed over."""
    monkeypatch.setattr(own, "ROOT", True)
    assert (own.place(), own.named("x")) == (Path("/run"), "x")
    monkeypatch.setattr(own, "ROOT", False)
    monkeypatch.setattr(own, "USER", 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert (own.place(), own.named("x")) == (tmp_path, "x-1000")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert own.place() == Path("/tmp")


def test_a_users_number_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a user namespace everybody is called 0."""
    monkeypatch.setattr(userns, "_map", lambda: [["0", "1000", "1"], ["1", "100000", "65536"]])
    assert (userns.outside(0), userns.outside(1), userns.outside(70000)) == (1000, 100000, 70000)
    assert not userns.initial()
    monkeypatch.setattr(userns, "_map", lambda: [userns.WHOLE])
    assert userns.outside(1000) == 1000 and userns.initial()


def test_who_cleans_looks_for_the_lock_where_the_run_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of another session, with another XDG_RUNTIME_DIR, is alive all the same."""
    monkeypatch.setattr(runs, "MARKER", f"FUSE_BENCH_TEST_{os.getpid()}")
    monkeypatch.setattr(runs, "_held", {})
    monkeypatch.setattr(runs, "RUNTIME", tmp_path / f"{runs.RUNTIME_NAME}-{os.geteuid()}")
    monkeypatch.setattr(isolate, "RUNTIME", tmp_path / "other")
    process = isolate.start(
        [sys.executable, "-c", "input()"], cpus=(), stdout=1, stderr=2, stdin=subprocess.PIPE
    )
    try:
        assert process.pid not in [pid for pid, _name in cleanup.orphans()]
        runs.release()
        assert process.pid in [pid for pid, _name in cleanup.orphans()]
    finally:
        process.kill()
        process.communicate()
        runs.release()


def test_fusermount_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says becomes the errno that umount(2) would have given; its absence is no bug."""
    said = {"Device or resource busy": errno.EBUSY, "not found in /etc/mtab": errno.EINVAL}
    program = tmp_path / fusermount.PROGRAM
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fusermount.unmount(tmp_path) == errno.EPERM
    for words, number in said.items():
        program.write_text(f"#!/bin/sh\necho 'fusermount3: {words}' >&2\nexit 1\n")
        program.chmod(0o755)
        assert fusermount.unmount(tmp_path) == number
    with pytest.raises(OSError, match="not found in /etc/mtab"):
        fusermount.mount(tmp_path, "fsname=x")
