"""Hosts of a test: Dask's scheduler, workers and clients as processes, network namespaces as machines."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FAKE = str(Path(__file__).with_name("fake_fleet.py"))
WAIT_S = 180.0
COMMIT = "0" * 40


class Processes:
    """A scheduler, workers and clients of one test; all are gone when it ends."""

    trust: tuple[str, ...] = ()
    """Options of worker and client that say whom they trust, and who they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        self.environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "FUSE_BENCH_LOCK": str(folder / "lock"),
            "TMPDIR": str(folder),
            "FAKE_TRIAL_S": "0.15",
            # Who commits while a test runs is not what it is about.
            "FUSE_BENCH_COMMIT": COMMIT,
        }
        (folder / "bzImage").write_bytes(b"\x7fELF a kernel")
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
        return self.scheduler_at(host, port, prefix)

    def scheduler_at(self, host: str, port: int, prefix: tuple[str, ...]) -> subprocess.Popen[str]:
        """Dask's own, there."""
        self.address = f"tcp://{host}:{port}"
        return self.start(
            "-m", "dask", "scheduler", "--host", host, "--port", str(port), "--no-dashboard",
            prefix=prefix,
        )  # fmt: skip

    def worker(
        self,
        *,
        host: str = "127.0.0.1",
        prefix: tuple[str, ...] = (),
        script: tuple[str, ...] = (FAKE,),
        **more: str,
    ) -> Any:
        """One that does one boot at a time; returns when it is there."""
        process = self.start(
            *script, "worker", self.address, "--host", host, "--boots", "1", *self.trust,
            prefix=prefix, **more,
        )  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.readline()
        protocol = self.address.partition(":")[0]
        assert said.startswith(f"worker {protocol}://"), said + process.stderr.read()
        return process

    def run(self, name: str = "run", *more: str, prefix: tuple[str, ...] = ()) -> Any:
        """A run of twelve trials in two boots."""
        return self.start(
            FAKE, "run", "--kernel", f"lab={self.folder / 'bzImage'}", "--clock", "instructions",
            "--daemon", "passthrough-c", "--daemon", "plain-c", "--only", "--seed", "5", "--quick",
            "--workload", "getattr-storm/fd", "--workload", "getattr-storm/at", "--workload",
            "readdir", "--trials", "2", "--no-report", "--output", str(self.folder / name),
            "--scheduler", self.address, *self.trust, *more, prefix=prefix,
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


class TlsProcesses(Processes):
    """Processes that speak TLS: each side shows a certificate that the test's own authority has signed."""

    def __init__(self, folder: Path) -> None:
        authority(folder, "ca")
        authority(folder, "strangers")
        self.trust = trusting(folder, "ca")
        super().__init__(folder)

    def scheduler_at(self, host: str, port: int, prefix: tuple[str, ...]) -> subprocess.Popen[str]:
        """Dask's own, there, for nobody whom the authority does not know."""
        self.address = f"tls://{host}:{port}"
        ca, cert, key = (str(self.folder / f"ca.{it}.pem") for it in ("ca", "cert", "key"))
        return self.start(
            "-m", "dask", "scheduler", "--protocol", "tls", "--host", host, "--port", str(port),
            "--no-dashboard", "--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key,
            prefix=prefix,
        )  # fmt: skip


def trusting(folder: Path, name: str) -> tuple[str, ...]:
    """The options of who is of an authority, and trusts no other."""
    ca, cert, key = (str(folder / f"{name}.{it}.pem") for it in ("ca", "cert", "key"))
    return "--tls-ca", ca, "--tls-cert", cert, "--tls-key", key


def authority(folder: Path, name: str) -> None:
    """An authority, and a certificate it has signed: NAME.ca.pem, .cert.pem, .key.pem."""
    ca, ca_key = folder / f"{name}.ca.pem", folder / f"{name}.ca-key.pem"
    cert, key, wish = (folder / f"{name}.{it}.pem" for it in ("cert", "key", "csr"))
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for words in (
        ["req", "-x509", *made, "-subj", f"/CN={name}", "-keyout", ca_key, "-out", ca],
        ["req", *made[:3], "-subj", "/CN=host", "-keyout", key, "-out", wish],
        ["x509", "-req", "-in", wish, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
         "-out", cert],
    ):  # fmt: skip
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Wire:
    """A network namespace with a cable to this one; ``number`` tells those of one test apart."""

    def __init__(self, number: int = 0) -> None:
        self.name = f"bench-{os.getpid()}-{number}"
        net = (os.getpid() + number) % 250
        self.here, self.there = f"10.213.{net}.1", f"10.213.{net}.2"
        self.ours, self.theirs = f"bo{os.getpid()}.{number}", f"bt{os.getpid()}.{number}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command line begins with that runs there."""
        return ("ip", "netns", "exec", self.name)

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
