"""What an ordinary user can measure, and what is said of what that user cannot: one line each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.machine import userns
from bench.model import Exit
from tests.mount.ordinary import CREATE_RULESET, NOBODY

ROOT = Path(__file__).parents[2]
BRIEFLY = (
    "--tree",
    "depth=1,branching=2,files_per_dir=50",
    "--trials",
    "1",
    "--values",
    "2",
    "--no-report",
)
STORM = ("--workload", "getattr-storm/fd")

needs_user_namespaces = pytest.mark.skipif(
    bool(userns.refused()), reason="user namespaces are refused here"
)
needs_fusermount = pytest.mark.skipif(
    shutil.which("fusermount3") is None, reason="needs fusermount3: apt install fuse3"
)


def has_landlock() -> bool:
    """Whether this kernel has a security module that a test can ask to deny something."""
    libc = userns._libc
    return int(libc.syscall(CREATE_RULESET, None, 0, 1)) > 0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of that user's."""
    os.chown(tmp_path, NOBODY, NOBODY)
    return tmp_path


def as_user(
    place: Path, *command: str, how: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """A command as that user, in a machine of its own; it must not end by a bug."""
    fence = [sys.executable, "-m", "tests.mount.ordinary", *how, "--open", str(place), "--"]
    environment = {**os.environ, "FUSE_BENCH_LOCK": str(place / "lock")}
    done = subprocess.run(
        [*fence, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def bench(
    place: Path, *arguments: str, how: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return as_user(place, sys.executable, "-m", "bench", *arguments, how=how)


def measure(
    place: Path, *arguments: str, how: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """A short run into ``place/run``."""
    output = ("--output", str(place / "run"))
    return bench(place, "run", *BRIEFLY, *STORM, *output, *arguments, how=how)


def records(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "run" / "trials.jsonl").read_text().splitlines()]


def daemons(*names: str) -> list[str]:
    return ["--only", *(word for name in names for word in ("--daemon", name))]


def told_once(stderr: str, words: str) -> str:
    """The one line in which these words are."""
    [line] = [line for line in stderr.splitlines() if words in line]
    return line


@needs_user_namespaces
def test_in_a_user_namespace_all_but_passthrough_is_measured(place: Path) -> None:
    """Without being asked for; requests are the servers' own counts, and what they should be."""
    done = measure(
        place, *daemons("native", "plain", "plain-c", "overlayfs", "overlayfs-rw", "bind")
    )
    assert done.returncode == Exit.MEASURED, done.stderr
    line = told_once(done.stderr, "root would add")
    assert "in a user namespace" in line and "passthrough" in line and "cpu_dma_latency" in line
    found = records(place)
    assert {one["outcome"] for one in found} == {"ok"}
    served = [one for one in found if one["daemon"].startswith("plain")]
    assert {one["daemon"] for one in served} == {"plain", "plain-c"}
    for one in served:
        requests = one["requests"]
        assert requests["kernel"] is None and requests["server"]["GETATTR"] >= requests["ops"]
        assert "under way" not in requests["why"]
    owners = {path.lstat().st_uid for path in [place / "run", *(place / "run").rglob("*")]}
    assert owners == {NOBODY}


@needs_user_namespaces
def test_what_nobody_named_may_be_lacking(place: Path) -> None:
    """The usual targets without those that pass something through: said, and no failure."""
    done = measure(place)
    assert done.returncode == Exit.MEASURED, done.stderr
    for name in ("passthrough", "passthrough-c"):
        assert "needs root" in told_once(done.stderr, f"skipped {name}: ")
    measured = {one["daemon"] for one in records(place)}
    assert measured == {"native", "overlayfs", "plain", "plain-c"}


@needs_user_namespaces
def test_passthrough_by_name_is_refused_with_the_reason(place: Path) -> None:
    """Exit 3, as for all that was named and not measured; at level none it is a server like others."""
    done = measure(place, *daemons("plain-c", "passthrough-c"))
    assert done.returncode == Exit.NOTHING
    assert "CAP_SYS_ADMIN" in done.stderr.splitlines()[-2]
    shutil.rmtree(place / "run")
    done = measure(place, *daemons("passthrough-c"), "--level", "none")
    assert done.returncode == Exit.MEASURED, done.stderr


@needs_fusermount
def test_without_user_namespaces_fusermount3_mounts(place: Path) -> None:
    """What is no FUSE is left out with the reason; nothing stays mounted or lies about."""
    script = f"""{sys.executable} -m bench run "$@"; code=$?
        grep fuse-passthrough-bench /proc/self/mountinfo && exit 90
        ls -d /tmp/fuse-passthrough-bench-{NOBODY} && exit 91
        exit $code"""
    targets = daemons("native", "plain", "plain-c")
    arguments = (*BRIEFLY, *STORM, "--output", str(place / "run"), *targets)
    done = as_user(place, "sh", "-c", script, "sh", *arguments, how=("--no-userns",))
    assert done.returncode == Exit.MEASURED, done.stderr
    line = told_once(done.stderr, "root would add")
    assert "by fusermount3" in line and "max_user_namespaces" in line and "overlayfs" in line
    assert {one["outcome"] for one in records(place)} == {"ok"}
    shutil.rmtree(place / "run")
    done = measure(place, *daemons("plain-c", "overlayfs", "bind"), how=("--no-userns",))
    assert done.returncode == Exit.NOTHING
    for name in ("overlayfs", "bind"):
        assert "a user namespace" in told_once(done.stderr, f"skipped {name}: ")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (("--dev-fuse", "none"), "modprobe fuse"),
        (("--dev-fuse", "none", "--no-userns"), "modprobe fuse"),
        (("--dev-fuse", "file"), "no FUSE device"),
        (("--dev-fuse", "file", "--root"), "no FUSE device"),
        (("--dev-fuse", "closed"), "chmod 666"),
        (("--landlock",), "a security module"),
    ],
    ids=lambda told: "" if isinstance(told, str) else "".join(told),
)
def test_no_fuse_is_told_in_one_line(place: Path, how: tuple[str, ...], words: str) -> None:
    """Exit 3 and the reason; what needs no FUSE is measured all the same."""
    if "--landlock" in how and not has_landlock():
        pytest.skip("this kernel has no Landlock")
    done = measure(place, *daemons("native", "plain-c"), how=how)
    assert done.returncode == Exit.NOTHING
    [line] = done.stderr.splitlines()
    assert line.startswith("bench: cannot mount FUSE (") and words in line
    assert not (place / "run").exists()
    assert bench(place, "probe", how=how).returncode == Exit.NOTHING
    done = measure(place, *daemons("native"), how=how)
    assert done.returncode == Exit.MEASURED, done.stderr


@pytest.mark.parametrize("option", ["--tune", "--cost"])
def test_what_only_root_can_do_is_refused(place: Path, option: str) -> None:
    """In one line, before anything is made."""
    done = measure(place, *daemons("native"), option)
    assert done.returncode == Exit.NOTHING
    [line] = done.stderr.splitlines()
    assert line.startswith(f"bench: {option} ") and line.endswith("run as root")
    assert not (place / "run").exists()


@needs_user_namespaces
def test_rows_that_need_root_are_left_out(place: Path) -> None:
    """A cache that only root empties, owners that only root gives; and nobody asks for ls's lists."""
    backing = place / "backing"
    backing.mkdir(mode=0o775)
    backing.chmod(0o775)  # a group of the user's own, as distributions give everybody
    os.chown(backing, NOBODY, NOBODY)
    rows = ("--workload", "chown", "--workload", "walk-find", "--workload", "list-stat/ls")
    done = measure(place, *daemons("plain-c"), *rows, "--backing", str(backing))
    assert done.returncode == Exit.MEASURED, done.stderr
    assert "only root may change owners" in told_once(done.stderr, "skipped chown/shared: ")
    refused = bench(
        place, "run", "--cache", "cold-all", "--workload", "walk-find", *daemons("plain-c")
    )
    assert refused.returncode == Exit.NOTHING
    assert "needs root: /proc/sys/vm/drop_caches" in refused.stderr.splitlines()[-1]
    assert {one["outcome"] for one in records(place)} == {"ok"}
    assert "list-stat" in {one["workload"] for one in records(place)}


@needs_user_namespaces
def test_servers_whose_requests_nobody_counts_are_left_out(place: Path) -> None:
    """Told once a target, not once a trial."""
    other = "other=true {backing} {mountpoint}"
    done = measure(place, *daemons("native", other))
    assert done.returncode == Exit.NOTHING
    assert "cannot be counted" in told_once(done.stderr, "skipped other: ")
    assert {one["daemon"] for one in records(place)} == {"native"}


@needs_fusermount
def test_what_a_killed_run_leaves_is_cleaned_up(place: Path) -> None:
    """Without a mount namespace a mount outlives its server; `bench clean` has fusermount3 take it away."""
    script = f"""
        {sys.executable} -m bench run "$@" 2>/dev/null & pid=$!
        while sleep 0.05; do
            kill -STOP $pid || exit 92
            sleep 0.2  # what it had begun ends
            grep -q fuse.plain-c /proc/self/mountinfo && break
            kill -CONT $pid
        done
        kill -9 $pid; wait $pid
        {sys.executable} -m bench clean || exit 94
        grep fuse.plain-c /proc/self/mountinfo && exit 95
        exit 0"""
    arguments = (*STORM, "--tree", "tiny", "--no-report", "--output", str(place / "run"))
    targets = daemons("plain-c")
    done = as_user(place, "sh", "-c", script, "sh", *arguments, *targets, how=("--no-userns",))
    assert done.returncode == 0, done.stderr
    assert "unmounted /tmp/fuse-passthrough-bench-" in done.stdout


@needs_user_namespaces
def test_root_without_the_capability_is_an_ordinary_user(tmp_path: Path) -> None:
    """In a container, say."""
    dropped = ("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
    arguments = ("run", *BRIEFLY, *STORM, *daemons("plain-c"), "--output", str(tmp_path / "run"))
    command = (*dropped, sys.executable, "-m", "bench", *arguments)
    done = as_user(tmp_path, *command, how=("--root",))
    assert done.returncode == Exit.MEASURED, done.stderr
    assert "root without CAP_SYS_ADMIN: " in told_once(done.stderr, "root would add")
