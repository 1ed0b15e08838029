"""Sign codes (binary quantization): one bit a dimension, to find the few vectors worth an exact look.

A code holds the signs of a vector's coordinates around the collection's mean. Codes are stored by columns of
64 bits; the number of differing bits between a query and all codes is then six or so passes of xor and
bit count over contiguous memory, which takes well under a millisecond for 100,000 vectors.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from .distance import Vectors

__all__ = ["Codes", "differing_bits", "encode_signs", "pick_candidates", "words_for"]

Codes = NDArray[np.uint64]

_SAMPLE_STEP = 16
# Sums of this many columns of at most 64 bits each fit in eight bits.
_COLUMNS_PER_BYTE = 3
_scratch = threading.local()


def words_for(dimension: int) -> int:
    """How many 64-bit words a code of so many bits takes."""
    return (dimension + 63) // 64


def encode_signs(vectors: Vectors, mean: Vectors) -> Codes:
    """Codes of the rows of ``vectors``, as an array of (words, rows)."""
    bits = np.packbits(vectors > mean, axis=1, bitorder="little")
    missing = -bits.shape[1] % 8
    if missing:
        bits = np.pad(bits, ((0, 0), (0, missing)))
    return np.ascontiguousarray(bits.view(np.uint64).T)


def differing_bits(codes: Codes, count: int, query: Codes, out: NDArray[np.uint16]) -> None:
    """Write into ``out`` how many bits of each of the first ``count`` codes differ from the query's.

    Args:
        codes: array of (words, capacity), rows beyond ``count`` unused.
        query: the query's words, one-dimensional.
    """
    xored, ones, sums = _buffers(codes.shape[1])
    xored, ones, sums = xored[:count], ones[:count], sums[:count]
    for first in range(0, len(codes), _COLUMNS_PER_BYTE):
        for column in range(first, min(first + _COLUMNS_PER_BYTE, len(codes))):
            np.bitwise_xor(codes[column, :count], query[column], out=xored)
            if column == first:
                np.bitwise_count(xored, out=sums)
            else:
                np.bitwise_count(xored, out=ones)
                np.add(sums, ones, out=sums)
        if first == 0:
            out[:] = sums
        else:
            np.add(out, sums, out=out)


def _buffers(size: int) -> tuple[Codes, NDArray[np.uint8], NDArray[np.uint8]]:
    """This thread's scratch space: allocating it anew would cost more than the work."""
    found: tuple[Codes, NDArray[np.uint8], NDArray[np.uint8]] | None = getattr(_scratch, "buffers", None)
    if found is None or len(found[0]) < size:
        found = (np.empty(size, np.uint64), np.empty(size, np.uint8), np.empty(size, np.uint8))
        _scratch.buffers = found
    return found


def pick_candidates(bits: NDArray[np.uint16], wanted: int) -> NDArray[np.intp]:
    """Positions of about ``wanted`` smallest values, all ties of the last included.

    The threshold comes from a sample's histogram; where the sample misled, from everyone's.
    """
    if len(bits) <= wanted:
        return np.arange(len(bits))
    threshold = _threshold(bits[::_SAMPLE_STEP], wanted / _SAMPLE_STEP)
    found = np.flatnonzero(bits <= threshold)
    if not wanted * 0.7 <= len(found) <= wanted * 2:
        found = np.flatnonzero(bits <= _threshold(bits, wanted))
    return found


def _threshold(bits: NDArray[np.uint16], wanted: float) -> int:
    return int(np.searchsorted(np.bincount(bits).cumsum(), wanted))
