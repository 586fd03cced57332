"""The mirror of `plain` with the shim told to ask for passthrough: same code, one switch."""

from __future__ import annotations

from pathlib import Path

from bench.model import Cache, Daemon, DaemonOptions, Level, Opcode
from daemons._command import command

_DATA = frozenset({Opcode.READ, Opcode.WRITE})
_LISTING = frozenset({Opcode.READDIR, Opcode.READDIRPLUS})


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    return command("passthrough", backing, mountpoint, options, options.level)


def _claims(options: DaemonOptions, cache: Cache) -> frozenset[Opcode]:
    """What must not arrive: data of regular files opened through the mount, attached inodes' ops.

    At attach-getattr the first GETATTR of every inode is what attaches it, at the levels above that
    of the root (which is never looked up): so only a warm window is free of them.
    """
    claimed = frozenset[Opcode]()
    if options.level.rank >= Level.RW.rank:
        claimed |= _DATA
    if options.level.rank >= Level.ATTACH_GETATTR.rank and cache is Cache.WARM:
        claimed |= {Opcode.GETATTR}
    if options.level.rank >= Level.ATTACH_LOOKUP.rank:
        claimed |= {Opcode.SETATTR}
    if options.level is Level.LOOKUP:
        claimed |= {Opcode.LOOKUP}
    if options.level.rank >= Level.ATTACH_GETATTR.rank and options.readdir:
        claimed |= _LISTING
    return claimed


DAEMON = Daemon(
    name="passthrough",
    summary="the same mirror, registering backing files with the kernel",
    argv=_argv,
    levels=tuple(Level),
    claims=_claims,
    has_counters=True,
    companions=("native", "plain"),
)
