"""Runs a command as an ordinary user, in a machine that is fenced in for it: nothing outside changes.

    python -m tests.mount.ordinary [OPTION...] -- COMMAND [ARGUMENT...]

In a mount namespace of its own: /dev/fuse is open to everybody, as distributions have it, /dev/shm is empty,
and the folders in which Python and the suite lie, root's often, can be walked through. Without privilege
from then on.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

NOBODY = 65534
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 1 << 19
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_SET_PDEATHSIG = 38, 24, 1
CAP_SYS_ADMIN = 21
ROOT = Path(__file__).parents[2]
FUSE = os.makedev(10, 229)
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # landlock(7)
LANDLOCK_RULE_PATH_BENEATH = 1
READ_WRITE = 0b110
"""LANDLOCK_ACCESS_FS_READ_FILE and _WRITE_FILE."""

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: Sequence[str]) -> None:
    """Fence in, become nobody, start the command."""
    options = _parser().parse_args(arguments)
    _do(_libc.prctl(PR_SET_PDEATHSIG, 9))
    _do(_libc.unshare(CLONE_NEWNS))
    mount("none", "/", None, MS_REC | MS_SLAVE)
    fence_in(options.dev_fuse, [*options.open, ROOT, Path(sys.prefix), Path(sys.base_prefix)])
    if options.no_userns:
        forbid_user_namespaces()
    if options.landlock:
        restrict(Path("/dev/fuse"))
    if not options.root:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # A change of user forgets it.
        _do(_libc.prctl(PR_SET_PDEATHSIG, 9))
    os.chdir(ROOT)
    environment = {**os.environ, "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("XDG_RUNTIME_DIR", None)
    os.execvpe(options.command[0], options.command, environment)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dev-fuse", choices=("open", "closed", "none", "file"), default="open")
    parser.add_argument("--no-userns", action="store_true", help="user namespaces are refused")
    parser.add_argument(
        "--landlock", action="store_true", help="a security module denies /dev/fuse"
    )
    parser.add_argument("--root", action="store_true", help="stay root, fenced in")
    parser.add_argument("--open", type=Path, action="append", default=[], help="let in here, too")
    parser.add_argument("command", nargs="+")
    return parser


def fence_in(dev_fuse: str, needed: Sequence[Path]) -> None:
    """A /dev of the kind asked for, an empty /dev/shm, and ways to what is needed."""
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in ("null", "zero", "urandom")}
    mount("tmpfs", "/dev", "tmpfs", 0, "mode=755")
    for name, fd in devices.items():
        Path("/dev", name).touch()
        mount(f"/proc/self/fd/{fd}", f"/dev/{name}", None, MS_BIND)
    for name in ("shm", "pts"):
        Path("/dev", name).mkdir()
    Path("/dev/fd").symlink_to("/proc/self/fd")
    mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777")
    if dev_fuse == "file":
        Path("/dev/fuse").touch(0o666)
    elif dev_fuse != "none":
        os.mknod("/dev/fuse", 0o020000, FUSE)
    if Path("/dev/fuse").exists():
        Path("/dev/fuse").chmod(0o600 if dev_fuse == "closed" else 0o666)
    let_through(needed)


def let_through(needed: Sequence[Path]) -> None:
    """Where others may not walk to what is needed, it alone is shown in an empty folder they may walk."""
    held = {path: os.open(path, os.O_PATH) for path in map(Path.resolve, needed)}
    blocked = [
        next((up for up in reversed(path.parents) if not up.stat().st_mode & 0o001), None)
        for path in held
    ]
    for folder in sorted({one for one in blocked if one is not None}):
        mount("tmpfs", str(folder), "tmpfs", 0, "mode=755")
    for (path, fd), folder in zip(held.items(), blocked, strict=True):
        if folder is not None and not path.exists():
            path.mkdir(parents=True)
            mount(f"/proc/self/fd/{fd}", str(path), None, MS_BIND | MS_REC)


def forbid_user_namespaces() -> None:
    """A user namespace with everybody in it, beneath which none can be made; its limit is its own."""
    ready, go = os.pipe(), os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        os.read(ready[0], 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{parent}/{name}").write_text("0 0 65536")
        os.write(go[1], b"x")
        os._exit(0)
    _do(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os.waitpid(pid, 0)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def restrict(denied: Path) -> None:
    """Landlock: files can be read and written everywhere but there (landlock(7))."""
    attributes = struct.pack("<Q", READ_WRITE)
    ruleset = _do(_libc.syscall(CREATE_RULESET, attributes, len(attributes), 0))
    beside = [path for up in denied.parents for path in up.iterdir() if path not in denied.parents]
    for path in beside:
        if path == denied or path.is_symlink():
            continue
        fd = os.open(path, os.O_PATH)
        rule = struct.pack("<Qi", READ_WRITE, fd)
        _do(_libc.syscall(ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0))
        os.close(fd)
    _do(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _do(_libc.syscall(RESTRICT_SELF, ruleset, 0))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2); raises OSError."""
    _do(
        _libc.mount(
            source.encode(), target.encode(), kind.encode() if kind else None,
            ctypes.c_ulong(flags), options.encode() or None,
        ),
        target,
    )  # fmt: skip


def _do(result: int, what: str = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
