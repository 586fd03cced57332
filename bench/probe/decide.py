"""From what was observed of a kernel to its passthrough level, and why it is no higher."""

from __future__ import annotations

import enum
import errno
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.machine import lab_switch
from bench.machine.userns import AS_ROOT, Standing
from bench.model import Exit, Level
from bench.probe import abi


class What(enum.StrEnum):
    """What was being done when it turned out that there is no FUSE mount."""

    DEVICE = "open /dev/fuse"
    NO_DEVICE = "look at /dev/fuse"
    SCRATCH = "mount of a scratch tmpfs"
    MOUNT = "mount"
    FUSERMOUNT = "fusermount3"


@dataclass(frozen=True)
class KernelAbility:
    """What the kernel gives, why not more, and what was seen on the way.

    ``readdir`` says whether directory listings can be passed through on top of ``level``.
    """

    level: Level
    readdir: bool
    reasons: tuple[str, ...]
    facts: Mapping[str, object] = field(default_factory=dict)
    usable: bool = True
    """False where not even a plain FUSE mount works; the reasons say what is missing."""
    standing: Standing = AS_ROOT
    """By whose leave was mounted."""
    xattrs: bool = False
    """Whether extended attributes of attached inodes can be passed through."""

    def as_json(self) -> dict[str, object]:
        """The ability as one JSON-ready object; ``kernel_level`` of run.json is its first part."""
        return {
            "level": self.level.value,
            "readdir": self.readdir,
            "xattrs": self.xattrs,
            "reasons": list(self.reasons),
            "usable": self.usable,
            "facts": dict(self.facts),
        }

    @property
    def exit_code(self) -> Exit:
        """NOTHING where no FUSE mount is possible, else MEASURED."""
        return Exit.MEASURED if self.usable else Exit.NOTHING


@dataclass(frozen=True)
class Observations:
    """What a kernel was seen to do. Each attempt is 0 for success, an errno, or None: not tried.

    ``backing`` is BACKING_OPEN of a regular file with ops_mask 0, ``rw_mask`` the same with READ
    and WRITE in the mask, ``readdir_mask`` a directory with READDIR. ``getattr_mask`` and
    ``setattr_mask`` are regular files on a second connection, with bit 43 set where offered;
    ``lookup_mask`` is a directory with LOOKUP there (experimental, kernel/patches/0006),
    ``xattr_mask`` a regular file with GETATTR and all four operations on extended attributes.
    ``read_stays``, ``getattr_stays``, ``readdir_stays`` and ``xattr_stays`` are behaviour: the request did
    not reach the server (None: not tried). ``getattr_stays`` is by the interface that was tried.
    ``control`` is that without any of it the requests did arrive, or nothing would be proven.
    """

    mount_error: int | None = None
    mount_what: str = ""
    mount_said: str = ""
    """What fusermount3 said, and why it had to be asked."""
    mode_allows: bool = False
    """Whether the mode of /dev/fuse would let this user open it."""
    minor: int = 0
    offered: int = 0
    backing: int | None = None
    rw_mask: int | None = None
    readdir_mask: int | None = None
    getattr_mask: int | None = None
    setattr_mask: int | None = None
    lookup_mask: int | None = None
    xattr_mask: int | None = None
    control: bool | None = None
    read_stays: bool | None = None
    getattr_stays: Mapping[Level, bool] = field(default_factory=dict)
    readdir_stays: bool | None = None
    xattr_stays: bool | None = None
    lab_switch: str = ""
    """The variant the lab kernel plays (module parameter iops); empty on any other kernel."""


@dataclass(frozen=True)
class Decision:
    """A level, whether readdir comes on top, and the reasons in words."""

    level: Level
    readdir: bool
    reasons: tuple[str, ...]
    usable: bool = True
    xattrs: bool = False


OUT_OF_TREE = (
    "a kernel with inode-operations passthrough raises it: no release has it, it exists as "
    "posted series only; build the lab kernel of this repository (kernel/)"
)


def _what_raises(seen: Observations) -> str:
    if not seen.lab_switch:
        return OUT_OF_TREE
    return (
        f"the lab kernel is switched to {seen.lab_switch}: echo attach-lookup > {lab_switch.SWITCH}"
    )


def proves_ops_mask(seen: Observations) -> bool:
    """Whether the kernel reads ops_mask: mainline refuses any value but 0 there with EINVAL.

    Only after this may bit 43 be taken for FUSE_PASSTHROUGH_INO: protocol 7.46 (Linux 7.3) gives
    the bit to FUSE_HAS_IO_URING_BUFPOOL, and setting it there would ask for something else.
    """
    return seen.backing == 0 and seen.rw_mask == 0


def decide(seen: Observations) -> Decision:
    """The table of ABI section 4, then the behaviour. Pure: nothing here touches the machine."""
    if seen.mount_error is not None:
        reason = why_no_mount(seen)
        return Decision(Level.NONE, False, (reason,), usable=False)
    if not seen.offered & abi.FUSE_PASSTHROUGH:
        return Decision(Level.NONE, False, (_not_offered(seen.minor),))
    if seen.backing != 0:
        return Decision(Level.NONE, False, (why_no_backing(seen.backing),))
    if seen.control is False:
        reason = (
            "the control failed: without passthrough, requests did not reach the probe's server "
            "either, so nothing can be proven; report this kernel"
        )
        return Decision(Level.NONE, False, (reason,))
    if seen.read_stays is False:
        reason = "the kernel took a backing file, yet READ still reached the server"
        return Decision(Level.NONE, False, (reason,))
    return _above_rw(seen)


def _above_rw(seen: Observations) -> Decision:
    if not proves_ops_mask(seen):
        reason = (
            "read/write passthrough works (mainline): getattr and readdir are not passed "
            f"through, BACKING_OPEN refuses ops_mask with {errno_name(seen.rw_mask)}"
        )
        reasons = [reason]
        if seen.offered & abi.BIT_43:
            reasons.append(
                "INIT bit 43 is offered, but without ops_mask it is not FUSE_PASSTHROUGH_INO; "
                "protocol 7.46 uses it for FUSE_HAS_IO_URING_BUFPOOL"
            )
        return Decision(Level.RW, False, (*reasons, _what_raises(seen)))
    readdir, why_readdir = _readdir(seen)
    level, why_level = _attach(seen)
    xattrs, why_xattrs = _xattrs(seen)
    return Decision(level, readdir, (*why_level, *why_readdir, *why_xattrs), xattrs=xattrs)


def _attach(seen: Observations) -> tuple[Level, list[str]]:
    if seen.getattr_mask != 0:
        return Level.RW, [
            "BACKING_OPEN takes ops_mask but refuses GETATTR in it with "
            f"{errno_name(seen.getattr_mask)}: getattr is not passed through",
            _what_raises(seen),
        ]
    if seen.getattr_stays.get(Level.ATTACH_LOOKUP) and seen.setattr_mask == 0:
        reason = "backing ids are taken in LOOKUP replies; a second stat sent no GETATTR (proven)"
        if seen.lookup_mask == 0:
            experiment = "LOOKUP is taken in the ops_mask of a directory (experimental)"
            return Level.LOOKUP, [reason, experiment]
        return Level.ATTACH_LOOKUP, [reason]
    if seen.getattr_stays.get(Level.ATTACH_GETATTR):
        reasons = ["backing ids are taken in GETATTR replies; a second stat sent none (proven)"]
        if seen.setattr_mask == 0:
            reasons.append("LOOKUP replies with a backing id were refused or changed nothing")
        else:
            raises = _what_raises(seen) if seen.lab_switch else "a kernel with the 2026 series"
            reasons.append(
                "attach-lookup needs SETATTR in ops_mask, which is refused with "
                f"{errno_name(seen.setattr_mask)}; what raises it: {raises}"
            )
        return Level.ATTACH_GETATTR, reasons
    return Level.RW, [
        "BACKING_OPEN takes GETATTR in ops_mask, but a second stat still sent GETATTR to the "
        "server by every interface known here: not counted as passed through"
    ]


def _readdir(seen: Observations) -> tuple[bool, list[str]]:
    if seen.readdir_mask != 0:
        return False, [
            f"readdir is not passed through: READDIR in ops_mask gives {errno_name(seen.readdir_mask)}"
        ]
    if not seen.readdir_stays:
        return False, ["READDIR in ops_mask is taken, but listing still sent READDIR"]
    return True, ["readdir of a directory opened with a backing id sent no READDIR (proven)"]


def _xattrs(seen: Observations) -> tuple[bool, list[str]]:
    """Off unless asked for, and in no posted series: no reason is given where the bits are unknown."""
    if seen.xattr_mask != 0:
        return False, []
    if not seen.xattr_stays:
        return False, ["GETXATTR in ops_mask is taken, but reading attributes still sent requests"]
    return True, [
        "extended attributes of an attached inode sent no GETXATTR, no LISTXATTR (proven)"
    ]


def why_no_mount(seen: Observations) -> str:
    """Why no FUSE mount is possible at all, and what supplies what is missing."""
    error, what = seen.mount_error or errno.EIO, seen.mount_what
    said = f": {seen.mount_said}" if seen.mount_said else ""
    known = _of_this(seen) or _SUPPLIES.get(error, "unexpected; check dmesg")
    return f"cannot mount FUSE ({what}: {errno_name(error)}{said}): {known}"


def _of_this(seen: Observations) -> str:
    """What supplies what is missing, where what was tried tells more than the errno."""
    error = seen.mount_error
    if seen.mount_what == What.DEVICE and error == errno.EACCES and seen.mode_allows:
        return (
            "its mode would let this user in, a security module (SELinux, AppArmor) does not: "
            "see dmesg or the audit log"
        )
    if seen.mount_what == What.DEVICE and error == errno.EPERM:
        return "the container's device rules forbid it: pass the device in (--device /dev/fuse)"
    if seen.mount_what == What.NO_DEVICE:
        return (
            "what lies there is no FUSE device: mknod /dev/fuse c 10 229, or in a container pass "
            "the device in (--device /dev/fuse)"
        )
    if seen.mount_what == What.FUSERMOUNT and error == errno.ENOENT:
        return "it is not installed (apt install fuse3): install it, or run as root"
    if seen.mount_what == What.FUSERMOUNT:
        return "it may not mount either: run as root (in a container --privileged)"
    return ""


_SUPPLIES = {
    errno.ENOENT: "no /dev/fuse: load the module (modprobe fuse) or build the kernel with "
    "CONFIG_FUSE_FS; in a container, pass the device in (--device /dev/fuse)",
    errno.ENODEV: "the kernel knows no file system fuse: modprobe fuse, or CONFIG_FUSE_FS",
    errno.ENXIO: "/dev/fuse has no driver behind it: modprobe fuse, or CONFIG_FUSE_FS",
    errno.EPERM: "no privilege to mount: run as root with CAP_SYS_ADMIN in the initial user "
    "namespace (sudo; in a container --privileged)",
    errno.EACCES: "no permission to open /dev/fuse: run as root, or chmod 666 /dev/fuse",
    errno.ENOSYS: "no fsopen system call: Linux 5.2 or newer is needed, and a container must "
    "not filter it",
}


def why_no_backing(error: int | None) -> str:
    """Why no backing file can be registered although INIT offers passthrough."""
    supplies = {
        errno.EPERM: "registering backing files needs CAP_SYS_ADMIN in the initial user "
        "namespace: run as root outside of user namespaces",
        errno.EOPNOTSUPP: "the kernel is built without CONFIG_FUSE_PASSTHROUGH: one with it "
        "raises it",
        errno.ENOTTY: "the kernel has no such ioctl: Linux 6.9 or newer raises it",
        errno.ELOOP: "the backing file system is itself stacked too deep",
    }
    known = supplies.get(error or 0, "unexpected; check dmesg")
    return f"no passthrough: BACKING_OPEN gives {errno_name(error)}: {known}"


def _not_offered(minor: int) -> str:
    # include/uapi/linux/fuse.h: 7.40 adds FUSE_PASSTHROUGH (Linux 6.9).
    if minor < 40:
        return (
            f"no passthrough: the kernel speaks FUSE 7.{minor}, passthrough came with 7.40; "
            "Linux 6.9 or newer raises it"
        )
    return (
        f"no passthrough: INIT (7.{minor}) does not offer FUSE_PASSTHROUGH, so the kernel is "
        "built without CONFIG_FUSE_PASSTHROUGH; one with it raises it"
    )


def errno_name(error: int | None) -> str:
    if error is None:
        return "nothing (not tried)"
    return errno.errorcode.get(error, f"errno {error}")
