"""Serves one mount with the mirror and the shim: the process behind `plain` and `passthrough`.

    python -m daemons._serve BACKING MOUNTPOINT [options]

Stays in the foreground, logs to stderr, and ends with one JSON line on stdout: requests by opcode,
the shim's figures, lookups given and taken back, memory and processor time. Exit codes: 0 unmounted
or told to end (SIGTERM, SIGINT, SIGHUP), 1 bug, 2 wrong arguments, 3 no FUSE here.
"""

from __future__ import annotations

import argparse
import errno
import gc
import json
import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.model import Exit, Level, Opcode, UserError
from bench.requests import counters
from daemons import _syscalls
from daemons._inodes import Inodes
from daemons._shim import Shim

FS_NAME = "fuse-passthrough-bench"
"""Source of every mount of ours in /proc/self/mountinfo; its type is fuse.<daemon>."""

NO_XATTRS = {"answer": 0, "enosys": errno.ENOSYS, "off": errno.ENOTSUP, "passthrough": 0}
"""What requests about extended attributes get: an answer, ENOSYS (the kernel remembers it and asks
no more), ENOTSUP (it asks again each time), an answer where the kernel does not pass them through."""

LONGEST_DELAY_NS = 1_000_000_000
"""DELAY_MAX_NS of delay.h."""

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, mount, serve, report. Returns the exit code."""
    options = _parse(arguments)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if options.debug else logging.INFO,
        format=f"{options.name}: %(message)s",
    )
    try:
        _check(options.backing, options.mountpoint)
        return _serve(options)
    except UserError as error:
        print(f"{options.name}: {error}", file=sys.stderr)
        return error.code


def preload() -> None:
    """Import what serving needs, in the order it needs it, for a process that will fork servers."""
    Shim()  # before pyfuse3, which resolves fuse_session_mount when it is imported
    import pyfuse3
    import trio

    from daemons import _mirror

    assert pyfuse3 and trio and _mirror


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    soft_limit = _raise_open_files()
    parser = _parser(soft_limit)
    options = parser.parse_args(arguments)
    if not 16 <= options.fd_cache < soft_limit:
        parser.error(f"--fd-cache: {options.fd_cache}, wanted 16 to {soft_limit - 1}")
    if options.attach == "files" and options.level is Level.LOOKUP:
        parser.error("--attach: files, wanted all: level lookup looks up in attached directories")
    return options


def _parser(soft_limit: int) -> argparse.ArgumentParser:
    """The options, with a cache of descriptors that fits the open-file limit."""
    parser = argparse.ArgumentParser(prog="daemons._serve", description=__doc__.splitlines()[0])
    parser.add_argument("backing", type=Path, help="directory to mirror")
    parser.add_argument("mountpoint", type=Path, help="empty directory to mount on")
    parser.add_argument(
        "--name", type=_name, default="plain", help="name in logs and in the mount's type"
    )
    _passing_through(parser)
    parser.add_argument("--attr-timeout", type=_seconds, default=0.0, metavar="S")
    parser.add_argument("--entry-timeout", type=_seconds, default=0.0, metavar="S")
    parser.add_argument("--xattr", choices=list(NO_XATTRS), default="answer")
    parser.add_argument("--counters", type=Path, metavar="FILE", help="count requests into FILE")
    parser.add_argument(
        "--delay",
        type=_delay,
        action="append",
        default=[],
        metavar="OPCODE=NS",
        help="hold requests back that long; repeatable (GETATTR=5000)",
    )
    parser.add_argument(
        "--fd-cache",
        type=int,
        # A scan in order over more inodes than this misses every time, so: as many as we may,
        # and a rest for what clients open.
        default=min(16384, soft_limit * 4 // 5),
        metavar="N",
        help="inodes kept open (default %(default)s, from the open-file limit)",
    )
    parser.add_argument("--allow-other", action="store_true", help="let other users in")
    parser.add_argument("--debug", action="store_true", help="log every request")
    return parser


def _passing_through(parser: argparse.ArgumentParser) -> None:
    """What of the backing the kernel is told to use itself."""
    parser.add_argument("--level", type=Level, choices=list(Level), default=Level.NONE)
    parser.add_argument("--no-readdir", action="store_true", help="no readdir passthrough")
    parser.add_argument(
        "--attach",
        choices=("files", "all"),
        default="all",
        help="inodes to attach: regular files, as the posted server does, or all",
    )


def _name(text: str) -> str:
    """What can go into mount options and JSON as it is."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise argparse.ArgumentTypeError(
            f"{text}, wanted at most 64 letters, digits, '-', '_' and '.'"
        )
    return text


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text}, wanted 0 to 1e9 seconds")
    return value


def _delay(text: str) -> tuple[Opcode, int]:
    name, _, number = text.partition("=")
    known = name in Opcode.__members__ and number.isdecimal()
    if not known or int(number) > LONGEST_DELAY_NS:
        raise argparse.ArgumentTypeError(
            f"{text}, wanted OPCODE=NANOSECONDS, e.g. GETATTR=5000, at most {LONGEST_DELAY_NS}"
        )
    return Opcode[name], int(number)


def _raise_open_files() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _check(backing: Path, mountpoint: Path) -> None:
    """Everything a person can get wrong, before anything is touched."""
    for what, path in (("backing", backing), ("mount point", mountpoint)):
        try:
            entries = any(os.scandir(path))
        except OSError as error:
            raise UserError(f"{what}: {path}: {error.strerror}") from None
        if what == "mount point" and entries:
            raise UserError(f"mount point: {path}: not empty, wanted an empty directory")
    if _syscalls.is_fuse(os.fsencode(backing)):
        raise UserError(f"backing: {backing}: is itself on FUSE, wanted a real file system")
    if mountpoint.resolve().is_relative_to(backing.resolve()):
        raise UserError(f"mount point: {mountpoint}: lies inside the backing {backing}")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise UserError("/dev/fuse: missing or not permitted: modprobe fuse, or run as root",
                        Exit.NOTHING)  # fmt: skip


def _serve(options: argparse.Namespace) -> int:
    """Mount and serve until unmounted or told to end."""
    if options.counters is None:
        options.counters = Path(f"/proc/self/fd/{os.memfd_create('counters')}")
    inodes = _inodes_behind_shim(options)
    os.umask(0)  # modes arrive with the caller's umask applied

    # Not before the shim is loaded: pyfuse3 resolves fuse_session_mount when it is imported.
    import pyfuse3
    import trio

    from daemons._mirror import Mirror

    mirror = Mirror(inodes, options.attr_timeout, options.entry_timeout, NO_XATTRS[options.xattr])
    # From before the mount until after the unmount no signal may end us but in _end_on_signal():
    # one that came in between would leave the mount behind, dead.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        pyfuse3.init(mirror, str(options.mountpoint), _mount_options(options))
    except RuntimeError as error:  # libfuse has printed why
        raise UserError(f"cannot mount on {options.mountpoint}: {error}") from None
    gc.freeze()  # nothing made so far will ever be garbage: keep it out of collections
    try:
        trio.run(_requests)
    finally:
        pyfuse3.close(unmount=True)  # whatever happened, no mount is left behind
    print(json.dumps(_figures(options, inodes)), flush=True)
    return Exit.MEASURED


def _inodes_behind_shim(options: argparse.Namespace) -> Inodes:
    """The inodes of the backing, and the shim told how to pass them through; raises UserError."""
    try:
        shim = Shim()
        inodes = Inodes(options.backing, options.fd_cache, shim.forgotten)
        shim.configure(
            options.level,
            not options.no_readdir,
            options.counters,
            inodes.fd_or_minus_one,
            files_only=options.attach == "files",
            xattrs=options.xattr == "passthrough",
        )
        for opcode, delay_ns in options.delay:
            shim.delay(opcode, delay_ns)
    except OSError as error:
        raise UserError(str(error)) from None
    return inodes


async def _requests() -> None:
    """Handle requests until the mount is gone or a signal ends it."""
    import pyfuse3
    import trio

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_signal)
        # One task: handlers never wait, so a second one would only hand over a lock.
        await pyfuse3.main(max_tasks=1)
        nursery.cancel_scope.cancel()


async def _end_on_signal() -> None:
    """Let signals end the session, and nothing else, while requests are handled."""
    import pyfuse3
    import trio

    with trio.open_signal_receiver(*ENDING) as signals:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        try:
            async for _number in signals:
                pyfuse3.terminate()
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def _mount_options(options: argparse.Namespace) -> set[str]:
    chosen = {"default_permissions", f"fsname={FS_NAME}", f"subtype={options.name}"}
    if options.allow_other:
        chosen.add("allow_other")
    if options.debug:
        chosen.add("debug")
    return chosen


def _figures(options: argparse.Namespace, inodes: Inodes) -> dict[str, object]:
    snapshot = counters.read(options.counters)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "daemon": options.name,
        "level": options.level.value,
        "requests": {opcode.name: count for opcode, count in snapshot.requests.items()},
        "extra": dict(snapshot.extra),
        "inodes": len(inodes),
        "lookups": inodes.lookups,
        "forgets": inodes.forgets,
        "reopened": inodes.reopened,
        "rss_kib": pages * resource.getpagesize() // 1024,
        "peak_rss_kib": usage.ru_maxrss,
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
    }


if __name__ == "__main__":
    sys.exit(main())
