"""What a program may expect of a file system, on real mounts of every daemon of ours."""

# ruff: noqa: ARG001, PTH102, PTH115, PTH123, PTH208, PTH211
# ARG001: every test here takes the daemon. PTH: names are bytes and calls are system calls.

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Serve
from serving import Mounted, drop_inodes, ours, run_daemon

from bench import mountinfo
from bench.model import Daemon, Opcode
from daemons import _syscalls

RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
FIELDS = [
    name
    for name in dir(os.stat_result)
    if name.startswith("st_") and name not in ("st_dev", "st_atime", "st_mtime", "st_ctime")
]
ODD_NAME = b"caf\xe9 \xff\n\x01"

each_daemon = pytest.mark.parametrize("daemon", ours(), ids=lambda daemon: daemon.name)
pytestmark = [pytest.mark.mount, each_daemon]


def fields(path: Path | bytes) -> dict[str, object]:
    """Everything lstat says but the device and the floating-point times."""
    status = os.lstat(path)
    return {name: getattr(status, name) for name in FIELDS}


@contextlib.contextmanager
def failing_with(number: int) -> Iterator[None]:
    """The block must raise OSError with this errno."""
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == number, errno.errorcode.get(caught.value.errno or 0)


def test_attributes_are_those_of_the_backing(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Every kind of inode, the root included, field by field, nanoseconds too."""
    (backing / "file").write_bytes(b"x" * 12345)
    os.utime(backing / "file", ns=(1_000_000_007, 2_000_000_011))
    (backing / "dir").mkdir()
    (backing / "link").symlink_to("nowhere")
    os.mkfifo(backing / "fifo")
    os.mknod(backing / "char", stat.S_IFCHR | 0o600, os.makedev(259, 0x1234))
    mounted = serve(daemon)
    for name in ("", "file", "dir", "link", "fifo", "char"):
        assert fields(mounted.root / name) == fields(backing / name), name


def test_setattr(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """chmod, chown, utime and truncate, by path and by descriptor, one time at a time."""
    mounted = serve(daemon)
    path, below = mounted.root / "file", backing / "file"
    path.write_bytes(b"0123456789")
    path.chmod(0o4751)
    os.chown(path, 12, -1)
    os.chown(path, -1, 34)
    os.utime(path, ns=(1_234_567_891, 1_987_654_321))
    with path.open() as file:
        _syscalls.utime(file.fileno(), 5_000_000_001, None)
    os.truncate(path, 4)
    got = below.stat()
    assert (got.st_uid, got.st_gid, got.st_size) == (12, 34, 4)
    assert (got.st_atime_ns, below.read_bytes()) == (5_000_000_001, b"0123")
    with path.open("r+b") as file:
        file.truncate(2)
        os.fchmod(file.fileno(), 0o600)
    assert (below.read_bytes(), stat.S_IMODE(below.stat().st_mode)) == (b"01", 0o600)
    os.chown(path, 0, 0)
    path.chmod(0o755)
    assert fields(path) == fields(below)


def test_set_id_bits_survive_a_chmod_with_them(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A chown clears them, a chmod afterwards sets them again."""
    mounted = serve(daemon)
    (mounted.root / "file").write_text("")
    os.chown(mounted.root / "file", 12, 34)
    (mounted.root / "file").chmod(0o4755)
    assert stat.S_IMODE((backing / "file").stat().st_mode) == 0o4755


def test_names_are_bytes(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Names and targets of any encoding; 255 bytes are a name, 256 are too long."""
    mounted = serve(daemon)
    root = os.fsencode(mounted.root)
    with open(root + b"/" + ODD_NAME, "wb"):
        pass
    os.symlink(ODD_NAME, root + b"/link")
    os.mkdir(root + b"/" + b"n" * 255)
    assert os.readlink(root + b"/link") == ODD_NAME
    assert sorted(os.listdir(root)) == sorted([ODD_NAME, b"link", b"n" * 255])
    assert sorted(os.listdir(os.fsencode(backing))) == sorted(os.listdir(root))
    for make in (os.mkdir, os.lstat):
        with failing_with(errno.ENAMETOOLONG):
            make(root + b"/" + b"n" * 256)


def test_making_and_removing(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """link, mknod, mkdir, unlink and rmdir, and how each refuses."""
    mounted = serve(daemon)
    root = mounted.root
    (root / "dir").mkdir()
    (root / "file").write_text("x")
    os.link(root / "file", root / "dir" / "other")
    (root / "link").symlink_to("file")
    os.link(root / "link", root / "link2", follow_symlinks=False)
    os.mkfifo(root / "fifo")
    assert (root / "file").stat().st_nlink == 2
    assert (root / "file").stat().st_ino == (backing / "dir" / "other").stat().st_ino
    assert os.readlink(backing / "link2") == "file"
    assert stat.S_ISFIFO((backing / "fifo").lstat().st_mode)
    with failing_with(errno.EEXIST):
        (root / "dir").mkdir()
    with failing_with(errno.ENOTEMPTY):
        (root / "dir").rmdir()
    with failing_with(errno.EISDIR):
        (root / "dir").unlink()
    with failing_with(errno.ENOENT):
        (root / "missing").unlink()
    with failing_with(errno.ENOTDIR):
        (root / "file").rmdir()
    (root / "dir" / "other").unlink()
    (root / "dir").rmdir()
    assert (root / "file").stat().st_nlink == 1
    assert sorted(path.name for path in backing.iterdir()) == ["fifo", "file", "link", "link2"]


def test_rename(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Replacing, NOREPLACE, EXCHANGE, and a directory moved with what is open below it."""
    mounted = serve(daemon)
    root = mounted.root
    for name in ("a", "b", "c"):
        (root / name).write_text(name)
    (root / "dir").mkdir()
    (root / "dir" / "inner").write_text("inner")
    top = os.open(root, os.O_RDONLY)
    with (root / "dir" / "inner").open() as inner:
        (root / "a").rename(root / "b")
        with failing_with(errno.EEXIST):
            _syscalls.rename(top, b"b", top, b"c", RENAME_NOREPLACE)
        _syscalls.rename(top, b"b", top, b"d", RENAME_NOREPLACE)
        _syscalls.rename(top, b"d", top, b"c", RENAME_EXCHANGE)
        (root / "dir").rename(root / "moved")
        assert inner.read() == "inner"
    os.close(top)
    assert (root / "moved" / "inner").read_text() == "inner"
    assert ((root / "c").read_text(), (root / "d").read_text()) == ("a", "c")
    assert sorted(path.name for path in backing.iterdir()) == ["c", "d", "moved"]


@pytest.mark.parametrize("evict", [False, True], ids=["", "evicted"])
def test_a_deleted_open_file_goes_on_working(
    daemon: Daemon, backing: Path, serve: Serve, evict: bool
) -> None:
    """fstat, read, write, truncate and chmod after unlink, also when its descriptor was evicted."""
    for number in range(100):
        (backing / f"other{number}").write_text("x")
    mounted = serve(daemon, "--fd-cache", "16")
    with (mounted.root / "file").open("w+b", buffering=0) as file:
        file.write(b"before")
        (mounted.root / "file").unlink()
        if evict:
            for number in range(100):
                (mounted.root / f"other{number}").stat()
        file.write(b" after")
        file.seek(0)
        assert file.read() == b"before after"
        os.fchmod(file.fileno(), 0o600)
        file.truncate(3)
        status = os.fstat(file.fileno())
    assert (status.st_nlink, status.st_size, stat.S_IMODE(status.st_mode)) == (0, 3, 0o600)


def test_open_flags(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """O_EXCL, O_TRUNC and two appenders that do not overwrite each other."""
    path = serve(daemon).root / "file"
    with path.open("x") as first, path.open("a") as second, path.open("a") as third:
        for file in (second, third, second):
            file.write("12")
            file.flush()
        assert first.tell() == 0
    with failing_with(errno.EEXIST):
        path.open("x").close()
    assert (backing / "file").read_text() == "121212"
    path.open("w").close()
    assert (backing / "file").read_text() == ""


def test_large_file_through_read_write_and_mmap(
    daemon: Daemon, backing: Path, serve: Serve
) -> None:
    """What is written one way is read every other way."""
    path = serve(daemon).root / "file"
    content = os.urandom(3_000_001)
    path.write_bytes(content)
    assert (backing / "file").read_bytes() == content
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        assert memory[:] == content
        memory[1_000_000:1_000_004] = b"mmap"
        memory.flush()
        os.fsync(file.fileno())
    assert (backing / "file").read_bytes()[1_000_000:1_000_004] == b"mmap"
    assert path.read_bytes() == (backing / "file").read_bytes()


def test_a_written_program_runs(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """No descriptor open for writing is left behind anywhere: execve would say ETXTBSY."""
    program = serve(daemon).root / "program"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    subprocess.run([program], check=True)


def test_new_inodes_belong_to_the_caller(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """uid, gid and umask of whoever asked; in a set-gid directory the group is inherited."""
    mounted = serve(daemon, "--allow-other")
    for name, mode in (("free", 0o777), ("group", 0o2777)):
        (backing / name).mkdir()
        (backing / name).chmod(mode)
    os.chown(backing / "group", 0, 77)
    script = """
        umask 027
        for d in free group; do
            echo > $d/file; mkdir $d/dir; ln -s x $d/link; mkfifo $d/fifo
        done
    """
    subprocess.run(
        ["sh", "-c", script], cwd=mounted.root, user=1234, group=5678, extra_groups=[], check=True
    )
    for folder, gid in (("free", 5678), ("group", 77)):
        for name in ("file", "dir", "link", "fifo"):
            status = (backing / folder / name).lstat()
            assert (status.st_uid, status.st_gid) == (1234, gid), (folder, name)
    assert stat.S_IMODE((backing / "free" / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((backing / "group" / "dir").stat().st_mode) == 0o2750


def test_permissions_are_checked(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Another user neither reads a private file nor creates in a directory that is not theirs."""
    (backing / "private").write_text("x")
    (backing / "private").chmod(0o600)
    mounted = serve(daemon, "--allow-other")
    for script in ("cat private", "echo > new"):
        done = subprocess.run(
            ["sh", "-c", script], cwd=mounted.root, user=1234, capture_output=True, check=False
        )
        assert done.returncode != 0
        assert b"denied" in done.stderr


def test_xattrs(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """set, get, list, remove, and the two flags."""
    path = serve(daemon).root / "file"
    path.write_text("")
    try:
        os.setxattr(path, "user.one", b"\0\xff")
    except OSError as error:
        pytest.skip(f"needs user xattrs on the backing: {error.strerror}")
    os.setxattr(path, "user.empty", b"")
    assert os.getxattr(backing / "file", "user.one") == b"\0\xff"
    assert os.getxattr(path, "user.empty") == b""
    assert sorted(os.listxattr(path)) == ["user.empty", "user.one"]
    with failing_with(errno.EEXIST):
        os.setxattr(path, "user.one", b"", os.XATTR_CREATE)
    with failing_with(errno.ENODATA):
        os.setxattr(path, "user.two", b"", os.XATTR_REPLACE)
    os.removexattr(path, "user.one")
    with failing_with(errno.ENODATA):
        os.getxattr(path, "user.one")
    assert os.listxattr(backing / "file") == ["user.empty"]


def test_statfs(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Sizes and limits are the backing's."""
    got, wanted = os.statvfs(serve(daemon).root), os.statvfs(backing)
    names = ("f_bsize", "f_frsize", "f_blocks", "f_files", "f_namemax")
    assert [getattr(got, name) for name in names] == [getattr(wanted, name) for name in names]


def raw_listing(folder: Path) -> list[bytes]:
    """Names as getdents gives them, dots included; os.listdir would hide them."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
    libc.readdir.argtypes = libc.closedir.argtypes = (ctypes.c_void_p,)
    stream = libc.opendir(os.fsencode(folder))
    names = []
    while entry := libc.readdir(stream):
        names.append(ctypes.string_at(entry + 19))
    libc.closedir(stream)
    return names


def test_a_hundred_thousand_names_once_each(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A long listing is complete, without repeats, and in the backing's order."""
    for number in range(100_000):
        os.mknod(backing / f"entry{number:06}")
    mounted = serve(daemon)
    names = raw_listing(mounted.root)
    assert len(names) == 100_002
    assert names[:2] == [b".", b".."]
    assert len(set(names)) == 100_002
    assert names[2:] == [name for name in raw_listing(backing) if name not in (b".", b"..")]


def test_seeking_in_a_listing(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A remembered place stays good while files come and go; a rewind shows what is there now."""
    for number in range(500):
        (backing / f"entry{number}").touch()
    folder = os.open(serve(daemon).root, os.O_RDONLY | os.O_DIRECTORY)
    buffer = ctypes.create_string_buffer(1 << 16)
    libc = ctypes.CDLL(None, use_errno=True)

    def names() -> list[bytes]:
        found = []
        while (size := libc.getdents64(folder, buffer, len(buffer))) > 0:
            at = 0
            while at < size:
                found.append(ctypes.string_at(ctypes.addressof(buffer) + at + 19))
                offsets.append(int.from_bytes(buffer[at + 8 : at + 16], "little"))
                at += int.from_bytes(buffer[at + 16 : at + 18], "little")
        return found

    offsets: list[int] = []
    everything = names()
    middle = offsets[249]
    (backing / os.fsdecode(everything[10])).unlink()
    os.lseek(folder, middle, os.SEEK_SET)
    assert names() == everything[250:]
    (backing / "new").touch()
    os.lseek(folder, 0, os.SEEK_SET)
    again = names()
    os.close(folder)
    assert b"new" in again
    assert everything[10] not in again


def test_lookups_are_given_back(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Looked up, listed, created or linked: when the kernel has forgotten all, no count is left."""
    for number in range(300):
        (backing / f"file{number}").touch()
    mounted = serve(daemon, "--fd-cache", "16")
    for number in range(300):
        (mounted.root / f"file{number}").stat()
    assert len(raw_listing(mounted.root)) == 302
    subprocess.run(["ls", "-lR", mounted.root], check=True, stdout=subprocess.DEVNULL)
    (mounted.root / "made").write_text("x")
    (mounted.root / "dir").mkdir()
    os.link(mounted.root / "made", mounted.root / "dir" / "linked")
    (mounted.root / "file0").unlink()
    figures = settle(mounted)
    assert figures["lookups"] == figures["forgets"]
    assert figures["inodes"] == 0
    assert "forgotten" not in mounted.errors


def settle(mounted: Mounted) -> dict[str, object]:
    """Drop inodes until the server hears of no more, then stop it."""
    while True:
        before = mounted.counters().extra["forget_lookups"]
        drop_inodes()
        for _request in range(100):  # forgets are queued beside these
            os.statvfs(mounted.root)
        if mounted.counters().extra["forget_lookups"] == before:
            return dict(mounted.stop())


def test_forgets_equal_lookups_exactly(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A prime number of names, each looked up once: that number of lookups comes back."""
    for number in range(1009):
        (backing / f"file{number}").touch()
    mounted = serve(daemon, "--entry-timeout", "1000")
    for number in range(1009):
        (mounted.root / f"file{number}").stat()
    assert mounted.counters().requests[Opcode.LOOKUP] == 1009
    drop_inodes()
    mounted.await_extra("forget_lookups", 1009)


def test_descriptors_are_bounded(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Many more inodes than --fd-cache: all answer rightly, and few descriptors are open."""
    for number in range(500):
        (backing / f"file{number}").write_bytes(b"x" * number)
    # With entries cached the second round is GETATTR alone: only the handle finds the inode.
    mounted = serve(daemon, "--fd-cache", "16", "--entry-timeout", "1000")
    os.statvfs(mounted.root)  # once it answers, its event loop has opened all it needs
    base = len(os.listdir(f"/proc/{mounted.process.pid}/fd"))
    for _round in range(2):
        for number in range(500):
            assert (mounted.root / f"file{number}").stat().st_size == number
    assert len(os.listdir(f"/proc/{mounted.process.pid}/fd")) <= base + 16
    figures = mounted.stop()
    assert figures["reopened"]
    assert figures["inodes"] == 500


def test_a_reused_inode_number_is_a_new_inode(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """The client's hold on a file deleted behind its back never becomes a hold on another file."""
    for number in range(64):
        (backing / f"other{number}").touch()
    (backing / "old").write_text("old")
    number = (backing / "old").stat().st_ino
    mounted = serve(daemon, "--fd-cache", "16")
    held = os.open(mounted.root / "old", os.O_PATH)
    for other in range(64):  # evict its descriptor, which would pin the number
        (mounted.root / f"other{other}").stat()
    (backing / "old").unlink()
    (backing / "new").mkdir()
    if (backing / "new").stat().st_ino != number:
        pytest.skip("needs a file system that reuses inode numbers at once")
    assert fields(mounted.root / "new") == fields(backing / "new")
    with pytest.raises(OSError):
        os.fstat(held)
    os.close(held)


def test_another_file_system_below_is_not_entered(
    daemon: Daemon, backing: Path, serve: Serve
) -> None:
    """Its inode numbers would collide with ours: the name is listed, the way in is EXDEV."""
    (backing / "below").mkdir()
    (backing / "file").touch()
    subprocess.run(["mount", "-t", "tmpfs", "below", backing / "below"], check=True)
    try:
        mounted = serve(daemon)
        assert sorted(raw_listing(mounted.root)) == [b".", b"..", b"below", b"file"]
        with failing_with(errno.EXDEV):
            (mounted.root / "below").stat()
        figures = settle(mounted)
        assert figures["lookups"] == figures["forgets"]
    finally:
        subprocess.run(["umount", backing / "below"], check=True)


def test_without_file_handles_descriptors_run_out_clearly(
    daemon: Daemon, backing: Path, serve: Serve
) -> None:
    """ramfs has no handles: inodes are served up to --fd-cache, then EMFILE and one clear line."""
    subprocess.run(["mount", "-t", "ramfs", "ramfs", backing], check=True)
    try:
        for number in range(30):
            (backing / f"file{number}").touch()
        mounted = serve(daemon, "--fd-cache", "20")
        for number in range(20):
            (mounted.root / f"file{number}").stat()
            (mounted.root / f"file{number}").stat()
        with failing_with(errno.EMFILE):
            (mounted.root / "file20").stat()
        assert "limit of 20 (--fd-cache)" in mounted.errors
        mounted.stop()
    finally:
        subprocess.run(["umount", backing], check=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(
    daemon: Daemon, backing: Path, serve: Serve, number: signal.Signals
) -> None:
    """Exit 0, no mount, one JSON line that agrees with the counters file."""
    (backing / "file").touch()
    mounted = serve(daemon)
    (mounted.root / "file").stat()
    counted = mounted.counters()
    figures = mounted.stop(number)
    assert figures["daemon"] == daemon.name
    assert figures["requests"] == {op.name: count for op, count in counted.requests.items()}
    assert {"rss_kib", "user_s", "system_s", "extra", "lookups"} <= set(figures)


def test_a_signal_at_the_first_moment(daemon: Daemon, serve: Serve) -> None:
    """Told to end as soon as the mount is there, before the server has read a thing: still well."""
    for _attempt in range(5):
        serve(daemon).stop()


def test_a_busy_mount_ends_as_well(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A client with a file open, and one in the middle of a walk, do not keep it alive."""
    (backing / "file").touch()
    mounted = serve(daemon)
    held = os.open(mounted.root / "file", os.O_RDONLY)
    walk = "while ls -lR .; do :; done"
    with subprocess.Popen(
        ["sh", "-c", walk], cwd=mounted.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as walker:
        assert walker.stdout is not None
        walker.stdout.readline()
        mounted.stop()
    with contextlib.suppress(OSError):
        os.close(held)


def test_unmounted_from_outside(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """umount is an order to end, too."""
    mounted = serve(daemon)
    mounted.root.stat()
    subprocess.run(["umount", mounted.root], check=True)
    mounted.collect()


def test_killed_it_can_be_cleaned_up(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """After kill -9 the mount is there, dead, recognisable as ours, and goes with umount -l."""
    (backing / "file").touch()
    mounted = serve(daemon)
    mounted.process.kill()
    mounted.process.wait()
    with failing_with(errno.ENOTCONN):
        (mounted.root / "file").stat()
    entry = mountinfo.find(mounted.root)
    assert entry is not None
    assert f"fuse.{daemon.name} fuse-passthrough-bench" in Path("/proc/self/mountinfo").read_text()
    subprocess.run(["umount", "-l", mounted.root], check=True)
    assert mountinfo.find(mounted.root) is None


def test_the_file_says_nothing_of_pyfuse3(daemon: Daemon) -> None:
    """Importing a daemon's description costs a runner neither pyfuse3 nor trio."""
    loaded = "bool({'pyfuse3', 'trio'} & set(sys.modules))"
    code = f"import sys, daemons.{daemon.name.replace('-', '_')}; sys.exit({loaded})"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("missing", "mnt"), "backing: {}/missing: No such file"),
        (("backing", "missing"), "mount point: {}/missing: No such file"),
        (("backing", "full"), "mount point: {}/full: not empty"),
        (("full/file", "mnt"), "backing: {}/full/file: Not a directory"),
        (("backing", "backing/inside"), "lies inside the backing"),
        (("served", "mnt"), "backing: {}/served: is itself on FUSE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_arguments_are_one_line(
    daemon: Daemon,
    tmp_path: Path,
    backing: Path,
    serve: Serve,
    arguments: tuple[str, str],
    line: str,
) -> None:
    """Exit 2, no traceback, the object named."""
    for name in ("mnt", "full", "backing/inside"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").touch()
    if "served" in arguments:
        (backing / "inside").rmdir()
        (tmp_path / "served").symlink_to(serve(daemon).root)
        (tmp_path / "mnt2").mkdir()
        arguments = ("served", "mnt2")
    done = run_daemon(daemon, *(tmp_path / name for name in arguments))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert line.format(tmp_path) in done.stderr


@pytest.mark.parametrize(
    "option",
    [
        ("--attr-timeout", "-1"),
        ("--fd-cache", "3"),
        ("--level", "all"),
        ("--delay", "STAT=1"),
        ("--delay", "GETATTR=2000000000"),
    ],
    ids=" ".join,
)
def test_wrong_options_are_refused(
    daemon: Daemon, tmp_path: Path, backing: Path, option: tuple[str, str]
) -> None:
    """Exit 2, the option named."""
    done = run_daemon(daemon, backing, tmp_path, *option)
    assert done.returncode == 2
    assert option[0] in done.stderr
