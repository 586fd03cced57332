"""How often each guard fires over 200 simulated tables: where it should, and where it should not.

    python results/self/guards.py            (minutes; writes guards.txt and guards.json beside itself)

A table is ROWS rows of a target beside native: ROUNDS rounds of WINDOWS windows, 3 % from round to round
that both share, 1 % of their own, half a per cent from window to window. What should fire is asked of a
table's first row alone; what should not, of every row.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.stats import guards
from bench.stats.estimates import paired_ratio, trial_medians
from bench.stats.verdicts import percent

TABLES, ROWS, ROUNDS, WINDOWS = 200, 10, 12, 5
SHARED, OWN, WINDOW = 0.03, 0.01, 0.005
COSTS = 1.3
"""What the target costs beside native."""
SEED = 20_261_128
Array = np.ndarray
Spoil = Callable[[np.random.Generator, Array, Array], None]
"""Changes the logs (rows x rounds x windows) of target and native in place."""


def normal(_chance: np.random.Generator, _mine: Array, _floor: Array) -> None:
    """Nothing is wrong."""


def heavy(chance: np.random.Generator, mine: Array, _floor: Array) -> None:
    """Trials scatter as Student's t with three degrees of freedom does."""
    mine += OWN * chance.standard_t(3, mine.shape[:2])[..., None]


def slow_trial(chance: np.random.Generator, mine: Array, _floor: Array) -> None:
    """One trial of each row is 15 % slow, all its windows alike."""
    mine[np.arange(len(mine)), chance.integers(0, ROUNDS, len(mine))] += math.log(1.15)


def common_warm_up(_chance: np.random.Generator, mine: Array, floor: Array) -> None:
    """Both get faster by 20 % over a trial."""
    for side in (mine, floor):
        side += np.linspace(math.log(1.2), 0, WINDOWS)


def step(_chance: np.random.Generator, mine: Array, floor: Array) -> None:
    """The machine takes 15 % longer from the seventh round on, for both."""
    for side in (mine, floor):
        side[:, ROUNDS // 2 :] += math.log(1.15)


def bimodal(chance: np.random.Generator, mine: Array, _floor: Array) -> None:
    """Trials of the first row are in one of two states 30 % apart, at least three in each."""
    slow = chance.permutation(ROUNDS)[: chance.integers(3, ROUNDS - 2)]
    mine[0, slow] += math.log(1.3)


def own_warm_up(_chance: np.random.Generator, mine: Array, _floor: Array) -> None:
    """The first row's target alone gets faster by 20 % after its first two windows."""
    mine[0, :, :2] += math.log(1.2)


def drift(_chance: np.random.Generator, mine: Array, _floor: Array) -> None:
    """The first row's target takes 2 % longer each round."""
    mine[0] += (np.arange(ROUNDS) * math.log(1.02))[:, None]


def beats_floor(_chance: np.random.Generator, mine: Array, _floor: Array) -> None:
    """The first row's target is 5 % faster than native."""
    mine[0] -= math.log(COSTS) + 0.05


SOUND = (normal, heavy, slow_trial, common_warm_up, step)
WRONG = {
    bimodal: "two modes",
    own_warm_up: "no steady state",
    drift: "drift",
    beats_floor: "faster than native",
}


def table(spoil: Spoil, chance: np.random.Generator) -> dict[str, list[guards.Flag]]:
    """Flags by row of one table."""
    shape = (ROWS, ROUNDS, WINDOWS)
    shared = SHARED * chance.standard_normal((ROWS, ROUNDS, 1))
    sides = [
        shared
        + OWN * chance.standard_normal((ROWS, ROUNDS, 1))
        + WINDOW * chance.standard_normal(shape)
        for _ in range(2)
    ]
    mine, floor = sides[0] + math.log(COSTS), sides[1]
    spoil(chance, mine, floor)
    samples = pd.concat([frame("mine", mine), frame("native", floor)], ignore_index=True)
    medians = trial_medians(samples)
    rows = [f"row{row}" for row in range(ROWS)]
    ratios = {
        (row, "mine"): paired_ratio(medians[row, "mine"], medians[row, "native"]) for row in rows
    }
    found: dict[str, list[guards.Flag]] = {row: [] for row in rows}
    for part in (
        guards.series_flags(samples, medians),
        guards.unsteady_against(samples, [(row, "mine", "native") for row in rows]),
        guards.faster_than_floor(ratios, "native"),
    ):
        for (row, target), flags in part.items():
            if target == "mine":
                found[row] += flags
    return found


def frame(target: str, logs: Array) -> pd.DataFrame:
    """One row of samples a window, as bench.stats.frame has them."""
    rows, rounds, _ = np.indices(logs.shape)
    number = rows.ravel() * ROUNDS + rounds.ravel()
    return pd.DataFrame(
        {"trial": number, "round": rounds.ravel(), "target": target,
         "group": [f"row{row}" for row in rows.ravel()], "seconds": 1e-6 * np.exp(logs.ravel())}
    )  # fmt: skip


DRIFTING = {step}
"""What makes later rounds longer in every row."""


def main() -> None:
    """Simulate, print, write down."""
    lines = [
        f"{TABLES} tables of {ROWS} rows, {ROUNDS} rounds of {WINDOWS} windows, seed {SEED}",
        f"two modes are looked for from {guards.FEWEST_FOR_MODES} rounds on, drift from "
        f"{guards.FEWEST_FOR_DRIFT}: a run of fewer is not told of them",
    ]
    figures: dict[str, dict[str, float]] = {}
    for number, spoil in enumerate((*SOUND, *WRONG)):
        chance = np.random.default_rng([SEED, number])
        fatal: Counter[str] = Counter()
        hits = others = drifts = 0
        for _ in range(TABLES):
            found = table(spoil, chance)
            wanted = WRONG.get(spoil)
            hits += any(flag.word == wanted for flag in found["row0"])
            for row, flags in found.items():
                bad = {flag.word for flag in flags if flag.implausible} - {wanted}
                fatal.update(bad)
                others += bool(bad) and not (wanted and row == "row0")
                told = any(flag.word == "drift" for flag in flags)
                drifts += told and not (wanted == "drift" and row == "row0")
        name, sound = spoil.__name__.replace("_", " "), ROWS - (spoil in WRONG)
        known = ROWS - (WRONG.get(spoil) == "drift")
        figures[name] = {
            "found": hits / TABLES,
            "wrongly": others / (TABLES * sound),
            "drift_wrongly": drifts / (TABLES * known),
        }
        said = f"{WRONG[spoil]} found in {percent(hits / TABLES)}, " if spoil in WRONG else ""
        lines.append(
            f"{name}: {said}called implausible wrongly: {percent(others / (TABLES * sound))} "
            f"of rows {dict(fatal) or ''}".rstrip()
            + f"; drift noted in {percent(drifts / (TABLES * known))}"
            + (" (it is there)" if spoil in DRIFTING else " wrongly")
        )
        print(lines[-1], flush=True)
    here = Path(__file__)
    here.with_suffix(".txt").write_text("\n".join(lines) + "\n")
    here.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
