"""What an ordinary user's run goes without: which targets are left out, and the one line about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from bench.machine import own, userns
from bench.machine.userns import Mounter, Standing
from bench.model import Daemon, Exit, Level, UserError
from bench.mounts.backing import DROP_CACHES
from bench.plan.settings import Settings
from bench.probe.decide import KernelAbility


@dataclass(frozen=True)
class Withheld:
    """What is not to be had here for want of privilege, or of a tracepoint; each says why, or is empty."""

    passthrough: str = ""
    kernel_mounts: str = ""
    """Mounts of anything but FUSE."""
    counts: str = ""
    """Requests counted by the kernel, which servers without counters of their own need."""

    def of(self, daemon: Daemon, asked: Level) -> str:
        """Why a target cannot be measured; empty where it can."""
        if daemon.in_kernel:
            return self.kernel_mounts
        if self.passthrough and Level.NONE not in (asked, daemon.levels[-1]):
            return self.passthrough
        return self.counts if daemon.is_fuse and not daemon.has_counters else ""


def withheld(ability: KernelAbility) -> Withheld:
    """What a run with this ability goes without."""
    mounter = ability.standing.mounter
    counted = _no_tracepoint(ability)
    return Withheld(
        passthrough=""
        if mounter is Mounter.ROOT
        else "passes nothing through: registering backing files needs root (CAP_SYS_ADMIN)",
        kernel_mounts="needs root, or a user namespace" if mounter is Mounter.FUSERMOUNT else "",
        counts=f"its requests cannot be counted, as it has no counters of ours: {counted}"
        if counted
        else "",
    )


def refuse(settings: Settings) -> None:
    """Raises UserError (exit 3) for what only root can do of a run, before anything is touched."""
    if settings.tune and not (own.ROOT and userns.initial()):
        raise UserError("--tune sets the machine's knobs: run as root", Exit.NOTHING)
    if settings.cost and not os.access(DROP_CACHES, os.W_OK):
        raise UserError("--cost drops the machine's caches: run as root", Exit.NOTHING)


def line(ability: KernelAbility, latency: str) -> str:
    """What is done in the place of what root would do, and what root would add; empty for root.

    Of root alone, that no tracepoint is there to count with.
    """
    standing, uncounted = ability.standing, _no_tracepoint(ability)
    if standing.mounter is Mounter.ROOT:
        said = uncounted.removeprefix("not available: ")
        return f"requests are counted by our servers alone: {said}" if uncounted else ""
    how = _how(standing) + (", requests counted by our servers alone" if uncounted else "")
    who = "not root" if own.USER else "root without CAP_SYS_ADMIN"
    return f"{who}: {how}; root would add {', '.join(_added(ability, latency))}"


def _how(standing: Standing) -> str:
    if standing.mounter is Mounter.NAMESPACE:
        return "mounted in a user namespace of its own"
    return f"mounted by fusermount3, as there is no user namespace ({standing.why})"


def _added(ability: KernelAbility, latency: str) -> Iterator[str]:
    """What root would have here, as far as that can be known without."""
    flags = ability.facts.get("fuse_flags")
    if isinstance(flags, list) and "FUSE_PASSTHROUGH" in flags:
        yield "passthrough"
    if ability.standing.mounter is Mounter.FUSERMOUNT:
        yield "overlayfs and bind mounts"
    if _no_tracepoint(ability):
        yield "the kernel's counts (other servers need them, and --attribution)"
    if not os.access(DROP_CACHES, os.W_OK):
        yield "cold-all and --cost"
    if latency.startswith("not held"):
        yield "CPUs kept awake (cpu_dma_latency)"
    yield "files reopened by handle (our servers keep every inode open)"
    yield "--tune"


def _no_tracepoint(ability: KernelAbility) -> str:
    """Why requests cannot be counted in the kernel; empty where they can."""
    said = str(ability.facts.get("tracepoint", "available"))
    return "" if said == "available" else said
