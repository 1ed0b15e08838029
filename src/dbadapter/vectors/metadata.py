"""Metadata: what a record's may hold, and its exact text in JSON.

The text is written so that both backends keep every value and its type: a float always shows a point, so
that it comes back as a float, and the infinities are written as numbers beyond every float, which read as
infinities and stand in the right place of the order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import DataError, VectorError
from .filters import Scalar

__all__ = [
    "InvalidRecord",
    "Metadata",
    "check_metadata",
    "exact_json",
    "merge_metadata",
    "read_each",
    "read_json",
    "scalar_json",
]

Metadata = dict[str, Any]


class InvalidRecord(VectorError, DataError, ValueError):
    """A record's id, vector, metadata or document cannot be held as it is; nothing was written."""


# As `json.loads`, without looking for white space around: there is none.
_read = json.JSONDecoder().raw_decode
_INT64 = range(-(2**63), 2**63)
_INFINITY = "1" + "0" * 400 + ".0"
# From here on repr() of a float has an exponent, and jsonb would give it back expanded, as an integer.
_EXPONENT_FROM = 1e16


def check_metadata(metadata: Any, place: str, *, partial: bool = False) -> Metadata | None:
    """A copy of one record's metadata that holds exactly what will be stored.

    Args:
        metadata: a mapping of text to str, int, float, bool or a list of one of these; or None.
        place: how to name it in errors.
        partial: it will be merged into a record's, so None (delete this key) is kept; otherwise such keys go.

    Raises `InvalidRecord` naming the key. Returns None where nothing is left.
    """
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise InvalidRecord(f"{place} must be a mapping or None, not {type(metadata).__name__}")
    if not metadata:
        raise InvalidRecord(f"{place} is empty; pass None where there is no metadata")
    checked: Metadata = {}
    for key, value in metadata.items():
        if type(key) is not str or not key.isascii() or "\0" in key or key[:1] in ("", "#", "$", "c"):
            key = _check_key(key, place)
        kind = type(value)
        if kind is str:
            checked[key] = value if value.isascii() and "\0" not in value else _text(value, key, place)
        elif kind is bool:
            checked[key] = value
        elif value is not None:
            checked[key] = _value(value, key, place)
        elif partial:
            checked[key] = None
    return checked or None


def _check_key(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise InvalidRecord(f"{place}: the key {key!r} is not text")
    key = str.__str__(key)
    if not key:
        raise InvalidRecord(f"{place} has an empty key")
    if key[0] in "#$" or key == "chroma:document":
        raise InvalidRecord(f"{place}: the key {key!r} is reserved: keys must not begin with # or $")
    return _text(key, "a key", place)


def _value(value: Any, key: str, place: str) -> Any:
    if isinstance(value, list):
        return _list(value, key, place)
    return _scalar(value, key, place)


def _scalar(value: Any, key: str, place: str) -> Scalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str.__str__(value), key, place)
    if isinstance(value, int):
        if value not in _INT64:
            raise InvalidRecord(f"{place}[{key!r}] is {value}, beyond 64 bits; store it as text")
        return int(value)
    if isinstance(value, float):
        if math.isnan(value):
            raise InvalidRecord(f"{place}[{key!r}] is NaN, which no filter could ever find")
        return float(value) + 0.0  # -0.0 becomes 0.0, which is all that Postgres' jsonb keeps of it
    raise InvalidRecord(
        f"{place}[{key!r}] is a {type(value).__name__}; metadata holds str, int, float, bool"
        f"{_advice(value)}, or a list of one of these"
    )


def _advice(value: Any) -> str:
    return " (use .item() to make a numpy value plain)" if type(value).__module__ == "numpy" else ""


def _list(values: list[Any], key: str, place: str) -> list[Scalar]:
    if not values:
        raise InvalidRecord(f"{place}[{key!r}] is an empty list; leave the key out instead")
    checked = [_scalar(value, key, place) for value in values]
    if len({type(value) for value in checked}) > 1:
        raise InvalidRecord(f"{place}[{key!r}] is a list of more than one type: {values!r:.200}")
    return checked


def _text(text: str, key: str, place: str) -> str:
    if "\0" in text:
        raise InvalidRecord(f"{place}[{key!r}] has a NUL character, which Postgres cannot hold")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRecord(f"{place}[{key!r}] has a lone surrogate, which is no valid Unicode") from None
    return text


def merge_metadata(old: Metadata | None, new: Metadata | None) -> Metadata | None:
    """The metadata of an updated record: new keys over old ones, None deletes."""
    merged = {**(old or {}), **(new or {})}
    return {key: value for key, value in merged.items() if value is not None} or None


def exact_json(metadata: Metadata | None) -> str | None:
    """Checked metadata as JSON text; None stays None."""
    if metadata is None:
        return None
    for value in metadata.values():
        kind = type(value)
        if kind is list or (kind is float and not -_EXPONENT_FROM < value < _EXPONENT_FROM):
            break
    else:
        return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
    return "{" + ",".join(f"{_quoted(key)}:{_value_json(value)}" for key, value in metadata.items()) + "}"


def _value_json(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(scalar_json, value)) + "]"
    return scalar_json(value)


def scalar_json(value: Scalar) -> str:
    """One value as JSON text."""
    if type(value) is not float:
        return _quoted(value)
    if math.isinf(value):
        return _INFINITY if value > 0 else f"-{_INFINITY}"
    if -_EXPONENT_FROM < value < _EXPONENT_FROM:
        return repr(value)
    return f"{int(value)}.0"


def _quoted(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)


def read_json(text: str | None) -> Metadata | None:
    """The metadata that `exact_json` wrote."""
    return None if text is None else _read(text)[0]


def read_each(texts: Iterable[str | None]) -> list[Metadata | None]:
    """The metadata of several records; one long text is read faster than many short ones."""
    found: list[Metadata | None] = _read(f"[{','.join([text or 'null' for text in texts])}]")[0]
    return found
