"""Everything at once on an attached tree, until the server is killed and the mount is torn away.

    python -m tests.vm.stress --variant lookup --shape overlayfs --seconds 300

To be run as root on the lab kernel. Processes stat, list, rename, link, chmod, create, write and
drop caches, through the mount and underneath, for some seconds; then the server is killed, or the
mount is detached while they go on, and all begins anew. It proves nothing but that every process
ends, every mount comes off, and the kernel, whose console the caller reads, does not complain.
"""

# Names are system calls here.

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from daemons.passthrough_c import DAEMON
from tests.mount.serving import MNT_DETACH, Mounted
from tests.vm.busy import DIRECTORIES, NAMES, WORKERS, Place
from tests.vm.parties import LEVELS, SWITCH
from tests.vm.server import (
    GETATTR,
    LOOKUP,
    OPENDIR,
    READ,
    READDIR,
    SETATTR,
    STATX,
    WRITE,
    Mount,
    Options,
    mount,
    op,
    umount,
)

SHAPES = ("plain", "fuse-over-fuse", "overlayfs")
ENDINGS = ("kill", "detach", "kill and detach", "end")
TIMES = 40
"""What every worker tries on one mount, and half of it before the mount is torn away."""
PATIENCE_S = 120.0
"""A process that does nothing for so long hangs; a guest on a busy host is slow."""


class Counts:
    """How often each worker has tried and has come to its end; shared by processes. And when to stop."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 16 * len(WORKERS) + 8)

    def _words(self) -> tuple[int, ...]:
        return struct.unpack(f"<{2 * len(WORKERS) + 1}Q", self._memory[:])

    def _add(self, word: int) -> None:
        struct.pack_into("<Q", self._memory, 8 * word, self._words()[word] + 1)

    def tried(self) -> tuple[int, ...]:
        return self._words()[: len(WORKERS)]

    def done(self) -> Counter[str]:
        numbers = self._words()[len(WORKERS) : -1]
        return Counter({w.__name__: n for w, n in zip(WORKERS, numbers, strict=True)})

    def stop(self) -> None:
        self._add(2 * len(WORKERS))

    def work(self, index: int, place: Place) -> None:
        """One worker over and over, until told to stop."""
        while not self._words()[-1]:
            with contextlib.suppress(OSError):
                WORKERS[index](place)
                self._add(len(WORKERS) + index)
            self._add(index)


def start(index: int, place: Place, counts: Counts) -> int:
    """A worker in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    try:
        counts.work(index, place)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def wait_until(counts: Counts, times: int) -> bool:
    """Whether every worker tried so often; not if one hangs."""
    seen, moved = counts.tried(), [time.monotonic()] * len(WORKERS)
    while min(seen) < times:
        time.sleep(0.02)
        now = counts.tried()
        moved = [
            at if old == new else time.monotonic()
            for at, old, new in zip(moved, seen, now, strict=True)
        ]
        seen = now
        if time.monotonic() - min(moved) > PATIENCE_S:
            return False
    return True


def furnish(below: Path) -> None:
    for name in DIRECTORIES:
        (below / name).mkdir(parents=True, exist_ok=True)
        for file in NAMES[::2]:
            (below / name / file).write_bytes(b"content" * 100)


# -- shapes: what lies over what


class Shape:
    """A mounted tree: where clients go, where it is changed underneath, who serves it."""

    def __init__(self, top: Path, below: Path, servers: list[int], mounts: list[Path]) -> None:
        self.top, self.below, self.servers, self.mounts = top, below, servers, mounts


def _upper_options(backing: Path, variant: str, depth: int) -> Options:
    """The server of tests/vm/server.py, which takes a FUSE mount for its backing."""
    by_entry = variant != "attach-getattr"
    inode = op(GETATTR, STATX) | (op(SETATTR) if by_entry else 0)
    listing = op(READDIR) | (op(LOOKUP, OPENDIR) if variant == "lookup" else 0)
    return Options(
        str(backing), passthrough=True, ino=True, entry2=by_entry, attach_in_getattr=True,
        file_mask=op(READ, WRITE) | inode, dir_mask=inode | listing, other_mask=inode,
        open_passthrough=True, opendir_passthrough=True, default_permissions=True,
        stack_depth=depth,
    )  # fmt: skip


@contextlib.contextmanager
def built(shape: str, variant: str, folder: Path) -> Iterator[Shape]:
    """Mount it; whatever is left of it at the end goes."""
    for name in ("backing", "upper", "work", "merged", "top"):
        (folder / name).mkdir()
    furnish(folder / "backing" / "tree")
    SWITCH.write_text(variant)
    lower = Mounted(DAEMON, folder, ["--allow-other", "--level", variant])
    mounts, servers = [lower.root], [lower.process.pid]
    top = lower.root
    upper: Mount | None = None
    try:
        if shape == "overlayfs":
            top = folder / "merged"
            names = f"lowerdir={lower.root},upperdir={folder}/upper,workdir={folder}/work"
            mount("overlay", str(top), "overlay", names)
        if shape == "fuse-over-fuse":
            top = folder / "top"
            upper = Mount(str(top), _upper_options(lower.root / "tree", variant, 2)).__enter__()
            servers.append(upper._pid)
        if top is not lower.root:
            mounts.append(top)
        tree = top if upper else top / "tree"
        yield Shape(tree, folder / "backing" / "tree", servers, mounts)
    finally:
        for point in reversed(mounts):
            with contextlib.suppress(OSError):
                umount(str(point), MNT_DETACH)
        if upper:
            upper._control.close()
            os.kill(upper._pid, signal.SIGKILL)
            os.waitpid(upper._pid, 0)
        lower.end()


def tear(shape: Shape, ending: str, random: Random) -> None:
    """What a user may do to a mount in use."""
    if "kill" in ending:
        os.kill(random.choice(shape.servers), signal.SIGKILL)
    if "detach" in ending:
        umount(str(random.choice(shape.mounts)), MNT_DETACH)


def stacks(pid: int) -> str:
    """Where a process is in the kernel."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stack").read_text() + Path(f"/proc/{pid}/wchan").read_text()
    return ""


def reap(workers: dict[int, str], deadline: float) -> list[str]:
    """Wait for all; what went wrong."""
    wrong = []
    while workers and time.monotonic() < deadline:
        for pid in list(workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended and status:
                wrong.append(f"{workers[pid]} ended with {os.waitstatus_to_exitcode(status)}")
            if ended:
                del workers[pid]
        time.sleep(0.02)
    for pid, name in workers.items():
        wrong.append(f"{name} hangs: {stacks(pid)}")
        os.kill(pid, signal.SIGKILL)
    return wrong


def cycle(
    variant: str, shape_name: str, ending: str, seed: str, times: int, counts: Counts
) -> list[str]:
    """One mount's life; what went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="stress-", dir="/run/stress"))
    with built(shape_name, variant, folder) as shape:
        workers = {}
        for index, worker in enumerate(WORKERS):
            place = Place(str(shape.top), str(shape.below), f"{seed}/{worker.__name__}")
            workers[start(index, place, counts)] = worker.__name__
        wait_until(counts, times // 2)
        tear(shape, ending, Random(seed))
        wait_until(counts, times)
        counts.stop()
        wrong = reap(workers, time.monotonic() + PATIENCE_S)
    shutil.rmtree(folder, ignore_errors=True)
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    wrong += [f"still mounted: {line}" for line in table if str(folder) in line]
    return [f"{variant}, {shape_name}, {ending}: {one}" for one in wrong]


@dataclass
class Tally:
    """What some time of stress came to."""

    mounts: int
    wrong: list[str]
    done: Counter[str]


def stress(variant: str, shape: str, seconds: float, times: int, seed: int) -> Tally:
    """Mount after mount until the time is over."""
    tally = Tally(0, [], Counter())
    end = time.monotonic() + seconds
    while not tally.mounts or time.monotonic() < end:
        counts = Counts()
        ending = ENDINGS[(tally.mounts + seed) % len(ENDINGS)]
        name = f"{seed}/{variant}/{shape}/{tally.mounts}"
        tally.wrong += cycle(variant, shape, ending, name, times, counts)
        tally.done += counts.done()
        tally.mounts += 1
    return tally


def main(arguments: list[str] | None = None) -> int:
    """By hand, or in a guest. Returns 0, or 1 with what went wrong."""
    parser = argparse.ArgumentParser(prog="tests.vm.stress", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--variant", action="append", choices=LEVELS)
    parser.add_argument("--shape", action="append", choices=SHAPES)
    parser.add_argument(
        "--one-each", action="store_true", help="one shape for each variant, in turn"
    )
    parser.add_argument("--seconds", type=float, default=300.0, help="of each variant and shape")
    parser.add_argument("--times", type=int, default=TIMES, help="of every worker, on one mount")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    before = SWITCH.read_text()
    Path("/run/stress").mkdir(exist_ok=True)
    total = Tally(0, [], Counter())
    number = options.seed
    for turn, variant in enumerate(options.variant or LEVELS):
        for shape in SHAPES[turn : turn + 1] if options.one_each else options.shape or SHAPES:
            one = stress(variant, shape, options.seconds, options.times, number)
            total = Tally(total.mounts + one.mounts, total.wrong + one.wrong, total.done + one.done)
            print(f"{variant}, {shape}: {one.mounts} mounts, {dict(one.done)}", flush=True)
            number += 1
    idle = [w.__name__ for w in WORKERS if options.times >= TIMES and not total.done[w.__name__]]
    total.wrong += [f"{name} never came to its end" for name in idle]
    SWITCH.write_text(before)
    print("\n".join(total.wrong))
    if options.json:
        options.json.write_text(json.dumps({**vars(total), "done": dict(total.done)}))
    return 1 if total.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
