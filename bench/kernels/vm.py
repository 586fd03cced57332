"""Boot a kernel image in a virtual machine and run one command in it.

The guest is virtme-ng's: the host's root read-only over 9p, and one directory
shared read-write, under the same path inside and outside.  A guest that panics
or hangs costs its boot: the console is kept, qemu is killed, and the result says
what happened.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.kernels.build import kill_group
from bench.kernels.console import DIED, EXITED, judge, splats_in
from bench.kernels.images import Image
from bench.machine import isolate
from bench.model import Exit, UserError

KVM, TCG = "kvm", "tcg"
WALL, INSTRUCTIONS = "wall", "instructions"

BOOT_TIMEOUT_S = 120.0
KVM_PROBE_TIMEOUT_S = 20.0

# virtme-ng's own options of the root (virtme.commands.run), and caching: nobody writes to what a guest
# reads there. Without it every stat and open waits for the host, and Python starts in twice the time.
# The shared directory is a mount of its own, and stays uncached.
_ROOT = "rootflags=version=9p2000.L,trans=virtio,access=any,msize=524288,cache=loose"

# Linux counts ticks for a while as it boots, and panics ("IO-APIC + timer doesn't work!") if there are
# too few: on a busy host qemu gets no time to make them. Under KVM it does not look by itself.
_TIMER = "no_timer_check"

# Work of Linux's start that nothing here needs, a third of what a boot took (results/self/guest_startup.txt):
# RAID 6 times its algorithms for 16 ticks each, names of enumerations are put into the format files of
# all trace events, 512 old pseudo-terminals are made.
_WITHOUT = ("initcall_blacklist=raid6_select_algo,trace_eval_init", "pty.legacy_count=0")

# One instruction is 2 ns of guest time; time does not wait for the host.
_ICOUNT = "-icount shift=1,sleep=off"

# A process ID namespace of its own: qemu dies with the runner, however that dies. What others unmount is
# unmounted there, too: their FUSE servers would not end before the guest does.
_CAGE = ("unshare", "--pid", "--mount", "--propagation", "slave", "--fork", "--kill-child")


@dataclass(frozen=True)
class GuestResult:
    """What became of a boot.

    `exit_code` is the command's, None unless it ran to its end.  `reason` is one
    line: the panic's first, or where it stopped.  `splats` are the first lines of
    everything the kernel complained about; `came_up` says whether it reached user
    space.
    """

    outcome: str
    exit_code: int | None
    reason: str
    console: Path
    stdout: Path
    elapsed_s: float
    accelerator: str
    splats: tuple[str, ...] = ()
    came_up: bool = True

    @property
    def ok(self) -> bool:
        return self.outcome == EXITED and self.exit_code == 0


def vng() -> str:
    """The program that boots guests; raises UserError (exit 3) when it or qemu is missing."""
    beside = Path(sys.executable).with_name("vng")
    found = str(beside) if beside.exists() else shutil.which("vng")
    if not found:
        raise UserError("no virtme-ng to boot a guest with: pip install virtme-ng", Exit.NOTHING)
    if not shutil.which("qemu-system-x86_64"):
        raise UserError(
            "no qemu to boot a guest with: apt-get install qemu-system-x86", Exit.NOTHING
        )
    return found


def _argv(
    image: Image, script: str, share: Path, accelerator: str, memory_mb: int,
    cpus: int, clock: str, kernel_args: Sequence[str], disks: Sequence[Path], plugin: str,
) -> list[str]:  # fmt: skip
    argv = [
        vng(), "--run", str(image.path), "--user", "root", "--force-9p", "--verbose",
        "--cpus", str(cpus), "--memory", f"{memory_mb}M",
        "--cwd", str(share), f"--rwdir={share}={share}",
    ]  # fmt: skip
    if accelerator == TCG:
        argv.append("--disable-kvm")
    if clock == INSTRUCTIONS:
        argv.append(f"--qemu-opts={_ICOUNT} {plugin}".rstrip())
    for disk in disks:
        argv += ["--disk", str(disk)]
    for argument in (_ROOT, _TIMER, *_WITHOUT, *kernel_args):
        argv += ["--append", argument]
    return [*argv, "--exec", script]


@functools.cache
def cage() -> tuple[str, ...]:
    """What starts qemu, in namespaces of its own; the command follows.

    The guest, whose root is the host's, runs systemd-tmpfiles where there is one, a fifth of a boot,
    and needs nothing of what it makes: in the mount namespace `true` lies over it.
    """
    unwanted, nothing = shutil.which("systemd-tmpfiles"), shutil.which("true")
    if not unwanted or not nothing:
        return _CAGE
    cover = 'mount --bind "$1" "$2"; shift 2; exec "$@"'
    return (*_CAGE, "sh", "-c", cover, "sh", nothing, os.path.realpath(unwanted))


def _script(command: Sequence[str], state: Path, stdout: Path) -> str:
    """The command, between two files that tell how far the guest came.

    Its output goes to the shared folder at once: on a busy host virtme-ng does not find the ports
    it would pass it through in time, and lets it go to the console.
    """
    return (
        f"touch {shlex.quote(str(state / 'started'))}; "
        f"{shlex.join(command)} > {shlex.quote(str(stdout))}; "
        f"echo $? > {shlex.quote(str(state / 'status'))}; sync"
    )


def _read_status(state: Path) -> int | None:
    try:
        return int((state / "status").read_text())
    except (OSError, ValueError):
        return None


@dataclass
class _Watch:
    """Decides when a running guest has to be given up."""

    state: Path
    timeout_s: float
    boot_timeout_s: float
    tick: Callable[[], None]

    @property
    def came_up(self) -> bool:
        return (self.state / "started").exists()

    def verdict(self, elapsed_s: float) -> str | None:
        """Why to kill it now, None to go on."""
        if elapsed_s > self.timeout_s:
            return f"no end after {self.timeout_s:.0f} s"
        if elapsed_s > self.boot_timeout_s and not self.came_up:
            return f"no user space after {self.boot_timeout_s:.0f} s"
        return None


def _environment() -> dict[str, str]:
    """virtme-ng starts its own helpers by name: they lie beside this Python."""
    here = Path(sys.executable).parent
    return {"PATH": f"{here}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _wait(process: subprocess.Popen[bytes], watch: _Watch) -> str | None:
    """Wait for the end of qemu; the reason if it had to be killed."""
    begin = time.monotonic()
    while True:
        try:
            process.wait(0.2)
            return None
        except subprocess.TimeoutExpired:
            watch.tick()
            reason = watch.verdict(time.monotonic() - begin)
            if reason:
                return reason


def boot(
    image: Image,
    command: Sequence[str],
    *,
    share: Path,
    timeout_s: float = 600.0,
    boot_timeout_s: float | None = None,
    memory_mb: int = 1024,
    cpus: int = 1,
    clock: str = WALL,
    kernel_args: Sequence[str] = (),
    disks: Sequence[Path] = (),
    accelerator: str | None = None,
    plugin: str = "",
    label: str = "guest",
    tick: Callable[[], None] = lambda: None,
    host_cpus: Collection[int] = (),
) -> GuestResult:
    """Boot `image`, run `command` in it as root, and tell what became of it.

    `share` is seen by the guest under the same path, read-write; all else of the
    host's root is read-only.  The logs are `<label>.console` and `<label>.stdout`
    in it.  `boot_timeout_s` is BOOT_TIMEOUT_S by default.  `clock` INSTRUCTIONS makes
    guest time executed instructions, on one CPU and without KVM.  `accelerator` None
    takes what `accelerator_for` finds.  `plugin` is qemu's option that loads one, on the
    instruction clock only.  `tick` is called five times a second.  `host_cpus` are those qemu
    may run on, empty: any.  Raises UserError if virtme-ng or qemu is missing, or for an
    impossible wish.
    """
    if clock not in (WALL, INSTRUCTIONS):
        raise UserError(f"no clock {clock!r}: choose {WALL} or {INSTRUCTIONS}")
    if clock == INSTRUCTIONS:
        if cpus != 1:
            raise UserError(f"the instruction clock needs one CPU, not {cpus}")
        accelerator = TCG
    accelerator = accelerator or accelerator_for(image)[0]
    share = share.resolve()
    if re.search(r"[=,\s]", str(share)):
        raise UserError(f"qemu cannot share a directory with = , or blanks in its path: {share}")
    state = share / f".{label}.state"
    console, stdout = share / f"{label}.console", share / f"{label}.stdout"
    argv = _argv(
        image, _script(command, state, stdout), share, accelerator, memory_mb, cpus, clock,
        kernel_args, disks, plugin,
    )  # fmt: skip
    watch = _Watch(state, timeout_s, boot_timeout_s or BOOT_TIMEOUT_S, tick)
    result = _boot_once(argv, watch, console, stdout, accelerator, host_cpus)
    if result.outcome == DIED and not result.came_up:
        # qemu's own doing: 7.2 was seen to crash under TCG while it sets up PCI, rarely.
        result = _boot_once(argv, watch, console, stdout, accelerator, host_cpus)
    return result


def _boot_once(
    argv: Sequence[str], watch: _Watch, console: Path, stdout: Path, accelerator: str,
    host_cpus: Collection[int],
) -> GuestResult:  # fmt: skip
    shutil.rmtree(watch.state, ignore_errors=True)
    watch.state.mkdir(parents=True)
    begin = time.monotonic()
    stdout.write_bytes(b"")
    with console.open("wb") as log:
        process = isolate.start(
            [*cage(), *argv],
            cpus=host_cpus,
            stdout=log,
            stderr=log,
            environment=_environment(),
            cwd="/",
            session=True,
        )
        try:
            killed = _wait(process, watch)
        finally:
            # also after a normal end: nothing of its session may stay behind
            kill_group(process)
    text = console.read_text(errors="replace")
    outcome, code, reason = judge(killed, _read_status(watch.state), text)
    came_up = watch.came_up
    shutil.rmtree(watch.state, ignore_errors=True)
    return GuestResult(
        outcome, code, reason, console, stdout,
        round(time.monotonic() - begin, 2), accelerator, splats_in(text), came_up,
    )  # fmt: skip


@functools.cache
def accelerator_for(image: Image, timeout_s: float = KVM_PROBE_TIMEOUT_S) -> tuple[str, str]:
    """KVM if `image` boots with it within `timeout_s`, else TCG; and why.

    A /dev/kvm that exists proves nothing: some hang with a stock kernel.
    """
    import tempfile

    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return TCG, "no access to /dev/kvm"
    with tempfile.TemporaryDirectory(prefix="bench-kvm-") as share:
        result = boot(
            image, ["true"], share=Path(share), timeout_s=timeout_s,
            boot_timeout_s=timeout_s, accelerator=KVM,
        )  # fmt: skip
    if result.ok:
        return KVM, "a probe boot succeeded"
    return TCG, f"probe boot with kvm: {result.reason}"
