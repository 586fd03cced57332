"""What goes wrong costs one trial, said in a line: nothing stays mounted or running, the rest goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.machine import alone, isolate, mountinfo, stacks
from bench.model import Exit
from bench.mounts import server_pid
from bench.plan.grid import targets
from bench.plan.settings import Settings
from bench.report import about
from bench.report.rows import rows
from bench.report.targets import targets as targets_of
from bench.run import cleanup
from bench.stats.frame import load
from tests.mount.campaign import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def backing(tmp_path: Path) -> Path:
    """A backing of the test's own, so that runs do not meet."""
    path = tmp_path / "backing"
    path.mkdir()
    return path


def command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def run(
    tmp_path: Path, backing: Path, *arguments: str, module: str = "tests.mount.faulty"
) -> tuple[int, list[dict[str, Any]], str]:
    """A quick run; returns exit code, trial records and stderr."""
    output = tmp_path / "run"
    done = subprocess.run(
        command(
            module,
            "run",
            "--quick",
            "--no-report",
            "--backing",
            str(backing),
            "--output",
            str(output),
            *arguments,
        ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, records(output), done.stderr


def records(output: Path) -> list[dict[str, Any]]:
    file = output / "trials.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def nothing_left() -> None:
    """No mount, no process, no half-written file of a run."""
    assert mountinfo.under(isolate.RUNTIME) == []
    assert cleanup.orphans() == []
    assert cleanup.mounts() == []


@pytest.mark.parametrize(
    ("mode", "outcome", "words"),
    [
        ("dies-late", "failed", "was killed by SIGKILL"),
        ("hangs-late", "failed", "hangs-late did not answer for 3 s (it is stopped): killed"),
        ("hangs-check", "failed", "hangs-check did not answer for 3 s (it is stopped): killed"),
        ("late", "failed", "still running"),
        ("busy", "failed", "stayed busy"),
        ("bad-exit", "failed", "exited with 7 at unmount"),
        ("claims", "failed", "GETATTR arrived"),
    ],
)
def test_a_faulty_daemon_costs_its_own_trials(
    tmp_path: Path, backing: Path, mode: str, outcome: str, words: str
) -> None:
    """The daemon's trials say why; native's trials of the same run are ok; nothing is left."""
    code, trials, _ = run(tmp_path, backing, "--daemon", mode, "--workload", "getattr-storm/fd")
    mine = [trial for trial in trials if trial["target"] == mode]
    assert [trial["outcome"] for trial in mine] == [outcome, outcome]
    assert all(words in trial["reason"] for trial in mine), mine[0]["reason"]
    assert all("\n" not in trial["reason"] for trial in mine)
    assert {trial["outcome"] for trial in trials if trial["target"] == "native"} == {"ok"}
    # Of the daemon that was named, whatever native did; a claim that does not hold was measured.
    assert code == (Exit.PROOF_FAILED if mode == "claims" else Exit.NOTHING)
    nothing_left()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("exits", "exits exited with 5 before it had mounted: exits: on purpose"),
        ("silent", "did not mount within"),
        ("lies", "size"),
        ("dies", "was killed by SIGKILL"),
        ("hangs", "hangs did not answer for 3 s (it is stopped): killed"),
    ],
)
def test_a_target_that_is_refused_is_said_once_and_drops_out(
    tmp_path: Path, backing: Path, mode: str, words: str
) -> None:
    """One warning, no trial, no row; exit 3, as nothing of what was named was measured."""
    code, trials, errors = run(
        tmp_path, backing, "--daemon", mode, "--workload", "getattr-storm"
    )  # fmt: skip
    assert {trial["target"] for trial in trials} == {"native"}
    assert {trial["outcome"] for trial in trials} == {"ok"}
    said = [line for line in errors.splitlines() if line.startswith("warning:") and words in line]
    assert len(said) == 2, errors  # refused, and at the end that nothing of it was measured
    header = json.loads((tmp_path / "run" / "run.json").read_text())
    assert list(header["refused"]) == [mode] and words in header["refused"][mode]
    assert code == Exit.NOTHING
    read = load(tmp_path / "run")
    assert mode not in {target.name for target in targets_of(read)}
    assert any(mode in line and words in line for line in about.skipped(read, rows(read)))
    nothing_left()


@pytest.mark.parametrize("mode", ["hangs", "hangs-late"])
def test_what_both_sides_waited_for_is_in_the_log(tmp_path: Path, backing: Path, mode: str) -> None:
    """Wait channel, state and system call of the client and of the server, before they are ended."""
    run(tmp_path, backing, "--daemon", mode, "--workload", "getattr-storm/fd", "--only")
    text = "".join(file.read_text() for file in (tmp_path / "run" / "logs").glob(f"*{mode}*"))
    client = "comparison" if mode == "hangs" else "worker"
    assert any(
        line.startswith(client) and "waits in" in line and "state" in line
        for line in text.splitlines()
    ), text
    assert any(line.startswith(f"{mode} ") and "state T" in line for line in text.splitlines())


def test_a_stopped_worker_is_called_one(tmp_path: Path, backing: Path) -> None:
    """The server answers; it is the worker that nobody hears of, and that is what the trial says."""
    process = start(tmp_path, backing, "--workload", "getattr-storm", module="tests.mount.faulty")
    wait_for_trials(process, 1)
    stopped = None
    while stopped is None:
        stopped = next(iter(children_called(process.pid, "bench-worker")), None)
    os.kill(stopped, signal.SIGSTOP)
    process.communicate(timeout=120)
    assert process.returncode == Exit.PROOF_FAILED
    reasons = [trial["reason"] for trial in records(tmp_path / "run") if trial["reason"]]
    assert reasons == ["the worker was stopped for 3 s: killed"]
    nothing_left()


def children_called(parent: int, name: str) -> list[int]:
    """Children of a process that ps(1) shows under a name."""
    found = []
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(int(pid))
    return found


@pytest.mark.parametrize("mode", ["hangs", "hangs-late", "hangs-check"])
def test_a_runner_killed_over_a_hung_server_ends_at_once(
    tmp_path: Path, backing: Path, mode: str
) -> None:
    """Nothing the runner waits for is in a mount, so SIGINT ends it in order and SIGKILL for good."""
    for number, status in ((signal.SIGINT, Exit.INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)):
        output = tmp_path / f"run{number}"
        process = subprocess.Popen(
            command(
                "tests.mount.faulty", "run", "--quick", "--no-report", "--daemon", mode,
                "--workload", "getattr-storm/fd", "--backing", str(backing), "--output", str(output),
            ),
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while not (hung := stopped_below(process.pid)):
            assert process.poll() is None, "it ended before its server hung"
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(30) == status
        assert until(lambda: all(gone(pid) for pid in hung), 10), hung
        assert until(lambda: not cleanup.orphans(), 10)
        nothing_left()


def stopped_below(pid: int) -> list[int]:
    """Processes below this one that are stopped."""
    return [one for one in server_pid.tree(pid)[1:] if "T" in stacks.state(one)]


def test_garbage_replies_fail_the_trial_and_nothing_else(tmp_path: Path, backing: Path) -> None:
    """The kernel refuses malformed replies; whatever that does to the daemon costs its trials only."""
    code, trials, _ = run(
        tmp_path, backing, "--daemon", "garbage", "--workload", "getattr-storm/fd"
    )
    assert {trial["outcome"] for trial in trials if trial["target"] == "native"} == {"ok"}
    measured = [trial["outcome"] == "ok" for trial in trials if trial["target"] == "garbage"]
    some = Exit.MEASURED if all(measured) else Exit.PROOF_FAILED
    assert code == (some if any(measured) else Exit.NOTHING)
    nothing_left()


def start(
    tmp_path: Path, backing: Path, *arguments: str, module: str = "bench"
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(
            module, "run", "--quick", "--no-report", "--json", "--backing", str(backing),
            "--output", str(tmp_path / "run"), *arguments,
        ),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def wait_for_trials(process: subprocess.Popen[str], number: int) -> None:
    """--json prints a line as each trial is on disk."""
    assert process.stdout is not None
    for _ in range(number):
        assert process.stdout.readline()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_done_and_resume_finishes_it(
    tmp_path: Path, backing: Path, number: signal.Signals
) -> None:
    """Interrupted in mid-run: exit 130, a hint, nothing left; --resume does the rest, once each."""
    process = start(tmp_path, backing, "--workload", "getattr-storm", "--workload", "readdir")
    wait_for_trials(process, 3)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    assert "--resume" in words
    assert "Traceback" not in words
    kept = records(tmp_path / "run")
    assert len(kept) >= 3
    nothing_left()
    done = subprocess.run(
        command("bench", "run", "--no-report", "--resume", str(tmp_path / "run")),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == Exit.MEASURED, done.stderr
    after = records(tmp_path / "run")
    assert after[: len(kept)] == kept
    keys = [(record["series"], record["round"]) for record in after]
    chosen = targets(Settings())
    assert len(keys) == len(set(keys)) == 2 * len(chosen) * 4  # rounds, targets, rows
    assert json.loads((tmp_path / "run" / "run.json").read_text())["finished"]


@pytest.mark.parametrize("after", [1, 2, 4])
def test_kill_minus_9_leaves_no_mount_and_no_process(
    tmp_path: Path, backing: Path, after: int
) -> None:
    """The kernel takes down what a killed runner cannot; its finished trials are whole."""
    process = start(tmp_path, backing, "--workload", "getattr-storm", "--workload", "readdir")
    wait_for_trials(process, after)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while cleanup.orphans() and time.monotonic() < deadline:
        time.sleep(0.01)  # the kernel is still tearing it down
    nothing_left()
    assert len(records(tmp_path / "run")) >= after


def test_a_vanished_backing_is_said_and_the_run_ends_in_order(
    tmp_path: Path, backing: Path
) -> None:
    """Removed in mid-run: the rest of the trials are not invented."""
    process = start(tmp_path, backing, "--workload", "getattr-storm")
    wait_for_trials(process, 2)
    (tree,) = [path for path in backing.iterdir() if path.is_dir()]
    tree.rename(tmp_path / "elsewhere")
    process.communicate(timeout=120)
    last = records(tmp_path / "run")[-1]
    assert last["outcome"] in ("failed", "skipped")
    assert str(tree) in last["reason"] or "No such file" in last["reason"]
    nothing_left()


def test_a_backing_on_fuse_is_refused(tmp_path: Path, backing: Path) -> None:
    """FUSE over FUSE would measure both."""
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    server = subprocess.Popen(
        command("daemons._serve", "--", str(backing), str(mountpoint)), cwd=ROOT
    )
    try:
        while mountinfo.find(mountpoint) is None:
            assert server.poll() is None
            time.sleep(0.01)
        code, trials, words = run(tmp_path, mountpoint, module="bench")
        assert code == Exit.USAGE
        assert "lies on a FUSE mount" in words
        assert not trials
    finally:
        server.terminate()
        assert server.wait(10) == 0


def test_a_full_backing_is_refused_with_figures(tmp_path: Path) -> None:
    """A tree that will not fit is not begun."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        code, _, words = run(tmp_path, place, module="bench")
        assert code == Exit.USAGE
        assert any(character.isdigit() for character in words)
        assert len(words.strip().splitlines()) <= 3
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("shared", ["on this machine", "on the backing"])
def test_two_runs_do_not_share(
    tmp_path: Path, backing: Path, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would disturb the other's numbers; two machines may have one backing (NFS)."""
    process = start(tmp_path, backing, "--workload", "getattr-storm")
    wait_for_trials(process, 1)
    try:
        if shared == "on the backing":
            monkeypatch.setenv(alone.VARIABLE, str(tmp_path / "another"))
        code, _, words = run(tmp_path / "other", backing, module="bench")
        assert code == Exit.NOTHING
        where = "on this machine" if shared == "on this machine" else f"on {backing}"
        assert f"another run is measuring {where}" in words
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def run_in(prefix: list[str], tmp_path: Path, backing: Path) -> subprocess.CompletedProcess[str]:
    """A quick run under another command, which takes something away from it."""
    arguments = ["run", "--quick", "--no-report", "--backing", str(backing)]
    return subprocess.run(
        [*prefix, *command("bench", *arguments, "--output", str(tmp_path / "run"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_without_dev_fuse_it_says_what_supplies_it(tmp_path: Path, backing: Path) -> None:
    """A machine without the module: exit 3, and the way to load it."""
    bare = 'mount -t tmpfs tmpfs /dev && mkdir /dev/shm && mknod /dev/null c 1 3 && exec "$@"'
    done = run_in(["unshare", "-m", "sh", "-c", bare, "sh"], tmp_path, backing)
    assert done.returncode == Exit.NOTHING
    assert "modprobe fuse" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_under_the_results_loses_nothing_that_was_written(
    tmp_path: Path, backing: Path
) -> None:
    """The line says so, the trials before it are whole, nothing stays mounted."""
    place = tmp_path / "results"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(place)], check=True)
    try:
        done = subprocess.run(
            command(
                "bench", "run", "--quick", "--no-report", "--backing", str(backing),
                "--output", str(place / "run"), "--workload", "getattr-storm",
            ),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == Exit.PROOF_FAILED
        assert "No space left" in done.stderr.splitlines()[-1]
        for line in (place / "run" / "trials.jsonl").read_text().splitlines()[:-1]:
            json.loads(line)
        nothing_left()
    finally:
        subprocess.run(["umount", str(place)], check=True)
