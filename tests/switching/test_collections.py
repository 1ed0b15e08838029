"""Vector collections go along with a live switch: records, descriptions, references, indexes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import ForeignKeyViolation, SwitchAborted

SQLITE, POSTGRES = DatabaseType.SQLITE, DatabaseType.POSTGRESQL
VECTORS = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
IDS = ["a", "b", "ç", "d"]


def fill(adapter: DatabaseAdapter) -> None:
    """A collection with all that records may have, one tied to a table, and an empty one without a dimension."""
    words = adapter.vectors.create_collection("words", dimension=3, metadata={"of": "tests"})
    words.add(
        IDS,
        embeddings=VECTORS,
        documents=["alpha beta", "beta", None, "delta"],
        metadatas=[{"n": 1, "tags": ["x", "y"]}, {"n": 2.5}, {"ok": True}, None],
    )
    adapter.execute("CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, body TEXT)")
    adapter.insert_many("notes", [(n, f"note {n}") for n in range(1, 6)])
    tied = adapter.vectors.create_collection("tied", dimension=3, metric="l2", references="notes.id")
    tied.add([str(n) for n in range(1, 6)], embeddings=[[n, 0, 0] for n in range(1, 6)])
    adapter.vectors.create_collection("empty")


def contents(adapter: DatabaseAdapter) -> dict[str, Any]:
    """Everything in the collections, as plain values."""
    found = {}
    for collection in adapter.vectors.list_collections():
        got = collection.get(include=["embeddings", "documents", "metadatas"])
        found[collection.name] = (
            collection.metadata,
            got["ids"],
            [list(map(float, vector)) for vector in got["embeddings"]],
            got["documents"],
            got["metadatas"],
        )
    return found


def test_there_and_back(both: DatabaseConfig) -> None:
    """Every record arrives bit for bit, and objects opened before the switch go on working."""
    with DatabaseAdapter(both) as adapter:
        fill(adapter)
        words, before = adapter.vectors.get_collection("words"), contents(adapter)
        for target in (POSTGRES, SQLITE, POSTGRES):
            report = adapter.switch_database(target, carry_data=True)
            assert report.verified
            assert report.rows_copied == 5 + 4 + 5
            assert contents(adapter) == before
            assert [match.id for match in words.search([1, 0.1, 0], k=2)] == ["a", "b"]
        adapter.execute("DELETE FROM notes WHERE id = 2")
        assert adapter.vectors.get_collection("tied").get()["ids"] == ["1", "3", "4", "5"]
        with pytest.raises(ForeignKeyViolation):
            adapter.vectors.get_collection("tied").add(["99"], embeddings=[[0, 0, 0]])


@pytest.mark.parametrize("target", [POSTGRES, SQLITE])
def test_changes_on_the_way(both: DatabaseConfig, target: DatabaseType) -> None:
    """What is added, changed, deleted, cascaded, renamed and described anew while the data move is carried over."""
    with DatabaseAdapter(both) as adapter:
        fill(adapter)
        if target is SQLITE:
            adapter.switch_database(POSTGRES, carry_data=True)
        left: list[Any] = []

        def early() -> None:
            words = adapter.vectors.get_collection("words")
            words.add(["e"], embeddings=[[1, 1, 1]])
            words.update(["a"], embeddings=[[5, 5, 5]])
            words.update(["b"], metadatas=[{"n": 3}])
            words.delete(["d"])
            adapter.execute("DELETE FROM notes WHERE id = 1")
            adapter.execute("UPDATE notes SET id = 20 WHERE id = 2")
            with adapter.transaction() as tx:  # their names change places
                tx.vectors.get_collection("words").modify(name="between")
                tx.vectors.get_collection("empty").modify(name="words")
                tx.vectors.get_collection("between").modify(name="empty", metadata={"new": 1})

        def late() -> None:
            adapter.vectors.get_collection("empty").upsert(["e", "f"], embeddings=[[2, 2, 2], [3, 3, 3]])
            adapter.vectors.get_collection("words").add(["first"], embeddings=[[1, 2]])
            left.append(contents(adapter))

        steps = {"catching up": early, "verifying": late}

        def change(told: Mapping[str, Any]) -> None:
            if steps and told["phase"] == next(iter(steps)):
                steps.pop(told["phase"])()

        adapter.switch_database(target, carry_data=True, progress=change)
        found = contents(adapter)
        assert found == left[0]
        assert found["empty"][1] == ["a", "b", "ç", "e", "f"]
        assert found["words"][1:3] == (["first"], [[1, 2]])
        assert found["tied"][1] == ["20", "3", "4", "5"]
        assert adapter.vectors.get_collection("words").info.dimension == 2


def test_following_back(both: DatabaseConfig) -> None:
    """The old file keeps up with the collections too, and has all of it when the adapter goes back."""
    with DatabaseAdapter(both) as adapter:
        fill(adapter)
        adapter.switch_database(POSTGRES, carry_data=True, follow_back=True)
        words = adapter.vectors.get_collection("words")
        words.add(["new"], embeddings=[[9, 9, 9]], documents=["late"])
        words.delete(["a"])
        adapter.execute("DELETE FROM notes WHERE id = 5")
        before = contents(adapter)
        report = adapter.switch_database(SQLITE, carry_data=True)
        assert report.rows_copied == 0
        assert contents(adapter) == before
        assert [match.id for match in words.search([9, 9, 9], k=1)] == ["new"]


def test_an_index_is_not_forgotten(both: DatabaseConfig) -> None:
    """An index made on Postgres is made there again after a time on SQLite, and full text is searched everywhere."""
    with DatabaseAdapter(both) as adapter:
        fill(adapter)
        words = adapter.vectors.get_collection("words")
        assert [match.id for match in words.hybrid_search("alpha")] == ["a"]
        adapter.switch_database(POSTGRES, carry_data=True)
        words.create_index("hnsw", m=8)
        for target in (SQLITE, POSTGRES):
            adapter.switch_database(target, carry_data=True)
            assert [match.id for match in words.hybrid_search("alpha")] == ["a"]
        assert words.explain()["index"] == "hnsw"


@pytest.mark.parametrize("target", [POSTGRES, SQLITE])
def test_a_collection_made_on_the_way(both: DatabaseConfig, target: DatabaseType) -> None:
    """It calls the switch off, which leaves nothing behind; the next attempt takes it along."""
    with DatabaseAdapter(both) as adapter:
        fill(adapter)
        if target is SQLITE:
            adapter.switch_database(POSTGRES, carry_data=True)
        source = adapter.db_type

        def create(told: Mapping[str, Any]) -> None:
            if told["phase"] == "verifying":
                adapter.vectors.get_or_create_collection("late", dimension=2).upsert(
                    ["x"], embeddings=[[1, 2]]
                )

        with pytest.raises(SwitchAborted, match="created"):
            adapter.switch_database(target, carry_data=True, progress=create)
        assert adapter.db_type is source
        before = contents(adapter)
        adapter.switch_database(target, carry_data=True)
        assert contents(adapter) == before
        assert before["late"][1] == ["x"]


@pytest.mark.parametrize("target", [POSTGRES, SQLITE])
def test_a_target_with_collections(both: DatabaseConfig, target: DatabaseType) -> None:
    """Collections that are there are nobody's to remove."""
    source = SQLITE if target is POSTGRES else POSTGRES
    with (
        DatabaseAdapter(attrs.evolve(both, db_type=source)) as adapter,
        DatabaseAdapter(attrs.evolve(both, db_type=target)) as theirs,
    ):
        fill(adapter)
        theirs.vectors.create_collection("words", dimension=2).add(["t"], embeddings=[[1, 2]])
        with pytest.raises(SwitchAborted, match="collections of its own"):
            adapter.switch_database(target, carry_data=True)
        assert theirs.vectors.get_collection("words").get()["ids"] == ["t"]
        assert contents(adapter)["words"][1] == IDS
