"""Distances: one exact arithmetic for what is returned, a fast one of known error for what is sorted out.

Every distance a caller sees is computed here, in double precision and in one order of operations, whichever
backend found the record. So equal vectors are equally far away, ties are ties, and both backends agree to the
last bit.

Chroma's conventions: ``cosine`` is 1 - cos, and 1 where a vector is zero; ``l2`` is squared; ``ip`` is 1 -
dot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Distances",
    "Vectors",
    "exact_distances",
    "is_tame",
    "nearest",
    "norms",
    "rough_bound",
    "rough_distances",
]

Vectors = NDArray[np.float32]
Distances = NDArray[np.float64]

# Beyond these norms float32 sums may overflow or vanish; then everything is computed exactly.
_TAME = (1e-15, 1e15)
# Cosine distances are rounded to twelve decimals: vectors of one direction then tie, whatever their length.
_COSINE_DIGITS = 1e12
# Less than the product of the lengths of any two vectors of single precision that are not zero.
_LEAST = 1e-300
_CHUNK = 4096


def exact_distances(metric: str, query: Vectors, vectors: Vectors) -> Distances:
    """Distances from one query to each row of ``vectors``, in double precision."""
    if len(vectors) > _CHUNK:
        parts = (vectors[start : start + _CHUNK] for start in range(0, len(vectors), _CHUNK))
        return np.concatenate([exact_distances(metric, query, part) for part in parts])
    # Plain ufuncs: for a dozen rows, the way through numpy's conveniences takes longer than the arithmetic.
    wide, point, add = vectors.astype(np.float64), query.astype(np.float64), np.add.reduce
    if metric == "l2":
        difference = wide - point
        squares: Distances = add(difference * difference, 1)
        return squares
    dots = add(wide * point, 1)
    if metric == "ip":
        return np.asarray(1.0 - dots, dtype=np.float64)
    lengths = np.sqrt(add(wide * wide, 1) * add(point * point))
    # Of a zero vector the product is zero too: anything but zero divides it as it should be.
    far = 1.0 - dots / np.maximum(lengths, _LEAST)
    # What lies beyond 0 and 2 does so by less than is rounded off; the last sum makes of -0.0 a 0.0.
    rounded: Distances = np.rint(far * _COSINE_DIGITS) / _COSINE_DIGITS + 0.0
    return rounded


def norms(vectors: Vectors) -> NDArray[np.float32]:
    """The length of each row."""
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
        lengths: NDArray[np.float32] = np.sqrt(squares).astype(np.float32)
        return lengths


def is_tame(lengths: NDArray[np.floating[Any]]) -> bool:
    """Whether vectors of these lengths can be compared in single precision (zero vectors can)."""
    present = lengths[lengths > 0]
    return not len(present) or bool(present.min() >= _TAME[0] and present.max() <= _TAME[1])


def rough_distances(
    metric: str, query: Vectors, vectors: Vectors, lengths: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Distances in single precision, each within `rough_bound` of the exact one; all lengths must be tame."""
    if metric == "cosine":
        length = np.linalg.norm(query)
        direction = query / length if length else query
        dots = np.einsum("ij,j->i", vectors, direction)
        cosines = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
        return np.asarray(1.0 - cosines, dtype=np.float32)
    dots = np.einsum("ij,j->i", vectors, query)
    if metric == "ip":
        return np.asarray(1.0 - dots, dtype=np.float32)
    return np.asarray(lengths * lengths - 2.0 * dots + np.float32(query @ query), dtype=np.float32)


def rough_bound(metric: str, query: Vectors, longest: float) -> float:
    """How far `rough_distances` may be off, for rows no longer than ``longest``.

    A sum of n products in single precision is off by at most about n * 2^-24 times the product of the
    lengths.
    """
    relative = (len(query) + 16) * 2.0**-23
    if metric == "cosine":
        return 2 * relative
    length = float(np.linalg.norm(query))
    return relative * (1.0 + length * longest if metric == "ip" else (length + longest) ** 2)


def nearest(distances: NDArray[Any], k: int, slack: float = 0.0) -> NDArray[np.intp]:
    """Positions of the k smallest, and of all within ``slack`` of the last of them (so of all ties)."""
    if len(distances) <= k:
        return np.arange(len(distances))
    last = np.partition(distances, k - 1)[k - 1]
    return np.flatnonzero(distances <= last + slack)
