"""What local collections take of the file and of memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig

RECORDS = 2000


@pytest.mark.parametrize("dimension", [128, 300, 384, 512, 768, 1024, 1536])
def test_hardly_anything_of_the_file_stays_empty(tmp_path: Path, dimension: int) -> None:
    """Vectors fill the pages of a file, whatever their dimension: it is little larger than their numbers."""
    vectors = np.random.default_rng(1).normal(size=(RECORDS, dimension)).astype(np.float32)
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(tmp_path / "app.db"))) as adapter:
        collection = adapter.vectors.create_collection("notes")
        collection.add([str(at) for at in range(RECORDS)], vectors)
        pages = adapter.fetch_value("PRAGMA page_count")
        size = pages * adapter.fetch_value("PRAGMA page_size")
    besides = RECORDS * 40 + 100_000  # ids and numbers of the records, and a page or two for each table
    assert size < vectors.nbytes * 1.2 + besides


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_a_collection_beyond_the_memory_limit_is_searched_from_the_file(tmp_path: Path, metric: str) -> None:
    """With room for no vector at all, a search finds what one with all of them in memory finds, also after changes."""
    chance = np.random.default_rng(5)
    centres = chance.normal(size=(40, 200))
    vectors = (centres[np.arange(RECORDS) % 40] + chance.normal(0, 0.1, (RECORDS, 200))).astype(np.float32)
    config = DatabaseConfig(sqlite_path=str(tmp_path / "app.db"))
    with DatabaseAdapter(config) as roomy, DatabaseAdapter(config) as cramped:
        cramped.vectors.memory_limit = 0
        roomy.vectors.create_collection("c", metric=metric)
        by_memory, by_file = (each.vectors.get_collection("c") for each in (roomy, cramped))

        def compare() -> None:
            for query in vectors[[3, 77, 1500]]:
                for where in (None, {"part": 3}, {"part": {"$ne": 3}}):
                    assert _found(by_file, query, where) == _found(by_memory, query, where)
            assert not by_file.explain()["vectors_in_memory"]
            assert by_memory.explain()["vectors_in_memory"]

        ids = [f"r{at:04}" for at in range(RECORDS)]
        metadatas = [{"part": at % 7} for at in range(RECORDS)]
        by_memory.add(ids[:1800], vectors[:1800], metadatas[:1800])
        compare()
        by_memory.add(ids[1800:], vectors[1800:], metadatas[1800:])
        by_file.update(ids[:5], vectors[1500:1505])
        by_file.delete(where={"part": 5})
        compare()


def _found(collection: Any, query: Any, where: dict[str, object] | None) -> list[Any]:
    return [(match.id, match.distance) for match in collection.search(query, 10, where=where)]
