"""Does anything grow? An hour of storms, listings, mounts and unmounts, with a look at memory each minute.

    python results/self/soak.py --minutes 60 > results/self/soak.txt

As root. Each of our four servers has a mount that stays, and in turns one that comes and goes: the same
work is done on both (stat, open, read, list, create, write, unlink), and a third is mounted and unmounted
without any. Once a minute it reads memory, open descriptors and backing ids of the servers that stay (one
holds a descriptor for each inode that the kernel knows, and an id for each that was opened), memory of those
that came and went at the end of their work, the runner's own memory, descriptors, processes and FUSE mounts,
and the machine's slab caches of FUSE, which tell something where nobody else mounts. The first third of the
samples is held against the last, without the first sample of all. Exit 4 if not all is flat.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from paired import machine, table

from bench import registry
from bench.machine import child, isolate, mountinfo, slabs
from bench.model import DaemonOptions, Level
from bench.mounts import server_pid
from bench.mounts.mount import Mount, server_usage
from bench.requests import counters

SERVERS = ("plain-c", "passthrough-c", "plain", "passthrough")
FOLDERS, FILES, MADE = 10, 100, 100
PATIENCE_S, SETTLED_S = 60.0, 2.0
FEWEST = 7
"""Samples that make three thirds, and one that is left out."""


@dataclass(frozen=True)
class Rule:
    """What may be between the medians of the first and the last third: the more of the two."""

    share: float
    most: float
    unit: str

    def allowed(self, before: float) -> float:
        """By how much a figure may grow."""
        return max(self.share * before, self.most)


RULES = {
    "memory": Rule(0.01, 256, "KiB"),
    "descriptors": Rule(0, 0, ""),
    "ids": Rule(0, 0, ""),
    "processes": Rule(0, 0, ""),
    "mounts": Rule(0, 0, ""),
    "slab": Rule(0.05, 256, "KiB"),
}
Sample = dict[tuple[str, str], float]
"""Figures by whose they are and what they are of."""


def work(root: Path, name: str, seconds: float) -> int:
    """Storms and listings until time is up; how many calls it were."""
    end, calls = time.monotonic() + seconds, 0
    made = root / name
    made.mkdir(exist_ok=True)
    while time.monotonic() < end:
        for folder in range(FOLDERS):
            calls += _look(root / f"d{folder}")
        calls += _change(made)
    made.rmdir()
    return calls


def _look(folder: Path) -> int:
    names = os.listdir(folder)  # noqa: PTH208
    for number, name in enumerate(names):
        path = f"{folder}/{name}"
        os.stat(path)  # noqa: PTH116
        if number % 5 == 0:
            descriptor = os.open(path, os.O_RDONLY)
            os.fstat(descriptor)
            os.read(descriptor, 4096)
            os.close(descriptor)
    return 1 + len(names) + 4 * (len(names) // 5)


def _change(folder: Path) -> int:
    for number in range(MADE):
        path = folder / f"n{number}"
        path.write_bytes(b"x" * 100)
        path.stat()
    for path in list(folder.iterdir()):
        path.unlink()
    return 6 * MADE + 1


def lay_out(backing: Path) -> None:
    """The tree that is looked at."""
    for folder in range(FOLDERS):
        (backing / f"d{folder}").mkdir(parents=True)
        for number in range(FILES):
            (backing / f"d{folder}" / f"f{number}").write_bytes(b"y" * 100)


class Server:
    """A mount of one of our servers."""

    def __init__(self, daemon: str, label: str) -> None:
        found, place = registry.daemon(daemon), isolate.runtime()
        self.counters = place / f"{label}.counters"
        self.log = place / f"{label}.log"
        level = Level.RW if Level.RW in found.levels else Level.NONE
        options = DaemonOptions(level=level, counters=self.counters)
        self.mount = Mount(found, place / "backing", place / label, options)

    def works(self, seconds: float) -> int:
        """Work on it, in a child: the runner would hang with its server."""
        root, name = self.mount.root, f"made-{self.mount.daemon.name}"
        deadline = child.Deadline(seconds + PATIENCE_S, f"{name}: the work")
        return child.ask(lambda: work(root, name, seconds), deadline)

    def figures(self) -> dict[str, float]:
        """Memory, descriptors and backing ids, once nothing changes any more: the kernel forgets later."""
        end, before = time.monotonic() + SETTLED_S, {"": 0.0}
        while (now := self._figures()) != before and time.monotonic() < end:
            before = now
            time.sleep(0.05)
        return now

    def _figures(self) -> dict[str, float]:
        pid = self.mount.server
        return {
            "memory": server_usage(pid)[0],
            "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
            "ids": counters.read(self.counters).extra["ids_open"],
        }


@contextmanager
def mounted(daemon: str, label: str) -> Iterator[Server]:
    """A server for a while; raises TrialError where it does not come up or go down as it should."""
    server = Server(daemon, label)
    try:
        server.mount.up((), server.log, lambda: None)
        yield server
        server.mount.down()
    except BaseException:
        server.mount.destroy()
        raise
    finally:
        for path in (server.counters, server.log):
            path.unlink(missing_ok=True)


class Soak:
    """Four mounts that stay, and what was seen of them."""

    def __init__(self, stay: Sequence[Server], turn_s: float) -> None:
        self.stay, self.turn_s = stay, turn_s
        self.calls = self.mounts = 0
        self.gone: dict[str, float] = {}
        """Memory of the server that has come and gone last."""
        self.begun = time.monotonic()
        self.samples: list[tuple[float, Sample]] = []

    def turn(self, server: Server) -> None:
        """Work on the mount that stays and on one that goes; one more that nobody works on."""
        name = server.mount.daemon.name
        self.calls += server.works(self.turn_s)
        with mounted(name, "comes-and-goes") as other:
            self.calls += other.works(self.turn_s)
            self.gone[name] = other.figures()["memory"]
        with mounted(name, "comes-and-goes"):
            pass
        self.mounts += 2

    def look(self) -> None:
        """One sample."""
        seen: Sample = {}
        for server in self.stay:
            name = server.mount.daemon.name
            seen |= {(name, what): value for what, value in server.figures().items()}
            seen[f"{name} that goes", "memory"] = self.gone[name]
        own = os.getpid()
        seen["runner", "memory"] = server_usage(own)[0]
        seen["runner", "descriptors"] = len(list(Path("/proc/self/fd").iterdir()))
        seen["runner", "processes"] = len(server_pid.tree(own)) - 1
        seen["runner", "mounts"] = sum(entry.is_fuse for entry in mountinfo.table())
        caches = slabs.read() or {}
        found = [size for name, size in caches.items() if name.startswith("fuse")]
        if found:
            seen["machine", "slab"] = sum(found) / 1024
        self.samples.append((time.monotonic() - self.begun, seen))

    def run(self, seconds: float, every_s: float) -> None:
        """All servers in turns until time is up, a sample after the round in which it is due."""
        due = 0.0
        while (elapsed := time.monotonic() - self.begun) < seconds or not self.samples:
            for server in self.stay:
                self.turn(server)
            if elapsed >= due:
                self.look()
                due += every_s
                print(f"{elapsed / 60:.0f} min, {self.calls} calls", file=sys.stderr)


def sample_rows(samples: Sequence[tuple[float, Sample]], names: Sequence[str]) -> list[list[str]]:
    """One line a sample."""
    heads = [*names, "that go: KiB", "runner", "slab, KiB"]
    rows = [["min", *heads], ["", *(["KiB fds ids"] * len(names)), "", "KiB fds procs mounts", ""]]
    for at, seen in samples:
        cells = [
            " ".join(f"{seen[name, what]:.0f}" for what in ("memory", "descriptors", "ids"))
            for name in names
        ]
        cells.append(" ".join(f"{seen[f'{name} that goes', 'memory']:.0f}" for name in names))
        own = ("memory", "descriptors", "processes", "mounts")
        cells.append(" ".join(f"{seen['runner', what]:.0f}" for what in own))
        slab = seen.get(("machine", "slab"))
        rows.append([f"{at / 60:.1f}", *cells, "not readable" if slab is None else f"{slab:.0f}"])
    return rows


def verdicts(samples: Sequence[tuple[float, Sample]]) -> tuple[list[list[str]], bool]:
    """Of each figure what it was in the first third and in the last, and whether all are flat."""
    rows = [["", "first third", "last third", "in an hour", "may grow by", ""]]
    third = (len(samples) - 1) // 3
    first, last = samples[1 : 1 + third], samples[len(samples) - third :]
    hours = statistics.mean(at for at, _ in last) - statistics.mean(at for at, _ in first)
    flat = True
    for key in samples[0][1]:
        rule = RULES[key[1]]
        before, after = (statistics.median(seen[key] for _, seen in part) for part in (first, last))
        allowed = rule.allowed(before)
        holds = after - before <= allowed
        flat &= holds
        rows.append(
            [
                f"{key[0]}: {key[1]}",
                f"{before:.0f} {rule.unit}",
                f"{after:.0f} {rule.unit}",
                f"{(after - before) / hours * 3600:+.0f}",
                f"{allowed:.0f}",
                "flat" if holds else "GROWS",
            ]
        )
    return rows, flat


def told(soak: Soak, names: Sequence[str]) -> tuple[str, bool]:
    """Both tables and the verdict."""
    shown = table(sample_rows(soak.samples, names))
    text = f"{soak.calls} calls on {soak.mounts} mounts that came and went\n\n{shown}\n\n"
    if len(soak.samples) < FEWEST:
        return f"{text}{len(soak.samples)} samples: too few to tell what grows\n", True
    rows, flat = verdicts(soak.samples)
    memory, slab = RULES["memory"], RULES["slab"]
    means = (
        "flat: the median of the last third is above that of the first by no more than "
        f"{memory.share:.0%} or {memory.most:.0f} KiB\nof memory, {slab.share:.0%} or {slab.most:.0f} KiB "
        "of slab, whichever is more, and by no descriptor, id, process or mount"
    )
    return f"{text}{table(rows)}\n\n{means}\n{'all flat' if flat else 'NOT FLAT'}\n", flat


def main() -> int:
    """Soak, then print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=60.0, metavar="S", help="between samples")
    parser.add_argument("--turn", type=float, default=3.0, metavar="S", help="work on one mount")
    parser.add_argument("--daemon", action="append", choices=SERVERS, help="these alone")
    asked = parser.parse_args()
    names = asked.daemon or SERVERS
    isolate.enter_private_namespace()
    try:
        lay_out(isolate.runtime() / "backing")
        with ExitStack() as stack:
            soak = Soak(
                [stack.enter_context(mounted(name, f"stays-{name}")) for name in names], asked.turn
            )
            soak.run(asked.minutes * 60, asked.every)
    finally:
        isolate.leave_runtime()
    text, flat = told(soak, names)
    print(f"$ python results/self/soak.py {' '.join(sys.argv[1:])}".strip())
    print(", ".join(f"{key} {value}" for key, value in machine().items()), end=f"\n\n{text}")
    return 0 if flat else 4


if __name__ == "__main__":
    sys.exit(main())
