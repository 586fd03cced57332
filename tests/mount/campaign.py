"""Faults by dice: signals into every process of a run at any moment, a backing or results that go wrong.

    python -m tests.mount.campaign --injections 500 --seed 7      # make faults
    python -m tests.mount.campaign --seed 7 --only 41             # one of them again
    python -m tests.mount.campaign --guests 1 --injections 6      # guests alone (0: none)

Each injection is a run of its own, with two servers, a cost sheet and a report, into which one fault is
put. Afterwards: no mount of it in any namespace, no process, no descriptor of /dev/fuse, a documented exit
code, finished trials readable; ``--resume`` ends with the plan that an undisturbed run has, each trial
once. Exit code 1 if anything else was seen. Needs root; runs one at a time, on a backing of its own.

One in ``--guests`` goes into a run in guests on the instruction clock: a signal into qemu, or into the runner
while a guest is up. That takes qemu and a lab kernel that has been built; without, the campaign says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.kernels import images, vm
from bench.kernels.disk import IMAGE
from bench.machine import isolate, runs
from bench.model import Exit, UserError
from bench.mounts import server_pid
from tests.mount import disks, memory

ROOT = Path(__file__).parents[2]
WORKLOADS = ("getattr-storm/fd", "readdir")
TARGETS = ("passthrough-c", "plain")
SEED = "5"
GONE_S = 15.0
ORDERLY = {Exit.MEASURED, Exit.NOTHING, Exit.PROOF_FAILED, Exit.INTERRUPTED}
RUNNER, WORKER, CHILD, SERVER, REPORT = "runner", "worker", "child", "server", "report"
VICTIMS = (RUNNER, WORKER, CHILD, SERVER, REPORT)
SIGNALS = ("KILL", "STOP", "SEGV", "TERM", "INT twice", "HUP")
DISKS = {"backing over quota": "btrfs", "backing fails": "ext4"}
"""On disks of their own: EDQUOT and EIO."""
BACKING = ("backing full", "backing read-only", "backing deleted")
MEMORY = "no memory"
OTHERS = (*BACKING, *DISKS, "results cut", "another run", MEMORY)
QEMU, HOST = "qemu", "runner of guests"
GUEST_VICTIMS = (QEMU, HOST)
GUEST_SIGNALS = ("KILL", "STOP", "TERM", "INT", "HUP")
DISK_LOST, CLOCK = "disk lost", "clock stepped"
GUEST_OTHERS = (DISK_LOST, CLOCK)
TOO_SLOW, RESUMES = ("no user space after", "not a word in"), 3
"""What is said of a guest on a machine that gives it no time: the run is resumed again, as it says."""
Plan = list[tuple[str, int]]
"""Series and round of every trial."""


@dataclass(frozen=True)
class Kind:
    """A kind of run: its options, and how long it may take."""

    options: tuple[str, ...]
    end_s: float
    disk: str = ""
    """What the backing is on; memory where nothing is said."""


def _named(option: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for name in names for word in (option, name))


ROWS = _named("--workload", WORKLOADS)
HERE = Kind((*ROWS, *_named("--daemon", TARGETS), "--cost", "--stall", "3"), 120.0)
CHANGES = {disk: replace(HERE, options=(*HERE.options, "--workload", "create-write-close/shared"), disk=disk)
           for disk in DISKS.values()}  # fmt: skip
"""A disk that takes no more is seen by who writes on it."""
GUESTS = Kind((*ROWS, "--daemon", TARGETS[0], "--tree", "tiny", "--trials", "2", "--clock", "instructions",
               "--jobs", "1", "--no-report"), 1200.0)  # fmt: skip
"""Boots that all do the same; with a boot for each round there is one to come after the one that is hit."""
ON_A_DISK = replace(GUESTS, options=(*GUESTS.options, "--backing-fs", "ext4"))
STEP = "date -s @4000000000 >/dev/null"
MIRROR = f"{ROOT}/daemons/_native/mirror --name stepper {{backing}} {{mountpoint}}"
STEPPED = replace(
    GUESTS,
    options=(
        *GUESTS.options,
        "--daemon",
        f"stepper=sh -c '{STEP}; exec {MIRROR}'",
    ),
)
"""A server that sets the clock to a day decades on, in each round: no window is told by that clock."""


@dataclass
class Injection:
    """One fault, and what became of the run it was put into."""

    number: int
    fault: str
    victim: str
    delay_s: float
    hit: bool = False
    code: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """``KILL into worker``."""
        if self.fault in GUEST_OTHERS:
            return f"{self.fault} in a guest"
        return f"{self.fault} into {self.victim}" if self.victim else self.fault

    @property
    def kind(self) -> Kind:
        """The run it is put into."""
        if self.victim in GUEST_VICTIMS:
            return {DISK_LOST: ON_A_DISK, CLOCK: STEPPED}.get(self.fault, GUESTS)
        return CHANGES[DISKS[self.fault]] if self.fault in DISKS else HERE


class Place:
    """Where the runs of a campaign are: a backing in memory, and a folder for results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backing = folder / "backing"
        self._undisturbed: dict[Kind, tuple[Plan, float]] = {}
        self._disks: dict[str, disks.Disk] = {}
        self.limit = memory.Limit()
        self.backing.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "mode=755,size=160m", "campaign", str(self.backing)]
        subprocess.run(mount, check=True)

    def close(self) -> None:
        """Take the backings away."""
        for disk in self._disks.values():
            disk.close()
        subprocess.run(["umount", "-l", str(self.backing)], check=True)

    def disk(self, kind: str) -> disks.Disk:
        """The disk of that kind, made when it is first asked for."""
        if kind not in self._disks:
            self._disks[kind] = disks.DISKS[kind](self.folder)
        return self._disks[kind]

    def remount(self, how: str) -> None:
        """Read-only, or writable again."""
        mount = ["mount", "-o", f"remount,{how},mode=755,size=160m", str(self.backing)]
        subprocess.run(mount, check=False, stderr=subprocess.DEVNULL)

    def mend(self) -> None:
        """As it was before any fault."""
        self.limit.take_off()
        for disk in self._disks.values():
            disk.mend()
        self.remount("rw")
        (self.backing / "filler").unlink(missing_ok=True)

    def fill(self) -> None:
        """Leave no byte free."""
        with contextlib.suppress(OSError), (self.backing / "filler").open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
                file.flush()

    def empty(self) -> None:
        """Remove all that a run has put there."""
        for path in self.backing.iterdir():
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def undisturbed(self, kind: Kind) -> tuple[Plan, float]:
        """The plan of a run of this kind that nothing is done to, and how long it takes."""
        if kind not in self._undisturbed:
            begin = time.monotonic()
            output = self.folder / f"undisturbed-{len(self._undisturbed)}"
            if (code := self.start(output, kind).wait(kind.end_s)) != Exit.MEASURED:
                words = output.with_suffix(".log").read_text(errors="replace")
                raise SystemExit(f"an undisturbed run ended with {code}:\n{words[-2000:]}")
            self._undisturbed[kind] = planned(output)[0], time.monotonic() - begin
        return self._undisturbed[kind]

    def start(self, output: Path, kind: Kind = HERE) -> subprocess.Popen[bytes]:
        """A run that takes some seconds, or minutes in guests, in a process group of its own."""
        command = [
            sys.executable,
            "-m",
            "bench",
            "run",
            "--quick",
            "--only",
            *kind.options,
        ]
        command += ["--seed", SEED, "--output", str(output)]
        if kind in (GUESTS, ON_A_DISK, STEPPED):
            command += ["--kernel", f"lab={images.locate('lab').path}"]
        else:
            backing = self.disk(kind.disk).root if kind.disk else self.backing
            command += ["--backing", str(backing)]
        with (self.folder / f"{output.name}.log").open("wb") as log:
            return subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )


def planned(output: Path) -> tuple[Plan, int]:
    """Series and round of every trial there is a line of; how many lines are none."""
    file = output / "trials.jsonl"
    found, spoilt = [], 0
    for text in file.read_text(errors="replace").splitlines() if file.exists() else ():
        try:
            line = json.loads(text)
            found.append((line["series"], line["round"]))
        except ValueError:
            spoilt += 1
    return found, spoilt


def role(pid: int) -> str:
    """What a process below a runner is there for."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        if b"report" in words:  # python -m report (bench.commands.readers)
            return REPORT
        if any(word.endswith(b"mirror") or word == b"daemons._serve" for word in words):
            return SERVER
        if name.startswith("qemu-system"):
            return QEMU
        return {"bench-worker": WORKER, "bench-child": CHILD}.get(name, "")
    return ""


def victim_of(runner: int, wanted: str) -> int:
    """A process of that kind, 0 where there is none just now."""
    if wanted == RUNNER:
        return runner
    sought = QEMU if wanted == HOST else wanted
    found = next((pid for pid in server_pid.tree(runner)[1:] if role(pid) == sought), 0)
    return runner if found and wanted == HOST else found


def send(fault: str, pid: int) -> None:
    """One signal, or two; what belongs to the whole run and was stopped goes on after a while."""
    with contextlib.suppress(ProcessLookupError):
        if fault == "INT twice":
            os.kill(pid, signal.SIGINT)
            time.sleep(0.05)
            os.kill(pid, signal.SIGINT)
            return
        os.kill(pid, getattr(signal, f"SIG{fault}"))
        if fault == "STOP" and role(pid) not in (WORKER, CHILD, SERVER):
            time.sleep(1.5)
            os.kill(pid, signal.SIGCONT)


def inject(place: Place, one: Injection, process: subprocess.Popen[bytes], output: Path) -> None:
    """Wait for the moment, and for the victim, then do it."""
    end = time.monotonic() + one.delay_s
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.002)
    while process.poll() is None:
        if one.fault in SIGNALS:
            if pid := victim_of(process.pid, one.victim):
                send(one.fault, pid)
                one.hit = True
                return
        elif begun(one, output):
            one.hit = True
            do_other(place, one, process, output)
            return
        time.sleep(0.001)


def begun(one: Injection, output: Path) -> bool:
    """Whether there is yet what goes wrong."""
    if one.fault == DISK_LOST:
        return next(output.rglob(IMAGE), None) is not None
    return one.fault not in ("results cut", CLOCK) or (output / "trials.jsonl").exists()


def do_other(place: Place, one: Injection, process: subprocess.Popen[bytes], output: Path) -> None:
    """What is no signal."""
    match one.fault:
        case "backing full":
            place.fill()
        case "backing read-only":
            place.remount("ro")
        case "backing deleted":
            place.empty()
        case "backing over quota" | "backing fails":
            place.disk(one.kind.disk).harm()
        case "no memory":
            # With its runner, or without.
            place.limit.put_on(server_pid.tree(process.pid)[one.number % 2 :])
        case "disk lost":
            for image in output.rglob(IMAGE):
                os.truncate(image, disks.CUT)
        case "another run":
            second = place.start(output.with_name(output.name + "-second"))
            if (code := second.wait(HERE.end_s)) not in ORDERLY:
                one.wrong.append(f"the other run ended with {code}")
        case "results cut":
            process.kill()
            process.wait()
            file = output / "trials.jsonl"
            size = file.stat().st_size
            os.truncate(file, random.Random(one.number).randrange(size + 1))


def left(place: Place, runner: int) -> list[str]:
    """What of a run is still there: mounts in any namespace, processes, descriptors of /dev/fuse.

    Others may run beside it: what is its own bears the number of its runner.
    """
    mine = f"{runner}-"
    mounted = os.fsencode(isolate.RUNTIME / mine)
    marked = f"{runs.MARKER}={mine}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if mounted in (entry / "mountinfo").read_bytes():
                found.append(f"a mount in the namespace of process {entry.name}")
            words = (entry / "cmdline").read_bytes()
            if os.fsencode(place.folder) in words:
                found.append(f"process {entry.name}: {words[:120]!r}")
            if marked in (entry / "environ").read_bytes():
                fuse = any(fd.readlink() == Path("/dev/fuse") for fd in (entry / "fd").iterdir())
                found.append(f"process {entry.name} of the run{', /dev/fuse open' * fuse}")
    return found


def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it does, within so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def play(place: Place, one: Injection, plan: Plan) -> None:
    """A run with the fault, what it left, and the run resumed."""
    output = place.folder / f"run-{one.number}"
    process = place.start(output, one.kind)
    try:
        inject(place, one, process, output)
        one.code = process.wait(one.kind.end_s)
    except subprocess.TimeoutExpired:
        one.wrong.append(f"the run had not ended after {one.kind.end_s:.0f} s")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    except BaseException:  # whoever ends the campaign ends its run, too
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    deadly = one.fault in ("results cut", MEMORY) or (
        one.victim in (RUNNER, HOST) and one.hit and one.fault in ("KILL", "SEGV")
    )
    # Until Python has begun the program, a signal does what it does to any process.
    early = one.victim in (RUNNER, HOST) and not output.exists()
    if one.code not in ORDERLY and not ((deadly or early) and one.code < 0):
        one.wrong.append(f"exit code {one.code}")
    if not until(lambda: not left(place, process.pid), GONE_S):
        one.wrong += left(place, process.pid)
    text = (place.folder / f"{output.name}.log").read_text(errors="replace")
    if "Traceback" in text:
        one.wrong.append("a traceback")
    place.mend()
    if (output / "run.json").exists():
        resumed(one, output, plan)
    elif one.code == Exit.MEASURED:
        one.wrong.append("measured, but there is no run")
    if not one.wrong:
        shutil.rmtree(output, ignore_errors=True)


def resumed(one: Injection, output: Path, plan: Plan) -> None:
    """Finished trials stay, the others are done, each once."""
    kept, spoilt = planned(output)
    if spoilt and one.fault != "results cut":
        one.wrong.append("trials.jsonl cannot be read")
    command = [sys.executable, "-m", "bench", "run", "--no-report", "--resume", str(output)]
    command += ["--allow-commands"] if one.kind is STEPPED else []
    end_s = one.kind.end_s
    try:
        for _ in range(RESUMES):
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=end_s)
            if not any(words in done.stderr for words in TOO_SLOW):
                break
    except subprocess.TimeoutExpired:
        one.wrong.append(f"--resume: had not ended after {end_s:.0f} s")
        return
    last = done.stderr.strip().splitlines()[-1:]
    if done.returncode not in (Exit.MEASURED, Exit.NOTHING, Exit.PROOF_FAILED):
        one.wrong.append(f"--resume: exit code {done.returncode}: {last}")
        return
    if "Traceback" in done.stderr:
        one.wrong.append("--resume: a traceback")
    after, _ = planned(output)
    if kept != after[: len(kept)]:
        one.wrong.append("--resume: a finished trial is gone")
    refused = json.loads((output / "run.json").read_text()).get("refused") or {}
    wanted = [key for key in plan if key[0].rpartition("--")[2] not in refused]
    if sorted(after) != sorted(wanted):
        one.wrong.append(
            f"--resume: {len(set(after))} of {len(wanted)} trials in {len(after)} lines: {last}"
        )


def kind_of(number: int, guests: int) -> Kind:
    """Which run an injection goes into: one in so many into one in guests, none of 0."""
    return GUESTS if guests and number % guests == guests - 1 else HERE


def missing(one: Injection) -> str:
    """What this machine lacks for an injection, in words; empty when it lacks nothing."""
    if one.fault == MEMORY:
        return memory.missing()
    return disks.missing(one.kind.disk) if one.kind.disk else ""


def chosen(seed: int, number: int, kind: Kind = HERE) -> Injection:
    """The injection of that number, the same whenever it is asked for; its delay in lengths of a run."""
    dice = random.Random(f"{seed}-{number}")
    here = [(one, "") for one in OTHERS for _ in range(2)] + signals()
    fault, victim = dice.choice(guest_signals() if kind is GUESTS else here)
    return Injection(number, fault, victim, dice.random())


def signals() -> list[tuple[str, str]]:
    """Every signal into every kind of process; twice Ctrl-C is for a runner alone."""
    return [
        (one, victim)
        for one in SIGNALS
        for victim in VICTIMS
        if victim == RUNNER or one != "INT twice"
    ]


def guest_signals() -> list[tuple[str, str]]:
    """Every signal into qemu, and into a runner while a guest is up; what goes wrong in a guest.

    A guest that stays stopped is given up, too, after minutes (bench.guests.listener): here it goes on.
    """
    return [
        *((one, victim) for one in GUEST_SIGNALS for victim in GUEST_VICTIMS),
        *((one, QEMU) for one in GUEST_OTHERS),
    ]


def no_guests() -> str:
    """Why no guest can be booted here; empty where one can."""
    try:
        vm.vng()
        images.locate("lab")
    except UserError as error:
        return str(error)
    return ""


@contextlib.contextmanager
def prepared() -> Iterator[Place]:
    """A place, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-campaign-") as folder:
        place = Place(Path(folder))
        try:
            yield place
        finally:
            place.close()


def campaign(
    seed: int, numbers: list[int], tell: Callable[[Injection], None], guests: int = 0
) -> list[Injection]:
    """Play the injections of these numbers, one in ``guests`` of them into a run in guests."""
    done = []
    with prepared() as place:
        for number in numbers:
            kind = kind_of(number, guests)
            one = chosen(seed, number, kind)
            if why := missing(one):
                raise SystemExit(f"{one.name}: {why}")
            plan, usual_s = place.undisturbed(one.kind)
            one.delay_s *= usual_s
            play(place, one, plan)
            done.append(one)
            tell(one)
    return done


def main() -> int:
    """Play, tell each that went wrong as it does, then the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.mount.campaign", description=__doc__)
    parser.add_argument("--injections", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="go on with this one")
    parser.add_argument("--only", type=int, help="this one alone")
    parser.add_argument(
        "--guests",
        type=int,
        default=10,
        metavar="N",
        help="one in N into guests (default: 10; 0: none)",
    )
    asked = parser.parse_args()
    guests = asked.guests
    if guests and (why := no_guests()):
        print(f"no faults into guests: {why}", flush=True)
        guests = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.INTERRUPTED))
    numbers = list(range(asked.first, asked.injections)) if asked.only is None else [asked.only]

    def tell(one: Injection) -> None:
        hit = "" if one.hit else ", the run had ended before"
        words = f"{one.number:4} {one.name} after {one.delay_s:.2f} s{hit}: exit {one.code}"
        print(f"{words}: {'; '.join(one.wrong) or 'ok'}", flush=True)

    done = campaign(asked.seed, numbers, tell, guests)
    print(f"\n{'fault':24}{'injected':>10}{'too late':>10}{'violations':>12}")
    hit = Counter(one.name for one in done if one.hit)
    late = Counter(one.name for one in done if not one.hit)
    wrong = Counter(one.name for one in done if one.wrong)
    for name in sorted(hit | late):
        print(f"{name:24}{hit[name]:>10}{late[name]:>10}{wrong[name]:>12}")
    print(f"{'all':24}{hit.total():>10}{late.total():>10}{wrong.total():>12}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
