"""The few ways a workload's window works: driven loops, scans, pairs of steps, walks, real programs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.model import Context, Window
from workloads._native import opdriver
from workloads._native.opdriver import Driver, Result

CHUNK = 50
"""Operations in one loop of a storm: a window can be cut this finely."""
EMPTY_LOOPS = 200_000
"""Operations the empty loop is measured over: about a millisecond."""


class PlainBody:
    """What most bodies leave out."""

    most_windows: int | None = None

    def warm(self) -> None:
        """Nothing to touch."""

    def before(self) -> None:
        """Nothing ahead of a window."""

    def paced(self, loops: int, rate: float) -> Window | None:
        """No single operations that could be begun when they are due."""
        del loops, rate
        return None

    def empty_loop_ns(self) -> float | None:
        """No loop worth naming."""
        return None

    def close(self) -> None:
        """Nothing stays open."""


class Driven(PlainBody):
    """Windows of one native driver, ``ops_per_loop`` visits a loop."""

    def __init__(self, driver: Driver, ops_per_loop: int) -> None:
        self._driver = driver
        self.ops_per_loop = ops_per_loop

    def warm(self) -> None:
        """Visit everything once."""
        self._driver.run(self._driver.size)

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """The next visits, going round for ever unless the driver was told to visit each once."""
        return as_window(self._driver.run(loops * self.ops_per_loop, histogram=sampled))

    def paced(self, loops: int, rate: float) -> Window | None:
        """The next visits, each begun when it is due."""
        return as_window(self._driver.run(loops * self.ops_per_loop, rate=rate))

    def empty_loop_ns(self) -> float | None:
        """The driver's own cost."""
        return self._driver.empty_loop_ns(EMPTY_LOOPS)

    def close(self) -> None:
        """Close the driver."""
        self._driver.close()


def storm(context: Context, op: str, names: Sequence[str], *, sync: str = "as-stat") -> Driven:
    """The usual warm body: one driver that goes round ``names`` in random order, with all threads."""
    driver = Driver(
        op,
        context.root,
        names,
        threads=context.threads,
        sync=sync,
        order="random",
        seed=context.seed,
    )
    return Driven(driver, CHUNK)


class Scans(Driven):
    """Goes round a fixed set of directories; an operation is one entry, a loop is all of them."""

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """All directories, ``loops`` times."""
        result = self._driver.run(loops * self._driver.size, histogram=sampled)
        return Window(result.entries, result.ns, result.histogram)


class Listings(Driven):
    """Windows that list ``directories`` of ``entries`` entries each; an operation is one entry.

    ``windows`` is how many there are where each needs directories of its own (None: any number).
    ``share`` per cent of the entries are stat'ed, which is checked.
    """

    def __init__(
        self, driver: Driver, directories: int, entries: int, windows: int | None, share: int = 0
    ) -> None:
        super().__init__(driver, directories * entries)
        self._directories, self._share = directories, share
        self.most_windows = windows

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """The next directories; raises RuntimeError where another share of them was stat'ed."""
        result = self._driver.run(loops * self._directories, histogram=sampled)
        wanted = result.entries * self._share / 100
        if abs(result.stats - wanted) > max(1, self._directories * loops):
            raise RuntimeError(
                f"stat'ed {result.stats} of {result.entries} entries, not {wanted:g}"
            )
        return Window(result.entries, result.ns, result.histogram)


@dataclass(frozen=True)
class Ready:
    """One pass of a driver whose directories are open, for one time."""

    driver: Driver
    window_of: Callable[[Result], Window]

    def run(self) -> Window:
        """Everything once."""
        with self.driver:
            return self.window_of(self.driver.run(self.driver.size))


class Pairs(PlainBody):
    """Ahead of every window one thing is done, then another is timed, each on names of its own.

    The driver of the second is laid out ahead of the window, too, but after the first: it opens
    directories, which asks the server and is no part of what is counted and timed.
    """

    def __init__(
        self, steps: Sequence[tuple[Callable[[], Ready], Callable[[], Ready]]], ops: int
    ) -> None:
        self._steps = list(steps)
        self._ready: Ready | None = None
        self.ops_per_loop = ops

    def before(self) -> None:
        """The first half of the next pair."""
        first, second = self._steps.pop(0)
        first().run()
        self._ready = second()

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """The second half; raises ValueError where nothing was done before it."""
        del loops, sampled
        if self._ready is None:
            raise ValueError("a pair's second half without its first")
        return self._ready.run()


class Walk(PlainBody):
    """One recursive walk over the whole tree by the native walker; an operation is one entry."""

    def __init__(self, context: Context, *, stat: bool, entries: int) -> None:
        self._root, self._stat = context.root / "tree", stat
        self.ops_per_loop = entries

    def warm(self) -> None:
        """Walk twice.

        A directory's first listing makes the attributes stale that its LOOKUP brought; the GETATTR of
        the second walk is the first it gets, and what attaches it at attach-getattr.
        """
        self.window(1)
        self.window(1)

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """Walk; the number of entries found is checked by the caller."""
        del loops, sampled
        result = opdriver.walk(self._root, stat=self._stat)
        return Window(result.entries, result.ns)


class Program(PlainBody):
    """A real program, started and waited for; an operation is one run, its output goes to /dev/null."""

    ops_per_loop = 1

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._argv = list(argv)
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            **(environment or {}),
        }

    def warm(self) -> None:
        """Run twice, as a walk is walked twice."""
        self.window(2)

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """Run ``loops`` times; an exit status other than 0 is an error."""
        del sampled
        silence = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
        began = time.monotonic_ns()
        for _ in range(loops):
            pid = os.posix_spawnp(
                self._argv[0], self._argv, self._environment, file_actions=silence
            )
            _, status = os.waitpid(pid, 0)
            if status:
                code = os.waitstatus_to_exitcode(status)
                raise RuntimeError(
                    f"{' '.join(self._argv[:2])} ended with {code}; its words are in the log"
                )
        return Window(loops, time.monotonic_ns() - began)


def as_window(result: Result) -> Window:
    """A driver's result as a window."""
    return Window(result.ops, result.ns, result.histogram)
