"""Vectors as the rows of an SQLite table, in parts.

A row that does not fit into what is left of a page goes to the next one. Of whole vectors of 384 dimensions, 1,536
bytes, two fit into a page of 4,096, so a quarter of the file would stay empty; of 768 dimensions, one. Of parts of 768
bytes five fit, and next to nothing stays empty, whatever the dimension. (Larger pages would do the same for new files
and some dimensions, at the expense of every small transaction: the write-ahead log is written by the page.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .blocks import Seqs
from .distance import Vectors

__all__ = ["cut", "joined", "parts_of", "stacked"]

_SIZE = 768


def parts_of(dimension: int) -> int:
    """How many parts a vector of that dimension is cut into."""
    return -(-dimension * 4 // _SIZE)


def cut(seqs: Iterable[int], vectors: Vectors) -> list[tuple[int, int, bytes]]:
    """The rows (number of the record, number of the part, bytes) of some vectors."""
    data, width = vectors.astype("<f4", copy=False).tobytes(), vectors.shape[1] * 4
    return [
        (seq, part, data[start + at : start + min(at + _SIZE, width)])
        for seq, start in zip(seqs, range(0, len(data), width), strict=True)
        for part, at in enumerate(range(0, width, _SIZE))
    ]


def joined(parts: Iterable[bytes]) -> Vectors:
    """The vector that was cut into these parts."""
    return np.frombuffer(b"".join(parts), "<f4")


def stacked(rows: Sequence[tuple[int, bytes]], dimension: int) -> tuple[Seqs, Vectors]:
    """The vectors of several records, from their parts.

    Args:
        rows: (number of the record, bytes of one part), ordered by record and part.
        dimension: of the vectors.

    Returns the numbers of the records, and their vectors as an array of (records, dimension).
    """
    seqs = np.asarray([seq for seq, _ in rows[:: parts_of(dimension)]], np.int64)
    data = np.frombuffer(b"".join([part for _, part in rows]), "<f4")
    return seqs, data.reshape(len(seqs), dimension).astype(np.float32, copy=False)
