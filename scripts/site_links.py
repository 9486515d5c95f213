"""A hook of mkdocs: what the pages link to outside of docs/.

In the repository, pages link to sources and to the files at its top by relative paths, which
tests/test_docs.py holds. On the site the files of `TOP` are pages, and sources are links into the
repository (`repo_url`), or plain names where it is not known. A link that shows a page's file shows
its title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from posixpath import normpath, relpath
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# By the site's path, files of the repository that are pages, too.
TOP = {
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
}
LINK = re.compile(
    r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)"
)
CODE = re.compile(r"^```.*?^```|^(?: {4}[^\n]*\n)+", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie at the repository's top."""
    for page, source in TOP.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page, its links as the site has them."""
    uri = page.file.src_uri
    at = TOP.get(uri, f"docs/{uri}")
    return with_links(markdown, at, config.repo_url or "", {v: k for k, v in TOP.items()})


def with_links(markdown: str, at: str, repository: str, pages: Mapping[str, str]) -> str:
    """Markdown whose links lead to pages of the site, or into the repository.

    Args:
        markdown: of a page.
        at: the page's file, from the repository's top.
        repository: its address; "" where it is not known.
        pages: by file, the site's path of files outside of docs/.
    """
    site = at.removeprefix("docs/") if at.startswith("docs/") else pages[at]

    def link(match: re.Match[str]) -> str:
        picture, text, path, anchor = match[1], match[2], match[3], match[4] or ""
        target = normpath(f"{at.rpartition('/')[0] or '.'}/{path}")
        inside = pages.get(target) or (
            target.removeprefix("docs/") if target.startswith("docs/") else None
        )
        if inside is not None and not (ROOT / target).is_dir() and not _left_out(inside):
            if text in (path, target) and (ROOT / target).is_file():
                text = _title(target)
            return f"{picture}[{text}]({relpath(inside, site.rpartition('/')[0] or '.')}{anchor})"
        if not repository:
            return text
        return f"[{text}]({repository.rstrip('/')}/blob/main/{target})"

    parts, end = [], 0
    for code in CODE.finditer(markdown):
        parts += [LINK.sub(link, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, LINK.sub(link, markdown[end:])])


def _title(target: str) -> str:
    """A page's, where a link shows the name of its file: a reader of the site knows no files."""
    return (ROOT / target).read_text("utf-8").partition("\n")[0].removeprefix("# ")


def _left_out(inside: str) -> bool:
    """Whether mkdocs' `exclude_docs` keeps it from the site."""
    return inside.startswith("measured/")
