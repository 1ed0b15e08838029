"""JSON, UUIDs, vectors, arrays, and Postgres types that SQLite keeps as text."""

from __future__ import annotations

import array
import json
import re
import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from attrs import frozen

from .._values import show
from .base import Conversion, Refused, escape_all
from .texts import looks_like_number, numbers_apart

__all__ = ["SPELLINGS", "Json", "JsonArray", "PostgresText", "Uuid", "Vector"]


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


_decode = json.JSONDecoder(parse_constant=_no_constant).decode
_decode_unique = json.JSONDecoder(
    parse_constant=_no_constant, object_pairs_hook=_unique, parse_float=str, parse_int=str
).decode
_BIG_EXPONENT = re.compile(r"[eE][+-]?\d{4,}")


@frozen
class Json(Conversion):
    """JSON text (a lone number is a number in SQLite) ↔ json or jsonb.

    json keeps the text to the letter; jsonb does not, so there the original is kept.

    Attributes:
        binary: the column is jsonb.
    """

    kind: ClassVar[str] = "json"
    storage = "tagged"
    binary: bool = False

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        if kinds != {str}:
            return None
        try:
            if self.binary:
                return escape_all(values) if all(self.one(value)[1] for value in values) else None
            for value in values:
                _decode(value)
            "".join(values).encode()
            if any(value[0] in "-0123456789" for value in values):
                return escape_all(values) if not any(map(looks_like_number, values)) else None
        except (ValueError, RecursionError, Refused):
            return None
        return escape_all(values)

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`."""
        if isinstance(value, (int, float)):
            text = repr(value)
            if "n" in text:  # inf
                raise self.refuse(value, "JSON")
            return text, looks_like_number(text) and not (self.binary and "e" in text)
        if not isinstance(value, str):
            raise self.refuse(value, "JSON text")
        try:
            value.encode()
            if not self.binary:
                _decode(value)
                return value, not looks_like_number(value)
            decoded = _decode_unique(value)
            if _BIG_EXPONENT.search(value):
                raise ValueError("a number may be beyond numeric")
            again = json.dumps(decoded, ensure_ascii=False, allow_nan=False)
            if "\\u0000" in again:
                raise ValueError("jsonb cannot hold \\u0000")
            again.encode()
        except (ValueError, RecursionError) as error:
            raise Refused(f"{show(value)} is not JSON that the column can hold: {error}") from None
        # Only what jsonb cannot spell otherwise is known to come back as it was.
        return value, value in ("{}", "[]", "null", "true", "false", '""')

    def tagged(self, column: str, text: str) -> str:
        """See `Conversion`."""
        return numbers_apart(f"{column}::text", text)


SPELLINGS: dict[str, tuple[str, Callable[[uuid.UUID], Any], str]] = {
    "lower": ("text", str, "{}::text"),
    "upper": ("text", lambda value: str(value).upper(), "upper({}::text)"),
    "hex": ("text", lambda value: value.hex, "replace({}::text,'-','')"),
    "HEX": ("text", lambda value: value.hex.upper(), "upper(replace({}::text,'-',''))"),
    "braces": ("text", lambda value: f"{{{value}}}", "'{{'||{}::text||'}}'"),
    "BRACES": ("text", lambda value: f"{{{str(value).upper()}}}", "'{{'||upper({}::text)||'}}'"),
    "bytes": ("blob", lambda value: value.bytes, "uuid_send({})"),
}


@frozen
class Uuid(Conversion):
    """A UUID in one spelling ↔ uuid.

    Attributes:
        spelling: ``lower`` ``upper`` ``hex`` ``HEX`` ``braces`` ``BRACES`` or ``bytes``.
    """

    kind: ClassVar[str] = "uuid"
    spelling: str = "lower"

    @property
    def storage(self) -> str:  # type: ignore[override]
        """BLOB for bytes, else TEXT."""
        return SPELLINGS[self.spelling][0]

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        if kinds not in ({str}, {bytes}):
            return None
        spell = SPELLINGS[self.spelling][1]
        out = []
        for value in values:
            found = _uuid(value)
            if found is None or spell(found) != value:
                return None
            out.append(str(found))
        return out

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`; other spellings arrive with their original kept."""
        found = _uuid(value)
        if found is None:
            raise self.refuse(value, "a UUID")
        return str(found), SPELLINGS[self.spelling][1](found) == value

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        return SPELLINGS[self.spelling][2].format(column)


_UUID_TEXT = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}",
    re.ASCII | re.IGNORECASE,
)


def _uuid(value: Any) -> uuid.UUID | None:
    if isinstance(value, bytes) and len(value) == 16:
        return uuid.UUID(bytes=value)
    if isinstance(value, str) and _UUID_TEXT.fullmatch(value):
        return uuid.UUID(value)
    return None


@frozen
class Vector(Conversion):
    """A BLOB of little-endian float32 ↔ vector (pgvector)."""

    kind: ClassVar[str] = "vector"
    storage = "vector"
    dimension: int | None = None

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        try:
            return [self.one(value)[0] for value in values] if kinds == {bytes} else None
        except Refused:
            return None

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`."""
        if not isinstance(value, bytes) or not value or len(value) % 4:
            raise self.refuse(value, "a vector of float32")
        if self.dimension is not None and len(value) != self.dimension * 4:
            raise Refused(f"{show(value)} has {len(value) // 4} dimensions, not {self.dimension}")
        numbers = struct.unpack(f"<{len(value) // 4}f", value)
        if not all(abs(number) < float("inf") for number in numbers):
            raise Refused(f"{show(value)} has NaN or an infinity, which a vector in Postgres cannot hold")
        return "[" + ",".join(map(repr, numbers)) + "]", True

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`: behind two 16-bit fields come the numbers, big-endian; `swap_float32` turns them round."""
        return f"substring(vector_send({column}) from 5)"


def swap_float32(data: bytes) -> bytes:
    """The same float32 numbers in the other byte order."""
    numbers = array.array("I" if array.array("I").itemsize == 4 else "L", data)
    numbers.byteswap()
    return numbers.tobytes()


@frozen
class JsonArray(Conversion):
    """A JSON array as text ↔ a Postgres array.

    Attributes:
        element: the element's Postgres type.
    """

    kind: ClassVar[str] = "json_array"
    element: str = "text"

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        try:
            found = [self.one(value) for value in values]
        except Refused:
            return None
        return escape_all([text for text, _ in found]) if all(exact for _, exact in found) else None

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`."""
        if not isinstance(value, str):
            raise self.refuse(value, "a JSON array")
        try:
            items = _decode(value)
        except (ValueError, RecursionError):
            items = None
        if not isinstance(items, list):
            raise self.refuse(value, "a JSON array")
        exact = value == json.dumps(items, ensure_ascii=False, separators=(",", ":"))
        return _array_literal(items, value), exact

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        written = _ELEMENTS.get(self.element)
        if written is None:
            return f"array_to_json({column})::text"
        items = f"SELECT {written} FROM unnest({column}) WITH ORDINALITY AS items(e, place) ORDER BY place"
        return f"CASE WHEN {column} IS NOT NULL THEN array_to_json(ARRAY({items}))::text END"


def _moment(item: str) -> str:
    return (
        f"CASE WHEN {item}::timestamp(0)={item} THEN to_char({item},'YYYY-MM-DD HH24:MI:SS') "
        f"ELSE to_char({item},'YYYY-MM-DD HH24:MI:SS.US') END"
    )


# How the adapter writes items that JSON has no word for.
_ELEMENTS = {
    "numeric": "e::text",
    "bytea": "encode(e,'hex')",
    "interval": "(extract(epoch from e)*1000000)::bigint",
    "timestamp without time zone": _moment("e"),
    "timestamp with time zone": _moment("(e AT TIME ZONE 'UTC')"),
    "json": "e::json",
    "jsonb": "e::json",
}


def _array_literal(items: list[Any], source: str) -> str:
    out = []
    for item in items:
        if item is None:
            out.append("NULL")
        elif isinstance(item, bool):
            out.append("t" if item else "f")
        elif isinstance(item, list):
            out.append(_array_literal(item, source))
        elif isinstance(item, dict):
            raise Refused(f"{show(source)} has an object in it, which no array can hold")
        else:
            text = item if isinstance(item, str) else repr(item)
            out.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ",".join(out) + "}"


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
