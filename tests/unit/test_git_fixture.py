"""The repositories that ``git status`` is measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from workloads import _git


def test_git_begins_no_housekeeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Housekeeping would go on in the background: objects vanished while a repository was copied."""
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    folder = tmp_path / "repository"
    folder.mkdir()
    _git.repository(folder, 4, 2)
    text = trace.read_text()
    assert "built-in: git commit" in text
    assert "maintenance" not in text
    assert "gc --auto" not in text
