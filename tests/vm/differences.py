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


KNOWN: tuple[Known, ...] = (
    Known(
        "a plain mirror with long timeouts answers from the kernel's cache",
        lambda case: _mirror(case) and case.party.long,
    ),
    Known(
        "ACLs are stored, not enforced, by a server without FUSE_POSIX_ACL (README)",
        lambda case: _with_acl(case),
    ),
)


def documented(case: Case) -> str:
    """The reason why this may differ, or an empty string."""
    return next((known.reason for known in KNOWN if known.applies(case)), "")


_ = (do, calls)
