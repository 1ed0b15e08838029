# Generated from tests/_async/test_vectors_bad_input.py by tools/unasync.py; do not edit.
"""Filters that make no sense, patterns that blow up, batches of any size: treated alike on both backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dbadapter import DatabaseAdapter
from dbadapter.errors import DimensionMismatch, DuplicateID, InvalidFilter
from dbadapter.vectors import InvalidRecord


@pytest.fixture
def notes(adapter: DatabaseAdapter) -> Any:
    """A collection of three records."""
    collection = adapter.vectors.create_collection("notes", metric="l2")
    collection.add(
        ["a", "b", "c"],
        [[1, 1], [2, 2], [3, 3]],
        metadatas=[{"k": 1}, {"k": 2}, None],
        documents=["a" * 5000, "b", None],
    )
    return collection


def nested(depth: int) -> dict[str, Any]:
    """A filter that deep."""
    where: dict[str, Any] = {"k": 1}
    for _ in range(depth):
        where = {"$and": [where, {"k": 1}]}
    return where


_BAD_WHERE: list[tuple[Any, str]] = [
    ({}, r"^where: "),
    ([], r"^where: "),
    ("k", r"^where: "),
    ({"k": 1, "j": 2}, r"^where: .*\$and"),
    ({1: 1}, r"^where: "),
    ({"k": None}, r"^where\.k: "),
    ({"k": {}}, r"^where\.k: "),
    ({"k": [1]}, r"^where\.k: "),
    ({"k": float("nan")}, r"^where\.k: NaN"),
    ({"k": 2**63}, r"^where\.k: .*64 bits"),
    ({"k": "a\0"}, r"^where\.k: .*NUL"),
    ({"\ud800": 1}, r"surrogate"),
    ({"k": {"$foo": 1}}, r"^where\.k\.\$foo: "),
    ({"k": {"$gt": 1, "$lt": 3}}, r"^where\.k: "),
    ({"k": {"$gt": True}}, r"^where\.k\.\$gt: "),
    ({"k": {"$in": []}}, r"^where\.k\.\$in: "),
    ({"k": {"$in": "abc"}}, r"^where\.k\.\$in: "),
    ({"k": {"$in": [1, "a"]}}, r"^where\.k\.\$in: "),
    ({"k": {"$in": [1, None]}}, r"^where\.k\.\$in\[1\]: "),
    ({"$and": [{"k": 1}]}, r"^where\.\$and: "),
    ({"$and": {"k": 1}}, r"^where\.\$and: "),
    ({"$or": [{"k": 1}, {"k": {"$gt": "x"}}]}, r"^where\.\$or\[1\]\.k\.\$gt: "),
    ({"$not": [{"k": 1}, {"k": 2}]}, r"^where: "),
    (nested(5000), r"100 deep"),
]
_BAD_WHERE_DOCUMENT: list[tuple[Any, str]] = [
    ({}, r"^where_document: "),
    ({"$contains": ""}, r"^where_document\.\$contains: "),
    ({"$contains": 5}, r"^where_document\.\$contains: "),
    ({"$contains": "\0"}, r"NUL"),
    ({"$eq": "a"}, r"^where_document\.\$eq: "),
    ({"$regex": "("}, r"^where_document\.\$regex: .*RE2"),
    ({"$regex": r"(a)\1"}, r"^where_document\.\$regex: .*RE2"),
    ({"$regex": r"(?=a)"}, r"^where_document\.\$regex: .*RE2"),
    ({"$regex": "a{100000}"}, r"^where_document\.\$regex: .*RE2"),
    ({"$and": [{"$contains": "a"}, {"$regex": "["}]}, r"^where_document\.\$and\[1\]\.\$regex: "),
]


@pytest.mark.parametrize(("where", "words"), _BAD_WHERE)
def test_a_filter_that_makes_no_sense_names_its_place(notes: Any, where: Any, words: str) -> None:
    """Reading, searching and deleting by it are refused, and nothing is deleted."""
    for refused in (
        lambda: notes.get(where=where),
        lambda: notes.query([[1, 1]], where=where),
        lambda: notes.search([1, 1], where=where),
        lambda: notes.delete(where=where),
    ):
        with pytest.raises(InvalidFilter, match=words):
            refused()
    assert notes.count() == 3


@pytest.mark.parametrize(("where", "words"), _BAD_WHERE_DOCUMENT)
def test_a_document_filter_that_makes_no_sense_names_its_place(notes: Any, where: Any, words: str) -> None:
    """The same for filters on documents."""
    for refused in (
        lambda: notes.get(where_document=where),
        lambda: notes.delete(where_document=where),
    ):
        with pytest.raises(InvalidFilter, match=words):
            refused()
    assert notes.count() == 3


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)[^a]", "(x+x+)+y"])
def test_patterns_that_blow_up_elsewhere_take_their_time_only(notes: Any, pattern: str) -> None:
    """A search for them is linear in the text: it ends, and finds what it should."""
    found = notes.get(where_document={"$regex": pattern})["ids"]
    assert found == {"(a+)+$": ["a"], "(a|aa)+$": ["a"], "(a*)*b": ["b"]}.get(pattern, found)
    assert set(found) <= {"a", "b"}


def test_very_long_lists_of_values_are_a_filter_like_any(notes: Any) -> None:
    """Tens of thousands of values, texts or numbers, and ids."""
    many = list(range(2, 40_000))
    assert notes.get(where={"k": {"$in": many}})["ids"] == ["b"]
    assert notes.get(where={"k": {"$nin": [float(each) for each in many]}})["ids"] == ["a", "c"]
    assert notes.get(where={"k": {"$in": [str(each) for each in many]}})["ids"] == []
    assert notes.get(ids=["b", *(f"none {at}" for at in many)])["ids"] == ["b"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"ids": {11_999: "id 0"}}, DuplicateID, "'id 0'"),
        ({"embeddings": {11_999: [float("nan"), 1.0]}}, InvalidRecord, r"embeddings\[11999\]"),
        ({"embeddings": {11_999: [1.0, 2.0, 3.0]}}, DimensionMismatch, r"embeddings\[11999\]"),
        ({"metadatas": {11_999: {"k": object()}}}, InvalidRecord, r"metadatas\[11999\]"),
        ({"documents": {11_999: "\ud800"}}, InvalidRecord, r"documents\[11999\]"),
    ],
)
def test_one_bad_record_at_the_end_of_a_huge_batch(
    notes: Any, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    """It is named, and nothing of the batch is written; without it the whole batch is."""
    count = 12_000
    batch: dict[str, list[Any]] = {
        "ids": [f"id {at}" for at in range(count)],
        "embeddings": np.ones((count, 2)).tolist(),
        "metadatas": [{"k": at} for at in range(count)],
        "documents": ["text"] * count,
    }
    bad = {name: list(values) for name, values in batch.items()}
    for name, values in change.items():
        for at, value in values.items():
            bad[name][at] = value
    for verb in (notes.add, notes.upsert):
        with pytest.raises(error, match=words):
            verb(**bad)
    assert notes.count() == 3
    notes.add(**{name: values[:-1] for name, values in batch.items()})
    assert notes.count() == 3 + count - 1


def test_a_huge_batch_passes_over_what_is_there(notes: Any) -> None:
    """Records that are there stay as they are, wherever in the batch they stand, and the others arrive."""
    names = [f"id {at}" for at in range(11_000)]
    names[7000] = "b"
    notes.add(names, np.full((11_000, 2), 9.0), documents=["new"] * 11_000)
    assert notes.count() == 3 + 10_999
    got = notes.get(["b", "id 6999", "id 7001"], include=["documents", "embeddings"])
    assert got["documents"] == ["b", "new", "new"]
    assert got["embeddings"].tolist() == [[2, 2], [9, 9], [9, 9]]


@pytest.mark.parametrize("field", ["limit", "offset"])
def test_counts_beyond_64_bits(notes: Any, field: str) -> None:
    """They are named as what they are."""
    with pytest.raises(InvalidRecord, match=f"{field} is 9223372036854775808, beyond 64 bits"):
        notes.get(**{field: 2**63})
    assert notes.get(limit=2**63 - 1)["ids"] == notes.get()["ids"]
