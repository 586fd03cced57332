"""What the kernel answers by itself when our servers register backing files: one claim for all."""

from __future__ import annotations

from bench.model import Cache, DaemonOptions, Level, Opcode, XattrWay

LEVELS = tuple(Level)
"""The levels the shim speaks, lowest first."""

_DATA = frozenset({Opcode.READ, Opcode.WRITE})
_XATTRS = frozenset({Opcode.GETXATTR, Opcode.LISTXATTR, Opcode.SETXATTR, Opcode.REMOVEXATTR})
_LISTING = frozenset({Opcode.READDIR, Opcode.READDIRPLUS})


def claims(options: DaemonOptions, cache: Cache) -> frozenset[Opcode]:
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
    if options.level is Level.LOOKUP and options.readdir:
        claimed |= {Opcode.OPENDIR, Opcode.RELEASEDIR}
    # An OPENDIR that goes to the server introduces the directory to it, by a LOOKUP, once.
    if options.level is Level.LOOKUP and (options.readdir or cache is Cache.WARM):
        claimed |= {Opcode.LOOKUP}
    if options.level.rank >= Level.ATTACH_GETATTR.rank and options.readdir:
        claimed |= _LISTING
    # What READDIRPLUS alone has brought is not attached, nor is what nobody asked attributes of.
    every = options.level.rank >= Level.ATTACH_LOOKUP.rank and options.readdir
    if every and options.serving.xattr is XattrWay.PASSTHROUGH:
        claimed |= _XATTRS
    return claimed
