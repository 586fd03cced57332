"""What one FUSE request costs, by measurement: from the stacks of a profile, not from differences of rows.

The client's part is all that is called by the function that sends requests of an opcode, the
caller's waiting included; the server's is what the C server does for it, and an equal share of what
it does for every request: reading it, writing the reply, going to sleep and waking the client.

What would stay of it, were it passed through, is in the same stacks: what the client does with the answer,
and what the server asks of the file system beneath.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.profile import subsystems
from bench.profile.fold import Stack, StackOwner
from bench.profile.store import Profile

SENDERS: Mapping[str, str] = {
    "fuse_do_getattr": "GETATTR",
    "fuse_do_statx": "STATX",
    "fuse_lookup_name": "LOOKUP",
    "fuse_dentry_revalidate": "LOOKUP",
    "fuse_readdir_uncached": "READDIR",
    "fuse_send_open": "OPEN",
    "fuse_file_open": "OPEN",
    "fuse_access": "ACCESS",
    "fuse_flush": "FLUSH",
    "fuse_file_put": "RELEASE",
    "fuse_file_release": "RELEASE",
}
"""Functions of the kernel that send a request, and what they send."""
ALIKE = {"READDIRPLUS": "READDIR", "OPENDIR": "OPEN", "RELEASEDIR": "RELEASE"}
"""Opcodes that the kernel sends by the same function as another."""
SERVES = "mirror:op_"
LISTS = "mirror:reply_listing"
"""What the C server's op_readdir and op_readdirplus end in: a jump, so that neither is on the stack."""
SENDING = ("__fuse_simple_request", "fuse_simple_request", "fuse_simple_background")
"""Functions under which a request waits for its answer."""
EMITS = ("filldir", "filldir64")
"""What hands an entry to whoever lists: twice with a server, its own and the client's."""
BENEATH: Mapping[str, tuple[str, ...]] = {
    "GETATTR": ("vfs_fstat", "vfs_getattr", "vfs_getattr_nosec"),
    "STATX": ("vfs_fstat", "vfs_getattr", "vfs_getattr_nosec"),
    "LOOKUP": ("path_openat", "path_lookupat", "filename_lookup"),
    "READDIR": ("iterate_dir",),
    "OPEN": ("do_filp_open",),
}
"""What of a server's system calls a passthrough does as well, by opcode."""


@dataclass(frozen=True)
class RequestProfile:
    """Instructions of one request of an opcode, by subsystem, on either side."""

    opcode: str
    per_op: float
    """How many of them an operation of the row makes."""
    client: Mapping[str, float]
    server: Mapping[str, float]
    stays: float = 0.0
    """Instructions of one that a kernel spends, too, which answers by itself; attaching is not in them."""

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.client.values()) + sum(self.server.values())


def measured(profile: Profile, requests: Mapping[str, float]) -> list[RequestProfile]:
    """The cost of each opcode of a row; ``requests`` are those per operation, by opcode."""
    sent = {opcode: count for opcode, count in requests.items() if count > 0}
    client: dict[str, dict[str, float]] = {opcode: {} for opcode in sent}
    server: dict[str, dict[str, float]] = {opcode: {} for opcode in sent}
    stays = dict.fromkeys(sent, 0.0)
    whole = sum(sent.values())
    for stack, count in profile.folded.items():
        part = subsystems.of_stack(stack).value
        per_op = count / profile.ops
        if stack[0] == StackOwner.SERVER:
            for opcode, share in _served(stack, sent, whole).items():
                _add(server[opcode], part, per_op * share)
                stays[opcode] += per_op * share if _beneath(stack, opcode) else 0.0
        elif stack[0] == StackOwner.CLIENT and (sender := _sent(stack, sent)):
            _add(client[sender], part, per_op)
            stays[sender] += per_op if _of_the_answer(stack, sender) else 0.0
    return [
        RequestProfile(
            opcode,
            count,
            {part: value / count for part, value in client[opcode].items()},
            {part: value / count for part, value in server[opcode].items()},
            stays[opcode] / count,
        )
        for opcode, count in sorted(sent.items(), key=lambda item: -item[1])
    ]


def _add(sums: dict[str, float], part: str, value: float) -> None:
    sums[part] = sums.get(part, 0.0) + value


def _sent(stack: Stack, sent: Mapping[str, float]) -> str | None:
    """The opcode that a client's stack is about; None for what no request is behind."""
    for name in stack:
        if (kind := SENDERS.get(name)) is not None:
            return next((one for one in sent if ALIKE.get(one, one) == kind), None)
    return None


def _served(stack: Stack, sent: Mapping[str, float], whole: float) -> dict[str, float]:
    """Whose a server's stack is: one opcode's, or everybody's by number."""
    for name in stack:
        if name.startswith(SERVES):
            opcode = name.removeprefix(SERVES).partition(".")[0].upper()
            if opcode in sent:
                return {opcode: 1.0}
        listing = next((one for one in ("READDIRPLUS", "READDIR") if one in sent), None)
        if name.startswith(LISTS) and listing:
            return {listing: 1.0}
    return {opcode: count / whole for opcode, count in sent.items()}


def _beneath(stack: Stack, opcode: str) -> bool:
    """Whether a server's stack is what a passthrough asks of the backing file system, too."""
    wanted = BENEATH.get(ALIKE.get(opcode, opcode), ())
    return any(name in wanted for name in stack) and not any(name in EMITS for name in stack)


def _of_the_answer(stack: Stack, opcode: str) -> bool:
    """Whether a client's stack is there without a request: of a listing, entries handed on."""
    if ALIKE.get(opcode, opcode) == "READDIR":
        return any(name in EMITS for name in stack)
    return not any(name.startswith(SENDING) for name in stack)
