"""The artefact on Galaxy: its pages link only to shipped files."""

from __future__ import annotations

from pathlib import Path

from docs.build import broken_links, markdown_page


def test_no_link_is_broken(unpacked: Path) -> None:
    pages = {path: markdown_page(path) for path in unpacked.rglob("*.md")}
    assert len(pages) > 40
    assert sum(len(page.links) for page in pages.values()) > 100
    assert broken_links(pages) == []
