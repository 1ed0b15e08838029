"""Links of the documentation, the README and the examples lead to files and headings that are there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import ROOT, find_pages

_FENCED = re.compile(r"^(\s*)(`{3,}|~{3,}).*?^\s*\2`*\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_ATTRIBUTE = re.compile(r"""<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=["']([^"']+)["']""")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
# Pages whose headings come from docstrings, so that their anchors are the builder's to check.
_GENERATED = re.compile(r"^:::", re.MULTILINE)

PAGES = [
    *find_pages(),
    *(path for path in sorted(ROOT.glob("*.md")) if path.name != "README.md"),
    *sorted((ROOT / "examples").rglob("*.md")),
]


def _prose(markdown: str) -> str:
    """The page without code and comments, in which nothing is a link."""
    return _CODE.sub("", _FENCED.sub("", _COMMENT.sub("", markdown)))


def links(markdown: str) -> Iterator[str]:
    """The targets of a page's links and images."""
    prose = _prose(markdown)
    for pattern in (_LINK, _ATTRIBUTE):
        yield from (found.group(1) for found in pattern.finditer(prose))


@cache
def anchors(page: Path) -> frozenset[str]:
    """What a page's headings are called in addresses, as MkDocs and GitHub make them."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading) for heading in _HEADING.findall(text))
    return frozenset(
        re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in plain
    )


@cache
def _committed() -> frozenset[Path]:
    """What a clone will hold: a link to a file that is only here is broken elsewhere."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if found.returncode:  # not a clone but an unpacked sdist
        return frozenset(path for path in ROOT.rglob("*") if path.is_file())
    return frozenset(ROOT / name for name in found.stdout.decode().split("\0") if name)


def broken(page: Path) -> Iterator[str]:
    """The links of a page that lead nowhere, each with the reason."""
    for link in links(page.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        if parts.scheme in ("http", "https", "mailto", "data"):
            continue  # not ours; asking for it would make the tests depend on the network
        target = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
        is_directory = any(target in path.parents for path in _committed())
        if parts.path.startswith("/") or not (target == page or target in _committed() or is_directory):
            yield f"{link}: no such file"
        elif (ROOT / "docs") in page.parents and (ROOT / "docs") not in target.parents:
            yield f"{link}: outside of docs/, so it breaks on the built site"
        elif parts.fragment and target.suffix == ".md" and parts.fragment not in anchors(target):
            if not _GENERATED.search(target.read_text(encoding="utf-8")):
                yield f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every link within the project leads to a file that a clone has, and to a heading on it."""
    assert list(broken(page)) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    """A missing file, a missing heading and a broken image are found; code is no link; other hosts are not asked."""
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` c\n[1](gone.md) [2](#nothing) ![3](gone.svg) [4](#a-b-c) <img src='lost.png'>\n"
        "`[5](code.md)`\n```text\n[6](code.md)\n```\n[7](https://example.com/gone)\n",
        encoding="utf-8",
    )
    assert [found.partition(":")[0] for found in broken(page)] == [
        "gone.md",
        "#nothing",
        "gone.svg",
        "lost.png",
    ]


def test_every_page_is_in_the_navigation() -> None:
    """MkDocs shows only what ``nav`` names; each page is named once."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"([\w/-]+\.md)\s*$", text.partition("\nnav:")[2], re.MULTILINE)
    there = [path.relative_to(ROOT / "docs").as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    assert sorted(named) == sorted(there)
