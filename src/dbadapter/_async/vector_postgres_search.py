"""Searching a collection on Postgres.

Without an index a search goes through all records and is exact. With one, a search without a filter takes
what the index finds. With a filter it first tries to be exact: up to some thousand matching records are
compared one by one; only where more match does the index search, iteratively, so that it does not return
fewer than there are.

The server's distances are in single precision. So a few more records than wanted are fetched, with their
vectors, and measured and put in order here, by the arithmetic that both backends share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import define, evolve

from .._drivers.values import PackedVector
from ..vectors import postgres_searches as searches
from ..vectors.binary_copy import read_vector
from ..vectors.caches import Caches
from ..vectors.catalog import CollectionInfo
from ..vectors.distance import Vectors
from ..vectors.filter_sql import ANYTHING, Condition
from ..vectors.measured import Measured, measure
from ..vectors.postgres_tables import PostgresTables
from ..vectors.results import Searched
from ..vectors.selection import EVERYTHING, Selection
from .vector_postgres import AsyncPostgresRecords, postgres_hit

__all__ = ["AsyncPostgresSearch"]

_MARGIN, _INDEX_MARGIN, _MARGIN_FOR_TWINS = 6, 2, 50
_LARGEST_MARGIN = 2000
_COMPARED_AT_MOST = 10_000


@define(eq=False)
class _Query:
    """What one query of a search asks for.

    Attributes:
        info: the collection.
        vector: what the records are to be near to.
        k: how many records are wanted.
        condition: which records may be found.
        vectors: whether their vectors are wanted too.
    """

    info: CollectionInfo
    vector: Vectors
    k: int
    condition: Condition
    vectors: bool

    def measured(self, rows: Sequence[Any]) -> Measured:
        """The rows that a search gave, measured and in order."""
        return measure(self.info.metric, self.vector, rows)

    def is_settled(self, found: Measured, margin: int) -> bool:
        """Whether no other record can belong among the wanted, the server having been asked for `margin` more."""
        return found.is_settled(self.info.metric, self.vector, self.k, self.k + margin)

    def answer(self, found: Measured, path: str, *, compared: int, matched: int | None = None) -> Searched:
        """The wanted of the records found; see `Searched`."""
        return Searched([found.hits(self.k, vectors=self.vectors)], path, compared, matched)


class AsyncPostgresSearch:
    """Searches in collections on Postgres, on an adapter or within a transaction."""

    def __init__(self, records: AsyncPostgresRecords, caches: Caches) -> None:
        self._records = records
        self._executor = records.executor
        self._broad = caches.broad
        self._options = caches.options

    async def nearest(
        self, info: CollectionInfo, queries: Vectors, k: int, selection: Selection, *, vectors: bool
    ) -> Searched:
        """The k nearest of the selected records to each query."""
        if info.options is None and info.uid in self._options:
            info = evolve(info, options=self._options[info.uid])
        condition = await self._records.condition(info, selection)
        searched = [
            await self._nearest(_Query(info, query, k, condition, vectors), selection) for query in queries
        ]
        if len(searched) == 1:
            return searched[0]
        return evolve(searched[-1], hits=[each.hits[0] for each in searched])

    async def _nearest(self, query: _Query, selection: Selection) -> Searched:
        info = query.info
        if info.metric == "cosine" and not query.vector.any():
            return await self._first(query)
        if info.options is None:
            return await self._exactly(query)
        if selection.is_everything:
            return await self._by_index(query) or await self._exactly(query)
        key = (info.uid, selection.tree, None if selection.ids is None else tuple(selection.ids))
        if key not in self._broad:
            few = await self._among_few(query)
            if few is not None:
                return few
            if len(self._broad) > 1000:
                self._broad.clear()
            self._broad[key] = None
        found = await self._by_index(query)
        if found is not None:
            return found
        self._broad.pop(key, None)
        return await self._exactly(query)

    # -- the ways --------------------------------------------------------------------------------------

    async def _exactly(self, query: _Query, margin: int = _MARGIN) -> Searched:
        """All matching records, compared by the server."""
        info, condition = query.info, query.condition
        params = [PackedVector(query.vector), info.uid, *condition.params, query.k + margin]
        rows = await self._executor.fetch_all(searches.exactly(info, condition.sql), params, row_type=tuple)
        if rows and rows[0][-1] is not None:
            self._options[info.uid] = json.loads(rows[0][-1])
        found = query.measured(rows)
        if margin < _LARGEST_MARGIN and not query.is_settled(found, margin):
            return await self._exactly(query, margin * 4)
        return query.answer(found, "exact", compared=len(rows))

    async def _among_few(self, query: _Query, margin: int = _MARGIN) -> Searched | None:
        """The matching records, compared by the server, if they are few; None if they are not."""
        info, condition = query.info, query.condition
        params = [*condition.params, _COMPARED_AT_MOST + 1, PackedVector(query.vector), query.k + margin]
        rows = await self._executor.fetch_all(searches.among_few(info, condition.sql), params, row_type=tuple)
        matched = rows[0][-1] if rows else 0
        if matched > _COMPARED_AT_MOST:
            return None
        found = query.measured(rows)
        if margin < _LARGEST_MARGIN and not query.is_settled(found, margin):
            return await self._among_few(query, margin * 4)
        return query.answer(found, "exact", compared=matched, matched=matched)

    async def _by_index(
        self, query: _Query, margin: int = _INDEX_MARGIN, *, thorough: bool = False
    ) -> Searched | None:
        """What the index finds.

        None where that is not enough: there are fewer than wanted, or so many ties that the first by id may
        not be among those found.

        Where records that were deleted leave too few, the search is made again, ``thorough``. So it is where zero
        vectors can belong among the wanted: they are in no index on cosine distance, and at distance 1 from all.
        """
        info, condition, k = query.info, query.condition, query.k
        assert info.options is not None
        is_cosine = info.metric == "cosine"
        doubled = thorough and is_cosine
        params = [*condition.params, PackedVector(query.vector), *(condition.params if doubled else ())]
        sql = searches.by_index(info, condition.sql, k, margin, thorough)
        rows = await self._executor.fetch_all(sql, params, row_type=tuple)
        if doubled:  # where no index was used after all, zero vectors have come twice
            rows = list({row[0]: row for row in rows}.values())
        found = query.measured(rows)
        is_short = len(found) < k + margin or (is_cosine and found.distance(k - 1) >= 1.0)
        if is_short and not thorough:
            return await self._by_index(query, margin, thorough=True)
        if len(found) < k:
            return None
        if len(found) > k and found.distance(k - 1) == found.distance(-1):
            # Twins, as the same text twice makes them: a few more show where they end.
            if margin == _INDEX_MARGIN:
                return await self._by_index(query, _MARGIN_FOR_TWINS, thorough=thorough)
            return None
        return query.answer(found, info.options["kind"], compared=len(found))

    async def _first(self, query: _Query) -> Searched:
        """A zero vector is equally far from all: the first ones by id."""
        sql, params = searches.first(query.info, query.condition.sql), [*query.condition.params, query.k]
        rows = await self._executor.fetch_all(sql, params, row_type=tuple)
        return Searched([[postgres_hit(row, 1.0) for row in rows]], "exact", len(rows), None)

    async def recall(self, info: CollectionInfo, samples: int, k: int) -> float:
        """The share of true neighbours that searches find, from a sample of the vectors."""
        if info.options is None:
            return 1.0
        sql = (
            f"SELECT vector_send(embedding) FROM {PostgresTables(info).records}"
            f" WHERE seq IN (SELECT seq FROM {PostgresTables(info).records} ORDER BY md5(CAST(seq AS text)) LIMIT ?)"
        )
        rows = await self._executor.fetch_all(sql, [samples], row_type=tuple)
        shares = []
        for (sent,) in rows:
            query = _Query(info, read_vector(sent), k, ANYTHING, vectors=False)
            truth = (await self._exactly(query)).hits[0]
            found = (await self._nearest(query, EVERYTHING)).hits[0]
            last = truth[-1].distance
            near = [
                hit for hit in found if hit.distance is not None and last is not None and hit.distance <= last
            ]
            shares.append(min(1.0, len(near) / len(truth)))
        return sum(shares) / len(shares) if shares else 1.0
