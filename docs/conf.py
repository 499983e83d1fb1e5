"""Settings of the documentation site for Sphinx. docs/build.py runs it on a copy of docs/ with the reference added."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from docs.build import COLLECTION_PAGES, REPOSITORY
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from tests.lint.files import ROOT

ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"

project = "ibops.gateway"
author = "ibops.gateway contributors"
copyright = f"2026, {author}"  # noqa: A001  Sphinx's name for it
extensions = ["myst_parser", "sphinx_antsibull_ext"]
nitpicky = True
# For blocks without a language.
highlight_language = "text"

myst_heading_anchors = 4
# Follows the browser's dark mode, as the theme does.
antsibull_ext_color_scheme = "default-autodark"

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
# Furo's buttons lead to a page's source, which generated pages do not have.
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}

# `](target#anchor)` where the target is a path.
LINK = re.compile(r"\]\(([^()\s#:]+)(#[^()\s]*)?\)")
# Folders of files with a page in the reference, and the suffix of that page's name.
REFERENCE = {
    "plugins/action": "module",
    "plugins/callback": "callback",
    "plugins/filter": "filter",
    "plugins/inventory": "inventory",
    "plugins/lookup": "lookup",
    "plugins/modules": "module",
}
ROLE = re.compile(r"roles/(\w+)/meta/argument_specs\.yml")
# Labels of Ansible's own documentation that generated pages refer to.
LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
PLUGIN_LABEL = re.compile(r"ansible_collections\.(\w+)\.(\w+)\.(\w+)_(module|lookup|filter|inventory)")


def site_target(path: str) -> str | None:
    """Return the site's path for a file of the repository outside docs/.

    None for a path that does not exist.
    """
    if not (ROOT / path).exists():
        return None
    if path in {"plugins", "roles"}:
        return f"/{COLLECTION_PAGES}/index.rst"
    folder, _, name = path.rpartition("/")
    if role := ROLE.fullmatch(path):
        return f"/{COLLECTION_PAGES}/{role[1]}_role.rst"
    if folder in REFERENCE:
        return f"/{COLLECTION_PAGES}/{Path(name).stem}_{REFERENCE[folder]}.rst"
    return f"{REPOSITORY}{path}"


def adapt_page(app: Sphinx, page: str, source: list[str]) -> None:
    """Adapt a Markdown page, which a Git host shows as it is, to the site.

    Links to files outside docs/ become links to the reference or to the repository, and the pages that an index page
    links to become its chapters.
    """
    if app.env.doc2path(page).suffix != ".md":
        return

    def replace(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link[1]))
        target = None if path.startswith("docs/") else site_target(path)
        return f"]({target}{link[2] or ''})" if target else link[0]

    source[0] = LINK.sub(replace, source[0])
    if posixpath.basename(page) == "index":
        chapters = [link[1] for link in LINK.finditer(source[0]) if link[1].endswith((".md", ".rst"))]
        source[0] += "\n".join(["\n", "```{toctree}", ":hidden:", "", *chapters, "```", ""])


def link_ansible(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.reference | None:
    """Resolve a label of Ansible's documentation; Sphinx asks for those that it does not find on this site."""
    label = node["reftarget"]
    if plugin := PLUGIN_LABEL.fullmatch(label):
        page = "collections/{}/{}/{}_{}.html".format(*plugin.groups())
    elif node["reftype"] == "envvar" and label.startswith("ANSIBLE_"):
        page = f"{LABELS['ansible_configuration_settings']}#envvar-{label}"
    elif label in LABELS:
        page = LABELS[label]
    else:
        return None
    return nodes.reference("", "", contnode, refuri=f"{ANSIBLE}/{page}", internal=False)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", adapt_page)
    app.connect("missing-reference", link_ansible)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
