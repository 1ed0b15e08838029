"""Collections: Chroma's verbs and results, alike on both backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dbadapter import AsyncDatabaseAdapter
from dbadapter.errors import (
    CollectionExists,
    CollectionNotFound,
    DatabaseAdapterError,
    DimensionMismatch,
    DuplicateID,
    InvalidFilter,
    VectorError,
)
from dbadapter.vectors import InvalidRecord
from tests.vectors.models import Letters


@pytest.fixture
async def notes(adapter: AsyncDatabaseAdapter) -> Any:
    """A collection of four records."""
    collection = await adapter.vectors.create_collection("notes", metric="l2")
    await collection.add(
        ids=["5", "3", "9", "1"],
        embeddings=[[5, 1], [3, 1], [9, 1], [1, 1]],
        documents=["doc five", "doc three", None, "doc one"],
        metadatas=[{"k": 5}, {"k": 3.0, "tags": ["x", "y"]}, None, {"k": True}],
    )
    return collection


# -- collections ---------------------------------------------------------------------------------------


async def test_a_collection_is_created_found_listed_and_deleted(adapter: AsyncDatabaseAdapter) -> None:
    """Names are found again, in code point order, until they are deleted."""
    store = adapter.vectors
    assert await store.list_collections() == []
    assert await store.count_collections() == 0
    for name in ["b", "B", "ä", "a b"]:
        await store.create_collection(name, dimension=3, metadata={"who": name})
    assert [each.name for each in await store.list_collections()] == ["B", "a b", "b", "ä"]
    assert [each.name for each in await store.list_collections(limit=2, offset=1)] == ["a b", "b"]
    found = await store.get_collection("ä")
    assert (found.name, found.dimension, found.metric, found.metadata) == ("ä", 3, "cosine", {"who": "ä"})
    await store.delete_collection("ä")
    assert await store.count_collections() == 3
    with pytest.raises(CollectionNotFound, match="ä"):
        await store.get_collection("ä")
    with pytest.raises(CollectionNotFound):
        await store.delete_collection("ä")
    assert await adapter.list_tables() == []


async def test_what_a_deleted_collection_held_is_not_found_any_more(notes: Any, adapter: Any) -> None:
    """A collection object outlives its collection and says so."""
    await adapter.vectors.delete_collection("notes")
    for attempt in (notes.count, notes.get, notes.peek):
        with pytest.raises(CollectionNotFound, match="notes"):
            await attempt()
    with pytest.raises(CollectionNotFound):
        await notes.query([[1, 1]])
    with pytest.raises(CollectionNotFound):
        await notes.add("new", [1, 1])


@pytest.mark.parametrize("dimension", [1, 191, 192, 193, 384, 385, 1000, 2001])
async def test_vectors_of_any_dimension_come_back_bit_for_bit(
    adapter: AsyncDatabaseAdapter, dimension: int
) -> None:
    """However many numbers a vector has: read, read in part, found, updated and deleted it stays itself."""
    kept = np.random.default_rng(dimension).normal(size=(7, dimension)).astype(np.float32)
    ids = [f"r{at}" for at in range(7)]
    collection = await adapter.vectors.create_collection("wide", metric="l2")
    await collection.add(ids, kept, documents=ids)

    async def check() -> None:
        everything = await collection.get(include=["embeddings", "documents"])
        assert (everything["ids"], everything["documents"]) == (ids, ids)
        assert everything["embeddings"].tobytes() == kept.tobytes()
        some = await collection.get(limit=3, offset=2, include=["embeddings"])
        assert some["ids"] == ids[2:5]
        assert some["embeddings"].tobytes() == kept[2:5].tobytes()
        found = await collection.query(kept[[1, 5]], n_results=1, include=["embeddings", "distances"])
        assert found["ids"] == [[ids[1]], [ids[5]]]
        assert found["distances"] == [[0.0], [0.0]]
        assert [each.tobytes() for each in found["embeddings"]] == [kept[1].tobytes(), kept[5].tobytes()]

    await check()
    kept[1] = -kept[1]
    await collection.update(ids[1], kept[1])
    await check()
    await collection.delete(ids[3])
    kept = np.delete(kept, 3, axis=0)
    del ids[3]
    await check()


async def test_a_second_collection_of_the_same_name_is_refused(adapter: AsyncDatabaseAdapter) -> None:
    """create fails where get_or_create returns what is there."""
    store = adapter.vectors
    first = await store.create_collection("c", dimension=2, metadata={"a": 1})
    with pytest.raises(CollectionExists, match="'c'"):
        await store.create_collection("c")
    again = await store.get_or_create_collection("c", metadata={"a": 2})
    assert (again.id, again.metadata) == (first.id, {"a": 1})
    assert (await store.create_collection("c", get_or_create=True)).id == first.id
    with pytest.raises(DimensionMismatch, match="2 dimensions, not 3"):
        await store.get_or_create_collection("c", dimension=3)
    with pytest.raises(VectorError, match="cosine"):
        await store.get_or_create_collection("c", metric="l2")


async def test_the_metric_may_be_named_as_chroma_names_it(adapter: AsyncDatabaseAdapter) -> None:
    """hnsw:space in metadata or configuration chooses the metric."""
    store = adapter.vectors
    by_metadata = await store.create_collection("m", metadata={"hnsw:space": "ip"})
    by_configuration = await store.create_collection("c", configuration={"hnsw": {"space": "l2"}})
    assert (by_metadata.metric, by_configuration.metric) == ("ip", "l2")
    with pytest.raises(VectorError, match="manhattan"):
        await store.create_collection("x", metric="manhattan")


async def test_modify_renames_and_replaces_metadata(notes: Any, adapter: AsyncDatabaseAdapter) -> None:
    """The records stay; an old name is free again; a taken one is refused."""
    await notes.modify(name="renamed", metadata={"y": 2})
    assert (notes.name, notes.metadata) == ("renamed", {"y": 2})
    assert await (await adapter.vectors.get_collection("renamed")).count() == 4
    await adapter.vectors.create_collection("notes")
    with pytest.raises(CollectionExists):
        await notes.modify(name="notes")
    with pytest.raises(VectorError, match="l2"):
        await notes.modify(metadata={"hnsw:space": "cosine"})
    assert notes.name == "renamed"


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": "x" * 513},
        {"name": 3},
        {"name": "nul\0"},
        {"name": "c", "dimension": 0},
        {"name": "c", "dimension": 2.5},
        {"name": "c", "dimension": 16_001},
        {"name": "c", "metadata": {}},
        {"name": "c", "metadata": {"k": object()}},
        {"name": "c", "references": "notes"},
    ],
)
async def test_arguments_that_make_no_collection_are_refused(adapter: Any, arguments: dict[str, Any]) -> None:
    """Nothing is created then."""
    with pytest.raises(InvalidRecord):
        await adapter.vectors.create_collection(**arguments)
    assert await adapter.vectors.count_collections() == 0


# -- writing -------------------------------------------------------------------------------------------


async def test_records_come_back_in_the_order_they_came(notes: Any) -> None:
    """get has Chroma's shape and Chroma's order, whatever ids ask for."""
    assert await notes.get() == {
        "ids": ["5", "3", "9", "1"],
        "embeddings": None,
        "documents": ["doc five", "doc three", None, "doc one"],
        "uris": None,
        "included": ["metadatas", "documents"],
        "data": None,
        "metadatas": [{"k": 5}, {"k": 3.0, "tags": ["x", "y"]}, None, {"k": True}],
    }
    assert (await notes.get(ids=["9", "5", "nope"]))["ids"] == ["5", "9"]
    assert (await notes.get(limit=2, offset=1, include=[]))["ids"] == ["3", "9"]
    assert (await notes.get(limit=0))["ids"] == []
    peeked = await notes.peek(2)
    assert peeked["ids"] == ["5", "3"]
    assert peeked["embeddings"].tolist() == [[5, 1], [3, 1]]
    assert await notes.count() == 4


async def test_add_leaves_what_is_there_silently(notes: Any) -> None:
    """Of a batch only the new ids are added, in order."""
    many = [str(number) for number in range(100)]
    await notes.add(many, [[float(each), 2.0] for each in many], documents=["new"] * 100)
    assert await notes.count() == 100
    got = await notes.get(["9", "5", "50"], include=["documents", "embeddings"])
    assert got["ids"] == ["5", "9", "50"]
    assert got["documents"] == ["doc five", None, "new"]
    assert got["embeddings"].tolist() == [[5, 1], [9, 1], [50, 2]]
    assert (await notes.get(limit=6))["ids"] == ["5", "3", "9", "1", "0", "2"]


async def test_update_merges_metadata_and_passes_over_what_is_missing(notes: Any) -> None:
    """None deletes a key, a document given as None stays, a record that is not there stays so."""
    await notes.update(
        ids=["5", "nope", "1"], metadatas=[{"k": None, "new": "x"}, {"k": 1}, None], documents=None
    )
    await notes.update(ids=["3", "9"], embeddings=[[0, 0], [7, 7]], documents=[None, "nine"])
    got = await notes.get(include=["metadatas", "documents", "embeddings"])
    assert got["ids"] == ["5", "3", "9", "1"]
    assert got["metadatas"] == [{"new": "x"}, {"k": 3.0, "tags": ["x", "y"]}, None, {"k": True}]
    assert got["documents"] == ["doc five", "doc three", "nine", "doc one"]
    assert got["embeddings"].tolist() == [[5, 1], [0, 0], [7, 7], [1, 1]]
    await notes.update(ids="5", metadatas={"new": None})
    assert (await notes.get("5"))["metadatas"] == [None]
    assert (await notes.get(where={"new": "x"}))["ids"] == []
    await notes.update(ids="later", embeddings=[8, 8])
    await notes.add(ids="later", embeddings=[2, 2])
    assert (await notes.get("later", include=["embeddings"]))["embeddings"].tolist() == [[2, 2]]


async def test_upsert_adds_and_updates_in_one_call(notes: Any) -> None:
    """Known records keep their place, new ones come last."""
    await notes.upsert(
        ids=["0", "3"],
        embeddings=[[0, 1], [3, 3]],
        metadatas=[{"k": 0, "z": None}, {"k": 4}],
        documents=["zero", None],
    )
    got = await notes.get(include=["metadatas", "documents", "embeddings"])
    assert got["ids"] == ["5", "3", "9", "1", "0"]
    assert got["metadatas"][1] == {"k": 4, "tags": ["x", "y"]}
    assert got["metadatas"][4] == {"k": 0}
    assert got["documents"][1] == "doc three"
    assert got["embeddings"][1].tolist() == [3, 3]


async def test_delete_by_id_and_filter(notes: Any) -> None:
    """Both have to match; the number deleted is told."""
    assert await notes.delete(ids=["5", "nope"], where={"k": 3}) == {"deleted": 0}
    assert await notes.delete(where={"k": {"$gte": 3}}, limit=1) == {"deleted": 1}
    assert await notes.delete(where_document={"$regex": "o.e$"}) == {"deleted": 1}
    assert (await notes.get())["ids"] == ["3", "9"]
    assert await notes.delete(ids=["3"]) == {"deleted": 1}
    with pytest.raises(InvalidRecord, match="delete_collection"):
        await notes.delete()
    assert await notes.count() == 1


async def test_uris_are_kept(notes: Any) -> None:
    """A uri belongs to a record as a document does."""
    await notes.upsert(["5", "new"], [[5, 1], [2, 2]], uris=["file:///a", None])
    got = await notes.get(["5", "new"], include=["uris"])
    assert got["uris"] == ["file:///a", None]
    assert (await notes.query([[5, 1]], n_results=1, include=["uris"]))["uris"] == [["file:///a"]]


# -- searching -----------------------------------------------------------------------------------------


async def test_query_answers_each_query_in_chromas_shape(notes: Any) -> None:
    """Nearest first; what is not included is None."""
    assert await notes.query(query_embeddings=[[1, 0], [9, 9]], n_results=2) == {
        "ids": [["1", "3"], ["9", "5"]],
        "embeddings": None,
        "documents": [["doc one", "doc three"], [None, "doc five"]],
        "uris": None,
        "included": ["metadatas", "documents", "distances"],
        "data": None,
        "metadatas": [[{"k": True}, {"k": 3.0, "tags": ["x", "y"]}], [None, {"k": 5}]],
        "distances": [[1.0, 5.0], [64.0, 80.0]],
    }
    bare = await notes.query([1, 0], n_results=20, include=["embeddings"])
    assert bare["ids"] == [["1", "3", "5", "9"]]
    assert bare["distances"] is None
    assert bare["embeddings"][0].tolist() == [[1, 1], [3, 1], [5, 1], [9, 1]]


async def test_a_query_may_be_limited_to_ids_and_filters(notes: Any) -> None:
    """Ids that are not there are passed over; an empty list finds nothing."""

    async def found(**arguments: Any) -> Any:
        return (await notes.query([[0, 0]], **arguments))["ids"][0]

    assert await found(ids=["9", "5", "nope"]) == ["5", "9"]
    assert await found(ids=[]) == []
    assert await found(where={"tags": {"$contains": "y"}}) == ["3"]
    assert await found(where={"k": {"$ne": 5}}) == ["1", "3", "9"]
    assert await found(where_document={"$not_contains": "doc"}) == ["9"]
    assert await found(where_document={"$regex": "t.r"}) == ["3"]
    assert await found(where={"k": {"$gt": 1}}, where_document={"$contains": "five"}) == ["5"]


async def test_ties_are_ordered_by_id_in_code_point_order(adapter: AsyncDatabaseAdapter) -> None:
    """Equally distant records come in the order of their ids, also where a limit cuts a tie."""
    collection = await adapter.vectors.create_collection("ties")
    names = ["b", "a", "Z", "é", "10", "9", "\uffff", "😀"]
    await collection.add(names, [[float(at + 1)] * 3 for at in range(len(names))])
    expected = sorted(names)
    assert (await collection.query([[1, 1, 1]]))["ids"] == [expected]
    assert (await collection.query([[1, 1, 1]], n_results=3))["ids"] == [expected[:3]]
    assert [match.distance for match in await collection.search([2, 2, 2])] == [0.0] * 8


async def test_zero_vectors_have_cosine_distance_one(adapter: AsyncDatabaseAdapter) -> None:
    """Stored or asked for, a zero vector is found and is 1 away from everything."""
    collection = await adapter.vectors.create_collection("zero")
    await collection.add(["z", "a", "b", "y"], [[0, 0], [1, 0], [-1, 0], [0, 0]])
    got = await collection.query([[1, 0], [0, 0]], n_results=3, include=["distances"])
    assert got["ids"] == [["a", "y", "z"], ["a", "b", "y"]]
    assert got["distances"] == [[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("metric", "distances"), [("cosine", [0.0, 1.0]), ("l2", [2.25, 3.25]), ("ip", [-0.5, 1.0])]
)
async def test_metrics_are_chromas(adapter: Any, metric: str, distances: list[float]) -> None:
    """cosine is 1 - cos, l2 is squared, ip is 1 - dot."""
    collection = await adapter.vectors.create_collection("c", metric=metric)
    await collection.add(["near", "far"], [[1.5, 0], [0, 1]])
    query = {"cosine": [2, 0], "l2": [0, 0], "ip": [1, 0]}[metric]
    if metric == "l2":
        query = [0.0, 0.0]
        distances = [1.0, 2.25]
    got = await collection.query([query])
    assert got["distances"] == [distances]
    similarity = (await collection.search(query))[0].similarity
    assert similarity == (0.5 if metric == "l2" else 1 - distances[0])


async def test_search_gives_matches_above_a_similarity(notes: Any, adapter: AsyncDatabaseAdapter) -> None:
    """Matches have everything a caller shows, and a threshold leaves the rest out."""
    collection = await adapter.vectors.create_collection("c", embedding_function=Letters())
    await collection.add(["1", "2", "3"], documents=["abc", "abd", "xyz"], metadatas=[{"n": 1}, None, None])
    first, second = await collection.search("abc", k=3, min_similarity=0.4)
    assert (first.id, first.document, first.metadata) == ("1", "abc", {"n": 1})
    assert (first.distance, first.similarity) == (0.0, 1.0)
    assert second.similarity == pytest.approx(2 / 3)
    assert [match.id for match in await collection.search("abc", k=1)] == ["1"]
    assert [match.id for match in await collection.search("abc", where={"n": {"$ne": 1}})] == ["2", "3"]
    assert [match.id for match in await notes.search(np.array([9, 9], np.float16), k=1)] == ["9"]


async def test_an_empty_collection_answers_emptily(adapter: AsyncDatabaseAdapter) -> None:
    """No records, no results, no errors; also before the dimension is known."""
    collection = await adapter.vectors.create_collection("c")
    assert (await collection.query([[1, 2], [3, 4]]))["ids"] == [[], []]
    assert (await collection.get())["ids"] == []
    assert await collection.search([1.0]) == []
    assert await collection.hybrid_search("word", [1.0]) == []
    await collection.add("a", [1, 2])
    await collection.delete("a")
    assert (await collection.query([[1, 2]]))["ids"] == [[]]
    assert await collection.peek() is not None


# -- embedding functions -------------------------------------------------------------------------------


async def test_documents_are_embedded_where_there_are_no_vectors(adapter: AsyncDatabaseAdapter) -> None:
    """add, upsert, update and query_texts go through the embedding function."""
    collection = await adapter.vectors.create_collection("c", embedding_function=Letters())
    await collection.add(["1", "2"], documents=["aab", "ccc"])
    await collection.upsert("3", documents="zzz")
    await collection.update("2", documents="aaa")
    got = await collection.query(query_texts=["aaaa"], n_results=2)
    assert got["ids"] == [["2", "1"]]
    assert collection.dimension == 26
    plain = await adapter.vectors.get_collection("c")
    with pytest.raises(DatabaseAdapterError, match="embedding_function="):
        await plain.query(query_texts=["a"])
    with pytest.raises(InvalidRecord, match=r"documents\[1\]"):
        await collection.add(["4", "5"], documents=["d", None])


async def test_another_model_is_refused_with_the_way_out(adapter: AsyncDatabaseAdapter) -> None:
    """The embedding function's identity is stored and compared whenever one is given."""
    await adapter.vectors.create_collection("c", embedding_function=Letters())
    await adapter.vectors.get_collection("c", embedding_function=Letters())
    for attempt in (adapter.vectors.get_collection, adapter.vectors.get_or_create_collection):
        with pytest.raises(DimensionMismatch, match="reembed_collection"):
            await attempt("c", embedding_function=Letters(size=30))


async def test_reembedding_changes_model_and_dimension(adapter: AsyncDatabaseAdapter) -> None:
    """Documents stay, vectors are made anew, the name stays the collection's."""
    old = await adapter.vectors.create_collection("c", embedding_function=Letters(), metadata={"a": 1})
    await old.add(["1", "2"], documents=["abc", "xyz"], metadatas=[{"k": 1}, None])
    new = await adapter.vectors.reembed_collection("c", embedding_function=Letters(size=30))
    assert new.dimension == 30
    assert (await new.get(include=["documents", "metadatas"])) == (
        await (await adapter.vectors.get_collection("c")).get(include=["documents", "metadatas"])
    )
    assert (await new.query(query_texts=["abc"], n_results=1))["ids"] == [["1"]]
    assert new.metadata == {"a": 1}
    assert await adapter.vectors.count_collections() == 1


# -- refusals ------------------------------------------------------------------------------------------

_BAD_RECORDS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"ids": []}, InvalidRecord, "ids is empty"),
    ({"ids": ["a", "a"], "embeddings": [[1, 1], [2, 2]]}, DuplicateID, "'a'"),
    ({"ids": [7], "embeddings": [[1, 1]]}, InvalidRecord, r"ids\[0\]"),
    ({"ids": [""], "embeddings": [[1, 1]]}, InvalidRecord, r"ids\[0\] is empty"),
    ({"ids": ["a\0"], "embeddings": [[1, 1]]}, InvalidRecord, "NUL"),
    ({"ids": ["\ud800"], "embeddings": [[1, 1]]}, InvalidRecord, "surrogate"),
    ({"ids": ["x" * 2001], "embeddings": [[1, 1]]}, InvalidRecord, "2000"),
    ({"ids": ["a"]}, InvalidRecord, "embeddings"),
    ({"ids": ["a"], "embeddings": []}, InvalidRecord, "empty"),
    ({"ids": ["a"], "embeddings": [[]]}, InvalidRecord, "shape"),
    ({"ids": ["a"], "embeddings": [[1, 2, 3]]}, DimensionMismatch, "2 dimensions"),
    ({"ids": ["a", "b"], "embeddings": [[1, 2], [1]]}, DimensionMismatch, r"embeddings\[1\]"),
    ({"ids": ["a"], "embeddings": [[1, float("nan")]]}, InvalidRecord, r"embeddings\[0\]"),
    ({"ids": ["a"], "embeddings": [[1, float("inf")]]}, InvalidRecord, r"embeddings\[0\]"),
    ({"ids": ["a"], "embeddings": [[1, 1e39]]}, InvalidRecord, "single precision"),
    ({"ids": ["a"], "embeddings": [["1", "2"]]}, InvalidRecord, "numbers"),
    ({"ids": ["a"], "embeddings": [[True, False]]}, InvalidRecord, "numbers"),
    ({"ids": ["a"], "embeddings": [[None, 1]]}, InvalidRecord, r"embeddings\[0\]"),
    ({"ids": ["a"], "embeddings": "xy"}, InvalidRecord, "str"),
    ({"ids": ["a", "b"], "embeddings": [[1, 2]]}, InvalidRecord, "2 ids but 1 embeddings"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{}]}, InvalidRecord, r"metadatas\[0\] is empty"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"k": {}}]}, InvalidRecord, "dict"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"k": []}]}, InvalidRecord, "empty list"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"k": [1, "a"]}]}, InvalidRecord, "more than one"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"k": float("nan")}]}, InvalidRecord, "NaN"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"k": 2**63}]}, InvalidRecord, "64 bits"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"k": "\0"}]}, InvalidRecord, "NUL"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"$k": 1}]}, InvalidRecord, "reserved"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{1: 1}]}, InvalidRecord, "not text"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"k": np.int64(1)}]}, InvalidRecord, "item"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "documents": [1]}, InvalidRecord, r"documents\[0\]"),
    ({"ids": ["a"], "embeddings": [[1, 2]], "documents": ["\0"]}, InvalidRecord, "NUL"),
]


@pytest.mark.parametrize(("records", "error", "words"), _BAD_RECORDS)
async def test_bad_records_are_refused_and_nothing_is_written(
    notes: Any, records: dict[str, Any], error: type[Exception], words: str
) -> None:
    """The error names the record and the fault, for add and upsert alike."""
    good = {"ids": ["good"], "embeddings": [[1, 1]]}
    for verb in (notes.add, notes.upsert):
        with pytest.raises(error, match=words):
            await verb(**records)
        assert await notes.count() == 4
    await notes.add(**good)
    assert await notes.count() == 5


async def test_bad_questions_are_refused(notes: Any) -> None:
    """Counts, includes and vectors that mean nothing are errors, on both backends alike."""
    for arguments in (
        {"n_results": 0},
        {"n_results": -1},
        {"n_results": True},
        {"include": ["foo"]},
        {"include": "documents"},
        {"query_embeddings": []},
        {"query_embeddings": None},
        {"query_embeddings": [[float("nan"), 1]]},
    ):
        with pytest.raises(InvalidRecord):
            await notes.query(**{"query_embeddings": [[1, 1]], **arguments})
    with pytest.raises(DimensionMismatch, match="2 dimensions"):
        await notes.query([[1, 2, 3]])
    for wrong in ({"limit": -1}, {"offset": -1}, {"include": ["distances"]}, {"ids": []}):
        with pytest.raises(InvalidRecord):
            await notes.get(**wrong)
    with pytest.raises(DuplicateID):
        await notes.get(["5", "5"])
    with pytest.raises(InvalidFilter, match=r"where\.k\.\$gt"):
        await notes.get(where={"k": {"$gt": "a"}})
    with pytest.raises(InvalidRecord):
        await notes.search([[1, 1], [2, 2]])


async def test_hostile_keys_and_values_are_only_values(notes: Any) -> None:
    """What looks like SQL, JSON or a placeholder is stored and found as it is."""
    nasty = [
        "'; DROP TABLE x; --",
        '"',
        "?",
        ":name",
        "%s",
        "a $1",
        "\\",
        "{}",
        "null",
        "a\nb",
        "\u202e",
        "' OR 1=1",
    ]
    await notes.add(
        [f"id {each}" for each in nasty],
        [[float(at), 1.0] for at in range(len(nasty))],
        metadatas=[{each: each, "same": at} for at, each in enumerate(nasty)],
        documents=nasty,
    )
    for at, each in enumerate(nasty):
        expected = [f"id {each}"]
        assert (await notes.get(where={each: each}))["ids"] == expected
        assert (await notes.get(ids=expected))["metadatas"] == [{each: each, "same": at}]
        assert expected[0] in (await notes.get(where_document={"$contains": each}))["ids"]
    assert await notes.count() == 4 + len(nasty)
