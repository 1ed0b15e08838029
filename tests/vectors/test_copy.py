"""Collections moved between databases: bit for bit, again from where it stopped, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import CollectionExists, CollectionNotFound, ForeignKeyViolation, VerificationFailed
from dbadapter.vectors import copy_collections
from dbadapter.vectors.copy import copy_records, verify_collections
from tests.vectors.models import Letters

COUNT = 250


class Stopped(Exception):
    """What interrupts a copy."""


@pytest.fixture
def pair(
    sqlite_database: DatabaseConfig, postgres_database: DatabaseConfig
) -> Iterator[list[DatabaseAdapter]]:
    """An empty SQLite database and an empty Postgres one."""
    with DatabaseAdapter(sqlite_database) as local, DatabaseAdapter(postgres_database) as server:
        yield [local, server]


@pytest.fixture(params=["to postgres", "to sqlite"])
def ends(request: pytest.FixtureRequest, pair: list[DatabaseAdapter]) -> list[DatabaseAdapter]:
    """A source that has a collection, and an empty target."""
    source, target = pair if request.param == "to postgres" else pair[::-1]
    numbers = np.random.default_rng(2).normal(size=(COUNT, 26)).astype(np.float32)
    numbers[0], numbers[1] = 0, np.float32(1e-40)  # zero, and numbers that are barely numbers
    numbers[2, 0] = -0.0
    notes = source.vectors.create_collection(
        "notes", metric="l2", metadata={"é": 1.0}, embedding_function=Letters()
    )
    notes.add(
        [f"n{at}" for at in range(COUNT)],
        numbers,
        metadatas=[
            None if at % 5 == 0 else {"i": at, "f": float(at), "l": [at, 2**53 + 1], "big": 1e300}
            for at in range(COUNT)
        ],
        documents=[None if at % 7 == 0 else f"note {at} 😀" for at in range(COUNT)],
        uris=[None if at % 2 else f"file:{at}" for at in range(COUNT)],
    )
    notes.delete([f"n{at}" for at in range(10, 20)])
    notes.upsert("n12", [numbers[3]])
    return [source, target]


def content(adapter: DatabaseAdapter) -> Any:
    """All of the collection, in its order."""
    got = adapter.vectors.get_collection("notes").get(
        include=["metadatas", "documents", "embeddings", "uris"]
    )
    return {
        **got,
        "embeddings": got["embeddings"].tobytes(),
        "types": [_types(each) for each in got["metadatas"]],
    }


def _types(metadata: Any) -> Any:
    return None if metadata is None else {key: type(value) for key, value in metadata.items()}


def test_a_copy_is_the_same_bit_for_bit(ends: list[DatabaseAdapter]) -> None:
    """Order, bits, types, description and answers; running it again writes nothing."""
    source, target = ends
    seen: list[Any] = []
    report = copy_collections(source, target, batch_size=60, progress=seen.append)
    assert (report.records, report.written) == (COUNT - 9, COUNT - 9)
    assert seen[-1]["done"] == COUNT - 9
    assert content(source) == content(target)
    old, new = (each.vectors.get_collection("notes", embedding_function=Letters()) for each in ends)
    assert (old.id, old.metadata, old.metric, old.dimension) == (
        new.id,
        new.metadata,
        new.metric,
        new.dimension,
    )
    query = np.ones((1, 26))
    assert old.query(query) == new.query(query)
    again = copy_collections(source, target)
    assert (again.records, again.written) == (COUNT - 9, 0)
    assert verify_collections(source, target) == COUNT - 9
    new.add("after", [np.zeros(26)])
    assert new.get(["after"])["ids"] == ["after"]
    assert new.get()["ids"][-1] == "after"


def test_a_copy_goes_on_where_it_stopped(ends: list[DatabaseAdapter]) -> None:
    """What was written before an interruption is not written again."""
    source, target = ends

    def stop(state: Any) -> None:
        if state["done"] >= 120:
            raise Stopped

    with pytest.raises(Stopped):
        copy_collections(source, target, batch_size=60, progress=stop)
    assert target.vectors.get_collection("notes").count() == 120
    report = copy_collections(source, target, batch_size=50)
    assert report.written == COUNT - 9 - 120
    assert content(source) == content(target)


def test_a_copy_is_brought_up_to_date(ends: list[DatabaseAdapter]) -> None:
    """Changes on either side since are undone in the target, and searches there see it at once."""
    source, target = ends
    copy_collections(source, target)
    old, new = (each.vectors.get_collection("notes") for each in ends)
    new.query(np.ones((1, 26)), where={"i": {"$gt": 3}})
    old.delete(["n30", "n31"])
    old.update(["n40"], [np.ones(26)], metadatas={"i": "moved"})
    old.add("later", [np.ones(26)])
    old.modify(metadata={"changed": True})
    new.add("stray", [np.zeros(26)])
    new.delete(["n50"])
    report = copy_collections(source, target)
    # n40, n50 and what came later; of the stray one and those deleted, as many as still stood there.
    assert report.written == 3
    assert content(source) == content(target)
    assert new.query(np.ones((1, 26)), n_results=2)["ids"] == [["later", "n40"]]
    assert target.vectors.get_collection("notes").metadata == {"changed": True}
    assert old.query(np.ones((2, 26)), n_results=300) == new.query(np.ones((2, 26)), n_results=300)


def test_single_records_can_be_copied(ends: list[DatabaseAdapter]) -> None:
    """What a live move needs: records by number, whether changed, new or gone."""
    source, target = ends
    copy_collections(source, target)
    old = source.vectors.get_collection("notes")
    seqs = {hit.id: hit.seq for hit in source.vectors.engine.batch(old.info, -1, 1000, vectors=False)}
    old.delete("n5")
    old.update("n6", [np.ones(26)])
    info = target.vectors.get_collection("notes").info
    with target.transaction() as tx:
        copy_records(source, tx, info, [seqs["n5"], seqs["n6"], seqs["n6"], 10**9])
    assert content(source) == content(target)


def test_indexes_come_along(pair: list[DatabaseAdapter]) -> None:
    """An index asked for on SQLite is made on Postgres, and remembered on the way back."""
    local, server = pair
    notes = local.vectors.create_collection("notes", dimension=3)
    notes.add(["a", "b"], [[1, 0, 0], [0, 1, 0]], documents=["red apple", "green pear"])
    notes.create_index("hnsw", m=8)
    notes.create_index("fulltext")
    copy_collections(local, server)
    moved = server.vectors.get_collection("notes")
    assert moved.explain([1, 0, 0], k=1)["path"] == "hnsw"
    assert moved.stats()["options"]["m"] == 8
    assert [match.id for match in moved.hybrid_search("pear", k=1)] == ["b"]
    server.vectors.get_collection("notes").add("c", [[0, 0, 1]], documents=["blue plum"])
    copy_collections(server, local)
    back = local.vectors.get_collection("notes")
    assert [match.id for match in back.hybrid_search("plum", k=1)] == ["c"]
    assert back.info.options == {"kind": "hnsw", "m": 8}


def test_references_need_their_rows(pair: list[DatabaseAdapter]) -> None:
    """The table comes first; then the cascade holds in the copy as well."""
    local, server = pair
    local.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    local.execute("INSERT INTO notes VALUES (1), (2)")
    local.vectors.create_collection("notes", references="notes.id").add([1, 2], [[1, 0], [0, 1]])
    server.execute("CREATE TABLE notes (id BIGINT PRIMARY KEY)")
    server.execute("INSERT INTO notes VALUES (1)")
    with pytest.raises(ForeignKeyViolation):
        copy_collections(local, server)
    server.execute("INSERT INTO notes VALUES (2)")
    copy_collections(local, server)
    server.execute("DELETE FROM notes WHERE id = 1")
    assert server.vectors.get_collection("notes").get()["ids"] == ["2"]


def test_what_stands_in_the_way_is_said(ends: list[DatabaseAdapter]) -> None:
    """Another collection of the name, a missing name, a difference."""
    source, target = ends
    with pytest.raises(CollectionNotFound, match="nope"):
        copy_collections(source, target, names=["nope"])
    copy_collections(source, target, names=["notes"])
    target.vectors.get_collection("notes").update("n1", metadatas={"i": 1.0})
    with pytest.raises(VerificationFailed, match="'n1'"):
        verify_collections(source, target)
    target.vectors.delete_collection("notes")
    target.vectors.create_collection("notes")
    with pytest.raises(CollectionExists, match="another"):
        copy_collections(source, target)


def test_an_open_collection_goes_along_with_a_switch(both: DatabaseConfig) -> None:
    """A collection keeps its identity, so an object opened before a move works after it, in both directions."""
    with DatabaseAdapter(both) as adapter:
        notes = adapter.vectors.create_collection("notes")
        notes.add(["a", "b"], [[1, 0], [0, 1]])
        with DatabaseAdapter(both) as source:
            adapter.switch_database(DatabaseType.POSTGRESQL)
            copy_collections(source, adapter)
        assert notes.query([1, 0])["ids"] == [["a", "b"]]
        notes.add("c", [1, 1])
        with DatabaseAdapter(adapter.config) as source:
            adapter.switch_database(DatabaseType.SQLITE)
            copy_collections(source, adapter)
        assert notes.query([1, 1])["ids"] == [["c", "a", "b"]]
