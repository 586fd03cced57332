"""What a sequence may show and is documented: one table, each entry with its reason.

An entry says of which parties it speaks. The party leaves the sequence there, as its state may no
longer be the native one. Nothing else may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.mount import operations as do
from tests.vm import calls
from tests.vm.alphabet import BELOW, Step
from tests.vm.parties import MIRROR, Party


@dataclass(frozen=True)
class Case:
    """A difference: the last of ``steps`` answered ``got`` where ``native`` was right."""

    party: Party
    steps: tuple[Step, ...]
    native: object
    got: object
    plain: object
    """What the plain mirror with the same timeouts answered, None if it had left."""

    @property
    def step(self) -> Step:
        return self.steps[-1]

    def changed(self, *wanted: Callable[..., object]) -> bool:
        """Whether one of these calls was made underneath before."""
        return any(step.where == BELOW and step.call in wanted for step in self.steps)


@dataclass(frozen=True)
class Known:
    """One documented difference."""

    reason: str
    applies: Callable[[Case], bool]


def _mirror(case: Case) -> bool:
    return case.party.name == MIRROR


def _with_acl(case: Case) -> bool:
    return any(b"system.posix_acl_access" in step.arguments for step in case.steps)


def _marked(case: Case) -> bool:
    """EPERM becomes another error, never a success, but for access(2)."""
    refused = case.native == "EPERM" and isinstance(case.got, str) and case.got[0] == "E"
    return case.changed(calls.mark) and (refused or case.step.call is do.may)


def _by_descriptor(case: Case) -> bool:
    calls_open = (do.chmod_open, do.chown_open, do.set_times_open, do.truncate_open)
    return any(step.call in calls_open for step in case.steps)


def _made_and_not_asked_for(case: Case) -> bool:
    """Inodes that came with a reply to MKNOD or CREATE, which attaches at the levels above only."""
    by_getattr = case.party.name == "attach-getattr" and case.party.long
    return by_getattr and any(step.makes for step in case.steps)


KNOWN: tuple[Known, ...] = (
    Known(
        "a plain mirror with long timeouts answers from the kernel's cache",
        lambda case: _mirror(case) and case.party.long,
    ),
    Known(
        "ACLs are stored, not enforced, by a server without FUSE_POSIX_ACL",
        lambda case: not case.party.is_lookup and _with_acl(case),
    ),
    Known(
        "chattr's marks are not known to FUSE's inode (fuse_attr has no field): an error that the VFS"
        " finds there comes before the server's or the backing's EPERM, and access(2) does not ask",
        _marked,
    ),
    Known(
        "at attach-getattr a reply to GETATTR attaches, and none is sent while the attributes of an entry"
        " that was made through the mount are valid",
        _made_and_not_asked_for,
    ),
    Known(
        "fchmod and the like of a plain mirror are checked against the attributes that the last reply"
        " left in the inode (fs/fuse/dir.c, fuse_do_setattr)",
        lambda case: _mirror(case) and _by_descriptor(case),
    ),
)


def documented(case: Case) -> str:
    """The reason why this may differ, or an empty string."""
    return next((known.reason for known in KNOWN if known.applies(case)), "")
