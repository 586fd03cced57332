"""What sequences are made of: steps underneath a mount and steps through it, drawn by a seed.

A step is plain values, so that it can be printed, left out and done again.
"""

from __future__ import annotations

import errno
import os
import random
import stat
from collections.abc import Callable
from dataclasses import dataclass

from tests.mount import operations as do
from tests.vm import calls

ROOT, OWNER, STRANGER = 0, 1001, 1002
BELOW, ABOVE = "underneath", "mount"

FILES: list[do.Path] = [(b"f",), (b"d", b"f"), (b"d", b"e", b"f"), (b"g",), (b"x",)]
FOLDERS: list[do.Path] = [(b"d",), (b"d", b"e"), (b"t",)]
OTHERS: list[do.Path] = [
    (b"s",),
    (b"n",),
    (b"d", b"n"),
    (b"t", b"n"),
    (b"t", b"f"),
    (b"d", b"e", b"n"),
]
MODES = [
    0o644,
    0o600,
    0o666,
    0o755,
    0o700,
    0o711,
    0o000,
    0o4755,
    0o2755,
    0o6755,
    0o2745,
    0o1777,
    0o777,
]
SIZES = [0, 1, 100, 4096, 10_000]
TIMES = [None, (1_000_000_007, 1_234_567_890_123_456_789)]
IDS = [-1, 0, 1001, 1002]
XATTRS = [b"user.a", b"user.b", b"trusted.a", b"security.capability", b"system.posix_acl_access"]


@dataclass(frozen=True)
class Step:
    """One call: where, by whom, what."""

    where: str
    user: int
    call: Callable[..., do.Result]
    arguments: tuple[object, ...]

    @property
    def makes(self) -> bool:
        """Whether an inode is made through the mount."""
        made = (do.make_node, do.make_directory, do.make_symlink)
        if self.call is do.open_file:
            return self.where == ABOVE and bool(int(str(self.arguments[2])) & os.O_CREAT)
        return self.where == ABOVE and self.call in made

    def __str__(self) -> str:
        words = ", ".join(_word(argument) for argument in self.arguments)
        who = {ROOT: "root", OWNER: "owner", STRANGER: "stranger"}[self.user]
        return f"{self.where:10} {who:8} {self.call.__name__}({words})"


def _word(argument: object) -> str:
    if isinstance(argument, tuple) and argument and isinstance(argument[0], bytes):
        return repr(b"/".join(argument).decode())
    if isinstance(argument, int) and not isinstance(argument, bool) and argument > 9:
        return oct(argument)
    if isinstance(argument, bytes) and len(argument) > 40:
        return f"<{len(argument)} bytes>"
    return repr(argument)


@do.umask(0)
def furnish(side: do.Side) -> None:
    """A small tree, made natively: files of the owner's, of root's, a link, a program."""
    os.mkdir(side.root, 0o777)  # noqa: PTH102
    for path in FOLDERS:
        do.make_directory(side, path, 0o777 if path == (b"t",) else 0o755)
        do.chown(side, path, OWNER, OWNER, False)
    for path in FILES:
        script = path == (b"x",)
        calls.write_whole(
            side, path, b"#!/bin/true\n" if script else b"0123456789" * 20, os.O_CREAT
        )
        do.chmod(side, path, 0o755 if script else 0o644)
        do.chown(side, path, ROOT if path == (b"g",) else OWNER, OWNER, False)
    do.make_symlink(side, b"f", (b"s",))


class Pen:
    """Draws steps; a few names come up again and again, so that steps meet."""

    def __init__(self, seed: str, names: bool) -> None:
        self.random = random.Random(seed)
        self.names = names
        pool = [*FILES, *FOLDERS]
        self.focus = self.random.sample(pool, 2)

    def path(self) -> do.Path:
        if self.random.random() < 0.7:
            return self.random.choice(self.focus)
        return self.random.choice([*FILES, *FOLDERS, *OTHERS])

    def one(self, of: list[object] | list[int]) -> object:
        return self.random.choice(of)

    def value(self, name: bytes) -> bytes:
        if name == b"security.capability":
            return calls.capability()
        if name == b"system.posix_acl_access":
            return calls.acl(STRANGER, self.random.choice([0, 4, 5, 7]))
        return self.random.choice([b"", b"1", b"x" * 300])

    def steps(self, count: int) -> list[Step]:
        """The first look attaches; then changes underneath and calls through the mount take turns."""
        made = [self.above(LOOKS)]
        while len(made) < count:
            for _ in range(self.random.randint(1, 2)):
                made.append(self.below())
            for _ in range(self.random.randint(1, 3)):
                made.append(self.above(self.random.choice([LOOKS, CALLS, CALLS])))
        return made[:count]

    def below(self) -> Step:
        changes = CHANGES + (RENAMES if self.names else [])
        call, arguments = self.random.choice(changes)
        return Step(BELOW, ROOT, call, arguments(self))

    def above(self, table: list[Entry]) -> Step:
        call, arguments = self.random.choice(table)
        user = self.random.choice([ROOT, OWNER, OWNER, STRANGER])
        return Step(ABOVE, user, call, arguments(self))


Entry = tuple[Callable[..., do.Result], Callable[[Pen], tuple[object, ...]]]


def _slot(pen: Pen) -> int:
    return pen.random.randint(0, 1)


def _xattr(pen: Pen) -> bytes:
    return pen.random.choice(XATTRS)


def _setxattr(pen: Pen) -> tuple[object, ...]:
    name = _xattr(pen)
    return (pen.path(), name, pen.value(name), 0, True)


def _new(pen: Pen) -> do.Path:
    return pen.random.choice(OTHERS[1:]) if pen.random.random() < 0.6 else pen.path()


def _flags(pen: Pen) -> int:
    access = pen.random.choice([os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
    return access | pen.random.choice(
        [0, 0, 0, os.O_APPEND, os.O_TRUNC, os.O_CREAT, os.O_DIRECTORY]
    )


# What changes an inode underneath; names apart, which a mount may know for their timeout.
CHANGES: list[Entry] = [
    (do.chmod, lambda pen: (pen.path(), pen.one(MODES))),
    (do.chmod, lambda pen: (pen.path(), pen.one(MODES))),
    (do.chown, lambda pen: (pen.path(), pen.one(IDS), pen.one(IDS), False)),
    (do.truncate, lambda pen: (pen.path(), pen.one(SIZES))),
    (calls.write_whole, lambda pen: (pen.path(), b"more", os.O_APPEND)),
    (do.set_xattr, _setxattr),
    (do.remove_xattr, lambda pen: (pen.path(), _xattr(pen), True)),
    (do.set_times, lambda pen: (pen.path(), pen.one(TIMES), False)),
    (calls.mark, lambda pen: (pen.path(), pen.one([0, calls.APPEND_ONLY, calls.IMMUTABLE]))),
]
RENAMES: list[Entry] = [
    (do.rename, lambda pen: (pen.path(), _new(pen), pen.one([0, 0, 2]))),
    (do.rename, lambda pen: (pen.path(), _new(pen), 0)),
    (do.rename, lambda pen: (_new(pen), pen.path(), 0)),
    (do.unlink, lambda pen: (pen.path(),)),
    (calls.exchange, lambda pen: (pen.path(), b"another")),
    (do.make_link, lambda pen: (pen.path(), _new(pen), False)),
    (do.make_directory, lambda pen: (_new(pen), 0o755)),
    (do.remove_directory, lambda pen: (pen.path(),)),
    (do.make_symlink, lambda pen: (b"f", _new(pen))),
    (calls.write_whole, lambda pen: (_new(pen), b"new", os.O_CREAT)),
]
LOOKS: list[Entry] = [
    (do.look, lambda pen: (pen.path(), True)),
    (do.look, lambda pen: (pen.path(), False)),
    (calls.look_closely, lambda pen: (pen.path(), pen.one([0, calls.FORCE_SYNC]))),
    (do.may, lambda pen: (pen.path(), pen.random.randint(0, 7))),
    (do.open_file, lambda pen: (_slot(pen), pen.path(), _flags(pen), 0o644)),
    (do.open_file, lambda pen: (_slot(pen), pen.path(), os.O_RDONLY, 0o644)),
    (calls.hold, lambda pen: (_slot(pen), pen.path())),
    (do.list_directory, lambda pen: (pen.path(),)),
    (calls.list_slowly, lambda pen: (pen.random.choice(FOLDERS),)),
    (calls.read_whole, lambda pen: (pen.path(),)),
]
CALLS: list[Entry] = [
    (do.chmod, lambda pen: (pen.path(), pen.one(MODES))),
    (do.chown, lambda pen: (pen.path(), pen.one(IDS), pen.one(IDS), True)),
    (do.truncate, lambda pen: (pen.path(), pen.one(SIZES))),
    (do.set_times, lambda pen: (pen.path(), pen.one(TIMES), True)),
    (do.set_xattr, _setxattr),
    (do.get_xattr, lambda pen: (pen.path(), _xattr(pen), True)),
    (do.list_xattrs, lambda pen: (pen.path(), True)),
    (do.remove_xattr, lambda pen: (pen.path(), _xattr(pen), True)),
    (do.make_link, lambda pen: (pen.path(), _new(pen), False)),
    (do.make_symlink, lambda pen: (b"f", _new(pen))),
    (do.make_directory, lambda pen: (_new(pen), 0o755)),
    (do.make_node, lambda pen: (_new(pen), stat.S_IFIFO | 0o666)),
    (do.unlink, lambda pen: (pen.path(),)),
    (do.remove_directory, lambda pen: (pen.path(),)),
    (do.rename, lambda pen: (pen.path(), _new(pen), pen.one([0, 0, 1, 2]))),
    (do.read_link, lambda pen: (pen.path(),)),
    (calls.read_whole, lambda pen: (pen.path(),)),
    (
        calls.write_whole,
        lambda pen: (pen.path(), b"WRITTEN", pen.one([0, os.O_APPEND, os.O_TRUNC])),
    ),
    (calls.figures, lambda pen: (pen.path(),)),
    (calls.execute, lambda _pen: ((b"x",),)),
    (do.chmod_open, lambda pen: (_slot(pen), pen.one(MODES))),
    (do.chown_open, lambda pen: (_slot(pen), pen.one(IDS), pen.one(IDS))),
    (do.truncate_open, lambda pen: (_slot(pen), pen.one(SIZES))),
    (do.set_times_open, lambda pen: (_slot(pen), pen.one(TIMES))),
    (do.set_xattr_open, lambda pen: (_slot(pen), b"user.a", b"open")),
    (do.look_open, lambda pen: (_slot(pen),)),
    (do.look_open, lambda pen: (_slot(pen),)),
    (do.read, lambda pen: (_slot(pen), 0, 100)),
    (do.write, lambda pen: (_slot(pen), pen.one([0, 50, 5000]), b"written")),
    (do.allocate, lambda pen: (_slot(pen), 0, 0, 5000)),
    (do.sync, lambda pen: (_slot(pen),)),
    (do.copy_range, lambda _pen: (0, 1, 50, (0, 10))),
    (do.close, lambda pen: (_slot(pen),)),
    (calls.look_closely_open, lambda pen: (_slot(pen), pen.one([0, calls.FORCE_SYNC]))),
    (calls.look_from, lambda pen: (_slot(pen), pen.one([b"f", b"e", b"n"]))),
    (calls.open_from, lambda pen: (_slot(pen), pen.one([b"f", b"e", b"n"]), os.O_RDONLY)),
    (calls.open_again, lambda pen: (_slot(pen), pen.one([os.O_RDONLY, os.O_RDWR]))),
    (calls.list_open, lambda pen: (_slot(pen),)),
]


def perform(side: do.Side, step: Step) -> do.Result:
    """What the step answers on one side: a value, or the name of an errno."""
    with do.acting_as(step.user, 0o022):
        try:
            return step.call(side, *step.arguments)
        except KeyError:
            return "nothing open"
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error.errno))
