"""What a probe tells beside the level: tracepoint, io_uring, libfuse, KVM, stacking depth."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from bench.machine import syscalls
from bench.probe import abi
from bench.probe.decide import Observations, errno_name

ENABLE_URING = Path("/sys/module/fuse/parameters/enable_uring")


def machine_facts(seen: Observations) -> dict[str, object]:
    """What else decides a measurement here, by name; texts say what is missing and why."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "kernel": os.uname().release,
        **({"lab_kernel_variant": seen.lab_switch} if seen.lab_switch else {}),
        "fuse_protocol": f"7.{seen.minor}" if seen.minor else "unknown",
        "fuse_flags": list(abi.flag_names(seen.offered)),
        "max_stack_depth": _stack_depth(seen),
        "tracepoint": tracepoint(),
        "cpu_dma_latency": _writable(Path("/dev/cpu_dma_latency")),
        "fuse_io_uring": io_uring(seen.offered),
        "kvm": kvm(),
        "libfuse": libfuse(),
        "open_files": {"soft": soft, "hard": hard},
    }


def _stack_depth(seen: Observations) -> str:
    # fs/fuse/inode.c, process_init_reply: 1 to FILESYSTEM_MAX_STACK_DEPTH (2, include/linux/fs.h).
    if seen.backing != 0:
        return "unknown: passthrough is off"
    return "1 accepted; the kernel's limit is 2"


def tracepoint() -> str:
    """``available`` or why fuse:fuse_request_send cannot be used."""
    try:
        tracefs = syscalls.detached_mount("tracefs")
    except OSError as error:
        return f"not available: no tracefs ({errno_name(error.errno)})"
    try:
        os.stat("events/fuse/fuse_request_send", dir_fd=tracefs)
    except OSError:
        return "not available: fuse:fuse_request_send came with Linux 6.12 (and needs FTRACE)"
    finally:
        os.close(tracefs)
    return "available"


def io_uring(offered: int) -> str:
    """State of FUSE over io_uring: offered, or what turns it on."""
    if offered & abi.FUSE_OVER_IO_URING:
        return "offered"
    try:
        state = ENABLE_URING.read_text().strip()
    except OSError:
        return "not in this kernel (CONFIG_FUSE_IO_URING, Linux 6.14)"
    if state == "Y":
        return "not offered, although enable_uring is Y"
    return f"not offered: enable_uring is {state}: echo 1 > {ENABLE_URING}"


def libfuse() -> str:
    """Which fusermount3 is installed; Debian's package fuse3 supplies it."""
    for directory in os.get_exec_path():  # shutil.which, without the 5 ms of importing it
        if os.access(Path(directory, "fusermount3"), os.X_OK):
            return "fusermount3 found"
    return "no fusermount3: apt install fuse3"


def kvm() -> str:
    """Whether /dev/kvm opens; that a guest then boots is another matter and is not tried here."""
    state = _writable(Path("/dev/kvm"))
    return "opens (no guest was tried)" if state == "available" else state


def _writable(path: Path) -> str:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        return f"not available: {errno_name(error.errno)}"
    return "available"
