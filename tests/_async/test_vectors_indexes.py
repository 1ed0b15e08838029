"""Indexes on vectors, and upkeep: no answer changes by them, on either backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dbadapter import AsyncDatabaseAdapter
from dbadapter.errors import CollectionNotFound, VectorError
from dbadapter.vectors import InvalidRecord
from tests.vectors.models import Letters


@pytest.mark.parametrize("kind", ["hnsw", "ivfflat"])
@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
async def test_an_index_changes_no_small_answer(
    adapter: AsyncDatabaseAdapter, kind: str, metric: str
) -> None:
    """With an index, queries find what they found without, zero vectors and filtered ones included."""
    numbers = np.random.default_rng(5).normal(size=(300, 8)).astype(np.float32)
    numbers[7] = numbers[100] = 0
    collection = await adapter.vectors.create_collection("c", metric=metric)
    names = [f"{at:03}" for at in range(300)]
    await collection.add(names, numbers, metadatas=[{"part": at % 10, "at": at} for at in range(300)])
    arguments: list[dict[str, Any]] = [
        {},
        {"where": {"part": 3}},
        {"where": {"at": {"$gte": 5}}},
        {"where": {"part": 99}},
        {"where": {"at": {"$in": [7, 100, 101]}}},
    ]
    queries = [*numbers[:5], np.ones(8, np.float32), np.zeros(8, np.float32)]
    before = [await collection.query(queries, n_results=20, **each) for each in arguments]
    distant = await collection.query(queries, n_results=250)
    await collection.create_index(
        kind, **({"lists": 5, "probes": 5} if kind == "ivfflat" else {"ef_search": 400})
    )
    after = [await collection.query(queries, n_results=20, **each) for each in arguments]
    assert before == after
    assert len(after[2]["ids"][0]) == 20
    everything = await collection.query([np.ones(8)], n_results=300)
    assert len(everything["ids"][0]) == 300
    # Most of these are further away than zero vectors are, which no index on cosine distance has.
    assert await collection.query(queries, n_results=250) == distant
    assert await collection.check_recall(samples=10) == 1.0
    await collection.reindex()
    await collection.drop_index()
    assert [await collection.query(queries, n_results=20, **each) for each in arguments] == before


async def test_deleted_records_do_not_crowd_out_others(adapter: AsyncDatabaseAdapter) -> None:
    """An index has deleted records until a vacuum; where all the nearest are such, it is searched on for others."""
    numbers = np.random.default_rng(7).normal(size=(1200, 6)).astype(np.float32)
    collection = await adapter.vectors.create_collection("c")
    await collection.add([f"{at:04}" for at in range(1200)], numbers)
    before = [match.id for match in await collection.search(np.ones(6), k=1200)]
    await collection.create_index("hnsw", m=32, ef_construction=200, ef_search=200)
    async with adapter.transaction() as tx:
        if adapter.dialect.name == "postgresql":
            # For so few records the planner would rather not use the index.
            await tx.execute("SET LOCAL enable_seqscan = off")
        within = await tx.vectors.get_collection("c")
        await within.delete(before[:300])
        left = [match.id for match in await within.search(np.ones(6), k=20)]
        told = await within.explain(np.ones(6), k=20)
    assert told["path"] == ("hnsw" if told["engine"] == "pgvector" else "exact")
    assert len(left) == 20
    assert left[0] == before[300]
    assert set(left) <= set(before[300:])


async def test_indexes_have_known_kinds_and_options(adapter: AsyncDatabaseAdapter) -> None:
    """Anything else is refused, on the local engine too."""
    collection = await adapter.vectors.create_collection("c", dimension=2)
    for kind, options in (
        ("btree", {}),
        ("hnsw", {"lists": 3}),
        ("hnsw", {"m": 1}),
        ("hnsw", {"m": "16); DROP TABLE x"}),
        ("ivfflat", {"probes": 0}),
    ):
        with pytest.raises(VectorError):
            await collection.create_index(kind, **options)


async def test_wide_vectors_can_be_indexed_and_searched(adapter: AsyncDatabaseAdapter) -> None:
    """Above 2,000 dimensions an index holds half precision; distances are still exact."""
    numbers = np.random.default_rng(1).normal(size=(60, 2500)).astype(np.float32)
    collection = await adapter.vectors.create_collection("wide")
    await collection.add([f"{at:02}" for at in range(60)], numbers)
    before = await collection.query(numbers[:3], n_results=10)
    await collection.create_index("hnsw")
    assert await collection.query(numbers[:3], n_results=10) == before
    assert before["distances"][0][0] == 0.0


async def test_explain_tells_how_a_search_is_answered(adapter: AsyncDatabaseAdapter, on_sqlite: bool) -> None:
    """The engine, the index if there is one, and whether anything can have been missed."""
    collection = await adapter.vectors.create_collection("c")
    await collection.add(["a", "b"], [[1, 0], [0, 1]], metadatas=[{"k": 1}, None])
    told = await collection.explain([1, 0], k=1, where={"k": 1})
    assert told["engine"] == ("local" if on_sqlite else "pgvector")
    assert (told["index"], told["path"], told["exact"], told["found"]) == (None, "exact", True, 1)
    await collection.create_index("hnsw")
    told = await collection.explain([1, 0], k=1)
    assert told["exact"] is on_sqlite


async def test_stats_and_vacuum(adapter: AsyncDatabaseAdapter) -> None:
    """Sizes and states are told; vacuum and reindex change no answer."""
    collection = await adapter.vectors.create_collection("c", metadata={"m": 1}, embedding_function=Letters())
    await collection.add([str(at) for at in range(200)], np.eye(200)[:, :26] + 1, documents=["text"] * 200)
    await collection.delete([str(at) for at in range(100)])
    before = await collection.query(np.ones((1, 26)))
    await collection.vacuum()
    await collection.reindex()
    stats = await collection.stats()
    assert {
        key: stats[key] for key in ("name", "count", "dimension", "metric", "fulltext", "references")
    } == {
        "name": "c",
        "count": 100,
        "dimension": 26,
        "metric": "cosine",
        "fulltext": False,
        "references": None,
    }
    assert stats["model"] == {"name": "letters", "config": {"size": 26}}
    assert stats["disk_bytes"] is None or stats["disk_bytes"] > 0
    assert await collection.query(np.ones((1, 26))) == before


async def test_another_handle_sees_what_was_changed(adapter: AsyncDatabaseAdapter) -> None:
    """Handles opened earlier follow renames, first vectors, indexes and deletions made through others."""
    early = await adapter.vectors.create_collection("c")
    other = await adapter.vectors.get_collection("c")
    await other.add(["a", "b", "c"], [[1, 0], [0, 1], [0, 0]])
    assert (await early.query([1, 0]))["ids"] == [["a", "b", "c"]]
    await other.modify(name="d")
    await other.create_index("hnsw")
    assert (await early.query([1, 0]))["ids"] == [["a", "b", "c"]]
    assert (await early.query([1, 0]))["ids"] == [["a", "b", "c"]]
    await early.add("e", [1, 1])
    assert await other.count() == 4
    with pytest.raises(InvalidRecord):
        await early.add("f", [])
    await adapter.vectors.delete_collection("d")
    with pytest.raises(CollectionNotFound):
        await early.get()
