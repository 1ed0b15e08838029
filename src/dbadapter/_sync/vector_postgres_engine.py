# Generated from src/dbadapter/_async/vector_postgres_engine.py by tools/unasync.py; do not edit.
"""The Postgres engine: collections in tables, searched by pgvector."""

from __future__ import annotations

import json
from typing import Any

from ..errors import VectorError
from ..vectors.caches import Caches
from ..vectors.catalog import CollectionInfo
from ..vectors.distance import Vectors
from ..vectors.filter_sql import json_list
from ..vectors.indexes import default_lists, default_probes
from ..vectors.postgres_tables import PostgresTables
from ..vectors.results import Searched
from ..vectors.selection import Selection
from ..vectors.text import TextMatch
from .vector_postgres import PostgresRecords
from .vector_postgres_search import PostgresSearch

__all__ = ["PostgresEngine"]

_BUILD_MEMORY = 512 << 20


class PostgresEngine(PostgresRecords):
    """See `VectorEngine`."""

    def __init__(self, executor: Any, caches: Caches, *, in_transaction: bool) -> None:
        super().__init__(executor)
        self._search = PostgresSearch(self, caches)

    def nearest(
        self, info: CollectionInfo, queries: Vectors, k: int, selection: Selection, *, vectors: bool
    ) -> Searched:
        """The k nearest of the selected records to each query."""
        return self._search.nearest(info, queries, k, selection, vectors=vectors)

    def recall(self, info: CollectionInfo, samples: int, k: int) -> float:
        """The share of true neighbours that searches find, from a sample of the vectors."""
        return self._search.recall(info, samples, k)

    # -- full text -------------------------------------------------------------------------------------

    def text_figures(self, info: CollectionInfo, words: list[str]) -> tuple[int, float, dict[str, int]]:
        """How many documents are indexed, their mean length in words, and how many contain each word."""
        text = PostgresTables(info).text
        sql = f"SELECT count(*), CAST(coalesce(avg(length), 0) AS double precision) FROM {text}"
        documents, mean = self.executor.fetch_one(sql, row_type=tuple)
        counted = f"SELECT count(*) FROM {text} WHERE words @@ CAST(? AS tsquery)"
        containing = {word: self.executor.fetch_value(counted, [f"'{word}'"]) for word in words}
        return documents, mean, containing

    def text_matches(
        self, info: CollectionInfo, weights: dict[str, float], selection: Selection
    ) -> list[TextMatch]:
        """The selected records whose documents have one of the words."""
        tables = PostgresTables(info)
        condition = self.condition(info, selection)
        sql = (
            "SELECT id, length, (SELECT CAST(jsonb_object_agg(lexeme, cardinality(positions)) AS text)"
            " FROM unnest(words) WHERE lexeme IN (SELECT jsonb_array_elements_text(CAST(? AS jsonb))))"
            f" FROM {tables.text} JOIN {tables.records} USING (seq)"
            f" WHERE words @@ CAST(? AS tsquery) AND {condition.sql}"
        )
        either = " | ".join(f"'{word}'" for word in weights)
        params = [json_list(list(weights)), either, *condition.params]
        rows = self.executor.fetch_all(sql, params, row_type=tuple)
        return [TextMatch(name, length, json.loads(counts)) for name, length, counts in rows]

    # -- index -----------------------------------------------------------------------------------------

    def create_index(self, info: CollectionInfo, kind: str, options: dict[str, Any]) -> dict[str, Any] | None:
        """Make the index that approximate searches use. In a transaction."""
        tables = PostgresTables(info)
        if not tables.can_index:
            raise VectorError(
                f"pgvector indexes vectors of up to 4,000 dimensions, not {info.dimension}: searches stay exact"
            )
        rows = self.count(info)
        chosen = {"kind": kind, **_defaults(kind, rows), **options}
        if kind == "ivfflat" and "probes" not in options:
            chosen["probes"] = default_probes(chosen["lists"])
        self._allow_memory(info, rows)
        for statement in tables.create_index(chosen):
            self.executor.execute(statement)
        return chosen

    def _allow_memory(self, info: CollectionInfo, rows: int) -> None:
        """Let the build use the memory it needs, within reason: beyond it, it is many times slower."""
        wanted = min(_BUILD_MEMORY, rows * ((info.dimension or 0) * 4 + 400)) // 1024
        sql = (
            "SELECT set_config('maintenance_work_mem', CAST(greatest(CAST(setting AS bigint), ?) AS text), true)"
            " FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem'"
        )
        self.executor.fetch_value(sql, [wanted])

    def drop_index(self, info: CollectionInfo) -> None:
        """Take the index away; searches are exact then."""
        self.executor.execute(f"DROP INDEX IF EXISTS {PostgresTables(info).index}")

    def reindex(self, info: CollectionInfo) -> None:
        """Make the index anew."""
        if info.options is not None:
            self._allow_memory(info, self.count(info))
            self.executor.execute(f"REINDEX INDEX {PostgresTables(info).index}")

    # -- upkeep ----------------------------------------------------------------------------------------

    def explain(self, info: CollectionInfo) -> dict[str, Any]:
        """What is known of how the collection is searched."""
        return {
            "engine": "pgvector",
            "index": None if info.options is None else info.options["kind"],
            "options": info.options,
        }

    def figures(self, info: CollectionInfo) -> dict[str, Any]:
        """Sizes on disk, and the state of the index."""
        tables = PostgresTables(info)
        sizes = "SELECT pg_total_relation_size(to_regclass(?)), pg_relation_size(to_regclass(?))"
        disk, index = self.executor.fetch_one(sizes, [tables.records, tables.index], row_type=tuple)
        dead = "SELECT n_dead_tup FROM pg_catalog.pg_stat_user_tables WHERE relid = to_regclass(?)"
        return {
            **self.explain(info),
            "disk_bytes": disk,
            "index_bytes": index,
            "dead_rows": self.executor.fetch_value(dead, [tables.records]),
            "pgvector": self.executor.fetch_value(
                "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'vector'"
            ),
        }

    def vacuum(self, info: CollectionInfo) -> None:
        """Let the room of deleted records be used again, and tell the planner what is there."""
        self.executor.execute(f"VACUUM (ANALYZE) {PostgresTables(info).records}")

    def changing_tables(self, info: CollectionInfo) -> list[str]:
        """The one table of the records."""
        return [info.table]

    def forget(self, info: CollectionInfo) -> None:
        """Nothing is cached."""


def _defaults(kind: str, rows: int) -> dict[str, int]:
    if kind == "hnsw":
        return {"m": 16, "ef_construction": 64, "ef_search": 100}
    return {"lists": default_lists(rows)}
