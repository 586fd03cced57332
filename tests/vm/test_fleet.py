"""Runs that other machines do, and what may go wrong: real Dask, real processes, guests that boot nothing.

The guest is fake_fleet's; the lab kernel, booted by workers, is in test_bench_run.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.model import Exit

from .hosts import FAKE, WAIT_S, Processes, TlsProcesses, Wire, trusting, until

TRIALS = 12


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Processes]:
    """A scheduler without workers."""
    made = Processes(tmp_path)
    try:
        yield made
    finally:
        made.end()


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
    """The task of a killed worker goes elsewhere: each trial is in the result once."""
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
    """The liar's first task finds it out and goes to the honest one; the client is told how it differs."""
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
    """A boot it cannot make goes to another; the client is told whose disk it is."""
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
        fleet.worker(host=wire.there, prefix=wire.prefix, FAKE_TRIAL_S="1")
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


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl: apt-get install openssl")
def test_tls_lets_in_who_shows_a_certificate_and_nobody_else(tmp_path: Path) -> None:
    """A run over tls:// is whole; a client of another authority, and one without any, get nothing."""
    made = TlsProcesses(tmp_path)
    try:
        made.worker()
        client = made.run()
        assert "1 workers of this suite" in finished(client)
        whole(made.trials())
        ours, made.trust = made.trust, trusting(tmp_path, "strangers")
        assert "cannot be reached" in finished(made.run("stranger"), Exit.NOTHING)
        made.trust = ()
        assert "needs all of them" in finished(made.run("nobody"), Exit.USAGE)
        made.address, made.trust = made.address.replace("tls:", "tcp:"), ours
        assert "it is tls://" in finished(made.run("unsafe"), Exit.USAGE)
        made.trust = ()
        assert "cannot be reached" in finished(made.run("plain"), Exit.NOTHING)
    finally:
        made.end()
