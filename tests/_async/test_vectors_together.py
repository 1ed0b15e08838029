"""Vectors and rows together: transactions, references and full text, alike on both backends."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest

from dbadapter import AsyncDatabaseAdapter
from dbadapter.errors import (
    ForeignKeyViolation,
    UndefinedColumn,
    UndefinedTable,
    VectorError,
)
from tests.vectors.models import Letters


class Planned(Exception):
    """What a test raises to roll back."""


@pytest.fixture
async def tied(adapter: AsyncDatabaseAdapter, identity: str) -> Any:
    """A table of notes and a collection whose ids are its keys."""
    await adapter.execute(f"CREATE TABLE notes (id {identity}, body TEXT, slug TEXT UNIQUE)")
    await adapter.execute(
        "INSERT INTO notes (id, body, slug) VALUES (1, 'one', 'a'), (2, 'two', 'b'), (42, 'x', 'c')"
    )
    return await adapter.vectors.create_collection("notes", dimension=2, references="notes.id")


# -- transactions --------------------------------------------------------------------------------------


async def test_rows_and_vectors_commit_together(tied: Any, adapter: AsyncDatabaseAdapter) -> None:
    """What a transaction did to both is there after it, and was seen within it."""
    async with adapter.transaction() as tx:
        await tx.execute("INSERT INTO notes (id, body) VALUES (7, 'seven')")
        within = await tx.vectors.get_collection("notes")
        await within.add("7", [[1, 1]], metadatas={"k": 1})
        assert await within.count() == 1
        assert (await within.query([[1, 1]]))["ids"] == [["7"]]
        assert (await within.query([[1, 1]], where={"k": 1}))["ids"] == [["7"]]
    assert (await tied.query([[1, 1]]))["ids"] == [["7"]]


async def test_rows_and_vectors_roll_back_together(tied: Any, adapter: AsyncDatabaseAdapter) -> None:
    """Nothing of a transaction that fails is left, neither in the file nor in a cache."""
    await tied.add(["1", "2"], [[1, 0], [0, 1]])
    assert (await tied.query([[1, 1]]))["ids"] == [["1", "2"]]
    with pytest.raises(Planned):
        async with adapter.transaction() as tx:
            within = await tx.vectors.get_collection("notes")
            await within.add("42", [[1, 1]])
            await within.update("1", [[9, 9]], metadatas={"k": 1})
            await within.delete("2")
            assert (await within.query([[1, 1]]))["ids"] == [["1", "42"]]
            assert (await within.get(where={"k": 1}))["ids"] == ["1"]
            raise Planned
    assert (await tied.query([[1, 1]]))["ids"] == [["1", "2"]]
    assert (await tied.get(include=["embeddings"]))["embeddings"].tolist() == [[1, 0], [0, 1]]
    await tied.add("42", [[-1, -1]])
    assert (await tied.query([[1, 1]]))["ids"] == [["1", "2", "42"]]
    assert (await tied.query([[-1, -1]], n_results=1))["distances"] == [[0.0]]


async def test_a_savepoint_takes_its_vectors_along(adapter: AsyncDatabaseAdapter) -> None:
    """Numbers that a rolled back savepoint used mean something else afterwards, and searches know."""
    await (await adapter.vectors.create_collection("c")).add("kept", [1, 0])
    async with adapter.transaction() as tx:
        collection = await tx.vectors.get_collection("c")
        with pytest.raises(Planned):
            async with tx.transaction():
                await collection.add("undone", [0, 1])
                assert (await collection.query([0, 1], n_results=1))["ids"] == [["undone"]]
                raise Planned
        await collection.add("other", [-1, 0])
        assert (await collection.query([0, 1]))["ids"] == [["kept", "other"]]
    assert (await collection_of(adapter).query([-1, 0], n_results=1))["ids"] == [["other"]]


def collection_of(adapter: AsyncDatabaseAdapter) -> Any:
    """A query on the collection "c", opened anew."""

    class Opened:
        async def query(self, *args: Any, **kwargs: Any) -> Any:
            return await (await adapter.vectors.get_collection("c")).query(*args, **kwargs)

    return Opened()


async def test_a_collection_created_in_a_transaction_goes_with_it(adapter: AsyncDatabaseAdapter) -> None:
    """Creating and deleting are part of the transaction as well."""
    with pytest.raises(Planned):
        async with adapter.transaction() as tx:
            made = await tx.vectors.create_collection("c")
            await made.add("a", [1, 2])
            assert await made.count() == 1
            raise Planned
    assert await adapter.vectors.count_collections() == 0
    kept = await adapter.vectors.create_collection("c")
    await kept.add("b", [1, 2, 3])
    with pytest.raises(Planned):
        async with adapter.transaction() as tx:
            await tx.vectors.delete_collection("c")
            raise Planned
    assert (await kept.query([1, 2, 3]))["ids"] == [["b"]]
    with pytest.raises(VectorError, match="vacuum"):
        async with adapter.transaction() as tx:
            await (await tx.vectors.get_collection("c")).vacuum()


# -- references ----------------------------------------------------------------------------------------


async def test_deleting_a_row_deletes_its_vector(tied: Any, adapter: AsyncDatabaseAdapter) -> None:
    """The cascade reaches vectors, metadata and full text; integer keys match by their decimal text."""
    await tied.add([1, "2", "42"], [[1, 0], [0, 1], [1, 1]], documents=["uno", "due", "tre"])
    assert "2" in [match.id for match in await tied.hybrid_search("due", [1, 0])]
    assert (await tied.query([[0, 1]], n_results=1))["ids"] == [["2"]]
    await adapter.execute("DELETE FROM notes WHERE id = 2")
    assert (await tied.get())["ids"] == ["1", "42"]
    assert (await tied.query([[0, 1]]))["ids"] == [["42", "1"]]
    assert "2" not in [match.id for match in await tied.hybrid_search("due", [0, 1])]
    assert (await tied.get(ids=[42]))["documents"] == ["tre"]


async def test_an_id_without_a_row_is_refused(tied: Any) -> None:
    """A vector cannot be added for a row that is not there, and none of its batch is."""
    for wrong in ("3", "042", "1.0", "x", str(2**70)):
        with pytest.raises(ForeignKeyViolation):
            await tied.add(["1", wrong], [[1, 0], [0, 1]])
    assert await tied.count() == 0


async def test_changing_a_key_changes_the_id(tied: Any, adapter: AsyncDatabaseAdapter) -> None:
    """An id follows its row."""
    await tied.add(["1", "2"], [[1, 0], [0, 1]])
    await adapter.execute("UPDATE notes SET id = 99 WHERE id = 1")
    assert (await tied.query([[1, 0]], n_results=1))["ids"] == [["99"]]


async def test_text_and_uuid_keys_can_be_referenced(tied: Any, adapter: AsyncDatabaseAdapter) -> None:
    """Any unique column that is written as text will do, in small batches and large ones."""
    by_slug = await adapter.vectors.create_collection("slugs", references="notes.slug")
    await by_slug.add(["b", "a"], [[1], [2]])
    await adapter.execute("DELETE FROM notes WHERE slug = 'b'")
    assert (await by_slug.get())["ids"] == ["a"]
    await adapter.execute("CREATE TABLE files (id UUID PRIMARY KEY)")
    keys = [uuid.UUID(int=number) for number in range(100)]
    await adapter.insert_many("files", [{"id": key} for key in keys])
    files = await adapter.vectors.create_collection("files", references="files.id")
    await files.add([str(key) for key in keys], np.eye(100))
    await files.upsert([str(key) for key in keys[:60]], -np.eye(100)[:60])
    await adapter.execute("DELETE FROM files WHERE id = ?", [keys[3]])
    assert await files.count() == 99
    assert (await files.query([np.eye(100)[70]], n_results=1))["ids"] == [[str(keys[70])]]
    with pytest.raises(ForeignKeyViolation):
        await files.add(str(uuid.uuid4()), [np.zeros(100)])


async def test_a_reference_has_to_be_a_key(tied: Any, adapter: AsyncDatabaseAdapter) -> None:
    """What is missing or not unique is refused when the collection is created."""
    for references, error in (
        ("nope.id", UndefinedTable),
        ("notes.nope", UndefinedColumn),
        ("notes.body", VectorError),
    ):
        with pytest.raises(error, match=references):
            await adapter.vectors.create_collection("c", references=references)
    assert await adapter.vectors.count_collections() == 1


# -- hybrid search -------------------------------------------------------------------------------------


@pytest.fixture
async def library(adapter: AsyncDatabaseAdapter) -> Any:
    """Documents in several languages."""
    texts = {
        "cat": "The cat sat on the mat. Cats purr.",
        "dog": "A dog barks at the cat next door",
        "straße": "Die Straße nach München ist gesperrt",
        "zh": "北京大学的图书馆",
        "ja": "東京タワーの高さ",
        "ru": "Кошка спит на окне",
        "th": "แมวนอนบนเสื่อ",
        "ar": "القطة نائمة",
        "emoji": "😀 party 🎉 time",
        "code": "def search(vector_or_text, k=10): return []",
    }
    collection = await adapter.vectors.create_collection("library", embedding_function=Letters())
    await collection.add(
        list(texts),
        documents=list(texts.values()),
        metadatas=[{"length": len(each)} for each in texts.values()],
    )
    await collection.add("silent", np.ones(26))
    return collection


async def by_text(collection: Any, text: str, **arguments: Any) -> list[str]:
    """Ids found by the words alone: the vector says nothing about them."""
    found = await collection.hybrid_search(text, np.zeros(26), k=3, **arguments)
    return [match.id for match in found if match.score > 1 / 61]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", "cat"),
        ("CATS", "cat"),
        ("barks", "dog"),
        ("strasse münchen", "straße"),
        ("图书", "zh"),
        ("東京", "ja"),
        ("кошка", "ru"),
        ("แมว", "th"),
        ("نائمة", "ar"),
        ("party", "emoji"),
        ("vector_or_text", "code"),
    ],
)
async def test_words_of_any_language_are_found(library: Any, text: str, expected: str) -> None:
    """Case, composition and missing spaces do not matter."""
    assert (await by_text(library, text))[:1] == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\"'`",
        "AND OR NOT",
        "a* b^2 (c",
        "😀",
        "'; --",
        "\\",
        "x:y",
        "-",
        "NEAR(a b)",
        "\u0301",
        "a\nb\t" * 500,
    ],
)
async def test_no_text_breaks_a_hybrid_search(library: Any, text: str) -> None:
    """What means something to a full-text engine means nothing here."""
    assert len(await library.hybrid_search(text, np.ones(26), k=5)) == 5


async def test_hybrid_search_fuses_both_rankings(library: Any) -> None:
    """A record that both rankings have comes before those that only one has; matches carry distance and score."""
    found = await library.hybrid_search("cat")
    assert found[0].id == "cat"
    assert found == sorted(found, key=lambda match: (-match.score, match.id))
    assert all(match.distance is not None and match.similarity == 1 - match.distance for match in found)
    short = await library.hybrid_search("cat", where={"length": {"$lt": 33}})
    assert "cat" not in [match.id for match in short]
    assert short[0].id == "dog"
    words_only = await (await library._store.get_collection("library")).hybrid_search("cat")
    assert [(match.id, match.distance) for match in words_only] == [("cat", None), ("dog", None)]


async def test_the_full_text_index_follows_changes(library: Any) -> None:
    """What is added, updated and deleted after the index was made is found, or not, accordingly."""
    assert await by_text(library, "cat") == ["cat", "dog"]
    await library.add(["new"] + [f"n{at}" for at in range(60)], documents=["a cat" for _ in range(61)])
    await library.update("cat", documents="nothing here")
    await library.delete("dog")
    assert set(await by_text(library, "mat")) == set()
    found = [match.id for match in await library.hybrid_search("cat", k=100)]
    assert {"new", "n0", "n59"} <= set(found)
    assert "dog" not in found
    assert await by_text(library, "nothing") == ["cat"]
    stats = await library.stats()
    assert stats["fulltext"] is True
