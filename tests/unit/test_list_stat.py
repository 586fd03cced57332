"""list-stat: which directories are listed and which entries stat'ed, without any mount."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.model import Cache, Context, Opcode, Shape, Sync
from bench.plan.needs import wanted_sizes
from bench.plan.settings import Settings
from bench.run.worker import check_window
from workloads import flat, list_stat
from workloads.tree import PRESETS

CONTEXT = Context(
    root=Path(),
    tree=PRESETS["tiny"].as_mapping(),
    variant="10",
    cache=Cache.COLD_FUSE,
    threads=1,
    seed=5,
    sync=Sync.AS_STAT,
    attr_timeout=3600.0,
    entry_timeout=3600.0,
    names=100,
    entries=10,
    windows=6,
)


@pytest.mark.parametrize("total", [7, 100, 1000])
@pytest.mark.parametrize("percentage", [int(variant) for variant in list_stat.PERCENTAGES])
def test_the_share_is_met_and_spread_evenly(total: int, percentage: int) -> None:
    """As many as asked for, none twice, one from each stretch; the same for every target."""
    picked = list_stat.spread(total, percentage, 3)
    count = max(round(total * percentage / 100), 1 if percentage else 0)
    assert picked == list_stat.spread(total, percentage, 3)
    assert len(set(picked)) == count
    stretches = [int((number + 0.999) * count / total) for number in picked]
    assert all(abs(at - place) <= 1 for place, at in enumerate(stretches))
    assert all(0 <= number < total for number in picked)


@pytest.mark.parametrize("entries", [1, 10, 100, 1000, 10_000, 100_000])
def test_every_size_has_directories_for_counting_and_timing(entries: int) -> None:
    """At least two, and never more than a memory-backed file system holds in passing."""
    tree = flat.spec(entries)
    assert tree.files_per_dir == entries
    assert tree.leaf_count >= flat.FEWEST
    assert tree.file_count <= max(flat.LARGE_ENTRIES, flat.FEWEST * entries)


@pytest.mark.parametrize(("entries", "windows"), [(10, 6), (1000, 6), (10_000, 6), (100_000, 2)])
def test_no_cold_directory_is_listed_twice(entries: int, windows: int) -> None:
    """Where there are fewer directories than windows asked for, there are fewer windows."""
    context = replace(CONTEXT, entries=entries, variant="0", names=1000)
    chosen = list_stat.plan(context)
    paths = [path for path, _ in list_stat.items(context, chosen)]
    assert chosen.windows == windows
    assert len(set(paths)) == len(paths) == windows * chosen.directories


def test_one_per_cent_of_small_directories_is_no_tenth() -> None:
    """A window holds a hundred entries at least, so that one per cent of it can be stat'ed."""
    context = replace(CONTEXT, variant="1", names=10)
    chosen = list_stat.plan(context)
    items = list_stat.items(context, chosen)
    assert chosen.directories == 10
    assert sum(len(names) for _, names in items[:10]) == 1


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories of ten entries, below a backing."""
    backing = tmp_path_factory.mktemp("backing")
    assert not flat.build_in(backing, 10).reused
    return backing


def test_directories_are_reused(built: Path) -> None:
    """The second run that wants this size builds nothing; names need no listing."""
    assert flat.build_in(built, 10).reused
    context = replace(CONTEXT, root=built, variant="100")
    for path, names in list_stat.items(context, list_stat.plan(context)):
        assert sorted(names) == sorted(file.name for file in (built / path).iterdir())


@pytest.mark.parametrize("cache", [Cache.COLD_FUSE, Cache.WARM])
@pytest.mark.parametrize("variant", list_stat.PERCENTAGES)
def test_windows_list_every_entry_they_say(built: Path, cache: Cache, variant: str) -> None:
    """On the plain directory, as many windows as the body is good for."""
    context = replace(CONTEXT, root=built, cache=cache, variant=variant)
    body = list_stat.prepare(context)
    try:
        if cache is Cache.WARM:
            body.warm()
        for _ in range(body.most_windows or 3):
            check_window(body, 1, body.window(1))
        assert (body.most_windows is None) == (cache is Cache.WARM)
    finally:
        body.close()


def test_a_cold_directory_must_be_looked_up_and_opened() -> None:
    """What proves that a mount was cold, whatever the server lists with."""
    expected = list_stat.expect(CONTEXT)
    assert expected[Opcode.OPENDIR].low == expected[Opcode.LOOKUP].low == 0.1
    assert expected[Opcode.GETATTR].low == 0
    assert Opcode.READDIRPLUS not in expected


def test_a_warm_row_with_long_timeouts_asks_for_no_attribute() -> None:
    """Attributes are asked for with timeouts 0, every one again, and with long ones not at all."""
    warm = replace(CONTEXT, cache=Cache.WARM)
    assert list_stat.expect(warm)[Opcode.GETATTR].high == 0
    again = list_stat.expect(replace(warm, attr_timeout=0.0, entry_timeout=0.0))
    assert again[Opcode.GETATTR].low > 0.1 and again[Opcode.LOOKUP].low > 0.1


def test_directories_are_built_only_when_a_row_lists_them() -> None:
    """A run of other workloads builds none."""
    sizes = (10, 100)
    assert wanted_sizes(Settings(workloads=("readdir",), axes={"entries": sizes})) == ()
    assert wanted_sizes(Settings(workloads=("list-stat/10",), axes={"entries": sizes})) == sizes
    assert list_stat.WORKLOAD.shape is Shape.SLICES
