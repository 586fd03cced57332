"""Runs that other machines do, and what may go wrong: real Dask, real processes, guests that boot nothing.

The guest is fake_fleet's; the lab kernel, booted by workers, is in test_bench_run.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.model import Exit

ROOT = Path(__file__).parents[2]
FAKE = str(Path(__file__).with_name("fake_fleet.py"))
WAIT_S = 60.0
TRIALS = 12


class Processes:
    """A scheduler, workers and clients of one test; all are gone when it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        self.environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "FUSE_BENCH_LOCK": str(folder / "lock"),
            "TMPDIR": str(folder),
            "FAKE_TRIAL_S": "0.15",
        }
        (folder / "bzImage").write_bytes(b"a kernel")
        self.address = ""
        self.scheduler = self.start_scheduler()

    def start(self, *argv: str, prefix: tuple[str, ...] = (), **more: str) -> subprocess.Popen[str]:
        """One process, its words in a pipe."""
        process = subprocess.Popen(
            [*prefix, sys.executable, *argv],
            cwd=ROOT,
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def start_scheduler(
        self, host: str = "127.0.0.1", prefix: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        """Dask's own, at a free port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://{host}:{port}"
        return self.start(
            "-m", "dask", "scheduler", "--host", host, "--port", str(port), "--no-dashboard",
            prefix=prefix,
        )  # fmt: skip

    def worker(self, *, host: str = "127.0.0.1", prefix: tuple[str, ...] = (), **more: str) -> Any:
        """One that does one boot at a time; returns when it is there."""
        process = self.start(
            FAKE, "worker", self.address, "--host", host, "--boots", "1", prefix=prefix, **more
        )
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("worker tcp://"), said + process.stderr.read()
        return process

    def run(self, name: str = "run", *more: str, prefix: tuple[str, ...] = ()) -> Any:
        """A run of twelve trials in two boots."""
        return self.start(
            FAKE, "run", "--kernel", f"lab={self.folder / 'bzImage'}", "--clock", "instructions",
            "--daemon", "passthrough-c", "--daemon", "plain-c", "--only", "--seed", "5", "--quick",
            "--workload", "getattr-storm/fd", "--workload", "getattr-storm/at", "--workload",
            "readdir", "--trials", "2", "--no-report", "--output", str(self.folder / name),
            "--scheduler", self.address, *more, prefix=prefix,
        )  # fmt: skip

    def trials(self, name: str = "run") -> list[dict[str, Any]]:
        """What is on disk of a run."""
        file = self.folder / name / "trials.jsonl"
        return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []

    def end(self) -> None:
        """Kill what is left."""
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Processes]:
    """A scheduler without workers."""
    made = Processes(tmp_path)
    try:
        yield made
    finally:
        made.end()


def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def finished(client: Any, code: int = Exit.MEASURED) -> str:
    """The words of a client that has ended so."""
    _, words = client.communicate(timeout=2 * WAIT_S)
    assert client.returncode == code, words
    assert "Traceback" not in words, words[-6000:]
    return str(words)


def whole(trials: list[dict[str, Any]]) -> None:
    """Every trial once, each ok, with the figure that its series has anywhere."""
    assert len(trials) == TRIALS
    assert len({(one["series"], one["round"]) for one in trials}) == TRIALS
    assert {one["outcome"] for one in trials} == {"ok"}
    assert len({(one["series"], one["values"][0]) for one in trials}) == TRIALS / 2


def test_two_workers_do_a_run_and_a_second_run_beside_it(fleet: Processes) -> None:
    """Both are whole; the image is kept by its hash; a worker told to end does."""
    workers = [fleet.worker(), fleet.worker()]
    clients = [fleet.run("one"), fleet.run("two")]
    for name, client in zip(("one", "two"), clients, strict=True):
        words = finished(client)
        assert "2 workers of this suite" in words
        whole(fleet.trials(name))
        assert json.loads((fleet.folder / name / "run.json").read_text())["finished"]
    assert len(list((fleet.folder / "cache").rglob("*.bzImage"))) == 1
    for worker in workers:
        worker.terminate()
        assert worker.wait(WAIT_S) == Exit.MEASURED
    assert not list(fleet.folder.glob("bench-fleet-*"))


def test_a_worker_killed_in_mid_boot_costs_no_trial(fleet: Processes) -> None:
    """Its task goes elsewhere: each trial is in the result once."""
    first = fleet.worker()
    client = fleet.run()
    until(lambda: len(fleet.trials()) >= 2)
    fleet.worker()
    first.kill()
    finished(client)
    whole(fleet.trials())


def test_a_scheduler_that_goes_leaves_what_is_done(fleet: Processes) -> None:
    """One line, no guest left, and --resume finishes it without a scheduler."""
    worker = fleet.worker()
    client = fleet.run()
    until(lambda: len(fleet.trials()) >= 2)
    fleet.scheduler.kill()
    words = finished(client, Exit.PROOF_FAILED)
    assert "the scheduler is gone" in words.splitlines()[-1]
    assert worker.wait(WAIT_S) == Exit.NOTHING
    before = fleet.trials()
    again = fleet.start(FAKE, "run", "--no-report", "--resume", str(fleet.folder / "run"))
    finished(again)
    assert fleet.trials()[: len(before)] == before
    whole(fleet.trials())


def test_a_worker_that_lies_about_itself_gets_no_more_boots(fleet: Processes) -> None:
    """Its first task finds it out and goes to the honest one; the client is told how it differs."""
    fleet.worker(FAKE_LIE="QEMU emulator version 1")
    client = fleet.run()
    assert any("is not of the client's suite: qemu" in text for text in client.stderr)
    fleet.worker()
    finished(client)
    whole(fleet.trials())


def test_workers_of_another_suite_are_not_asked(fleet: Processes) -> None:
    """None is left: exit 3, and what differs."""
    fleet.worker(FUSE_BENCH_COMMIT="0123abc")
    words = finished(fleet.run(), Exit.NOTHING)
    assert "none of 1 workers may do it: suite commit" in words
    assert "0123abc there" in words
    assert fleet.trials() == []


def test_ctrl_c_at_the_client_ends_every_boot(fleet: Processes) -> None:
    """Exit 130; the guest's folder at the worker is gone, the worker waits for others."""
    worker = fleet.worker()
    client = fleet.run()
    until(lambda: len(fleet.trials()) >= 2)
    client.send_signal(signal.SIGINT)
    assert "--resume" in finished(client, Exit.INTERRUPTED)
    until(lambda: not list(fleet.folder.glob("bench-fleet-*")))
    assert worker.poll() is None
    kept = fleet.trials()
    again = fleet.start(
        FAKE,
        "run",
        "--no-report",
        "--resume",
        str(fleet.folder / "run"),
        "--scheduler",
        fleet.address,
    )
    finished(again)
    assert fleet.trials()[: len(kept)] == kept
    whole(fleet.trials())


def test_a_client_killed_leaves_no_boot(fleet: Processes) -> None:
    """Dask forgets what a lost client wanted, and the guest ends."""
    fleet.worker()
    client = fleet.run()
    until(lambda: len(fleet.trials()) >= 1)
    client.kill()
    until(lambda: not list(fleet.folder.glob("bench-fleet-*")))


def test_no_scheduler_is_said_in_a_line(fleet: Processes) -> None:
    """Exit 3."""
    fleet.scheduler.kill()
    fleet.scheduler.wait()
    words = finished(fleet.run(), Exit.NOTHING)
    assert "cannot be reached" in words.splitlines()[-1]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with less room than a boot may need."""
    place = tmp_path / "full"
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "bench-test", str(place)], check=True
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_worker_whose_disk_is_full_gets_no_more_boots(full_disk: Path, tmp_path: Path) -> None:
    """Its boot goes to another; the client is told whose disk it is."""
    fleet = Processes(tmp_path)
    try:
        full = fleet.worker(TMPDIR=str(full_disk))
        client = fleet.run()
        said = next(text for text in client.stderr if "disk is full" in text)
        assert "it gets no more boots" in said
        fleet.worker()
        finished(client)
        whole(fleet.trials())
        assert full.poll() is None
    finally:
        fleet.end()


class Wire:
    """A network namespace with a cable to this one."""

    def __init__(self) -> None:
        self.name = f"bench-{os.getpid()}"
        number = os.getpid() % 250
        self.here, self.there = f"10.213.{number}.1", f"10.213.{number}.2"
        self.ours, self.theirs = f"bo{os.getpid()}", f"bt{os.getpid()}"

    def make(self) -> None:
        """Namespace, veth, addresses."""
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self.ours, "type", "veth", "peer", "name", self.theirs)
        self._ip("link", "set", self.theirs, "netns", self.name)
        self._ip("addr", "add", f"{self.here}/24", "dev", self.ours)
        self._ip("link", "set", self.ours, "up")
        self._ip("-n", self.name, "addr", "add", f"{self.there}/24", "dev", self.theirs)
        self._ip("-n", self.name, "link", "set", self.theirs, "up")
        self._ip("-n", self.name, "link", "set", "lo", "up")

    def cut(self, seconds: float) -> None:
        """Nothing goes through for so long."""
        self._ip("-n", self.name, "link", "set", self.theirs, "down")
        time.sleep(seconds)
        self._ip("-n", self.name, "link", "set", self.theirs, "up")

    def remove(self) -> None:
        """The namespace takes its end of the cable along, and that the other."""
        self._ip("netns", "del", self.name)

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Another host, as far as the network goes."""
    made = Wire()
    try:
        made.make()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs network namespaces and iproute2: {error}")
    try:
        yield made
    finally:
        made.remove()


def test_a_network_cut_for_20_s_costs_no_trial(wire: Wire, tmp_path: Path) -> None:
    """The worker in another namespace works on; what it did meanwhile comes when it is back."""
    fleet = Processes(tmp_path)
    try:
        fleet.start_scheduler(host=wire.here)
        inside = ("ip", "netns", "exec", wire.name)
        fleet.worker(host=wire.there, prefix=inside, FAKE_TRIAL_S="1")
        client = fleet.run()
        until(lambda: len(fleet.trials()) >= 1)
        wire.cut(20.0)
        assert client.poll() is None
        finished(client)
        whole(fleet.trials())
    finally:
        fleet.end()


def test_a_certificate_is_asked_for_where_there_is_tls(fleet: Processes) -> None:
    """All three files or none: a client without is refused before it connects."""
    words = finished(fleet.run("run", "--tls-ca", "ca.pem"), Exit.USAGE)
    assert "belong together" in words
