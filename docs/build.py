"""Build the documentation site into .cache/site and check every internal link of it: `python -m docs.build`.

The pages are those of docs/; antsibull-docs writes the reference from the documentation inside plugins and roles.
Warnings are errors. The Markdown files are checked as well, since a Git host shows them as they are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.lint.files import ROOT, project_files

COLLECTION = "ibops.gateway"
# Where a file is that the artefact does not have, as galaxy.yml leaves it out.
REPOSITORY = "https://github.com/ibops/gateway/blob/main/"
# The generated part of the reference, below the root of the site.
COLLECTION_PAGES = "reference/collection"
SOURCE = ROOT / ".cache" / "docs"
SITE = ROOT / ".cache" / "site"


def copy_pages() -> None:
    """Mirror docs/ into SOURCE, with modification times, by which Sphinx finds changed pages."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for path in project_files():
        if path.parts[0] == "docs" and path.suffix in {".md", ".svg", ".css", ".html"}:
            target = SOURCE / path.relative_to("docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target)


def write_reference() -> None:
    pages = SOURCE / COLLECTION_PAGES
    pages.mkdir(parents=True)
    command = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    subprocess.run(
        [*command, "--dest-dir", str(pages), COLLECTION],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections")},
        check=True,
    )
    for page in pages.glob("*.rst"):
        # Furo shows the contents of a page beside it.
        text = re.sub(r"^\.\. contents::\n(?: +:\w+:.*\n)+", "", page.read_text(), flags=re.M)
        if page.name == "index.rst":
            text = text.replace("Ibops.Gateway\n=============", f"{COLLECTION}\n{'=' * len(COLLECTION)}")
            # The navigation shows a page's short name, not its long heading.
            text = re.sub(r"^    ((\w+)_module)$", r"    \2 <\1>", text, flags=re.M)
            text = re.sub(r"^    ((\w+)_([a-z]+))$", r"    \2 (\3) <\1>", text, flags=re.M)
        page.write_text(text)


def render() -> None:
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs", "auto"]
    settings = ["--conf-dir", str(ROOT / "docs"), "--doctree-dir", str(SITE.with_name("doctrees"))]
    shutil.rmtree(SITE, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "sphinx", *options, *settings, "--fresh-env", str(SOURCE), str(SITE)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )


@dataclass
class Page:
    """A page's anchors, links, and resources."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    # Attributes with URLs that a browser fetches to show the page.
    resources: list[str] = field(default_factory=list)


class HtmlPage(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.page = Page()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.page.anchors |= {found[name] for name in ("id", "name") if name in found}
        if "src" in found or (tag == "link" and found.get("rel") == "stylesheet"):
            self.page.resources.append(found.get("src") or found["href"])
        elif "href" in found:
            self.page.links.append(found["href"])


def markdown_page(path: Path) -> Page:
    """Return the headings of a Markdown file, as a Git host names them, and its links."""
    text = re.sub(r"^```.*?^```|^ {4}.*$|`[^`\n]+`(?=[^\]]*$)", "", path.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.+)$", text, re.M)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return Page(anchors, re.findall(r"\]\(([^()\s]+)\)", text))


def broken_links(pages: dict[Path, Page]) -> list[str]:
    """Return the links between `pages` and to files beside them that lead nowhere."""
    problems = []
    for path, page in pages.items():
        for link in [*page.links, *page.resources]:
            url = urlsplit(link)
            if link.startswith(REPOSITORY) and not (ROOT / url.path.partition("/blob/main/")[2]).exists():
                problems.append(f"{path}: {link}: no such file in the repository")
            if url.scheme or url.netloc:
                if link in page.resources:
                    problems.append(f"{path}: fetches {link}; the site has to stand alone")
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if not target.exists():
                problems.append(f"{path}: {link}: no such file")
            elif url.fragment and target in pages and unquote(url.fragment) not in pages[target].anchors:
                problems.append(f"{path}: {link}: no such anchor")
    return problems


def main() -> int:
    copy_pages()
    write_reference()
    render()
    site = {path: HtmlPage(path).page for path in sorted(SITE.rglob("*.html"))}
    markdown = {ROOT / path: markdown_page(ROOT / path) for path in project_files() if path.suffix == ".md"}
    problems = broken_links(site) + broken_links(markdown)
    links = sum(len(page.links) for page in [*site.values(), *markdown.values()])
    print("\n".join(problems) or f"{len(site)} pages of the site, {len(markdown)} Markdown files, {links} links: whole")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd[:3])} failed, as shown above")
