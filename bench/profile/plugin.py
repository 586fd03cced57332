"""The plugin on the host's side: whether this qemu loads it, and the option that does."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

PLUGIN = Path(__file__).with_name("_native") / "profiler.so"
QEMU = "qemu-system-x86_64"
TRIAL_S = 20.0


def option(folder: Path) -> str:
    """qemu's option that loads the plugin, which writes its windows to ``folder``."""
    return f"-plugin {PLUGIN},out={folder}"


@cache
def why_not(plugin: Path = PLUGIN, qemu: str = QEMU) -> str:
    """Why there can be no profiles here, in one line; "" where there can: found by loading it."""
    if not plugin.exists():
        return f"{plugin.name} has not been built: make setup"
    with tempfile.TemporaryDirectory(prefix="bench-plugin-") as folder:
        argv = [qemu, "-machine", "none", "-nodefaults", "-display", "none", "-monitor", "stdio"]
        argv += ["-accel", "tcg", "-plugin", f"{plugin},out={folder}"]
        try:
            done = subprocess.run(
                argv, input="quit\n", capture_output=True, text=True, timeout=TRIAL_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{qemu} does not start: {error}"
    if done.returncode == 0:
        return ""
    words = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
    if "invalid option" in words[0]:
        return f"{qemu} was built without plugins (--enable-plugins)"
    return f"{qemu} does not load {plugin.name}: {words[-1].removeprefix(f'{qemu}: ')}"
