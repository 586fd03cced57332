"""Everything at once on an attached tree, until the server is killed and the mount is torn away.

    python -m tests.vm.stress --variant lookup --shape overlayfs --seconds 300

To be run as root on the lab kernel. Processes stat, list, rename, link, chmod, create, write and
drop caches, through the mount and underneath, for some seconds; then the server is killed, or the
mount is detached while they go on, and all begins anew. It proves nothing but that every process
ends, every mount comes off, and the kernel, whose console the caller reads, does not complain.
"""

# Names are system calls here.
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH116, PTH118, PTH123, PTH208, PTH211

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
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from daemons.passthrough_c import DAEMON
from tests.mount.serving import MNT_DETACH, Mounted
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
CYCLE_S = 5.0
PATIENCE_S = 60.0
"""A process that does not end so long after its time hangs."""

DIRECTORIES = [f"{top}/{sub}" for top in "ab" for sub in "012"]
NAMES = [f"{index}" for index in range(8)]


class Place:
    """The tree as a worker sees it, with its own dice."""

    def __init__(self, above: str, below: str, seed: str) -> None:
        self.above, self.below = above, below
        self.random = Random(seed)

    def directory(self, side: str) -> str:
        return os.path.join(side, self.random.choice(DIRECTORIES))

    def file(self, side: str) -> str:
        return os.path.join(self.directory(side), self.random.choice(NAMES))

    def either(self) -> str:
        return self.random.choice([self.above, self.above, self.below])


def walk(place: Place) -> None:
    """As find does."""
    for root, _folders, files in os.walk(place.above):
        for name in files:
            with contextlib.suppress(OSError):
                os.stat(os.path.join(root, name))


def list_long(place: Place) -> None:
    """As ls -l does."""
    with os.scandir(place.directory(place.above)) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                entry.stat(follow_symlinks=False)
                os.listxattr(entry.path, follow_symlinks=False)


def look(place: Place) -> None:
    for _ in range(20):
        with contextlib.suppress(OSError):
            os.stat(place.file(place.above))


def rename(place: Place) -> None:
    """Files and directories, on either side."""
    side = place.either()
    if place.random.random() < 0.7:
        os.rename(place.file(side), place.file(side))
        return
    one, two = (place.directory(side) for _ in range(2))
    os.rename(one, two + "-moved")
    os.rename(two + "-moved", one)


def link(place: Place) -> None:
    side = place.either()
    os.link(place.file(side), place.file(side))


def change(place: Place) -> None:
    """Mode, owner, times and size."""
    path = place.file(place.either())
    os.chmod(path, place.random.choice([0o644, 0o600, 0o4755, 0o000]))
    os.chown(path, place.random.choice([0, 1001]), -1)
    os.utime(path)
    os.truncate(path, place.random.choice([0, 10, 5000]))
    os.setxattr(path, "user.a", b"1" * place.random.randint(0, 50))


def close_off(place: Place) -> None:
    os.chmod(place.directory(place.either()), place.random.choice([0o755, 0o700, 0o711]))


def make(place: Place) -> None:
    """New files under old names."""
    path = place.file(place.either())
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    kind = place.random.random()
    if kind < 0.7:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o644))
    elif kind < 0.85:
        os.symlink("0", path)
    else:
        os.mkdir(path)
        os.rmdir(path)


def data(place: Place) -> None:
    """Through descriptors and mappings, of files that others truncate and remove."""
    fd = os.open(place.file(place.either()), os.O_RDWR | os.O_NONBLOCK)
    try:
        os.pwrite(fd, b"x" * 5000, place.random.choice([0, 3000]))
        with contextlib.suppress(ValueError), mmap.mmap(fd, 5000) as memory:
            memory.flush()
        os.pread(fd, 9000, 0)
        os.fstat(fd)
        os.ftruncate(fd, place.random.choice([0, 100]))
        os.fsync(fd)
    finally:
        os.close(fd)


def drop(_place: Place) -> None:
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("2")
    time.sleep(0.02)


def hold(place: Place) -> None:
    """Descriptors that outlive names, and a working directory that may go."""
    fds = []
    try:
        os.chdir(place.directory(place.above))
        for _ in range(5):
            with contextlib.suppress(OSError):
                fds.append(os.open(place.file(place.above), os.O_PATH | os.O_NOFOLLOW))
        fds.append(os.open(".", os.O_RDONLY))
        for fd in fds:
            with contextlib.suppress(OSError):
                os.fstat(fd)
                os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK))
        with contextlib.suppress(OSError):
            os.listdir(".")
    finally:
        for fd in fds:
            os.close(fd)
        os.chdir("/")


WORKERS: tuple[Callable[[Place], None], ...] = (
    walk, list_long, look, rename, link, change, close_off, make, data, drop, hold,
)  # fmt: skip


class Counts:
    """How often each worker came to its end, told by processes of their own."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8 * len(WORKERS))

    def add(self, index: int) -> None:
        value = int.from_bytes(self._memory[8 * index : 8 * index + 8], "little") + 1
        self._memory[8 * index : 8 * index + 8] = value.to_bytes(8, "little")

    def by_name(self) -> Counter[str]:
        numbers = struct.unpack(f"<{len(WORKERS)}Q", self._memory[:])
        return Counter({w.__name__: n for w, n in zip(WORKERS, numbers, strict=True)})


def start(index: int, place: Place, end: float, counts: Counts) -> int:
    """Do it over and over in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    try:
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                WORKERS[index](place)
                counts.add(index)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


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
    variant: str, shape_name: str, ending: str, seed: str, seconds: float, counts: Counts
) -> list[str]:
    """One mount's life; what went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="stress-", dir="/run/stress"))
    random = Random(seed)
    with built(shape_name, variant, folder) as shape:
        begun = time.monotonic()
        workers = {}
        for index, worker in enumerate(WORKERS):
            place = Place(str(shape.top), str(shape.below), f"{seed}/{worker.__name__}")
            workers[start(index, place, begun + seconds, counts)] = worker.__name__
        time.sleep(seconds * 0.7)
        tear(shape, ending, random)
        wrong = reap(workers, begun + seconds + PATIENCE_S)
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


def stress(variant: str, shape: str, seconds: float, cycle_s: float, seed: int) -> Tally:
    """Mount after mount until the time is over."""
    tally = Tally(0, [], Counter())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        counts = Counts()
        ending = ENDINGS[tally.mounts % len(ENDINGS)]
        name = f"{seed}/{variant}/{shape}/{tally.mounts}"
        tally.wrong += cycle(variant, shape, ending, name, cycle_s, counts)
        tally.done += counts.by_name()
        tally.mounts += 1
    idle = [worker.__name__ for worker in WORKERS if not tally.done[worker.__name__]]
    tally.wrong += [f"{variant}, {shape}: {name} never came to an end" for name in idle]
    return tally


def main(arguments: list[str] | None = None) -> int:
    """By hand, or in a guest. Returns 0, or 1 with what went wrong."""
    parser = argparse.ArgumentParser(prog="tests.vm.stress", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--variant", action="append", choices=LEVELS)
    parser.add_argument("--shape", action="append", choices=SHAPES)
    parser.add_argument("--seconds", type=float, default=300.0, help="of each variant and shape")
    parser.add_argument("--cycle", type=float, default=CYCLE_S)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    before = SWITCH.read_text()
    Path("/run/stress").mkdir(exist_ok=True)
    total = Tally(0, [], Counter())
    for variant in options.variant or LEVELS:
        for shape in options.shape or SHAPES:
            one = stress(variant, shape, options.seconds, options.cycle, options.seed)
            total = Tally(total.mounts + one.mounts, total.wrong + one.wrong, total.done + one.done)
            print(f"{variant}, {shape}: {one.mounts} mounts, {dict(one.done)}", flush=True)
    SWITCH.write_text(before)
    print("\n".join(total.wrong))
    if options.json:
        options.json.write_text(json.dumps(asdict(total)))
    return 1 if total.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
