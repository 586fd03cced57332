"""Where the start of an emulated guest goes, with and without what nothing here needs.

    python results/self/guest_startup.py [KERNEL [BOOTS]]

Boots KERNEL (default: lab) on the instruction clock, in turn as it is booted and with all that the
suite leaves out: RAID 6's timing, names in trace events' format files, old pseudo-terminals,
systemd-tmpfiles. Seconds are those of a CPU, which another job beside it changes less than a clock
on the wall; medians of BOOTS (default: 3). Writes guest_startup.txt beside this file.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.kernels import images, vm

HERE = Path(__file__).resolve().parent
BAR_S = 5.0
TICKS = os.sysconf("SC_CLK_TCK")
STAGES = (
    "virtme-ng, qemu, firmware, decompression",
    "kernel until its first message of raid6 or PCI",
    "kernel until init",
    "init until the command",
    "the command (true) and power off",
    "a Python that does nothing",
    "imports of a boot's work",
)
IMPORTS = "; ".join(
    [
        "from bench.guests import inside",
        "from bench.plan.settings import Settings",
        "from bench.run import workers",
        "workers.preload()",
        "inside.preload_daemons(Settings(daemons=('passthrough-c',), only=True))",
    ]
)


def descendants_cpu_s() -> float:
    """CPU seconds of everything this process started, so far."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            used[int(entry.name)] = sum(map(int, fields[11:15])) / TICKS

    def ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return sum(seconds for pid, seconds in used.items() if ours(pid))


class Watch(threading.Thread):
    """Notes the CPU time at which each marker is first seen."""

    def __init__(self, share: Path) -> None:
        super().__init__(daemon=True)
        self.share, self.at, self.over = share, {}, threading.Event()

    def run(self) -> None:
        """Look every 10 ms."""
        while not self.over.wait(0.01):
            console = self.share / "guest.console"
            text = console.read_text(errors="replace") if console.exists() else ""
            seen = {
                "linux": "Linux version" in text,
                "devices": "raid6: avx2x4" in text or "PCI: ECAM" in text,
                "init": "] Run /" in text,
                "started": (self.share / ".guest.state" / "started").exists(),
                **{name: (self.share / name).exists() for name in ("m1", "m2", "m3")},
            }
            for name, there in seen.items():
                if there and name not in self.at:
                    self.at[name] = descendants_cpu_s()


def boot(image: images.Image, command: list[str]) -> tuple[dict[str, float], float]:
    """CPU seconds at each marker, and of the whole boot."""
    with tempfile.TemporaryDirectory(prefix="bench-startup-") as folder:
        watch = Watch(Path(folder))
        watch.start()
        before = os.times()
        result = vm.boot(image, command, share=Path(folder), clock=vm.INSTRUCTIONS, timeout_s=120)
        after = os.times()
        watch.over.set()
        watch.join()
        if not result.ok:
            sys.exit(f"guest {result.outcome}: {result.reason}")
    spent = after.children_user + after.children_system
    return watch.at, spent - before.children_user - before.children_system


def stages(image: images.Image) -> list[float]:
    """CPU seconds of each stage of a boot of `true`, and of Python's in another."""
    at, total = boot(image, ["true"])
    ends = [at["linux"], at["devices"], at["init"], at["started"], total]
    python = (
        f"cd {vm.shlex.quote(str(HERE))}; touch $0/m1; {sys.executable} -c pass; touch $0/m2; "
        f'{sys.executable} -c "{IMPORTS}"; touch $0/m3'
    )
    share_is_cwd = ["sh", "-c", 'exec sh -c "$1" "$PWD"', "sh", python]
    marks, _ = boot(image, share_is_cwd)
    return [
        *(end - begin for begin, end in zip([0.0, *ends[:-1]], ends, strict=True)),
        marks["m2"] - marks["m1"],
        marks["m3"] - marks["m2"],
    ]


def without_shortcuts() -> None:
    """Boot as if nothing were left out."""
    vm._WITHOUT = ()
    vm._cage = lambda: vm._CAGE


def main() -> int:
    """Boot in turn, print, write."""
    name = sys.argv[1] if len(sys.argv) > 1 else "lab"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    image = images.locate(name)
    ours = vm._WITHOUT, vm._cage
    before: list[list[float]] = []
    after: list[list[float]] = []
    begin = time.monotonic()
    for _ in range(count):
        without_shortcuts()
        before.append(stages(image))
        vm._WITHOUT, vm._cage = ours
        after.append(stages(image))
    lines = [
        f"$ python results/self/guest_startup.py {name} {count}",
        f"CPU seconds, medians of {count} boots each, in turn",
        "",
        f"{'':50}{'all':>7}{'ours':>7}{'ratio':>7}",
    ]
    old, new = (
        [statistics.median(one) for one in zip(*runs, strict=True)] for runs in (before, after)
    )
    for title, was, now in zip(STAGES, old, new, strict=True):
        lines.append(f"{title:50}{was:7.2f}{now:7.2f}{now / was if was else 1:7.2f}")
    was, now = sum(old[:5]), sum(new[:5])
    verdict = "met" if now < BAR_S else "missed"
    lines.insert(-2, f"{'a boot of true':50}{was:7.2f}{now:7.2f}{now / was:7.2f}")
    lines += ["", f"bar: a boot below {BAR_S:g} s: {verdict}"]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    print(f"{time.monotonic() - begin:.0f} s", file=sys.stderr)
    (HERE / "guest_startup.txt").write_text(text)
    return 0 if now < BAR_S else 1


if __name__ == "__main__":
    sys.exit(main())
