"""A page of documentation as one Python program that keeps the page's line numbers.

- Every fenced ``python`` block of a page is run, all in one namespace, in their order.
- ``<!-- skip: reason -->`` on the line before a block leaves it out; the reason must say something.
- ``<!-- run -->`` on the line before a ``bash`` block runs it, where it stands, with ``bash -e``.
- ``<!-- setup`` … ``-->`` holds code that readers need not see (a server to connect to, say).
- Where a page has ``output`` blocks, they must be what the whole page prints.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*([\w-]*)")
_SKIP = re.compile(r"^\s*<!--\s*skip:(.*)-->\s*$")
_RUN = re.compile(r"^\s*<!--\s*run\s*-->\s*$")
_SETUP = re.compile(r"^\s*<!--\s*setup\s*$")


@frozen
class Block:
    """A piece of a page: its language, its text, the number of its first line, why it is not run, and whether it is
    run although it is not Python.
    """

    language: str
    text: str
    line: int
    skip: str | None = None
    run: bool = False


class PageError(Exception):
    """A page that is not well formed; the message names the line."""


def find_pages(root: Path = ROOT) -> list[Path]:
    """Return the README and every page of the documentation."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def read_blocks(markdown: str) -> Iterator[Block]:
    """Yield the fenced blocks and the hidden setups of a page, in their order."""
    lines = markdown.splitlines()
    skip: str | None = None
    run = False
    index = 0
    while index < len(lines):
        line = lines[index]
        first = index + 1
        if fence := _FENCE.match(line):
            closing = re.compile(rf"^\s*{re.escape(fence[2][0])}{{{len(fence[2])},}}\s*$")
            index = _find(lines, first, closing, "a fenced block is never closed")
            if run and fence[3] != "bash":
                raise PageError(f"line {first}: the run above is for bash blocks")
            yield Block(fence[3], _text(lines[first:index]), first + 1, skip, run)
            skip, run = None, False
        elif _SETUP.match(line):
            index = _find(lines, first, re.compile(r"^\s*-->\s*$"), "a setup is never closed")
            yield Block("python", _text(lines[first:index]), first + 1)
        elif found := _SKIP.match(line):
            skip = found[1].strip()
            if not skip:
                raise PageError(f"line {first}: a skip needs a reason")
        elif _RUN.match(line):
            run = True
        elif line.strip() and (skip is not None or run):
            raise PageError(f"line {first}: the {'run' if run else 'skip'} above stands before no block")
        index += 1


def _find(lines: list[str], first: int, closing: re.Pattern[str], complaint: str) -> int:
    for index in range(first, len(lines)):
        if closing.match(lines[index]):
            return index
    raise PageError(f"line {first}: {complaint}")


def _text(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(lines))


def program(markdown: str) -> str:
    """Return the code of a page, each line where it stands on the page."""
    lines: list[str] = []
    for block in read_blocks(markdown):
        if block.language == "python" and block.skip is None:
            code = block.text
        elif block.run:
            code = f'__import__("subprocess").run(["bash", "-ec", {block.text!r}], check=True)'
        else:
            continue
        lines += [""] * (block.line - 1 - len(lines)) + code.split("\n")
    return "\n".join(lines)


def expected_output(markdown: str) -> str | None:
    """Return what the page says it prints; None if it says nothing about that."""
    texts = [
        block.text for block in read_blocks(markdown) if block.language == "output" and block.skip is None
    ]
    return "\n".join(texts) if texts else None
