"""The axes of targets, one record each: the ways in which a run can have a server serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.axes import delay, readers
from bench.axes.axis import Axis, TargetAxis
from bench.model import Attach, Daemon, Delay, Level, ReaddirMode, Serving, XattrWay

UNTHREADED = "neither its threads nor clone_fd can be chosen: it is run as it is"


def _modes(
    daemon: Daemon, asked: tuple[ReaddirMode, ...]
) -> tuple[Sequence[ReaddirMode], Sequence[str]]:
    """The default is as good as nothing asked: each its usual one."""
    if asked == MODE.default:
        asked = (asked[0] if asked[0] in daemon.modes else daemon.modes[0],)
    lost = [f"{daemon.modes_why}: no mode {mode}" for mode in asked if mode not in daemon.modes]
    return [mode for mode in asked if mode in daemon.modes], lost


def _delays(daemon: Daemon, asked: tuple[Delay, ...]) -> tuple[Sequence[Delay], Sequence[str]]:
    """Each is one more target beside the one that holds nothing back."""
    return ((), *asked) if daemon.has_counters else ((),), ()


def _xattr_ways(
    daemon: Daemon, asked: tuple[XattrWay, ...]
) -> tuple[Sequence[XattrWay], Sequence[str]]:
    """Who passes nothing through answers instead, and is the baseline."""
    if not daemon.has_counters:
        return (XattrWay.ANSWER,), ()
    attaches = Level.ATTACH_GETATTR in daemon.levels
    able = [way if attaches or way.has_any is False else XattrWay.ANSWER for way in asked]
    return tuple(dict.fromkeys(able)), ()


LEVEL: Axis[Level] = Axis(
    name="levels",
    column="level",
    option="--level",
    group="what to measure",
    about="highest passthrough level to use; repeated, each is a target (default: attach-lookup)",
    words=tuple(Level),
    read=readers.word_of(Level),
    default=(Level.ATTACH_LOOKUP,),
    write=str,
)
"""A field of Target: which levels there are depends on the daemon and on the kernel."""
READDIR: Axis[bool] = Axis(
    name="readdir",
    column="readdir",
    group="what to measure",
    about="readdir passthrough, without it, or both (default: on)",
    read=readers.switch({**readers.SWITCH, "both": (True, False)}),
    words=tuple(readers.SWITCH),
    default=(True,),
)
"""A field of Target: it depends on the level."""
MODE: TargetAxis[ReaddirMode] = TargetAxis(
    name="modes",
    column="readdir_mode",
    option="--readdir-mode",
    about="readdirplus, readdir or auto: listing requests of the server (default: readdirplus)",
    metavar="MODE[,MODE]",
    read=readers.word_of(ReaddirMode),
    default=(ReaddirMode.READDIRPLUS,),
    field="mode",
    none=ReaddirMode.READDIRPLUS,
    has=lambda daemon: bool(daemon.modes),
    offers=_modes,
    said=str,
    named=lambda daemon, mode: str(mode) if daemon.modes and mode is not daemon.modes[0] else "",
    write=str,
    recorded=lambda daemon, mode: daemon.mode(Serving(mode)),
)
SERVER_THREADS: TargetAxis[int] = TargetAxis(
    name="server_threads",
    column="server_threads",
    about="threads the server answers with, 0: one per CPU it has (default: 0)",
    metavar="N[,N]",
    read=readers.number_or_0,
    default=(0,),
    field="threads",
    none=0,
    has=lambda daemon: daemon.threaded,
    why_none=UNTHREADED,
    said=lambda threads: f"{threads}-threads" if threads else "",
)
CLONE_FD: TargetAxis[bool] = TargetAxis(
    name="clone_fd",
    column="clone_fd",
    about="a /dev/fuse descriptor for each of them (default: off)",
    read=readers.switch(readers.SWITCH),
    words=tuple(readers.SWITCH),
    default=(False,),
    field="clone_fd",
    none=False,
    has=lambda daemon: daemon.threaded,
    why_none=UNTHREADED,
    said=lambda clone_fd: "clone-fd" if clone_fd else "",
)
DELAY: TargetAxis[Delay] = TargetAxis(
    name="delays",
    column="delay_ns",
    option="--delay",
    group="how",
    about="one more target for each of our servers, which holds these requests back so long "
    "(GETATTR=5us, or several: LOOKUP=1ms+GETATTR=1ms): a known cost, to see whether it is found",
    metavar="OPCODE=TIME[,OPCODE=TIME]",
    read=lambda value: (delay.parse(readers.text(value)),),
    default=(),
    field="delay",
    none=(),
    has=lambda daemon: daemon.has_counters,
    offers=_delays,
    said=lambda held: ":".join(delay.words(held)),
    write=delay.written,
    recorded=lambda _daemon, held: {opcode.name: ns for opcode, ns in held},
)

XATTR: TargetAxis[XattrWay] = TargetAxis(
    name="xattrs",
    column="xattr",
    option="--xattr",
    about="answer, enosys (the kernel remembers it), off, or passthrough (where the kernel can): what our "
    "servers do with requests about extended attributes (default: answer)",
    metavar="WAY[,WAY]",
    read=readers.word_of(XattrWay),
    default=(XattrWay.ANSWER,),
    field="xattr",
    none=XattrWay.ANSWER,
    has=lambda daemon: daemon.has_counters,
    offers=_xattr_ways,
    said=lambda way: "" if way == XattrWay.ANSWER else f"xattr-{way}",
    write=str,
)

ATTACH: TargetAxis[Attach] = TargetAxis(
    name="attach",
    column="attach",
    about="all, or files: which inodes our servers attach; the server posted in 2026 attaches regular "
    "files alone, and so lists by itself (default: all)",
    metavar="WHAT[,WHAT]",
    read=readers.word_of(Attach),
    default=(Attach.ALL,),
    field="attach",
    none=Attach.ALL,
    has=lambda daemon: daemon.has_counters and Level.ATTACH_GETATTR in daemon.levels,
    said=lambda what: "" if what == Attach.ALL else str(what),
    write=str,
)

SERVING: tuple[TargetAxis[Any], ...] = (MODE, SERVER_THREADS, CLONE_FD, XATTR, ATTACH, DELAY)
"""In the order of names and targets."""
AXES: tuple[Axis[Any], ...] = (LEVEL, READDIR, *SERVING)
