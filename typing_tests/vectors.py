"""What a type checker must know about collections; checked by mypy, never run."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter
from dbadapter.vectors import CopyReport, ImportReport, InvalidRecord, Match, copy_collections, import_chroma


def collecting(adapter: DatabaseAdapter) -> None:
    notes = adapter.vectors.get_or_create_collection(
        "notes", dimension=3, metric="cosine", references="notes.id"
    )
    notes.add(ids=["1"], embeddings=[[1.0, 2.0, 3.0]], metadatas=[{"year": 2024}], documents=["text"])
    notes.upsert(ids=["1"], embeddings=np.zeros((1, 3), dtype=np.float32))
    found = notes.search(np.zeros(3), k=3, where={"year": {"$gt": 2000}}, min_similarity=0.4)
    assert_type(found, list[Match])
    assert_type(found[0].id, str)
    assert_type(found[0].similarity, float | None)
    assert_type(notes.hybrid_search("text", [0.0, 1.0, 0.0], k=3), list[Match])
    assert_type(notes.count(), int)
    assert_type(notes.dimension, int | None)
    shown: dict[str, Any] = notes.query(query_embeddings=[[1, 2, 3]], n_results=2, include=["distances"])
    shown = notes.get(where={"year": 2024}, limit=1)
    notes.create_index("hnsw", m=16)
    with adapter.transaction() as tx:
        tx.vectors.get_collection("notes").delete(ids=["1"])
    print(shown, InvalidRecord)


def importing(adapter: DatabaseAdapter, other: DatabaseAdapter) -> None:
    assert_type(import_chroma("chroma_data/", adapter), ImportReport)
    assert_type(copy_collections(adapter, other), CopyReport)


async def awaiting(adapter: AsyncDatabaseAdapter) -> None:
    notes = await adapter.vectors.get_collection("notes")
    assert_type(await notes.search([1.0, 0.0, 0.0]), list[Match])
    assert_type(await notes.count(), int)
