"""README's first screen: short, and every link of it leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_it_is_short_and_has_both_doors() -> None:
    """What it answers with a picture, a kernel pair, a bundle; depth is in docs/."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 120
    places = [
        text.index(word) for word in ("| level |", "![", "kernel pair", "verify BUNDLE", "make run")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """From where the page lies; sites are not asked."""
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert "://" in link or (page.parent / link).exists(), link


def test_every_page_is_named_in_readme() -> None:
    """A page that nothing leads to is not read."""
    text = (ROOT / "README.md").read_text()
    assert all(f"docs/{page.name}" in text for page in PAGES[1:])
