"""What is said of the workloads: in the table of docs/workloads.md, and by ``bench list``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import registry
from bench.commands.main import main
from bench.model import Exit, Group, Level

README = (Path(__file__).parents[2] / "docs" / "workloads.md").read_text()


@pytest.mark.parametrize("name", registry.workloads())
def test_readmes_table_has_a_line_for_it(name: str) -> None:
    """Summary and requests as the workload itself states them, in the table of its group."""
    workload = registry.workloads()[name]
    usual = "" if workload.usual is None or workload.usual else " °"
    line = f"| `{name}`{usual} | {workload.summary} | {workload.about} |"
    assert line in README
    groups = [f"| **{group.value}** | | |" for group in Group]
    heading = f"| **{workload.group.value}** | | |"
    before = README[: README.index(line)]
    assert max(groups, key=before.rfind) == heading


def test_the_list_shows_every_row_in_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    """Groups in order, usual rows marked; the same rows as JSON."""
    assert main(["list"]) == Exit.MEASURED
    said = capsys.readouterr().out
    places = [said.index(f"\n {group.value}\n") for group in Group]
    assert places == sorted(places)
    assert main(["list", "--json"]) == Exit.MEASURED
    rows = json.loads(capsys.readouterr().out)["workloads"]
    assert set(rows) == {registry.row_name(*row) for row in registry.every_row()}
    assert rows["create/shared"].endswith("*") and not rows["create/each"].endswith("*")


@pytest.mark.parametrize("name", registry.workloads())
def test_what_opens_creates_reads_or_writes_files_is_no_control_at_rw(name: str) -> None:
    """There rw passthrough's own code runs, at OPEN if nowhere else; git opens index and config."""
    workload = registry.workloads()[name]
    opens = re.search(r"\b(OPEN|CREATE|READ|WRITE)\b", workload.about) or name == "macro-git"
    assert (workload.touched_from is Level.RW) is bool(opens)
