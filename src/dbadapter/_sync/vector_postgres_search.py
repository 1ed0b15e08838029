# Generated from src/dbadapter/_async/vector_postgres_search.py by tools/unasync.py; do not edit.
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

import numpy as np
from attrs import evolve

from .._drivers.values import PackedVector
from ..vectors.binary_copy import read_vectors
from ..vectors.caches import Caches
from ..vectors.catalog import CATALOG, CollectionInfo
from ..vectors.distance import Vectors, exact_distances, rough_bound
from ..vectors.filter_sql import Condition
from ..vectors.metadata import read_json
from ..vectors.postgres_tables import PostgresTables
from ..vectors.results import Hit, Searched, hit_order
from ..vectors.selection import EVERYTHING, Selection
from .vector_postgres import PostgresRecords, postgres_hit

__all__ = ["PostgresSearch"]

_COLUMNS = "seq, id, document, uri, CAST(metadata AS text), vector_send(embedding)"
_MARGIN, _INDEX_MARGIN, _MARGIN_FOR_TWINS = 6, 2, 50
_LARGEST_MARGIN = 2000
_COMPARED_AT_MOST = 10_000
_EF_SEARCH = 100


class PostgresSearch:
    """Searches in collections on Postgres, on an adapter or within a transaction."""

    def __init__(self, records: PostgresRecords, caches: Caches) -> None:
        self._records = records
        self._executor = records.executor
        self._broad = caches.broad
        self._options = caches.options

    def nearest(self, info: CollectionInfo, queries: Vectors, k: int, selection: Selection) -> Searched:
        """The k nearest of the selected records to each query."""
        if info.options is None and info.uid in self._options:
            info = evolve(info, options=self._options[info.uid])
        condition = self._records.condition(info, selection)
        searched = [self._nearest(info, query, k, selection, condition) for query in queries]
        if len(searched) == 1:
            return searched[0]
        return evolve(searched[-1], hits=[each.hits[0] for each in searched])

    def _nearest(
        self, info: CollectionInfo, query: Vectors, k: int, selection: Selection, condition: Condition
    ) -> Searched:
        if info.metric == "cosine" and not query.any():
            return self._first(info, k, condition)
        if info.options is None:
            return self._exactly(info, query, k, condition)
        if selection.is_everything:
            found = self._by_index(info, query, k, condition)
            return found or self._exactly(info, query, k, condition)
        key = (info.uid, selection.tree, None if selection.ids is None else tuple(selection.ids))
        if key not in self._broad:
            few = self._among_few(info, query, k, condition)
            if few is not None:
                return few
            if len(self._broad) > 1000:
                self._broad.clear()
            self._broad[key] = None
        found = self._by_index(info, query, k, condition)
        if found is not None:
            return found
        self._broad.pop(key, None)
        return self._exactly(info, query, k, condition)

    # -- the ways --------------------------------------------------------------------------------------

    def _exactly(
        self, info: CollectionInfo, query: Vectors, k: int, condition: Condition, margin: int = _MARGIN
    ) -> Searched:
        """All matching records, compared by the server."""
        tables = PostgresTables(info)
        # Somebody may have made an index since this collection was opened.
        options = f"(SELECT options FROM {CATALOG} WHERE uid = ?)"
        sql = (
            f"SELECT {_COLUMNS}, {tables.plain_distance} AS far, {options} FROM {tables.records}"
            f" WHERE {condition.sql} ORDER BY far, id LIMIT ?"
        )
        params = [PackedVector(query), info.uid, *condition.params, k + margin]
        rows = self._executor.fetch_all(sql, params, row_type=tuple)
        if rows and rows[0][-1] is not None:
            self._options[info.uid] = json.loads(rows[0][-1])
        hits = self._measured(info, query, rows)
        if len(rows) == k + margin and not _is_settled(info, query, k, hits) and margin < _LARGEST_MARGIN:
            return self._exactly(info, query, k, condition, margin * 4)
        return Searched([hits[:k]], "exact", len(rows), None)

    def _among_few(
        self, info: CollectionInfo, query: Vectors, k: int, condition: Condition, margin: int = _MARGIN
    ) -> Searched | None:
        """The matching records, compared by the server, if they are few; None if they are not."""
        tables = PostgresTables(info)
        sql = (
            f"WITH few AS MATERIALIZED (SELECT * FROM {tables.records} WHERE {condition.sql} LIMIT ?)"
            f" SELECT {_COLUMNS}, {tables.plain_distance} AS far, (SELECT count(*) FROM few) AS matched"
            " FROM few ORDER BY far, id LIMIT ?"
        )
        params = [*condition.params, _COMPARED_AT_MOST + 1, PackedVector(query), k + margin]
        rows = self._executor.fetch_all(sql, params, row_type=tuple)
        matched = rows[0][-1] if rows else 0
        if matched > _COMPARED_AT_MOST:
            return None
        hits = self._measured(info, query, rows)
        if len(rows) == k + margin and not _is_settled(info, query, k, hits) and margin < _LARGEST_MARGIN:
            return self._among_few(info, query, k, condition, margin * 4)
        return Searched([hits[:k]], "exact", matched, matched)

    def _by_index(
        self,
        info: CollectionInfo,
        query: Vectors,
        k: int,
        condition: Condition,
        margin: int = _INDEX_MARGIN,
        zeros: bool = False,
    ) -> Searched | None:
        """What the index finds.

        None where that is not enough: there are fewer than wanted, or so many ties that the first by id may
        not be among those found.

        Zero vectors are in no index on cosine distance. They are at distance 1 from everything, so only where the
        last of the wanted records is not nearer than that is the search made again, ``zeros`` included.

        The settings hold for this statement (or transaction); they are in force before the scan begins,
        since the condition on them is evaluated once and first.
        """
        assert info.options is not None
        tables, kind, wanted = PostgresTables(info), info.options["kind"], k + margin
        settings = _settings(info.options, wanted)
        applied = " || ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
        # The limits are written out: a plan that is kept for all limits reckons with too many rows.
        sql = (
            f"(SELECT {_COLUMNS} FROM {tables.records} WHERE (SELECT {applied}) <> ''"
            f" AND {condition.sql} ORDER BY {tables.indexed_distance} LIMIT {wanted:d})"
        )
        params = [*condition.params, PackedVector(query)]
        if zeros:
            sql += (
                f" UNION ALL (SELECT {_COLUMNS} FROM {tables.records} WHERE vector_norm(embedding) = 0"
                f" AND {condition.sql} ORDER BY id LIMIT {k:d})"
            )
            params += condition.params
        hits = self._measured(info, query, self._executor.fetch_all(sql, params, row_type=tuple))
        if info.metric == "cosine" and not zeros and (len(hits) < k or not _is_nearer(hits[k - 1], 1.0)):
            return self._by_index(info, query, k, condition, margin, zeros=True)
        if len(hits) < k:
            return None
        if len(hits) > k and hits[k - 1].distance == hits[-1].distance:
            # Twins, as the same text twice makes them: a few more show where they end.
            if margin == _INDEX_MARGIN:
                return self._by_index(info, query, k, condition, _MARGIN_FOR_TWINS, zeros)
            return None
        return Searched([hits[:k]], kind, len(hits), None)

    def _first(self, info: CollectionInfo, k: int, condition: Condition) -> Searched:
        """A zero vector is equally far from all: the first ones by id."""
        sql = (
            f"SELECT {_COLUMNS} FROM {PostgresTables(info).records} WHERE {condition.sql} ORDER BY id LIMIT ?"
        )
        rows = self._executor.fetch_all(sql, [*condition.params, k], row_type=tuple)
        return Searched([[postgres_hit(row, 1.0) for row in rows]], "exact", len(rows), None)

    def _measured(self, info: CollectionInfo, query: Vectors, rows: Sequence[Any]) -> list[Hit]:
        """The records of rows with exact distances, in order."""
        found = list({row[0]: row for row in rows}.values())
        if not found:
            return []
        vectors = read_vectors([row[5] for row in found])
        distances = exact_distances(info.metric, query, vectors).tolist()
        return sorted(
            (
                Hit(row[0], row[1], row[2], row[3], read_json(row[4]), far, vector)
                for row, far, vector in zip(found, distances, vectors, strict=True)
            ),
            key=hit_order,
        )

    def recall(self, info: CollectionInfo, samples: int, k: int) -> float:
        """The share of true neighbours that searches find, from a sample of the vectors."""
        if info.options is None:
            return 1.0
        sql = (
            f"SELECT vector_send(embedding) FROM {PostgresTables(info).records}"
            f" WHERE seq IN (SELECT seq FROM {PostgresTables(info).records} ORDER BY md5(CAST(seq AS text)) LIMIT ?)"
        )
        rows = self._executor.fetch_all(sql, [samples], row_type=tuple)
        shares = []
        everything = Condition("TRUE")
        for (sent,) in rows:
            query = np.frombuffer(sent, ">f4", offset=4).astype(np.float32)
            truth = self._exactly(info, query, k, everything).hits[0]
            found = self._nearest(info, query, k, EVERYTHING, everything).hits[0]
            last = truth[-1].distance
            near = [
                hit for hit in found if hit.distance is not None and last is not None and hit.distance <= last
            ]
            shares.append(min(1.0, len(near) / len(truth)))
        return sum(shares) / len(shares) if shares else 1.0


def _settings(options: dict[str, Any], wanted: int) -> dict[str, str]:
    """The session settings that a search by index needs; all values are our own."""
    if options["kind"] == "hnsw":
        return {
            "hnsw.ef_search": str(min(1000, max(int(options.get("ef_search", _EF_SEARCH)), wanted))),
            "hnsw.iterative_scan": "strict_order",
        }
    return {"ivfflat.probes": str(int(options["probes"])), "ivfflat.iterative_scan": "relaxed_order"}


def _is_nearer(hit: Hit, distance: float) -> bool:
    return hit.distance is not None and hit.distance < distance


def _is_settled(info: CollectionInfo, query: Vectors, k: int, hits: list[Hit]) -> bool:
    """Whether no record beyond those fetched can belong among the first k, as exactly as the server computes."""
    if len(hits) <= k:
        return True
    longest = max(float(np.linalg.norm(hit.vector)) for hit in hits)
    last, beyond = hits[k - 1].distance, hits[-1].distance
    assert last is not None
    assert beyond is not None
    return beyond - last > 2 * rough_bound(info.metric, query, longest)
