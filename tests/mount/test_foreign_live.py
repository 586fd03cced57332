"""Servers that are not ours, in a run: packaged ones by name, others by their command, and what goes
wrong with them, each said in a line while the other trials go on."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_faults import ROOT, command, records, run, start, wait_for_trials

from bench import registry
from bench.machine import isolate, mountinfo
from bench.model import Exit
from bench.mounts import mount

ROW = ("--workload", "getattr-storm/fd")
TIMEOUTS = "attr_timeout={attr_timeout},entry_timeout={entry_timeout}"
DAEMONISED = f"mine=bindfs -o {TIMEOUTS} {{backing}} {{mountpoint}}"
"""bindfs without -f mounts, forks, and exits with 0."""


def script(text: str, name: str = "mine") -> str:
    """A server made of a shell script, which finds backing and mountpoint in $1 and $2."""
    plain = text.replace("{", "{{").replace("}", "}}")
    return f"{name}=sh -c '{plain}' sh {{backing}} {{mountpoint}}"


@contextlib.contextmanager
def leaving_nothing(folder: Path) -> Iterator[None]:
    """No process that was started in it is alive after it, however far removed, and no mount is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FUSE_BENCH_TEST", str(folder))
        yield
    deadline = time.monotonic() + 10
    while (left := started_by(folder)) and time.monotonic() < deadline:
        time.sleep(0.01)  # where the runner was killed, the keeper is still at it
    assert left == []
    assert mountinfo.under(isolate.RUNTIME) == []


@pytest.fixture(autouse=True)
def tidy(tmp_path: Path) -> Iterator[None]:
    """Every test leaves nothing behind."""
    with leaving_nothing(tmp_path):
        yield


def started_by(folder: Path) -> list[str]:
    """Commands of living processes that carry a mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if f"FUSE_BENCH_TEST={folder}".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().decode(errors="replace"))
    return found


def of(trials: list[dict[str, Any]], target: str) -> list[dict[str, Any]]:
    return [trial for trial in trials if trial["target"] == target]


@pytest.mark.parametrize("name", ["bindfs", "fuse-overlayfs"])
def test_a_packaged_server_by_name(tmp_path: Path, backing: Path, name: str) -> None:
    """The server passes conformance; its requests come from the kernel, with no second source to agree."""
    code, trials, errors = run(tmp_path, backing, "--daemon", name, *ROW, module="bench")
    assert code == Exit.MEASURED, errors
    mine = of(trials, name)
    assert {trial["outcome"] for trial in mine} == {"ok"}, mine[0]["reason"]
    for trial in mine:
        requests = trial["requests"]
        assert requests["kernel"] == {"GETATTR": requests["ops"]}
        assert (requests["server"], requests["agree"]) == (None, None)
        assert requests["why"] == "no server counts to compare"
        assert trial["timeouts"] == "as asked"
        assert trial["server"]["rss_kib"] > 0
    assert {trial["target"] for trial in trials} == {name, "native", "plain-c"}


EXAMPLE = Path("/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c")


@pytest.mark.skipif(not EXAMPLE.exists(), reason="libfuse3-dev came without its examples")
def test_libfuses_example_where_it_was_built(tmp_path: Path, backing: Path) -> None:
    """passthrough_ll of the folder that is named: its requests are a mirror's."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, text=True, check=True
    ).stdout.split()
    built = tmp_path / "passthrough_ll"
    subprocess.run(["gcc", "-w", "-o", built, EXAMPLE, *flags], check=True)
    code, trials, errors = run(
        tmp_path, backing, "--libfuse-examples", str(tmp_path), "--daemon", "passthrough_ll",
        "--only", "--workload", "getattr-storm", "--workload", "stat-expired", module="bench",
    )  # fmt: skip
    assert code == Exit.MEASURED, errors
    assert len(trials) == 4 * 2  # rows, rounds
    for trial in trials:
        ops, kernel = trial["requests"]["ops"], trial["requests"]["kernel"]
        assert trial["readdir_mode"] == "auto"
        for opcode, (low, high) in trial["expected"].items():
            assert low * ops <= kernel.get(opcode, 0) <= high * ops, (trial["series"], opcode)


def test_it_obeys_the_timeouts_the_rows_name(tmp_path: Path, backing: Path) -> None:
    """Every row about timeouts is as expected of a plain server, for all the packaged ones."""
    names = ("bindfs", "fuse-overlayfs")
    rows = ("getattr-cached", "stat-expired", "getattr-storm/path")
    options = [word for name in names for word in ("--daemon", name)]
    options += [word for row in rows for word in ("--workload", row)]
    code, trials, errors = run(tmp_path, backing, "--only", *options, module="bench")
    assert code == Exit.MEASURED, errors
    assert len(trials) == len(names) * len(rows) * 2
    for trial in trials:
        ops, kernel = trial["requests"]["ops"], trial["requests"]["kernel"]
        for opcode, (low, high) in trial["expected"].items():
            assert low * ops <= kernel.get(opcode, 0) <= high * ops, (trial["series"], opcode)


def test_exemptions_are_named_and_needed(tmp_path: Path, backing: Path) -> None:
    """fuse-overlayfs shows its own reading in atime of directories: run.json says what is left aside."""
    code, _, errors = run(
        tmp_path, backing, "--daemon", "fuse-overlayfs", "--only", *ROW, module="bench"
    )
    assert code == Exit.MEASURED, errors
    assert "left aside: directory-atime" in errors
    (target,) = json.loads((tmp_path / "run" / "run.json").read_text())["targets"]
    assert target["exempt"] == ["directory-atime"]


def test_a_server_that_goes_into_the_background(tmp_path: Path, backing: Path) -> None:
    """A server that forks is measured as any other: its own memory and end, not its keeper's."""
    code, trials, errors = run(tmp_path, backing, "--daemon", DAEMONISED, *ROW, module="bench")
    assert code == Exit.MEASURED, errors
    for trial in of(trials, "mine"):
        assert (trial["outcome"], trial["level"]) == ("ok", "none")
        assert trial["readdir_mode"] == "not known"
        assert trial["expected"] == {}
        assert trial["requests"]["kernel"] == {"GETATTR": trial["requests"]["ops"]}
        assert trial["server"]["rss_kib"] > 0
        assert trial["server"]["exit"] == 0


def test_timeouts_it_cannot_be_told_are_its_own(tmp_path: Path, backing: Path) -> None:
    """The record says so, and rows about timeouts are left out with the reason."""
    code, trials, errors = run(
        tmp_path, backing, "--daemon", "mine=bindfs -f {backing} {mountpoint}", "--only",
        "--workload", "getattr-cached", *ROW, module="bench",
    )  # fmt: skip
    assert code == Exit.MEASURED, errors
    assert {(trial["workload"], trial["timeouts"]) for trial in trials} == {
        ("getattr-storm", "the server's own")
    }
    header = json.loads((tmp_path / "run" / "run.json").read_text())
    assert [item["what"] for item in header["skipped"]] == ["getattr-cached on mine"]


FAULTS = {
    "exits": ("exit 5", "exits exited with 5 before it had mounted"),
    "exits-0": ("true", "exits-0 exited with 0 before it had mounted"),
    "explains": ("echo it is broken >&2; exit 1", "before it had mounted: it is broken"),
    "idles": ("sleep 600", "idles did not mount within"),
    "leaves": ("setsid sleep 600 & exit 0", "leaves did not mount within"),
    "babbles": (
        "head -c 3000000 /dev/urandom; head -c 2000000 /dev/urandom >&2; exit 3",
        "babbles exited with 3 before it had mounted",
    ),
    "strays": (
        'mkdir -p "$2-else"; bindfs "$1" "$2-else"; sleep 600',
        "strays did not mount within 3 s, but mounted on",
    ),
    "binds": ('mount --bind "$1" "$2"; sleep 600', "not a FUSE file system"),
    "stays": ('bindfs -f "$1" "$2"; sleep 600', "stays was still running"),
    "ends-badly": ('bindfs -f "$1" "$2"; exit 7', "ends-badly exited with 7 at unmount"),
    "mistaken": ('bindfs "$1" "$2" -o no-such-option', "mistaken exited with"),
}
"""Servers that do not serve, as shell scripts, and what is said of them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one run of all of them is."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def faults(folder: Path) -> list[dict[str, Any]]:
    """The trials of one run of all of them, beside native."""
    (folder / "backing").mkdir()
    options = ["--daemon", "native", *ROW]
    for name, (text, _words) in FAULTS.items():
        options += ["--daemon", script(text, name)]
    with leaving_nothing(folder):
        code, trials, errors = run(
            folder, folder / "backing", "--only", *options, module="tests.mount.impatient"
        )
    assert code == Exit.NOTHING, errors  # of servers that were named
    assert "Traceback" not in errors
    return trials


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_command_that_does_not_serve(
    faults: list[dict[str, Any]], folder: Path, name: str
) -> None:
    """A target that does not serve has no trial; run.json says why, in one line fit for a terminal."""
    assert of(faults, name) == []
    refused = json.loads((folder / "run" / "run.json").read_text())["refused"]
    reason = refused[name]
    assert FAULTS[name][1] in reason
    assert reason.isprintable()
    assert len(reason) < 500


def test_what_it_prints_does_not_fill_the_disk(faults: list[dict[str, Any]], folder: Path) -> None:
    """A server prints five megabytes, of which one is kept."""
    assert not of(faults, "babbles")
    log = folder / "run" / "logs" / "conformance-babbles.log"
    assert log.stat().st_size == mount.LOG_BYTES


def test_the_other_trials_of_such_a_run_go_on(faults: list[dict[str, Any]]) -> None:
    """Native is measured in every round, whoever else was in it."""
    assert [trial["outcome"] for trial in of(faults, "native")] == ["ok", "ok"]


def test_killed_in_the_middle_of_a_storm(tmp_path: Path, backing: Path) -> None:
    """Costs its trial; the keeper tells that the server was killed, by what, and when."""
    # On a mount of a trial it is killed as soon as it has worked for a fifth of a second.
    text = (
        'bindfs -f -o attr_timeout=0 "$1" "$2" & pid=$!; '
        'case "$2" in *conformance*) wait $pid; exit;; esac; '
        "while read -r line < /proc/$pid/stat; do set -- $line; "
        "[ $((${14} + ${15})) -lt 20 ] || kill -9 $pid; done; wait $pid; kill -9 $$"
    )
    code, trials, errors = run(
        tmp_path, backing, "--values", "400", "--daemon", script(text), *ROW, module="bench"
    )
    mine = of(trials, "mine")
    assert [trial["outcome"] for trial in mine] == ["failed", "failed"]
    assert all("mine was killed by SIGKILL during the trial" in one["reason"] for one in mine)
    assert {trial["outcome"] for trial in of(trials, "native")} == {"ok"}
    assert code == Exit.NOTHING, errors  # nothing of the daemon that was named


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("mine=no-such-program {mountpoint}", Exit.NOTHING, "no-such-program is not on PATH"),
        ("mine=bindfs {backing}", Exit.USAGE, "no {mountpoint}"),
        ("plain=bindfs {backing} {mountpoint}", Exit.USAGE, "already"),
        ("passthrough_ll", Exit.NOTHING, "--libfuse-examples"),
    ],
)
def test_refused_before_anything_is_made(
    tmp_path: Path, backing: Path, given: str, code: Exit, words: str
) -> None:
    """One line, its exit code, and no run directory."""
    got, _, errors = run(
        tmp_path, backing, "--libfuse-examples", str(backing), "--daemon", given, module="bench"
    )
    assert (got, len(errors.splitlines())) == (code, 1)
    assert words in errors
    assert not (tmp_path / "run").exists()


def test_kill_minus_9_of_the_runner_takes_a_daemonised_server_along(
    tmp_path: Path, backing: Path
) -> None:
    """The server has left its session and its parent, but not its keeper."""
    process = start(tmp_path, backing, "--daemon", DAEMONISED, "--workload", "getattr-storm")
    wait_for_trials(process, 4)
    assert any("bindfs" in line for line in started_by(tmp_path))
    process.kill()
    process.wait()


def test_a_run_of_a_foreign_server_is_resumed(tmp_path: Path, backing: Path) -> None:
    """run.json holds its command: nothing has to be said again."""
    options = ("--daemon", DAEMONISED, "--only", "--workload", "getattr-storm")
    process = start(tmp_path, backing, *options)
    wait_for_trials(process, 2)
    process.terminate()
    process.communicate(timeout=60)
    again = command(
        "bench", "run", "--no-report", "--resume", str(tmp_path / "run"), "--allow-commands"
    )
    done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == Exit.MEASURED, done.stderr
    after = records(tmp_path / "run")
    assert [trial["outcome"] for trial in after] == ["ok"] * 2 * 3  # rounds, rows


def test_what_is_not_here_is_listed_with_what_supplies_it() -> None:
    """The packaged servers are here: CI installs them, so that these tests run."""
    done = subprocess.run(
        command("bench", "list", "--json"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert {"bindfs", "fuse-overlayfs"}.isdisjoint(found["not available"])
    assert set(found["not available"]) <= set(registry.daemons())
