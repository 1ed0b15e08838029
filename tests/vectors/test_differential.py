"""Both backends against a plain oracle: random records, random changes, thousands of random filters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbadapter import DatabaseAdapter, DatabaseConfig
from tests.vectors import strategies as some
from tests.vectors.oracle import Oracle

IDS = ["a", "b", "B", "é", "10", "9", "😀", "\uffff", "x y", "'", "a\u0301"]
DIMENSION = 3

# Halves, so that every distance is exact and ties are ties.
vectors = st.lists(st.integers(-4, 4).map(lambda n: n / 2), min_size=DIMENSION, max_size=DIMENSION)
metadata_changes = st.none() | st.dictionaries(
    some.keys, st.none() | some.scalars | some.homogeneous, min_size=1, max_size=4
)
records = st.lists(
    st.tuples(st.sampled_from(IDS), vectors, metadata_changes, some.documents),
    min_size=1,
    max_size=8,
    unique_by=lambda record: record[0],
)
filters = st.tuples(st.none() | some.wheres, st.none() | some.document_wheres)
changes = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "upsert", "update"]), records),
        st.tuples(st.just("delete"), filters),
    ),
    min_size=1,
    max_size=5,
)
CHECKS = list(HealthCheck)  # a fixture for all examples is meant


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, postgres_server: Any) -> Iterator[list[DatabaseAdapter]]:
    """An adapter on each backend, for all examples."""
    from tests.servers import fresh_database

    path = tmp_path_factory.mktemp("vectors") / "app.db"
    with fresh_database(postgres_server) as config:
        with (
            DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as local,
            DatabaseAdapter(config) as server,
        ):
            yield [local, server]


def same_metadata(ours: Any, theirs: Any) -> bool:
    """Equal, types included."""
    if ours is None or theirs is None:
        return ours is theirs
    return ours == theirs and all(_types(ours[key]) == _types(theirs[key]) for key in theirs)


def _types(value: Any) -> Any:
    return [type(each) for each in value] if isinstance(value, list) else type(value)


@settings(max_examples=120, suppress_health_check=CHECKS)
@given(
    metric=st.sampled_from(["cosine", "l2", "ip"]),
    steps=changes,
    asked=st.lists(filters, min_size=6, max_size=6),
)
def test_every_answer_is_the_oracles(
    stores: list[DatabaseAdapter], metric: str, steps: list[Any], asked: list[Any]
) -> None:
    """After any changes both backends hold, find and order what plain Python does."""
    for adapter in stores:
        oracle = Oracle(metric)
        collection = adapter.vectors.create_collection("c", dimension=DIMENSION, metric=metric)
        try:
            for verb, argument in steps:
                if verb == "delete":
                    if argument == (None, None):
                        continue
                    deleted = collection.delete(where=argument[0], where_document=argument[1])
                    assert deleted["deleted"] == oracle.delete(None, *argument)
                else:
                    columns = [list(column) for column in zip(*argument, strict=True)]
                    ids, embeddings, metadatas, documents = columns
                    getattr(oracle, verb)(ids, embeddings, metadatas, documents)
                    getattr(collection, verb)(ids, embeddings, metadatas, documents)
                # A search in between: caches have to follow what comes next.
                nearest = collection.query([[1.0, 0.0, 0.5]], n_results=2)["ids"][0]
                assert nearest == [each for each, _ in oracle.nearest([1.0, 0.0, 0.5], 2, None, None)]
            _compare(collection, oracle, asked)
        finally:
            adapter.vectors.delete_collection("c")


def _compare(collection: Any, oracle: Oracle, asked: list[Any]) -> None:
    got = collection.get(include=["metadatas", "documents", "embeddings"])
    assert got["ids"] == list(oracle.records)
    for at, record in enumerate(oracle.records.values()):
        assert same_metadata(got["metadatas"][at], record["metadata"])
        assert got["documents"][at] == record["document"]
        assert got["embeddings"][at].tolist() == record["vector"]
    queries = [[1.0, 0.5, -0.5], [0.0, 0.0, 0.0]]
    # Twice: the second time metadata is looked up in columns.
    for where, where_document in [*asked, *asked]:
        arguments = {"where": where, "where_document": where_document}
        assert collection.get(**arguments)["ids"] == oracle.matching(where, where_document)
        found = collection.query(queries, n_results=5, **arguments)
        for query, ids, distances in zip(queries, found["ids"], found["distances"], strict=True):
            expected = oracle.nearest(query, 5, where, where_document)
            assert ids == [each for each, _ in expected]
            assert all(
                math.isclose(ours, theirs, abs_tol=1e-12)
                for ours, (_, theirs) in zip(distances, expected, strict=True)
            )


@settings(max_examples=40, suppress_health_check=CHECKS)
@given(
    stored=st.lists(st.tuples(some.metadatas, some.documents), min_size=10, max_size=30),
    asked=st.lists(filters, min_size=25, max_size=25),
)
def test_thousands_of_filters_match_alike(
    stores: list[DatabaseAdapter], stored: list[Any], asked: list[Any]
) -> None:
    """Filters select the same records on both backends as in plain Python."""
    names = [f"{at:02}" for at in range(len(stored))]
    metadatas, documents = [metadata for metadata, _ in stored], [document for _, document in stored]
    oracle = Oracle("l2")
    flat = [[float(at), 0.0, 0.0] for at in range(len(stored))]
    oracle.add(names, flat, metadatas, documents)
    for adapter in stores:
        collection = adapter.vectors.create_collection("c", dimension=DIMENSION, metric="l2")
        try:
            collection.add(names, flat, metadatas, documents)
            for where, where_document in asked:
                expected = oracle.matching(where, where_document)
                assert collection.get(where=where, where_document=where_document)["ids"] == expected
                found = collection.query([flat[0]], n_results=100, where=where, where_document=where_document)
                assert found["ids"][0] == expected
        finally:
            adapter.vectors.delete_collection("c")
