"""Records as rows of Postgres' binary COPY format.

Written as text, a vector of 384 numbers costs more to print and to read than all the rest of its row
together.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from .distance import Vectors
from .metadata import exact_json
from .records import Records

__all__ = ["HEADER", "KEY_ENCODERS", "TRAILER", "binary_rows", "read_vector", "read_vectors"]

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
_NULL = struct.pack(">i", -1)
_CHUNK = 500
_length = struct.Struct(">i").pack


def _text(value: str) -> bytes:
    data = value.encode()
    return _length(len(data)) + data


def _packed(form: str) -> Callable[[Any], bytes]:
    pack = struct.Struct(f">i{form}").pack
    size = struct.calcsize(f">{form}")
    return lambda value: pack(size, value)


# By the name of the type of a referenced key.
KEY_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "smallint": _packed("h"),
    "integer": _packed("i"),
    "bigint": _packed("q"),
    "uuid": lambda value: _length(16) + UUID(value).bytes,
    "text": _text,
}


def binary_rows(
    records: Records, keys: Sequence[Any], key_type: str, numbers: Sequence[int] | None
) -> Iterator[bytes]:
    """Portions of rows of key, vector, document, uri and metadata.

    Args:
        records: what to write; it has vectors.
        keys: the key of each record, as its encoder takes it.
        key_type: names the encoder; types it does not know are text to the server.
        numbers: what stands in a first column of type int8; None: there is no such column.
    """
    assert records.vectors is not None
    count = len(records)
    data, width = _vector_fields(records.vectors)
    encode = KEY_ENCODERS.get(key_type, _text)
    documents = records.documents or [None] * count
    uris = records.uris or [None] * count
    metadatas = records.metadatas or [None] * count
    opening = struct.pack(">h", 5 if numbers is None else 6)
    number = _packed("q")
    parts: list[bytes] = []
    for row in range(count):
        document, uri, metadata = documents[row], uris[row], metadatas[row]
        parts.append(opening if numbers is None else opening + number(numbers[row]))
        parts.append(encode(keys[row]))
        parts.append(data[row * width : (row + 1) * width])
        parts.append(_NULL if document is None else _text(document))
        parts.append(_NULL if uri is None else _text(uri))
        if metadata is None:
            parts.append(_NULL)
        else:
            text = (exact_json(metadata) or "").encode()
            parts.append(_length(len(text) + 1) + b"\x01" + text)
        if row % _CHUNK == _CHUNK - 1:
            yield b"".join(parts)
            parts = []
    yield b"".join(parts)


def _vector_fields(vectors: Vectors) -> tuple[bytes, int]:
    """The fields of all vectors one after the other, and how long each is."""
    count, dimension = vectors.shape
    body = 4 + dimension * 4
    fields = np.empty((count, 4 + body), np.uint8)
    fields[:, :8] = np.frombuffer(struct.pack(">ihh", body, dimension, 0), np.uint8)
    fields[:, 8:] = np.ascontiguousarray(vectors, ">f4").view(np.uint8)
    return fields.tobytes(), 4 + body


def read_vectors(sent: Sequence[bytes]) -> Vectors:
    """The vectors, of one dimension, in what ``vector_send`` gave for each; their bytes are as they came."""
    # Before each vector's numbers stand four bytes, the place of one number.
    return np.frombuffer(b"".join(sent), ">f4").reshape(len(sent), -1)[:, 1:]


def read_vector(sent: bytes) -> Vectors:
    """The vector in what ``vector_send`` gave."""
    vector: Vectors = np.frombuffer(sent, ">f4", offset=4).astype(np.float32)
    return vector
