"""Daemons that go wrong in one way each, and a bench that knows them; used by test_faults.

    python -m tests.mount.faulty run --daemon hangs ...

is ``python -m bench run`` with these daemons added. Each is the real mirror, made to fail.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import registry
from bench.commands.main import main as bench_main
from bench.machine import mountinfo
from bench.model import Daemon, DaemonOptions, Opcode
from bench.mounts import mount as mounting
from bench.run.bench import Bench

MODES = {
    "exits": "exits before it mounts",
    "silent": "never mounts",
    "dies": "is killed while it is compared with its backing",
    "hangs": "stops answering while it is compared with its backing",
    "dies-late": "is killed in the middle of a window",
    "hangs-late": "stops answering in the middle of a window",
    "hangs-check": "stops answering after the last window",
    "lies": "reports a wrong size",
    "garbage": "writes replies of the wrong length",
    "busy": "has a process that works inside its mount",
    "late": "does not end when it is unmounted",
    "bad-exit": "ends with status 7",
    "claims": "claims that no GETATTR arrives, and gets them",
}
STALL_S = 3.0
AFTER = {"dies": 30, "hangs": 30, "dies-late": 200, "hangs-late": 200}
"""GETATTR requests answered before a daemon dies or hangs: the late ones are compared unharmed."""


def argv(mode: str) -> Callable[[Path, Path, DaemonOptions], list[str]]:
    def command(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
        arguments = [sys.executable, "-m", "tests.mount.faulty", "serve", mode]
        if options.counters:
            arguments += ["--counters", str(options.counters)]
        return [*arguments, "--", str(backing), str(mountpoint)]

    return command


def daemons() -> dict[str, Daemon]:
    plain = registry.daemon("plain")
    made = {
        mode: replace(plain, name=mode, summary=summary, argv=argv(mode), companions=("native",))
        for mode, summary in MODES.items()
    }
    passthrough = registry.daemon("passthrough")
    made["claims"] = replace(
        made["claims"],
        levels=passthrough.levels,
        claims=lambda _options, _cache: frozenset({Opcode.GETATTR}),
    )
    return made


def serve(mode: str, rest: list[str]) -> int:
    """Run the real server, broken as ``mode`` says."""
    if mode == "exits":
        print("exits: on purpose", file=sys.stderr)
        return 5
    if mode == "silent":
        time.sleep(600)
    from daemons import _serve

    conformance = "conformance-" in rest[-1]
    if mode == "busy" and not conformance:
        threading.Thread(target=sit_in, args=(Path(rest[-1]),), daemon=True).start()
    if mode in (*AFTER, "lies", "garbage") and not (conformance and mode.endswith("-late")):
        spoil(mode)
    if mode == "hangs-check" and not conformance:
        hang_at_xattrs()
    code = _serve.main([*rest[:-3], "--name", mode, *rest[-3:]])
    if mode == "late" and not conformance:
        time.sleep(600)
    return 7 if mode == "bad-exit" and not conformance else code


def sit_in(mountpoint: Path) -> None:
    """Start a process in the mount, which keeps it busy, and dies with this one."""
    while mountinfo.find(mountpoint) is None:
        time.sleep(0.01)
    # This thread must stay: a parent-death signal is about the thread that forked.
    subprocess.run(["setpriv", "--pdeathsig", "KILL", "sleep", "600"], cwd=mountpoint, check=False)


def spoil(mode: str) -> None:
    """Replace the mirror's getattr by a broken one; the shim must be there before pyfuse3 is."""
    from daemons._shim import Shim

    Shim()
    from daemons._mirror import Mirror

    break_getattr(Mirror, mode)


def hang_at_xattrs() -> None:
    """Have the mirror stop where no window asks: a spot check lists extended attributes."""
    from daemons._shim import Shim

    Shim()
    from daemons._mirror import Mirror

    async def stop(_self, _inode, _ctx):  # type: ignore[no-untyped-def]
        os.kill(os.getpid(), signal.SIGSTOP)
        return []

    Mirror.listxattr = stop  # type: ignore[method-assign]


def break_getattr(mirror: type, mode: str) -> None:
    right = mirror.getattr  # type: ignore[attr-defined]
    seen = 0

    async def getattr_(self, inode, ctx):  # type: ignore[no-untyped-def]
        nonlocal seen
        seen += 1
        if seen > AFTER.get(mode, seen):
            os.kill(os.getpid(), signal.SIGKILL if "dies" in mode else signal.SIGSTOP)
        answer = await right(self, inode, ctx)
        if mode == "lies":
            answer.st_size += 1
        if mode == "garbage":
            os.write(fuse_descriptor(), b"\x13" * 40)
        return answer

    mirror.getattr = getattr_  # type: ignore[attr-defined]


def fuse_descriptor() -> int:
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(entry.readlink()) == "/dev/fuse":
                return int(entry.name)
    raise RuntimeError("no /dev/fuse descriptor")


def main() -> int:
    if sys.argv[1] == "serve":
        return serve(sys.argv[2], sys.argv[3:])
    known = registry.daemons()
    known.update(daemons())  # the cached dict is what the whole bench looks things up in
    if (
        "silent" in sys.argv
    ):  # any other mounts, in its time: Python alone takes seconds on a busy machine
        mounting.READY_TIMEOUT_S = 2.0
    mounting.UNMOUNT_TIMEOUT_S = 2.0
    Bench.stall_s = STALL_S  # type: ignore[assignment, method-assign]
    return bench_main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
