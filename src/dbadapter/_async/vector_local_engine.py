"""The local engine: collections in the SQLite file, searched in memory."""

from __future__ import annotations

import json
from typing import Any

from .._concurrency._aio import beside
from ..vectors.caches import Caches
from ..vectors.catalog import CollectionInfo
from ..vectors.distance import Vectors
from ..vectors.local_index import sampled_recall
from ..vectors.results import Searched
from ..vectors.selection import Selection
from ..vectors.sqlite_tables import LocalTables
from ..vectors.text import TextMatch
from .vector_local import AsyncLocalRecords
from .vector_local_index import AsyncLocalIndexes
from .vector_local_search import AsyncLocalSearch

__all__ = ["AsyncLocalEngine"]


class AsyncLocalEngine(AsyncLocalRecords):
    """See `AsyncVectorEngine`."""

    def __init__(self, executor: Any, caches: Caches, *, in_transaction: bool) -> None:
        super().__init__(executor)
        self._indexes = AsyncLocalIndexes(executor, caches, in_transaction=in_transaction)
        self._caches = caches

    async def nearest(
        self, info: CollectionInfo, queries: Vectors, k: int, selection: Selection, *, vectors: bool
    ) -> Searched:
        """The k nearest of the selected records to each query."""
        return await AsyncLocalSearch(self, self._indexes).nearest(
            info, queries, k, selection, vectors=vectors
        )

    # -- full text -------------------------------------------------------------------------------------

    async def text_figures(self, info: CollectionInfo, words: list[str]) -> tuple[int, float, dict[str, int]]:
        """How many documents are indexed, their mean length in words, and how many contain each word."""
        tables = LocalTables.of(info)
        sql = f"SELECT count(*), coalesce(avg(words), 0) FROM {tables.lengths}"
        documents, mean = await self.executor.fetch_one(sql, row_type=tuple)
        containing = {}
        for word in words:
            sql = f"SELECT count(DISTINCT doc) FROM {tables.vocabulary} WHERE term = ?"
            containing[word] = await self.executor.fetch_value(sql, [word])
        return documents, mean, containing

    async def text_matches(
        self, info: CollectionInfo, weights: dict[str, float], selection: Selection
    ) -> list[TextMatch]:
        """The selected records whose documents have one of the words."""
        tables = LocalTables.of(info)
        condition = await self.condition(info, selection)
        sql = (
            "SELECT r.id, l.words, json_group_object(f.term, f.times) FROM"
            f" (SELECT doc AS seq, term, count(*) AS times FROM {tables.vocabulary}"
            " WHERE term IN (SELECT value FROM json_each(?)) GROUP BY doc, term) AS f"
            f" JOIN {tables.records} AS r USING (seq) JOIN {tables.lengths} AS l USING (seq)"
            f" WHERE {condition.sql} GROUP BY seq"
        )
        params = [json.dumps(list(weights)), *condition.params]
        rows = await self.executor.fetch_all(sql, params, row_type=tuple)
        return [TextMatch(name, length, json.loads(counts)) for name, length, counts in rows]

    # -- upkeep ----------------------------------------------------------------------------------------

    async def create_index(
        self, info: CollectionInfo, kind: str, options: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Nothing to do but remember it, for a move to Postgres: codes are made by themselves when they pay."""
        return {"kind": kind, **options}

    async def drop_index(self, info: CollectionInfo) -> None:
        """Nothing to do."""

    async def explain(self, info: CollectionInfo) -> dict[str, Any]:
        """What is known of how the collection is searched."""
        slot = self._caches.slot(info.uid)
        index = slot.index
        return {
            "engine": "local",
            "index": "codes" if index is not None and index.rows.mean is not None else None,
            "vectors_in_memory": index is not None and index.rows.keep_vectors,
            "memory_bytes": 0 if index is None else index.rows.size,
        }

    async def figures(self, info: CollectionInfo) -> dict[str, Any]:
        """Sizes on disk, and the state of the index."""
        tables = LocalTables.of(info)
        return {
            **await self.explain(info),
            "log_entries": await self.executor.fetch_value(f"SELECT count(*) FROM {tables.log}"),
            "disk_bytes": await self._disk_bytes(info),
        }

    async def _disk_bytes(self, info: CollectionInfo) -> int | None:
        """Bytes of the collection's tables; None where this SQLite was built without the table that tells."""
        has_dbstat = await self.executor.fetch_value("SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')")
        if not has_dbstat:
            return None
        pattern = info.table.replace("_", "\\_")
        sql = (
            "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name IN (SELECT name"
            " FROM sqlite_master WHERE tbl_name LIKE ? ESCAPE '\\')"
        )
        return int(await self.executor.fetch_value(sql, [pattern + "%"]))

    async def recall(self, info: CollectionInfo, samples: int, k: int) -> float:
        """The share of true neighbours that searches find, from a sample of the vectors."""
        slot = await self._indexes.current(info, check=True)
        assert slot.index is not None
        return await beside(sampled_recall, slot.index, samples, k)

    async def vacuum(self, info: CollectionInfo) -> None:
        """Forget the log of changes, and give the file's free pages back to the system."""
        tables = LocalTables.of(info)
        await self.executor.execute(f"DELETE FROM {tables.log} WHERE n < (SELECT max(n) FROM {tables.log})")
        await self.executor.execute("VACUUM")

    async def reindex(self, info: CollectionInfo) -> None:
        """Fill the cache anew."""
        self._caches.forget(info.uid)

    def changing_tables(self, info: CollectionInfo) -> list[str]:
        """The tables of the records and of their vectors."""
        return [info.table, f"{info.table}_e"]

    def forget(self, info: CollectionInfo) -> None:
        """The collection is gone."""
        self._caches.forget(info.uid)
