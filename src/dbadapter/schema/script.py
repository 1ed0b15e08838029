"""An SQL script cut into its statements, whatever stands between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .scan import Token, scan

__all__ = ["Cursor", "split", "statements"]

_META = re.compile(r"^[ \t]*\\.*$", re.MULTILINE)  # psql's own commands, as pg_dump writes them
_COPY_DATA = re.compile(r"^(COPY\b[^;]*\bFROM\s+stdin\b[^;]*;)[^\n]*\n.*?^\\\.[ \t]*$", re.M | re.S | re.I)


def statements(text: str) -> Iterator[list[Token]]:
    """The tokens of each statement; the bodies of triggers and functions stay in one piece."""
    current: list[Token] = []
    depth = 0
    for token in scan(_blanked(text)):
        if token.is_op(";") and depth == 0:
            if current:
                yield current
            current = []
            continue
        current.append(token)
        if token.kind == "word":
            depth = max(0, depth + _opens(token, current))
    if [token for token in current if token.kind != "comment"]:
        yield current


def _blanked(text: str) -> str:
    """Rows of COPY and psql's commands as spaces, so that every position stays what it was."""
    text = _COPY_DATA.sub(lambda match: match.group(1) + " " * (match.end() - match.end(1)), text)
    return _META.sub(lambda match: " " * len(match.group()), text)


def _opens(token: Token, current: list[Token]) -> int:
    """How a word changes the depth of BEGIN ... END, which only CREATE TRIGGER and its like have inside."""
    head = [word.text.upper() for word in current[:6] if word.kind == "word"]
    if head[:1] != ["CREATE"] or not {"TRIGGER", "FUNCTION", "PROCEDURE"} & set(head):
        return 0
    if token.is_word("BEGIN", "CASE"):
        return 1
    return -1 if token.is_word("END") else 0


class Cursor:
    """A place in a list of tokens."""

    def __init__(self, tokens: list[Token], text: str, *, fold: bool) -> None:
        self.tokens = [token for token in tokens if token.kind != "comment"]
        self.text = text
        self.fold = fold
        self.at = 0

    def peek(self, ahead: int = 0) -> Token | None:
        """The token `ahead` places on, or None past the end."""
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    @property
    def done(self) -> bool:
        """Whether all tokens were taken."""
        return self.at >= len(self.tokens)

    def take(self) -> Token:
        """The next token; ValueError at the end."""
        token = self.peek()
        if token is None:
            raise ValueError("it ends too early")
        self.at += 1
        return token

    def word(self, *words: str) -> bool:
        """Take the words if they come next, one after the other."""
        for ahead, wanted in enumerate(words):
            token = self.peek(ahead)
            if token is None or not token.is_word(*wanted.split("|")):
                return False
        self.at += len(words)
        return True

    def op(self, text: str) -> bool:
        """Take the operator if it comes next."""
        token = self.peek()
        if token is None or not token.is_op(text):
            return False
        self.at += 1
        return True

    def name(self) -> str:
        """Take an identifier; what stands before a dot (a schema) is dropped."""
        token = self.take()
        if token.kind not in ("word", "name") and not (token.kind == "string" and not self.fold):
            raise ValueError(f"a name was expected instead of {token.text!r}")
        if self.op("."):
            return self.name()
        return token.text.lower() if self.fold and token.kind == "word" else token.text

    def group(self) -> list[Token]:
        """Take ``( ... )`` and give the tokens inside."""
        if not self.op("("):
            found = self.peek()
            raise ValueError(f"'(' was expected instead of {found.text if found else 'the end'!r}")
        start, depth = self.at, 1
        while depth:
            token = self.take()
            depth += token.is_op("(") - token.is_op(")")
        return self.tokens[start : self.at - 1]

    def names(self) -> tuple[str, ...]:
        """Take ``(a, b)``, with what may follow each name in a key (ASC, COLLATE) left out."""
        found = []
        for part in split(self.group()):
            found.append(Cursor(part, self.text, fold=self.fold).name())
        return tuple(found)

    def source(self, tokens: list[Token]) -> str:
        """The text of the tokens, to the letter."""
        return self.text[tokens[0].start : tokens[-1].end] if tokens else ""


def split(tokens: list[Token]) -> list[list[Token]]:
    """The parts between the commas outside all parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.is_op("(") or token.is_op("[")) - (token.is_op(")") or token.is_op("]"))
        if token.is_op(",") and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
