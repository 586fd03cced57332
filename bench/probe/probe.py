"""What this kernel passes through, found by trying: `bench probe`.

Three parts: ``observe`` talks to the kernel and only records; ``decide`` is a pure function from
such a record to a level with reasons, so that kernels nobody can boot here are decided in unit
tests; ``probe`` joins them. Versions decide nothing, and neither does an INIT flag: an operation
counts as passed through when its request was seen not to arrive (ABI notes, sections 1 and 4).
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import child, lab_switch, syscalls
from bench.model import Exit, Level, Opcode, UserError
from bench.probe import abi
from bench.probe.raw_server import DEVICE, RawOptions, RawServer

PROBE_LIMIT_S = 120.0
ENABLE_URING = Path("/sys/module/fuse/parameters/enable_uring")
_NAMES = ("one", "two", "three")
_CONTENT = b"seen through the backing file"


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

    def as_json(self) -> dict[str, object]:
        """The same as one JSON-ready object; ``kernel_level`` of run.json is its first part."""
        return {
            "level": self.level.value,
            "readdir": self.readdir,
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
    ``lookup_mask`` is a directory with LOOKUP there (experimental, kernel/patches/0006).
    ``read_stays``, ``getattr_stays`` and ``readdir_stays`` are behaviour: the request did not
    reach the server (None: not tried). ``getattr_stays`` is by the interface that was tried.
    ``control`` is that without any of it the requests did arrive, or nothing would be proven.
    """

    mount_error: int | None = None
    mount_what: str = ""
    minor: int = 0
    offered: int = 0
    backing: int | None = None
    rw_mask: int | None = None
    readdir_mask: int | None = None
    getattr_mask: int | None = None
    setattr_mask: int | None = None
    lookup_mask: int | None = None
    control: bool | None = None
    read_stays: bool | None = None
    getattr_stays: Mapping[Level, bool] = field(default_factory=dict)
    readdir_stays: bool | None = None
    lab_switch: str = ""
    """The variant the lab kernel plays (module parameter iops); empty on any other kernel."""


@dataclass(frozen=True)
class Decision:
    """A level, whether readdir comes on top, and the reasons in words."""

    level: Level
    readdir: bool
    reasons: tuple[str, ...]
    usable: bool = True


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
        reason = why_no_mount(seen.mount_error, seen.mount_what)
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
            f"through, BACKING_OPEN refuses ops_mask with {_name(seen.rw_mask)}"
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
    return Decision(level, readdir, (*why_level, *why_readdir))


def _attach(seen: Observations) -> tuple[Level, list[str]]:
    if seen.getattr_mask != 0:
        return Level.RW, [
            "BACKING_OPEN takes ops_mask but refuses GETATTR in it with "
            f"{_name(seen.getattr_mask)}: getattr is not passed through",
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
                f"{_name(seen.setattr_mask)}; what raises it: {raises}"
            )
        return Level.ATTACH_GETATTR, reasons
    return Level.RW, [
        "BACKING_OPEN takes GETATTR in ops_mask, but a second stat still sent GETATTR to the "
        "server by every interface known here: not counted as passed through"
    ]


def _readdir(seen: Observations) -> tuple[bool, list[str]]:
    if seen.readdir_mask != 0:
        return False, [
            f"readdir is not passed through: READDIR in ops_mask gives {_name(seen.readdir_mask)}"
        ]
    if not seen.readdir_stays:
        return False, ["READDIR in ops_mask is taken, but listing still sent READDIR"]
    return True, ["readdir of a directory opened with a backing id sent no READDIR (proven)"]


def why_no_mount(error: int, what: str) -> str:
    """Why no FUSE mount is possible at all, and what supplies what is missing."""
    supplies = {
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
    known = supplies.get(error, "unexpected; check dmesg")
    return f"cannot mount FUSE ({what}: {_name(error)}): {known}"


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
    return f"no passthrough: BACKING_OPEN gives {_name(error)}: {known}"


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


def _name(error: int | None) -> str:
    if error is None:
        return "nothing (not tried)"
    return errno.errorcode.get(error, f"errno {error}")


def probe_in_child(limit_s: float = PROBE_LIMIT_S) -> KernelAbility:
    """The same in a child, so that a kernel that hangs over it hangs nobody else; raises UserError."""
    try:
        return child.ask(probe, child.Deadline(limit_s, "trying what this kernel passes through"))
    except (TimeoutError, ChildProcessError) as error:
        raise UserError(f"{error}: nothing can be measured on it; see dmesg", Exit.NOTHING) from None


def probe() -> KernelAbility:
    """Try this kernel and say what it gives. Takes milliseconds; leaves no mount, file or id."""
    seen = observe()
    found = decide(seen)
    return KernelAbility(
        found.level, found.readdir, found.reasons, machine_facts(seen), found.usable
    )


def require_fuse(ability: KernelAbility) -> None:
    """Raises UserError (exit 3) with the reason where no FUSE mount is possible."""
    if not ability.usable:
        raise UserError(ability.reasons[0], Exit.NOTHING)


def observe() -> Observations:
    """Everything ``decide`` needs, by experiment on detached mounts (root)."""
    what = "open /dev/fuse"
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
        what = "mount of a scratch tmpfs"
        with _scratch() as backing:
            what = "mount"
            return _observe_on(backing)
    except OSError as error:
        return Observations(mount_error=error.errno or errno.EIO, mount_what=what)


def _observe_on(backing: int) -> Observations:
    facts: dict[str, object] = {"lab_switch": lab_switch.variant()}
    with RawServer(backing) as server:
        facts.update(minor=server.init.minor, offered=server.init.offered)
        if not server.init.offered & abi.FUSE_PASSTHROUGH:
            return Observations(**facts)  # type: ignore[arg-type]
        facts["backing"] = _try_open(server, backing, _NAMES[0], 0)
        facts["control"] = _stat_arrives(server) and _list_arrives(server)
        if facts["backing"] == 0:
            mask = abi.OPS_READ_WRITE
            facts["rw_mask"] = _try_open(server, backing, _NAMES[0], mask)
            facts["readdir_mask"] = _try_open(server, backing, ".", abi.OPS_READDIR)
    if facts["backing"] == 0:
        facts["read_stays"] = _try(backing, RawOptions(attach=Level.RW), _read_stays)
    seen = Observations(**facts)  # type: ignore[arg-type]
    if proves_ops_mask(seen):
        facts.update(_observe_inode_operations(backing, seen))
    return Observations(**facts)  # type: ignore[arg-type]


def _observe_inode_operations(backing: int, seen: Observations) -> dict[str, object]:
    facts: dict[str, object] = {}
    wanted = abi.FUSE_PASSTHROUGH | abi.BIT_43  # the reply is masked by the offer
    with RawServer(backing, RawOptions(wanted=wanted)) as server:
        for name, mask in (("getattr", abi.OPS_GETATTR), ("setattr", abi.OPS_SETATTR)):
            facts[f"{name}_mask"] = _try_open(server, backing, _NAMES[0], mask)
    # The kernel lets a server give lookups away only where it checks permissions itself.
    with RawServer(backing, RawOptions(wanted=wanted, default_permissions=True)) as server:
        mask = abi.OPS_GETATTR | abi.OPS_LOOKUP
        facts["lookup_mask"] = _try_open(server, backing, ".", mask)
    stays = {
        level: _try(backing, RawOptions(wanted=wanted, attach=level), _getattr_stays)
        for level in (Level.ATTACH_GETATTR, Level.ATTACH_LOOKUP)
    }
    facts["getattr_stays"] = stays
    if seen.readdir_mask == 0:
        options = RawOptions(wanted=wanted, readdir=True)
        facts["readdir_stays"] = _try(backing, options, _readdir_stays)
    return facts


@contextmanager
def _scratch() -> Iterator[int]:
    """A directory with a few files on a tmpfs that is mounted nowhere; gone when closed."""
    root = syscalls.detached_mount("tmpfs")
    try:
        for name in _NAMES:
            fd = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=root)
            try:
                os.write(fd, _CONTENT)
            finally:
                os.close(fd)
        yield root
    finally:
        os.close(root)


def _try_open(server: RawServer, backing: int, name: str, ops_mask: int) -> int:
    """0 or the errno of registering a file; the id is given back at once."""
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=backing)
    try:
        abi.backing_close(server.device, abi.backing_open(server.device, fd, ops_mask))
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(fd)
    return 0


def _try(backing: int, options: RawOptions, test: Callable[[RawServer], bool]) -> bool:
    """A behaviour test on its own connection; a kernel that answers with an error fails it."""
    try:
        with RawServer(backing, options) as server:
            return test(server) and not server.refused
    except OSError:
        return False


def _stat_arrives(server: RawServer) -> bool:
    return not _getattr_stays(server)


def _list_arrives(server: RawServer) -> bool:
    return not _readdir_stays(server)


def _getattr_stays(server: RawServer) -> bool:
    """Attribute timeout 0: every stat after the first must ask somebody. Nobody arriving here
    and the right answer means that the kernel asked the backing file."""
    os.stat(_NAMES[1], dir_fd=server.root)
    before = _attribute_requests(server)
    st = os.stat(_NAMES[1], dir_fd=server.root)
    return _attribute_requests(server) == before and st.st_size == len(_CONTENT)


def _attribute_requests(server: RawServer) -> int:
    return server.counts[Opcode.GETATTR] + server.counts[Opcode.STATX]


def _readdir_stays(server: RawServer) -> bool:
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=server.root)
    try:
        with os.scandir(fd) as entries:
            names = sorted(entry.name for entry in entries)
    finally:
        os.close(fd)
    arrived = server.counts[Opcode.READDIR] + server.counts[Opcode.READDIRPLUS]
    return names == sorted(_NAMES) and arrived == 0


def _read_stays(server: RawServer) -> bool:
    fd = os.open(_NAMES[2], os.O_RDONLY | os.O_CLOEXEC, dir_fd=server.root)
    try:
        content = os.pread(fd, 100, 0)
    finally:
        os.close(fd)
    return content == _CONTENT and server.counts[Opcode.READ] == 0


def machine_facts(seen: Observations) -> dict[str, object]:
    """What else decides a measurement here, by name; texts say what is missing and why."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "kernel": os.uname().release,
        **({"lab_kernel_variant": seen.lab_switch} if seen.lab_switch else {}),
        "fuse_protocol": f"7.{seen.minor}" if seen.minor else "unknown",
        "fuse_flags": list(abi.flag_names(seen.offered)),
        "max_stack_depth": _stack_depth(seen),
        "tracepoint": tracepoint(),
        "cpu_dma_latency": _writable(Path("/dev/cpu_dma_latency")),
        "fuse_io_uring": io_uring(seen.offered),
        "kvm": kvm(),
        "libfuse": libfuse(),
        "open_files": {"soft": soft, "hard": hard},
    }


def _stack_depth(seen: Observations) -> str:
    # fs/fuse/inode.c, process_init_reply: 1 to FILESYSTEM_MAX_STACK_DEPTH (2, include/linux/fs.h).
    if seen.backing != 0:
        return "unknown: passthrough is off"
    return "1 accepted; the kernel's limit is 2"


def tracepoint() -> str:
    """``available`` or why fuse:fuse_request_send cannot be used."""
    try:
        tracefs = syscalls.detached_mount("tracefs")
    except OSError as error:
        return f"not available: no tracefs ({_name(error.errno)})"
    try:
        os.stat("events/fuse/fuse_request_send", dir_fd=tracefs)
    except OSError:
        return "not available: fuse:fuse_request_send came with Linux 6.12 (and needs FTRACE)"
    finally:
        os.close(tracefs)
    return "available"


def io_uring(offered: int) -> str:
    """State of FUSE over io_uring: offered, or what turns it on."""
    if offered & abi.FUSE_OVER_IO_URING:
        return "offered"
    try:
        state = ENABLE_URING.read_text().strip()
    except OSError:
        return "not in this kernel (CONFIG_FUSE_IO_URING, Linux 6.14)"
    if state == "Y":
        return "not offered, although enable_uring is Y"
    return f"not offered: enable_uring is {state}: echo 1 > {ENABLE_URING}"


def libfuse() -> str:
    """Which fusermount3 is installed; Debian's package fuse3 supplies it."""
    for directory in os.get_exec_path():  # shutil.which, without the 5 ms of importing it
        if os.access(Path(directory, "fusermount3"), os.X_OK):
            return "fusermount3 found"
    return "no fusermount3: apt install fuse3"


def kvm() -> str:
    """Whether /dev/kvm opens; that a guest then boots is another matter and is not tried here."""
    state = _writable(Path("/dev/kvm"))
    return "opens (no guest was tried)" if state == "available" else state


def _writable(path: Path) -> str:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        return f"not available: {_name(error.errno)}"
    return "available"


def human(ability: KernelAbility) -> str:
    """The probe's result for a person, under 80 columns."""
    lines = [f"passthrough level  {ability.level.value}"]
    lines.append(f"readdir            {'passed through' if ability.readdir else 'by the server'}")
    lines += _wrapped("why", ability.reasons)
    for name, value in ability.facts.items():
        lines += _wrapped(name.replace("_", " "), _texts(value))
    return "\n".join(lines)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return (" ".join(str(item).removeprefix("FUSE_") for item in value) or "none",)
    if isinstance(value, Mapping):
        return (", ".join(f"{name} {number}" for name, number in value.items()),)
    return (str(value),)


def _wrapped(label: str, texts: tuple[str, ...]) -> list[str]:
    """Each text on lines of at most 78 columns, the first line after its label."""
    lines: list[str] = []
    for text in texts:
        line = ""
        for word in text.split():
            if line and len(line) + 1 + len(word) > 59:
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
        lines.append(line)
    return [f"{label if index == 0 else '':<19}{line}" for index, line in enumerate(lines)]
