"""What a guest's console tells: how its boot ended, and what its kernel complained about."""

from __future__ import annotations

import re

# Outcomes of a boot
EXITED = "exited"  # the command ran to its end, whatever its exit code
PANICKED = "panicked"
HUNG = "hung"  # no end within the time, or no user space
DIED = "died"  # qemu ended before the command did

_PANIC = re.compile(r"Kernel panic - not syncing: .*")
_SPLAT = re.compile(
    r"BUG: .*|WARNING: .*|Oops: .*|general protection fault.*|INFO: task .* blocked.*|"
    r"INFO: rcu.*detected.*|possible (?:recursive|circular) locking.*|"
    r"suspicious RCU usage.*|UBSAN: .*|unreferenced object .*"
)
# mm/oom_kill.c; the second when there is nobody left to kill, the third of an allocation that may
# not kill, as the kernel itself makes while it boots.
_OOM = re.compile(
    r"Out of memory(?: \(oom_kill_allocating_task\))?: Killed process \d+ \([^)]*\)|"
    r"System is deadlocked on memory|Out of memory: compulsory .*|"
    r"Out of memory and no killable processes.*|\S+: page allocation failure: order:\d+"
)
# init/do_mounts.c: mount_root_generic and prepare_namespace, whatever keeps the root from mounting.
_NO_ROOT = re.compile(r"VFS: Unable to mount root fs.*")
_TIMESTAMP = re.compile(r"^\[\s*\d+\.\d+\]\s*(?:\[[^]]*\]\s*)?")

MORE_MEMORY = "give the guest more with --memory"
NEEDS_9P = (
    "a guest's root comes over 9p: the kernel needs CONFIG_NET_9P, CONFIG_NET_9P_VIRTIO, "
    "CONFIG_9P_FS and CONFIG_VIRTIO_PCI built in"
)


def panic_line(console: str) -> str | None:
    """The first line of a panic, without the time."""
    return _first(_PANIC, console)


def oom_line(console: str) -> str | None:
    """The first line that says the guest's memory did not suffice, without the time."""
    return _first(_OOM, console)


def want_of_memory(console: str) -> str:
    """What the kernel said of memory that did not suffice, with the option that helps; empty if nothing."""
    line = oom_line(console)
    return f"guest out of memory: {line}; {MORE_MEMORY}" if line else ""


def splats_in(console: str) -> tuple[str, ...]:
    """First lines of warnings, lockdep and KASAN reports and the like."""
    lines = (_TIMESTAMP.sub("", line) for line in console.splitlines())
    return tuple(line.strip() for line in lines if _SPLAT.match(line))


def judge(killed: str | None, status: int | None, console: str) -> tuple[str, int | None, str]:
    """(outcome, exit code, reason in one line) of a boot.

    ``killed`` says why qemu was killed, None if it ended by itself; ``status`` is the command's
    exit code, None if it did not get to its end.
    """
    outcome, reason = _ending(killed, status, console)
    oom = oom_line(console)
    if oom and (outcome, status) != (EXITED, 0):
        told = reason if oom in reason else f"{oom}; {reason}"
        reason = f"guest out of memory: {told}; {MORE_MEMORY}"
    return outcome, status if outcome == EXITED else None, reason


def _ending(killed: str | None, status: int | None, console: str) -> tuple[str, str]:
    panic = panic_line(console)
    if panic:
        return PANICKED, f"{panic}: {NEEDS_9P}" if _NO_ROOT.search(panic) else panic
    if killed:
        return HUNG, f"{killed}; last on the console: {last_line(console)}"
    if status is None:
        return DIED, f"guest ended early: {last_line(console)}"
    return EXITED, f"exit code {status}"


def last_line(text: str) -> str:
    """The last line with something on it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output at all"


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found.group(0).strip() if found else None
