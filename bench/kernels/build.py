"""Builds a kernel image: source, patches, configuration, compiler; one image at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.kernels.images import Image, cache_dir, load_entry
from bench.kernels.recipe import LAB, Recipe, key_of, recipe, sha256_of
from bench.model import UserError

BASE_CONFIG = "tinyconfig"
GONE_S = 5.0
"""Longer than the end of a killed process takes; zombies nobody waits for are not waited for either."""
_TOOLS = {
    "make": "make",
    "gcc": "gcc",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "patch": "patch",
}
_HEADERS = {"/usr/include/gelf.h": "libelf-dev", "/usr/include/openssl/ssl.h": "libssl-dev"}
# The same build on two machines shall be the same image.
_REPRODUCIBLE = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "bench",
    "KBUILD_BUILD_HOST": "lab",
    "LC_ALL": "C",
}
_ERROR = re.compile(
    r"\b(?:fatal )?error: |undefined reference|^ERROR: |\*\*\* |hunks? FAILED|No such file|"
    r"can't find file to patch|malformed patch|No space left|internal compiler error|^tar: ",
    re.IGNORECASE | re.MULTILINE,
)
_HUNK = re.compile(r"Hunk #(\d+) FAILED at (\d+)")
_STEP = re.compile(r"^  (?:CC|AS|HOSTCC|LD|AR)\s", re.MULTILINE)


@dataclass(frozen=True)
class BuildProgress:
    """How far a build is: `steps` compiled or linked so far, `elapsed_s` seconds."""

    stage: str
    steps: int
    elapsed_s: float


ProgressFunction = Callable[[BuildProgress], None]


def _no_progress(progress: BuildProgress) -> None:
    pass


class _Log:
    """Runs commands with their output in one file, and tells how far they are."""

    def __init__(self, path: Path, progress: ProgressFunction) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("w", errors="replace")
        self._progress = progress
        self._begin = time.monotonic()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._begin

    def close(self) -> None:
        self._file.close()

    def stage(self, name: str, steps: int = 0) -> None:
        self._progress(BuildProgress(name, steps, self.elapsed_s()))

    def run(self, stage: str, argv: Sequence[str], cwd: Path) -> None:
        """Run to the end, or kill what was started when interrupted.

        Raises UserError with the first real error and the path of the log.
        """
        self._file.write(f"+ {' '.join(argv)}\n")
        self._file.flush()
        begin = self._file.tell()
        process = subprocess.Popen(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=self._file,
            stderr=subprocess.STDOUT, env={**os.environ, **_REPRODUCIBLE},
            start_new_session=True,
        )  # fmt: skip
        try:
            while True:
                try:
                    code = process.wait(1.0)
                    break
                except subprocess.TimeoutExpired:
                    self.stage(stage, len(_STEP.findall(self._since(begin))))
        except BaseException:
            kill_group(process)
            raise
        if code:
            raise UserError(f"{stage}: {self._first_error(begin)}; log: {self.path}")
        self.stage(stage, len(_STEP.findall(self._since(begin))))

    def _since(self, begin: int) -> str:
        with self.path.open("rb") as file:
            file.seek(begin)
            return file.read().decode(errors="replace")

    def _first_error(self, begin: int) -> str:
        text = self._since(begin)
        if hunk := _failed_hunk(text):
            return hunk
        for line in text.splitlines():
            if _ERROR.search(line):
                return line.strip()
        lines = [line for line in text.splitlines() if line.strip()]
        return lines[-1].strip() if lines else "failed without a message"


def _failed_hunk(text: str) -> str:
    """The first hunk that patch(1) could not apply, with its file; "" if it applied all."""
    file = ""
    for line in text.splitlines():
        if line.startswith("patching file "):
            file = line.removeprefix("patching file ").strip("'")
        elif found := _HUNK.match(line):
            return f"{file}: hunk {found[1]} at line {found[2]} does not apply"
    return ""


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session of its own, with its children, and see them gone.

    Who started it is told of its own end alone: a qemu with much memory closes its files later.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + GONE_S
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(process.pid, 0)
            time.sleep(0.01)


def _check_tools() -> None:
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    missing += [package for path, package in _HEADERS.items() if not Path(path).exists()]
    if missing:
        raise UserError("cannot build a kernel without: apt-get install " + " ".join(missing))


def _prepare_source(what: Recipe, work: Path, log: _Log) -> Path:
    """The tree to build: one's own, or one extracted or copied to be patched."""
    if what.source.is_dir():
        _require_kernel_tree(what.source, what)
    if what.source.is_dir() and not what.patches:
        return what.source
    tree = work / "source"
    tree.mkdir()
    if what.source.is_dir():
        log.run("copy source", ["cp", "-a", "--reflink=auto", f"{what.source}/.", "."], tree)
    else:
        log.run(
            "extract source",
            ["tar", "xf", str(what.source), "--strip-components=1"],
            tree,
        )
    _require_kernel_tree(tree, what)
    for patch in what.patches:
        argv = ["patch", "-p1", "--forward", "--batch", "--no-backup-if-mismatch", "-i"]
        log.run(f"apply {patch.name}", [*argv, str(patch)], tree)
    return tree


def _require_kernel_tree(tree: Path, what: Recipe) -> None:
    if not (tree / "Kbuild").exists():
        raise UserError(f"not a kernel source tree: {what.source}")


_OPTION = re.compile(r"^(CONFIG_\w+)=(.*)$", re.MULTILINE)


def _check_config(fragments: Sequence[Path], config: Path) -> None:
    """Options that silently did not make it are the mistakes one looks for longest."""
    got = dict(_OPTION.findall(config.read_text()))
    wanted: dict[str, str] = {}
    for fragment in fragments:
        wanted.update(_OPTION.findall(fragment.read_text()))
    lost = [
        f"{option}={value}" for option, value in wanted.items() if got.get(option, "n") != value
    ]
    if lost:
        raise UserError(
            f"this kernel's Kconfig does not accept {', '.join(sorted(lost))}: "
            "a dependency is missing in the configuration fragment, or the option is gone"
        )


def _configure(what: Recipe, tree: Path, out: Path, log: _Log) -> None:
    make = ["make", "-C", str(tree), f"O={out}"]
    log.run("configure", [*make, BASE_CONFIG], tree)
    merge = ["scripts/kconfig/merge_config.sh", "-m", "-O", str(out), str(out / ".config")]
    log.run("configure", merge + [str(path) for path in what.config], tree)
    log.run("configure", [*make, "olddefconfig"], tree)
    _check_config(what.config, out / ".config")


def _compile(tree: Path, out: Path, jobs: int, log: _Log) -> None:
    argv = ["make", "-C", str(tree), f"O={out}", f"-j{jobs}", "bzImage"]
    log.run("compile", argv, tree)


def _publish(what: Recipe, key: str, out: Path, work: Path, log: _Log) -> Image:
    """Make the entry appear at once, by rename."""
    entry = work / "entry"
    entry.mkdir()
    shutil.copy2(out / "arch/x86/boot/bzImage", entry / "bzImage")
    shutil.copy2(out / ".config", entry / "config")
    image = Image(
        name=what.name,
        path=entry / "bzImage",
        key=key,
        release=(out / "include/config/kernel.release").read_text().strip(),
        config_sha256=sha256_of(out / ".config"),
        patches=tuple(patch.name for patch in what.patches),
        build_s=round(log.elapsed_s(), 1),
    )
    facts = asdict(image)
    del facts["path"]
    (entry / "build.json").write_text(json.dumps(facts, indent=1) + "\n")
    shutil.copy2(log.path, entry / "build.log")
    final = _entry_path(what, key)
    try:
        entry.rename(final)
    except OSError:  # somebody else was faster, with the same content
        if not load_entry(final):
            raise
    found = load_entry(final)
    assert found
    return found


def _entry_path(what: Recipe, key: str) -> Path:
    return cache_dir() / f"{what.name}-{key}"


@contextlib.contextmanager
def _work_dir(key: str) -> Iterator[Path]:
    """A directory on the file system of the cache, gone afterwards in any case."""
    work = cache_dir() / f".build-{key}-{os.getpid()}"
    try:
        work.mkdir(parents=True)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _alone(progress: ProgressFunction) -> Iterator[None]:
    """Hold the right to build; whoever else wants to waits, and may find the image built.

    Two builds side by side take twice as long, each, and often are of the same image.
    """
    cache_dir().mkdir(parents=True, exist_ok=True)
    descriptor = os.open(cache_dir(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    begin = time.monotonic()
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(BuildProgress("wait for another build", 0, time.monotonic() - begin))
                time.sleep(1)
        yield
    finally:
        os.close(descriptor)


def build(
    name: str = LAB,
    source: Path | None = None,
    config: Path | None = None,
    patches: Path | None = None,
    progress: ProgressFunction = _no_progress,
    jobs: int | None = None,
) -> Image:
    """Build an image, or find the one that was built of the same things.

    `progress` is called about once a second.  Takes 6 to 10 minutes on two cores
    and 1.5 GB below `cache_dir()` while it runs.  Raises UserError with the first
    real error and the path of the log.
    """
    what = recipe(name, source, config, patches)
    if what.source.is_dir():
        _require_kernel_tree(what.source, what)
    _check_tools()
    key = key_of(what)
    found = load_entry(_entry_path(what, key))
    if found:
        return found
    log_path = cache_dir() / "logs" / f"{name}-{key}.log"
    try:
        with _alone(progress), _work_dir(key) as work:
            if found := load_entry(_entry_path(what, key)):  # built by whoever we waited for
                return found
            log = _Log(log_path, progress)
            try:
                out = work / "out"
                out.mkdir()
                tree = _prepare_source(what, work, log)
                _configure(what, tree, out, log)
                _compile(tree, out, jobs or os.cpu_count() or 1, log)
                return _publish(what, key, out, work, log)
            finally:
                log.close()
    except OSError as error:
        where = error.filename or cache_dir()
        raise UserError(f"cannot build {name}: {error.strerror}: {where}") from error
