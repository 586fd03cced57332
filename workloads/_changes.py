"""Windows that change something: each on names of its own, checked and put back ahead of the next.

Everything happens below ``work/``, beside the tree, in directories that a body makes and removes
again. What a window left is looked at through the target and in the backing, by count and by
sample, and then removed, through the target: neither is part of what is counted and timed.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.model import FOREVER, FOREVER_S, Bound, Context, Fixture, Opcode, Window
from workloads import _expect
from workloads._bodies import CHUNK, EMPTY_LOOPS, Driven, PlainBody
from workloads._native.opdriver import Driver

FOLDER = "work"
SAMPLE = 16
"""Names looked at on both sides of what a window left."""
SHARED, EACH = "shared", "each"
"""Variants: all threads in one directory, or each in one of its own."""
VARIANTS = (SHARED, EACH)
TARGET = "../some/where/else"
"""What symbolic links point to."""

WORK = Fixture(FOLDER, lambda _folder: None)
"""An empty directory to change things in."""


def fixtures(_variant: str) -> tuple[Fixture, ...]:
    """What every change needs in the backing."""
    return (WORK,)


Look = Callable[[os.stat_result], bool]


@dataclass(frozen=True)
class Change:
    """What a window does with its names: operations of the driver, one pass each, in this order.

    ``ahead`` makes what they need. ``second`` says where a second name of each lies: in the same
    directory, in another one, or that it is what a link points to. ``stays`` and ``comes`` say
    whether first and second names are there afterwards, ``undo`` removes them.
    """

    ops: tuple[str, ...]
    ahead: str = ""
    second: str = ""
    stays: bool = True
    comes: bool = False
    undo: str = "unlink"
    looks: Look = lambda _status: True
    """Whether what is there afterwards is what was to be made."""


def count(context: Context) -> int:
    """Names of one window, equally many for every thread."""
    return max(context.names // context.threads, 1) * context.threads


class WorkFolder:
    """A directory of a body's own below ``work/``, with one directory for each thread that is to
    have one, on the target and in the backing."""

    def __init__(self, context: Context, name: str) -> None:
        self.root = context.root
        self.sides = [context.root, *([context.backing] if context.backing else [])]
        self.place = f"{FOLDER}/{name}-{context.seed}"
        shutil.rmtree(self.root / self.place, ignore_errors=True)
        apart = range(context.threads) if context.variant == EACH else (0,)
        self.first = [f"{self.place}/{number}" for number in apart]
        self.other = [f"{self.place}/other-{number}" for number in apart]
        for path in (*self.first, *self.other):
            (self.root / path).mkdir(parents=True)

    def paths(self, prefix: str, number: int, *, other: bool = False) -> list[str]:
        """New names, in as many runs as there are directories, so that each thread's lie in one."""
        folders = self.other if other else self.first
        each = number // len(folders)
        return [f"{folder}/{prefix}-{index:05}" for folder in folders for index in range(each)]

    def refuse_other(self, there: Sequence[str], gone: Sequence[str], looks: Look) -> None:
        """Raises RuntimeError where the sides show another number of names, or others, than these."""
        chance = random.Random(len(there))
        some = [chance.sample(list(names), min(SAMPLE, len(names))) for names in (there, gone)]
        for side in self.sides:
            for folder in {*self.first, *self.other}:
                wanted = sum(name.rpartition("/")[0] == folder for name in there)
                found = sum(1 for _ in (side / folder).iterdir())
                if found != wanted:
                    raise RuntimeError(f"{folder}: wanted {wanted} names, found {found}")
            for name in some[0]:
                if not looks((side / name).lstat()):
                    raise RuntimeError(f"{name}: is not what was to be made")
            for name in some[1]:
                if os.path.lexists(side / name):
                    raise RuntimeError(f"{name}: is still there")

    def remove(self) -> None:
        """Take all directories away again, through the target."""
        shutil.rmtree(self.root / self.place)


class Changes(PlainBody):
    """Windows that each do one change to names of their own."""

    def __init__(self, context: Context, change: Change) -> None:
        self._context, self._change = context, change
        self._work = WorkFolder(context, change.ops[0])
        self._windows = 0
        self._names: list[str] = []
        self._seconds: list[str] = []
        self._drivers: list[Driver] = []
        self.ops_per_loop = count(context)

    def warm(self) -> None:
        """Do one window: what the kernel learns of the directories at first contact it then knows."""
        self.before()
        self.window(1)

    def before(self) -> None:
        """Check and put back what the last window did, and lay out the next one."""
        self._settle()
        change, prefix = self._change, f"n{self._windows:03}"
        self._windows += 1
        self._names = self._work.paths(prefix, self.ops_per_loop)
        self._seconds = self._work.paths(
            prefix.replace("n", "m"), self.ops_per_loop, other=change.second == "other"
        )
        if change.ahead:
            self._do(change.ahead, self._names)
        self._drivers = [
            self._driver(op, self._items(), self._context.threads) for op in change.ops
        ]

    def _items(self) -> Sequence[str | tuple[str, str]]:
        if self._change.second == "target":
            return [(name, TARGET) for name in self._names]
        if self._change.second:
            return list(zip(self._names, self._seconds, strict=True))
        return self._names

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """Every operation once on every name, all of one before the next begins."""
        del loops, sampled
        results = [driver.run(self.ops_per_loop) for driver in self._drivers]
        return Window(results[0].ops, sum(result.ns for result in results))

    def empty_loop_ns(self) -> float | None:
        """The driver's own cost, of all operations on a name together."""
        return sum(driver.empty_loop_ns(EMPTY_LOOPS) for driver in self._drivers) or None

    def close(self) -> None:
        """Check what the last window did, and leave nothing."""
        self._settle()
        self._work.remove()

    def _settle(self) -> None:
        drivers, self._drivers = self._drivers, []
        done = bool(drivers) and not any(driver.left for driver in drivers)
        for driver in drivers:
            driver.close()
        if not done:
            return
        change = self._change
        sides = [(self._names, change.stays)]
        sides += [(self._seconds, change.comes)] if change.second in ("same", "other") else []
        there = [name for names, stays in sides if stays for name in names]
        gone = [name for names, stays in sides if not stays for name in names]
        self._work.refuse_other(there, gone, change.looks)
        if there:
            self._do(change.undo, there)

    def _driver(self, op: str, items: Sequence[str | tuple[str, str]], threads: int) -> Driver:
        return Driver(op, self._context.root, items, threads=threads, once=True)

    def _do(self, op: str, names: Sequence[str]) -> None:
        with self._driver(op, names, 1) as driver:
            driver.run(driver.size)


class AttributeChanges(Driven):
    """Windows that set an attribute of the same files again and again, to another value each time.

    ``value(pass)`` is what the driver's op sets in a pass, ``seen(status)`` the same as lstat shows it.
    """

    def __init__(
        self,
        context: Context,
        op: str,
        value: Callable[[int], object],
        seen: Callable[[os.stat_result], object],
    ) -> None:
        self._work = WorkFolder(context, op)
        self._value, self._seen = value, seen
        self._names = self._work.paths("n", count(context))
        with Driver("mknod", context.root, self._names, once=True) as making:
            making.run(making.size)
        driver = Driver(op, context.root, self._names, threads=context.threads)
        self._begins = driver.cursors()
        super().__init__(driver, CHUNK)

    def before(self) -> None:
        """Look at a sample of what the last window set."""
        self._refuse_other(SAMPLE)

    def close(self) -> None:
        """Look at all files, and remove them."""
        self._refuse_other(len(self._names))
        super().close()
        self._work.remove()

    def _refuse_other(self, number: int) -> None:
        times = list(self._times())
        chosen = random.Random(sum(times)).sample(range(len(times)), min(number, len(times)))
        for index in chosen:
            if not times[index]:
                continue
            wanted = self._value(times[index] - 1)
            for side in self._work.sides:
                found = self._seen((side / self._names[index]).lstat())
                if found != wanted:
                    raise RuntimeError(f"{self._names[index]}: wanted {wanted}, found {found}")

    def _times(self) -> Iterator[int]:
        """How often each file was visited."""
        ends = [*self._begins[1:], len(self._names)]
        for begin, end, cursor, passes in zip(
            self._begins, ends, self._driver.cursors(), self._driver.passes(), strict=True
        ):
            yield from (passes + (index < cursor) for index in range(begin, end))


def lacks(context: Context) -> str:
    """One thread has all names to itself, whatever the variant."""
    if context.variant == EACH and context.threads == 1:
        return "one thread shares its directory with nobody: the row is the same as shared"
    return ""


TIMEOUTS = FOREVER
"""Long, so that a row holds the requests that change something, and those alone that they entail."""


@dataclass(frozen=True)
class Asked:
    """Requests of one operation: ``lasting`` while nothing runs out, ``at_once`` with timeouts of 0."""

    lasting: float
    at_once: float


def requests(
    context: Context, *exactly: Opcode, lookups: Asked, getattrs: Asked
) -> Mapping[Opcode, Bound]:
    """One request of each of ``exactly``, whatever the timeouts, and those about names and attributes.

    A change makes the attributes of its directory stale (fuse_dir_changed in fs/fuse/dir.c), so that
    the next one in it asks for them again, to check the right to write there. The first one of a
    window may find them fresh, or find a directory stale that only the window before changed.
    """
    fresh = 2 * context.threads / count(context)
    again = _asked(getattrs, context.attr_timeout, fresh)
    if context.threads > 1 and not context.variant.endswith(EACH):
        # Another thread's change may come between any two checks of an operation, as if nothing
        # were kept, and one answer may do for the checks of all threads.
        again = Bound(again.low / context.threads, getattrs.at_once * _expect.REPEATED_PREFIX)
    return {
        **dict.fromkeys(exactly, Bound(1, 1)),
        Opcode.LOOKUP: _asked(lookups, context.entry_timeout, 0.0),
        Opcode.GETATTR: again,
    }


def _asked(asked: Asked, timeout: float, fresh: float) -> Bound:
    least = max(asked.lasting - fresh, 0.0)
    if timeout >= FOREVER_S:
        return Bound(least, asked.lasting + (fresh if asked.lasting else 0.0))
    most = asked.at_once * _expect.REPEATED_PREFIX
    return Bound(least if timeout else asked.at_once, most)
