"""Any JSON value in any place of any file of a run: report.py, compare, show and verify end in a line,
never in a traceback, and show what was readable, never a wrong number.

FUSE_BENCH_EXAMPLES=2000 tries more places and values than a run of all tests has time for.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes import make_run
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import report
from bench.commands import main as commands
from bench.commands import show, verify
from bench.comparison.__main__ import main as analysis
from bench.model import Exit, UserError
from bench.plan.settings import Settings
from bench.report import costs
from bench.results.bundle import MANIFEST
from bench.stats.estimates import trial_medians
from bench.stats.frame import load

EXAMPLES = int(os.environ.get("FUSE_BENCH_EXAMPLES", "40"))
CODES = {0, 1, Exit.USAGE, Exit.NOTHING}
TRIALS, ABOUT, COSTS, SELFTEST, SERIES = (
    "trials.jsonl", "run.json", "costs.jsonl", "../selftest.json", "series/one.json",
)  # fmt: skip
LINES = (0, 4)
"""Lines of trials.jsonl that are written over."""
RAW = "(raw)"
Place = tuple[str, int, tuple[str | int, ...]]
"""File, line in it, and the keys that lead to a value."""


@dataclass(frozen=True)
class Raw:
    """Text that stands in a file as it is, JSON or not."""

    text: bytes


RAWS = [
    Raw(b"[" * 200_000),
    Raw(b"[" * 500 + b"]" * 500),
    Raw(b'{"a":' * 300 + b"1" + b"}" * 300),
    Raw(b"1" + b"0" * 400),
    Raw(b"1" + b"0" * 5_000),
    Raw(b"1e400"),
    Raw(b"-1e-400"),
    Raw(b"NaN"),
    Raw(b'"\\ud800"'),
    Raw(b'"\xff"'),
    Raw(b'"' + b"x" * 100_000 + b'"'),
    Raw(b'"' + b"x " * 90 + b'"'),
    Raw(b"\x00"),
]
ODD = [
    "wall", "instructions", "ok", "native", "plain-c", "../../x", "$\\frac{$", "a\x1e\nb", "{{x}}",
    "1", "", "--", "@", "[bold", 0, -1, 1, True, 1e308, 5e-324, -0.0, 2**53, 2**63, [[1]], {}, [], [None],
    [0.0], {"": {}}, {"x": {"y": [1]}},
]  # fmt: skip
VALUES = st.sampled_from([*ODD, *RAWS]) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def more(line: dict[str, Any]) -> dict[str, Any]:
    """A fake trial with what fakes leave out of a real one."""
    times = {"count": 5, "server_ns": 3_000, "total_ns": 9_000}
    found = {
        "ops": 10,
        "window_ns": 50_000,
        "by_opcode": {"GETATTR": times},
        "behind": {},
        "why": "",
    }
    return line | {
        "daemon": line["target"], "kernel": "", "readdir": True, "readdir_mode": "readdirplus",
        "server_threads": 0, "clone_fd": False, "delay_ns": {}, "entries": 0, "clock": "wall",
        "timeouts": "as asked", "attempt": 0, "noise": {"steal": 0.0}, "disturbed": "",
        "attribution": found if line["target"] != "native" else None,
    }  # fmt: skip


def cost(target: str) -> dict[str, Any]:
    """A line of the cost sheet."""
    cpu = {"user_s": 0.1, "system_s": 0.2}
    server = {**cpu, "rss_kib": 100, "rss_kib_before": 10, "fds": 3}
    return {
        "target": target, "daemon": target, "kernel": "", "level": "none", "reason": "", "inodes": 100,
        "client": cpu, "wall_s": 0.3, "slabs": {"dentry": 1000, "fuse_inode": 5000},
        "server": server if target != "native" else None, "backing_ids": 0,
        "requests": {"LOOKUP": 100}, "why": "",
    }  # fmt: skip


class World:
    """Two runs of a machine and its selftest; every file of the first can be written over."""

    def __init__(self, root: Path) -> None:
        asked = {"rows": 3, "trials": 3, "values": 3, "troubles": False}
        self.run = make_run(root / "machine", seed=1, **asked)
        self.other = make_run(root / "other", seed=2, **asked)
        self.bundle = root / "one.tar.gz"
        self.output = root / "report"
        for run in (self.run, self.other):
            self._fill(run)
        noise = {
            "getattr-storm--at--warm--t1--same": {"floor": 0.01, "detectable": 0.02, "rounds": 5}
        }
        (self.run / SELFTEST).write_text(json.dumps({"schema": 1, "noise": noise}))
        files = (TRIALS, ABOUT, COSTS, SELFTEST, SERIES)
        self.files = {name: (self.run / name).read_bytes() for name in files}

    @staticmethod
    def _fill(run: Path) -> None:
        lines = [more(json.loads(line)) for line in (run / TRIALS).read_text().splitlines()]
        (run / TRIALS).write_text("".join(json.dumps(line) + "\n" for line in lines))
        sheet = [cost(target) for target in ("native", "plain", "passthrough")]
        (run / COSTS).write_text("".join(json.dumps(line) + "\n" for line in sheet))
        about = json.loads((run / ABOUT).read_text())
        parts = {"2": {"client": [0, 1], "daemon": [0, 1], "note": ""}}
        about["placement"]["threads"] = parts
        about["settings"]["parts"] = [{"workloads": ["getattr-storm"], "daemons": ["plain"]}]
        about |= {
            "clock": "wall", "revision": 4,
            "knobs": [{"knob": "smt", "value": "on", "good": False}],
            "tuned": [{"knob": "smt", "path": "/x", "before": "on", "after": "off", "refused": ""}],
            "kernels": [{"label": "lab", "release": "6.12", "parameters": ["quiet"], "accelerator": "tcg"}],
        }  # fmt: skip
        (run / ABOUT).write_text(json.dumps(about))
        (run / SERIES).parent.mkdir()
        metadata = {
            "name": "one",
            "unit": "second",
            "attr_timeout_s": 0.0,
            "platform": "Linux-6-x86_64",
        }
        runs = [{"values": [1e-6, 2e-6], "metadata": {"loops": n}} for n in (1, 2, 3)]
        whole = {"benchmarks": [{"runs": runs}], "metadata": metadata, "version": "1.0"}
        (run / SERIES).write_text(json.dumps(whole))

    def restore(self) -> None:
        """Everything as it was."""
        for name, data in self.files.items():
            (self.run / name).write_bytes(data)


def documents() -> dict[tuple[str, int], Any]:
    """What stands in each line of each file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = World(Path(folder)).files
    whole = {(name, 0): json.loads(files[name]) for name in (ABOUT, SELFTEST, SERIES)}
    for name in (TRIALS, COSTS):
        lines = files[name].splitlines()
        whole |= {(name, line): json.loads(lines[line]) for line in LINES if line < len(lines)}
    return whole


def paths(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a value: itself, and all that is in it."""
    yield above
    if isinstance(value, (dict, list)):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in inside:
            yield from paths(one, (*above, key))


DOCUMENTS = documents()
PLACES: list[Place] = [
    (name, line, path) for (name, line), whole in DOCUMENTS.items() for path in paths(whole)
]


def with_value(whole: Any, path: tuple[str | int, ...], value: Any) -> bytes:
    """A document as JSON, with something else at a place in it."""
    raw = value.text if isinstance(value, Raw) else json.dumps(value).encode()
    if not path:
        return raw
    changed = inner = copy.deepcopy(whole)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = RAW
    return json.dumps(changed).encode().replace(json.dumps(RAW).encode(), raw)


def spoil(world: World, place: Place, value: Any) -> None:
    """Write over one place in a file of the world's run."""
    name, line, path = place
    made = with_value(DOCUMENTS[name, line], path, value)
    lines = world.files[name].splitlines() if name in (TRIALS, COSTS) else [b""]
    lines[line] = made
    (world.run / name).write_bytes(b"\n".join([*lines, b""]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for all examples: what an example writes over it puts back."""
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module", autouse=True)
def in_this_process() -> Iterator[None]:
    """What commands do in a process of its own is done here: an example takes a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(show, "report", lambda run, *options: report.main([str(run), *options]))
        patch.setattr(verify, "analyse", lambda _arguments, argv: analysis(argv))
        yield


def told(call: Any, *argv: object) -> str:
    """Run a command; what it said. Its exit code is one that is documented."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = call([str(word) for word in argv])
    assert code in CODES, (code, said.getvalue())
    assert "Traceback" not in said.getvalue()
    return said.getvalue()


def four_commands(world: World) -> str:
    """All that was said by the commands that read runs."""
    output = ("--output", world.output)
    pack(world)
    return "".join(
        (
            told(report.main, world.run, "--format", "text", "md", "csv", "--print", *output),
            told(report.main, world.run, "--mail"),
            told(commands.main, "show", world.run),
            told(commands.main, "show", world.run, "--json"),
            told(analysis, "compare", world.run, world.other, "--force"),
            told(
                analysis, "compare", world.run / SERIES, world.other / SERIES, "--force", "--json"
            ),
            told(commands.main, "verify", world.bundle, "--run", world.other),
        )
    )


def pack(world: World, manifest: Mapping[str, Any] | None = None, raw: bytes = b"") -> None:
    """The run as a bundle whose sums hold, whatever is in its files."""
    files = {name: (world.run / name).read_bytes() for name in (ABOUT, TRIALS, COSTS, SERIES)}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    told_of_it = manifest or {"bundle": 1, "schema": 1, "run": "x", "sha256": sums}
    files[MANIFEST] = raw or json.dumps(told_of_it).encode()
    with tarfile.open(world.bundle, "w:gz", compresslevel=1) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


Medians = Mapping[tuple[str, str], Mapping[int, float]]


def numbers(run: Path) -> tuple[Medians, dict[str, Any], tuple[str, ...]]:
    """What a run's tables are made of: trial medians by series, the cost sheet, and what is said."""
    read = load(run)
    return (
        trial_medians(read.samples),
        {one.target: one for one in costs.costs(read)},
        read.problems,
    )


def check_numbers(world: World, place: Place) -> None:
    """Nothing but the trial, or the target, that was written over has another number."""
    name, line, path = place
    spoiled, sheet, problems = numbers(world.run)
    written = (world.run / name).read_bytes()
    world.restore()
    whole, whole_sheet, _ = numbers(world.run)
    (world.run / name).write_bytes(written)
    if name == ABOUT and any("another clock" in problem for problem in problems):
        return
    own = DOCUMENTS[name, line]
    if name == TRIALS:
        series = [
            key for key in whole if key[1] == own["target"] and key[0] in own["series"] + "--same"
        ]
        mine = {key for key in whole if key[1] == own["target"] and key[0].startswith(_group(own))}
        assert series or mine
        if any(f"line {line + 1} is left out" in problem for problem in problems):
            without = {
                key: {n: v for n, v in rounds.items() if key not in mine or n != own["round"]}
                for key, rounds in whole.items()
            }
            assert spoiled == without
        else:
            kept = {
                key: rounds for key, rounds in spoiled.items() if key in whole and key not in mine
            }
            assert all(whole[key].items() <= kept[key].items() or _moved(path) for key in kept)
    else:
        assert spoiled == whole
    if name == COSTS:
        others = {key: one for key, one in whole_sheet.items() if key != own["target"]}
        assert {key: one for key, one in sheet.items() if key in others} == others
    elif name != ABOUT:
        assert sheet == whole_sheet


def _group(line: Mapping[str, Any]) -> str:
    return str(line["series"]).removesuffix(f"--{line['target']}")


def _moved(path: tuple[str | int, ...]) -> bool:
    """Whether a trial may have become one of another series, round or attempt."""
    return not path or path[0] in {"series", "target", "round", "attempt", "placement", "workload"}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(place=st.sampled_from(PLACES), value=VALUES)
@example(place=(TRIALS, 0, ("values",)), value=[[1]])
@example(place=(TRIALS, 0, ("values", 0)), value=Raw(b"1" + b"0" * 400))
@example(place=(TRIALS, 0, ("round",)), value="1")
@example(place=(TRIALS, 0, ("target",)), value=["plain"])
@example(place=(TRIALS, 0, ("threads",)), value="1")
@example(place=(TRIALS, 0, ("attr_timeout",)), value=Raw(b"1" + b"0" * 400))
@example(place=(TRIALS, 4, ("requests", "kernel")), value=3)
@example(place=(TRIALS, 0, ()), value=Raw(b"[" * 200_000))
@example(place=(TRIALS, 0, ("reason",)), value=Raw(b'"\xff"'))
@example(place=(ABOUT, 0, ("targets", 1)), value=7)
@example(place=(ABOUT, 0, ("clock",)), value="instructions")
@example(place=(SERIES, 0, ("benchmarks",)), value=[])
@example(place=(SELFTEST, 0, ("noise",)), value=Raw(b"[" * 200_000))
def test_any_value_anywhere(world: World, place: Place, value: Any) -> None:
    """The commands end as they say they do, and what was not written over keeps its numbers."""
    spoil(world, place, value)
    try:
        said = four_commands(world)
        assert said
        with contextlib.suppress(UserError):  # a run.json that is none ends in one
            check_numbers(world, place)
    finally:
        world.restore()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck])
@given(key=st.sampled_from(["bundle", "schema", "run", "sha256", "trials.jsonl", ""]), value=VALUES)
def test_any_value_in_a_bundles_manifest(world: World, key: str, value: Any) -> None:
    """verify refuses it in one line."""
    whole = {"bundle": 1, "schema": 1, "run": "x", "sha256": {"trials.jsonl": "0"}}
    path = ("sha256", key) if "." in key else (key,) if key else ()
    pack(world, raw=with_value(whole, path, value) or b" ")
    said = told(commands.main, "verify", world.bundle, "--run", world.other)
    assert said.count("\n") == 1


@settings(max_examples=5 * EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck])
@given(
    name=st.sampled_from(sorted(Settings().to_json())),
    value=VALUES.filter(lambda value: not isinstance(value, Raw)),
)
def test_any_value_in_the_settings_of_others(name: str, value: Any) -> None:
    """A bundle's settings are taken as they are, or refused in one line."""
    with contextlib.suppress(UserError):
        made = Settings.from_json(Settings().to_json() | {name: value})
        assert made.each()


@settings(max_examples=max(3, EXAMPLES // 20), deadline=None, suppress_health_check=[*HealthCheck])
@given(place=st.sampled_from([one for one in PLACES if one[0] != SERIES]), value=VALUES)
def test_any_value_in_charts_and_page(world: World, place: Place, value: Any) -> None:
    """What is drawn of a run is drawn of what was readable."""
    spoil(world, place, value)
    try:
        told(report.main, world.run, "--format", "svg", "html", "--output", world.output)
    finally:
        world.restore()
