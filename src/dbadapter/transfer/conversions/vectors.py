"""Vectors: little-endian float32 in SQLite, pgvector's type in Postgres."""

from __future__ import annotations

import array
import struct
from typing import Any, ClassVar

from attrs import frozen

from .._values import show
from .base import Conversion, Refused

__all__ = ["Vector", "swap_float32"]


@frozen
class Vector(Conversion):
    """A BLOB of little-endian float32 ↔ vector (pgvector)."""

    kind: ClassVar[str] = "vector"
    storage = "vector"
    dimension: int | None = None

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
