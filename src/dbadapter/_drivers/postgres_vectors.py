"""Vectors as pgvector receives them in binary: written as text, 384 numbers cost more than the rest of a search.

Only where the statement says ``CAST(? AS vector)``: the parameter is sent without a type, which the server takes from
there. It is registered with each of our own connections, never with psycopg as such.
"""

from __future__ import annotations

import struct
from typing import Any

from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from .values import PackedVector

__all__ = ["register"]

_HEAD = struct.Struct(">hh")  # how many numbers, and a field that pgvector keeps for later


class _PackedVectorDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: PackedVector) -> Buffer:
        numbers = obj.numbers
        return _HEAD.pack(len(numbers), 0) + bytes(numbers.astype(">f4").data)


def register(raw: Any) -> None:
    """Teach one connection to send `PackedVector`."""
    raw.adapters.register_dumper(PackedVector, _PackedVectorDumper)
