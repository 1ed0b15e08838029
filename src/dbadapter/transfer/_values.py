"""Stored values as SQLite has them, and the forms in which they are written down.

A *token* is a value with its storage class, the same text from both engines; the digest of a row is taken over the
tokens of its columns. A *tag* is the shorter form in which a Postgres expression hands over a value whose storage
class differs from row to row.
"""

from __future__ import annotations

import struct
from typing import Any

from attrs import frozen

__all__ = [
    "FOREIGN",
    "INT64_MAX",
    "INT64_MIN",
    "Foreign",
    "RawText",
    "from_raw",
    "from_tag",
    "show",
    "storage_class",
    "to_raw",
    "to_token",
]

FOREIGN = "postgres"
"""Stands for the storage class of a `Foreign` value in the bookkeeping."""

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


@frozen
class RawText:
    """A TEXT value whose bytes are not valid in the database's encoding, so that it is no Python str."""

    data: bytes


@frozen
class Foreign:
    """A value of Postgres that SQLite cannot hold, as text."""

    text: str


def storage_class(value: Any) -> str:
    """SQLite's ``typeof()`` of a value."""
    if value is None:
        return "null"
    if isinstance(value, (str, RawText)):
        return "text"
    return {int: "integer", float: "real", bytes: "blob"}[type(value)]


def float_hex(value: float) -> str:
    """The eight bytes of a double, most significant first."""
    return struct.pack(">d", value).hex()


def to_token(value: Any) -> bytes:
    """The value as it goes into the digest of its row."""
    if value is None:
        return b"n;"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        return b"r%b;" % float_hex(value).encode()
    if isinstance(value, bytes):
        return b"b%b;" % value.hex().encode()
    if isinstance(value, Foreign):
        data = value.text.encode()
        return b"?%d:%b;" % (len(data), data)
    data = value.data if isinstance(value, RawText) else value.encode("utf-8", "surrogatepass")
    return b"t%d:%b;" % (len(data), data)


def from_tag(tag: str | None) -> Any:
    """The value of a tag (see `conversions`): ``i5``, ``r4014000000000000``, ``tsome text``, ``b00ff``."""
    if tag is None:
        return None
    kind, rest = tag[0], tag[1:]
    if kind == "i":
        return int(rest)
    if kind == "r":
        return struct.unpack(">d", bytes.fromhex(rest))[0]
    if kind == "b":
        return bytes.fromhex(rest)
    if kind == "v":
        from .conversions import swap_float32

        return swap_float32(bytes.fromhex(rest))
    return Foreign(rest) if kind == "?" else rest


def to_raw(value: Any) -> tuple[str, bytes | None]:
    """Storage class and bytes, as they stand in ``_dbadapter_rejects`` and ``_dbadapter_originals``."""
    if value is None:
        return "null", None
    if isinstance(value, bytes):
        return "blob", value
    if isinstance(value, RawText):
        return "text", value.data
    if isinstance(value, Foreign):
        return FOREIGN, value.text.encode()
    if isinstance(value, str):
        return "text", value.encode("utf-8", "surrogatepass")
    return storage_class(value), repr(value).encode()


def from_raw(storage: str, raw: bytes | None) -> Any:
    """The value that `to_raw` wrote down."""
    if storage == "null" or raw is None:
        return None
    if storage == "integer":
        return int(raw)
    if storage == "real":
        return float(raw)
    if storage == "blob":
        return bytes(raw)
    if storage == FOREIGN:
        return Foreign(bytes(raw).decode())
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError:
        return RawText(bytes(raw))


def show(value: Any, limit: int = 60) -> str:
    """The value for a message: short, and unmistakable about its storage class."""
    if value is None:
        return "NULL"
    if isinstance(value, Foreign):
        return value.text[:limit]
    if isinstance(value, (bytes, RawText)):
        data = value if isinstance(value, bytes) else value.data
        text = f"x'{data[: limit // 2].hex()}'" + (f"… ({len(data)} bytes)" if len(data) > limit // 2 else "")
        return f"text {text}" if isinstance(value, RawText) else text
    if isinstance(value, str):
        return repr(value if len(value) <= limit else value[:limit] + "…")
    return repr(value)
