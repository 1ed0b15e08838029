"""JSON documents, and Postgres arrays as JSON arrays."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import frozen

from .._values import show
from .base import Conversion, Refused, escape_all
from .texts import looks_like_number, numbers_apart

__all__ = ["Json", "JsonArray"]


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


@frozen
class JsonArray(Conversion):
    """A JSON array as text ↔ a Postgres array.

    Attributes:
        element: the element's Postgres type.
    """

    kind: ClassVar[str] = "json_array"
    element: str = "text"

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
