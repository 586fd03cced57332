"""Replies no honest server sends, to every request of busy clients: the kernel must stay calm.

    python -m tests.vm.replies --replies 1000000 --seed 7 [--variant lookup]

To be run as root on the lab kernel. The mirror of tests/vm/server.py answers, and one reply in so
many is made wrong: too short, too long, another id, flag, mode, number, errno; requests are answered
twice or under another number; notifications come unasked, backing ids are opened and closed at
random. Each request is answered in the end, so that a client that hangs is the kernel's doing. Exit
code 0, if every client ended and every mount came off; what the kernel said, the caller reads.
"""

# Names are system calls here.
# ruff: noqa: PTH102
# ruff: noqa: PTH123

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import queue
import shutil
import struct
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from random import Random

from tests.mount.serving import MNT_DETACH
from tests.vm.clients import client, furnish
from tests.vm.parties import LEVELS, SWITCH
from tests.vm.server import (
    CREATE,
    GETATTR,
    IN_HEADER,
    INIT,
    LINK,
    LOOKUP,
    MKDIR,
    MKNOD,
    OPEN,
    OPENDIR,
    OUT_HEADER,
    READ,
    READDIR,
    SETATTR,
    STATX,
    SYMLINK,
    WRITE,
    Options,
    Server,
    mount,
    op,
    umount,
)
from tests.vm.stress import PATIENCE_S, reap

PER_MOUNT = 1500
"""Replies of one mount: its inodes go bad one by one."""
WRONG = 0.15
"""Share of replies that are made wrong."""
CLIENTS = 3
ODD = [0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1,
       1 << 63, (1 << 64) - 1]  # fmt: skip

ENTRIES = (LOOKUP, MKNOD, MKDIR, SYMLINK, LINK, CREATE)
# Where something of meaning lies: (offset, size) in the body of a reply.
ATTR_FIELDS = [(0, 8), (8, 8), (16, 8), (60, 4), (64, 4), (76, 4), (80, 4), (84, 4)]
FIELDS = {
    "short": [(0, 8), (8, 8), (16, 8), (24, 8), *((40 + at, size) for at, size in ATTR_FIELDS)],
    "long": [(0, 8), (8, 8), (16, 8), (24, 8), (40, 4), (44, 4), (48, 8), (56, 4), (76, 4), (84, 2),
             (88, 8), (96, 8), (184, 4)],
    "attr": [(0, 8), (8, 4), (12, 4), *((16 + at, size) for at, size in ATTR_FIELDS)],
    "open": [(0, 8), (8, 4), (12, 4)],
    "init": [(0, 4), (4, 4), (8, 4), (12, 4), (16, 2), (18, 2), (20, 4), (24, 4), (28, 2), (32, 4), (36, 4)],
    "statx": [(0, 8), (8, 4), (16, 8), (48, 4), (60, 2), (64, 8), (72, 8)],
}  # fmt: skip


class Liar(Server):
    """Serves as its parent does, and lies by the dice."""

    def __init__(self, fuse_fd: int, options: Options, random: Random) -> None:
        super().__init__(fuse_fd, options)
        self.random = random
        self.sent = self.refused = 0
        self.news: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def fields(self, opcode: int) -> list[tuple[int, int]]:
        """Where a reply of this opcode has something to be wrong about."""
        if opcode in ENTRIES:
            return FIELDS["long" if self.options.entry2 else "short"]
        by_opcode = {GETATTR: "attr", SETATTR: "attr", OPEN: "open", OPENDIR: "open",
                     INIT: "init", STATX: "statx"}  # fmt: skip
        return FIELDS.get(by_opcode.get(opcode, ""), [])

    def likely(self, size: int) -> int:
        """A number that may mean something: an id, a node, an edge."""
        kind = self.random.random()
        if kind < 0.3:
            return self.random.choice(list(self.nodes))
        if kind < 0.6:
            return self.random.randint(0, 40)
        return self.random.choice(ODD) if kind < 0.9 else self.random.getrandbits(8 * size)

    def wrong_field(self, opcode: int, body: bytearray) -> None:
        fields = [field for field in self.fields(opcode) if sum(field) <= len(body)]
        if not fields:
            self.wrong_bytes(opcode, body)
            return
        for _ in range(self.random.choice([1, 1, 2])):
            at, size = self.random.choice(fields)
            if self.random.random() < 0.5:
                value = self.likely(size)
            else:
                value = int.from_bytes(body[at : at + size], "little")
                value ^= 1 << self.random.randrange(8 * size)
            body[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")

    def wrong_bytes(self, _opcode: int, body: bytearray) -> None:
        for _ in range(min(len(body), self.random.randint(1, 4))):
            body[self.random.randrange(len(body))] = self.random.getrandbits(8)

    def wrong_length(self, _opcode: int, body: bytearray) -> None:
        if self.random.random() < 0.5:
            del body[self.random.randint(0, len(body)) :]
        else:
            body += bytes(self.random.choice([1, 8, 16, 184, 4096]))

    def lie(self, opcode: int, reply: bytes) -> bytes:
        """A reply that is wrong somehow."""
        length, error, unique = OUT_HEADER.unpack_from(reply)
        body = bytearray(reply[OUT_HEADER.size :])
        kind = self.random.random()
        if kind < 0.5:
            self.wrong_field(opcode, body)
        elif kind < 0.65:
            self.wrong_bytes(opcode, body)
        elif kind < 0.8:
            self.wrong_length(opcode, body)
        elif kind < 0.9:
            error = -self.random.choice(
                [0, 1, 2, 4, 5, 11, 12, 38, 40, 116, 511, 512, 516, 4095, -1]
            )
            body = body if self.random.random() < 0.2 else bytearray()
        else:
            unique = self.random.choice(
                [0, 1, unique + 2, unique ^ (1 << 63), self.random.getrandbits(64)]
            )
        length = len(body) + OUT_HEADER.size
        if self.random.random() < 0.05:
            length += self.random.choice([-1, 1, 16])
        return OUT_HEADER.pack(length % (1 << 32), error, unique) + bytes(body)

    def notification(self) -> bytes:
        """Unasked: codes 1 to 8 are known, bodies seldom fit."""
        code = self.random.randint(0, 9)
        node, other = self.likely(8), self.likely(8)
        name = self.random.choice([b"f", b"g", b"d", b"n" * 300, b""])
        body = {
            2: struct.pack("<QQQ", node, other % 9000, 4096),
            3: struct.pack("<QII", node, len(name), 0) + name + b"\0",
            4: struct.pack("<QQII", node, other % 9000, 100, 0) + b"x" * 100,
            5: struct.pack("<QQQII", 7, node, other % 9000, 4096, 0),
            6: struct.pack("<QQII", node, other, len(name), 0) + name + b"\0",
        }.get(code, b"")  # fmt: skip
        if self.random.random() < 0.2:
            body = body[: self.random.randint(0, len(body))]
        return OUT_HEADER.pack(OUT_HEADER.size + len(body), code, 0) + body

    def meddle(self) -> None:
        """Backing ids come and go as no server would have them."""
        with contextlib.suppress(OSError):
            if self.random.random() < 0.5:
                self.backing_close(self.random.randint(-1, 60))
            else:
                node = self.random.choice(list(self.nodes.values()))
                mask = self.random.choice(
                    [0, 0xC000, 0xC00C, 0x800000C00C00D, self.random.getrandbits(64)]
                )
                self.backing_open(node.fd, mask, self.random.choice([0, 0, 0, 1]))

    def send(self, text: bytes) -> bool:
        """Whether the kernel took it."""
        self.sent += 1
        try:
            os.write(self.fuse_fd, text)
        except OSError:
            self.refused += 1
            return False
        return True

    def herald(self) -> None:
        """Send notifications in a thread of their own: one may wait for who waits for an answer."""
        while True:
            self.send(self.news.get())

    def answer(self, request: bytes) -> None:
        """Lies first, and in the end something the kernel takes."""
        opcode, unique = IN_HEADER.unpack_from(request)[1:3]
        try:
            reply = self.handle(request)
        except (TypeError, ValueError, struct.error):  # what it has lied about comes back to it
            reply = OUT_HEADER.pack(OUT_HEADER.size, -errno.EIO, unique)
        if self.random.random() < WRONG / 3:
            self.news.put(self.notification())
        if self.random.random() < WRONG / 3:
            self.meddle()
        if reply is None:
            return
        if self.random.random() < WRONG and (opcode != INIT or self.random.random() < 0.3):
            lie = self.lie(opcode, reply)
            if self.send(lie) and lie[8:16] == reply[8:16]:
                return
        if not self.send(reply):
            self.send(OUT_HEADER.pack(OUT_HEADER.size, -errno.EIO, unique))


def options_of(variant: str, backing: str, random: Random) -> Options:
    """A server of this variant, with one choice in a few left to the dice."""
    by_entry = variant != "attach-getattr"
    inode = op(GETATTR, STATX) | (op(SETATTR) if by_entry else 0)
    rw = op(READ, WRITE) if random.random() < 0.6 else 0
    listing = op(READDIR) | (op(LOOKUP, OPENDIR) if variant == "lookup" else 0)
    timeout_s = random.choice([0.0, 0.01, 1000.0])
    return Options(
        backing, passthrough=True, ino=True, entry2=by_entry, attach_in_getattr=True,
        file_mask=rw | inode, dir_mask=inode | listing, other_mask=inode,
        open_passthrough=bool(rw), opendir_passthrough=random.random() < 0.7,
        readdirplus=random.random() < 0.5, default_permissions=True,
        entry_timeout=timeout_s, attr_timeout=timeout_s,
    )  # fmt: skip


def serve(liar: Liar, limit: int, stop: str, tell: int) -> None:
    """Answer until unmounted; beyond the limit only by errors, for clients must come to their end."""
    threading.Thread(target=liar.herald, daemon=True).start()
    while True:
        try:
            request = os.read(liar.fuse_fd, 1 << 18)
        except OSError as error:
            if error.errno == errno.ENODEV:
                break
            continue
        if liar.sent < limit:
            liar.answer(request)
            continue
        Path(stop).touch()
        unique = IN_HEADER.unpack_from(request)[2]
        liar.send(OUT_HEADER.pack(OUT_HEADER.size, -errno.EIO, unique))
    os.write(tell, json.dumps([liar.sent, liar.refused]).encode())


def mounted(variant: str, root: str) -> int:
    """The descriptor of a connection of this variant."""
    SWITCH.write_text(variant)
    fuse_fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    data = f"fd={fuse_fd},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    mount("replies", root, "fuse", data)
    return fuse_fd


def start(liar: Liar, limit: int, stop: str) -> tuple[int, int]:
    """A server in a process of its own, and where it tells its figures in the end."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        try:
            serve(liar, limit, stop, theirs)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(theirs)
    os.close(liar.fuse_fd)
    return pid, ours


def one_mount(variant: str, seed: str, limit: int) -> tuple[int, int, list[str]]:
    """Replies sent, replies refused, and what went wrong."""
    folder = tempfile.mkdtemp(prefix="replies-", dir="/run")
    backing, root, stop = (f"{folder}/{name}" for name in ("backing", "mnt", "stop"))
    os.mkdir(root)
    furnish(backing)
    random = Random(seed)
    liar = Liar(mounted(variant, root), options_of(variant, backing, random), random)
    server, figures = start(liar, limit, stop)
    clients = {client(root, f"{seed}/{n}", stop): f"client {n}" for n in range(CLIENTS)}
    wrong = reap(clients, time.monotonic() + 2 * PATIENCE_S)
    umount(root, MNT_DETACH)
    with open(figures, "rb") as pipe:
        text = pipe.read()
    if os.waitpid(server, 0)[1]:
        wrong.append("the server died")
    shutil.rmtree(folder, ignore_errors=True)
    sent, refused = json.loads(text or b"[0, 0]")
    return sent, refused, [f"{variant}, {seed}: {one}" for one in wrong]


def main(arguments: list[str] | None = None) -> int:
    """By hand, or in a guest. Returns 0, or 1 with what went wrong."""
    parser = argparse.ArgumentParser(prog="tests.vm.replies", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--variant", action="append", choices=LEVELS)
    parser.add_argument("--replies", type=int, default=10_000, help="of each variant")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    before = SWITCH.read_text()
    total, refused, wrong = 0, 0, []
    for variant in options.variant or LEVELS:
        sent, number = 0, 0
        while sent < options.replies and not wrong:
            limit = min(PER_MOUNT, options.replies - sent)
            some, more, wrong = one_mount(variant, f"{options.seed}/{number}", limit)
            sent, refused, number = sent + some, refused + more, number + 1
        total += sent
        print(f"{variant}: {sent} replies, {number} mounts", flush=True)
    SWITCH.write_text(before)
    print(f"{total} replies, {refused} of them refused", *wrong, sep="\n")
    if options.json:
        options.json.write_text(json.dumps({"replies": total, "refused": refused, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
