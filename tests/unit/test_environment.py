"""What is recorded of a machine, and what is kept out."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from bench.machine import environment, suite


def test_collected_environment_is_json_and_names_the_kernel(tmp_path: Path) -> None:
    """Every value survives JSON; a backing that does not exist yet is no error."""
    found = environment.collect(tmp_path / "later")
    assert json.loads(json.dumps(found)) == found
    assert found["kernel_release"] == os.uname().release
    backing = found["backing_filesystem"]
    assert isinstance(backing, dict) and backing["type"]


def test_nothing_personal_is_recorded(tmp_path: Path) -> None:
    """No host name and no path."""
    text = json.dumps(environment.collect(tmp_path))
    host = platform.node()
    assert len(host) < 4 or host not in text
    assert str(tmp_path) not in text and str(Path.home()) not in text


def test_command_line_keeps_what_bears_on_speed_only() -> None:
    """Addresses, devices and what is meant for init stay out, but are counted."""
    text = "root=UUID=1-2 ip=10.0.0.1 mitigations=off idle=poll password=x -- --addr 10.0.0.2"
    assert environment.command_line(text) == "mitigations=off idle=poll (and 3 others)"
    assert environment.command_line("") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "intel-xeon-e5-2680-v4"),
        ("AMD EPYC-2cpu-vm-6.18.0", "amd-epyc-2cpu-vm-6.18.0"),
        ("../..", "unknown"),
    ],
)
def test_slugs_are_safe_directory_names(text: str, expected: str) -> None:
    """No slash, no leading dot, no trademark."""
    assert environment.slug(text) == expected


def test_machine_id_is_a_slug_with_the_kernel() -> None:
    """Stable within one boot."""
    found = environment.machine_id()
    assert found == environment.slug(found) == environment.machine_id()
    assert environment.slug(os.uname().release) in found


def test_vulnerabilities_that_do_not_apply_are_left_out(tmp_path: Path) -> None:
    """Only what affects the machine; a missing directory gives nothing."""
    (tmp_path / "meltdown").write_text("Not affected\n")
    (tmp_path / "spectre_v2").write_text("Mitigation: Retpolines\n")
    assert environment.mitigations(tmp_path) == {"spectre_v2": "Mitigation: Retpolines"}
    assert environment.mitigations(tmp_path / "none") == {}


@pytest.mark.parametrize(("told", "commit"), [("abc-dirty", "abc-dirty"), ("", None)])
def test_a_guest_believes_the_commit_it_is_told(
    told: str, commit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without asking git; nothing where its host has no checkout either."""
    monkeypatch.setenv(suite.COMMIT, told)
    monkeypatch.setenv("PATH", "/nowhere")
    assert suite.commit() == commit
