"""What this kernel passes through, found by trying: `bench probe`.

Three parts: ``observe`` talks to the kernel and only records; ``decide`` is a pure function from
such a record to a level with reasons, so that kernels nobody can boot here are decided in unit
tests; ``probe`` joins them. Versions decide nothing, and neither does an INIT flag: an operation
counts as passed through when its request was seen not to arrive (ABI notes, sections 1 and 4).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.machine import child, lab_switch, own, syscalls, userns
from bench.machine.userns import AS_ROOT, Mounter, Standing
from bench.model import Exit, Level, Opcode, UserError
from bench.probe import abi, words
from bench.probe.decide import KernelAbility, Observations, What, decide, proves_ops_mask
from bench.probe.facts import machine_facts
from bench.probe.raw_server import DEVICE, RawOptions, RawServer

PROBE_LIMIT_S = 120.0
FUSE_DEVICE = (10, 229)
"""Documentation/admin-guide/devices.txt."""
_NAMES = ("one", "two", "three")
_CONTENT = b"seen through the backing file"


def probe_in_child(limit_s: float = PROBE_LIMIT_S) -> KernelAbility:
    """Probe in a child, so that a kernel that hangs over it hangs nobody else; raises UserError."""
    try:
        return child.ask(probe, child.Deadline(limit_s, "trying what this kernel passes through"))
    except (TimeoutError, ChildProcessError) as error:
        raise UserError(
            f"{error}: nothing can be measured on it; see dmesg", Exit.NOTHING
        ) from None


def probe() -> KernelAbility:
    """Try this kernel and say what it gives. Takes milliseconds; leaves no mount, file or id.

    An ordinary user's process is in a user namespace of its own afterwards, where it can be had.
    """
    standing = userns.gain()
    seen = observe(standing)
    found = decide(seen)
    facts = {"mounts": words.mounts(standing), **machine_facts(seen)}
    return KernelAbility(
        found.level, found.readdir, found.reasons, facts, found.usable, standing, found.xattrs
    )


def require_fuse(ability: KernelAbility) -> None:
    """Raises UserError (exit 3) with the reason where no FUSE mount is possible."""
    if not ability.usable:
        raise UserError(ability.reasons[0], Exit.NOTHING)


def observe(standing: Standing = AS_ROOT) -> Observations:
    """Everything ``decide`` needs, by experiment on detached mounts, or on one of fusermount3's."""
    by_fusermount = standing.mounter is Mounter.FUSERMOUNT
    what = What.DEVICE
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
        what = What.NO_DEVICE
        _refuse_other_device()
        what = What.FUSERMOUNT if by_fusermount else What.SCRATCH
        with _scratch_folder() if by_fusermount else _scratch() as (backing, options):
            what = What.FUSERMOUNT if by_fusermount else What.MOUNT
            return _observe_on(backing, options)
    except OSError as error:
        said = f"{error.strerror}; no user namespace: {standing.why}"
        return Observations(
            mount_error=error.errno or errno.EIO,
            mount_what=what,
            mount_said=said if what is What.FUSERMOUNT else "",
            mode_allows=what is What.DEVICE and _mode_allows(),
        )


def _refuse_other_device() -> None:
    """Raises OSError for what is at /dev/fuse, and no FUSE: a file, or /dev/null over it."""
    status = Path(DEVICE).stat()
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(*FUSE_DEVICE):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


def _mode_allows() -> bool:
    """Whether the mode of /dev/fuse lets this user in, whatever else does not."""
    try:
        status = Path(DEVICE).stat()
    except OSError:
        return False
    if os.geteuid() == 0 and userns.initial():
        return True
    if status.st_uid == os.geteuid():
        return bool(status.st_mode & stat.S_IRUSR and status.st_mode & stat.S_IWUSR)
    if status.st_gid in {os.getegid(), *os.getgroups()}:
        return bool(status.st_mode & stat.S_IRGRP and status.st_mode & stat.S_IWGRP)
    return bool(status.st_mode & stat.S_IROTH and status.st_mode & stat.S_IWOTH)


def _observe_on(backing: int, options: RawOptions) -> Observations:
    facts: dict[str, object] = {"lab_switch": lab_switch.variant()}
    with RawServer(backing, options) as server:
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
        for name, mask in (
            ("getattr", abi.OPS_GETATTR),
            ("setattr", abi.OPS_SETATTR),
            ("xattr", abi.OPS_GETATTR | abi.OPS_XATTRS),
        ):
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
    if facts["xattr_mask"] == 0:
        facts["xattr_stays"] = any(
            _try(backing, RawOptions(wanted=wanted, attach=level, xattrs=True), _xattr_stays)
            for level, stayed in stays.items()
            if stayed
        )
    if seen.readdir_mask == 0:
        options = RawOptions(wanted=wanted, readdir=True)
        facts["readdir_stays"] = _try(backing, options, _readdir_stays)
    return facts


@contextmanager
def _scratch() -> Iterator[tuple[int, RawOptions]]:
    """A directory with a few files on a tmpfs that is mounted nowhere; gone when closed."""
    root = syscalls.detached_mount("tmpfs")
    try:
        _write_files(root)
        yield root, RawOptions()
    finally:
        os.close(root)


@contextmanager
def _scratch_folder() -> Iterator[tuple[int, RawOptions]]:
    """As _scratch for who cannot mount: a folder, and one beside it to mount on; both removed."""
    with TemporaryDirectory(prefix="fuse-bench-probe-", dir=own.place()) as folder:
        for name in ("backing", "mount"):
            Path(folder, name).mkdir()
        root = os.open(f"{folder}/backing", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _write_files(root)
            yield root, RawOptions(mountpoint=Path(folder, "mount"), fusermount=True)
        finally:
            os.close(root)


def _write_files(root: int) -> None:
    for name in _NAMES:
        fd = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=root)
        try:
            os.write(fd, _CONTENT)
        finally:
            os.close(fd)


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


def _xattr_stays(server: RawServer) -> bool:
    """The server has no handler: had it been asked, the kernel would remember ENOSYS."""
    os.stat(_NAMES[1], dir_fd=server.root)
    path = f"/proc/self/fd/{server.root}/{_NAMES[1]}"
    try:
        os.getxattr(path, "user.none")
    except OSError as problem:
        if problem.errno != errno.ENODATA:
            return False
    names = os.listxattr(path)
    asked = server.counts[Opcode.GETXATTR] + server.counts[Opcode.LISTXATTR]
    return asked == 0 and not [name for name in names if not name.startswith("security.")]


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
