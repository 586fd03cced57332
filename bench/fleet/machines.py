"""A fleet run: the same run on the wall clock, done by every machine for itself.

Its directory holds ``fleet.json`` and one run directory for each machine; a machine that did nothing is
named there with its reason.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.fleet import identity, task
from bench.fleet.accepted import refuse_foreign
from bench.fleet.client import MACHINE, POLL_S, Fleet, Tls, connected
from bench.fleet.message import RunOrder, RunReport
from bench.guests.kernels import parse
from bench.kernels import images
from bench.model import Exit, UserError
from bench.plan.settings import Settings
from bench.results import bundle
from bench.results.fleet import FILE, VERSION, Member
from bench.results.store import refuse_output, write_atomically
from bench.run import headers

if TYPE_CHECKING:
    from distributed import Future

    from bench.run.view import View


def start(
    settings: Settings, output: Path | None, argv: list[str], view: View, scheduler: str, tls: Tls
) -> tuple[Path, Exit]:
    """Measure on every machine of the suite; (directory, exit code): 0 where all did, 4 where some."""
    refuse_foreign(settings)
    output = output or headers.default_output()
    refuse_output(output)
    settings, contents = carried(settings)
    with connected(scheduler, tls, view) as fleet:
        addresses = machines(fleet)
        view.say(f"{scheduler}: {len(addresses)} machines of this suite")
        order = RunOrder(
            settings.to_json(), tuple(argv), identity.identity(), dict.fromkeys(contents, "")
        )
        futures = {
            address: submitted(fleet, address, order, list(contents.values()))
            for address in addresses
        }
        try:
            output.mkdir(parents=True, exist_ok=True)
            members = list(_collected(fleet, futures, output))
        finally:
            for future in futures.values():
                future.cancel()
    _write(output, members, argv)
    whole = [member for member in members if not member.reason]
    if not whole:
        raise UserError(f"no machine measured anything: {members[0].reason}", Exit.NOTHING)
    failed = len(whole) < len(members) or any(member.code for member in members)
    return output, Exit.PROOF_FAILED if failed else Exit.MEASURED


def carried(settings: Settings) -> tuple[Settings, dict[str, bytes]]:
    """Settings that name kernels by the hash of their images, and the images by hash."""
    contents: dict[str, bytes] = {}
    kernels = []
    for text in settings.kernels:
        label, image, parameters = parse(text)
        content = images.locate(image).path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        contents[sha256] = content
        kernels.append(",".join([f"{label}={sha256}", *parameters]))
    return replace(settings, kernels=tuple(kernels)), contents


def machines(fleet: Fleet) -> list[str]:
    """The workers that offer their machine, one for each machine; raises UserError for none."""
    found = {
        address: worker
        for address, worker in fleet.refuse_nobody().items()
        if worker.get("resources", {}).get(MACHINE, 0) >= 1
    }
    if not found:
        raise UserError(f"{fleet.address}: no worker offers {MACHINE}=1", Exit.NOTHING)
    return sorted(found)


def submitted(fleet: Fleet, address: str, order: RunOrder, contents: list[bytes]) -> Future[Any]:
    """The run as a task of this one worker."""
    return fleet.client.submit(
        task.whole_run,
        order.dumps(),
        *contents,
        key=f"run-{fleet.topic}-{address}",
        workers=[address],
        allow_other_workers=False,
        resources={MACHINE: 1},
        pure=False,
    )


def _collected(fleet: Fleet, futures: Mapping[str, Future[Any]], output: Path) -> Iterator[Member]:
    """Each machine's run as it ends; one whose worker is lost is a member with a reason."""
    waiting = dict(futures)
    while waiting:
        time.sleep(POLL_S)
        there = fleet.workers()
        for address, future in list(waiting.items()):
            if future.done():
                del waiting[address]
                yield _member(fleet, address, future, output)
            elif address not in there:
                del waiting[address]
                yield lost(fleet, address, "its worker is gone")


def _member(fleet: Fleet, address: str, future: Future[Any], output: Path) -> Member:
    try:
        report = RunReport.loads(fleet.answer(future))
    except UserError as error:
        return lost(fleet, address, str(error))
    if said := identity.differences(identity.identity(), report.identity):
        return lost(fleet, address, f"not what it said it is: {said}")
    if not report.bundle:
        return lost(fleet, address, report.error)
    name = _free_name(output, report.machine)
    try:
        with tempfile.NamedTemporaryFile(suffix=".tar.gz") as packed:
            packed.write(base64.b64decode(report.bundle))
            packed.flush()
            bundle.unpack(Path(packed.name), output / name)
    except (UserError, ValueError, TypeError) as error:
        return lost(fleet, address, f"its run cannot be unpacked: {error}")
    fleet.view.say(f"{name}: {address} is done (exit {report.code})")
    return Member(name, report.machine, report.code, "")


def lost(fleet: Fleet, address: str, reason: str) -> Member:
    """A machine without a run."""
    fleet.view.warn(f"{address}: no run: {reason}")
    return Member("", address, int(Exit.NOTHING), reason)


def _free_name(output: Path, machine: str) -> str:
    """``MACHINE``, or with a number where several machines are of one kind: a name and no path."""
    machine = re.sub(r"[^\w.@+-]", "-", str(machine))[:100].lstrip(".") or "machine"
    number, name = 1, machine
    while (output / name).exists():
        number += 1
        name = f"{machine}-{number}"
    return name


def _write(output: Path, members: list[Member], argv: list[str]) -> None:
    about = {
        "fleet": VERSION,
        "finished": headers.now(),
        "argv": argv,
        "machines": [member.as_json() for member in members],
    }
    write_atomically(output / FILE, json.dumps(about, indent=1) + "\n")
