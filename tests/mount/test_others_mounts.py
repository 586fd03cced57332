"""A FUSE server of somebody else ends when it is unmounted, whatever run of ours is under way.

The kernel ends its connection with the last copy of its mount, and every mount namespace of ours has one
(fs/super.c, deactivate_super).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.kernels import vm

ROOT = Path(__file__).parents[2]
A_RUN = """
import sys
from bench.machine import isolate
isolate.enter_private_namespace()
print("in", flush=True)
sys.stdin.read()
isolate.leave_runtime()
"""
SOMEBODY = """
import os, subprocess, sys
backing, root, *ours = sys.argv[1:]
server = subprocess.Popen(["bindfs", "-f", backing, root])
while not os.path.ismount(root) and server.poll() is None:
    pass
run = subprocess.Popen(ours, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
assert run.stdout.readline() == b"in\\n"
try:
    subprocess.run(["umount", root], check=True)
    server.wait(20)
finally:
    server.kill()
    run.stdin.close()
    run.wait()
"""


@pytest.mark.parametrize("ours", ["run", "guest"])
def test_its_server_ends_during_our_run(tmp_path: Path, ours: str) -> None:
    """On a machine whose mounts are shared, as systemd makes them."""
    for name in ("backing", "mnt"):
        (tmp_path / name).mkdir()
    guest = [*vm.cage(), "sh", "-c", "echo in; read nothing"]
    done = subprocess.run(
        [
            "unshare", "--mount", "--propagation", "shared", sys.executable, "-c", SOMEBODY,
            str(tmp_path / "backing"), str(tmp_path / "mnt"),
            *({"run": [sys.executable, "-c", A_RUN], "guest": guest}[ours]),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
