"""Text, bytes, columns of text and numbers mixed, and Postgres types that SQLite keeps as text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import frozen

from .._values import INT64_MAX, INT64_MIN, RawText, show
from .base import Conversion, Refused, double_hex, escape_all

__all__ = ["Anything", "Bytes", "PostgresText", "Text"]


def _plain(text: str) -> str:
    """The text, if Postgres can hold it."""
    if "\0" in text:
        raise Refused(f"{show(text)} has a NUL character, which text in Postgres cannot hold")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(f"{show(text)} has a lone surrogate, which is no valid Unicode") from None
    return text


def _decoded(data: bytes, encoding: str | None, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    if encoding:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            pass
    raise Refused(f"{what} {show(data)} is not valid UTF-8" + (f" nor {encoding}" if encoding else ""))


@frozen
class Text(Conversion):
    """TEXT ↔ text or varchar.

    Attributes:
        length: the most characters a value may have.
        encoding: how to read bytes that are not valid UTF-8; None: such values are refused.
        padded: the Postgres type is char(n), whose blanks a cast to text would take away.
    """

    kind: ClassVar[str] = "text"
    length: int | None = None
    encoding: str | None = None
    padded: bool = False

    def problem(self) -> str | None:
        """See `Conversion`."""
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            return f"encoding must be one that Python knows, not {self.encoding!r}"
        return None

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        if kinds != {str} or (self.length is not None and max(map(len, values)) > self.length):
            return None
        return escape_all(values)

    def accepts(self, values: Sequence[Any], kinds: set[type]) -> bool:
        """See `Conversion`."""
        if kinds != {str} or (self.length is not None and max(map(len, values)) > self.length):
            return False
        return "\0" not in "".join(values)

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`; numbers and decodable blobs arrive with their original kept."""
        exact = isinstance(value, str)
        if isinstance(value, RawText):
            text = _decoded(value.data, self.encoding, "text")
        elif isinstance(value, bytes):
            text = _decoded(value, self.encoding, "blob")
        else:
            text = value if isinstance(value, str) else repr(value)
        if self.length is not None and len(text) > self.length:
            raise Refused(f"{show(value)} is longer than {self.length} characters")
        return _plain(text), exact

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        return (
            f"CASE WHEN {column} IS NOT NULL THEN concat({column}) END" if self.padded else f"{column}::text"
        )


_INTEGER = "^(0|-?[1-9][0-9]{0,18})$"
_REAL = r"^-?([0-9]+\.[0-9]+|[0-9](\.[0-9]+)?e[+-]([0-9]{2}|[12][0-9]{2}|30[0-7])|inf)$"
_is_integer, _is_real = re.compile(_INTEGER).match, re.compile(_REAL).match


@frozen
class Anything(Conversion):
    """A column of numbers and text mixed ↔ text: what looks like a number is one."""

    kind: ClassVar[str] = "anything"
    storage = "tagged"

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`."""
        if isinstance(value, int):
            return str(value), True
        if isinstance(value, float):
            return repr(value), looks_like_number(repr(value))
        if isinstance(value, str):
            return _plain(value), not looks_like_number(value)
        data = value.data if isinstance(value, RawText) else value
        return _plain(_decoded(data, None, "text" if isinstance(value, RawText) else "blob")), False

    def tagged(self, column: str, text: str) -> str:
        """See `Conversion`."""
        return numbers_apart(column, text)


def looks_like_number(text: str) -> bool:
    """Whether `numbers_apart` would take the text for a number."""
    # `$` also matches before a last newline, in Python only.
    if text.endswith("\n"):
        return False
    return bool((_is_integer(text) and INT64_MIN <= int(text) <= INT64_MAX) or _is_real(text))


def numbers_apart(column: str, text: str) -> str:
    """A Postgres expression over a text column for the tag of the number or text that stands in it."""
    in_range = f"{column}::numeric BETWEEN {INT64_MIN} AND {INT64_MAX}"
    return (
        f"CASE WHEN CASE WHEN {column} ~ '{_INTEGER}' THEN {in_range} ELSE false END THEN 'i'||{column}"
        f" WHEN {column} ~ '{_REAL}' THEN {double_hex(column + '::float8')}"
        f" ELSE {text.format(column)} END"
    )


@frozen
class Bytes(Conversion):
    """BLOB ↔ bytea."""

    kind: ClassVar[str] = "bytes"
    storage = "blob"

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        return ["\\\\x" + value.hex() for value in values] if kinds == {bytes} else None

    def accepts(self, values: Sequence[Any], kinds: set[type]) -> bool:
        """See `Conversion`."""
        return kinds == {bytes}

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`; text and numbers arrive as the bytes of their text, with their original kept."""
        if isinstance(value, bytes):
            return "\\x" + value.hex(), True
        if isinstance(value, RawText):
            return "\\x" + value.data.hex(), False
        text = value if isinstance(value, str) else repr(value)
        return "\\x" + text.encode("utf-8", "surrogatepass").hex(), False

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        return column


@frozen
class PostgresText(Conversion):
    """Text as Postgres writes a value of its own ↔ that type (inet, xml, ranges, enumerations …)."""

    kind: ClassVar[str] = "postgres_text"

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        return escape_all(values) if kinds == {str} else None

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`."""
        if not isinstance(value, str):
            raise self.refuse(value, "text")
        return value, True

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        return f"{column}::text"
