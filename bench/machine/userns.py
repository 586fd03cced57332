"""What an ordinary user is given instead of root: a user namespace of this process's own, or fusermount3.

In a user namespace this process is root over what it makes itself: mounts of FUSE, tmpfs and overlayfs
(user_namespaces(7)). Of the machine it gets nothing: no tracepoint, no backing file to register, no knob.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import os
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000  # include/uapi/linux/sched.h
WHOLE = ["0", "0", "4294967295"]
"""/proc/self/uid_map of the machine's own user namespace."""

_libc = ctypes.CDLL(None, use_errno=True)


class Mounter(enum.StrEnum):
    """By whose leave a run mounts."""

    ROOT = "root"
    NAMESPACE = "user namespace"
    FUSERMOUNT = "fusermount3"


@dataclass(frozen=True)
class Standing:
    """How this process mounts, and, where fusermount3 has to do it, why there is no namespace."""

    mounter: Mounter = Mounter.ROOT
    why: str = ""


AS_ROOT = Standing()


def gain() -> Standing:
    """Have a mount namespace of one's own, as root or in a user namespace, and say how.

    Where both are refused nothing is changed.
    """
    try:
        _unshare(CLONE_NEWNS)
    except OSError:
        why = refused()
        if why:
            return Standing(Mounter.FUSERMOUNT, why)
        enter()
        return Standing(Mounter.NAMESPACE)
    return Standing(Mounter.ROOT if initial() else Mounter.NAMESPACE)


def refused() -> str:
    """Why no user namespace can be had here, empty when one can.

    Tried in a child: who has been let in and may not map its numbers then is nobody, for good.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(writing, _tried().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(pid, 0)
    return text.removeprefix("+") if text else "the child that tried it died"


def _tried() -> str:
    """In the child: ``+``, and the reason behind it."""
    try:
        enter()
        if _libc.mount(b"none", b"/", b"tmpfs", 0, None) != 0:
            raise _error("a mount in it")
    except OSError as error:
        return f"+{error.strerror}; {_meaning(error.errno or 0)}"
    return "+"


def enter() -> None:
    """Move this process, which must have one thread, into a user and a mount namespace, as root there.

    Not by way of unshare(1): what the process has parsed and locked by now it would have to do again.
    Raises OSError.
    """
    uid, gid = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER | CLONE_NEWNS)
    # Without this nobody but root may map a group: its members could shed what the group is denied.
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        try:
            Path("/proc/self", name).write_text(text)
        except OSError as error:
            raise OSError(error.errno, f"{name}: {error.strerror}") from error


def initial() -> bool:
    """Whether this is the machine's own user namespace, where root is root."""
    return _map()[:1] in ([], [WHOLE])


def outside(uid: int) -> int:
    """The number a user of this namespace has outside of it."""
    for inner, outer, count in (map(int, line) for line in _map()):
        if inner <= uid < inner + count:
            return outer + uid - inner
    return uid


def _map() -> list[list[str]]:
    """Lines of /proc/self/uid_map; none on a kernel without user namespaces."""
    try:
        return [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return []


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        raise _error("unshare")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def _meaning(number: int) -> str:
    """What keeps user namespaces from being had."""
    return {
        errno.ENOSPC: "user.max_user_namespaces is 0, or all of them are in use",
        errno.EPERM: "kernel.unprivileged_userns_clone is 0, or a container's filter or a security module "
        "forbids it",
        errno.EACCES: "a security module (SELinux, AppArmor) forbids it",
        errno.EINVAL: "the kernel has none (CONFIG_USER_NS)",
    }.get(number, "see dmesg")
