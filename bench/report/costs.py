"""The cost sheet of a run: memory per inode, descriptors, backing ids and CPU time, per target."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.model import Level
from bench.report import units
from bench.stats.frame import Run

WIDTH = 72
PARTS = {
    "inode": ("fuse_inode", "ovl_inode", "lsm_inode_cache"),
    "dentry": ("dentry",),
    "file": ("filp", "lsm_file_cache"),
}
"""Slab caches by what they are for (fs/fuse/inode.c, fs/overlayfs/super.c, fs/dcache.c,
fs/file_table.c, security/security.c); struct fuse_backing is a kmalloc (fs/fuse/passthrough.c)."""
KMALLOC = "kmalloc-"
HEADS = ("target", *PARTS, "other", "RSS", "fds", "ids", "client", "server", "kernel")
DECIMALS = (0, 0, 0, 0, 0, 0, 2, 1, 1, 1)
COLUMNS = (10, 5, 6, 4, 5, 4, 6, 4, 6, 6, 6)
NS_PER_INSTRUCTION = 2.0
"""Nanoseconds of a guest's clock for each instruction, at ``-icount shift=1`` (bench.kernels.vm)."""


@dataclass(frozen=True)
class InodeCost:
    """One target's figures per inode; None where there is no server, or no source.

    Bytes and ids per inode; ``client`` and ``server`` are CPU time per operation as (user, system),
    in seconds, or in instructions on the instruction clock.
    """

    target: str
    inodes: int
    parts: Mapping[str, float] | None
    rss: float | None
    fds: int | None
    ids: float | None
    client: tuple[float, float]
    server: tuple[float, float] | None

    @property
    def slab(self) -> float:
        """Bytes of slab per inode, all parts."""
        return sum((self.parts or {}).values())


def costs(run: Run) -> list[InodeCost]:
    """The sheet's lines that are whole, in the order of the run's targets."""
    order = [str(target.get("name")) for target in run.about.get("targets") or ()]
    good = [record for record in run.costs if not record.get("reason") and record.get("inodes")]
    good.sort(key=lambda one: order.index(one["target"]) if one["target"] in order else len(order))
    return [_cost(record) for record in good]


def _cost(record: Mapping[str, Any]) -> InodeCost:
    inodes = int(record["inodes"])
    server, slabs, ids = record.get("server"), record.get("slabs"), record.get("backing_ids")
    return InodeCost(
        target=str(record["target"]),
        inodes=inodes,
        parts=None if slabs is None else _parts(slabs, inodes),
        rss=None if server is None else 1024 * server["rss_kib"] / inodes,
        fds=None if server is None else int(server["fds"]),
        ids=None if ids is None else ids / inodes,
        client=_cpu(record["client"], inodes),
        server=None if server is None else _cpu(server, inodes),
    )


def _parts(slabs: Mapping[str, int], inodes: int) -> dict[str, float]:
    sums = {part: sum(slabs.get(name, 0) for name in names) for part, names in PARTS.items()}
    sums["other"] = sum(grown for name, grown in slabs.items() if name.startswith(KMALLOC))
    return {part: grown / inodes for part, grown in sums.items()}


def _cpu(record: Mapping[str, float], inodes: int) -> tuple[float, float]:
    scale = 1e9 / NS_PER_INSTRUCTION if units.quantity() is units.INSTRUCTIONS else 1.0
    return record["user_s"] * scale / inodes, record["system_s"] * scale / inodes


def figures(cost: InodeCost) -> tuple[float | None, ...]:
    """One line of the sheet as numbers, in the order of HEADS without the target's name.

    Bytes and ids per inode; CPU time per op in us, or in thousands of instructions.
    """
    parts = cost.parts or dict.fromkeys((*PARTS, "other"))
    user, system = cost.server or (None, 0.0)
    size = 1e3 if units.quantity() is units.INSTRUCTIONS else 1e-6
    cpu = (cost.client[0], user, cost.client[1] + system)
    scaled = (None if time is None else time / size for time in cpu)
    return (*parts.values(), cost.rss, cost.fds, cost.ids, *scaled)


def cells(cost: InodeCost) -> tuple[str, ...]:
    """One line of the sheet, as HEADS names them."""
    told = zip(figures(cost), DECIMALS, strict=True)
    return (cost.target, *("-" if one is None else f"{one:.{places}f}" for one, places in told))


def legend(run: Run) -> str:
    """What the columns are."""
    inodes = {cost.inodes for cost in costs(run)}
    cpu = "1000 instructions" if units.quantity() is units.INSTRUCTIONS else "us of CPU time"
    return (
        f"Every file of the tree ({units.listing(str(n) for n in sorted(inodes))}) stat'ed once by "
        "path on a fresh mount, timeouts never running out. inode, dentry, file, other (kmalloc): "
        "growth of the kernel's slab caches, bytes per inode; the native row is what the machine does "
        "beside. RSS: the server's, bytes per inode; fds: its descriptors for all of them; ids: backing "
        f"ids held per inode; {cpu} per stat of client and server in user space, and in the kernel "
        "for both."
    )


def prices(run: Run) -> list[str]:
    """What attaching a backing at LOOKUP costs, for each target that does, in a sentence."""
    sheet = costs(run)
    said = [_price(cost, twin) for cost in sheet for twin in [_twin(cost, sheet)] if twin]
    if said or not sheet:
        return said
    return [
        "The price of attaching at LOOKUP is not in this sheet: no target attached a backing there "
        f"(levels {Level.ATTACH_LOOKUP} and {Level.LOOKUP} do, beside the server without passthrough)."
    ]


def _twin(cost: InodeCost, sheet: Sequence[InodeCost]) -> InodeCost | None:
    """The twin of a server that attached its inodes: the same one without passthrough."""
    daemon, _, rest = cost.target.partition(":")
    _, at, kernel = rest.partition("@")
    name = daemon.replace("passthrough", "plain") + (at and at + kernel)
    # An id for each file, not for the root alone.
    if name == cost.target or (cost.ids or 0) < 0.5 or cost.server is None:
        return None
    return next((one for one in sheet if one.target == name and one.server), None)


def _price(cost: InodeCost, twin: InodeCost) -> str:
    assert cost.server is not None and twin.server is not None
    dear, cheap = sum(cost.server), sum(twin.server)
    times = f", x {dear / cheap:.2f}" if cheap else ""
    return (
        f"Attaching at LOOKUP, {cost.target} against {twin.target}: the server pays "
        f"{units.duration(dear - cheap)} more per LOOKUP ({units.duration(cheap)} to "
        f"{units.duration(dear)}{times}), the kernel {cost.slab - twin.slab:+.0f} bytes of slab per "
        f"inode, {(cost.ids or 0):.2f} backing ids per inode held."
    )


def lines(run: Run) -> Iterator[str]:
    """The sheet in plain ASCII of 72 columns; nothing where the run made none."""
    sheet = costs(run)
    if not run.costs:
        return
    yield from ("cost sheet", "-" * WIDTH)
    if sheet:
        yield from textwrap.wrap(legend(run), WIDTH)
        yield from ("", _line(HEADS))
    for cost in sheet:
        said = cells(cost)
        if len(cost.target) > COLUMNS[0]:
            yield cost.target
            said = ("", *said[1:])
        yield _line(said)
    if sheet:
        yield ""
    for sentence in (*troubles(run), *prices(run)):
        yield from textwrap.wrap(sentence, WIDTH, subsequent_indent="  ")


def troubles(run: Run) -> list[str]:
    """Targets without a line, and figures without a source, with the reason."""
    failed = [f"{one.get('target')}: {one['reason']}" for one in run.costs if one.get("reason")]
    why = dict.fromkeys(str(one["why"]) for one in run.costs if one.get("why"))
    return [*failed, *why]


def _line(parts: Sequence[str]) -> str:
    name, *rest = (f"{part:>{width}}" for part, width in zip(parts, COLUMNS, strict=True))
    return " ".join([f"{parts[0]:<{len(name)}}", *rest]).rstrip()
