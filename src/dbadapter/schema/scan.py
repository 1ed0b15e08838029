"""Cut SQL text into tokens, keeping where each stood, so that expressions can be taken over to the letter."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

__all__ = ["Token", "closing", "columns_in", "scan", "unwrapped", "with_next", "without_parentheses"]


@frozen
class Token:
    """A piece of SQL.

    Attributes:
        kind: ``word`` (unquoted name or keyword), ``name`` (quoted), ``string``, ``number``, ``comment`` (a
            block comment), ``op``, or ``bad`` for what never ends.
        text: a word as written; the content of a name, string or comment; otherwise the text itself.
        start: where it begins in the source.
        end: where it ends.
    """

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords (given in upper case)."""
        return self.kind == "word" and self.text.upper() in words

    def is_op(self, text: str) -> bool:
        """Whether it is this operator or punctuation mark."""
        return self.kind == "op" and self.text == text


_WORD = re.compile(r"[^\W\d][\w$]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_DOLLAR = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_STRING_PREFIX = re.compile(r"[eE]'|[uU]&'|[bBxXnN]'")
_OPERATOR = re.compile(r"::|:=|<>|!=|<=|>=|\|\||==|[-+*/<>=~!@#%^&|?]+|[(),;.\[\]:]")
_NO_SUCH_OPERATOR = re.compile(r"--|/\*")


def scan(text: str) -> list[Token]:
    """All tokens of the text; white space and line comments are left out."""
    return list(_scan(text))


def _scan(text: str) -> Iterator[Token]:
    at, size = 0, len(text)
    while at < size:
        char = text[at]
        if char.isspace():
            at += 1
            continue
        token = _token(text, at, char)
        if token is None:  # a line comment
            newline = text.find("\n", at)
            at = size if newline < 0 else newline + 1
            continue
        yield token
        at = token.end


def _token(text: str, at: int, char: str) -> Token | None:
    if text.startswith("--", at):
        return None
    if text.startswith("/*", at):
        return _block_comment(text, at)
    if match := _STRING_PREFIX.match(text, at):
        return _string(text, at, match.end() - 1)
    if char == "'":
        return _string(text, at, at)
    if char in '"`':
        return _quoted(text, at, char)
    if char == "[" and (end := _bracketed(text, at)):
        return Token("name", text[at + 1 : end - 1], at, end)
    if char == "$" and (match := _DOLLAR.match(text, at)):
        end = text.find(match.group(), match.end())
        if end < 0:
            return Token("bad", text[at:], at, len(text))
        return Token("string", text[match.end() : end], at, end + len(match.group()))
    if match := _NUMBER.match(text, at):
        return Token("number", match.group(), at, match.end())
    if match := _WORD.match(text, at):
        return Token("word", match.group(), at, match.end())
    match = _OPERATOR.match(text, at)
    if not match:
        return Token("op", char, at, at + 1)
    end = match.end()
    if comment := _NO_SUCH_OPERATOR.search(text, at + 1, end):
        end = comment.start()
    return Token("op", text[at:end], at, end)


def _block_comment(text: str, at: int) -> Token:
    """PostgreSQL's comments nest; SQLite's do not, and nobody nests them there."""
    depth, place = 1, at + 2
    while depth:
        close = text.find("*/", place)
        if close < 0:
            return Token("bad", text[at:], at, len(text))
        opened = text.find("/*", place, close)
        depth, place = (depth + 1, opened + 2) if opened >= 0 else (depth - 1, close + 2)
    return Token("comment", text[at + 2 : place - 2], at, place)


def _string(text: str, at: int, quote: int) -> Token:
    escapes = text[at] in "eE"
    place = quote + 1
    while place < len(text):
        if escapes and text[place] == "\\":
            place += 2
        elif text[place] == "'":
            if text.startswith("''", place):
                place += 2
                continue
            body = text[quote + 1 : place].replace("''", "'")
            if text[at] in "xX":  # keep a blob literal apart from text
                return Token("blob", body, at, place + 1)
            return Token("string", _unescape(body) if escapes else body, at, place + 1)
        else:
            place += 1
    return Token("bad", text[at:], at, len(text))


_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|.)", re.DOTALL)


def _unescape(body: str) -> str:
    def one(match: re.Match[str]) -> str:
        found = match.group(1)
        if len(found) > 1 and found[0] in "xuU":
            return chr(int(found[1:], 16))
        if found[0] in "01234567":
            return chr(int(found, 8))
        return _ESCAPES.get(found, found)

    return _ESCAPE.sub(one, body)


def _quoted(text: str, at: int, quote: str) -> Token:
    place = at + 1
    while (place := text.find(quote, place)) >= 0:
        if not text.startswith(quote * 2, place):
            return Token("name", text[at + 1 : place].replace(quote * 2, quote), at, place + 1)
        place += 2
    return Token("bad", text[at:], at, len(text))


_BRACKETED = re.compile(r"\[[^\W\d][^\]\[,()']*\]")


def _bracketed(text: str, at: int) -> int | None:
    """SQLite's ``[name]``, unless it follows a name or a bracket: then it is PostgreSQL's subscript."""
    before = text[:at].rstrip()[-1:]
    match = _BRACKETED.match(text, at)
    if not match or before in (")", "]", "["):
        return None
    if before and (before.isalnum() or before in '_"'):
        return None if text[at - 1 : at] == before else match.end()
    return match.end()


_END = Token("op", ";", 0, 0)


def with_next(tokens: list[Token]) -> Iterator[tuple[Token, Token]]:
    """Each token with the one after it; the last with a semicolon."""
    return zip(tokens, [*tokens, _END][1:], strict=True) if tokens else iter(())


def closing(tokens: list[Token]) -> int:
    """The place of the parenthesis that closes the first one; -1 if none does."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += token.is_op("(") - token.is_op(")")
        if depth == 0:
            return place
    return -1


def unwrapped(tokens: list[Token]) -> list[Token]:
    """The tokens without parentheses around the whole of them."""
    while len(tokens) > 2 and tokens[0].is_op("(") and closing(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def without_parentheses(text: str) -> str:
    """The text without parentheses around the whole of it."""
    inner = unwrapped([token for token in scan(text) if token.kind != "comment"])
    return text[inner[0].start : inner[-1].end] if inner else text


def columns_in(expression: str, columns: tuple[str, ...]) -> list[str]:
    """Which of a table's columns an expression mentions, each once, in the table's order.

    Names are compared without regard to case unless quoted, and what is called like a function is none.
    """
    exact, folded = set(), set()
    tokens = scan(expression)
    for token, after in with_next(tokens):
        if token.kind == "name":
            exact.add(token.text)
        elif token.kind == "word" and not after.is_op("("):
            folded.add(token.text.lower())
    return [name for name in columns if name in exact or name.lower() in folded]
