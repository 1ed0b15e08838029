"""Metadata by column, in memory: which rows match a condition on one key, in a few passes over integers.

A column holds, for each row, the rank of its value among the distinct values of its key in SQLite's order:
numbers (compared exactly), then text by code point, then bools. A comparison is then a range of ranks.
Columns are loaded when first asked for, and dropped when they grow beyond their share of memory.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from .blocks import Mask, Seqs
from .filter_sql import sqlite_value
from .filters import Compare, OneOf, Scalar
from .matching import matches
from .metadata import Metadata

__all__ = ["MAX_CHANGES", "Column", "ColumnCache", "make_column"]

_MEMORY = 64 * 2**20
MAX_CHANGES = 2000
_BYTES_PER_VALUE = 90
_MAX_ASKED = 1000


@frozen(eq=False)
class Column:
    """The values of one key.

    Attributes:
        ranks: for each row the position of its value in ``values``; -1: it has none.
        values: the distinct values as SQLite holds them, in its order.
        texts, bools: where the texts and the bools begin in ``values``.
        seen: how many of the cache's changes are taken into account.
    """

    ranks: NDArray[np.int32]
    values: list[Any]
    texts: int
    bools: int
    seen: int

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return self.ranks.nbytes + len(self.values) * _BYTES_PER_VALUE

    def mask(self, leaf: Compare | OneOf) -> Mask:
        """Which rows match, among those the column knows."""
        if isinstance(leaf, OneOf):
            wanted = np.zeros(len(self.values) + 1, np.bool_)
            for value in leaf.values:
                wanted[slice(*self._ranks_of(value))] = True
            found = wanted[self.ranks]
        else:
            low, high = self._range(leaf)
            found = self.ranks == low if high == low + 1 else (self.ranks >= low) & (self.ranks < high)
        return ~found if leaf.negated else found

    def _range(self, leaf: Compare) -> tuple[int, int]:
        if leaf.order == "eq":
            return self._ranks_of(leaf.value)
        cut = bisect_left if leaf.order in ("gte", "lt") else bisect_right
        at = cut(self.values, leaf.value, 0, self.texts)
        return (at, self.texts) if leaf.order in ("gt", "gte") else (0, at)

    def _ranks_of(self, value: Scalar) -> tuple[int, int]:
        stored = sqlite_value(value)
        if isinstance(stored, str):
            low, high = self.texts, self.bools
        elif isinstance(stored, bytes):
            low, high = self.bools, len(self.values)
        else:
            low, high = 0, self.texts
        at = bisect_left(self.values, stored, low, high)
        return at, at + int(at < high and self.values[at] == stored)


def make_column(found: Sequence[tuple[Any, int]], known: Seqs, seen: int) -> Column:
    """A column.

    Args:
        found: the key's values in SQLite's order, each with its record's number.
        known: the numbers of all rows, ascending; values of other records are passed over.
        seen: how many of the cache's changes these values are newer than.
    """
    ranks = np.full(len(known), -1, np.int32)
    if not found or not len(known):
        return Column(ranks, [], 0, 0, seen)
    values = [value for value, _ in found]
    seqs = np.fromiter((seq for _, seq in found), np.int64, len(found))
    rows = np.minimum(np.searchsorted(known, seqs), len(known) - 1)
    is_new = np.ones(len(values), np.bool_)
    is_new[1:] = [a != b for a, b in pairwise(values)]
    is_known = known[rows] == seqs
    ranks[rows[is_known]] = (np.cumsum(is_new) - 1)[is_known]
    distinct = [values[at] for at in np.flatnonzero(is_new).tolist()]
    kinds = [isinstance(value, str) + 2 * isinstance(value, bytes) for value in distinct]
    return Column(ranks, distinct, bisect_left(kinds, 1), bisect_left(kinds, 2), seen)


@define(eq=False)
class ColumnCache:
    """The columns of one collection, and what has changed in its metadata since they were loaded."""

    _columns: dict[str, Column] = field(factory=dict)
    _changes: list[tuple[int, Metadata | None]] = field(factory=list)
    _asked: set[str] = field(factory=set)

    @property
    def is_empty(self) -> bool:
        """There is no column that changes would have to be noted for."""
        return not self._columns

    @property
    def seen(self) -> int:
        """How many changes there have been: what a column loaded now has taken into account."""
        return len(self._changes)

    def copy(self) -> ColumnCache:
        """A cache of its own with the same content."""
        return ColumnCache(dict(self._columns), list(self._changes), set(self._asked))

    def clear(self) -> None:
        """Forget everything."""
        self._columns, self._changes = {}, []

    def note(self, changes: Iterator[tuple[int, Metadata | None]]) -> None:
        """Rows were added or have other metadata now."""
        self._changes.extend(changes)
        if len(self._changes) > MAX_CHANGES:
            self.clear()

    def is_wanted(self, key: str) -> bool:
        """Whether loading a column pays: from the second time its key is asked for."""
        if key in self._asked:
            return True
        if len(self._asked) > _MAX_ASKED:
            self._asked.clear()
        self._asked.add(key)
        return False

    def get(self, key: str) -> Column | None:
        """The column of a key, if it is there."""
        column = self._columns.pop(key, None)
        if column is not None:
            self._columns[key] = column  # the last one used is the last one to go
        return column

    def put(self, key: str, column: Column) -> None:
        """Keep a column, at the expense of those not used for longest."""
        columns = {**self._columns, key: column}
        while sum(each.size for each in columns.values()) > _MEMORY:
            del columns[next(iter(columns))]
        self._columns = columns

    def mask(self, column: Column, leaf: Compare | OneOf, count: int) -> Mask:
        """Which of ``count`` rows match."""
        mask = column.mask(leaf)
        if len(mask) < count:
            mask = np.concatenate([mask, np.full(count - len(mask), leaf.negated)])
        for row, metadata in self._changes[column.seen :]:
            if row < count:
                mask[row] = matches(leaf, metadata, None)
        return mask[:count]
