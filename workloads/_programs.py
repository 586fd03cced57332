"""Real programs that change something, which is put back ahead of every window."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.model import Cache, Context, Window
from workloads._bodies import Program


class Restored(Program):
    """A program whose work is undone ahead of a window: what it makes is removed (``leaves``, patterns
    below the target's root), or, of a program that removes, made anew as a copy of ``made_of``.

    A cold window must not find what putting back left in the kernel: it is done in the backing, where
    there is one, on a mount that has not looked yet. A warm mount is told by doing it there.
    """

    def __init__(
        self, context: Context, argv: Sequence[str], leaves: Sequence[str], made_of: str = ""
    ) -> None:
        super().__init__(argv)
        cold = context.cache is not Cache.WARM and context.backing is not None
        self._root = context.root
        self._side = context.backing if cold and context.backing else context.root
        self._leaves, self._made_of = leaves, made_of
        self.before()

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """Run; from then on the mount knows what it made, and has to be told when that goes."""
        result = super().window(loops, sampled=sampled)
        self._side = self._root
        return result

    def warm(self) -> None:
        """Run once, undo it."""
        self.window(1)
        self.before()

    def before(self) -> None:
        """Put back what the last run changed."""
        for pattern in self._leaves:
            for path in sorted(self._side.glob(pattern)):
                _remove(path)
            if self._made_of:
                shutil.copytree(self._side / self._made_of, self._side / pattern)

    def close(self) -> None:
        """Leave nothing behind."""
        for pattern in self._leaves:
            for path in sorted(self._side.glob(pattern)):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
