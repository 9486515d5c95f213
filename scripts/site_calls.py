"""A hook of mkdocs: what an app calls, taken from the modules' own sources.

<!-- calls FOLDER FILE … -->   what is public in these files, with its comments, without bodies;
                               of FILE:NAME,NAME these types alone
<!-- source FILE -->           a whole file
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
CALLS, SOURCE = re.compile(r"<!-- calls (\S+) ([^>]+) -->"), re.compile(r"<!-- source (\S+) -->")


@dataclass(frozen=True)
class Language:
    """How a language's public declarations are recognised, by the form that this project writes.

    Attributes:
        name: of the code block.
        type: a public type, at the line's beginning.
        whole: a type that is shown with its body: it is all declaration.
        member: a public member of a type.
        comment: a line of a comment before a declaration.
    """

    name: str
    type: re.Pattern[str]
    whole: re.Pattern[str]
    member: re.Pattern[str]
    comment: re.Pattern[str]


BLOCK, SLASHES = re.compile(r"\s*(/\*\*|\*)"), re.compile(r"\s*///")
LANGUAGES = {
    ".ts": Language(
        "ts",
        type=re.compile(r"export (class|interface|type) "),
        whole=re.compile(r"export (interface|type) "),
        member=re.compile(r"  (static |async |get )*[a-z]\w*(<\w+>)?\("),
        comment=BLOCK,
    ),
    ".kt": Language(
        "kotlin",
        type=re.compile(r"(data class|enum class|class|fun) "),
        whole=re.compile(r"(data|enum) class |class GlintException"),
        member=re.compile(r" {4}(fun|va[lr]) | {8}fun "),
        comment=BLOCK,
    ),
    ".swift": Language(
        "swift",
        type=re.compile(r"public (final class|struct|enum) "),
        whole=re.compile(r"public (struct|enum) "),
        member=re.compile(r"  public "),
        comment=SLASHES,
    ),
}


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page, with sources in their places."""

    def whole(match: re.Match[str]) -> str:
        path = ROOT / match[1]
        return f"```{'c' if 'engine' in path.parts else 'cpp'}\n{path.read_text('utf-8')}```"

    def calls(match: re.Match[str]) -> str:
        parts = (name.partition(":") for name in match[2].split())
        return "\n\n".join(public(ROOT / match[1] / name, names) for name, _, names in parts)

    return SOURCE.sub(whole, CALLS.sub(calls, markdown))


def public(path: Path, names: str = "") -> str:
    """What is public in a source file, as a block of code.

    Args:
        path: the file.
        names: of its types, with commas between; "": of all.
    """
    language = LANGUAGES[Path(path.name.removesuffix(".j2")).suffix]
    lines = path.read_text("utf-8").splitlines()
    wanted = re.compile(rf"\b({'|'.join(names.split(','))})\b" if names else "")
    text = re.sub(r"\{%.*?%\}", "", "\n".join(_declarations(lines, language, wanted)))
    return f"```{language.name}\n{text.rstrip()}\n```"


def _declarations(lines: list[str], language: Language, wanted: re.Pattern[str]) -> Iterator[str]:
    is_open = False  # a type whose members are shown
    for number, line in enumerate(lines):
        if line.startswith("}") and is_open:
            yield "}\n"
            is_open = False
        is_type = language.type.match(line) and wanted.search(line)
        if not is_type and not (is_open and language.member.match(line)):
            continue
        about = _comment(lines, number, language)
        if any("@internal" in each for each in about):
            continue
        yield from about
        if is_type and not language.whole.match(line) and "fun " not in line:
            is_open = True
            yield re.split(r" (?:private|internal) constructor| \{", line)[0] + " {"
            continue
        yield from _until_its_end(lines[number:], with_body=bool(language.whole.match(line)))
        yield ""


def _comment(lines: list[str], number: int, language: Language) -> list[str]:
    first = number
    while first and language.comment.match(lines[first - 1]):
        first -= 1
    return lines[first:number]


def _until_its_end(lines: list[str], *, with_body: bool) -> Iterator[str]:
    """A declaration's lines; without a body, up to where that begins."""
    depth = 0
    for line in lines:
        code = re.sub(r"\s*//.*", "", line)
        for at, letter in enumerate(code):
            is_body = (
                letter == "{" or code[at:] == "=" or code[at:].startswith("= ")
            ) and depth == 0
            if is_body and not with_body:
                yield re.sub(r" (get\(\)|by lazy)$", "", code[:at].rstrip())
                return
            depth += (letter in "([{") - (letter in ")]}")
        yield line
        if depth == 0 and (not with_body or code.endswith((";", "}", ")"))):
            return
