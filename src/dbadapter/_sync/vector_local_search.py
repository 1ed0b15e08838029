# Generated from src/dbadapter/_async/vector_local_search.py by tools/unasync.py; do not edit.
"""Searching a local collection: through its cache, confirmed against the database.

A search reads the cache first and the database last. The statement that fetches the records found also
tells the state they are in; where that is not the state of the cache, somebody has written meanwhile, and the
search is made again on a cache brought up to date. In the common case a search costs that one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._concurrency._threads import beside
from ..vectors.blocks import Mask, Seqs
from ..vectors.caches import Slot
from ..vectors.catalog import CollectionInfo
from ..vectors.columns import Column, make_column
from ..vectors.distance import Distances, Vectors, exact_distances, nearest
from ..vectors.filter_sql import json_list
from ..vectors.filters import AllOf, AnyOf, Compare, Filter, OneOf, Pattern, leaves
from ..vectors.local_index import Found, LocalIndex
from ..vectors.parts import stacked
from ..vectors.results import Hit, Searched, hit_order
from ..vectors.selection import Selection
from ..vectors.sqlite_tables import LocalTables
from .vector_local import SEQS_IN, LocalRecords, local_hits
from .vector_local_index import LocalIndexes, State

__all__ = ["LocalSearch"]

_ATTEMPTS = 3
_AT_ONCE = 8192
_MANY_TIES = 1000


class LocalSearch:
    """Searches in local collections, on an adapter or within a transaction."""

    def __init__(self, records: LocalRecords, indexes: LocalIndexes) -> None:
        self._records = records
        self._indexes = indexes
        self._executor = records.executor

    def nearest(
        self, info: CollectionInfo, queries: Vectors, k: int, selection: Selection, *, vectors: bool
    ) -> Searched:
        """The k nearest of the selected records to each query; with their vectors if wanted."""
        for attempt in range(_ATTEMPTS):
            slot = self._indexes.current(info, check=attempt > 0)
            searched = self._attempt(info, slot, queries, k, selection, vectors)
            if searched is not None:
                return searched
        # Somebody writes without a pause: look at one moment's state.
        with self._executor.transaction(read_only=True) as tx:
            indexes = LocalIndexes(tx, self._indexes.caches, in_transaction=True)
            steady = LocalSearch(LocalRecords(tx), indexes)
            return steady.nearest(info, queries, k, selection, vectors=vectors)

    def _attempt(
        self,
        info: CollectionInfo,
        slot: Slot,
        queries: Vectors,
        k: int,
        selection: Selection,
        vectors: bool,
    ) -> Searched | None:
        """One search; None if the database was not in the state of the cache."""
        index = slot.index
        assert index is not None
        stamp = index.stamp
        mask = self._mask(info, slot, index, selection)
        found = beside(_search_each, index, queries, k, mask)
        if not index.rows.keep_vectors:
            found = [self._measure(info, query, k, each) for query, each in zip(queries, found, strict=True)]
        hits, state = self._hits(info, k, found, vectors)
        if state != stamp:
            return None
        matched = None if mask is None else int(np.count_nonzero(mask & index.rows.alive()[: len(mask)]))
        return Searched(hits, found[-1].path, found[-1].compared, matched)

    def _measure(self, info: CollectionInfo, query: Vectors, k: int, found: Found) -> Found:
        """Compare candidates whose vectors are in the database only."""
        sql = LocalTables.of(info).vectors_where(SEQS_IN)
        seqs, distances = [np.empty(0, np.int64)], [np.empty(0)]
        for start in range(0, len(found.seqs), _AT_ONCE):
            listed = json_list(found.seqs[start : start + _AT_ONCE].tolist())
            rows = self._executor.fetch_all(sql, [listed], row_type=tuple)
            near, far = beside(_measured, info, query, k, rows)
            seqs.append(near)
            distances.append(far)
        every, measures = np.concatenate(seqs), np.concatenate(distances)
        best = nearest(measures, k)
        return Found(every[best], measures[best], found.path, found.compared)

    # -- which rows ------------------------------------------------------------------------------------

    def _mask(self, info: CollectionInfo, slot: Slot, index: LocalIndex, selection: Selection) -> Mask | None:
        if selection.is_everything:
            return None
        tree = selection.tree
        if selection.ids is not None or any(isinstance(leaf, Pattern) for leaf in leaves(tree)):
            condition = self._records.condition(info, selection)
            return self._mask_by(info, index, condition.sql, list(condition.params))
        assert tree is not None
        return self._evaluate(info, slot, index, tree)

    def _evaluate(self, info: CollectionInfo, slot: Slot, index: LocalIndex, tree: Filter) -> Mask:
        """A mask for a tree: from columns in memory where they are, else from SQL."""
        if isinstance(tree, AllOf | AnyOf):
            combine = np.logical_and if isinstance(tree, AllOf) else np.logical_or
            mask = self._evaluate(info, slot, index, tree.parts[0])
            for part in tree.parts[1:]:
                other = self._evaluate(info, slot, index, part)
                count = min(len(mask), len(other))
                mask = combine(mask[:count], other[:count])
            return mask
        if isinstance(tree, Compare | OneOf):
            column = slot.columns.get(tree.key)
            if column is None and slot.columns.is_wanted(tree.key):
                column = self._load_column(info, slot, index, tree.key)
            if column is not None:
                return slot.columns.mask(column, tree, index.rows.count)
        condition = self._records.condition(info, Selection(None, tree))
        return self._mask_by(info, index, condition.sql, list(condition.params))

    def _mask_by(self, info: CollectionInfo, index: LocalIndex, where: str, params: list[Any]) -> Mask:
        sql = f"SELECT seq FROM {LocalTables.of(info).records} WHERE {where} ORDER BY seq"
        rows = self._executor.fetch_all(sql, params, row_type=tuple)
        return index.rows.mask_of(np.fromiter((seq for (seq,) in rows), np.int64, len(rows)))

    def _load_column(self, info: CollectionInfo, slot: Slot, index: LocalIndex, key: str) -> Column:
        seen, seqs = slot.columns.seen, index.rows.sequence_numbers()
        sql = (
            f"SELECT value, seq FROM {LocalTables.of(info).values} WHERE key = ? AND item = 0 ORDER BY value"
        )
        found = self._executor.fetch_all(sql, [key], row_type=tuple)
        column = beside(make_column, found, seqs, seen)
        slot.columns.put(key, column)
        return column

    # -- what was found --------------------------------------------------------------------------------

    def _hits(
        self, info: CollectionInfo, k: int, found: Sequence[Found], vectors: bool
    ) -> tuple[list[list[Hit]], State]:
        """The records found, and the state they are in."""
        wanted: set[int] = set()
        for each in found:
            many = len(each.seqs) > k + _MANY_TIES
            wanted.update((self._first_by_id(info, k, each) if many else each.seqs).tolist())
        sql = LocalTables.of(info).found(vectors=vectors)
        rows = self._executor.fetch_all(sql, [json_list(sorted(wanted))], row_type=tuple)
        by_seq = {hit.seq: hit for hit in local_hits(row[1:] for row in rows[:-1])}
        _, top, last, nonce, *_ = rows[-1]
        return [_ordered(each, by_seq)[:k] for each in found], (top, last, nonce)

    def _first_by_id(self, info: CollectionInfo, k: int, found: Found) -> Seqs:
        """Of very many ties at the end of the result, those with the first ids."""
        assert found.distances is not None
        ties = found.distances == found.distances.max()
        sql = (
            f"SELECT seq FROM {LocalTables.of(info).records}"
            " WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?"
        )
        tied = json_list(found.seqs[ties].tolist())
        first = self._executor.fetch_all(sql, [tied, k], row_type=tuple)
        return np.concatenate([found.seqs[~ties], np.asarray([seq for (seq,) in first], np.int64)])


def _search_each(index: LocalIndex, queries: Vectors, k: int, mask: Mask | None) -> list[Found]:
    return [index.search(query, k, mask) for query in queries]


def _measured(
    info: CollectionInfo, query: Vectors, k: int, rows: list[tuple[int, bytes]]
) -> tuple[Seqs, Distances]:
    """Numbers and exact distances of the nearest of some rows of the table of vectors."""
    assert info.dimension is not None
    seqs, vectors = stacked(rows, info.dimension)
    distances = exact_distances(info.metric, query, vectors)
    best = nearest(distances, k)
    return seqs[best], distances[best]


def _ordered(found: Found, by_seq: dict[int, Hit]) -> list[Hit]:
    """One query's hits with their distances, in order."""
    assert found.distances is not None
    pairs = zip(found.seqs.tolist(), found.distances.tolist(), strict=True)
    return sorted((by_seq[seq].at(far) for seq, far in pairs if seq in by_seq), key=hit_order)
