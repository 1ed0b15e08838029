"""Vector collections go along with a transfer, in both directions, and are compared with the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import TransferError
from dbadapter.transfer import TransferPlan, plan_transfer, run_transfer, verify_transfer


@pytest.fixture
def source(tmp_path: Path) -> DatabaseConfig:
    """A file with notes, a collection that is tied to them, and one of its own."""
    config = DatabaseConfig(sqlite_path=str(tmp_path / "app.db"))
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, body TEXT)")
        adapter.insert_many("notes", [(1, "one"), (2, "two")])
        tied = adapter.vectors.create_collection("tied", dimension=2, references="notes.id")
        tied.add(["1", "2"], embeddings=[[1, 0], [0, 1]], metadatas=[{"n": 1}, {"n": 2.5}])
        adapter.vectors.create_collection("free").add(["é"], embeddings=[[1, 2, 3]], documents=["text"])
    return config


def contents(config: DatabaseConfig) -> dict[str, Any]:
    """What the collections hold."""
    with DatabaseAdapter(config) as adapter:
        found = {}
        for collection in adapter.vectors.list_collections():
            got = collection.get(include=["embeddings", "documents", "metadatas"])
            found[collection.name] = (
                got["ids"],
                got["embeddings"].tolist(),
                got["documents"],
                got["metadatas"],
            )
        return found


def test_there_and_back(source: DatabaseConfig, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """Each record arrives bit for bit, both ways, and the report and the comparison count them."""
    before = contents(source)
    report = run_transfer(plan_transfer(source, postgres_database))
    assert report.ok
    assert {each.name: each.records for each in report.collections} == {"free": 1, "tied": 2}
    assert report.check is not None
    assert {each.collection: each.records for each in report.check.collections} == {"free": 1, "tied": 2}
    assert contents(postgres_database) == before
    back = DatabaseConfig(sqlite_path=str(tmp_path / "back.db"))
    assert run_transfer(plan_transfer(postgres_database, back)).ok
    assert contents(back) == before
    with DatabaseAdapter(back) as adapter:
        adapter.execute("DELETE FROM notes WHERE id = 1")
        assert adapter.vectors.get_collection("tied").get()["ids"] == ["2"]


def test_a_difference_is_found(source: DatabaseConfig, postgres_database: DatabaseConfig) -> None:
    """A vector that was changed on one side since makes the databases unequal, and the record is named."""
    run_transfer(plan_transfer(source, postgres_database))
    assert verify_transfer(source, postgres_database).equal
    with DatabaseAdapter(postgres_database) as adapter:
        adapter.vectors.get_collection("tied").update(["2"], embeddings=[[0, 1.0000001]])
    check = verify_transfer(source, postgres_database)
    assert not check.equal
    problems = {each.collection: each.problem for each in check.collections}
    assert problems["free"] is None
    assert "'2'" in str(problems["tied"])


def test_repeated_and_replaced(source: DatabaseConfig, postgres_database: DatabaseConfig) -> None:
    """A strange collection of the same name is not touched, unless it is to be made anew."""
    with DatabaseAdapter(postgres_database) as adapter:
        adapter.vectors.create_collection("free", dimension=1).add(["theirs"], embeddings=[[1]])
    with pytest.raises(TransferError, match="free"):
        run_transfer(plan_transfer(source, postgres_database))
    with DatabaseAdapter(postgres_database) as adapter:
        assert adapter.list_tables() == []
        assert adapter.vectors.get_collection("free").get()["ids"] == ["theirs"]
    assert run_transfer(plan_transfer(source, postgres_database), recreate=True).ok
    assert contents(postgres_database) == contents(source)


def test_what_is_chosen(source: DatabaseConfig, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """The plan names the collections and may be edited; where tables are chosen, none goes along."""
    assert plan_transfer(source, postgres_database, tables=["notes"]).collections == []
    path = tmp_path / "plan.json"
    plan_transfer(source, postgres_database).save(path)
    found = json.loads(path.read_text())
    assert found["collections"] == ["free", "tied"]
    path.write_text(json.dumps(found | {"collections": ["free"]}))
    plan = TransferPlan.load(path, source=source, target=postgres_database)
    assert run_transfer(plan, dry_run=True).collections == []
    assert contents(postgres_database) == {}
    assert run_transfer(plan).ok
    assert list(contents(postgres_database)) == ["free"]
